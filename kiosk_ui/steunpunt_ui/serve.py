"""Serves a site's screens with waitress, in one process."""

import os
import socket
import threading
from collections.abc import Callable
from typing import Any

from waitress.server import BaseWSGIServer, create_server
from waitress.task import ThreadedTaskDispatcher

from steunpunt.config import Config
from steunpunt.control import Client, notify_systemd
from steunpunt.model import Role, SteunpuntError
from steunpunt_ui.app import create_app

THREADS = 24
CONNECTIONS_MAX = 800
"""Two hundred phones, with a page that each keeps open and one that it opens; each connection is a file."""
DESK_CONNECTIONS_MAX = 48
"""At a coordinator: each may hold a photo of DESK_BODY_BYTES_MAX in memory."""
IDLE_S_MAX = 10
"""How long a connection stays open for nothing: a page that looks again by itself does so in five seconds."""
REFUSED_BODY_BYTES_MAX = 1024 * 1024
"""Above this waitress itself refuses a body, in English; up to it our own page does."""
DESK_BODY_BYTES_MAX = 11 * 1024 * 1024
"""The same at a coordinator, where photos of requests on paper come in; kept in memory, never on disk."""


_IP_FREEBIND = 15
"""From Linux' ``in.h``; Python 3.11 has no name for it."""


class WebError(SteunpuntError, OSError):
    """The web process cannot serve."""


def serve(config: Config) -> None:
    """Serve until the process is told to stop.

    Raises WebError when the address cannot be had, and KeyFileError when a coordinator's file of
    passwords cannot be used.
    """
    body_bytes_max, connections_max = REFUSED_BODY_BYTES_MAX, CONNECTIONS_MAX
    if config.site.role is Role.COORDINATOR:
        body_bytes_max, connections_max = DESK_BODY_BYTES_MAX, DESK_CONNECTIONS_MAX
        from steunpunt_ui.desk.passwords import check_file  # noqa: PLC0415  only a coordinator has a desk

        check_file(config.web.desk_passwords_file)
    listeners = [_listen(config.web.host, config.web.port)]
    if config.web.hotspot_address is not None:
        listeners.append(_listen(config.web.hotspot_address, config.web.port, may_come_later=True))
    dispatcher = _taps_first() if config.site.role is Role.KIOSK else None
    server = create_server(
        create_app(config, Client(config.control.socket)),
        sockets=listeners,
        threads=THREADS,
        _dispatcher=dispatcher,
        connection_limit=connections_max,
        channel_timeout=IDLE_S_MAX,
        max_request_body_size=body_bytes_max,
        inbuf_overflow=body_bytes_max + 1,
        ident="",
        clear_untrusted_proxy_headers=True,
        asyncore_use_poll=True,
        cleanup_interval=IDLE_S_MAX // 2,
        asyncore_loop_timeout=IDLE_S_MAX // 2,  # no need to wake each second only to see whether to clean up
    )
    if config.site.role is Role.KIOSK:
        _be_fair(server)
    notify_systemd("READY=1")
    _feed_watchdog(_in_loop_of(server))
    try:
        server.run()
    finally:
        notify_systemd("STOPPING=1")
        server.close()


def _listen(host: str, port: int, *, may_come_later: bool = False) -> socket.socket:
    """``may_come_later``: the address of the wifi is there only while the wifi is."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if may_come_later:
        listener.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise WebError(
            f"web: {host} port {port} cannot be used ({error.strerror}); "
            "stop the other program or change web.host, web.port or web.hotspot_address in the config file"
        ) from error
    return listener


def _taps_first() -> ThreadedTaskDispatcher:
    """Return the threads of a kiosk, at work."""
    from steunpunt_ui.manners import TapsFirst  # noqa: PLC0415  a desk has no crowd

    dispatcher = TapsFirst()
    dispatcher.set_thread_count(THREADS)
    return dispatcher


def _be_fair(server: Any) -> None:  # noqa: ANN401  its types are wrong
    """Let no phone take all connections."""
    from steunpunt_ui.manners import FairChannel  # noqa: PLC0415  a desk has no phones

    for one in [server] if isinstance(server, BaseWSGIServer) else list(server.map.values()):
        if isinstance(one, BaseWSGIServer):
            one.channel_class = FairChannel


def _in_loop_of(server: Any) -> Callable[[Callable[[], None]], None]:  # noqa: ANN401  its types are wrong
    """Return what runs a function in the server's own loop."""
    one = server
    if not isinstance(server, BaseWSGIServer):  # several sockets: any of their servers will do, they share the loop
        one = next(part for part in server.map.values() if isinstance(part, BaseWSGIServer))
    run: Callable[[Callable[[], None]], None] = one.trigger.pull_trigger
    return run


def _feed_watchdog(in_loop: Callable[[Callable[[], None]], None]) -> None:
    """Feed systemd's watchdog at half its period, from within the server's loop: a stuck loop is not fed."""
    period_us = os.environ.get("WATCHDOG_USEC", "")
    if not period_us.isdigit() or os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return
    wait_s = max(int(period_us) / 2e6, 0.05)
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(wait_s):
            in_loop(lambda: notify_systemd("WATCHDOG=1"))

    threading.Thread(target=beat, name="watchdog", daemon=True).start()
