"""The front door: a picture in, its rows of digits out.

imaging finds lines and, in them, what may be a digit; one ONNX Runtime call reads all lines whole, another judges all
candidates; what both together find likeliest is the row.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from edge.arrays import F32, F64, U8, u8
from edge.combine import Evidence, combine
from edge.decode import Decoded, decode
from edge.direct import SURE, SURE_AGAIN, read_off
from edge.engine import EngineConfig
from edge.imaging.candidates import Candidate
from edge.imaging.ink import find_inks, find_local_inks
from edge.imaging.lines import Line, Look, find_lines, lattice
from edge.imaging.normalise import normalise_all
from edge.imaging.strip import column
from edge.model_card import REJECT
from edge.page import ReadLine, is_likely, may_stand_beside, shows_a_row, sureness, without_strays
from edge.placing import corners, moved
from edge.recogniser import TUNED_ABOVE, Recogniser, Tuned
from edge.row import UNREADABLE, Row
from edge.separators import find_separators
from edge.sequence import BLANK, STEP, RowModel, agreed, best_path, likeliest, log_likelihood

SMALLEST = 12
"""Pixels of a picture's shorter side below which there is no room for a digit."""

_LARGEST = 2400  # pixels of the longest side that is worked on; larger pictures are read at this size
_COARSE = 110  # pixels of height below which a picture is doubled first: strokes of one pixel have no shape

# Of a row's height: how far beyond its last stroke a digit's middle shows that the row goes on, and how much more paper
# is then looked at; and how often.
_BEYOND, _FURTHER = 0.2, 3.0
_FARTHER = 2

# What is looked at is bounded, so that a page of print, keys or noise costs no minutes. In pixels of strips, a row of
# twenty digits having some 400, the most that 300 pictures of `benchmarks.accuracy`'s five kinds by held-out writers
# had in brackets:
_ROOM, _FRAME = 16_000, 1280 * 720  # of one ink of a picture of that size, in proportion of a larger one (8,700)
_DENSE = 12_000  # of a page that is not looked through again, part by part (8,700)
_ROOM_AGAIN = 6_000  # of one ink of a picture that is (3,900)
_UNSURE = 4_000  # of an ink's lines that are unsure and looked at again, surest first (2,200)
_ASKED = 1_000  # candidates of an ink that are asked about, those of the surest lines (580)
_CROWDED = 60  # lines that may be digits: of a page that is not looked through again, either
# How an unsure row is looked at again: its height may have been measured by pieces of strokes, or by one tall digit,
# and what one slant or breadth leaves in doubt another may show. Of the 1,400 pictures of `python -m benchmarks.choice`
# one more look (1.1, 0.2) read 1075, looks of other heights 1087, with other slants and breadths 1101.
_LOOKS = (Look(zoom=0.8, lean=-0.1), Look(1.1, 0.1, 0.1, 0.8), Look(zoom=0.9, wide=0.8), Look(zoom=1.35))
# The logarithm of how likely they find their text: below, edges and letters. Of 192 rows read rightly by candidates, of
# 900 validation pictures, the least was -3.6; of 800 lines that were nobody's row, half were lower.
_LEAST_AGREED = -5.0
# Probability of all that was read of a row below which, in a picture looked through again, it is none: the paper inside
# letters is read as ones, too.
_LEAST_AGAIN = 0.3
# Likewise from which on ink of the other polarity, where it may be either, is not looked for: on 60 validation pictures
# of each kind, displays of seven segments too, all are read as without this bound; with 0.6 one less is read rightly.
_SURELY = 0.9
_TINY = 1e-9  # probability below which it is all the same
# Confidence of a row from which a picture is not looked through again, part by part: of those pictures 0.7 and 0.85
# read 1135 and 1136, of that command's cheques 332 and 333.
_CONTENT = 0.85


@dataclass
class _Seen:
    """A line as the row model sees it. looks: float32 [T, K] each; columns: float64 [T + 1], where in the line the
    first one's steps begin; text: the likeliest, "" where that is no digits: edges, blots, letters; likelihood: its
    natural logarithm; decoded: the reading, as far as there is one.
    """

    line: Line
    looks: list[F32]
    columns: F64
    text: str
    likelihood: float
    decoded: Decoded | None = None


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

    def lines(self, greys: Sequence[U8]) -> list[list["ReadLine"]]:
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
        locally = [[find_lines(ink, _ROOM_AGAIN) for ink in find_local_inks(greys[i])] for i in unread]
        for i, again in zip(unread, self._pages(locally), strict=True):
            found[i] += [[row for row in page if is_likely(row.decoded.digits, _LEAST_AGAIN)] for page in again]
        return [max((without_strays(page) for page in pages), key=sureness, default=[]) for pages in found]

    def _pages(self, pictures: Sequence[Sequence[list[Line]]]) -> list[list[list["ReadLine"]]]:
        """The lines of each picture's inks, read; of all pictures together, as the models' calls cost less so."""
        pages = [page for inks in pictures for page in inks]
        seen, still = self._read_whole(pages) if self.row_model else _unread_whole(pages)
        asked = [each for lines in still for each in _lattices(lines)]
        log_probs = iter(self.recogniser.log_probs(normalise_all([ink for _, _, inks in asked for ink in inks])))
        for one, candidates, _ in asked:
            one.decoded = self._combined(one, candidates, np.array(list(islice(log_probs, len(candidates)))))
        read = iter([[ReadLine(one.decoded, one.line, one.looks) for one in page if one.decoded] for page in seen])
        return [list(islice(read, len(inks))) for inks in pictures]

    def _read_whole(self, pages: Sequence[list[Line]]) -> tuple[list[list["_Seen"]], list[list["_Seen"]]]:
        """The lines of each page that may be rows, and those of them that the row model is not sure of."""
        seen = self._followed(self._shown(pages))
        unsure = [_surest([one for one in page if _is_worth_asking(one, page)]) for page in seen]
        self._look_again([one for lines in unsure for one in lines])
        still = [
            [one for one in lines if _is_worth_asking(one, page)] for lines, page in zip(unsure, seen, strict=True)
        ]
        return seen, still

    def _shown(self, pages: Sequence[list[Line]]) -> list[list["_Seen"]]:
        """The lines of each page as the row model sees them, but for those in which it sees no digits."""
        seen: list[dict[int, _Seen]] = [{} for _ in pages]
        # All rows in one call, then what single strokes may be digits beside them: edges and dirt, most of a page's
        # lines, are not looked at.
        for alone in (False, True):
            asked = [
                (i, k, line)
                for i, page in enumerate(pages)
                for k, line in enumerate(page)
                if _is_alone(line) is alone and not (alone and _is_no_digit_beside(line, seen[i].values()))
            ]
            steps = self._rows.log_probs([line.strip() for _, _, line in asked])
            for (i, k, line), look in zip(asked, steps, strict=True):
                one = self._seen(line, look)
                if one.text:
                    seen[i][k] = one
        return [[one for _, one in sorted(page.items())] for page in seen]

    def _texts(self, read: "ReadLine", count: int) -> tuple[tuple[str, float], ...]:
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

    def _seen(self, line: Line, steps: F32) -> "_Seen":
        """A line with its likeliest text, and read off where the row model is sure of that."""
        text = best_path(steps)
        columns = column(np.arange(len(steps) + 1), line.left, line.height, STEP)
        likelihood = log_likelihood(steps, text.labels) if text.labels else 0.0
        seen = _Seen(line, [steps], columns, "".join(self._rows.labels[k] for k in text.labels), likelihood)
        if text.labels:
            self._read_off(seen, text.labels, likelihood, SURE)
        return seen

    def _followed(self, pages: list[list[_Seen]]) -> list[list[_Seen]]:
        """The same lines; those that are read on beyond their last stroke, in paler ink, followed to their ends."""
        for _ in range(_FARTHER):
            wider = {id(one): line for page in pages for one in page if (line := _read_on(one)) is not None}
            if not wider:
                break
            steps = self._rows.log_probs([line.strip() for line in wider.values()])
            again = {key: self._seen(line, look) for (key, line), look in zip(wider.items(), steps, strict=True)}
            pages = [[again.get(id(one), one) for one in page] for page in pages]
        return [_without_parts(page) for page in pages]

    def _look_again(self, unsure: list[_Seen]) -> None:
        """Show the row model the same lines a little differently, and read off what all looks agree on; where they
        agree on nothing there is nothing to read.
        """
        steps = iter(self._rows.log_probs([one.line.strip(look) for one in unsure for look in _LOOKS]))
        for one in unsure:
            one.looks += islice(steps, len(_LOOKS))
            texts = sorted({labels for look in one.looks if (labels := best_path(look).labels)})
            likelihoods = agreed(one.looks, texts)
            best = int(likelihoods.argmax())
            if likelihoods[best] < _LEAST_AGREED:
                one.text = ""
            self._read_off(one, texts[best], float(likelihoods[best]), SURE_AGAIN)

    def _read_off(self, one: _Seen, labels: tuple[int, ...], likelihood: float, least: float) -> None:
        if likelihood >= np.log(least):
            steps, names = one.looks[0], self._rows.labels
            one.decoded = read_off(labels, likelihood, steps, names, one.columns, one.line.strokes, one.line.height)

    def _combined(self, seen: "_Seen", candidates: list[Candidate], log_probs: F32) -> Decoded:
        """A line's reading by both models; log_probs: float32 [len(candidates), K]."""
        labels, reject, line = self.recogniser.card.labels, self.recogniser.reject, seen.line
        log_probs = log_probs.reshape(len(candidates), len(labels))
        alone = decode(candidates, log_probs, labels, reject, line.height)
        if not seen.looks:
            return alone
        spelling, looks = self._rows.labels, seen.looks
        return combine(
            Evidence(candidates, log_probs, labels, reject, looks, spelling, seen.columns, line.top, line.height), alone
        )


def _agree(labels: Sequence[str], spelling: Sequence[str]) -> bool:
    """Whether the two models can judge each other's texts, each character of which is a label."""
    own = {*labels} - {REJECT}
    return own == {*spelling} - {BLANK} and all(len(label) == 1 for label in own)


def _unread_whole(pages: Sequence[list[Line]]) -> tuple[list[list[_Seen]], list[list[_Seen]]]:
    """What `_read_whole` gives where there is no row model: every line is to be told by its candidates."""
    seen = [[_Seen(line, [], np.zeros(0), "", 0.0) for line in page] for page in pages]
    return seen, seen


def _room(grey: U8) -> float:
    """Pixels of strips that are looked at in a picture."""
    return _ROOM * max(1.0, grey.size / _FRAME)


def _is_alone(line: Line) -> bool:
    """Whether it is one stroke, too narrow for two digits."""
    return len(line.strokes) == 1 and line.strokes[0].w <= line.height


def _is_no_digit_beside(line: Line, page: Iterable[_Seen]) -> bool:
    """Whether a stroke on its own is none of a digit's size beside rows one of which is sure."""
    rows = [one for one in page if len(one.text) > 1]
    return any(one.decoded for one in rows) and not any(may_stand_beside(line.height, one.line.height) for one in rows)


def _read_on(one: _Seen) -> Line | None:
    """The line with more paper at an end where a digit is read beyond the last stroke; None where none is."""
    line, spans = one.line, best_path(one.looks[0]).spans
    if len(spans) < 2:
        return None
    first, last = (float(one.columns[a] + one.columns[b + 1]) / 2 for a, b in (spans[0], spans[-1]))
    left = line.left - _FURTHER * line.height if first < line.left - _BEYOND * line.height else line.left
    right = line.right + _FURTHER * line.height if last > line.right + _BEYOND * line.height else line.right
    return replace(line, left=left, right=right) if (left, right) != (line.left, line.right) else None


def _without_parts(page: list[_Seen]) -> list[_Seen]:
    """The lines but those that lie in one which was followed beyond its strokes, and says more."""
    followed = [one for one in page if one.line.is_wider]
    return [
        one
        for one in page
        if not any(len(other.text) > len(one.text) and other.line.holds(one.line) for other in followed)
    ]


def _is_worth_asking(one: _Seen, page: list[_Seen]) -> bool:
    """Whether a line is not read yet, and could be a row: of digits alone beside rows only sure ones are kept."""
    return one.decoded is None and (len(one.text) > 1 or all(len(other.text) == 1 for other in page))


def _surest(lines: list[_Seen]) -> list[_Seen]:
    """As many lines as are looked at again in bounded time, surest first."""
    lines = sorted(lines, key=lambda one: -one.likelihood)
    widths = np.cumsum([one.line.width for one in lines])
    return lines[: int(np.searchsorted(widths, _UNSURE, side="right"))]


def _lattices(lines: list[_Seen]) -> Iterator[tuple[_Seen, list[Candidate], list[U8]]]:
    """The lines with their candidates and the ink of each, until those are so many that time must be bounded."""
    count = 0
    for one in lines:
        if count + len(one.line.strokes) > _ASKED:
            continue
        candidates, inks = lattice(one.line)
        count += len(candidates)
        yield one, candidates, inks


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
