"""Free text as bytes: the shortest of several methods."""

from steunpunt.model import FrameError

METHODS = (0,)


def compress(text: str) -> tuple[int, bytes]:
    """Return the shortest (method, data); data is never longer than the raw UTF-8."""
    return 0, text.encode()


def decompress(method: int, data: bytes, *, chars_max: int = 4000) -> str:
    """Return the text; FrameError for an unknown method, or for more than ``chars_max`` characters."""
    if method not in METHODS:
        raise FrameError(f"text method {method} is not known to this version")
    text = data.decode("utf-8", "replace")
    if len(text) > chars_max:
        raise FrameError(f"text of {len(text)} characters, more than {chars_max}")
    return text
