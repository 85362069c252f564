"""What is published under which MQTT topic. docs/mqtt.md is for who subscribes."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from edge.events import Event

FINE = frozenset(("online", "starting", "ended"))
"""States of a camera that are no problem."""


@dataclass(frozen=True, slots=True)
class Message:
    topic: str
    payload: str
    retain: bool = True


@dataclass(frozen=True, slots=True)
class Picture:
    """What is known of one camera. state: None before any was told; why: of it. broken: by field ("" for none of its
    own), what rule the last reading breaks, where it breaks one.
    """

    state: str | None = None
    why: str | None = None
    broken: dict[str, str] = field(default_factory=dict)

    def after(self, event: Event) -> "Picture":
        if event.kind == "state":
            return replace(self, state=event.body["state"], why=event.body.get("why"))
        name = event.body.get("field") or ""
        others = {key: why for key, why in self.broken.items() if key != name}
        if event.kind == "reading" and event.body["status"] == "implausible":
            others[name] = event.body.get("why") or "implausible"
        return replace(self, broken=others)

    def problem(self, field: str) -> str | None:
        """One line, None where all is well."""
        if self.state is not None and self.state not in FINE:
            return f"{self.state}: {self.why}" if self.why else self.state
        return self.broken.get(field)


class Topics:
    """prefix: that all topics begin with. cameras: the fields of each."""

    def __init__(self, prefix: str, cameras: dict[str, tuple[str, ...]]) -> None:
        self.status = f"{prefix}/status"
        self._prefix = prefix
        self._fields = cameras

    def camera_status(self, camera: str) -> str:
        return f"{self._prefix}/{camera}/status"

    def of(self, camera: str, field: str, what: str) -> str:
        """what: reading, value, problem, gone. field: "" for a camera without."""
        return f"{self._prefix}/{camera}/{field}/{what}" if field else f"{self._prefix}/{camera}/{what}"

    def messages(self, event: Event, before: Picture) -> Iterator[Message]:
        """What `event` publishes, `before` being what was known of its camera."""
        whole = json.dumps(event.to_json())
        after = before.after(event)
        if event.kind == "state":
            yield Message(f"{self._prefix}/{event.source}/state", whole, retain=False)
            yield Message(self.camera_status(event.source), event.body["state"])
            for name in self.fields(event.source):
                yield self._problem(event.source, name, after)
            return
        name = event.body.get("field") or ""
        if event.kind == "gone":
            yield Message(self.of(event.source, name, "gone"), whole, retain=False)
        else:
            yield Message(self.of(event.source, name, "reading"), whole)
            if event.body["status"] == "ok":
                yield Message(self.of(event.source, name, "value"), event.body["text"])
        if after.problem(name) != before.problem(name) or event.kind == "reading":
            yield self._problem(event.source, name, after)

    def known(self, camera: str, picture: Picture) -> Iterator[Message]:
        """What a broker that has forgotten it all has to be told again of a camera."""
        if picture.state is not None:
            yield Message(self.camera_status(camera), picture.state)
        for name in self.fields(camera):
            if picture.state is not None or name in picture.broken:
                yield self._problem(camera, name, picture)

    def fields(self, camera: str) -> tuple[str, ...]:
        return self._fields.get(camera) or ("",)

    def _problem(self, camera: str, field: str, picture: Picture) -> Message:
        why = picture.problem(field)
        return Message(
            self.of(camera, field, "problem"), json.dumps({"problem": "OFF" if why is None else "ON", "why": why})
        )
