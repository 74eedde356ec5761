"""Back, refresh, a second tab: a form that was sent makes no second request, and leads to the first."""

import re

from flask.testing import FlaskClient

from tests.fakes.fake_node import FakeNode
from tests.fakes.ui_citizen import TICKET, form_of, hidden, post, words


def tiles(web: FlaskClient) -> list[str]:
    return [
        found.replace("&amp;", "&") for found in re.findall(r'class="tile" href="([^"]+)"', web.get("/nl/hulp").text)
    ]


def test_every_tile_has_a_form_of_its_own(web: FlaskClient) -> None:
    found = tiles(web)
    assert len({tile.partition("?f=")[2] for tile in found} - {""}) == 6


def test_who_goes_back_to_a_form_that_was_sent_finds_the_request(web: FlaskClient, node: FakeNode) -> None:
    address = tiles(web)[0]
    token = hidden(web.get(address), "token")
    form = web.get(address)  # a refresh
    assert hidden(form, "token") == token
    assert post(web, "/nl/hulp/medisch", token=hidden(form, "token"), do="no").headers["Location"] == TICKET
    back = web.get(address)
    assert "U heeft dit al gevraagd. Het heeft nummer 47-1. Er is geen tweede vraag." in words(back)
    assert f'href="{TICKET}"' in back.text
    assert f'href="{TICKET}/meer"' in back.text
    assert 'href="/nl/hulp"' in back.text
    assert "<form method=" not in back.text.replace('<form method="dialog"', "")
    assert len(node.kept) == 1


def test_two_tabs_of_one_form_make_one_request(web: FlaskClient, node: FakeNode) -> None:
    address = tiles(web)[1]
    tabs = [web.get(address), web.get(address)]
    sent = [post(web, "/nl/hulp/brand", token=hidden(tab, "token"), do="no") for tab in tabs]
    assert [reply.headers["Location"] for reply in sent] == [TICKET, TICKET]
    assert len(node.kept) == 1


def test_another_kind_is_another_request(web: FlaskClient, node: FakeNode) -> None:
    for address in tiles(web)[:2]:
        post(web, address.partition("?")[0], token=hidden(web.get(address), "token"), do="no")
    assert len(node.kept) == 2


def test_what_was_added_after_it_was_sent_is_not_said_to_be_kept(web: FlaskClient, node: FakeNode) -> None:
    token = hidden(web.get(tiles(web)[0]), "token")
    post(web, "/nl/hulp/medisch", token=token, do="no")
    late = post(web, "/nl/hulp/medisch", token=token, do="no", text="op de derde verdieping")
    assert late.headers["Location"] == f"{TICKET}?al=1"
    shown = words(web.get(late.headers["Location"]))
    assert "Dit apparaat had uw vraag al bewaard. Het blijft één vraag." in shown
    assert "Dat is niet bewaard." in shown
    assert "al bewaard" not in words(web.get(TICKET))
    assert [kept["text"] for kept in node.kept.values()] == [""]


def test_asking_again_after_a_lost_reply_is_no_change(web: FlaskClient, node: FakeNode) -> None:
    token = hidden(web.get(tiles(web)[0]), "token")
    fields = {"token": token, "do": "yes", "text": "zij valt weg"}
    node.refuse = {"error": "not_known_yet", "message": "slow"}
    page = post(web, "/nl/hulp/medisch", **fields)
    node.refuse = None
    post(web, "/nl/hulp/medisch", **fields)
    assert post(web, "/nl/hulp/medisch", **form_of(page)).headers["Location"] == f"{TICKET}/nu"


def test_a_form_of_long_ago_in_the_address_becomes_a_fresh_one(web: FlaskClient) -> None:
    assert hidden(web.get("/nl/hulp/brand?f=oud"), "token").startswith("form-")
    assert hidden(web.get("/nl/hulp/brand?f=<b>"), "token").startswith("form-")


def test_with_the_node_away_a_form_still_keeps_what_is_typed(web: FlaskClient, node: FakeNode) -> None:
    address = tiles(web)[0]
    node.close()
    page = web.get(address)
    assert (page.status_code, hidden(page, "token")) == (200, address.partition("?f=")[2])
    kept = post(web, "/nl/hulp/medisch", token="", do="check", text="zij valt weg")
    assert form_of(kept)["text"] == "zij valt weg"
