"""Orders and exercises at the desk: what holds where, what a mistyped number costs, and that nobody forgets a drill."""

from pathlib import Path

import pytest

from steunpunt.facts import Mark
from steunpunt.model import PointState
from steunpunt.protocol.heartbeat import Heartbeat
from tests.fakes.ui_citizen import words
from tests.integration.test_ui_announcements import NEW, DeskSite, form_of, say

ORDER = f"{NEW}?soort=opdracht"
PAGES = ("/desk/", "/desk/stand", "/desk/berichten", NEW, ORDER, "/desk/punten", "/desk/punten/stand", "/desk/aanbod",
         "/desk/papier", "/desk/techniek")  # fmt: skip


@pytest.fixture(name="site")
def fixture_site(tmp_path: Path, passwords: Path) -> DeskSite:
    return DeskSite(tmp_path, passwords)


def order(site: DeskSite, state: PointState, sites: str = "") -> None:
    """Give an order, and let the node sign it."""
    look = site.post(site.web.get(ORDER), "look", purpose="opdracht", state=state.name, sites=sites)
    assert site.post(look, "send").status_code == 303
    site.node.turn()


# --- a number that was mistyped -----------------------------------------------------------------------------------


def test_an_order_for_a_point_that_nobody_knows_warns_before_it_goes(site: DeskSite) -> None:
    look = site.post(site.web.get(ORDER), "look", state="CLOSED", sites="47 4711")
    assert "Klopt het nummer? Steunpunt 4711. Dit nummer staat niet in de lijst" in words(look)
    assert "Toch versturen" in look.text
    assert site.said() == []
    assert site.post(look, "send").status_code == 303
    assert site.said()[0].announcement.sites == (47, 4711), "a point may be new: the person decides"


def test_points_that_are_listed_or_were_heard_warn_of_nothing(site: DeskSite) -> None:
    site.beats(52, Heartbeat(version=(1, 0, 0)))
    for fields in ({"sites": "47 52"}, {"sites": ""}):
        look = site.post(site.web.get(ORDER), "look", state="OPEN", **fields)
        assert "Klopt het nummer" not in look.text
        assert "Verstuur naar de steunpunten" in look.text


# --- what holds where ---------------------------------------------------------------------------------------------


def test_an_older_order_for_all_says_where_a_later_one_holds(site: DeskSite) -> None:
    order(site, PointState.OPEN)
    assert "Geldt nu ·" in words(site.web.get("/desk/berichten"))
    order(site, PointState.CLOSED, "47")
    told = words(site.web.get("/desk/berichten"))
    assert "Geldt nu, maar niet overal" in told
    assert "Voor alle steunpunten. Maar niet bij: Huis 47 (47). Daar geldt een latere opdracht." in told
    order(site, PointState.OPEN, "47")
    told = words(site.web.get("/desk/berichten"))
    assert told.count("Geldt nu") == 2, told
    assert "Vervangen of ingetrokken" in told


def test_an_order_that_later_ones_replace_bit_by_bit_holds_no_more(site: DeskSite) -> None:
    order(site, PointState.EXERCISE, "47 48")
    order(site, PointState.OPEN, "47")
    assert "Maar niet bij: Huis 47 (47)." in words(site.web.get("/desk/berichten"))
    order(site, PointState.CLOSED, "48")
    told = words(site.web.get("/desk/berichten"))
    assert "maar niet overal" not in told
    assert told.count("Geldt nu") == 2
    assert told.count("Vervangen of ingetrokken") == 1
    assert "OEFENING" not in told


# --- an exercise --------------------------------------------------------------------------------------------------


def test_every_page_says_that_an_exercise_runs_and_where(site: DeskSite) -> None:
    assert not any("OEFENING" in words(site.web.get(page)) for page in PAGES)
    order(site, PointState.EXERCISE, "48")
    for page in PAGES:
        told = words(site.web.get(page))
        assert "OEFENING Er is een oefening bij: Huis 48 (48)." in told, page
        assert "Een melding zonder het woord OEFENING is echt." in told, page
    order(site, PointState.EXERCISE)
    assert "Er is een oefening bij alle steunpunten." in words(site.web.get("/desk/"))
    order(site, PointState.OPEN, "47")
    told = words(site.web.get("/desk/"))
    assert "Er is een oefening bij alle steunpunten, maar niet bij: Huis 47 (47)." in told
    order(site, PointState.OPEN)
    assert "oefening bij" not in words(site.web.get("/desk/"))


def test_a_point_that_exercises_by_its_own_staff_counts_too(site: DeskSite) -> None:
    site.beats(47, Heartbeat(version=(1, 0, 0), state=PointState.EXERCISE))
    assert "Er is een oefening bij: Huis 47 (47)." in words(site.web.get("/desk/stand"))
    site.web.delete_cookie("desk", path="/desk")
    assert "oefening" not in words(site.web.get("/desk/login")), "not before somebody logs in"


def test_during_an_exercise_an_announcement_is_part_of_it_unless_the_tick_is_taken_away(site: DeskSite) -> None:
    assert "exercise" not in form_of(site.web.get(NEW).text)
    order(site, PointState.EXERCISE)
    page = site.web.get(NEW)
    assert form_of(page.text)["exercise"] == "1"
    assert "Is dit echt? Haal dan het vinkje weg." in words(page)
    say(site, headline="Gaslek in de oefening")
    assert site.said()[0].announcement.mark is Mark.EXERCISE

    look = site.post(page, "look", headline="Echte brand", exercise="")
    assert "DIT IS ECHT. Er is een oefening, en dit bericht hoort daar niet bij." in words(look)
    assert form_of(site.post(look, "edit").text).get("exercise", "") == "", "going back does not tick it again"
    site.post(look, "send")
    assert site.said()[0].announcement.mark is Mark.NONE


def test_marked_as_exercise_for_a_point_where_none_runs_is_said(site: DeskSite) -> None:
    order(site, PointState.EXERCISE, "47")
    for sites, warned in (("47", False), ("47 48", True), ("", True)):
        look = site.post(site.web.get(NEW), "look", headline="Gaslek", sites=sites)
        assert ("Geen oefening bij: Huis 48 (48)." in words(look)) is warned
    look = site.post(site.web.get(ORDER), "look", state="OPEN")
    assert "Geen oefening" not in look.text
    assert "DIT IS ECHT" not in look.text
