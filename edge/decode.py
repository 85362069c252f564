"""The best way through a row's candidates: which of them are its digits, and how sure that is.

Over-segmentation and a search over the lattice of segments: Matan, Burges, LeCun, Denker, "Multi-digit recognition
using a space displacement neural network", 1992; Fenrich, "Segmentation of automatically located handwritten
words", 1991. Here each node's best path is kept (Bellman), since a candidate's score does not depend on the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge.arrays import F32
from edge.imaging.candidates import Candidate
from edge.row import UNREADABLE, Box, Digit

_FLATTEST_DIGIT = 1.6  # width over height above which something lies in the row that is no single digit

# Natural logarithms of what it costs to leave a stroke out. A small one is often dirt or punctuation; a tall one that
# is no digit must look like none, and still costs, so that two halves of a digit are joined, not thrown away. These
# and `_CUT` were chosen by rows read exactly, on 120 generated rows of `benchmarks.accuracy --split validation` and the
# 400 cheques; half of each changes what is read by less than 2 %. A dearer cut keeps letters from falling into ones. At
# -5 a tall one left out has six more of 2,600 validation pictures read, but of 500 drawn rows with a letter in them 198
# told with `?`, not 214, and digits made up for letters are worse than rows unread.
_LEAVE_SMALL = -0.4
_LEAVE_TALL = -2.0  # for each digit that would find room in it
_WIDTH = 0.65  # of a digit, by the row's digit height

# Most strokes are one digit: what a cut through one costs on either side of it.
_CUT = -1.5

# Of the row's digit height: what is as wide and as tall, and no digit, is not passed over: a letter, a low one like m,
# too. With 0.75 of the height 28 of 100 drawn rows that hold a letter are read as if it were not there (`python -m
# benchmarks.letters`), with 0.55 none; of 2,600 validation pictures two fewer are read.
_LARGE = 0.3, 0.55

_LEAST = -8.0  # natural logarithm of the least probability a candidate is given of being what a text wants there

LEAST_CONFIDENCE = 0.3
"""A digit whose probability is lower is `?`. On 240 generated rows of held-out writers 0.3 read more rows rightly than
0.5 did, which asks for an even chance: of eleven labels the likeliest is mostly right well below it.
"""


@dataclass(frozen=True)
class Decoded:
    """digits: left to right, boxes in the row's pixels; confidence: of the whole, in [0, 1]; signs: what the confidence
    was told by, where it was told by more than the digits.
    """

    digits: tuple[Digit, ...]
    confidence: float
    signs: tuple[float, ...] = ()


def decode(
    candidates: Sequence[Candidate], log_probs: F32, labels: Sequence[str], reject: int | None, height: float
) -> Decoded:
    """The most probable reading of one row.

    log_probs: float32 [len(candidates), K] over `labels`, of low ones anything; reject: which label is no digit, if any
    is; height: the row's digit height in pixels.
    """
    nodes = max((c.end for c in candidates), default=0)
    best = np.full(nodes + 1, -np.inf)
    best[0] = 0.0
    back: list[tuple[int, Digit | None]] = [(0, None)] * (nodes + 1)
    for candidate, row in sorted(zip(candidates, log_probs, strict=True), key=lambda pair: pair[0].end):
        for score, digit in _readings(candidate, row, labels, reject, height):
            total = best[candidate.start] + score
            if total > best[candidate.end]:
                best[candidate.end] = total
                back[candidate.end] = (candidate.start, digit)
    digits: list[Digit] = []
    node = nodes
    while node > 0:
        node, digit_here = back[node]
        if digit_here is not None:
            digits.append(digit_here)
    digits.reverse()
    confidence = float(np.prod([digit.confidence for digit in digits])) if digits else 0.0
    return Decoded(tuple(digits), confidence)


@dataclass(frozen=True)
class Spelling:
    """score: natural logarithms summed, comparable between texts over the same candidates; digits: the text's, where
    the candidates see them; unread: what stands between them and is none of them, as (digits before it, box).
    """

    score: float
    digits: tuple[Digit, ...]
    unread: tuple[tuple[int, Box], ...]


def spell(
    candidates: Sequence[Candidate],
    log_probs: F32,
    labels: Sequence[str],
    reject: int | None,
    height: float,
    texts: Sequence[str],
) -> list[Spelling]:
    """How well the row's candidates spell each text, by the best way; a score of -inf where there is none.

    Arguments as `decode` takes them; texts: at least one, of labels, none of them `?`.
    """
    nodes = max((c.end for c in candidates), default=0)
    longest = max(len(text) for text in texts)
    wanted = np.zeros((len(texts), longest), np.int64)
    beyond = np.ones((len(texts), longest), bool)
    for row, past, text in zip(wanted, beyond, texts, strict=True):
        row[: len(text)], past[: len(text)] = [labels.index(label) for label in text], False
    # [candidate, text, digit]; past a text's end there is nothing that a candidate could be.
    scores = np.maximum(log_probs.astype(np.float64), _LEAST)[:, wanted]
    scores[:, beyond] = -np.inf
    best = np.full((nodes + 1, len(texts), longest + 1), -np.inf)
    best[0, :, 0] = 0.0
    came = np.full(best.shape, -1)  # the candidate that leads there
    took = np.zeros(best.shape, bool)  # whether it is a digit of the text or left out
    for index in sorted(range(len(candidates)), key=lambda i: candidates[i].end):
        candidate = candidates[index]
        start, end = candidate.start, candidate.end
        w, small = candidate.box[2], candidate.is_low(height)
        if not small:
            total = best[start, :, :-1] + (scores[index] + _CUT * candidate.cut_ends)
            better = total > best[end, :, 1:]
            for kept, new in ((best, total), (came, index), (took, True)):
                np.copyto(kept[end, :, 1:], new, where=better)
        if candidate.whole:
            no_digit = float(log_probs[index][reject]) if reject is not None else -np.inf
            total = best[start] + (_LEAVE_SMALL if small else _left_out(w, height, no_digit))
            better = total > best[end]
            for kept, new in ((best, total), (came, index), (took, False)):
                np.copyto(kept[end], new, where=better)

    def told(k: int, text: str) -> Spelling:
        score, left = float(best[nodes, k, len(text)]), len(text)
        digits: list[Digit] = []
        unread: list[tuple[int, Box]] = []
        node = nodes if score > -np.inf else 0
        while node > 0:
            index = int(came[node, k, left])
            if took[node, k, left]:
                left -= 1
                sure = float(np.exp(log_probs[index][wanted[k, left]]))
                digits.append(Digit(text[left], sure, candidates[index].box))
            elif 0 < left < len(text) and _is_figure(candidates[index], height, log_probs[index], reject):
                unread.append((left, candidates[index].box))
            node = candidates[index].start
        return Spelling(score, tuple(digits[::-1]), tuple(unread[::-1]))

    return [told(k, text) for k, text in enumerate(texts)]


def _is_figure(candidate: Candidate, height: float, log_probs: F32, reject: int | None) -> bool:
    """Whether a stroke is as large as a digit and yet none: a letter, a digit struck out."""
    _, _, w, h = candidate.box
    return is_large(w, h, height) and reject is not None and float(log_probs[reject]) > np.log(0.5)


def is_large(w: int, h: int, height: float) -> bool:
    """Whether a stroke has a digit's size in a row of digits `height` pixels high, where it is no narrow one."""
    return h >= _LARGE[1] * height and _LARGE[0] * height <= w <= _FLATTEST_DIGIT * h


def _left_out(width: int, height: float, no_digit: float) -> float:
    """What it costs to leave a tall stroke out, by its width and the logarithm of the probability of no digit."""
    digits = max(1.0, width / (_WIDTH * height))
    return _LEAVE_TALL * digits + max(no_digit, float(np.log(LEAST_CONFIDENCE)))


def _readings(
    candidate: Candidate, log_probs: F32, labels: Sequence[str], reject: int | None, height: float
) -> list[tuple[float, Digit | None]]:
    """What a candidate can stand for: (score, digit), the digit None where its strokes are left out."""
    _, _, w, h = candidate.box
    alone = candidate.whole
    cuts = _CUT * candidate.cut_ends
    if candidate.is_low(height):
        return [(_LEAVE_SMALL, None)] if alone else []
    no_digit = float(log_probs[reject]) if reject is not None else -np.inf
    readings: list[tuple[float, Digit | None]] = []
    probable = [i for i in range(len(labels)) if i != reject]
    label = max(probable, key=lambda i: float(log_probs[i]))
    probability = float(np.exp(log_probs[label]))
    if probability >= LEAST_CONFIDENCE:
        readings.append((cuts + float(log_probs[label]), Digit(labels[label], probability, candidate.box)))
    if alone:
        # Something as tall as a digit that is none of the labels, or two that touch: there, but not read.
        unread = None if w > _FLATTEST_DIGIT * h and _is_stroke(candidate) else Digit(UNREADABLE, 0.0, candidate.box)
        readings.append((_left_out(w, height, no_digit), unread))
    return readings


def _is_stroke(candidate: Candidate) -> bool:
    """Whether a flat candidate is a plain stroke, a dash or rule, and no run of digits that touch."""
    _, _, w, h = candidate.box
    return w > 5 * h
