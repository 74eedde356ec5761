"""The municipality's postcodes, so that a slip of the finger is noticed without any network.

``postcodes.csv`` beside the folders of pages has a line for each: four digits, or those with two letters, a semicolon,
and the name of the place. A postcode that is not in it is asked about, never refused: help may be needed elsewhere.
"""

from pathlib import Path
from typing import Final

from steunpunt.facts import tidy_postcode

FILE: Final = "postcodes.csv"
POSTCODES_MAX: Final = 20_000
FILE_KIB_MAX: Final = 512
PLACE_CHARACTERS_MAX: Final = 40


def read_postcodes(folder: Path) -> tuple[dict[str, str], list[str]]:
    """Return the place of each postcode, and a line for each problem; nothing at all without the file."""
    path = folder / FILE
    if not path.is_file():
        return {}, []
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_KIB_MAX * 1024 + 1)
        lines = raw.decode("utf-8-sig").splitlines()
    except OSError as error:
        return {}, [f"{path}: cannot be read ({error.strerror}); let everybody read it: chmod a+r"]
    except UnicodeDecodeError:
        return {}, [f"{path}: not UTF-8 text; save it as UTF-8"]
    if len(raw) > FILE_KIB_MAX * 1024 or len(lines) > POSTCODES_MAX:
        return {}, [f"{path}: at most {POSTCODES_MAX} lines and {FILE_KIB_MAX} KiB; keep your own municipality's"]
    return _take(path, lines)


def _take(path: Path, lines: list[str]) -> tuple[dict[str, str], list[str]]:
    found: dict[str, str] = {}
    problems = []
    for number, line in enumerate(lines, 1):
        typed, _, place = (part.strip() for part in line.partition(";"))
        if not line.strip() or line.startswith("#"):
            continue
        postcode = tidy_postcode(typed)
        if not postcode or not 0 < len(place) <= PLACE_CHARACTERS_MAX:
            problems.append(f"{path}:{number}: write a postcode and a place, such as 6211;Maastricht")
        else:
            found[postcode] = place
    return found, problems


def place_of(postcodes: dict[str, str], postcode: str) -> str | None:
    """Return the place of a tidy postcode; "" where the list does not have it, None where there is no list."""
    if not postcodes or not postcode:
        return None
    return postcodes.get(postcode) or postcodes.get(postcode[:4]) or ""
