"""A picture of one label -> the ink of its examples: one digit, or several that stand apart.

Strokes' places say which are one digit, and digits are about as large as each other. Where that leaves doubt, the base
model says which looks more like the label.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from edge.arrays import F32, F64, U8, u8
from edge.imaging.components import Component, cut_out, pen_width, union
from edge.imaging.ink import Ink
from edge.imaging.lines import find_strokes
from edge.imaging.normalise import normalise_all
from edge.reader import working_size
from edge.recogniser import Recogniser
from training.own_pictures.example import Box, Example, inks, outward
from training.own_pictures.grouping import NEAR, SIGN, SMALL, SPECK, distance, gaps, grouped, longer_side, outline

_MOST = 200  # strokes of a picture, largest first: a page of sevens has some hundred
_SMALLEST = 14  # pixels of working size: what is lower and narrower is no digit
# How far apart large strokes that the model must find to be one digit may be; see `grouping` for the others.
_DOUBTFUL = 0.3

# Natural logarithms of odds of the label: the model may be wrong about a hand, and is not asked how sure it is of one.
_LEAST, _MOST_SURE = -4.0, 2.0
_SURE = 2.0  # from which on no other ink of the picture is looked at
_BETTER = 2.0  # by which the model must like strokes better together, or apart, than they lie
_DIRT = 0.3  # likewise, for a small part to be left out, or kept
_CUT_OFF = 3.0  # what it costs to be cut off by the picture's edge, or to be no line of a pen
_LAST_RESORT = 2.0  # what it costs to be found in what is not the picture's main ink
_SIZE = 0.7  # for each e-fold of a digit's size
_KNOWN, _LIKELY = 0.0, -1.5  # the model knows the hand; what may be a digit in one that it does not know

_ALIKE = 0.6, 1.6  # sizes of digits on one picture, and breadths of their pen, by the surest one's
_MINOR = 0.35  # of the longer side of a digit: a smaller part is rather dirt
_THINNEST, _BROADEST = 1 / 45, 0.4  # breadth of a pen by a digit's longer side
_MARGIN, _TIGHT = 0.4, 400  # of the longer side: paper put round pictures of no more pixels
_SMALLEST_SHARE = 0.1  # of the shorter side of the picture: what is smaller and looks like no digit is none


@dataclass(frozen=True)
class _Group:
    """Strokes that may be one digit. likely: natural logarithm of the probability of the label, bounded from below;
    score: the same with what place and size say.
    """

    strokes: tuple[Component, ...]
    box: Box
    crop: U8
    log_probs: F32
    likely: float
    score: float

    @property
    def size(self) -> int:
        return max(self.box[2:])

    @property
    def pen(self) -> float:
        """Breadth in pixels."""
        return pen_width(self.strokes[0])


class Page:
    """One ink of a picture, and what may be examples of a label there."""

    def __init__(self, ink: Ink, label: int | None, recogniser: Recogniser, cost: float = 0.0) -> None:
        """label: index of the recogniser's, None for one that it does not know."""
        self._label, self._recogniser, self._cost = label, recogniser, cost
        ink, components = find_strokes(ink)
        self.strength = ink.strokes()
        self._height, self._width = self.strength.shape
        strokes = self._strokes(components)
        points = {id(stroke): outline(stroke) for stroke in strokes}
        groups = grouped(strokes, points, NEAR if label is not None else SIGN)
        self._found = self._chosen(self._regrouped(groups, points) if label is not None else self._judged(groups))

    @property
    def sureness(self) -> float:
        """The surest example's score; -inf where there is none."""
        return max((one.score for one in self._found), default=-np.inf)

    @property
    def is_sure(self) -> bool:
        """Whether no doubt is left about the surest."""
        return max((one.likely for one in self._found), default=-np.inf) >= _SURE

    def examples(self, scale: float, margin: int, shape: tuple[int, ...]) -> list[Example]:
        """scale: pixels of this page per pixel of the picture, whose shape is `shape`; margin: in pixels of the
        picture, what this page has round it.
        """
        ordered = sorted(self._found, key=lambda one: (one.box[1] + one.box[3] // 2, one.box[0]))
        return [Example(cut_out(self.strength, one.strokes), outward(one.box, scale, shape, margin)) for one in ordered]

    def _strokes(self, components: Sequence[Component]) -> list[Component]:
        """The largest, without edges and frames that go through the whole picture."""
        kept = [c for c in components if not (self._is_cut_off(union([c])) and self._goes_through(c))]
        return sorted(kept, key=longer_side, reverse=True)[:_MOST]

    def _goes_through(self, stroke: Component) -> bool:
        thin = pen_width(stroke) < 0.05 * longer_side(stroke)
        return thin and max(stroke.w / self._width, stroke.h / self._height) > 0.5

    def _is_cut_off(self, box: Box) -> bool:
        x, y, w, h = box
        return x <= 1 or y <= 1 or x + w >= self._width - 1 or y + h >= self._height - 1

    def _judged(self, groups: Sequence[Sequence[Component]]) -> list[_Group]:
        crops = normalise_all([cut_out(self.strength, group) for group in groups])
        log_probs = self._recogniser.log_probs(crops)
        return [self._group(tuple(group), crop, row) for group, crop, row in zip(groups, crops, log_probs, strict=True)]

    def _group(self, strokes: tuple[Component, ...], crop: U8, log_probs: F32) -> _Group:
        box = union(strokes)
        likely = float(np.clip(self._odds(log_probs), _LEAST, _MOST_SURE))
        score = likely - self._cost + _SIZE * float(np.log(max(box[2:]) / min(self._height, self._width)))
        if self._is_cut_off(box):
            score -= _CUT_OFF
        if not _THINNEST <= pen_width(strokes[0]) / max(box[2:]) <= _BROADEST:
            score -= _CUT_OFF
        return _Group(strokes, box, crop, log_probs, likely, score)

    def _odds(self, log_probs: F32) -> float:
        """Natural logarithm of the odds that this is the label; of an unknown one, that it is anything."""
        share = np.exp(float(log_probs[self._label])) if self._label is not None else 1 - self._no_digit(log_probs)
        share = min(max(float(share), 1e-6), 1 - 1e-6)
        return float(np.log(share / (1 - share)))

    def _no_digit(self, log_probs: F32) -> float:
        reject = self._recogniser.reject
        return float(np.exp(log_probs[reject])) if reject is not None else 0.0

    def _regrouped(self, groups: list[list[Component]], points: dict[int, F64]) -> list[_Group]:
        """Groups as they lie, but apart or together where the model finds the label much likelier so."""
        groups = [part for group in groups for part in self._parted(group, points)]
        groups = [group for group in groups if longer_side(group[0]) >= _SMALLEST]
        judged = [self._without_dirt(group) for group in groups]
        pairs = _doubtful(judged, points)
        together = self._judged([[*judged[i].strokes, *judged[j].strokes] for i, j in pairs])
        gains = [
            one.likely - max(judged[i].likely, judged[j].likely) for one, (i, j) in zip(together, pairs, strict=True)
        ]
        merged: dict[int, _Group] = {}
        for k in sorted(range(len(pairs)), key=lambda k: -gains[k]):
            i, j = pairs[k]
            if gains[k] >= _BETTER and i not in merged and j not in merged:
                merged[i] = merged[j] = together[k]
        rest = [one for i, one in enumerate(judged) if i not in merged]
        return rest + list({id(one): one for one in merged.values()}.values())

    def _without_dirt(self, group: list[Component]) -> _Group:
        """A group without small parts that the label does without."""
        size = longer_side(group[0])
        major = [c for c in group if longer_side(c) >= _MINOR * size]
        ways = {len(way): way for way in (group, major, group[:1])}
        judged = sorted(self._judged(list(ways.values())), key=lambda one: len(one.strokes))
        best = next(one for one in judged if len(one.strokes) == len(major))
        for one in judged:
            if one.likely >= best.likely + _DIRT:
                best = one
        return best

    def _parted(self, group: list[Component], points: dict[int, F64]) -> list[list[Component]]:
        """A group as it is, or each of its large strokes by itself."""
        large = [c for c in group if longer_side(c) >= SMALL * longer_side(group[0])]
        if len(large) < 2:
            return [group]
        parts = [[c] for c in large]
        for small in group:
            if not any(small is c for c in large):
                min(parts, key=lambda part: distance(points[id(part[0])], points[id(small)])).append(small)
        whole, *apart = self._judged([group, *parts])
        return parts if sum(one.likely for one in apart) / len(apart) - whole.likely >= _BETTER else [group]

    def _chosen(self, groups: list[_Group]) -> list[_Group]:
        """The surest, and those that are like it."""
        groups = [one for one in groups if one.size >= _SMALLEST]
        if not groups:
            return []
        best = max(groups, key=lambda one: one.score)
        odd = self._is_cut_off(best.box) or best.size < _SMALLEST_SHARE * min(self._height, self._width)
        if odd and best.likely <= _LIKELY and self._no_digit(best.log_probs) > 0.5:
            return []
        return [one for one in groups if one is best or self._is_alike(one, best)]

    def _is_alike(self, one: _Group, best: _Group) -> bool:
        low, high = _ALIKE
        as_large = low * best.size <= one.size <= high * best.size and low * best.pen <= one.pen <= high * best.pen
        if not as_large or self._is_cut_off(one.box):
            return False
        if best.likely >= _KNOWN:
            return one.likely >= _KNOWN
        return one.likely >= _LIKELY or _likeness(one.crop, best.crop) > 0.5


def examples(grey: U8, label: str, recogniser: Recogniser) -> list[Example]:
    """The examples of `label` on a picture, uint8 [H, W], top to bottom; none where it shows no digit.

    label: need not be one of the recogniser's.
    """
    margin = round(_MARGIN * max(grey.shape)) if max(grey.shape) <= _TIGHT else 0
    small, scale = working_size(_with_margin(grey, margin))
    names = recogniser.card.labels
    index = names.index(label) if label in names else None
    best: Page | None = None
    for ink, is_main in inks(small):
        if index is None and not is_main and best is not None and best.sureness > -np.inf:
            break  # what the model thinks of a sign that it does not know is no reason to look for other ink
        page = Page(ink, index, recogniser, 0.0 if is_main else _LAST_RESORT)
        if best is None or page.sureness > best.sureness:
            best = page
        if best.is_sure:
            break
    return best.examples(scale, margin, grey.shape) if best is not None else []


def _with_margin(grey: U8, margin: int) -> U8:
    """A picture with more of the paper at its edge: in one that is all digit, paper cannot be told from ink."""
    if not margin:
        return grey
    rim = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    paper = float(np.median(rim))
    return u8(cv2.copyMakeBorder(grey, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=paper))


def _doubtful(groups: Sequence[_Group], points: dict[int, F64]) -> list[tuple[int, int]]:
    """Pairs of groups that lie so that they may be one digit."""
    if len(groups) < 2:
        return []
    sizes = np.array([one.size for one in groups])
    large, small = np.maximum(sizes, sizes[:, None]), np.minimum(sizes, sizes[:, None])
    x, y, w, h = np.array([one.box for one in groups], np.float64).T
    close = (gaps(np.stack([x, y, x + w, y + h], axis=1)) <= _DOUBTFUL * large) & (small >= SPECK * large)
    return [
        (i, j)
        for i, j in np.argwhere(np.triu(close, 1)).tolist()
        if distance(points[id(groups[i].strokes[0])], points[id(groups[j].strokes[0])]) <= _DOUBTFUL * large[i, j]
    ]


def _likeness(crop: U8, other: U8) -> float:
    """Correlation of two crops, blurred, in [-1, 1]."""
    planes = [cv2.GaussianBlur(one, (0, 0), 2.0).ravel().astype(np.float64) for one in (crop, other)]
    return float(np.corrcoef(*planes)[0, 1])
