"""A picture of a row and what it says -> the ink of each of its digits, cut apart where they touch.

Forced alignment: of all ways through the row's lattice that have as many digits as the text, the one that looks most
like it (as `edge.decode.spell`, after Matan et al. 1992). The model may be bad at this hand, so what it says against a
digit is bounded, and the strokes' places decide where it says nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.arrays import F32, F64, U8
from edge.imaging.candidates import Candidate
from edge.imaging.ink import Ink
from edge.imaging.lines import Line, find_lines, lattice
from edge.imaging.normalise import normalise_all
from edge.reader import working_size
from edge.recogniser import Recogniser
from training.own_pictures.example import Example, inks, outward

_ROOM = 16_000  # pixels of strips that are looked at in a picture, as the reader has it
_ASKED = 3_000  # candidates of a picture that the model is asked about, those of the tallest lines

# Natural logarithms. Of the least probability of its label that a digit is given; of one that looks like it.
_LEAST = -4.0
_LIKE_ITS_LABEL = -1.6
_CUT = -1.0  # of a cut through a stroke, for the digit on either side
_LEAVE_SMALL, _LEAVE_TALL = -0.4, -3.0  # of strokes left out: a dot, a digit's width
_GAP = -8.0  # of paper between the strokes of one digit, for each height of the row
_NARROW, _WIDE = -2.0, -4.0  # of a piece that is narrower, and of strokes that are wider, than digits are, likewise
_LESS_NATURAL = 2.0  # by which another number of digits may suit the strokes better
_LAST_RESORT = -1.0  # of a digit in what is not the picture's main ink

_OTHER_COUNTS = 4  # of digits more than a text has that a row is tried with

# By the row's digit height.
_LOWEST, _NARROWEST, _WIDEST, _USUAL = 0.5, 0.3, 1.1, 0.65


@dataclass(frozen=True)
class _Cut:
    """One line cut into a text's digits. score: natural logarithm; plausible: whether the line may say the text;
    unlike: how many digits do not look like theirs; sure: whether no doubt is left."""

    line: Line
    digits: tuple[Candidate, ...]
    inks: tuple[U8, ...]
    score: float
    plausible: bool
    unlike: int
    sure: bool


def rows(grey: U8, texts: Sequence[str], recogniser: Recogniser) -> list[list[Example] | None]:
    """The digits of each text, left to right, on a picture, uint8 [H, W], whose rows say `texts`, top to bottom; None
    where no row can be cut into as many.

    texts: at least one; their labels need not be the recogniser's.
    """
    small, scale = working_size(grey)
    best: list[_Cut | None] = [None] * len(texts)
    for number, (ink, is_main) in enumerate(inks(small)):
        found = _placed(ink, texts, recogniser, 0.0 if is_main else _LAST_RESORT)
        if number:  # paper inside digits has their count: what is less likely ink must look like the text
            found = [cut if cut is not None and 2 * cut.unlike <= len(cut.digits) else None for cut in found]
        if _worth(found) > _worth(best):
            best = found
        if all(cut is not None and cut.sure for cut in best):
            break
    return [
        None
        if cut is None
        else [
            Example(ink, outward(digit.box, scale, grey.shape, back=cut.line.back))
            for digit, ink in zip(cut.digits, cut.inks, strict=True)
        ]
        for cut in best
    ]


def _worth(cuts: Sequence[_Cut | None]) -> tuple[int, float]:
    """How many texts were found, and how well."""
    found = [cut for cut in cuts if cut is not None]
    return len(found), sum(cut.score for cut in found)


def _placed(ink: Ink, texts: Sequence[str], recogniser: Recogniser, cost: float) -> list[_Cut | None]:
    """The texts in the lines of one ink, each in a line below the one before: the assignment that fits best."""
    lines = find_lines(ink, _ROOM)
    tallest = sorted(range(len(lines)), key=lambda i: -lines[i].height * len(lines[i].strokes) ** 0.5)
    cuts: dict[tuple[int, int], _Cut] = {}
    asked = 0
    for i in tallest:
        if asked + len(lines[i].strokes) > _ASKED:
            continue
        candidates, shapes = lattice(lines[i])
        asked += len(candidates)
        log_probs = recogniser.log_probs(normalise_all(shapes))
        for k, text in enumerate(texts):
            cut = _cut(lines[i], candidates, shapes, log_probs, text, recogniser, cost)
            if cut is not None and cut.plausible:
                cuts[i, k] = cut
    # best[k][i]: of the first k texts in the first i lines; as many as can be, then as well as can be.
    best: list[list[tuple[int, float]]] = [[(0, 0.0)] * (len(lines) + 1) for _ in range(len(texts) + 1)]
    for k in range(1, len(texts) + 1):
        best[k][0] = best[k - 1][0]
        for i in range(1, len(lines) + 1):
            best[k][i] = max(best[k][i - 1], best[k - 1][i])
            if (i - 1, k - 1) in cuts:
                count, score = best[k - 1][i - 1]
                best[k][i] = max(best[k][i], (count + 1, score + cuts[i - 1, k - 1].score))
    placed: list[_Cut | None] = [None] * len(texts)
    k, i = len(texts), len(lines)
    while k and i:
        if best[k][i] == best[k][i - 1]:
            i -= 1
        elif best[k][i] == best[k - 1][i]:
            k -= 1
        else:
            k, i = k - 1, i - 1
            placed[k] = cuts[i, k]
    return placed


def _cut(
    line: Line,
    candidates: Sequence[Candidate],
    shapes: Sequence[U8],
    log_probs: F32,
    text: str,
    recogniser: Recogniser,
    cost: float,
) -> _Cut | None:
    """The best way through a line's candidates that has as many digits as `text`; None where there is none."""
    nodes = max((c.end for c in candidates), default=0)
    if nodes == 0:
        return None
    likely = _likely(log_probs, text, recogniser)
    place = np.array([_place(candidate, line.height) for candidate in candidates])
    left_out = [_left_out(c, line.height, row, recogniser.reject) for c, row in zip(candidates, log_probs, strict=True)]
    best, came, took = _search(candidates, likely + place[:, None] + cost, left_out)
    if not np.isfinite(best[nodes, len(text)]):
        return None
    node, left = nodes, len(text)
    chosen: list[int] = []
    unlike = tall = 0
    while node > 0:
        index = int(came[node, left])
        candidate = candidates[index]
        if took[node, left]:
            left -= 1
            chosen.insert(0, index)
            unlike += likely[index, left] < _LIKE_ITS_LABEL
        else:
            tall += candidate.box[3] >= _LOWEST * line.height
        node = candidate.start
    # Where the model knows the hand, the row may hold more than the text; else strokes and text must agree.
    plausible = unlike == 0 or _suits(candidates, place + _anything(log_probs, recogniser), left_out, len(text))
    return _Cut(
        line,
        tuple(candidates[i] for i in chosen),
        tuple(shapes[i] for i in chosen),
        float(best[nodes, len(text)]),
        plausible,
        int(unlike),
        unlike == 0 and tall == 0,
    )


def _search(
    candidates: Sequence[Candidate], scores: F64, left_out: Sequence[float]
) -> tuple[F64, npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """The best ways from node to node with so many digits, [nodes + 1, digits + 1] each: their scores, the candidate
    that leads there, and whether it is a digit or left out. scores: float64 [candidates, digits].
    """
    nodes = max(c.end for c in candidates)
    best = np.full((nodes + 1, scores.shape[1] + 1), -np.inf)
    best[0, 0] = 0.0
    came, took = np.full(best.shape, -1), np.zeros(best.shape, bool)
    for index in sorted(range(len(candidates)), key=lambda i: candidates[i].end):
        start, end = candidates[index].start, candidates[index].end
        total = best[start, :-1] + scores[index]
        better = total > best[end, 1:]
        best[end, 1:][better], came[end, 1:][better], took[end, 1:][better] = total[better], index, True
        total = best[start] + left_out[index]
        better = total > best[end]
        best[end][better], came[end][better], took[end][better] = total[better], index, False
    return best, came, took


def _suits(candidates: Sequence[Candidate], scores: F64, left_out: Sequence[float], count: int) -> bool:
    """Whether the strokes may be so many digits as well as they may be any other number of them; scores: float64
    [candidates], of each as some digit.
    """
    digits = count + _OTHER_COUNTS
    best, _, _ = _search(candidates, np.repeat(scores[:, None], digits, axis=1), left_out)
    return bool(best[-1, count] >= best[-1].max() - _LESS_NATURAL)


def _anything(log_probs: F32, recogniser: Recogniser) -> F64:
    """float64 [candidates]: the natural logarithm of the probability that each is a digit, bounded from below."""
    if recogniser.reject is None:
        return np.zeros(len(log_probs))
    no_digit = np.exp(log_probs[:, recogniser.reject].astype(np.float64))
    return np.asarray(np.maximum(np.log(np.maximum(1 - no_digit, 1e-6)), _LEAST), np.float64)


def _likely(log_probs: F32, text: str, recogniser: Recogniser) -> F64:
    """float64 [candidates, len(text)]: how likely each is each label of the text, bounded from below; of a label that
    the model does not know, how likely it is anything.
    """
    labels, columns = recogniser.card.labels, log_probs.astype(np.float64)
    anything = _anything(log_probs, recogniser)
    likely = [columns[:, labels.index(label)] if label in labels else anything for label in text]
    return np.asarray(np.maximum(np.stack(likely, axis=1), _LEAST), np.float64)


def _place(candidate: Candidate, height: float) -> float:
    """What the strokes' places say of a candidate being one digit; -inf where it is too low for one."""
    _, _, w, h = candidate.box
    if h < _LOWEST * height:
        return -np.inf
    ends = np.maximum.accumulate([piece.right for piece in candidate.pieces])
    gaps = sum(max(0, piece.x - int(end)) for piece, end in zip(candidate.pieces[1:], ends[:-1], strict=True))
    narrow = max(0.0, _NARROWEST - w / height) if candidate.cut_ends else 0.0
    wide = max(0.0, w / height - _WIDEST)
    return _CUT * candidate.cut_ends + _GAP * gaps / height + _NARROW * narrow / _NARROWEST + _WIDE * wide


def _left_out(candidate: Candidate, height: float, log_probs: F32, reject: int | None) -> float:
    """What it costs to leave a whole stroke out; -inf for others."""
    _, _, w, h = candidate.box
    if not candidate.whole:
        return -np.inf
    if h < _LOWEST * height:
        return _LEAVE_SMALL
    no_digit = float(log_probs[reject]) if reject is not None else -np.inf
    return _LEAVE_TALL * max(1.0, w / (_USUAL * height)) + max(no_digit, _LIKE_ITS_LABEL)
