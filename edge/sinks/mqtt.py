"""Events to an MQTT broker: QoS 1, in order, each batch acknowledged before the next is begun."""

import logging
import random
import socket
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from edge.config import MqttSink
from edge.errors import ConfigError
from edge.events import Event
from edge.secrets import read_secret
from edge.sinks import SinkError, homeassistant, nobody
from edge.sinks.topics import Message, Picture, Topics

log = logging.getLogger(__name__)

BATCH = 50
CONNECTING = 10.0  # seconds for a connection, and again for the broker's answer to it
ACKNOWLEDGING = 20.0  # seconds for one batch
CLOSING = 1.0  # seconds to say offline
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds between two connections
HELD = 10.0  # seconds that a connection must have lasted to begin with the first pause again
CUT = 3  # shorter ones, one after the other, that look like two clients of one name who push each other out
OLD_BROKER = 132  # reason code "unsupported protocol version": it may still know MQTT 3.1.1


class Mqtt:
    """Keeps one connection by a thread of its own, so that `<prefix>/status` is true while nothing is sent.

    Every connection has a client of its own: paho would send what an earlier one left unacknowledged by itself, beside
    what the outbox gives again, and order would be lost.
    """

    def __init__(self, name: str, config: MqttSink, cameras: Mapping[str, Sequence[str]]) -> None:
        self.name = name
        self.batch = BATCH
        self.ready = nobody
        self._config = config
        self._port = config.port or (8883 if config.tls else 1883)
        self._address = f"{config.host}:{self._port}"
        self._cameras = {camera: tuple(fields) for camera, fields in cameras.items()}
        self._topics = Topics(config.prefix, self._cameras)
        self._pictures: dict[str, Picture] = {}
        self._password = self._checked_password()
        self._tls = self._trusting() if config.tls else None
        if config.discovery and any(sign in config.discovery for sign in "#+\0"):
            raise ConfigError(f"sinks.{name}.discovery: a prefix of topics has no # and no +; leave them out")
        self._protocol = MQTTProtocolVersion.MQTTv5
        self._changed = threading.Condition()
        self._current: _Connection | None = None
        self._connection: _Connection | None = None  # the same, once the broker has taken it
        self._problem: str | None = None
        self._tried = False
        self._refused = ""
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._keep_connected, name=f"mqtt-{name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def send(self, events: Sequence[Event]) -> None:
        pictures = dict(self._pictures)
        messages: list[Message] = []
        for event in events:
            before = pictures.get(event.source, Picture())
            messages += self._topics.messages(event, before)
            pictures[event.source] = before.after(event)
        self._connected().publish(messages, ACKNOWLEDGING)
        self._pictures = pictures

    def reopen(self) -> None:
        """Nothing of it is a file."""

    def close(self) -> None:
        """Says offline, if there is somebody to say it to, within a second or two."""
        self._closing.set()
        with self._changed:
            current = self._current
        if current is not None:
            current.leave()
        if self._thread.ident is not None:
            self._thread.join(2 * CLOSING)

    def _connected(self) -> "_Connection":
        with self._changed:
            self._changed.wait_for(lambda: self._connection is not None or self._tried, 2 * CONNECTING)
            if self._connection is None:
                raise SinkError(self._problem or f"{self._address}: not connected yet")
            return self._connection

    # The thread that connects

    def _keep_connected(self) -> None:
        pause, cut = FIRST_PAUSE, 0
        while not self._closing.is_set():
            begun = time.monotonic()
            problem = self._one_connection()
            held = time.monotonic() - begun > HELD
            with self._changed:
                cut = 0 if held else cut + 1 if self._connection is not None else cut
                if cut >= CUT:
                    problem += "; again and again: give each digitd and each sink a client_id of its own"
                self._connection, self._problem, self._tried = None, problem, True
                self._changed.notify_all()
            if held:
                pause = FIRST_PAUSE
            self._closing.wait(random.uniform(pause / 2, pause))
            pause = min(pause * 2, LONGEST_PAUSE)

    def _one_connection(self) -> str:
        """From its beginning to its end; why it ended."""
        connection = _Connection(self._client(), self._address)
        with self._changed:
            self._current = connection
        try:
            connection.begin(self._config.host, self._port, self._config.keepalive)
            self._greet(connection)
            with self._changed:
                self._connection, self._problem, self._tried = connection, None, True
                self._changed.notify_all()
            self.ready()
            if not self._closing.is_set():
                connection.wait()
            if self._closing.is_set():  # parting with a word keeps the broker from saying it for us
                connection.publish([Message(self._topics.status, "offline")], CLOSING)
            return connection.why
        except SinkError as error:
            if connection.refusal == OLD_BROKER and self._protocol == MQTTProtocolVersion.MQTTv5:
                self._protocol = MQTTProtocolVersion.MQTTv311
            return str(error)
        except Exception as fault:  # without this thread nothing would ever be sent again
            return f"{self._address}: unexpected {type(fault).__name__} ({fault}); this is a fault of digitd: report it"
        finally:
            connection.end()

    def _greet(self, connection: "_Connection") -> None:
        """A broker that takes readings but refuses, say, discovery, is told readings all the same."""
        try:
            connection.publish(self._greeting(), ACKNOWLEDGING)
        except _RefusedError as refused:
            if str(refused) != self._refused:
                log.warning("sink %s: %s", self.name, refused)
                self._refused = str(refused)

    def _greeting(self) -> list[Message]:
        messages = [Message(self._topics.status, "online")]
        if self._config.discovery:
            for camera in self._cameras:
                messages.append(
                    homeassistant.discovery(self._config.discovery, self._config.prefix, camera, self._topics)
                )
        for camera, picture in self._pictures.items():
            messages += self._topics.known(camera, picture)
        return messages

    def _client(self) -> paho.Client:
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._config.client_id,
            protocol=self._protocol,
            reconnect_on_failure=False,
        )
        client.connect_timeout = CONNECTING
        if self._config.user is not None:
            client.username_pw_set(self._config.user, self._password)
        if self._tls is not None:
            client.tls_set_context(self._tls)
        client.will_set(self._topics.status, "offline", qos=1, retain=True)
        return client

    # Settings

    def _checked_password(self) -> str | None:
        where, config = f"sinks.{self.name}", self._config
        if config.password is None:
            return None
        if config.user is None:
            raise ConfigError(f"{where}: password is set without user; set both")
        if not config.tls and config.host not in ("localhost", "127.0.0.1", "::1"):
            log.warning("%s: the password goes over the network unencrypted; set tls = true", where)
        return read_secret(config.password, f"{where}.password")

    def _trusting(self) -> ssl.SSLContext:
        ca = self._config.ca
        try:
            return ssl.create_default_context(cafile=ca)
        except OSError as error:
            reason = "holds no certificates" if isinstance(error, ssl.SSLError) else error.strerror
            raise ConfigError(f"sinks.{self.name}.ca: {ca} ({reason}); name a PEM file") from None


class _RefusedError(SinkError):
    """The broker lives and answers, and does not want this."""


class _Connection:
    """One connection, from `begin` to `end`. refusal: the broker's reason code for not taking it, 0 without."""

    def __init__(self, client: paho.Client, address: str) -> None:
        self.refusal = 0
        self._client = client
        self._address = address
        self._changed = threading.Condition()
        self._answered = False
        self._leaving = False
        self._ended: str | None = None
        self._acknowledged: dict[int, ReasonCode] = {}
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish

    def begin(self, host: str, port: int, keepalive: int) -> None:
        """Returns when the broker has taken the connection. Raises SinkError."""
        try:
            self._client.connect(host, port, keepalive)
        except ssl.SSLCertVerificationError as error:
            raise self._error(f"cannot be trusted ({error.verify_message}); check its certificate and ca") from None
        except ssl.SSLError as error:
            raise self._error(f"does not speak TLS with us ({error.reason or error}); check tls and port") from None
        except TimeoutError:
            raise self._error(f"did not answer in {CONNECTING:g} s; check host, port and network") from None
        except socket.gaierror:
            raise self._error("its name is not known; check host and the network") from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise self._error(f"cannot be reached ({reason}); check host, port and that the broker runs") from None
        self._client.loop_start()
        with self._changed:
            self._changed.wait_for(lambda: self._answered or self._leaving or self._ended is not None, CONNECTING)
            if not self._answered and self._ended is None:
                raise self._error(f"did not answer in {CONNECTING:g} s")
            if self._ended is not None:
                raise self._error(self._ended)

    def publish(self, messages: Sequence[Message], timeout: float) -> None:
        """Returns when the broker has acknowledged all of them; a connection on which it did not is ended."""
        wanted: dict[int, str] = {}
        deadline = time.monotonic() + timeout
        for message in messages:
            with self._changed:
                if self._ended is not None:
                    raise self._error(self._ended)
            info = self._client.publish(message.topic, message.payload, qos=1, retain=message.retain)
            wanted[info.mid] = message.topic
        with self._changed:
            self._changed.wait_for(
                lambda: self._ended is not None or wanted.keys() <= self._acknowledged.keys(),
                max(0.0, deadline - time.monotonic()),
            )
            missing = wanted.keys() - self._acknowledged.keys()
            reasons = {mid: self._acknowledged.pop(mid) for mid in wanted.keys() - missing}
            if missing:
                self._ended = self._ended or f"did not acknowledge in {timeout:g} s"
            ended = self._ended
        if missing:
            self.end()
            raise self._error(ended or "")
        for mid, reason in reasons.items():
            if reason.is_failure:
                raise _RefusedError(
                    f"{self._address}: refuses {wanted[mid]} ({reason}); allow this user to publish it", loud=True
                )

    def wait(self) -> None:
        """Until it ends, or `leave` is called."""
        with self._changed:
            self._changed.wait_for(lambda: self._leaving or self._ended is not None)

    def leave(self) -> None:
        with self._changed:
            self._leaving = True
            self._changed.notify_all()

    @property
    def why(self) -> str:
        """It ended."""
        return f"{self._address}: {self._ended or 'closed'}"

    def end(self) -> None:
        """With a word of parting after `leave`; without it the broker publishes the last will."""
        if self._leaving:
            with suppress(Exception):
                self._client.disconnect()
        with self._changed:
            if self._leaving:
                self._changed.wait_for(lambda: self._ended is not None, 0.2)
            self._ended = self._ended or "connection closed"
            self._changed.notify_all()
        # Whatever still keeps paho's thread in its loop, a broker that hangs for one, ends with the socket. Not the TLS
        # socket's own shutdown, which takes away from under that thread what it reads with.
        sock: Any = self._client.socket()
        if sock is not None:
            with suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
        with suppress(AttributeError):  # paho forgets its thread while waiting for it, where that ends by itself
            self._client.loop_stop()
        # The client and this one hold each other: let go of what it has open at once, not when rubbish is collected.
        self._client.on_connect = self._client.on_disconnect = self._client.on_publish = None

    def _error(self, why: str) -> SinkError:
        return SinkError(f"{self._address}: {why}", loud=bool(self.refusal))

    # paho's thread

    def _on_connect(self, client: paho.Client, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:
        with self._changed:
            if reason.is_failure:
                self.refusal = reason.value
                self._ended = f"refuses us: {reason}; check user and password"
            self._answered = True
            self._changed.notify_all()

    def _on_disconnect(self, client: paho.Client, _data: Any, _flags: Any, reason: ReasonCode, _props: Any) -> None:
        with self._changed:
            self._ended = self._ended or f"connection lost ({reason})"
            self._changed.notify_all()

    def _on_publish(self, client: paho.Client, _data: Any, mid: int, reason: ReasonCode, _properties: Any) -> None:
        with self._changed:
            self._acknowledged[mid] = reason
            self._changed.notify_all()
