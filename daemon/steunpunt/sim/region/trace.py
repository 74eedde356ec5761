"""What happened, step by step, as one digest: two runs of a seed are the same when their digests are."""

import hashlib
from collections import deque
from typing import IO

LAST_MAX = 12
"""Steps that are told when a seed fails."""
LAST_CHARS_MAX = 110


class Trace:
    """Hashes each step; writes it too where a file is given."""

    def __init__(self, file: IO[str] | None = None) -> None:
        self._hash = hashlib.sha256()
        self._file = file
        self.steps = 0
        self.last: deque[str] = deque(maxlen=LAST_MAX)

    def note(self, now_ms: float, name: str, what: str, payload: bytes = b"") -> None:
        """Note one step of one site; what a person wrote is never part of it."""
        line = f"{now_ms:.3f} {name}: {what} {payload.hex()}".rstrip()
        self._hash.update(line.encode() + b"\n")
        self.steps += 1
        self.last.append(line[:LAST_CHARS_MAX])
        if self._file is not None:
            self._file.write(f"{line}\n")

    @property
    def digest(self) -> str:
        """The digest of all steps so far, in hexadecimal."""
        return self._hash.hexdigest()
