"""A kiosk's node as a real process on a real UPS: status, the step of saving, the first page, and the end."""

from collections.abc import Callable
from pathlib import Path

from tests.fakes.lone_site import LoneSite
from tests.fakes.upses import UPS, dummy_ups

POWER = """
[power]
source = "nut"
poll_s = 1
capacity_wh = 500.0
draw_w = 10.0
battery_after_s = 0
farewell_s = 1
shutdown_command = "sh -c 'echo DOWN >> {done}'"

[power.nut]
ups = "{ups}"
port = {port}

[[power.shed]]
action = "browser"
command = "sh -c 'echo -browser >> {done}'"
undo_command = "sh -c 'echo browser >> {done}'"
"""


def test_a_power_cut_at_a_kiosk(tmp_path: Path, free_port: Callable[[], int], wait_until: Callable[..., None]) -> None:
    done = tmp_path / "done"
    site = LoneSite(tmp_path / "site", free_port, wait_until)
    with dummy_ups(tmp_path / "nut", free_port(), wait_until, ups__status="OL", battery__charge=97) as ups:
        try:
            site.make(broker=False)
            with site.config.open("a", encoding="utf-8") as file:
                file.write(POWER.format(done=done, ups=UPS, port=ups.port))
            site.start("node", "web")

            def power() -> dict[str, object]:
                return dict(site.ask("status")["power"])

            wait_until(lambda: power().get("state") == "mains", 30, "mains")
            assert (power()["percent"], power()["problems"]) == (97, [])
            assert "Stroom" not in site.get("/nl/").words
            ups.tell(ups__status="OB DISCHRG", battery__charge=96)
            wait_until(lambda: power()["state"] == "battery", 30, "battery")
            assert f"Stroom: accu, nog ongeveer {int((96 - 10) * 5 / 10)} uur." in site.get("/nl/").words
            wait_until(lambda: done.read_text("ascii").split() == ["browser", "-browser"], 30, "the step is done")
            ups.kill("upsd")
            wait_until(lambda: power()["problems"], 30, "the source is gone, and told")
            ups.start_server()
            ups.tell(ups__status="OB LB", battery__charge=9)
            wait_until(lambda: "DOWN" in done.read_text("ascii").split(), 90, "the end")
            assert power()["going_dark"]
            assert "De accu is bijna leeg. Dit punt stopt zo." in site.get("/nl/").words
            assert "action=power_shutdown" in site.log("node")
        finally:
            site.stop()
