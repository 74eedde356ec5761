"""How wires, air and machines behave for a while."""

from dataclasses import dataclass


@dataclass(slots=True)
class Weather:
    """Shares of one, but for the delay. Changed in place: what lasts is a storm, what follows is calm."""

    doubled: float = 0.0
    """Packets that a node gets twice."""
    lost_on_cable: float = 0.0
    """Packets that a radio heard and its node did not."""
    refused: float = 0.0
    """Packets for the radio, or the radio's word on them, that the cable loses."""
    wiped: float = 0.0
    """Packets that a broker took, confirmed and lost."""
    crash: float = 0.0
    """Turns in which the power of a process goes away."""
    disk_full: float = 0.0
    """Turns whose commit the disk refuses."""
    delay_ms_max: float = 2_000.0
    """Longest delay over a broker, and of a doubled packet."""

    def calm_down(self) -> None:
        """Let nothing go wrong any more but what the air itself does."""
        self.doubled = self.lost_on_cable = self.refused = self.wiped = self.crash = self.disk_full = 0.0
        self.delay_ms_max = 2_000.0
