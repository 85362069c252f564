"""From the rows of many frames to readings: one for each row, once it is stable; another when it changes."""

import math
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from edge.config import StabiliserConfig
from edge.direct import shared
from edge.fusion import Evidence
from edge.row import UNREADABLE, Row
from edge.tracking import Place, Shift, follow, place_of

MOST = 32
"""Rows that are followed at a time. In a busy picture those with most digits are."""

_ONCE_MORE = 2  # looks that have to agree, however sure the first was: what is seen once is often nothing
_RECENT = 4  # times as many looks as have to agree, among which they are
_LIKELY = 0.5  # confidence below which a text is not settled on yet, as another may come to be likelier
_NEAR = 0.7  # by how much the logarithm of a text's probability may be less than its own for a look to agree with it
_IN_DOUBT = 2  # times as many looks as have to agree, with which even an unlikely text is: so that no row goes unsaid
_PATIENCE = 5  # times as many looks as have to agree, after which a row that does not settle is not waited for


@dataclass(frozen=True, slots=True)
class Settled:
    """A row was read for good. track: its number, the same as long as it is seen; row: as it stands in the newest look,
    `text`, `confidence` and `alternatives` those of all looks together, the digits' confidences to fit; first: whether
    it is the track's first, not a changed text.
    """

    track: int
    row: Row
    first: bool


@dataclass(frozen=True, slots=True)
class Left:
    """A row that had settled has not been seen for `gone_after`. row: as it settled last."""

    track: int
    row: Row


@dataclass(eq=False)
class _Track:
    number: int
    place: Place
    seen: float  # when it was last
    recent: deque[frozenset[str]]  # what the newest looks may have read, since the row settled
    evidence: Evidence = field(default_factory=Evidence)
    row: Row | None = None  # in the newest look, with what all looks say; None while that look reads something else
    best: str = ""  # the likeliest text by all looks
    looks: int = 0  # since it is not settled what `best` is
    here: bool = True  # in the newest look
    settled: Row | None = None

    def look(self, row: Row, place: Place, taken: float) -> None:
        self.seen, self.here = taken, True
        self.evidence.add(row)
        texts = self.evidence.texts()
        text = texts[0][0] if texts else row.text
        self.best = text
        self.looks = self.looks + 1 if self.is_new() else 0
        # What is read otherwise is mostly a part of the row, or more than it: it tells where the row is, not how large.
        size = place if row.text == text else self.place
        self.place = replace(place, text=text, width=size.width, height=size.height)
        self.row = _fused(row, texts) if row.text == text else None
        self.recent.append(_likely(row))

    def is_new(self) -> bool:
        return self.settled is None or self.settled.text != self.best

    def settles(self, config: StabiliserConfig) -> bool:
        if self.row is None or not self.is_new():
            return False
        looks = sum(self.best in texts for texts in self.recent)
        if self.settled is None:
            others = Counter(text for texts in self.recent if self.best not in texts for text in texts)
            if looks <= max(others.values(), default=0):
                return False
        if self.row.confidence >= config.confidence:
            return looks >= min(_ONCE_MORE, config.agree)
        if self.row.confidence >= _LIKELY or UNREADABLE in self.best:
            return looks >= config.agree
        return looks >= _IN_DOUBT * config.agree and self.settled is None

    def settle(self) -> None:
        self.settled, self.looks = self.row, 0
        self.recent.clear()

    def forget_looks(self) -> None:
        self.evidence, self.looks = Evidence(), 0
        self.recent.clear()


class Stabiliser:
    """Follows the rows of one camera's frames. It has no clock: the same calls give the same answers.

    A row settles at a look that reads the text which all looks together find likeliest, and more likely than not, when
    `agree` of the last looks, four times as many, have read it or found it about as likely as what they read; or when
    two have and all together are as sure as `confidence` says; at first, only while no other text has as many. A row of
    which no text is more likely than not settles after twice as many looks. It settles again when the likeliest text is
    another one, and looks after the last settling agree in the same way. A text with `?` settles only while no look
    could read all of it. With `agree` 1 a single look is enough, even of a row never seen before.
    """

    def __init__(self, config: StabiliserConfig) -> None:
        self._config = config
        self._tracks: list[_Track] = []
        self._count = 0

    def update(self, rows: Sequence[Row], taken: float) -> list[Settled | Left]:
        """What a frame's rows, read as of `taken`, in seconds of a clock that does not go back, bring to light."""
        rows = _most_digits(rows)
        places = [place_of(row) for row in rows]
        pairs, shift = follow([track.place for track in self._tracks], places)
        self._miss_all(shift)
        for i, j in pairs:
            self._tracks[i].look(rows[j], places[j], taken)
        known = {j for _, j in pairs}
        for j, (row, place) in enumerate(zip(rows, places, strict=True)):
            if j not in known:
                self._begin(row, place, taken)
        events: list[Settled | Left] = [*self._left(taken)]
        for track in self._tracks:
            if track.here and track.row is not None and track.settles(self._config):
                events.append(Settled(track.number, track.row, track.settled is None))
                track.settle()
        return events

    def same(self, taken: float) -> list[Left]:
        """The same for a frame that was not read, as it looks like the one before: the rows of that are still there.

        It is no look: what noise or light made of the last frame would be counted twice. See `waiting`.
        """
        for track in self._tracks:
            if track.here:
                track.seen = taken
        return self._left(taken)

    def forget_looks(self) -> None:
        """From now on another model reads: what the looks so far said counts no more, neither for a text nor towards
        settling. What has settled stands until it is read otherwise.
        """
        for track in self._tracks:
            track.forget_looks()

    @property
    def waiting(self) -> bool:
        """Whether a row of the last frame needs more looks to settle: then even a frame with nothing new in it should
        be read. Rows that do not settle in many looks are given up waiting for.
        """
        patience = _PATIENCE * self._config.agree
        return any(track.here and track.is_new() and track.looks < patience for track in self._tracks)

    @property
    def standing(self) -> dict[int, Row]:
        """By track, the rows that the last frame that was read showed once more as they had settled."""
        return {
            track.number: track.row
            for track in self._tracks
            if track.here and track.row is not None and not track.is_new()
        }

    def _miss_all(self, shift: Shift) -> None:
        """Until it is seen, a row is where it was, moved with the picture."""
        for track in self._tracks:
            track.here, track.place = False, track.place.moved(shift)

    def _begin(self, row: Row, place: Place, taken: float) -> None:
        if len(self._tracks) >= MOST:
            unsettled = [track for track in self._tracks if track.settled is None and not track.here]
            if not unsettled:
                return
            self._tracks.remove(min(unsettled, key=lambda track: (track.seen, track.number)))
        self._count += 1
        track = _Track(self._count, place, taken, deque(maxlen=_RECENT * self._config.agree))
        track.look(row, place, taken)
        self._tracks.append(track)

    def _left(self, taken: float) -> list[Left]:
        gone = [t for t in self._tracks if not t.here and taken - t.seen >= self._config.gone_after]
        self._tracks = [track for track in self._tracks if track not in gone]
        return [Left(track.number, track.settled) for track in gone if track.settled is not None]


def _likely(row: Row) -> frozenset[str]:
    """The texts that a look agrees with: its own, and those that it finds about as likely."""
    told = dict(row.alternatives)
    least = told.get(row.text, 0.0) - _NEAR
    return frozenset([row.text, *(text for text, one in told.items() if one >= least)])


def _most_digits(rows: Sequence[Row]) -> list[Row]:
    """Those of `rows` that are followed, in their order."""
    order = sorted(range(len(rows)), key=lambda i: (-len(rows[i].text), -rows[i].confidence, i))
    return [rows[i] for i in sorted(order[:MOST])]


def _fused(row: Row, texts: tuple[tuple[str, float], ...]) -> Row:
    """`row` as sure as all looks together are of its text, the first of `texts`; the digits as unsure by turns as in
    this look. One with `?` stays as it was read.
    """
    if row.confidence <= 0 or not texts:
        return replace(row, alternatives=texts)
    confidence = math.exp(texts[0][1])
    sure = [digit.confidence for digit in row.digits]
    digits = tuple(
        replace(digit, confidence=one) for digit, one in zip(row.digits, shared(confidence, sure), strict=True)
    )
    return replace(row, confidence=confidence, digits=digits, alternatives=texts)
