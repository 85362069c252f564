"""One camera's rows, frame by frame -> what is said of them: readings that are stable, rows that left."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from edge.arrays import U8
from edge.changes import Changes
from edge.config import CameraConfig, FieldConfig
from edge.events import Event, Gone, Reading, Status, new_id
from edge.frame import Frame
from edge.plausible import FieldRules
from edge.row import Row
from edge.sources.view import View
from edge.stabilise import Left, Settled, Stabiliser

_PATIENCE = 10  # looks at a picture that does not change, in which a row is read now so, now so
_DOUBT = 1.0  # seconds that a row which is not sure enough is looked at on, before that is said
_ANYWAY = 2.0  # seconds after which a picture is read even where nothing in it changed

Latest = Callable[[str, str | None], Event | None]
"""The last reading that was `ok` of a camera's field, from before this start."""


class Watch:
    """name: the camera's; model: the row model's name, for the readings; latest: what fields go on from."""

    def __init__(self, name: str, config: CameraConfig, model: str, latest: Latest | None = None) -> None:
        self.name, self._config, self._model = name, config, model
        self._view = View(config.view) if config.view else None
        self._stabiliser = Stabiliser(config.stabiliser)
        self._fields = {field: (one, FieldRules(one)) for field, one in config.fields.items()}
        for field, (_, rules) in self._fields.items():
            before = latest(name, field) if latest else None
            if before is not None:
                rules.restore(str(before.body["text"]), before.time)
        self._changes = Changes()
        self._looks, self._looked = 0, -np.inf
        self._doubtful: dict[int, tuple[Row, Frame]] = {}  # rows that have settled and are not told yet, by track
        self._said: dict[int, Reading] = {}

    def view(self, image: U8) -> U8:
        """What is looked at of a picture, uint8 [H, W, 3]. Raises Misaligned where it does not fit the picture."""
        return image if self._view is None else self._view.apply(image)

    def wants(self, picture: U8, taken: float) -> bool:
        """Whether a view is worth reading: something in it is new, or it is not known yet what stands there."""
        if self._changes.since_read(picture):
            self._looks = 0
            return True
        unknown = (self._stabiliser.waiting or self._doubtful) and self._looks < _PATIENCE
        return bool(unknown) or taken - self._looked >= _ANYWAY

    def same(self, frame: Frame) -> list[Reading | Gone]:
        """For a frame that `wants` did not want."""
        return self._told(self._stabiliser.same(frame.taken), frame)

    def update(self, frame: Frame, picture: U8, rows: Sequence[Row]) -> list[Reading | Gone]:
        """For a frame whose view was read: rows, with their alternatives."""
        self._changes.read(picture)
        self._looks, self._looked = self._looks + 1, frame.taken
        changes = self._stabiliser.update(rows, frame.taken)
        return self._confirmed(frame, {change.track for change in changes}) + self._told(changes, frame)

    def end(self) -> list[Reading | Gone]:
        """What is still to be told when no more frames come."""
        doubtful, self._doubtful = self._doubtful, {}
        return [self._told_now(track, row, since) for track, (row, since) in doubtful.items()]

    def _told(self, changes: Sequence[Settled | Left], frame: Frame) -> list[Reading | Gone]:
        told: list[Reading | Gone] = []
        for change in changes:
            if isinstance(change, Settled):
                if not self._fields or self._field_of(change.row) is not None:
                    self._doubtful[change.track] = change.row, frame
                continue
            if change.track in self._doubtful:
                row, since = self._doubtful.pop(change.track)
                told.append(self._told_now(change.track, row, since))
            reading = self._said.pop(change.track, None)
            if reading is not None:
                told.append(Gone(new_id(frame.time, self.name, change.track, "gone"), frame.time, reading))
        return told + self._sure_by_now(frame)

    def _sure_by_now(self, frame: Frame) -> list[Reading]:
        """Of the rows that have settled those that are sure enough, or have been in doubt for long."""
        told = []
        standing = self._stabiliser.standing
        for track, (row, since) in list(self._doubtful.items()):
            long = frame.taken - since.taken >= _DOUBT
            if (now := standing.get(track)) is not None and now.text == row.text:
                row, since = now, frame  # as it stands in the newest picture
            if row.confidence < self._config.min_confidence and not long:
                continue
            del self._doubtful[track]
            told.append(self._told_now(track, row, since))
        return told

    def _told_now(self, track: int, row: Row, frame: Frame) -> Reading:
        self._said[track] = reading = self._judged(track, row, self._field_of(row), frame)
        return reading

    def _judged(self, track: int, row: Row, field: str | None, frame: Frame) -> Reading:
        status: Status = "ok" if row.confidence >= self._config.min_confidence else "uncertain"
        text, why = row.text, None
        # What is not sure enough to be believed is no news of the field: neither taken, nor held against the next.
        if field is not None and status == "ok":
            verdict = self._fields[field][1].judge(row.text, frame.time)
            text, status, why = verdict.text, verdict.status, verdict.why
        return Reading(
            id=new_id(frame.time, self.name, track, row.text),
            time=frame.time,
            source=self.name,
            frame=frame.number,
            field=field,
            text=text,
            raw=row.text,
            confidence=row.confidence,
            status=status,
            row=self.outward(row),
            model=self._model,
            why=why,
        )

    def _confirmed(self, frame: Frame, changed: set[int]) -> list[Reading | Gone]:
        """A row that still stands there and is read again speaks for itself: in the end it is believed."""
        told: list[Reading | Gone] = []
        for track, row in self._stabiliser.standing.items():
            said = self._said.get(track)
            if track in changed or said is None or said.status != "implausible":
                continue
            again = self._judged(track, row, said.field, frame)
            if again.status == "ok":
                self._said[track] = again
                told.append(again)
        return told

    def _field_of(self, row: Row) -> str | None:
        """The field whose row this is; of fields without a region, the row with most digits is."""
        for name, (field, _) in self._fields.items():
            if field.region is not None and self._within(row, field):
                return name
        longest = max((len(other.text) for other in self._stabiliser.standing.values()), default=0)
        if len(row.text) >= longest:
            return next((name for name, (field, _) in self._fields.items() if field.region is None), None)
        return None

    def _within(self, row: Row, field: FieldConfig) -> bool:
        assert field.region is not None
        scale = self._view.scale if self._view else 1.0
        x, y, w, h = (side * scale for side in field.region)
        middle_x, middle_y = np.mean(row.quad, axis=0)
        return bool(x <= middle_x <= x + w and y <= middle_y <= y + h)

    def outward(self, row: Row) -> Row:
        """The row in pixels of the whole picture."""
        if self._view is None:
            return row
        (a, b, c, d) = self._view.outward(np.array(row.quad, np.float64)).tolist()
        return replace(
            row,
            quad=((a[0], a[1]), (b[0], b[1]), (c[0], c[1]), (d[0], d[1])),
            digits=tuple(replace(digit, box=self._box(digit.box)) for digit in row.digits),
            separators=tuple(replace(mark, box=self._box(mark.box)) for mark in row.separators),
        )

    def _box(self, box: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
        assert self._view is not None
        x, y, w, h = box
        corners = self._view.outward(np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]], np.float64))
        low, high = np.floor(corners.min(0)).astype(int), np.ceil(corners.max(0)).astype(int)
        return int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1])
