"""Who has sent a form is served before all pages that wait."""

import threading
from dataclasses import dataclass, field
from types import SimpleNamespace

from steunpunt_ui.manners import TapsFirst

WAIT_S_MAX = 10.0


@dataclass
class Asked:
    """A connection that waits for its answer, as waitress hands it over."""

    name: str
    command: str
    served: list[str]
    all_done: threading.Event
    requests: list[SimpleNamespace] = field(init=False)

    def __post_init__(self) -> None:
        self.requests = [SimpleNamespace(command=self.command)]

    def service(self) -> None:
        self.served.append(self.name)
        if self.name == "last":
            self.all_done.set()

    def cancel(self) -> None:
        self.requests = []


def test_forms_go_before_pages_and_each_kind_keeps_its_order() -> None:
    served: list[str] = []
    all_done, dispatcher = threading.Event(), TapsFirst()
    waiting = [
        ("page 1", "GET"),
        ("tap 1", "POST"),
        ("page 2", "GET"),
        ("tap 2", "POST"),
        ("tap 3", "POST"),
        ("last", "GET"),
    ]
    for name, command in waiting:
        dispatcher.add_task(Asked(name, command, served, all_done))
    dispatcher.set_thread_count(1)
    assert all_done.wait(WAIT_S_MAX)
    dispatcher.shutdown()
    assert served == ["tap 1", "tap 2", "tap 3", "page 1", "page 2", "last"]


def test_a_connection_that_has_nothing_to_answer_any_more_stops_nobody() -> None:
    served: list[str] = []
    all_done, dispatcher = threading.Event(), TapsFirst()
    gone = Asked("gone", "GET", served, all_done)
    gone.cancel()
    dispatcher.add_task(gone)
    dispatcher.add_task(Asked("last", "POST", served, all_done))
    dispatcher.set_thread_count(1)
    assert all_done.wait(WAIT_S_MAX)
    dispatcher.shutdown()
    assert served[0] == "last"
