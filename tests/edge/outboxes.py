"""What tests of the outbox share: events for it, and one at a fixed time."""

from pathlib import Path
from typing import Any

from ulid import ULID

from edge.events import Event
from edge.outbox import Outbox

NOW = 1_800_000_000.0
DAY = 86_400.0


def reading(text: str = "40718", **more: Any) -> Event:
    body = {"field": None, "text": text, "raw": text, "confidence": 0.99, "status": "ok", "why": None}
    known = {key: more.pop(key) for key in list(more) if key in ("source", "time")}
    return Event(str(ULID()), "reading", known.get("source", "cellar"), known.get("time", NOW), {**body, **more})


def outbox(path: Path, *sinks: str, **limits: Any) -> Outbox:
    opened = Outbox(path, **{"clock": lambda: NOW, **limits})
    if sinks:
        opened.keep_only(sinks)
    return opened


def ids(box: Outbox, sink: str, count: int = 10_000) -> list[str]:
    return [event.id for _, event in box.after(sink, count)]
