"""A real MQTT broker for a test: mosquitto on free loopback ports, one plain and one with TLS, both with a password.

    with Broker(folder) as broker:        # broker.port, .tls_port, .ca, .user, .password
        broker.kill(); broker.start()     # as in a power cut; it comes back on the same ports
        broker.pause(); broker.resume()   # connections stay, no answers

Needs mosquitto and openssl. Messages and sessions last across `kill`. `Listener` is a subscriber to one.
"""

import json
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def certificates(folder: Path, names: str = "DNS:localhost,IP:127.0.0.1") -> None:
    """ca.crt, and server.crt with server.key for `names`, signed by it."""

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    new = ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    # Python 3.13 refuses a CA without keyUsage.
    ca = ("-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=test CA", "-addext", "keyUsage=critical,keyCertSign")
    openssl(*new, "-x509", "-days", "2", *ca)
    openssl(*new, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
    (folder / "names").write_text(f"subjectAltName={names}\n")
    signed = ("-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names")
    openssl("x509", "-req", "-in", "server.csr", *signed, "-out", "server.crt")


class Broker:
    """more: further lines of mosquitto.conf; acl: who may do what, everything for all by default."""

    user, password = "edge", "s3cret"

    def __init__(self, folder: Path, more: str = "", acl: str = "") -> None:
        self.folder = folder
        self.port, self.tls_port = free_port(), free_port()
        self.ca = folder / "ca.crt"
        self.process: subprocess.Popen[bytes] | None = None
        certificates(folder)
        subprocess.run(
            ["mosquitto_passwd", "-b", "-c", folder / "passwd", self.user, self.password],
            check=True,
            capture_output=True,
        )
        if acl:
            (folder / "acl").write_text(acl)
            more += f"\nacl_file {folder}/acl"
        # Started by root, mosquitto would drop to a user that cannot read these files. Without autosave_on_changes a
        # SIGKILL loses all since the last half hour.
        (folder / "mosquitto.conf").write_text(f"""
user root
allow_anonymous false
password_file {folder}/passwd
persistence true
persistence_location {folder}/
autosave_interval 1
autosave_on_changes true
{more}
listener {self.port} 127.0.0.1
listener {self.tls_port} 127.0.0.1
certfile {folder}/server.crt
keyfile {folder}/server.key
""")

    @property
    def log(self) -> str:
        return (self.folder / "mosquitto.log").read_text(errors="replace")

    def start(self) -> Self:
        program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"  # /usr/sbin is not on every PATH
        with (self.folder / "mosquitto.log").open("ab") as log:
            self.process = subprocess.Popen(
                [program, "-c", self.folder / "mosquitto.conf", "-v"], stdout=log, stderr=log
            )
        end = time.monotonic() + 10
        for port in (self.port, self.tls_port):
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    if self.process.poll() is not None or time.monotonic() > end:
                        raise RuntimeError(self.log) from None
                    time.sleep(0.02)
        return self

    def kill(self, how: int = signal.SIGKILL) -> None:
        assert self.process is not None
        self.process.send_signal(how)
        self.process.wait(10)

    def pause(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    __enter__ = start

    def __exit__(self, kind: type[BaseException] | None, value: object, trace: TracebackType | None) -> None:
        if self.process is not None and self.process.poll() is None:
            self.resume()
            self.kill()


class Listener:
    """Hears what is published under `topic`, and keeps its place while the broker or itself is away.

    heard: (topic, payload, retained) of each message, in order.
    """

    def __init__(self, broker: Broker, topic: str = "#", name: str = "listener") -> None:
        self.heard: list[tuple[str, str, bool]] = []
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name, clean_session=False)
        self._client.username_pw_set(broker.user, broker.password)
        self._client.reconnect_delay_set(1, 1)
        self._subscribed = False
        self._client.on_connect = lambda client, *_: client.subscribe(topic, 1)
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", broker.port, keepalive=5)
        self._client.loop_start()
        end = time.monotonic() + 10
        while not self._subscribed:
            assert time.monotonic() < end, broker.log
            time.sleep(0.01)

    def events(self, *kinds: str) -> list[dict[str, Any]]:
        """Those of `kinds` as they came, copies too; not what the broker had kept from before."""
        return [json.loads(text) for topic, text, kept in self.heard if topic.rpartition("/")[2] in kinds and not kept]

    def last(self, topic: str) -> str | None:
        return next((payload for heard, payload, _ in reversed(self.heard) if heard == topic), None)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_subscribe(self, *_: object) -> None:
        self._subscribed = True

    def _on_message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        self.heard.append((message.topic, message.payload.decode(), message.retain))
