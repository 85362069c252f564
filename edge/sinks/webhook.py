"""Events to a web server: one POST each, signed, in order, until it says 2xx. docs/webhook.md is for its author."""

import hashlib
import hmac
import json
import logging
import ssl
import time
from collections.abc import Sequence
from importlib.metadata import version

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationParseError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
    SSLError,
)
from urllib3.util import Timeout, parse_url

from edge.config import WebhookSink
from edge.errors import ConfigError
from edge.events import Event
from edge.secrets import read_secret
from edge.sinks import SinkError, nobody

SOON = frozenset((408, 425, 429))  # of 4xx: "not now"; all others say that it will never be taken as it is
ANSWER = 4096  # bytes of an answer that are read; nothing in it is wanted

# At DEBUG it writes down each request's path, and in the paths of webhooks there are often secrets.
logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)


class Webhook:
    """A POST carries one event, so that its Idempotency-Key, the event's id, is the same whenever it is sent again."""

    def __init__(self, name: str, config: WebhookSink) -> None:
        self.name = name
        self.batch = 1
        self.ready = nobody
        where = f"sinks.{name}.url"
        try:
            url = parse_url(config.url)
        except LocationParseError:
            raise ConfigError(f"{where}: is no URL; write it as https://server/path") from None
        if not url.host:
            raise ConfigError(f"{where}: names no server; write it as https://server/path")
        if url.auth:
            raise ConfigError(f"{where}: a user and password in it are not sent; leave them out and set secret")
        self._server = f"{url.scheme}://{url.netloc}"  # all of the URL that may be shown
        self._url = config.url
        self._key = read_secret(config.secret, f"sinks.{name}.secret").encode() if config.secret else None
        self._agent = f"digitd/{version('digitd')}"
        self._timeout = config.timeout
        self._pool = urllib3.PoolManager(
            num_pools=1,
            maxsize=1,
            timeout=Timeout(connect=config.timeout, read=config.timeout),
            retries=False,
            ssl_context=_trusting(config, name) if url.scheme == "https" else None,
        )

    def start(self) -> None:
        """The first event connects."""

    def send(self, events: Sequence[Event]) -> None:
        for event in events:
            self._post(event)

    def reopen(self) -> None:
        """Nothing of it is a file."""

    def close(self) -> None:
        self._pool.clear()

    def _post(self, event: Event) -> None:
        body = json.dumps(event.to_json()).encode()
        headers = {"Content-Type": "application/json", "User-Agent": self._agent, "Idempotency-Key": event.id}
        if self._key is not None:
            headers["Digitd-Signature"] = signature(self._key, body, int(time.time()))
        try:
            answer = self._pool.request(
                "POST", self._url, body=body, headers=headers, redirect=False, preload_content=False
            )
            try:
                status = answer.status
                answer.read1(ANSWER)
            finally:
                # An answer that is not at its end would be taken for the next one's beginning.
                answer.release_conn() if answer.length_remaining == 0 else answer.close()
        except (HTTPError, OSError, ValueError) as error:
            raise SinkError(f"{self._server}: {self._why(error)}") from None
        self._judge(status, answer.headers.get("Location"))

    def _judge(self, status: int, location: str | None) -> None:
        if 200 <= status < 300:
            return
        if 300 <= status < 400:
            to = _server(location)
            raise SinkError(f"{self._server}: redirects{to} ({status}), which is not followed; set url", loud=True)
        if 400 <= status < 500 and status not in SOON:
            hint = "; check secret" if status in (401, 403) else "; check url" if status in (404, 405, 410) else ""
            raise SinkError(f"{self._server}: refuses an event ({status}); it is offered again{hint}", loud=True)
        raise SinkError(f"{self._server}: does not take events now ({status})")

    def _why(self, error: Exception) -> str:
        if isinstance(error, ConnectTimeoutError) and not isinstance(error, NewConnectionError):
            return f"could not be reached in {self._timeout:g} s"
        if isinstance(error, ReadTimeoutError | TimeoutError):
            return f"did not answer in {self._timeout:g} s"
        if isinstance(error, NameResolutionError):
            return "its name is not known; check url and the network"
        if isinstance(error, NewConnectionError):
            return f"cannot be reached ({getattr(error.__cause__, 'strerror', None) or 'no connection'})"
        if isinstance(error, SSLError):
            return f"cannot be trusted ({_reason(error)}); check its certificate and ca"
        if isinstance(error, ProtocolError):
            return "ended the connection without an answer"
        return f"cannot be posted to ({type(error).__name__})"


def signature(key: bytes, body: bytes, seconds: int) -> str:
    """`t=SECONDS,v1=HEX`: HMAC-SHA256 of `SECONDS.BODY`. seconds: Unix, when it is sent; so that a request that was
    overheard is no good later.
    """
    mac = hmac.new(key, b"%d." % seconds + body, hashlib.sha256)
    return f"t={seconds},v1={mac.hexdigest()}"


def _trusting(config: WebhookSink, name: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=config.ca)
    except OSError as error:
        reason = "holds no certificates" if isinstance(error, ssl.SSLError) else error.strerror
        raise ConfigError(f"sinks.{name}.ca: {config.ca} ({reason}); name a PEM file") from None


def _reason(error: SSLError) -> str:
    inner = error.args[0] if error.args else error
    return getattr(inner, "verify_message", "") or getattr(inner, "reason", None) or "no TLS"


def _server(location: str | None) -> str:
    try:
        url = parse_url(location or "")
    except LocationParseError:
        return ""
    return f" to {url.scheme or 'http'}://{url.netloc.rpartition('@')[2]}" if url.netloc else ""
