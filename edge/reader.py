"""The front door: a picture in, its rows of digits out.

imaging finds lines and, in them, what may be a digit; one ONNX Runtime call reads all lines whole, another judges all
candidates; what both together find likeliest is the row.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import compress, islice
from pathlib import Path

import cv2
import numpy as np

from edge.arrays import F32, F64, U8, u8
from edge.combine import Evidence, combine
from edge.decode import Decoded, decode
from edge.engine import EngineConfig
from edge.imaging.candidates import Candidate
from edge.imaging.ink import find_inks, find_local_inks
from edge.imaging.lines import Line, find_lines, lattice
from edge.imaging.normalise import normalise_all
from edge.model_card import REJECT
from edge.page import ReadLine, doubted, is_likely, shows_a_row, sureness, without_parts, without_strays
from edge.placing import corners, moved
from edge.recogniser import TUNED_ABOVE, Recogniser, Tuned
from edge.row import UNREADABLE, Row
from edge.separators import find_separators
from edge.sequence import BLANK, RowModel, agreed, likeliest
from edge.whole import Seen, WholeReader

SMALLEST = 12
"""Pixels of a picture's shorter side below which there is no room for a digit."""

_LARGEST = 2400  # pixels of the longest side that is worked on; larger pictures are read at this size
_COARSE = 110  # pixels of height below which a picture is doubled first: strokes of one pixel have no shape

# What is looked at is bounded, so that a page of print, keys or noise costs no minutes. In pixels of strips, a row of
# twenty digits having some 400, the most that 300 pictures of `benchmarks.accuracy`'s five kinds by held-out writers
# had in brackets:
_ROOM, _FRAME = 16_000, 1280 * 720  # of one ink of a picture of that size, in proportion of a larger one (8,700)
_DENSE = 12_000  # of a page that is not looked through again, part by part (8,700)
_ROOM_AGAIN = 6_000  # of one ink of a picture that is (3,900)
_ASKED = 1_000  # candidates of an ink that are asked about, those of the surest lines (580)
_CROWDED = 60  # lines that may be digits: of a page that is not looked through again, either
# What `is_likely` asks of a row in a picture looked through again: the paper inside letters is read as ones, too.
_LEAST_AGAIN = 0.3
# Probability that a row found so is a whole one, beside what the models say of it: of 235 such rows of 2,600 validation
# pictures they held 69 % for right and 58 were, of the 66 that they were surest of 97 and 88. Of a counter with dark
# and light wheels the ones or the others are read.
_WHOLE = 0.88
# Probability of all that was read of a row from which on ink of the other polarity, where it may be either, is not
# looked for: on 60 validation pictures of each kind, displays of seven segments too, all are read as without this
# bound; with 0.6 one less is read rightly.
_SURELY = 0.9
_TINY = 1e-9  # probability below which it is all the same
# Confidence of a row from which a picture is not looked through again, part by part: of the 1,400 pictures of `python
# -m benchmarks.choice` 0.7 and 0.85 read 1135 and 1136, of its cheques 332 and 333.
_CONTENT = 0.85
# Confidence and digits of a row from which, though it is looked through again, it is for that row alone: of 4,300
# validation pictures 3682 are read; all of each looked through 3684, in a sixth more strips; and with a row of two
# digits, which dirt often looks like, 3680.
_LIKELY = 0.5, 3


class Reader:
    """Reads rows of digits.

    model, row_model: ONNX files written by `digitd export`, of single digits and of whole rows; None takes the ones
    that come with the package. Where their labels differ, or are more than one character, or `model`'s card says so and
    no row model is named, the candidates of single digits are read alone, and `row_model` is None.
    tuned: one fine-tuned from `model`, whose answers are taken where it is at least as sure as `tuned_above`.
    Raises ModelError or ProviderError in one line that says what, where and the mend.
    """

    def __init__(
        self,
        model: Path | None = None,
        engine: EngineConfig | None = None,
        row_model: Path | None = None,
        *,
        tuned: Path | None = None,
        tuned_above: float = TUNED_ABOVE,
    ) -> None:
        self.recogniser = Tuned(model, tuned, tuned_above, engine) if tuned else Recogniser(model, engine)
        self._rows = RowModel(row_model, engine)
        self._whole = WholeReader(self._rows)
        card = self.recogniser.card
        alone = card.alone and row_model is None
        self.row_model = self._rows if not alone and _agree(card.labels, self._rows.labels) else None

    @property
    def name(self) -> str:
        """Of the model that rows are read with."""
        return (self.row_model or self.recogniser).card.name

    def read(self, image: U8, alternatives: int = 0) -> list[Row]:
        """The rows of digits in a picture, top to bottom.

        image: uint8 [H, W] grey or [H, W, 3] BGR, ink darker or lighter than its paper. Raises ValueError for
        anything else. A picture with no digits, or too small to hold one, gives no rows.
        alternatives: how many of each row's other texts are told, at most; none are looked for by default.
        """
        return self.read_all([image], alternatives)[0]

    def read_all(self, images: Sequence[U8], alternatives: int = 0) -> list[list[Row]]:
        """What `read` gives for each picture; several in as many calls of the models as one."""
        for image in images:
            _check(image)
        large = [i for i, image in enumerate(images) if min(image.shape[:2]) >= SMALLEST]
        worked_on = [working_size(_grey(images[i])) for i in large]
        rows: list[list[Row]] = [[] for _ in images]
        for i, (_, scale), lines in zip(large, worked_on, self.lines([grey for grey, _ in worked_on]), strict=True):
            rows[i] = [_row(read, scale, images[i].shape[:2], self._texts(read, alternatives)) for read in lines]
        return rows

    def lines(self, greys: Sequence[U8]) -> list[list[ReadLine]]:
        """The rows of pictures of working size, uint8 [H, W] each, as they were read and found: by dark ink or by
        light.
        """
        inks = [find_inks(grey) for grey in greys]
        found: list[list[list[ReadLine]]] = [[] for _ in greys]
        dense = [0.0] * len(greys)
        unread = list(range(len(greys)))
        # The likelier polarity first; the other only where that shows no row that leaves no doubt.
        for _ in range(2):
            lines = {i: find_lines(ink, _room(greys[i])) for i in unread if (ink := next(inks[i], None)) is not None}
            for i, (page,) in zip(lines, self._pages([[lines[i]] for i in lines]), strict=True):
                found[i].append(page)
                dense[i] += sum(line.width for line in lines[i])
            unread = [i for i in unread if not any(shows_a_row(page, _SURELY) for page in found[i])]
        unread = [
            i
            for i, pages in enumerate(found)
            if not any(shows_a_row(page, _CONTENT) for page in pages)
            and sum(map(len, pages)) <= _CROWDED
            and dense[i] <= _DENSE
        ]
        locally = [_to_be_looked_through(greys[i], found[i]) for i in unread]
        as_whole = [len(pages) for pages in found]
        for i, again in zip(unread, self._pages(locally), strict=True):
            found[i] += [[row for row in page if is_likely(row.decoded.digits, _LEAST_AGAIN)] for page in again]
        return [_best(pages, count) for pages, count in zip(found, as_whole, strict=True)]

    def _pages(self, pictures: Sequence[Sequence[list[Line]]]) -> list[list[list[ReadLine]]]:
        """The lines of each picture's inks, read; of all pictures together, as the models' calls cost less so."""
        pages = [page for inks in pictures for page in inks]
        seen, still = self._whole.read(pages) if self.row_model else _unread_whole(pages)
        asked = [each for lines in still for each in _lattices(lines)]
        answers = iter(self.recogniser.log_probs(normalise_all([ink for _, _, inks in asked for ink in inks])))
        for one, candidates, _ in asked:
            log_probs = np.full((len(candidates), len(self.recogniser.card.labels)), -np.inf, np.float32)
            for own, candidate in zip(log_probs, candidates, strict=True):
                if not candidate.is_low(one.line.height):
                    own[:] = next(answers)
            one.decoded = self._combined(one, candidates, log_probs)
        read = iter([[ReadLine(one.decoded, one.line, one.looks) for one in page if one.decoded] for page in seen])
        return [list(islice(read, len(inks))) for inks in pictures]

    def _texts(self, read: ReadLine, count: int) -> tuple[tuple[str, float], ...]:
        """The row's text and up to `count` others, with the natural logarithms of their probabilities, likeliest first:
        what the row's confidence leaves is shared among the others as the row model likes them.
        """
        if not count:
            return ()
        own = "".join(digit.text for digit in read.decoded.digits)
        told = [] if UNREADABLE in own else [(own, math.log(max(read.decoded.confidence, _TINY)))]
        if not read.looks:
            return tuple(told)
        labels = self._rows.labels
        proposed = [text for text in likeliest(read.looks[0], count + 1) if text]
        likelihoods = agreed(read.looks, proposed or [()])[: len(proposed)]
        texts = {"".join(labels[k] for k in text): float(one) for text, one in zip(proposed, likelihoods, strict=True)}
        others = sorted(((one, text) for text, one in texts.items() if text != own), reverse=True)[:count]
        rest = np.logaddexp.reduce([one for one, _ in others]) if others else 0.0
        left = math.log(max(1 - read.decoded.confidence, _TINY))
        told += [(text, left + one - float(rest)) for one, text in others if one > -np.inf]
        return tuple(sorted(told, key=lambda text: -text[1]))

    def _combined(self, seen: Seen, candidates: list[Candidate], log_probs: F32) -> Decoded:
        """A line's reading by both models; log_probs: float32 [len(candidates), K]."""
        labels, reject, line = self.recogniser.card.labels, self.recogniser.reject, seen.line
        alone = decode(candidates, log_probs, labels, reject, line.height)
        if not seen.looks:
            return alone
        return combine(
            Evidence(
                candidates,
                log_probs,
                labels,
                reject,
                seen.looks,
                self._rows.labels,
                seen.columns,
                line.top,
                line.height,
                line.is_on_plate,
            ),
            alone,
        )


def _agree(labels: Sequence[str], spelling: Sequence[str]) -> bool:
    """Whether the two models can judge each other's texts, each character of which is a label."""
    own = {*labels} - {REJECT}
    return own == {*spelling} - {BLANK} and all(len(label) == 1 for label in own)


def _best(pages: list[list[ReadLine]], as_whole: int) -> list[ReadLine]:
    """The rows of the surest of several readings of a picture. as_whole: how many of them, the first, are not of a
    picture looked through again, part by part.
    """
    pages = without_parts([without_strays(page) for page in pages])
    best = max(range(len(pages)), key=lambda k: sureness(pages[k]), default=-1)
    rows = pages[best] if pages else []
    return rows if best < as_whole else [doubted(row, _WHOLE) for row in rows]


def _unread_whole(pages: Sequence[list[Line]]) -> tuple[list[list[Seen]], list[list[Seen]]]:
    """What `WholeReader.read` gives where there is no row model: every line is to be told by its candidates."""
    seen = [[Seen(line, [], np.zeros(0), "", 0.0) for line in page] for page in pages]
    return seen, seen


def _to_be_looked_through(grey: U8, pages: list[list[ReadLine]]) -> list[list[Line]]:
    """The lines of each local ink of a picture that was read like `pages`, but not surely: where something is likely to
    be a row, what meets the rows that were read, in ink like theirs; else all, in ink of either polarity.
    """
    rows = [row for page in pages if shows_a_row(page, *_LIKELY) for row in page if len(row.decoded.digits) > 1]
    if not rows:
        return [find_lines(ink, _ROOM_AGAIN) for ink in find_local_inks(grey)]
    inks = find_local_inks(grey, sorted({row.line.ink.is_light for row in rows}))
    lines = [find_lines(ink, _ROOM_AGAIN) for ink in inks]
    return [[line for line in page if any(line.meets(row.line) for row in rows)] for page in lines]


def _room(grey: U8) -> float:
    """Pixels of strips that are looked at in a picture."""
    return _ROOM * max(1.0, grey.size / _FRAME)


def _lattices(lines: list[Seen]) -> Iterator[tuple[Seen, list[Candidate], list[U8]]]:
    """The lines with their candidates and the ink of each that is not too low for a digit, until those are so many that
    time must be bounded.
    """
    count = 0
    for one in lines:
        if count + len(one.line.strokes) > _ASKED:
            continue
        candidates, inks = lattice(one.line)
        count += len(candidates)
        tall = (not candidate.is_low(one.line.height) for candidate in candidates)
        yield one, candidates, list(compress(inks, tall))


def _check(image: U8) -> None:
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        kind = getattr(image, "dtype", type(image).__name__)
        raise ValueError(f"image: uint8 array wanted, not {kind}")
    if image.ndim != 2 and not (image.ndim == 3 and image.shape[2] == 3):
        raise ValueError(f"image: shape [H, W] or [H, W, 3] wanted, not {list(image.shape)}")


def _grey(image: U8) -> U8:
    return image if image.ndim == 2 else u8(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))


def working_size(grey: U8) -> tuple[U8, float]:
    """The picture at the size it is read at, and working pixels per pixel."""
    scale = min(1.0, _LARGEST / max(grey.shape))
    if grey.shape[0] < _COARSE:
        scale = 2.0 if max(grey.shape) * 2 <= _LARGEST else 1.0
    if scale == 1.0:
        return grey, scale
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.resize(grey, None, fx=scale, fy=scale, interpolation=interpolation), scale


def _row(read: ReadLine, scale: float, shape: tuple[int, ...], texts: tuple[tuple[str, float], ...]) -> Row:
    """A row in pixels of the picture that was handed in."""
    decoded, line = read.decoded, read.line

    def outward(points: F64) -> F64:
        if line.back is not None:
            points = points @ line.back[:, :2].T + line.back[:, 2]
        return np.clip(points / scale, 0, [shape[1], shape[0]])

    boxes = np.array([digit.box for digit in decoded.digits])
    x, y = boxes[:, :2].min(0).tolist()
    right, bottom = (boxes[:, :2] + boxes[:, 2:]).max(0).tolist()
    text = "".join(digit.text for digit in decoded.digits)
    separators = find_separators(decoded.digits, line.strokes)
    quad = corners((x, y, right - x, bottom - y))
    return moved(Row(text, decoded.confidence, decoded.digits, quad, separators, texts), outward)
