"""One camera's rows, frame by frame -> what is said of them: readings that are stable, rows that left."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edge.arrays import F64, U8
from edge.changes import Changes
from edge.config import CameraConfig, FieldConfig
from edge.events import Event, Gone, Reading, Status, new_id
from edge.frame import Frame
from edge.placing import moved
from edge.plausible import FieldRules
from edge.row import Row
from edge.sources.view import View
from edge.stabilise import Left, Settled, Stabiliser

ALTERNATIVES = 8
"""Other texts of a row that the reader is to tell, for the looks at it to be fused by."""

_GLANCES = 2  # looks at rows alone between two at all of the picture, while they are not settled
_ROOM = 0.6  # of a row's height, looked at round it
_SMALLEST = 160  # pixels; smaller pictures are read at another size
_MOST = 0.5  # of the picture, above which it is looked at whole
_PATIENCE = 10  # looks at a picture that does not change, in which a row is read now so, now so
_DOUBT = 1.0  # seconds that a row which is not sure enough is looked at on, before that is said
_ANYWAY = 2.0  # seconds after which a picture is read even where nothing in it changed

Latest = Callable[[str, str | None], Event | None]
"""The last reading that was `ok` of a camera's field, from before this start."""


@dataclass(frozen=True)
class Part:
    """A piece of a view that is to be read: uint8 [h, w, 3]; x, y: where in the view its upper left is."""

    x: int
    y: int
    image: U8

    def outward(self, points: F64) -> F64:
        """Points of the part, float64 [N, 2], as points of the view: float64 [N, 2]."""
        return points + np.array([self.x, self.y], np.float64)


class Watch:
    """name: the camera's; model: the name of what reads its rows, for the readings; latest: what fields go on from."""

    def __init__(self, name: str, config: CameraConfig, model: str, latest: Latest | None = None) -> None:
        self.name, self._model, self._config = name, model, config
        self._view = View(config.view) if config.view else None
        self._stabiliser = Stabiliser(config.stabiliser)
        self._fields = {field: (one, FieldRules(one)) for field, one in config.fields.items()}
        for field, (_, rules) in self._fields.items():
            before = latest(name, field) if latest else None
            if before is not None:
                rules.restore(str(before.body["text"]), before.time)
        self._changes = Changes()
        self._looks, self._looked = 0, -np.inf
        self._glances = _GLANCES
        self._rows: list[Row] = []
        self._doubtful: dict[int, tuple[Row, Frame]] = {}  # rows that have settled and are not told yet, by track
        self._said: dict[int, Reading] = {}

    def view(self, image: U8) -> U8:
        """What is looked at of a picture, uint8 [H, W, 3]. Raises Misaligned where it does not fit the picture."""
        return image if self._view is None else self._view.apply(image)

    def parts(self, picture: U8, taken: float) -> list[Part]:
        """What of a view is worth reading: all of it where something is new, nothing where it is known what is there.
        Between two looks at all of it, the rows found by the first are looked at alone.
        """
        glance = self._glances < _GLANCES and not self._all_settled()
        parts = self._round_rows(picture) if glance else []
        if parts:
            self._glances += 1
            return parts
        if self._changes.since_read(picture):
            self._looks = 0
        elif (self._all_settled() or self._looks >= _PATIENCE) and taken - self._looked < _ANYWAY:
            return []
        self._glances, self._looked = 0, taken
        self._changes.read(picture)
        return [Part(0, 0, picture)]

    def same(self, frame: Frame) -> list[Reading | Gone]:
        """For a frame of which nothing was worth reading."""
        return self._told(self._stabiliser.same(frame.taken), frame)

    def update(self, frame: Frame, parts: Sequence[Part], read: Sequence[Sequence[Row]]) -> list[Reading | Gone]:
        """For a frame whose parts were read. read: the rows of each, with their alternatives."""
        self._rows = [moved(row, part.outward) for part, rows in zip(parts, read, strict=True) for row in rows]
        self._looks += 1
        changes = self._stabiliser.update(self._rows, frame.taken)
        return self._confirmed(frame, {change.track for change in changes}) + self._told(changes, frame)

    @property
    def rows(self) -> list[Row]:
        """Of the last frame that was read, in pixels of the whole picture."""
        return [self.outward(row) for row in self._rows]

    def _all_settled(self) -> bool:
        return not (self._stabiliser.waiting or self._doubtful)

    def _round_rows(self, picture: U8) -> list[Part]:
        """The rows of the last look with room for a hand's motion; none where that is most of the picture anyway."""
        height, width = picture.shape[:2]
        boxes = []
        for row in self._rows:
            corners = np.array(row.quad)
            (x0, y0), (x1, y1) = corners.min(0), corners.max(0)
            room = max(_ROOM * (y1 - y0), (_SMALLEST - (y1 - y0)) / 2)
            boxes.append([max(0, x0 - room), max(0, y0 - room), min(width, x1 + room), min(height, y1 + room)])
        merged = _merged(np.array(boxes).round().astype(int).tolist())
        if sum((right - left) * (bottom - top) for left, top, right, bottom in merged) > _MOST * width * height:
            return []
        return [Part(x, y, np.ascontiguousarray(picture[y:bottom, x:right])) for x, y, right, bottom in merged]

    def read_by(self, model: str) -> list[Reading | Gone]:
        """Another model reads from now on, so named. Returns what is still to be told of what the one before read: the
        two may know other labels, and are never sure of the same things, so their looks are not fused.
        """
        told = self.end()
        self._model = model
        self._stabiliser.forget_looks()
        self._changes.forget()
        return told

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
        return row if self._view is None else moved(row, self._view.outward)


def _merged(boxes: list[list[int]]) -> list[list[int]]:
    """Boxes left, top, right, bottom, such that no two overlap: those that do are one."""
    apart: list[list[int]] = []
    for box in boxes:
        over = [other for other in apart if _overlap(box, other)]
        while over:
            apart = [other for other in apart if other not in over]
            lows, highs = np.array([box, *over])[:, :2].min(0), np.array([box, *over])[:, 2:].max(0)
            box = [*lows.tolist(), *highs.tolist()]
            over = [other for other in apart if _overlap(box, other)]
        apart.append(box)
    return apart


def _overlap(one: list[int], other: list[int]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
