"""The doctor's findings in Dutch: by code what is so and the mend, with the same values as in English. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

_AGAIN = "wacht een minuut en kijk opnieuw"
_CARD = "is de kaart versleten? Vervang hem"
_DOCTOR = "steunpunt doctor --save maakt een bestand voor de makers"

PARTS = {
    "config": "Config",
    "files": "Bestanden",
    "content": "Informatie",
    "node": "Node",
    "program": "Programma",
    "radio": "Radio",
    "broker": "Eigen broker",
    "bridge": "Internet",
    "power": "Stroom",
    "clock": "Klok",
    "ledger": "Register",
    "disk": "Schijf",
    "panel": "Knoppen",
    "jobs": "Vaste taken",
    "queue": "Wachtrij",
    "airtime": "Zendtijd",
    "signal": "Signaal",
    "traffic": "Verkeer",
    "test": "Test",
    "screens": "Schermen",
    "battery": "Accu onder last",
    "coverage": "Bereik",
    "firmware": "Firmware",
    "keyholder": "Sleutelhouder",
}
STATES = {"low": "de accu raakt leeg", "critical": "de accu is bijna leeg"}
ROADS = {"mesh": "radio", "broker": "internet", "mesh+broker": "radio en internet"}
SOURCES = {"rtc": "eigen klok (RTC)", "ntp": "internet (NTP)", "mesh": "radio", "gps": "GPS", "manual": "met de hand"}

WORDS: dict[str, tuple[str, str]] = {
    "config.good": ("{role} {id}, {name}", ""),
    "config.wrong": ("{reason}", "verbeter het bestand"),
    "files.good": ("sleutels, wachtwoorden en certificaten zijn van dit punt en horen bij elkaar", ""),
    "files.wrong": ("{reason}", "{mend}"),
    "content.approved": ("{approved} van {count} informatiepagina's zijn goedgekeurd", ""),
    "content.own": ("de informatiepagina's zijn die van dit apparaat; de regio stuurde er nog geen", ""),
    "content.region": ("de informatiepagina's zijn nummer {serial} van de regio", ""),
    "content.unapproved": (
        "geen van de {count} informatiepagina's is goedgekeurd; zonder oefening is er geen te zien",
        "laat ze goedkeuren; zie docs/content.md",
    ),
    "content.demo": (
        "een demonstratie: {unapproved} van {count} informatiepagina's zijn te zien zonder dat iemand ze goedkeurde",
        "haal `demo = true` uit [kiosk] voordat hier echt hulp gevraagd wordt",
    ),
    "node.answers": ("draait en antwoordt", ""),
    "node.dead": (
        "draait niet",
        "sudo systemctl start steunpunt-node; waarom hij stopte: journalctl -u steunpunt-node -n 50",
    ),
    "node.silent": ("draait, maar antwoordt niet ({reason})", "sudo systemctl restart steunpunt-node"),
    "node.forbidden": ("deze gebruiker mag hem niets vragen", "sudo usermod -aG steunpunt-control $USER"),
    "node.defects": ("fouten in het programma sinds de start: {found}", _DOCTOR),
    "radio.none": ("dit punt heeft geen radio", "zonder internet gaat hier niets weg"),
    "radio.down": ("doet het niet: {reason}", "kijk naar kabel en voeding; dan steunpunt radio show{option}"),
    "radio.unknown": ("doet het, maar heeft nog niet gezegd wie hij is", _AGAIN),
    "radio.answers": ("{node} antwoordt, firmware {firmware}, {preset}", ""),
    "radio.drift": (
        "staat anders dan de config zegt: {setting}",
        "stop de node, dan steunpunt radio apply{option}",
    ),
    "radio.no_device": (
        "het apparaat is er niet ({reason})",
        "steek hem in, of schrijf het pad uit ls -l /dev/serial/by-path/",
    ),
    "radio.not_a_device": ("dit is geen apparaat", "schrijf het pad uit ls -l /dev/serial/by-path/"),
    "radio.forbidden": ("het apparaat is er, maar deze gebruiker mag er niet bij", "vraag het als root"),
    "radio.device": (
        "het apparaat is er; of er een radio antwoordt is niet bekend",
        "steunpunt radio show{option}",
    ),
    "broker.down": ("doet het niet: {reason}", "sudo systemctl status mosquitto"),
    "broker.serves": ("doet het", ""),
    "bridge.answers": ("de kazerne antwoordt, laatste baken {beacon_ago}", ""),
    "bridge.silent": (
        "de kazerne antwoordt niet over internet, laatste baken {beacon_ago}",
        "is er internet? Vragen gaan over de radio",
    ),
    "listens.yes": ("er luistert iets", ""),
    "listens.no": ("er luistert niets ({reason})", "{mend}"),
    "power.none": ("niets meet stroom en accu", "zet [power] in de config; zie docs/power.md"),
    "power.unread": ("nog niet gelezen", _AGAIN),
    "power.problem": ("{reason}", "stop de node, dan steunpunt power show"),
    "power.unknown": ("niet bekend hoe het met stroom en accu staat", "steunpunt power test"),
    "power.short": ("{state}{percent}{hours}", "breng stroom, of breng radio en computer naar waar die is"),
    "power.battery": ("draait op de accu{percent}{hours}", "zit de stekker erin, is er stroom?"),
    "power.no_charge": ("van het net, lading niet bekend", "neem een meter, of laat de UPS battery.charge zeggen"),
    "power.mains": ("van het net{percent}{hours}", ""),
    "clock.none": (
        "de tijd is niet bekend; de schermen zeggen dat",
        "zet er een RTC in, of laat hem een keer aan internet",
    ),
    "clock.known": ("tijd van {source}{within}", ""),
    "ledger.cannot_keep": ("kan niets bewaren", "maak de schijf vrij of vervang de kaart"),
    "ledger.damaged": ("was beschadigd; er kunnen vragen ontbreken", "bewaar {kept}, vervang de kaart"),
    "ledger.behind": ("is een oudere kopie dan de punten kennen", "zie docs/operation.md, Backup"),
    "disk.unknown": ("niet bekend hoeveel er vrij is", _AGAIN),
    "disk.forbidden": ("is niet te bekijken ({reason})", "vraag het als root"),
    "disk.no_folder": (
        "de map van het register is er niet",
        "de node maakt hem bij de start; draaide hij hier al, verbeter dan ledger.path",
    ),
    "disk.read_only": ("is alleen te lezen", _CARD),
    "disk.full": ("{free_mib} MiB vrij", "maak hem vrij: straks kan niets meer worden bewaard"),
    "disk.low": ("{free_mib} MiB vrij", "maak hem vrij"),
    "disk.free": ("{free_mib} MiB vrij", ""),
    "panel.down": ("{reason}", "verbeter [panel], start dan de node opnieuw"),
    "queue.empty": ("niets wacht op bevestiging", ""),
    "queue.waits": ("{count} zonder bevestiging, de oudste van {oldest_ago}", ""),
    "queue.old": (
        "{count} zonder bevestiging, de oudste van {oldest_ago}",
        "geen weg naar de kazerne: herstel radio of internet, of breng ze op papier",
    ),
    "airtime.unknown": ("nog niet bekend", _AGAIN),
    "airtime.good": ("{used} % van het laatste uur; de wet staat {legal} % toe", ""),
    "airtime.busy": (
        "{used} % van het laatste uur; de wet staat {legal} % toe. Levenstekens wachten",
        "bij drukte hoort dat zo; zoek anders wie zoveel zendt",
    ),
    "airtime.full": (
        "{used} % van het laatste uur; de wet staat {legal} % toe. Alleen levensgevaar gaat nog weg",
        "wacht: het uur schuift op. Wie zendt zoveel?",
    ),
    "signal.unknown": ("nog geen pakket van deze regio gehoord sinds de start", "stuur een test; dan de antenne"),
    "signal.good": ("SNR {snr_db} dB, mediaan van {count} pakketten", ""),
    "signal.weak": (
        "SNR {snr_db} dB, mediaan van {count} pakketten: dicht bij de grens",
        "hang de antenne hoger en buiten, of neem een betere",
    ),
    "traffic.unknown": ("niet bekend wanneer er het laatst een vraag ging", _AGAIN),
    "traffic.kiosk": ("laatste vraag {request_ago}, bevestiging {receipt_ago}, antwoord {answer_ago}", ""),
    "traffic.unproved": (
        "laatste vraag {request_ago}, bevestiging {receipt_ago}, antwoord {answer_ago}",
        "bewijs de weg: stuur een test",
    ),
    "traffic.desk": ("laatste melding {request_ago}, iemand handelde {act_ago}", ""),
    "jobs.good": ("geen van {count} is mislukt of overgeslagen", ""),
    "jobs.failed": ("{job} is mislukt: {detail}", "zie docs/operation.md, en het logboek"),
    "jobs.missed": (
        "{job} is al twee keer zijn tijd niet goed afgelopen",
        "draait de node lang genoeg? Zie zijn logboek",
    ),
    "battery.never": (
        "nog nooit tien minuten op de accu gezien",
        "trek de stekker een kwartier uit, terwijl de node draait",
    ),
    "battery.old": ("laatst op de accu {run_ago}, {minutes} min", "twee keer per jaar: een kwartier de stekker eruit"),
    "battery.unmeasured": (
        "op de accu {run_ago}, {minutes} min, lading niet bekend",
        "neem een meter, of laat de UPS battery.charge zeggen",
    ),
    "battery.good": ("op de accu {run_ago}, {minutes} min, van {from_percent} naar {to_percent} %", ""),
    "coverage.never": ("de antenne is nog nooit gemeten", "sluit het punt, dan steunpunt survey"),
    "coverage.old": ("de antenne is {survey_ago} gemeten", "elk jaar: steunpunt survey"),
    "coverage.failed": (
        "de meting van {survey_ago} was niet goed",
        "zoek een betere plek voor de antenne, dan steunpunt survey",
    ),
    "coverage.good": ("de meting van {survey_ago} was goed", ""),
    "keyholder.never": (
        "niemand heeft bevestigd dat de sleutelhouder bereikbaar is",
        "bel de sleutelhouder en bevestig het",
    ),
    "keyholder.old": ("laatst bevestigd {confirmed_ago}", "twee keer per jaar: bel de sleutelhouder en bevestig het"),
    "keyholder.good": ("bevestigd {confirmed_ago}", ""),
    "firmware.unknown": ("de radio heeft zijn firmware nog niet gezegd", _AGAIN),
    "firmware.unpinned": (
        "{firmware}, en de config legt er geen vast",
        "schrijf radio.firmware, of [firmware] in het regiobestand",
    ),
    "firmware.other": ("{firmware}, maar de config wil {pinned}", "zet {pinned} op de radio; zie docs/operation.md"),
    "firmware.good": ("{firmware}, zoals de config zegt", ""),
    "clock.unknown": ("de node zegt niet hoe hij de tijd weet", "timedatectl"),
    "test.none": ("er is nog nooit een test gestuurd", "stuur een test"),
    "test.old": ("de laatste test was {test_ago}", "stuur een test; elke maand een"),
    "test.failed": (
        "de laatste test, {test_ago}, is nooit bevestigd",
        "herstel wat hierboven fout is, test dan opnieuw",
    ),
    "test.under_way": ("een test is onderweg, {test_ago} gestuurd", _AGAIN),
    "test.passed": ("een test kwam {test_ago} aan, in {seconds} s, over {road}", ""),
}

_SHOWN: dict[str, Callable[[Any], str]] = {
    "percent": lambda value: f", accu {value} %",
    "hours": lambda value: f", nog ongeveer {decimal(value)} uur",
    "within": lambda value: f", op {decimal(value)} s na",
}
_DECIMAL = ("used", "snr_db", "seconds")
_NAMED = {"state": STATES, "road": ROADS, "source": SOURCES}


def decimal(value: float) -> str:
    """Return a number as the Dutch write it."""
    return f"{value:g}".replace(".", ",")


def part_words(part: str) -> str:
    """Return a part's name; of one of several radios with the radio's."""
    first, _, radio = part.partition(" ")
    return f"{PARTS[first]} {radio}".rstrip()


def words_of(code: str, values: Mapping[str, Any], ago: Callable[[int], str]) -> tuple[str, str]:
    """Return what a finding says and its mend; ``ago`` puts an age in seconds into words."""
    what, mend = WORDS[code]
    told = {name: _told(name, value, ago) for name, value in values.items()}
    return what.format(**told), mend.format(**told)


def _told(name: str, value: Any, ago: Callable[[int], str]) -> Any:  # noqa: ANN401  whatever a finding tells
    if name.endswith("_ago"):
        return "nooit" if value is None else ago(value)
    if name in _SHOWN:
        return "" if value is None else _SHOWN[name](value)
    if name in _DECIMAL:
        return str(value).replace(".", ",")
    if name in _NAMED:
        return _NAMED[name].get(str(value), value)
    return value
