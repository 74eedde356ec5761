"""Virtual Meshtastic radios on a simulated air.

They serve the client protocol of firmware 2.7.26 over TCP, so that the node, the
``meshtastic`` command line and any other client cannot tell them from a radio on the
network. In a test or a demo, in the same process::

    from steunpunt.sim import RadioSpec, VirtualRadios

    specs = [
        RadioSpec("kiosk", node_num=0xA1, channels=(("", bytes([1])), ("serial", key))),
        RadioSpec("desk", node_num=0xD1, channels=(("", bytes([1])), ("serial", key))),
    ]
    with VirtualRadios(specs, speed=20, seed=1) as radios:
        host, port = radios.address("kiosk")    # a free port, unless the spec names one
        ...                                     # connect as to any radio on TCP
        radios.unplug("kiosk")                  # closes the connection, refuses new ones
        radios.plug("kiosk")
        radios.reboot("desk")
        radios.fault("desk", Fault.REFUSE, seconds=20)   # and more that goes wrong
        radios.set_loss(0.3)                    # on every link
        radios.set_link("kiosk", "desk", audible=False)   # out of earshot
        radios.counters("kiosk")["frames_sent"]

``speed`` divides time on air and every delay of the firmware; it does not touch the
15 minutes after which an idle client is closed. ``serve`` is the same as a command
that blocks until SIGTERM, with an optional control port for other processes
(``ask_control_port``).

Modules: ``timeline`` (simulated time), ``air`` (who hears what), ``mesh`` (queue,
flooding, retries), ``settings`` and ``admin`` (what a radio is set to), ``radio`` (the
client protocol, with ``packets``, ``ratelimits``, ``sealing`` and ``traceroute``),
``announcer`` (what it broadcasts on its own), ``faults`` (what goes wrong with it),
``server`` and ``door`` (real time and TCP), ``control_port``. Only the last three know
a clock or a socket.
"""

from steunpunt.sim.control_port import ask_control_port
from steunpunt.sim.faults import Fault
from steunpunt.sim.server import VirtualRadios, serve
from steunpunt.sim.spec import RadioSpec, SimulationError

__all__ = ["Fault", "RadioSpec", "SimulationError", "VirtualRadios", "ask_control_port", "serve"]
