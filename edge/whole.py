"""Lines read whole: shown to the row model, followed where they go on, joined where they are one row's parts, and shown
again where it is not sure.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from statistics import median

import numpy as np

from edge.arrays import F32, F64
from edge.decode import Decoded
from edge.direct import SURE, SURE_AGAIN, read_off
from edge.imaging.lines import BODY, Line, Look, united
from edge.imaging.strip import column
from edge.page import may_stand_beside
from edge.sequence import STEP, RowModel, agreed, best_path, log_likelihood

# Of a row's height: how far beyond its last stroke a digit's middle shows that the row goes on, and how much more paper
# is then looked at; and how often.
_BEYOND, _FURTHER = 0.2, 3.0
_FARTHER = 2
# Likewise, how far apart two parts of a row may stand between which digits are too pale to be found: of 120 meters by
# held-out wheels 96 are read without looking there, 98, 100 and 100 with 2.5, 3.2 and 4.5, the last with a sheet's row.
_GAP = 4.5
# And no further than where find_rows lets strokes be of one row: parted for another reason, as by a step in level.
_NEAR = 1.2
# A row may go on in ink too pale to be found at an end where the paper is not plain: where its spread, as far as one
# more digit would be, is at least `_UNEVEN` of the row's own. What is read there must be sure and in step with the row.
# Of 6,250 validation pictures 29 more are read so, and 8 less; of 24 such ends 23 are as uneven, of photographs' an
# eighth. With 0.35 two less are read, with 0.15 as many.
_UNEVEN, _SURE_OF_MORE, _IN_STEP = 0.25, 0.8, (0.5, 1.4)
# Of a row's height: how far a stroke's edge is soft, and no sign of another digit. A row's first digit, read right of
# its middle, was taken for one: of 2,762 ends asked about on 4,300 validation pictures half were only that.
_SOFT = 0.1
# Logarithm of how likely a row is at least that is looked at so; without this bound the same are read.
_LEAST_CONTINUED = -1.0
# How an unsure row is looked at again: its height may have been measured by pieces of strokes, or by one tall digit,
# and what one slant or breadth leaves in doubt another may show. Of the 1,400 pictures of `python -m benchmarks.choice`
# one more look (1.1, 0.2) read 1075, looks of other heights 1087, with other slants and breadths 1101.
_LOOKS = (Look(zoom=0.8, lean=-0.1), Look(1.1, 0.1, 0.1, 0.8), Look(zoom=0.9, wide=0.8), Look(zoom=1.35))
# The logarithm of how likely the first look, or all of them, find their text: below, edges and letters. Of 192 rows
# read rightly by candidates, of 900 validation pictures, the least was -3.6; of 800 lines that were nobody's row, half
# were lower. Asked of the first look, too, 2198 of 2,600 validation pictures are read, as with -6 and -4; else 2197.
_LEAST_AGREED = -5.0
# Likewise of the first look, beside a sure row of as many digits: of 242 such lines of 600 validation pictures 82 were
# lower, of which 15 were told as rows, all of them wrong.
_LEAST_BESIDE = -1.5
# Pixels of strips of an ink's lines that are unsure and looked at again, surest first; the most that 300 pictures of
# `benchmarks.accuracy`'s five kinds by held-out writers had is 2,200.
_UNSURE = 4_000


@dataclass
class Seen:
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


class WholeReader:
    """Reads lines with a row model."""

    def __init__(self, rows: RowModel) -> None:
        self._rows = rows

    def read(self, pages: Sequence[list[Line]]) -> tuple[list[list[Seen]], list[list[Seen]]]:
        """The lines of each page that may be rows, and those of them that the row model is not sure of."""
        seen = self._followed(self._shown(pages))
        unsure = [_surest([one for one in page if _is_worth_asking(one, page)]) for page in seen]
        self._look_again([one for lines in unsure for one in lines])
        still = [
            [one for one in lines if _is_worth_asking(one, page)] for lines, page in zip(unsure, seen, strict=True)
        ]
        return seen, still

    def _shown(self, pages: Sequence[list[Line]]) -> list[list[Seen]]:
        """The lines of each page as the row model sees them, but for those in which it sees no digits."""
        seen: list[dict[int, Seen]] = [{} for _ in pages]
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

    def _seen(self, line: Line, steps: F32) -> Seen:
        """A line with its likeliest text, and read off where the row model is sure of that."""
        text = best_path(steps)
        columns = column(np.arange(len(steps) + 1), line.left, line.height, STEP)
        likelihood = log_likelihood(steps, text.labels) if text.labels else 0.0
        seen = Seen(line, [steps], columns, "".join(self._rows.labels[k] for k in text.labels), likelihood)
        if text.labels:
            self._read_off(seen, text.labels, likelihood, SURE)
        return seen

    def _followed(self, pages: list[list[Seen]]) -> list[list[Seen]]:
        """The same lines; those that are read on beyond their last stroke, in paler ink, followed to their ends."""
        for _ in range(_FARTHER):
            wider = {id(one): line for page in pages for one in page if (line := _read_on(one)) is not None}
            if not wider:
                break
            steps = self._rows.log_probs([line.strip() for line in wider.values()])
            again = {key: self._seen(line, look) for (key, line), look in zip(wider.items(), steps, strict=True)}
            pages = [[again.get(id(one), one) for one in page] for page in pages]
        return [self._bridged(self._united(_without_parts(page))) for page in self._continued(pages)]

    def _continued(self, pages: list[list[Seen]]) -> list[list[Seen]]:
        """The same lines; those beyond an end of which the paper is not plain with what digits surely stand there."""
        asked = {id(one): one for page in pages for one in page}
        for _ in range(_FARTHER):
            longer = {key: line for key, one in asked.items() if (line := _longer(one)) is not None}
            if not longer:
                break
            steps = self._rows.log_probs([line.strip() for line in longer.values()])
            again = {key: self._seen(line, look) for (key, line), look in zip(longer.items(), steps, strict=True)}
            again = {key: one for key, one in again.items() if _continues(one, asked[key])}
            pages = [[again.get(id(one), one) for one in page] for page in pages]
            asked = {id(one): one for one in again.values()}
        return pages

    def _united(self, page: list[Seen]) -> list[Seen]:
        """The same lines; parts of a row that are read into each other, as windows of a meter of which some are darker
        than others, are one where more is read of it than of either.
        """
        for one in [one for one in page if one.line.is_wider]:
            for other in [other for other in page if other is not one]:
                if not any(each is one for each in page) or (line := united(one.line, other.line)) is None:
                    continue
                (steps,) = self._rows.log_probs([line.strip()])
                both = self._seen(line, steps)
                if len(both.text) > max(len(one.text), len(other.text)):
                    page = [both if each is one else each for each in page if each is not other]
                    one = both
        return page

    def _bridged(self, page: list[Seen]) -> list[Seen]:
        """The same lines; two with little between them are one where more is read of both than of each, and where they
        nearly meet, as much; of one that was followed, and may hold the other's digits, where they are surely as many.
        A row in several parts is put together part by part.
        """
        pairs = [
            (one, other, apart, line)
            for one, other, apart in _neighbours(page)
            if len(one.text) + len(other.text) > 2
            and (line := united(one.line, other.line, _GAP * one.line.height)) is not None
        ]
        steps = self._rows.log_probs([line.strip() for *_, line in pairs])
        count = len(page)
        for (one, other, apart, line), look in zip(pairs, steps, strict=True):
            both, sizes = self._seen(line, look), (len(one.text), len(other.text))
            least = sum(sizes) if apart <= _NEAR and min(sizes) > 1 else sum(sizes) + 1
            if both.decoded and (one.line.is_wider or other.line.is_wider):
                least = max(sizes)
            if len(both.text) >= least and all(any(each is part for each in page) for part in (one, other)):
                page = [both if each is one else each for each in page if each is not other]
        return self._bridged(page) if len(page) < count else page

    def _look_again(self, unsure: list[Seen]) -> None:
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

    def _read_off(self, one: Seen, labels: tuple[int, ...], likelihood: float, least: float) -> None:
        if likelihood >= np.log(least):
            steps, names = one.looks[0], self._rows.labels
            one.decoded = read_off(labels, likelihood, steps, names, one.columns, one.line.strokes, one.line.height)


def _is_alone(line: Line) -> bool:
    """Whether it is one stroke, too narrow for two digits, if with specks beside it."""
    body = [stroke for stroke in line.strokes if stroke.h >= BODY * line.height]
    return len(body) == 1 and body[0].w <= line.height


def _is_no_digit_beside(line: Line, page: Iterable[Seen]) -> bool:
    """Whether a stroke on its own is none of a digit's size beside rows one of which is sure."""
    rows = [one for one in page if len(one.text) > 1]
    return any(one.decoded for one in rows) and not any(may_stand_beside(line.height, one.line.height) for one in rows)


def _read_on(one: Seen) -> Line | None:
    """The line with more paper at an end where a digit is read beyond the last stroke; None where none is."""
    line, places = one.line, best_path(one.looks[0]).middles(one.columns)
    if len(places) < 2:
        return None
    left = line.left - _FURTHER * line.height if places[0] < line.left - _BEYOND * line.height else line.left
    right = line.right + _FURTHER * line.height if places[-1] > line.right + _BEYOND * line.height else line.right
    return replace(line, left=left, right=right) if (left, right) != (line.left, line.right) else None


def _step(places: list[float]) -> float:
    """From one of a row's digits to the next."""
    return median(after - before for before, after in pairwise(places))


def _longer(one: Seen) -> Line | None:
    """The line with room for one more digit at each end beyond which the paper is not plain; None where it is."""
    if len(one.text) < 2 or one.likelihood < _LEAST_CONTINUED:
        return None
    line, places = one.line, best_path(one.looks[0]).middles(one.columns)
    step, uneven = _step(places), _UNEVEN * line.spread(line.left, line.right)
    left, right = line.left, line.right
    for end, towards in ((places[0], -1), (places[-1], 1)):
        reach = [towards * (side - end) for s in line.strokes if s.x <= end <= s.right for side in (s.x, s.right)]
        near = min(max(0.5 * step, max(reach, default=0.0) + _SOFT * line.height), step)
        if line.spread(*sorted((end + towards * near, end + towards * 1.5 * step))) >= uneven:
            room = end + towards * (_IN_STEP[1] * step + 0.5 * line.height)
            left, right = min(left, room), max(right, room)
    return replace(line, left=left, right=right) if (left, right) != (line.left, line.right) else None


def _continues(longer: Seen, one: Seen) -> bool:
    """Whether a row is read as before, but for more digits at its ends that are sure and in step with the others."""
    at = longer.text.find(one.text)
    if at < 0 or len(longer.text) == len(one.text):
        return False
    spelt = best_path(longer.looks[0])
    places, sure = spelt.middles(longer.columns), spelt.sureness(longer.looks[0])
    first, end = at, at + len(one.text)
    step = _step(places[first:end])
    gaps = [(after - before) / step for before, after in pairwise(places)]
    least, most = _IN_STEP
    return min(sure[:first] + sure[end:]) >= math.log(_SURE_OF_MORE) and all(
        least <= gap <= most for gap in gaps[:first] + gaps[end - 1 :]
    )


def _without_parts(page: list[Seen]) -> list[Seen]:
    """The lines but those that lie in one which was followed beyond its strokes, and says more."""
    followed = [one for one in page if one.line.is_wider]
    return [
        one
        for one in page
        if not any(len(other.text) > len(one.text) and other.line.holds(one.line) for other in followed)
    ]


def _neighbours(page: list[Seen]) -> Iterator[tuple[Seen, Seen, float]]:
    """Lines, those that begin near where they end, in any direction, and how far off that is, in heights of the first:
    of a page of print few pairs in thousands.
    """
    if len(page) < 2:
        return
    ends = np.array([one.line.ends for one in page])
    heights = np.array([one.line.height for one in page])
    away = np.linalg.norm(ends[:, None, 1] - ends[None, :, 0], axis=2) / heights[:, None]
    np.fill_diagonal(away, np.inf)
    for i, k in np.argwhere(away <= _GAP + 1).tolist():
        yield page[i], page[k], float(away[i, k])


def _is_worth_asking(one: Seen, page: list[Seen]) -> bool:
    """Whether a line is not read yet, and could be a row: of digits alone beside rows only sure ones are kept."""
    is_beside = any(other.decoded and len(other.text) >= len(one.text) for other in page)
    least = _LEAST_BESIDE if is_beside else _LEAST_AGREED
    return (
        one.decoded is None
        and one.likelihood >= least
        and (len(one.text) > 1 or all(len(other.text) == 1 for other in page))
    )


def _surest(lines: list[Seen]) -> list[Seen]:
    """As many lines as are looked at again in bounded time, surest first."""
    lines = sorted(lines, key=lambda one: -one.likelihood)
    widths = np.cumsum([one.line.width for one in lines])
    return lines[: int(np.searchsorted(widths, _UNSURE, side="right"))]
