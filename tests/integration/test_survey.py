"""A survey over virtual radios: refused while the point is open, traced both ways, charged to the airtime."""

import json
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from steunpunt import config as sections
from steunpunt.control import Client, Refused
from steunpunt.doctor.proving import sheet
from steunpunt.sim import RadioSpec, VirtualRadios
from tests.fakes.nodes import Running, kiosk_config

OURS, FAR = 0xA1B2C3D4, 0x11223344
CHANNELS = (("", b"\x01"), ("serial", bytes(range(16))))
PROBES = 4
Wait = Callable[..., None]


def in_thread(work: Callable[[], None]) -> Callable[[], None]:
    thread = threading.Thread(target=work)
    thread.start()
    return thread.join


def test_the_probes_go_there_and_back_and_the_sheet_tells_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wait_until: Wait
) -> None:
    monkeypatch.setattr("steunpunt.relay.survey.GAP_MS", 800)
    monkeypatch.setattr("steunpunt.relay.survey.ANSWER_MS_MAX", 3_000)
    specs = [
        RadioSpec(name, 0, num, CHANNELS, name, nodeinfo_interval_s=0) for name, num in (("own", OURS), ("far", FAR))
    ]
    radios = VirtualRadios(specs, speed=50, seed=1)
    with radios:
        radio = sections.Radio(kind="tcp", port=radios.port("own"))
        site = msgspec.structs.replace(kiosk_config(tmp_path), radio=radio)
        running = Running(site, in_thread)
        client = Client(site.control.socket)
        try:
            wait_until(lambda: client.call("status")["links"]["mesh"]["up"], 20, "the radio serves")
            with pytest.raises(Refused, match="the point is open; close it on the staff's page first"):
                client.call("survey", to="!11223344")
            surveys = running.node._technician.surveys
            assert surveys is not None
            assert surveys.begin({}, "CLOSED")["error"] == "unknown_radio"
            assert surveys.begin({"to": "11223344"}, "CLOSED")["error"] == "bad_request"
            assert surveys.begin({"to": "!11223344"}, "CLOSED")["to"] == "!11223344"
            survey = surveys._survey
            assert survey is not None
            survey.probes = PROBES
            assert surveys.begin({"to": "!11223344"}, "CLOSED")["error"] == "survey_under_way"
            wait_until(lambda: client.call("status")["survey"]["under_way"] is None, 60, "the survey is over")
            result = client.call("status")["survey"]["last"]
        finally:
            client.close()
            running.stop()
    assert (result["sent"], result["to"], result["out"]["hops_max"]) == (PROBES, "!11223344", 0)
    assert 1 <= result["answered"] <= PROBES, "at fifty times the speed a busy machine loses some"
    assert result["out"]["snr_median_db"] > -17.5
    assert result["back"]["snr_median_db"] > -17.5
    assert result["air_ms"] > PROBES * 300
    told = "\n".join(sheet(result | {"site": 47, "preset": "LONG_FAST"}))
    assert "site 47 to !11223344, LONG_FAST" in told
    assert f"of {PROBES} probes" in told
    assert json.dumps(result)
