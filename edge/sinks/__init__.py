"""Where events go. Each sink is fed from the outbox by a `Delivery` of its own."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from edge.config import JsonlSink, MqttSink, SinkConfig, StdoutSink
from edge.errors import DigitdError
from edge.events import Event


class SinkError(DigitdError):
    """Not delivered, or not for certain; to be tried again. loud: it will hardly mend itself."""

    def __init__(self, message: str, loud: bool = False) -> None:
        super().__init__(message)
        self.loud = loud


class Sink(Protocol):
    """All of it but `ready` is called by one thread.

    batch: how many events one `send` takes at most. ready: set by who feeds the sink; the sink calls it, from any
    thread, when a delivery that failed is worth another try at once.
    """

    name: str
    batch: int
    ready: Callable[[], None]

    def start(self) -> None:
        """Before the first `send`, when an earlier sink of this name has been closed. Raises nothing."""

    def send(self, events: Sequence[Event]) -> None:
        """Returns when all are safely there, in order. Raises SinkError; some of them may have arrived then."""

    def reopen(self) -> None:
        """Files have been moved: begin new ones (SIGHUP)."""

    def close(self) -> None:
        """Started or not."""


Cameras = Mapping[str, Sequence[str]]
"""The cameras' names, with those of their fields."""


def open_sink(name: str, config: SinkConfig, cameras: Cameras | None = None) -> Sink:
    """name: in digitd.toml, `[sinks.name]`. cameras: what MQTT announces to Home Assistant.

    Raises ConfigError for what only a change of settings mends. A broker or server that is away is no error.
    """
    if isinstance(config, StdoutSink):
        from edge.sinks import stdout

        return stdout.Stdout(name, config)
    if isinstance(config, JsonlSink):
        from edge.sinks import jsonl

        return jsonl.Jsonl(name, config)
    if isinstance(config, MqttSink):
        from edge.sinks import mqtt

        return mqtt.Mqtt(name, config, cameras or {})
    from edge.sinks import webhook

    return webhook.Webhook(name, config)


def nobody() -> None:
    """What `ready` is until somebody feeds the sink."""
