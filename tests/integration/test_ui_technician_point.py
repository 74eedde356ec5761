"""The technician's page at a point: behind the staff's PIN, with the node's own words and a test request."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fakes.staff_sites import StaffSite, post, staff_site
from tests.fakes.ui_citizen import words


@pytest.fixture(name="site")
def fixture_site(tmp_path: Path) -> Iterator[StaffSite]:
    with staff_site(tmp_path) as site:
        yield site


def test_at_a_point_the_pin_opens_it_and_a_test_goes_from_there(
    site: StaffSite, wait_until: Callable[..., None]
) -> None:
    assert site.screen().get("/staf/techniek").headers["Location"] == "/staf/inloggen"
    assert post(site.screen(), "/staf/techniek/test").status_code == 403
    assert site.ask("status")["test"] is None
    web = site.staff()
    page = words(web.get("/staf/techniek"))
    assert "Test er is nog nooit een test gestuurd" in page
    assert "Radio dit punt heeft geen radio" in page
    sent = post(web, "/staf/techniek/test")
    assert sent.headers["Location"] == "/staf/techniek#test"
    wait_until(lambda: (site.ask("status")["test"] or {}).get("steps_ms"), 10, "the loop has seen its first step")
    page = words(web.get("/staf/techniek"))
    assert "TEST 47-1: onderweg" in page
    assert "✓ 0 s bewaard op dit punt" in page
    assert post(web, "/staf/techniek/test").headers["Location"] == "/staf/techniek#test"
    assert site.ask("status")["queue"] == 1, "one at a time"
    assert 'content="300;url=/staf/uit"' in web.get("/staf/techniek").text
    post(web, "/staf/punt", state="EXERCISE", do="set")
    for path in ("/staf/techniek", "/staf/techniek/gereed"):
        shown = web.get(path)  # a page that says that something went wrong would say so too
        assert (shown.status_code, "OEFENING. Dit is niet echt." in words(shown)) == (200, True), path
    # Ready for a crisis? The key holder is confirmed by a person, and only the moment is kept.
    unready = words(web.get("/staf/techniek/gereed"))
    assert "Niet gereed: " in unready
    assert "! Let op Sleutelhouder niemand heeft bevestigd dat de sleutelhouder bereikbaar is" in unready
    assert post(site.screen(), "/staf/techniek/sleutelhouder").status_code == 403
    assert post(web, "/staf/techniek/sleutelhouder").headers["Location"] == "/staf/techniek/gereed"
    wait_until(lambda: site.ask("status")["readiness"]["key_holder_s"] is not None, 40, "the loop has kept it")
    assert "✓ Goed Sleutelhouder bevestigd minder dan een minuut geleden" in words(web.get("/staf/techniek/gereed"))
