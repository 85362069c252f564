"""What the daemon says to the world: readings, rows that left, states of cameras. Plain data that becomes JSON."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from ulid import ULID

from edge.row import Digit, Point, Row, Separator

Status = Literal["ok", "uncertain", "implausible"]
"""ok: to be believed; uncertain: less sure than asked for; implausible: against a field's rules."""

State = Literal["starting", "online", "lost", "frozen", "dark", "misaligned", "ended"]
"""Of a camera. starting: not opened yet; lost: gives no pictures; frozen: the same picture again and again; dark: black
pictures; misaligned: pictures that its region or perspective does not fit; ended: a film or recording is over.
"""


def new_id(time: float, *what: object) -> str:
    """A ULID (github.com/ulid/spec) of an event at `time`, Unix seconds: 26 characters, sortable by time. Its other 80
    bits are a hash of `time` and `what`, so that a recording played again gives the same.
    """
    digest = hashlib.sha256(repr((time, *what)).encode()).digest()
    return str(ULID(int(1000 * time).to_bytes(6, "big") + digest[:10]))


@dataclass(frozen=True, slots=True)
class Event:
    """id: a ULID; time: Unix seconds; source: the camera's name; body: what `to_json` adds."""

    id: str
    kind: Literal["reading", "gone", "state"]
    source: str
    time: float
    body: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "kind": self.kind,
            "time": rfc3339(self.time),
            "source": self.source,
            **self.body,
        }


@dataclass(frozen=True, slots=True)
class Reading:
    """A row that was read for good.

    id: a ULID; time: Unix seconds, of the frame that settled it; source: the camera's name; frame: that frame's
    number; field: of the camera's, whose rules were asked; None without. raw: what was read, before any rule; text:
    what is to be taken for true, "" where nothing is. row: where it stands and how sure each digit is. why: what rule
    it breaks, None but for implausible ones. model: the row model's name.
    """

    id: str
    time: float
    source: str
    frame: int
    field: str | None
    text: str
    raw: str
    confidence: float
    status: Status
    row: Row
    model: str
    why: str | None = None

    def event(self) -> Event:
        body = {
            "frame": self.frame,
            "field": self.field,
            "text": self.text,
            "raw": self.raw,
            "confidence": round(self.confidence, 4),
            "status": self.status,
            "why": self.why,
            "digits": [_digit(digit) for digit in self.row.digits],
            "separators": [_separator(mark) for mark in self.row.separators],
            "quad": [_point(point) for point in self.row.quad],
            "model": self.model,
        }
        return Event(self.id, "reading", self.source, self.time, body)


@dataclass(frozen=True, slots=True)
class Gone:
    """That the row of an earlier reading has left the picture. id: a ULID; time: Unix seconds, of that frame."""

    id: str
    time: float
    reading: Reading

    def event(self) -> Event:
        body = {"reading": self.reading.id, "field": self.reading.field}
        return Event(self.id, "gone", self.reading.source, self.time, body)


def state(source: str, now: State, why: str, time: float) -> Event:
    """That a camera's state is another now. why: one line for people."""
    return Event(new_id(time, source, now, why), "state", source, time, {"state": now, "why": why})


def rfc3339(time: float) -> str:
    """Unix seconds as RFC 3339 has it, in UTC, to the millisecond."""
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _digit(digit: Digit) -> dict[str, Any]:
    return {"text": digit.text, "confidence": round(digit.confidence, 4), "box": list(digit.box)}


def _separator(mark: Separator) -> dict[str, Any]:
    return {"text": mark.text, "after": mark.after, "box": list(mark.box)}


def _point(point: Point) -> list[float]:
    return [round(float(point[0]), 1), round(float(point[1]), 1)]
