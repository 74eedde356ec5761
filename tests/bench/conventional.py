"""The plain script that many would write: the usual libraries, one process. `make bench` holds the node against it.

It hears the radio and the broker, forwards what the radio hears, has an hourly job, a button with a lamp and a page.
Written as the libraries' own first examples do it. It prints one line when the radio is connected.
"""

import argparse
import json
import threading
import time
from pathlib import Path
from typing import Any

import flask
import meshtastic.tcp_interface
import paho.mqtt.client as mqtt
import waitress
from apscheduler.schedulers.background import BackgroundScheduler
from gpiozero import LED, Button, Device, DigitalInputDevice
from gpiozero.pins.mock import MockFactory
from paho.mqtt.enums import CallbackAPIVersion
from pubsub import pub

RADIO_LINE = "radio connected"
PAGE = "<!doctype html><title>Help</title><h1>Help</h1><p>{{ radio }}</p><form method=post><button>Ask</button></form>"


def _radio(port: int) -> meshtastic.tcp_interface.TCPInterface:
    return meshtastic.tcp_interface.TCPInterface("127.0.0.1", portNumber=port)


def _broker(port: int, user: str, password: str, topics: list[str]) -> mqtt.Client:
    def connected(client: mqtt.Client, *_: object) -> None:
        client.subscribe([(topic, 1) for topic in topics])

    client = mqtt.Client(CallbackAPIVersion.VERSION2, "conventional")
    client.username_pw_set(user, password)
    client.on_connect = connected
    client.connect("127.0.0.1", port)
    client.loop_start()
    return client


def _app(node: str) -> flask.Flask:
    app = flask.Flask(__name__)

    @app.get("/")
    def home() -> str:
        return flask.render_template_string(PAGE, radio=node)

    return app


def main() -> None:
    options = argparse.ArgumentParser()
    for name in ("radio", "broker", "web"):
        options.add_argument(f"--{name}", type=int, required=True)
    options.add_argument("--user", required=True)
    options.add_argument("--password-file", type=Path, required=True)
    options.add_argument("--topic", action="append", default=[])
    options.add_argument("--forward-to", required=True)
    options.add_argument(
        "--plain-contact", action="store_true", help="no gpiozero Button, which looks 10 times a second"
    )
    chosen = options.parse_args()

    interface = _radio(chosen.radio)
    print(RADIO_LINE, flush=True)
    client = _broker(chosen.broker, chosen.user, chosen.password_file.read_text().strip(), chosen.topic)

    def forward(packet: dict[str, Any], **_: object) -> None:
        client.publish(chosen.forward_to, json.dumps({"from": packet.get("from"), "time": time.time()}))

    pub.subscribe(forward, "meshtastic.receive")
    scheduler = BackgroundScheduler()
    scheduler.add_job(lambda: client.publish(chosen.forward_to, "hourly"), "interval", hours=1)
    scheduler.start()
    Device.pin_factory = MockFactory()
    lamp = LED(27)
    contact = DigitalInputDevice(17, pull_up=True) if chosen.plain_contact else Button(17)
    contact.when_activated = lamp.on
    node = str(interface.getMyNodeInfo())
    page = threading.Thread(target=waitress.serve, args=(_app(node),), kwargs={"host": "127.0.0.1", "port": chosen.web})
    page.start()
    page.join()


if __name__ == "__main__":
    main()
