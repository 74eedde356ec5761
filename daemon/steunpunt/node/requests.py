"""What the control socket can be asked: forms go to the loop, reads to a second, read-only connection."""

import threading
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from msgspec import Struct
from msgspec import field as structs_field

from steunpunt.config import Config
from steunpunt.control import Body
from steunpunt.engine.accepting import open_ticket_key
from steunpunt.engine.checking import NotAccepted, tidy_text
from steunpunt.engine.kiosk import KioskEngine
from steunpunt.facts import NOTHING, Facts, Mark
from steunpunt.ledger import outgoing
from steunpunt.ledger.store import Ledger
from steunpunt.model import (
    CallCancelled,
    Category,
    Event,
    FrameError,
    HelpSubmitted,
    SealError,
    Squeezed,
    SupplementCode,
    SupplementSubmitted,
    TicketState,
    parse_ticket_number,
    ticket_number,
)
from steunpunt.node.newsbody import NEWS_SHOWN_MAX, news_body
from steunpunt.node.pending import WAIT_S_MAX, Pending, no
from steunpunt.protocol import answers, forms, messages, paper, tickets
from steunpunt.protocol import text as texts
from steunpunt.protocol.age import pack_age
from steunpunt.protocol.answerbody import pack_phrases, unpack_answer
from steunpunt.protocol.keys import SiteKeys

FORM_TOKENS_MAX = 8
"""Most form tokens in one answer: a page of choices gives out one for each."""
_QUESTION = tuple[
    Annotated[int, msgspec.Meta(ge=0, le=255)],
    Annotated[int, msgspec.Meta(ge=0, le=15)] | None,
    Annotated[int, msgspec.Meta(ge=0, le=messages.REPLY_NUMBER_MAX)] | None,
]
"""A question's phrase code, and the option or the number that was tapped under it."""


class KioskRequests(Struct, frozen=True):
    """A kiosk's forms and reads."""

    config: Config
    keys: SiteKeys
    engine: KioskEngine
    reader: Ledger
    form_key: bytes
    token_bytes: Callable[[int], bytes]
    put: Callable[[Event], None]
    lock: threading.Lock = structs_field(default_factory=threading.Lock)

    def handlers(self) -> dict[str, Callable[[Body], Body]]:
        """Return what may be asked here."""
        return {
            "form_token": self._form_token,
            "form": self._form,
            "submit": self._submit,
            "supplement": self._supplement,
            "ticket": self._ticket,
            "news": self._news,
            "cancel_call": self._cancel_call,
        }

    def figures(self, now_ms: int) -> Body:
        """Return the queue's figures for ``status``."""
        with self.lock:
            count, oldest_ms = outgoing.queue_figures(self.reader.connection)
            state = self.engine.news.point_state(self.reader, self.reader.connection)
            news_count = self.engine.news.count(self.reader.connection, now_ms)
            receipt_ms = outgoing.last_receipt_ms(self.reader.connection)
        return {
            "queue": count,
            "oldest_s": None if oldest_ms is None else (now_ms - oldest_ms) // 1000,
            "point_state": state.name,
            "news_count": news_count,
            "last_receipt_s": None if receipt_ms is None else (now_ms - receipt_ms) // 1000,
        }

    def buttons(self, now_ms: int) -> list[Body]:
        """Return the help buttons for ``status``."""
        return [
            {
                "name": view.name,
                "lamp": view.lamp or "off",
                "number": None if view.counter is None else ticket_number(self.keys.site, view.counter),
                "pending_s": None if view.pending_until_ms is None else max(view.pending_until_ms - now_ms, 0) // 1000,
                "pressed_count": view.presses,
            }
            for view in list(self.engine.calls.views.values())
        ]

    # --- forms --------------------------------------------------------------------------------------------------

    def now_ms(self) -> int:
        """Return ledger time."""
        return self.reader.clock.now_ms()

    def new_token(self) -> str:
        """Return a token for one form."""
        return forms.issue(self.form_key, self.now_ms() // 1000, self.token_bytes(forms.RANDOM_BYTES))

    def _form_token(self, request: Body) -> Body:
        texts.warm()  # somebody is about to write
        count = request.get("count", 1)
        if type(count) is not int or not 1 <= count <= FORM_TOKENS_MAX:
            return no("bad_request", f"form_token: count is {count!r}; write 1 to {FORM_TOKENS_MAX}")
        tokens = [self.new_token() for _ in range(count)]
        return {"ok": True, "token": tokens[0], "tokens": tokens}

    def _form(self, request: Body) -> Body:
        """Say what became of a form: who comes back to one that was sent finds the request, and makes no second one.

        The token opens no more than sending the form once more would.
        """
        token = forms.read(self.form_key, str(request.get("token", "")))
        if token is None:
            return no("token_invalid", "this form was not given out here; show it again")
        with self.lock:
            earlier = outgoing.counter_of_form(self.reader.connection, token.digest)
            row = None if earlier is None else outgoing.ticket(self.reader.connection, earlier[0])
        if earlier is None or row is None:
            fresh = not token.expired(self.reader.clock.now_ms() // 1000)
            return {"ok": True, "used": False, "fresh": fresh}
        body: Body = {"ok": True, "used": True, "fresh": False, "number": ticket_number(self.keys.site, row.counter)}
        if earlier[1] and row.copy_locked is not None:
            body["secret"] = tickets.unlock(tickets.copy_key(token.random), row.copy_locked).decode()
        return body

    def _submit(self, request: Body) -> Body:
        pending = Pending()
        try:
            form = HelpSubmitted(
                form_token=_text(request, "token"),
                category=Category[_text(request, "category")],
                life_threat=_flag(request, "life_threat"),
                text=_text(request, "text"),
                language=_text(request, "language", "nl"),
                facts=_facts(request),
                reply=pending,
                squeezed=_squeezed(_text(request, "text")),
            )
        except (KeyError, TypeError, msgspec.ValidationError) as error:
            return no("bad_request", f"submit: {error} is not right; see the contract of the control socket")
        if form.facts.mark is Mark.TEST:  # nobody would come for it: a citizen's form must never say so
            return no("bad_request", "submit: a test is asked for with test_request")
        return self._wait(form, pending)

    def _supplement(self, request: Body) -> Body:
        pending = Pending()
        try:
            code = SupplementCode[_text(request, "code")]
            number, token, text = _text(request, "number"), _text(request, "token"), _text(request, "text")
            secret, facts, question = _text(request, "secret"), _facts(request), _question(request, code)
        except (KeyError, TypeError, msgspec.ValidationError) as error:
            return no("bad_request", f"supplement: {error} is not right; see the contract of the control socket")
        if code is SupplementCode.PRESSED_AGAIN:
            return no("bad_request", "PRESSED_AGAIN is for the help button")
        row = self._row(number)
        # Who only knows the number may say that it has got worse, but not where to go instead or whom to call.
        by_number = code is SupplementCode.WORSE and facts == NOTHING
        if row is None or not (by_number or self._answer_key(row, secret) is not None):
            return no("unknown_ticket", "no ticket with this number and secret half")
        form = SupplementSubmitted(token, number, code, text, pending, facts, question, _squeezed(text))
        return self._wait(form, pending)

    def _wait(self, form: HelpSubmitted | SupplementSubmitted, pending: Pending) -> Body:
        self.put(form)
        return pending.wait(WAIT_S_MAX)

    def _cancel_call(self, request: Body) -> Body:
        name = str(request.get("name", ""))
        if name not in self.engine.calls.views:
            return no("unknown_button", f"no button is called {name!r}")
        self.put(CallCancelled(name))
        return {"ok": True}

    # --- reads --------------------------------------------------------------------------------------------------

    def _row(self, number: str) -> outgoing.Ticket | None:
        parsed = parse_ticket_number(number)
        if parsed is None or parsed[0] != self.keys.site:
            return None
        with self.lock:
            return outgoing.ticket(self.reader.connection, parsed[1])

    def _ticket(self, request: Body) -> Body:
        number, secret = str(request.get("number", "")), str(request.get("secret") or "")
        row = self._row(number)
        key = None if row is None else self._answer_key(row, secret)
        if row is None or (secret and key is None):
            return no("unknown_ticket", "no ticket with this number and secret half")
        with self.lock:
            sealed = outgoing.answers_of(self.reader.connection, row.counter)
            on_mesh = outgoing.went_by_mesh(self.reader.connection, row.counter)
            added, waiting = outgoing.supplements_of(self.reader.connection, row.counter)
        now_ms = self.reader.clock.now_ms()
        received_ms = dict(sealed)
        whole = answers.whole_answers(list(received_ms))
        body = self._state(row, now_ms) | {
            "on_mesh": on_mesh,
            "answers_count": len(whole),
            "supplements": added,
            "supplements_waiting": waiting,
        }
        if key is not None:
            body["code"] = self._code(row, now_ms)
            body["answers"] = [_answer(group, key, now_ms - max(received_ms[p] for p in group)) for group in whole]
        return body

    def _news(self, _request: Body) -> Body:
        with self.lock:
            views = self.engine.news.views(self.reader.connection, self.reader.clock.now_ms())
        return {"ok": True, "news": [news_body(view) for view in views[:NEWS_SHOWN_MAX]]}

    def _code(self, row: outgoing.Ticket, now_ms: int) -> str | None:
        """Return the sealed request as text for paper, one code a line; None when it is closed."""
        if row.state == TicketState.CLOSED:
            return None
        with self.lock:
            sealed = outgoing.sealed_request(self.reader.connection, row.counter)
        age = pack_age((now_ms - sealed.created_ms) / 1000, at_least=True)  # nobody knows how long it will be carried
        return "\n".join(paper.codes(self.keys.site, sealed.n, age, sealed.e_pub, sealed.piece))

    def _state(self, row: outgoing.Ticket, now_ms: int) -> Body:
        return {
            "ok": True,
            "number": ticket_number(self.keys.site, row.counter),
            "state": TicketState(row.state).name,
            "age_s": (now_ms - row.created_ms) // 1000,
            "age_at_least": row.created_ms < self.reader.clock.certain_ms,
            "state_age_s": (now_ms - row.state_ms) // 1000,
            "life_threat": row.life_threat,
            "open_to_all": row.secret_salt is None,
            "active_min": self.engine.region.active_min(now_ms),
            "close_code": None if row.close_code is None else row.close_code.reason.name,
            "passed_on_age_s": _age_s(row.passed_on_ms, now_ms),
            "fallback_age_s": _age_s(row.fallback_ms, now_ms),
            "handheld_age_s": _age_s(row.handheld_ms, now_ms),
        }

    def _answer_key(self, row: outgoing.Ticket, secret: str) -> bytes | None:
        """Return A of a ticket for the right secret half; a button's ticket is open to all who see it."""
        try:
            if row.secret_salt is None:
                with self.lock:
                    eid, n, _ = outgoing.request_of(self.reader.connection, row.counter)
                return tickets.unlock(open_ticket_key(self.keys, eid, n), row.answer_locked)
            tidy = tickets.tidy_secret(secret)
            if tidy is None:
                return None
            return tickets.unlock(tickets.stretch(tidy, row.secret_salt).key, row.answer_locked)
        except SealError:
            return None


def _age_s(at_ms: int | None, now_ms: int) -> int | None:
    return None if at_ms is None else (now_ms - at_ms) // 1000


def _answer(parts: list[bytes], key: bytes, age_ms: int) -> Body:
    try:
        answer = unpack_answer(answers.open_answers(parts, key))
    except (SealError, FrameError):
        return {"text": "", "function": "", "age_s": age_ms // 1000, "unreadable": True}
    return {
        "text": answer.text,
        "function": answer.function.name,
        "age_s": age_ms // 1000,
        "phrases": pack_phrases(answer.phrases, "").hex() if answer.phrases else "",
        "newer": answer.newer,
    }


def _text(request: dict[str, Any], key: str, default: str = "") -> str:
    value = request.get(key, default)
    if not isinstance(value, str):
        raise TypeError(key)
    return value


def _squeezed(text: str) -> Squeezed | None:
    """Compress here, in the thread of the one who asks: the loop has others to serve meanwhile.

    None for what the loop will refuse.
    """
    try:
        return texts.squeeze(tidy_text(text))
    except NotAccepted:
        return None


def _flag(request: dict[str, Any], key: str) -> bool:
    value = request.get(key, False)
    if not isinstance(value, bool):
        raise TypeError(key)
    return value


def _facts(request: dict[str, Any]) -> Facts:
    """Return what a form says beside its text: ``people`` and ``callback``, and under ``facts`` all else."""
    said = {key: request[key] for key in ("people", "callback") if key in request}
    more = request.get("facts", {})
    return msgspec.convert({**said, **more} if isinstance(more, dict) else more, Facts)


def _question(request: dict[str, Any], code: SupplementCode) -> tuple[int, int | None, int | None] | None:
    """Return the question that a REPLY is to, by its phrase code, and the option or number that was tapped."""
    if code is not SupplementCode.REPLY:
        return None
    found: tuple[int, int | None, int | None]
    found = msgspec.convert((request["question"], request.get("option"), request.get("count")), _QUESTION)
    return found
