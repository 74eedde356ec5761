"""Whether damage cut a ledger's write-ahead log short.

SQLite takes the log up to the first frame whose checksum is wrong, and says nothing of what stands behind it. After a
power cut that is right: there lies the half-written end of the last commit. But one bit that changed on the card, in
the midst of the log, takes away every commit behind it as silently.

The two can be told apart. Each commit is on the disk before the next one is begun, so a power cut leaves at most one
that is not whole. And a frame's checksum goes on from the one before: frames behind a damaged one still follow from
each other. Two ends of commits in such a chain are two commits of which the first was once whole.

Layout: sqlite.org, "WAL-mode File Format", of the log's header and frames, and of the index's header (mxFrame).
"""

import struct
import sys
from pathlib import Path

_HEADER = struct.Struct(">8I")
"""Magic, version, page size, sequence, two salts, two checksums."""
_FRAME = struct.Struct(">6I")
"""Page number, pages after this commit (0: not its end), two salts, two checksums."""
_FRAMES_TAKEN = struct.Struct("=I")
_FRAMES_TAKEN_AT = 16
_MAGIC = 0x377F0682
"""The words of the checksums are little-endian; with 1 added, big-endian."""
_CHECKED_BYTES = 8
"""Of a frame's header its checksum covers these; then the page."""
_ENDS_MIN = 2
_WORD = 0xFFFFFFFF

Sums = tuple[int, int]


def cut_short(log: bytes, taken: int, page_bytes: int) -> bool:
    """Return whether whole commits stand behind the ``taken`` frames of a log that SQLite took.

    What may be missing without a sign: the last commit, and one whose end itself was damaged with only one behind it.
    """
    if len(log) < _HEADER.size:
        return False
    magic, *_, salt_1, salt_2, sum_1, sum_2 = _HEADER.unpack_from(log)
    order = {_MAGIC: "<", _MAGIC + 1: ">"}.get(magic, "<" if sys.byteorder == "little" else ">")
    whole = _sums(log[:24], (0, 0), order) == (sum_1, sum_2)
    salts = (salt_1, salt_2) if whole else None  # of a broken header nothing counts: each chain has its own
    return _ends_in_chain(log, _HEADER.size + taken * (_FRAME.size + page_bytes), page_bytes, salts, order)


def _ends_in_chain(log: bytes, first: int, page_bytes: int, salts: Sums | None, order: str) -> bool:
    """Return whether frames from ``first`` on that follow from each other hold _ENDS_MIN ends of commits."""
    ends, before = 0, (0, 0)
    chain: Sums | None = None
    for at in range(first, len(log) - _FRAME.size - page_bytes + 1, _FRAME.size + page_bytes):
        _, end, salt_1, salt_2, sum_1, sum_2 = _FRAME.unpack_from(log, at)
        if salts is not None and (salt_1, salt_2) != salts:  # left over from before the log was begun anew, or damaged
            ends, chain = 0, None
            continue
        page = log[at + _FRAME.size : at + _FRAME.size + page_bytes]
        if (salt_1, salt_2) != chain or _sums(log[at : at + _CHECKED_BYTES] + page, before, order) != (sum_1, sum_2):
            ends = 0
        ends += bool(end)
        if ends >= _ENDS_MIN:
            return True
        before, chain = (sum_1, sum_2), (salt_1, salt_2)
    return False


def _sums(data: bytes, before: Sums, order: str) -> Sums:
    """Return the checksum that goes on from ``before`` over ``data``, a multiple of 8 bytes."""
    first, second = before
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for one, other in zip(words[::2], words[1::2], strict=True):
        first = (first + one + second) & _WORD
        second = (second + other + first) & _WORD
    return first, second


def damaged_log_of(path: Path) -> Path:
    """Return where a log that was cut short is kept, beside its ledger."""
    return path.with_name(f"{path.name}-wal.damaged")


def keep_if_cut_short(path: Path, page_bytes: int) -> bool:
    """Copy a ledger's log aside when damage cut it short; to be called while a connection has read the ledger.

    Later commits overwrite what stands there. Raises OSError. The log is read first: what another process commits
    meanwhile is not in it, and a log begun anew has another header.
    """
    try:
        log = path.with_name(f"{path.name}-wal").read_bytes()
        index = path.with_name(f"{path.name}-shm").read_bytes()
    except FileNotFoundError:
        return False
    if len(index) < _FRAMES_TAKEN_AT + _FRAMES_TAKEN.size:
        return False
    (taken,) = _FRAMES_TAKEN.unpack_from(index, _FRAMES_TAKEN_AT)
    if not cut_short(log, taken, page_bytes):
        return False
    with path.with_name(f"{path.name}-wal").open("rb") as now:
        if now.read(_HEADER.size) != log[: _HEADER.size]:
            return False
    kept = damaged_log_of(path)
    if not kept.exists():
        kept.touch(mode=0o600)
        kept.write_bytes(log)
    return True
