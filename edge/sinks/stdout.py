"""Events on standard output: a line for the eye, or JSON lines."""

import json
import sys
from collections.abc import Sequence
from typing import TextIO

from edge.config import StdoutSink
from edge.events import Event, rfc3339
from edge.sinks import SinkError, nobody
from edge.text import printable


class Stdout:
    def __init__(self, name: str, config: StdoutSink, stream: TextIO | None = None) -> None:
        self.name = name
        self.batch = 100
        self.ready = nobody
        self._line = line if config.format == "text" else json_line
        self._stream = stream

    def start(self) -> None:
        """Nothing to begin."""

    def send(self, events: Sequence[Event]) -> None:
        stream = self._stream or sys.stdout
        if stream is None:
            raise SinkError("standard output is closed; start digitd with one, or leave this sink out", loud=True)
        try:
            stream.write("".join(self._line(event) + "\n" for event in events))
            stream.flush()
        except (OSError, ValueError) as error:  # ValueError: closed
            reason = getattr(error, "strerror", None) or error
            raise SinkError(f"standard output cannot be written ({reason}); leave this sink out", loud=True) from None

    def reopen(self) -> None:
        """Standard output cannot be."""

    def close(self) -> None:
        """Not ours to close."""


def json_line(event: Event) -> str:
    """In ASCII, so that whatever a text holds comes through any stream as it was."""
    return json.dumps(event.to_json())


def line(event: Event) -> str:
    """`2026-03-01T12:00:00.000Z  cellar/water  40718  0.998  ok`, columns two spaces apart; moves no cursor."""
    field = event.body.get("field")
    parts = [rfc3339(event.time), f"{event.source}/{field}" if field else event.source]
    if event.kind == "reading":
        parts += [event.body["text"] or "-", f"{event.body['confidence']:.3f}", event.body["status"]]
        if event.body["raw"] != event.body["text"]:
            parts.append(f"read as {event.body['raw'] or '-'}")
    else:
        parts.append(event.body["state"] if event.kind == "state" else "gone")
    if event.body.get("why"):
        parts.append(event.body["why"])
    return printable("  ".join(parts))
