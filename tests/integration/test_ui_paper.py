"""Paper as a road: from the ticket's page at a kiosk to a case at the desk, with nothing but people between them."""

import html
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

from steunpunt.protocol import paper
from steunpunt_ui.desk import photo
from tests.fakes.paper_sites import HOME, PaperSites, desk_web, paper_sites, picture
from tests.fakes.sites import noise
from tests.fakes.ui_citizen import words

WORDS = "Mijn vader ademt slecht, <b>wij</b> zitten op de zolder."
LONG = noise(300)
"""Takes several codes."""


@pytest.fixture(name="sites")
def fixture_sites(tmp_path: Path) -> Iterator[PaperSites]:
    with paper_sites(tmp_path) as sites:
        yield sites


@pytest.fixture(name="web")
def fixture_web(sites: PaperSites) -> Iterator[FlaskClient]:
    with desk_web(sites) as web:
        yield web


def read_in(web: FlaskClient, codes: str = "", *photos: bytes) -> TestResponse:
    form = re.search(r'name="token" value="([^"]+)"', web.get("/desk/papier").text.split("enctype")[1])
    assert form
    files = [FileStorage(io.BytesIO(content), f"foto{number}.png") for number, content in enumerate(photos)]
    fields = {"token": form[1], "codes": codes, "photo": files or [FileStorage(io.BytesIO(), "")]}
    boundary, body = encode_multipart(fields)  # in memory, as a browser does
    kind = f"multipart/form-data; boundary={boundary}"
    return web.post("/desk/papier", data=body, headers={"Origin": HOME}, content_type=kind)


def field(page: TestResponse) -> str:
    return html.unescape(page.text.split("<textarea")[1].split(">", 1)[1].split("</textarea>")[0])


# --- the ticket -----------------------------------------------------------------------------------------------------


def typed_groups(page: str) -> list[str]:
    return re.findall(r'<p dir="ltr">([^<]+)</p>', page)


def test_the_tickets_page_shows_the_codes_and_what_is_typed_below_them(sites: PaperSites) -> None:
    number, secret = sites.request(LONG)
    page = sites.ticket_page(number, secret)
    codes = str(sites.ask("ticket", number=number, secret=secret)["code"]).split()
    assert len(codes) > 1
    assert [f"Code {place}/{len(codes)}" in page for place in range(1, len(codes) + 1)] == [True] * len(codes)
    groups = typed_groups(page)
    assert [paper.read(text).damaged for text in groups] == [[]] * len(codes)
    (message,) = paper.read("\n\n".join(groups)).messages
    assert paper.read("\n".join(codes)).messages[0].packets[0][4:] == message.packets[0][4:]


def test_without_the_secret_half_there_is_no_code(sites: PaperSites) -> None:
    number, _ = sites.request(WORDS)
    assert "code" not in sites.ask("ticket", number=number)


# --- the desk -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [WORDS, LONG])
def test_scanned_codes_become_a_case_with_the_same_words(sites: PaperSites, web: FlaskClient, text: str) -> None:
    told = read_in(web, "\r\n".join(reversed(sites.codes(text))))
    assert told.status_code == 200
    assert "47-1 is nu hier." in words(told)
    assert field(told).strip() == ""
    (case,) = sites.desk().cases()
    assert (case.text, case.number, case.links) == (text, "47-1", ("paper",))
    shown = words(web.get(f"/desk/melding/{case.id}"))
    assert "Kwam op papier binnen" in shown


def test_the_same_codes_again_make_no_second_case(sites: PaperSites, web: FlaskClient) -> None:
    codes = "\n".join(sites.codes(WORDS))
    read_in(web, codes)
    assert "was hier al; er is niets dubbel toegevoegd." in words(read_in(web, codes))
    assert len(sites.desk().cases()) == 1


def test_what_is_missing_is_told_and_the_field_keeps_the_rest(sites: PaperSites, web: FlaskClient) -> None:
    codes = sites.codes(LONG)
    del codes[1]
    told = read_in(web, "\n".join(codes))
    assert told.status_code == 409
    assert f"Code 2 van {len(codes) + 1} ontbreekt nog. Scan die ook." in words(told)
    assert field(told).split() == codes
    assert sites.desk().cases() == []


def test_typed_groups_become_a_case_and_a_wrong_letter_is_pointed_at(sites: PaperSites, web: FlaskClient) -> None:
    number, secret = sites.request(WORDS)
    (typed,) = typed_groups(sites.ticket_page(number, secret))
    wrong = typed.split()
    wrong[3] = wrong[3][:-1] + ("X" if wrong[3][-1] != "X" else "Y")
    assert "Getypte groep 4 klopt niet." in words(read_in(web, " ".join(wrong)))
    assert "is nu hier." in words(read_in(web, typed.lower()))
    assert [case.text for case in sites.desk().cases()] == [WORDS]


@pytest.mark.parametrize(
    ("codes", "told"),
    [
        ("", "Er staat geen code in het veld."),
        ("SP1:0123456789ABCDEFGHJKMNPQRSTVWXYZ", "Een code is beschadigd of is geen vraag."),
        ("<script>alert(1)</script>", "klopt niet"),
    ],
)
def test_what_is_no_code_is_said(web: FlaskClient, sites: PaperSites, codes: str, told: str) -> None:
    page = read_in(web, codes)
    assert told in words(page)
    assert "<script>alert" not in page.text
    assert sites.desk().cases() == []


def test_a_code_of_another_region_is_not_kept(sites: PaperSites, web: FlaskClient, tmp_path: Path) -> None:
    with paper_sites(tmp_path / "other") as other:
        codes = other.codes(WORDS)
    assert "Deze vraag komt niet van een steunpunt van deze regio" in words(read_in(web, "\n".join(codes)))
    assert sites.desk().cases() == []


def test_nobody_reads_in_without_logging_in_or_from_another_page(sites: PaperSites, web: FlaskClient) -> None:
    codes = sites.codes(WORDS)[0]
    foreign = web.post("/desk/papier", data={"codes": codes, "token": "x"}, headers={"Origin": HOME})
    assert foreign.status_code == 403
    web.delete_cookie("desk", path="/desk")
    assert web.get("/desk/papier").headers["Location"] == "/desk/login"
    assert sites.desk().cases() == []


def test_a_node_that_is_away_leaves_the_codes_in_the_field(tmp_path: Path) -> None:
    with paper_sites(tmp_path) as sites, desk_web(sites) as web:
        codes = sites.codes(WORDS)
        token = re.search(r'name="token" value="([^"]+)"', web.get("/desk/papier").text.split("enctype")[1])
        sites.stop_center()
        assert token
        told = web.post("/desk/papier", data={"codes": codes[0], "token": token[1]}, headers={"Origin": HOME})
    assert "Deze computer kan de vraag nu niet bewaren." in words(told)
    assert field(told).split() == codes


# --- photos ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [WORDS, LONG])
def test_photos_of_the_codes_become_a_case(sites: PaperSites, web: FlaskClient, text: str) -> None:
    photos = [picture(code) for code in sites.codes(text)]
    told = read_in(web, "", *photos[:4])
    for start in range(4, len(photos), 4):
        told = read_in(web, field(told), *photos[start : start + 4])
    assert "is nu hier." in words(told)
    assert [case.text for case in sites.desk().cases()] == [text]


def test_one_photo_may_show_several_codes_turned_and_grey(sites: PaperSites) -> None:
    codes = sites.codes(LONG)[:2]
    drawn = [Image.open(io.BytesIO(picture(code, 6))).convert("L") for code in codes]
    sheet = Image.new("L", (900, 420), 200)
    for place, one in enumerate(drawn):
        sheet.paste(one.resize((360, 360)).point(lambda light: 60 + light // 2), (40 + 440 * place, 30))
    shot = io.BytesIO()
    sheet.rotate(7, expand=True, fillcolor=180).save(shot, "JPEG", quality=60)
    shot.seek(0)
    assert sorted(photo.codes_in(shot)) == sorted(codes)


def test_a_large_photo_is_read_too(sites: PaperSites, web: FlaskClient) -> None:
    photo = Image.effect_noise((1600, 1200), 40)
    photo.paste(Image.open(io.BytesIO(picture(sites.codes(WORDS)[0], 8))), (500, 300))
    shot = io.BytesIO()
    photo.save(shot, "PNG")
    assert len(shot.getvalue()) > 1_000_000
    assert "is nu hier." in words(read_in(web, "", shot.getvalue()))


@pytest.mark.parametrize("content", [b"", b"not a photo", b"\x89PNG\r\n\x1a\n" + bytes(50), b"<svg/>"])
def test_what_is_no_photo_is_said(web: FlaskClient, content: bytes) -> None:
    assert "Dit bestand is geen foto die wij kunnen lezen." in words(read_in(web, "", content))


def test_a_photo_without_a_code_is_said(web: FlaskClient) -> None:
    blank, other = io.BytesIO(), picture("een adres")
    Image.new("RGB", (200, 200), "white").save(blank, "PNG")
    for content in (blank.getvalue(), other):
        assert "Op de foto is geen code van een vraag te zien." in words(read_in(web, "", content))


def test_a_photo_of_too_many_pixels_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photo, "PIXELS_MAX", 10_000)
    shot = io.BytesIO(picture("SP1:0", 20))
    with pytest.raises(photo.PhotoError, match="pixels"):
        photo.codes_in(shot)


def test_too_much_at_once_is_said(web: FlaskClient) -> None:
    told = read_in(web, "", bytes(photo.FORM_BYTES_MAX))
    assert told.status_code == 413
    assert "Deze foto's zijn te groot." in words(told)
    assert "Alleen de eerste 4 foto's zijn bekeken." in words(read_in(web, "", *[picture("SP1:0")] * 5))
