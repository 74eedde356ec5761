"""A node in memory behind a real Unix socket: speaks the control protocol, keeps nothing.

Tests set its fields to make it refuse, fall silent, or tell of any state.
"""

import json
import socketserver
import threading
from pathlib import Path
from typing import Any

Body = dict[str, Any]
SECRET, PIN = "7KQ4-M2XD", "295031"


def status_body() -> Body:
    """What a kiosk's node says when all is well."""
    return {
        "site": {"id": 47, "name": "Buurthuis", "place": "Kerkplein 1", "role": "kiosk"},
        "coordinator_name": "Brandweerkazerne Noord",
        "fallback_address": "Willem Alexanderweg 1",
        "links": {
            "mesh": {"up": True, "reason": "", "since_s": 60},
            "broker": {"up": True, "reason": "", "since_s": 60},
        },
        "region": {"fresh": True, "age_s": 12},
        "active_min": 6,
        "queue": 0,
        "oldest_s": None,
        "can_keep": True,
        "clock": {"source": "ntp", "uncertainty_s": 0.1},
        "radio": None,
        "buttons": [],
        "counters": {},
    }


def ticket_body(number: str = "47-1", state: str = "KEPT", **fields: object) -> Body:
    """What a node says of one ticket."""
    return {
        "number": number,
        "state": state,
        "age_s": 250,
        "age_at_least": False,
        "state_age_s": 185,
        "on_mesh": True,
        "life_threat": False,
        "active_min": 6,
        "close_code": None,
        "passed_on_age_s": None,
        "answers_count": 0,
        "supplements": 0,
        "supplements_waiting": 0,
    } | fields


def news_row(**fields: object) -> Body:
    """What a node says of one piece of news."""
    return {
        "type": "ALERT",
        "mark": "NONE",
        "function": "DUTY_OFFICER",
        "headline": "Gaslek",
        "phrases": "",
        "text": "",
        "newer": False,
        "age_s": 600,
        "age_at_least": False,
        "left_s": None,
        "standing": "confirmed",
    } | fields


class FakeNode:
    """Serves the control socket at ``path`` until closed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.status = status_body()
        self.tickets: dict[str, Body] = {}
        self.answers: dict[str, list[Body]] = {}
        self.news: list[Body] = []
        self.kept: dict[str, Body] = {}
        self.supplements: dict[str, Body] = {}
        self.cancelled: list[str] = []
        self.offers: list[Body] = []
        self.refuse: Body | None = None
        self.silent_once = False
        self.technician: Body = {"version": "1.2", "trend": [], "log": []}
        self.text_chars_max = 2_000
        self._tokens = 0
        self._lock = threading.Lock()
        self._server = _Server(str(path), self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join(5)
        self._server.server_close()
        self.path.unlink(missing_ok=True)

    def answer(self, asked: Body) -> Body | None:
        """Answer one request; None: say nothing and hang up."""
        with self._lock:
            operation = getattr(self, f"_op_{asked.pop('op')}")
            reply: Body = operation(**asked)
            if self.silent_once and operation in (self._op_submit, self._op_supplement):
                self.silent_once = False
                return None
            return {"ok": True} | reply

    def _op_form_token(self, count: int = 1) -> Body:
        tokens = [f"form-{self._tokens + number}" for number in range(1, count + 1)]
        self._tokens += count
        return {"token": tokens[0], "tokens": tokens}

    def _op_form(self, token: str) -> Body:
        if not token.startswith("form-"):
            return {"ok": False, "error": "token_invalid", "message": "not ours"}
        kept = self.kept.get(token)
        said = {} if kept is None else {"number": kept["number"], "secret": SECRET}
        return {"used": kept is not None, "fresh": kept is None} | said

    def _op_submit(self, **fields: Any) -> Body:
        if self.refuse is not None:
            return {"ok": False} | self.refuse
        if not fields["token"].startswith("form-"):
            return {"ok": False, "error": "token_invalid", "message": "not ours"}
        over = len(fields["text"]) - self.text_chars_max
        if over > 0:
            return {"ok": False, "error": "text_too_long", "message": "", "characters_over": over}
        repeated = fields["token"] in self.kept
        if not repeated:
            number = f"47-{len(self.kept) + 1}"
            self.kept[fields["token"]] = fields | {"number": number}
            self.tickets[number] = ticket_body(number, life_threat=fields["life_threat"])
        return {"number": self.kept[fields["token"]]["number"], "secret": SECRET, "repeated": repeated}

    def _op_supplement(self, **fields: Any) -> Body:
        if self.refuse is not None:
            return {"ok": False} | self.refuse
        known = fields["number"] in self.tickets
        if not known or (fields["secret"] != SECRET and fields["code"] != "WORSE"):
            return {"ok": False, "error": "unknown_ticket", "message": "unknown"}
        if not fields["token"].startswith("form-"):
            return {"ok": False, "error": "token_expired", "message": "too old"}
        repeated = fields["token"] in self.supplements
        self.supplements.setdefault(fields["token"], fields)
        return {"number": fields["number"], "repeated": repeated}

    def _op_ticket(self, number: str, secret: str | None = None) -> Body:
        if number not in self.tickets or secret not in (None, SECRET):
            return {"ok": False, "error": "unknown_ticket", "message": "unknown"}
        answers = self.answers.get(number, [])
        added = sum(fields["number"] == number for fields in self.supplements.values())
        figures = {"answers_count": len(answers), "supplements": added, "supplements_waiting": added}
        reply = figures | self.tickets[number] | {name: figures[name] for name in figures if figures[name]}
        return reply | ({"answers": answers} if secret else {})

    def _op_board(self) -> Body:
        lines = [
            {name: ticket[name] for name in ("number", "state")} | {"age_s": 250} for ticket in self.tickets.values()
        ]
        return {"lines": lines, "more": 2 if lines else 0}

    def _op_offer(self, **fields: Any) -> Body:
        number = f"47-{100 + len(self.offers)}"
        self.offers.append(fields | {"number": number})
        self.tickets[number] = ticket_body(number)
        return {"number": number, "secret": SECRET}

    def _op_staff_login(self, pin: str, road: str) -> Body:
        assert road in ("screen", "wifi")
        return {"session": "s"} if pin == PIN else {"ok": False, "error": "wrong_pin", "message": "wrong"}

    def _op_staff_check(self, session: str) -> Body:
        if session != "s":
            return {"ok": False, "error": "no_session", "message": "log in"}
        return {"state": self.status.get("point_state", "OPEN"), "by": "staff", "age_s": 400, "age_at_least": False}

    def _op_staff_logout(self, session: str) -> Body:
        return {"ended": session == "s"}

    def _op_set_point_state(self, session: str, state: str) -> Body:
        assert session == "s"
        return {"state": state}

    def _op_confirm_key_holder(self) -> Body:
        return {}

    def _op_news(self) -> Body:
        return {"news": self.news}

    def _op_bell(self) -> Body:
        return {}

    def _op_status(self) -> Body:
        return self.status

    def _op_technician(self) -> Body:
        return self.technician

    def _op_test_request(self) -> Body:
        if self.refuse is not None:
            return {"ok": False} | self.refuse
        self.status["test"] = {"number": "47-9", "age_s": 0, "over": False, "passed": False, "steps_ms": {"kept": 0}}
        self.status["test"] |= {"road": "", "by": "person"}
        return {"number": "47-9"}

    def _op_cancel_call(self, name: str) -> Body:
        if name not in [button["name"] for button in self.status["buttons"]]:
            return {"ok": False, "error": "unknown_button", "message": "unknown"}
        self.cancelled.append(name)
        return {}


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, path: str, node: FakeNode) -> None:
        super().__init__(path, _Handler)
        self.node = node


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, _Server)
        for line in self.rfile:
            reply = self.server.node.answer(json.loads(line))
            if reply is None:
                return
            self.wfile.write(json.dumps(reply).encode() + b"\n")
