"""A technician's test at the desk: apart from the cases, whatever is real among what bears its mark is not."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from steunpunt.control import Client
from steunpunt.facts import Facts, Mark
from steunpunt.ledger.desk import Case
from steunpunt.model import Lane
from steunpunt.values import replace
from steunpunt_ui.app import create_app
from steunpunt_ui.desk.cases import is_test
from steunpunt_ui.desk.passwords import set_password
from tests.fakes.memory_desk import CASE, MemoryDesk
from tests.fakes.ui_sites import NAME, PASSWORD, coordinator_config

TEST = replace(CASE, id=2, number="48-7", facts=Facts(mark=Mark.TEST))


def test_a_test_is_apart_from_the_cases(tmp_path: Path) -> None:
    set_password(tmp_path / "desk.passwords", NAME, PASSWORD)
    desk = MemoryDesk(replace(CASE, id=1, number="47-1", text="dekens"), TEST)
    config = coordinator_config(tmp_path / "no-node.sock", tmp_path / "desk.passwords")
    web: FlaskClient = create_app(config, Client(tmp_path / "no-node.sock"), desk).test_client()
    web.post("/desk/login", data={"name": NAME, "password": PASSWORD}, headers={"Origin": "http://localhost"})
    page = web.get("/desk/stand").text
    cases, _, tests = page.partition('<details id="tests">')
    assert ("47-1" in cases, "48-7" in cases) == (True, False)
    assert ("48-7" in tests, "Tests van technici en van de steunpunten zelf (1)" in page.replace("\n", "")) == (
        True,
        True,
    )


@pytest.mark.parametrize(
    ("case", "apart"),
    [
        (TEST, True),
        (CASE, False),
        (replace(TEST, facts=Facts(mark=Mark.EXERCISE)), False),
        (replace(TEST, lane=Lane.LIFE_THREAT, life_threat=True), False),
        (replace(TEST, text="help"), False),
        (replace(TEST, unread_supplements=1), False),
    ],
)
def test_only_a_plain_test_is_put_apart(case: Case, apart: bool) -> None:  # noqa: FBT001  the example
    assert is_test(case) is apart
