"""Waiting at the control socket for what the loop makes of a request."""

import threading

from steunpunt.control import ANSWER_S_MAX, NOT_KNOWN_YET, Body

WAIT_S_MAX = ANSWER_S_MAX - 1.0
"""Shorter than the client's own wait, so that "not known yet" comes from us."""


class Pending:
    """A request that waits for the loop's answer."""

    def __init__(self) -> None:
        self._done = threading.Event()
        self._body: Body = {}

    def answer(self, body: Body) -> None:
        """Give the answer; called by the loop, after the commit."""
        self._body = body
        self._done.set()

    @property
    def answered(self) -> bool:
        """Return whether the loop has answered."""
        return self._done.is_set()

    def wait(self, timeout_s: float) -> Body:
        """Return the answer, or "not known yet"."""
        if self._done.wait(timeout_s):
            return self._body
        return {
            "ok": False,
            "error": NOT_KNOWN_YET,
            "message": "not known yet whether it is kept; ask again",
        }


def no(code: str, message: str, **details: object) -> Body:
    """Return a refusal."""
    return {"ok": False, "error": code, "message": message, **details}
