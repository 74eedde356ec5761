"""What a diagnosis may hold: nothing of the config but choices and numbers, and no word of it anywhere else."""

from pathlib import Path

import msgspec
import pytest

from steunpunt.config import load
from steunpunt.doctor.redaction import LEFT_OUT, LISTED, Sieve, redacted, sieve_of
from tests.fakes.full_config import FULL


@pytest.fixture(name="path", scope="module")
def fixture_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("site") / "site.toml"
    path.write_text(FULL, "utf-8")
    return path


def texts(value: object, key: str = "") -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [found for name, inner in value.items() for found in texts(inner, name)]
    if isinstance(value, list | tuple):
        return [found for inner in value for found in texts(inner, key)]
    return [(key, value)] if isinstance(value, str) else []


def test_of_the_words_in_the_config_only_choices_stay(path: Path) -> None:
    found = texts(redacted(load(path)))
    assert {key for key, text in found if text != LEFT_OUT} <= LISTED
    assert len([key for key, text in found if text == LEFT_OUT]) > 20


def test_where_the_site_is_stays_out_and_its_numbers_stay_in(path: Path) -> None:
    body = redacted(load(path))
    assert set(body["radio"]["position"].values()) == {LEFT_OUT}
    assert (body["site"]["id"], body["broker"]["port"], body["power"]["low_percent"]) == (1, 1883, 30)


def test_the_sieve_takes_every_word_of_the_config_out_of_a_text(path: Path) -> None:
    config = load(path)
    sieve = sieve_of(config, path)
    kept = {"steunpunt", "127.0.0.1", "main"}
    words = {text for key, text in texts(msgspec.to_builtins(config)) if key not in LISTED and len(text) > 3} - kept
    assert len(words) > 20
    seen = sieve.text("\n".join(f"reason='{word}'" for word in sorted(words)))
    assert [word for word in words if f"'{word}'" in seen] == []


def test_a_password_on_a_command_line_is_taken_out_wherever_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_text(FULL, "utf-8")
    config = load(path)
    assert config.power is not None
    power = msgspec.structs.replace(config.power, cut_command='upscmd -p "zeer geheim" ups shutdown.return')
    sieve = sieve_of(msgspec.structs.replace(config, power=power), path)
    assert "geheim" not in sieve.text("upscmd: access denied for geheim\nran -p zeer geheim")


@pytest.mark.parametrize(
    "secret",
    [
        "q83vEjRWeJq83vEjRWeJq83vEjRWeJq83vEjRWeJ0=",
        "5d1f03a25d1f03a25d1f",
        "7KQ4-M2XD",
        "0612345678",
        "+31 6 1234 5678",
        "jan@example.org",
    ],
)
def test_what_looks_like_a_key_a_code_or_a_number_is_taken_out(secret: str) -> None:
    assert secret not in Sieve([]).text(f"reason={secret} next")


@pytest.mark.parametrize(
    "line",
    [
        "# HELP steunpunt_last_receipt_age_seconds Age of the last receipt.",
        "INFO steunpunt.engine.kiosk action=accept ticket=47-12 repeated=False",
        "mesh: radio at 127.0.0.1:4403, firmware 2.7.26, !a1b2c3d4",
    ],
)
def test_what_tells_nothing_of_anybody_stays(line: str) -> None:
    assert Sieve(["help", "Buurthuis"]).text(line) == line


def test_every_text_of_a_body_goes_through() -> None:
    assert Sieve(["Buurthuis"]).body({"Buurthuis": ["in het Buurthuis", 3, None]}) == {
        LEFT_OUT: [f"in het {LEFT_OUT}", 3, None]
    }
