"""The PIN of a point's staff: drawn once with its card, printed on the sheet, and only its hash in the bundle."""

import secrets
from pathlib import Path

from steunpunt import keyfiles
from steunpunt.fleet.cards import FleetError
from steunpunt.model import KeyFileError

HASH_FILE, PIN_FILE = "staff.pin", "staff-pin.txt"
DRAWS_MAX = 100


def staff_pin(folder: Path) -> str:
    """Return the PIN that belongs to a card's folder; drawn and kept there, beside its hash, when there is none.

    FleetError when only one of the two files is there, KeyFileError when they cannot be written.
    """
    pin, hashed = folder / PIN_FILE, folder / HASH_FILE
    if not pin.exists():
        chosen = _drawn(hashed)
        keyfiles.write_text(pin, f"{chosen}\n", keyfiles.OWNER_ONLY)
    if not hashed.exists():
        raise FleetError(f"{hashed}: is gone; delete {pin} too, and a new PIN is drawn")
    return pin.read_text("ascii").strip()


def _drawn(hashed: Path) -> str:
    """Keep the hash of a random PIN first: a PIN without its hash would be printed and open nothing."""
    for _ in range(DRAWS_MAX):
        chosen = f"{secrets.randbelow(10**keyfiles.PIN_DIGITS_MIN):0{keyfiles.PIN_DIGITS_MIN}}"
        try:
            keyfiles.write_staff_pin(hashed, chosen)
        except KeyFileError:
            if hashed.parent.is_dir() and not hashed.exists():
                continue  # one that is easily guessed
            raise
        return chosen
    raise FleetError(f"{hashed}: no PIN was drawn in {DRAWS_MAX} tries; is this computer's random source broken?")
