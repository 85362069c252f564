"""Whole rows: strips in, log-probabilities of each step out, and which text they stand for.

A step is 4 pixels of a strip. Its labels are the digits and `blank`, nothing new; a text is what is left when
repeated labels are joined and blanks dropped: connectionist temporal classification (Graves, Fernandez, Gomez,
Schmidhuber 2006).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.arrays import F32, F64, U8
from edge.engine import Engine, EngineConfig, Signature
from edge.errors import ModelError
from edge.imaging.strip import HEIGHT, PREPROCESSING
from edge.providers import is_cpu

BLANK = "blank"
STEP = 4
"""Pixels of a strip that one step stands for."""

STRIPS = Signature("strips", (HEIGHT, None), stepped=True, preprocessing=PREPROCESSING)

_LEAST = 0.002  # probability of a label at a step below which no text is begun or continued with it

_SCALED = 4  # steps after which likelihoods are brought back to 1, so that they do not vanish
_TINY = 1e-300
_LEAST_BY_A_LOOK = -12.0

# Strips of one call, and how much broader than the narrowest: beyond, padding costs more than calls.
_BATCH = 16
_PADDED = 1.4


def default_row_model() -> Path:
    """The model file of whole rows that comes with the package."""
    return Path(__file__).parent / "models" / "rows.onnx"


def shipped_row_model(provider: str) -> Path:
    """Of the files that come with the package the one for a provider: on a CPU the one in int8, that takes it half of
    the time.
    """
    return default_row_model().with_name("rows-int8.onnx") if is_cpu(provider) else default_row_model()


class RowModel:
    """Runs a model file of whole rows. card, providers: as `Engine` has them; labels: of a step, `blank` first."""

    def __init__(self, model: Path | None = None, engine: EngineConfig | None = None) -> None:
        """Raises ModelError or ProviderError, in one line that says what, where and the mend."""
        config = engine or EngineConfig()
        path = model or shipped_row_model(config.provider)
        self._engine = Engine(path, STRIPS, config)
        self.card, self.providers = self._engine.card, self._engine.providers
        self.labels = self.card.labels
        if self.labels[0] != BLANK:
            raise ModelError(f"{path}: its first label is not {BLANK}; take a file written by `digitd export`")

    def log_probs(self, strips: Sequence[U8]) -> list[F32]:
        """strips: uint8 [32, W] each, W a multiple of 4. Returns float32 [W / 4, K] for each, in the same order."""
        out: list[F32] = [np.zeros((0, len(self.labels)), np.float32)] * len(strips)
        order = sorted(range(len(strips)), key=lambda i: strips[i].shape[1])
        start = 0
        while start < len(order):
            widest = _PADDED * strips[order[start]].shape[1]
            chosen = [i for i in order[start : start + _BATCH] if strips[i].shape[1] <= widest]
            start += len(chosen)
            batch = np.zeros((len(chosen), HEIGHT, strips[chosen[-1]].shape[1]), np.uint8)
            for row, i in zip(batch, chosen, strict=True):
                row[:, : strips[i].shape[1]] = strips[i]
            for i, steps in zip(chosen, self._engine.run(batch), strict=True):
                out[i] = steps[: strips[i].shape[1] // STEP]
        return out


@dataclass(frozen=True)
class Spelt:
    """labels: indices of a text's labels; spans: first and last step of each."""

    labels: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]

    def middles(self, columns: F64) -> list[float]:
        """Where each label is seen, pixels. columns: float64 [T + 1], where the steps' left edges are."""
        return [float(columns[first] + columns[last + 1]) / 2 for first, last in self.spans]

    def sureness(self, steps: F32) -> list[float]:
        """The natural logarithm of each label's highest probability where it stands; steps: float32 [T, K]."""
        return [
            float(steps[first : last + 1, k].max()) for k, (first, last) in zip(self.labels, self.spans, strict=True)
        ]


def best_path(steps: F32) -> Spelt:
    """The text of the likeliest label at each step. steps: float32 [T, K], K's first is blank."""
    return _spelt(steps.argmax(1).tolist())


def likeliest(steps: F32, count: int) -> list[tuple[int, ...]]:
    """Up to `count` texts' labels, likeliest first: prefix beam search (Hannun, Maas, Jurafsky, Ng, "First-pass large
    vocabulary continuous speech recognition using bi-directional recurrent DNNs", 2014), without a language model.
    """
    beam: dict[tuple[int, ...], tuple[float, float]] = {(): (1.0, 0.0)}  # ends in blank, ends in its last label
    probabilities = np.exp(steps.astype(np.float64))
    several: list[bool] = np.any(probabilities[:, 1:] > _LEAST, axis=1).tolist()
    for row, some in zip(probabilities, several, strict=True):
        blank = float(row[0])
        if not some:  # between digits, as most steps are: no text grows
            beam = {
                text: ((ended + open_) * blank, open_ * float(row[text[-1]]) if text else 0.0)
                for text, (ended, open_) in beam.items()
            }
            continue
        live = [(int(k), float(row[k])) for k in np.flatnonzero(row[1:] > _LEAST) + 1]
        grown: dict[tuple[int, ...], tuple[float, float]] = {}
        for prefix, (ended, open_) in beam.items():
            old = grown.get(prefix, (0.0, 0.0))
            again = open_ * float(row[prefix[-1]]) if prefix else 0.0
            grown[prefix] = (old[0] + (ended + open_) * blank, old[1] + again)
            for k, share in live:
                source = ended if prefix and prefix[-1] == k else ended + open_
                old = grown.get((*prefix, k), (0.0, 0.0))
                grown[(*prefix, k)] = (old[0], old[1] + source * share)
        kept = sorted(grown.items(), key=lambda item: -sum(item[1]))[:count]
        total = sum(kept[0][1]) or 1.0  # kept near 1, so that long rows do not underflow
        beam = {prefix: (ended / total, open_ / total) for prefix, (ended, open_) in kept}
    return list(beam)


def align(steps: F32, labels: Sequence[int]) -> Spelt:
    """Where in the strip a text's labels stand: its likeliest path (Viterbi).

    Raises ValueError where no path of so many steps spells the text.
    """
    best = best_path(steps)
    if best.labels == tuple(labels):  # nearly always: the likeliest path of all is its text's likeliest, too
        return best
    if not labels:
        return Spelt((), ())
    if not len(steps):
        raise ValueError(f"no steps cannot spell {len(labels)} labels")
    spelt = _with_blanks(labels)
    emit = steps[:, spelt].astype(np.float64)
    skip = _skips(spelt)
    score = np.full(len(spelt), -np.inf)
    score[:2] = emit[0, :2]
    came = np.zeros((len(steps), len(spelt)), np.int64)  # from how many states back
    for t in range(1, len(steps)):
        ways = np.full((3, len(spelt)), -np.inf)
        ways[0] = score
        ways[1, 1:] = score[:-1]
        ways[2, 2:] = np.where(skip[2:], score[:-2], -np.inf)
        came[t] = ways.argmax(0)
        score = ways.max(0) + emit[t]
    if score[-2:].max() == -np.inf:
        raise ValueError(f"{len(steps)} steps cannot spell {len(labels)} labels")
    state = len(spelt) - 1 if score[-1] >= score[-2] else len(spelt) - 2
    spans = [[len(steps), -1] for _ in labels]
    for t in range(len(steps) - 1, -1, -1):
        if state % 2:
            spans[state // 2][0] = t
            spans[state // 2][1] = max(spans[state // 2][1], t)
        state -= int(came[t, state])
    return Spelt(tuple(labels), tuple((first, last) for first, last in spans))


def _spelt(path: list[int]) -> Spelt:
    starts = [t for t in range(len(path)) if path[t] and (t == 0 or path[t] != path[t - 1])]
    spans = []
    for start in starts:
        end = start
        while end + 1 < len(path) and path[end + 1] == path[start]:
            end += 1
        spans.append((start, end))
    return Spelt(tuple(path[t] for t in starts), tuple(spans))


def _with_blanks(labels: Sequence[int]) -> np.ndarray:
    spelt = np.zeros(2 * len(labels) + 1, np.int64)
    spelt[1::2] = labels
    return spelt


def _skips(spelt: np.ndarray) -> np.ndarray:
    """bool [2n + 1]: which labels may follow the one before without a blank between."""
    skip = np.zeros(len(spelt), bool)
    skip[2:] = (spelt[2:] != 0) & (spelt[2:] != spelt[:-2])
    return skip


def log_likelihood(steps: F32, labels: Sequence[int]) -> float:
    """Natural logarithm of the probability of one text, as `log_likelihoods` has it of several.

    Of one, as of most rows, plain numbers are three times as quick as arrays.
    """
    if len(steps) == 0:
        return -np.inf if labels else 0.0
    count = len(labels)
    skips = [i > 0 and labels[i] != labels[i - 1] for i in range(count)]
    first, *rest = np.exp(steps.astype(np.float64)).tolist()
    blanks = [first[0]] + count * [0.0]  # of all paths so far, those that end in the blank before a label, or the last
    inked = [first[label] if i == 0 else 0.0 for i, label in enumerate(labels)]  # and those that end in the label
    scale = 0.0
    for t, likely in enumerate(rest):
        before, blank = 0.0, likely[0]
        for i, label in enumerate(labels):
            ended, open_ = blanks[i], inked[i]
            blanks[i] = (ended + before) * blank
            inked[i] = (open_ + ended + (before if skips[i] else 0.0)) * likely[label]
            before = open_
        blanks[count] = (blanks[count] + before) * blank
        if t % _SCALED == 0:
            most = max(*blanks, *inked, _TINY)
            blanks, inked = [one / most for one in blanks], [one / most for one in inked]
            scale += math.log(most)
    ends = blanks[-1] + (inked[-1] if inked else 0.0)
    return math.log(ends) + scale if ends else -np.inf


def log_likelihoods(looks: Sequence[F32], texts: Sequence[Sequence[int]]) -> F64:
    """Natural logarithm of the probability of each text by each look: the sum over all paths that spell it, -inf where
    none does.

    looks: float32 [T, K] each; texts: at least one, each of indices into K, none of them 0. Returns float64
    [len(looks), len(texts)].
    """
    size = 2 * max(len(text) for text in texts) + 1
    spelt = np.zeros((len(texts), size), np.int64)
    for row, text in zip(spelt, texts, strict=True):
        row[1 : 2 * len(text) : 2] = text
    # [T, look, text, label]. Where a look has ended it says blank for ever, which makes no text likelier. One step more
    # than the longest has, so that none is empty.
    emit = np.zeros((1 + max(map(len, looks)), len(looks), *spelt.shape))
    emit[..., ::2] = 1.0
    for k, steps in enumerate(looks):
        emit[: len(steps), k] = np.exp(steps.astype(np.float64))[:, spelt]
    skip = np.zeros(spelt.shape)
    skip[:, 2:] = (spelt[:, 2:] != 0) & (spelt[:, 2:] != spelt[:, :-2])
    alpha = np.zeros((len(looks), len(texts), size + 2))  # two in front that nothing starts from
    now, from_last, from_before = alpha[..., 2:], alpha[..., 1:-1], alpha[..., :-2]
    now[..., :2] = emit[0, ..., :2]
    scale = np.zeros(now.shape[:2])
    come = np.empty(now.shape)
    for t, likely in enumerate(emit[1:]):
        np.multiply(skip, from_before, come)
        np.add(come, from_last, come)
        np.add(now, come, now)
        np.multiply(now, likely, now)
        if t % _SCALED == 0:
            most = np.maximum(now.max(2), _TINY)
            now /= most[..., None]
            scale += np.log(most)
    last = np.array([2 * len(text) for text in texts])
    ends = now[:, np.arange(len(texts)), last]  # after the step more: all paths that ended in their last label, too
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(ends) + scale, np.float64)


def agreed(looks: Sequence[F32], texts: Sequence[Sequence[int]]) -> F64:
    """How likely each text is by several looks at one row: the mean of its log-likelihoods, float64 [len(texts)].

    A look's is bounded below: one that misses an end of the row, and so gives the text no chance, is not to decide
    alone. But a text that the first look, the one that places digits, cannot spell at all is out: -inf.
    """
    each = log_likelihoods(looks, texts)
    mean = np.maximum(each, _LEAST_BY_A_LOOK).mean(0)
    return np.asarray(np.where(np.isneginf(each[0]), -np.inf, mean), np.float64)
