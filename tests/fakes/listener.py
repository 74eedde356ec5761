"""Somebody who subscribes to all that a user of a broker may hear, and remembers it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

CONNECT_S_MAX = 10.0


class Listener:
    """A plain MQTT client; what it heard is (topic, payload) in order."""

    def __init__(self, port: int, user: str, password_file: Path) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self._subscribed = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.username_pw_set(user, password_file.read_text("utf-8").strip())
        self._client.on_message = lambda _c, _d, message: self.heard.append((message.topic, bytes(message.payload)))
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.connect("127.0.0.1", port)
        self._client.subscribe([("#", 1), ("$SYS/broker/connection/+/state", 1)])

    def start(self) -> None:
        self._client.loop_start()
        assert self._subscribed.wait(CONNECT_S_MAX)

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def on(self, beginning: str) -> list[tuple[str, bytes]]:
        """What was heard on topics that begin so."""
        return [(topic, payload) for topic, payload in list(self.heard) if topic.startswith(beginning)]


@contextmanager
def listening(port: int, user: str, password_file: Path) -> Iterator[Listener]:
    listener = Listener(port, user, password_file)
    listener.start()
    try:
        yield listener
    finally:
        listener.stop()
