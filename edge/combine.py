"""Two readings of one row made one: contours' candidates say where each digit is, the sequence model what they spell.

Each model proposes texts and judges the other's; the text both together find likeliest is taken, as one recogniser's
best hypotheses are weighed by another (Ostendorf et al., "Integration of diverse recognition methodologies through
reevaluation of N-best sentence hypotheses", 1991).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from edge.arrays import F32, F64
from edge.decode import Decoded, Spelling, spell
from edge.direct import shared
from edge.imaging.candidates import Candidate
from edge.row import UNREADABLE, Box, Digit
from edge.sequence import agreed, align, best_path, likeliest, log_likelihood

# Of the 1,400 pictures of `python -m benchmarks.choice` weights and bounds of 1.2 and 3, 1.2 and 2, 0.8 and 2.5, 0.6
# and 3, 0.6 and 5, 0.3 and 3 read 1123, 1124, 1127, 1129, 1123 and 1121; almost no weight 1106.
_BEAM = 5  # texts the sequence model proposes
_WEIGHT = 0.8  # of the candidates' score beside the steps' log-likelihood
_FARTHEST = 2.5  # by which the candidates may prefer another text: strokes that were cut badly are not to decide alone
_WORST = -40.0  # score of a text that there is no way to spell

# Candidates that like no text are not what the row is made of: the plate between a meter's windows, frames joined with
# digits. Their weight falls to 1/e for each `_DOUBT` by which they like a digit of their best text less. What they take
# for no digit, a letter it may be, is told nevertheless; but not on a plate, where they have less than `_TRUSTED` of
# their weight. Of 120 meters by held-out wheels 94 are read without this, 100 with it; of those 1,400, 1138.
_DOUBT = 2.0
_TRUSTED = 0.55

# Of the row's height: how much room without a stroke there is where a digit too pale to be found may stand; and how far
# from all strokes its middle is at least. Of 2,600 validation pictures as many are read with 0.22, and with 0.5 in 0.9;
# of 240 drawn rows whose middle is hardly to be seen 233, without this 146.
_ROOM, _OFF = 1.2, 0.35
# Likewise, how far from its candidate the first look may see a digit: what is further off was spelt by it for want of
# better, as by the frame of a meter's window. Of 2,409 digits of rows read rightly 5 % are, four in five of meters.
_ASTRAY = 0.3
_SEEN = 0.02  # probability of any digit at a step, below which nothing is seen there
# Probability of a digit by the first look from which it is surely seen. Of 600 rows of `python -m benchmarks.letters`
# three are told without their `?` for that, with any probability seven; of 6,250 validation pictures 13 more are read
# rightly than if strokes that hold a digit were told as `?`, with any probability 14.
_SURELY_SEEN = 0.9

# Logistic regression: 1; how far the next best text is; how well the steps, and how well the candidates, like this one;
# whether the candidates alone read it too; whether it is one digit. By `python -m training.confidence --longest --count
# 320`; the last is from before digits beside rows were no more asked about, which leaves too few to fit it by.
CALIBRATION = (0.284, 0.947, 0.661, 0.025, 0.697, -4.353)

LEAST_CONFIDENCE = 0.1
"""A digit whose probability is lower, no better than a guess among ten, is `?`."""


@dataclass(frozen=True)
class Evidence:
    """What is known of one row: its candidates, and what the models say of them and of its strip.

    log_probs: float32 [len(candidates), K] over `labels`; looks: the sequence model's at the row, float32 [T, K'] each,
    over `spelling`, whose first is blank and whose others are digits; columns: where in the row each step of the first
    look has its left edge, float64 [T + 1], pixels; height: of the row's digits in pixels; top: of the row.
    """

    candidates: Sequence[Candidate]
    log_probs: F32
    labels: Sequence[str]
    reject: int | None
    looks: Sequence[F32]
    spelling: Sequence[str]
    columns: np.ndarray
    top: float
    height: float
    on_plate: bool = False


@dataclass(frozen=True)
class _Judged:
    text: str
    steps: float  # log-likelihood by the sequence model, the mean of its looks
    spelling: Spelling  # how the candidates spell it, but for
    pale: tuple[int, ...]  # its digits where they have no stroke

    def score(self, highest: float, trust: float) -> float:
        """highest: what the candidates give the text they like best; trust: in [0, 1], how far they are believed."""
        return max(self.steps, _WORST) + trust * _WEIGHT * max(self.spelling.score - highest, -_FARTHEST)


def combine(row: Evidence, alone: Decoded) -> Decoded:
    """The row's reading by both models. alone: what the candidates are read as without the steps."""
    own = "".join(digit.text for digit in alone.digits if digit.text != UNREADABLE)
    heard = [*likeliest(row.looks[0], _BEAM), *(best_path(steps).labels for steps in row.looks[1:])]
    proposed = {"".join(row.spelling[label] for label in labels) for labels in heard}
    texts = sorted({"", own, *proposed})
    steps = agreed(row.looks, [[row.spelling.index(label) for label in text] for text in texts])
    # What the candidates can make good for is bounded: a text further behind is not worth asking them about. But for
    # the one they like best: where they like none of the likely ones nearly as well, they are wrong, and do not decide.
    reach = _WEIGHT * _FARTHEST
    likely = {text: one for text, one in zip(texts, steps, strict=True) if text == own or one >= steps.max() - reach}
    pale = {text: _pale(row, text) for text in likely} if _may_be_pale(row) else dict.fromkeys(likely, ())
    inked = ["".join(digit for i, digit in enumerate(text) if i not in pale[text]) for text in likely]
    spelt = spell(row.candidates, row.log_probs, row.labels, row.reject, row.height, inked)
    judged = [
        _Judged(text, float(one), way, pale[text]) for (text, one), way in zip(likely.items(), spelt, strict=True)
    ]
    liked = max(judged, key=lambda one: one.spelling.score)
    highest = liked.spelling.score
    trust = math.exp(highest / (_DOUBT * max(len(liked.text), 1)))
    scores = sorted(((one.score(highest, trust), i) for i, one in enumerate(judged)), reverse=True)
    best = judged[scores[0][1]]
    if not best.text:
        return Decoded((), 0.0)
    if row.on_plate and trust < _TRUSTED:
        best = replace(best, spelling=replace(best.spelling, unread=()))
    signs = (
        1.0,
        min(scores[0][0] - scores[1][0], reach) if len(scores) > 1 else reach,
        max(best.steps, -10.0),
        max(best.spelling.score, -10.0),
        float(own == best.text),
        float(len(best.text) == 1),
    )
    confidence = float(1 / (1 + np.exp(-np.dot(signs, CALIBRATION))))
    digits = _digits(row, best, confidence)
    return Decoded(digits, confidence if all(digit.text != UNREADABLE for digit in digits) else 0.0, signs)


def _strokes(row: Evidence) -> F64:
    """float64 [n, 2]: left and right of the row's strokes and their parts, by their left."""
    return np.array(sorted((one.box[0], one.box[0] + one.box[2]) for one in row.candidates), np.float64).reshape(-1, 2)


def _may_be_pale(row: Evidence) -> bool:
    """Whether the first look sees anything where there is no stroke, and room for digits too pale to be found."""
    strokes, edges = _strokes(row), row.columns[[0, -1]]
    lefts, rights = np.append(strokes[:, 0], edges[1]), np.maximum.accumulate(np.insert(strokes[:, 1], 0, edges[0]))
    if not len(strokes) or (lefts - rights).max() <= _ROOM * row.height:
        return False
    seen = row.looks[0][:, 0] < math.log1p(-_SEEN)
    middles = ((row.columns[:-1] + row.columns[1:]) / 2)[seen]
    return bool((_off(strokes, middles) > _OFF * row.height).any())


def _off(strokes: F64, middles: F64) -> F64:
    """How far each of a row's `middles`, float64 [n], is from all strokes, pixels: float64 [n], below 0 within one."""
    away = np.maximum(strokes[:, 0] - middles[:, None], middles[:, None] - strokes[:, 1])
    return np.asarray(away.min(1), np.float64)


def _pale(row: Evidence, text: str) -> tuple[int, ...]:
    """Which of a text's digits the first look sees where there is no stroke; none where it cannot spell the text."""
    labels = [row.spelling.index(label) for label in text]
    if not labels or log_likelihood(row.looks[0], labels) == -np.inf:
        return ()
    middles = np.array(align(row.looks[0], labels).middles(row.columns))
    return tuple(np.flatnonzero(_off(_strokes(row), middles) > _OFF * row.height).tolist())


def _digits(row: Evidence, best: _Judged, confidence: float) -> tuple[Digit, ...]:
    """The text's digits; the row's doubt is shared among them as the models doubt them."""
    labels = [row.spelling.index(label) for label in best.text]
    inked = [i for i in range(len(labels)) if i not in best.pale] if best.spelling.digits else []
    boxes: dict[int, Box] = {}
    sure = np.ones(len(labels))
    for i, digit in zip(inked, best.spelling.digits, strict=True):
        boxes[i] = digit.box
        sure[i] = digit.confidence
    unread = best.spelling.unread
    if best.steps > -np.inf:
        spelt = align(row.looks[0], labels)
        seen = np.exp(spelt.sureness(row.looks[0]))
        sure *= seen
        middles = spelt.middles(row.columns)
        near = {i: box for i, box in boxes.items() if _beyond(box, middles[i]) <= _ASTRAY * row.height}
        boxes = {i: _box(row, first, last) for i, (first, last) in enumerate(spelt.spans)} | near
        # Where a digit of the text is surely seen there is nothing else: the stroke holds it, joined with a frame or a
        # blot, or is a part of it.
        there = [middle for middle, share in zip(middles, seen, strict=True) if share >= _SURELY_SEEN]
        unread = tuple((i, box) for i, box in unread if all(_beyond(box, middle) > 0 for middle in there))
    digits = [
        Digit(text, share, boxes[i]) if share >= LEAST_CONFIDENCE else Digit(UNREADABLE, 0.0, boxes[i])
        for i, (text, share) in enumerate(zip(best.text, shared(confidence, sure), strict=True))
    ]
    for before, box in reversed(unread):
        digits.insert(inked[before - 1] + 1, Digit(UNREADABLE, 0.0, box))
    return tuple(digits)


def _beyond(box: Box, middle: float) -> float:
    """How far from a box a place in the row is, pixels; 0 within it."""
    return max(box[0] - middle, middle - box[0] - box[2], 0.0)


def _box(row: Evidence, first: int, last: int) -> Box:
    """Where the steps `first` to `last` see a digit that no candidate fits."""
    left, right = float(row.columns[first]), float(row.columns[last + 1])
    middle, wide = (left + right) / 2, max(right - left, 0.5 * row.height)
    return round(middle - wide / 2), round(row.top), max(1, round(wide)), max(1, round(row.height))
