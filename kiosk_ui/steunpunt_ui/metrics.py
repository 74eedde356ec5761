"""The site's figures for Prometheus at ``/metrics``: for programs on this device alone."""

import ipaddress

from flask import Flask, Response, abort, request

from steunpunt.control import Client, ControlError, Refused

_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})


def add_metrics(app: Flask, client: Client) -> None:
    """Add the page; it asks the node at each call."""

    def metrics() -> Response:
        if not _asked_on_this_device():
            abort(404)
        try:
            text = str(client.call("metrics")["text"])
        except (ControlError, Refused) as error:
            return Response(f"# {error}\n", 503, content_type="text/plain; charset=utf-8")
        return Response(text, content_type="text/plain; version=0.0.4; charset=utf-8")

    app.add_url_rule("/metrics", "metrics", metrics)


def _asked_on_this_device() -> bool:
    """Whether the caller is this device and means this device: a page elsewhere may name a host that leads here."""
    host = request.host.rpartition(":")[0] if request.host.rpartition(":")[2].isdigit() else request.host
    try:
        return ipaddress.ip_address(request.remote_addr or "").is_loopback and host in _HOSTS
    except ValueError:
        return False
