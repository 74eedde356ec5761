"""What breaks at a site: said in one line with its mend, survived where it can be, and never a stack trace."""

import errno
import os
import random
import socket
import sqlite3
import subprocess
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from steunpunt.config import load
from steunpunt.control import Refused
from steunpunt.demo.region import COORDINATOR, Region, mosquitto_path
from steunpunt.ledger.clock import LedgerClock, boot_name, boot_time_ms
from steunpunt.ledger.desk import Desk
from steunpunt.ledger.store import Ledger
from steunpunt.protocol import forms
from tests.fakes.lone_site import LoneSite, Reply, one_line_of, page, run
from tests.fakes.sites import new_ledger

pytestmark = pytest.mark.processes
ROOT = os.geteuid() == 0
# Root may write everywhere; without its capabilities it is a user like any other.
AS_ANY_USER = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if ROOT else []
ASK = "/nl/hulp/medisch"
CANNOT_KEEP = "Dit apparaat kan uw vraag nu niet bewaren."
CANNOT_KEEP_ANY = "Dit apparaat kan nu geen vragen bewaren."
CAN_SEND_NOTHING = "Dit steunpunt kan nu niets versturen."
TOO_OLD = "Deze pagina stond te lang open."
RUNNING_S = 3 * 3600
DISK_BYTES = 4 * 1024 * 1024
FreePort = Callable[[], int]
Wait = Callable[..., None]


@pytest.fixture
def site(tmp_path: Path, free_port: FreePort, wait_until: Wait) -> Iterator[LoneSite]:
    made = LoneSite(tmp_path / "site", free_port, wait_until)
    made.make()
    yield made
    made.stop()


# --- what keeps a process from starting


def stop_at(site: LoneSite, *, part: str = "node", prefix: list[str] | None = None) -> str:
    """Start a process that cannot; returns its one line."""
    return one_line_of(run(part, site.config, prefix=prefix or []))


@pytest.mark.parametrize("part", ["node", "web"])
def test_a_config_that_cannot_be_used(site: LoneSite, part: str) -> None:
    good = site.config.read_text("utf-8")
    site.config.write_text(good.replace("[web]\nport", "[web]\nprot"), "utf-8")
    assert "unknown key `web.prot`; known here: host, port" in stop_at(site, part=part)
    site.config.write_bytes(b"\xff\xfe nonsense")
    assert "not UTF-8 text" in stop_at(site, part=part)
    site.config.write_text(good, "utf-8")
    site.config.chmod(0)
    line = stop_at(site, part=part, prefix=["setpriv", "--reuid=65534", "--clear-groups"] if ROOT else [])
    assert "give the path of a readable TOML file" in line


def test_keys_that_cannot_be_used(site: LoneSite) -> None:
    keys = site.folder / "site.keys"
    keys.chmod(0o644)
    assert f"chmod 600 {keys}" in stop_at(site)
    keys.chmod(0o600)
    site.write(site_id=48)
    assert "use this site's own keys" in stop_at(site)
    site.write()
    keys.unlink()
    line = stop_at(site)
    assert str(keys) in line
    assert "steunpunt keys" in line


def test_a_taken_web_port(site: LoneSite) -> None:
    with socket.create_server(("127.0.0.1", site.web_port)):
        line = stop_at(site, part="web")
    assert f"port {site.web_port}" in line
    assert "change web.host, web.port or web.hotspot_address" in line


def test_a_second_node_leaves_the_first_alone(site: LoneSite) -> None:
    site.start("node")
    assert "a node of this site is running already; stop it first" in stop_at(site)
    assert site.node_answers()


def test_a_ledger_folder_that_is_not_ours(site: LoneSite) -> None:
    site.ledger.parent.mkdir(mode=0o500)
    line = stop_at(site, prefix=AS_ANY_USER)
    assert str(site.ledger) in line
    assert "this user may write there" in line
    site.ledger.parent.rmdir()
    site.ledger.parent.write_text("a file where a folder should be")
    assert f"{site.ledger.parent}: " in stop_at(site)


def test_a_ledger_folder_that_is_missing_is_made(site: LoneSite) -> None:
    assert not site.ledger.parent.exists()
    site.start("node")
    assert site.ledger.exists()


@pytest.mark.parametrize("damage", ["all", "head", "tables"])
def test_a_damaged_ledger(site: LoneSite, damage: str) -> None:
    seed = random.SystemRandom().randrange(2**32)
    garbage = random.Random(seed).randbytes
    new_ledger(site.ledger)
    content = bytearray(site.ledger.read_bytes())
    first, last = {"all": (0, len(content)), "head": (0, 4096), "tables": (4096, len(content))}[damage]
    content[first:last] = garbage(last - first)
    site.ledger.write_bytes(content)
    line = stop_at(site)
    assert str(site.ledger) in line, f"seed {seed}"
    assert "put back a copy, or move it away" in line, f"seed {seed}"


def test_a_ledger_from_newer_software(site: LoneSite) -> None:
    new_ledger(site.ledger)
    with sqlite3.connect(site.ledger) as ledger:
        ledger.execute("UPDATE alembic_version SET version_num = '9999'")
    ledger.close()
    assert "newer software" in stop_at(site)


def test_a_log_that_damage_cut_short_is_told_of_and_the_point_goes_on(site: LoneSite) -> None:
    def ask_for_help() -> str:
        return str(site.ask("submit", token=site.ask("form_token")["token"], category="SUPPLIES", text="x")["number"])

    site.start("node")
    numbers = [ask_for_help() for _ in range(5)]
    site.processes["node"].kill()
    site.processes["node"].wait()
    log = site.ledger.with_name("ledger.db-wal")
    content = bytearray(log.read_bytes())
    content[len(content) // 2] ^= 4
    log.write_bytes(content)
    site.start("node")
    shown = run("status", site.config)
    assert shown.returncode == 1
    assert f"DOWN ledger: was damaged, requests may be missing; keep {site.ledger}-wal.damaged" in shown.stdout
    with pytest.raises(Refused):
        site.ask("ticket", number=numbers[-1])
    assert ask_for_help()


# --- what a point does without


def test_without_radio_and_broker_it_accepts_and_recovers(site: LoneSite, wait_until: Wait) -> None:
    site.start("node", "web")
    assert submit(site.web_port, "Zonder radio").status == 303
    shown = run("status", site.config)
    assert (shown.returncode, shown.stderr) == (1, "")
    assert f"DOWN mesh: no radio answers at 127.0.0.1:{site.radio_port}" in shown.stdout
    assert "DOWN broker: broker.password_file" in shown.stdout
    assert "queue: 1 without receipt" in shown.stdout
    assert CAN_SEND_NOTHING in site.get("/nl/").words

    made = run("broker-config", site.config, "--out", site.folder / "mosquitto", "--run-as", "root")
    assert made.returncode == 0, made.stderr
    password = site.folder / "broker.password"
    right = password.read_text("utf-8")
    password.write_text("not this one\n", "utf-8")
    site.spawn("broker", [mosquitto_path(), "-c", str(site.folder / "mosquitto" / "mosquitto.conf")])
    refused = "refuses the password of user steunpunt; compare broker.password_file"
    wait_until(lambda: refused in reason(site, "broker"), 20, "the node says that the password is wrong")
    assert submit(site.web_port, "Met een verkeerd wachtwoord").status == 303
    password.write_text(right, "utf-8")
    wait_until(lambda: is_up(site, "broker"), 20, "the broker takes the mended password")

    site.switch_radio_on()
    wait_until(lambda: is_up(site, "mesh"), 20, "the node finds the radio")
    assert run("status", site.config).returncode == 0
    assert CAN_SEND_NOTHING not in site.get("/nl/").words


def reason(site: LoneSite, link: str) -> str:
    return str(site.ask("status")["links"][link]["reason"])


def is_up(site: LoneSite, link: str) -> bool:
    return bool(site.ask("status")["links"][link]["up"])


# --- forms


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, free_port: FreePort, wait_until: Wait) -> Iterator[LoneSite]:
    """A kiosk that has been running for some hours; its radio and broker are away."""
    made = LoneSite(tmp_path_factory.mktemp("running"), free_port, wait_until)
    made.make()
    new_ledger(made.ledger)
    ledger = Ledger(made.ledger).open()
    with ledger.transaction() as connection:
        ledger.touch(connection)  # or the commit writes its own
        later = LedgerClock(boot_name(), RUNNING_S * 1000 - boot_time_ms(), 0).record()
        ledger.set_meta(connection, "clock", later)
    ledger.close()
    try:
        made.start("node", "web")
        yield made
    finally:
        made.stop()


def submit(port: int, words: str, token: str | None = None) -> Reply:
    """Ask for help; with a fresh form unless a token is given."""
    token = page(port, ASK).hidden("token") if token is None else token
    return page(port, ASK, {"token": token, "text": words, "do": "no"})


def queue(site: LoneSite) -> int:
    return int(site.ask("status")["queue"])


def clear(reply: Reply, status: int, says: str, typed: str = "") -> None:
    """Check a page that refuses: in plain words, with what was typed, and nothing of our insides."""
    assert (reply.status, reply.location) == (status, ""), reply.words
    assert says in reply.words
    assert typed in reply.words
    for inside in ("Traceback", "Error", "File ", "steunpunt."):
        assert inside not in reply.text


def test_the_same_form_again_is_the_same_ticket(running: LoneSite) -> None:
    before = queue(running)
    token = running.get(ASK).hidden("token")
    replies = [submit(running.web_port, words, token) for words in ("Eén keer", "Eén keer", "Iets anders")]
    (address,) = {reply.location.partition("?")[0] for reply in replies}  # ?al=1: says that it was sent before
    assert {reply.status for reply in replies} == {303}
    assert "Nog niet verstuurd." in running.get(address).words
    assert queue(running) == before + 1


def test_a_forged_token_keeps_what_was_typed_and_then_sends_it(running: LoneSite) -> None:
    before = queue(running)
    good = running.get(ASK).hidden("token")
    forged = [
        good[:-1] + ("A" if good[-1] != "A" else "B"),
        forms.issue(bytes(32), RUNNING_S, bytes(16)),
        "",
        "x" * 999,
    ]
    replies = [submit(running.web_port, "Mijn buurman ademt slecht", token) for token in forged]
    for reply in replies:
        clear(reply, 400, TOO_OLD, "Mijn buurman ademt slecht")
    assert queue(running) == before
    reply = replies[0]
    again = {name: reply.hidden(name) for name in ("token", "text", "do")}
    assert running.post(ASK, **again).status == 303
    assert queue(running) == before + 1


def test_an_expired_token_keeps_what_was_typed(running: LoneSite) -> None:
    ledger = Ledger(running.ledger, readonly=True).open()
    key = ledger.get_meta(ledger.connection, "form_key")
    ledger.close()
    assert key is not None
    before = queue(running)
    oldest = RUNNING_S - forms.FORM_AGE_S_MAX
    expired = forms.issue(key, oldest - 60, os.urandom(forms.RANDOM_BYTES))
    clear(submit(running.web_port, "Al uren open", expired), 400, TOO_OLD, "Al uren open")
    assert queue(running) == before
    # The same but for its age: it is the age that counts.
    young = forms.issue(key, RUNNING_S, os.urandom(forms.RANDOM_BYTES))
    assert submit(running.web_port, "Net geopend", young).status == 303


@pytest.mark.parametrize("letter", ["a", "é", "م", "😀"])
def test_too_long_a_text_stays_on_the_page(running: LoneSite, letter: str) -> None:
    before = queue(running)
    typed = letter * 2_003
    reply = submit(running.web_port, typed)
    clear(reply, 400, "tekens te lang. Wat u typte staat hieronder.", typed)
    fits = submit(running.web_port, typed[:-3], reply.hidden("token"))
    assert fits.status == 303
    assert queue(running) == before + 1


def test_the_node_itself_refuses_too_long_a_text(running: LoneSite) -> None:
    token = running.ask("form_token")["token"]
    with pytest.raises(Refused) as refused:
        running.ask("submit", token=token, category="MEDICAL", text="x" * 2_001)
    assert (refused.value.code, refused.value.body["characters_over"]) == ("text_too_long", 1)


def test_control_characters_are_taken_out(running: LoneSite) -> None:
    typed = "Rook\x00 in\x1b[31m de \x07flat\u202e\x7f\u0085 nu\udcff"
    token = running.get(ASK).hidden("token")
    checked = page(running.web_port, ASK, {"token": token, "text": typed, "do": "check"})
    assert checked.status == 200
    kept = checked.hidden("text")
    assert kept.startswith("Rook")
    assert [unicodedata.name(c, hex(ord(c))) for c in kept if unicodedata.category(c) in {"Cc", "Cs"}] == []
    assert submit(running.web_port, typed, token).status == 303


@pytest.mark.parametrize(
    ("fields", "status", "says"),
    [
        ({"do": "no"}, 400, TOO_OLD),
        ({"do": "no", "token": "", "people": "veel"}, 400, "vul een getal in van 0 tot"),
        ({"do": "no", "token": "", "people": "-1"}, 400, "vul een getal in van 0 tot"),
        ({"do": "no", "token": "", "callback": "x" * 60}, 400, "te lang"),
        ({"text": "geen knop"}, 200, "Controleer wat u verstuurt"),
        ({"do": "no", "text": "x" * 200_000}, 413, "te veel"),
    ],
)
def test_missing_and_odd_fields(running: LoneSite, fields: dict[str, str], status: int, says: str) -> None:
    before = queue(running)
    clear(page(running.web_port, ASK, fields), status, says)
    assert queue(running) == before


@pytest.mark.parametrize(
    "path",
    [
        "/nl/hulp/nergens",
        "/nl/t/47-999999",
        "/nl/t/nee",
        "/nl/t/47-1/AAAA-AAAA",
        "/xx/",
        "/nl/t/%00%ff",
        "/desk/",
        "/nl/" + "a" * 5000,
    ],
)
def test_odd_addresses(running: LoneSite, path: str) -> None:
    reply = running.get(path)
    assert reply.status == 404
    clear(reply, 404, "")


def test_nothing_of_this_is_in_the_log(running: LoneSite) -> None:
    assert submit(running.web_port, "Kanarie in de mijn").status == 303
    submit(running.web_port, "Kanarie met vals formulier", "x")
    for name in ("node", "web"):
        assert "Kanarie" not in running.log(name)
        assert "Traceback" not in running.log(name)


# --- a full disk


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system of its own, so small that a test can fill it."""
    folder = tmp_path / "region" / "kiosk-a"
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=0700", "tmpfs", str(folder)]
    if not ROOT:
        pytest.skip("only root can mount a small disk to fill; run this test as root")
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)  # noqa: S607  where root's PATH has it


@pytest.fixture
def region(small_disk: Path) -> Iterator[Region]:
    made = Region(small_disk.parent, speed=20, cancel_s=0)
    try:
        made.prepare()
        made.start_radios()
        for name in (COORDINATOR, "kiosk-a"):
            made.power_on(name)
        yield made
    finally:
        made.stop()


def fill(folder: Path) -> None:
    """Write until nothing fits any more, also not the rest of a block."""
    filler = os.open(folder / "filler", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        while os.write(filler, bytes(512)):
            pass
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
    finally:
        os.close(filler)


def test_a_full_disk_refuses_visibly_and_recovers(region: Region, small_disk: Path, wait_until: Wait) -> None:
    kiosk, port = region.sites["kiosk-a"], region.sites["kiosk-a"].web_port
    region.cut_internet("kiosk-a")
    region.radio("unplug", "kiosk-a")
    wait_until(lambda: not kiosk.ask("status")["links"]["mesh"]["up"], 20, "the radio is gone")
    first = submit(port, "Van voor de schijf vol was")
    assert first.status == 303
    process = kiosk.processes["node"]

    fill(small_disk)
    token = page(port, ASK).hidden("token")
    refused = submit(port, "Op een volle schijf", token)
    clear(refused, 503, CANNOT_KEEP, "Op een volle schijf")
    assert "Niemand heeft uw vraag." in refused.words
    assert CANNOT_KEEP_ANY in page(port, "/nl/").words
    shown = run("status", kiosk.config)
    assert (shown.returncode, "DOWN ledger: cannot keep anything" in shown.stdout) == (1, True)
    assert "Nog niet verstuurd." in page(port, first.location).words
    clear(submit(port, "Nog eens", token), 503, CANNOT_KEEP, "Nog eens")

    region.radio("plug", "kiosk-a")
    (small_disk / "filler").unlink()
    wait_until(lambda: kiosk.ask("status")["can_keep"], 20, "it keeps again")
    again = submit(port, "Op een volle schijf", token)
    assert again.status == 303
    assert CANNOT_KEEP_ANY not in page(port, "/nl/").words
    assert (process.poll(), process) == (None, kiosk.processes["node"])
    wait_until(lambda: kiosk.ask("status")["queue"] == 0, 60, "all tickets have their receipts")
    for address in (first.location, again.location):
        assert "Aangekomen, nog niet gelezen." in page(port, address).words
    cases = Desk.open(load(region.sites[COORDINATOR].config)).cases()
    assert sorted(case.text for case in cases) == ["Op een volle schijf", "Van voor de schijf vol was"]
