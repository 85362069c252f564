"""Pictures of a training run, and of what a model answers. Each function draws one and gives it as PNG."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from training.evaluate import Bin, interval
from training.fonts import drawable

STYLE = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "figure.dpi": 144,
    "font.size": 9,
    "grid.alpha": 0.3,
    "legend.frameon": False,
    "savefig.dpi": "figure",
}

LARGEST_MATRIX = 40
"""Labels in a confusion matrix; of more, only those with most mistakes are drawn."""

_WITH_COUNTS = 20  # labels up to which there is room for a number in each cell
_BLUE, _RED, _GREY = "#2166ac", "#b2182b", "#8c8c8c"


class Epoch(Protocol):
    """What is drawn of an epoch: losses, and accuracies, shares in [0, 1], by kind of sample."""

    @property
    def epoch(self) -> int: ...
    @property
    def training_loss(self) -> float: ...
    @property
    def validation_loss(self) -> float: ...
    @property
    def validation_accuracy(self) -> Mapping[str, float]: ...


def history(epochs: Sequence[Epoch], path: Path) -> None:
    """Write `history_png` there."""
    path.write_bytes(history_png(epochs))


@matplotlib.rc_context(STYLE)
def history_png(epochs: Sequence[Epoch]) -> bytes:
    """Losses left, errors by kind of sample right, over epochs; the lowest validation loss marked."""
    numbers = [epoch.epoch for epoch in epochs]
    figure = Figure(figsize=(9.5, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    dots = {"marker": "."} if len(epochs) < 30 else {}  # a single epoch has no line
    losses = [epoch.validation_loss for epoch in epochs]
    left.plot(numbers, [epoch.training_loss for epoch in epochs], color=_GREY, label="training", **dots)
    left.plot(numbers, losses, color=_BLUE, label="validation", **dots)
    if np.isfinite(losses).any():
        best = int(np.nanargmin(losses))
        left.plot(numbers[best], losses[best], "o", color=_BLUE, markerfacecolor="white", label="lowest")
    left.set(xlabel="epoch", ylabel="negative log-likelihood", title="Loss")
    kinds = list(dict.fromkeys(kind for epoch in epochs for kind in epoch.validation_accuracy))
    texts, families = drawable(kinds)
    for kind, text in zip(kinds, texts, strict=True):
        wrong = [100 * (1 - epoch.validation_accuracy.get(kind, np.nan)) for epoch in epochs]
        (line,) = right.plot(numbers, wrong, **dots)
        line.set_label(text if not text.startswith("_") else f" {text}")  # matplotlib hides names that begin with _
    right.set(xlabel="epoch", ylabel="wrong, %", title="Validation errors")
    shares = [share for epoch in epochs for share in epoch.validation_accuracy.values()]
    least, most = 100 * (1 - max(shares, default=1)), 100 * (1 - min(shares, default=1))
    if most > 5 * least:  # of a shorter range a logarithmic axis would have one number
        right.set_yscale("symlog", linthresh=0.1, subs=(2, 5))
    if least < 0.1:
        right.set_ylim(bottom=0)
    if all(0 < one < np.inf for epoch in epochs for one in (epoch.training_loss, epoch.validation_loss)):
        left.set_yscale("log")
    for axes in (left, right):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(FuncFormatter(_one_two_five))
    left.legend()
    if kinds:
        legend = right.legend(loc="center left", bbox_to_anchor=(1, 0.5))
        for label in legend.get_texts():
            label.set(fontfamily=families, parse_math=False)
    return _png(figure)


@matplotlib.rc_context(STYLE)
def confusion(matrix: np.ndarray, rows: Sequence[str], columns: Sequence[str]) -> bytes:
    """matrix: integers [rows, columns], true labels down, answers across; the first columns are the rows' labels.

    Mistakes are coloured by the share of their row, so that a class with few digits shows them too.
    """
    matrix, rows, columns = _most_confused(matrix, list(rows), list(columns))
    texts, families = drawable([*rows, *columns])
    height, width = matrix.shape
    cell = 0.46 if max(height, width) <= _WITH_COUNTS else 0.26
    figure = Figure(figsize=(1.9 + cell * width, 1.2 + cell * height), layout="constrained")
    axes = figure.subplots()
    totals = np.maximum(matrix.sum(1, keepdims=True), 1)
    shares = matrix / totals
    own = np.eye(height, width, dtype=bool)
    worst = max(float(shares[~own].max(initial=0)), 1e-6)
    axes.imshow(np.where(own | (matrix == 0), np.nan, shares), cmap="Reds", vmin=0, vmax=1.3 * worst, aspect="equal")
    axes.imshow(np.where(own, shares, np.nan), cmap="Blues", vmin=0, vmax=1.6, aspect="equal")
    if max(height, width) <= _WITH_COUNTS:
        for (row, column), count in np.ndenumerate(matrix):
            if count:
                dark = not own[row, column] and shares[row, column] > 0.75 * worst
                axes.text(
                    column, row, str(count), ha="center", va="center", fontsize=8, color="white" if dark else "black"
                )
    look = {"fontfamily": families, "fontsize": 8, "parse_math": False}
    upright = max(map(len, texts)) * 0.075 < cell  # inches a character at 8 points
    axes.set_xticks(range(width), texts[height:], rotation=0 if upright else 90, **look)
    axes.set_yticks(range(height), texts[:height], **look)
    axes.set(xlabel="answer", ylabel="label")
    axes.tick_params(length=0)
    axes.grid(False)
    axes.set_xticks(np.arange(width + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(height + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="#dddddd", linewidth=0.6, alpha=1)
    axes.tick_params(which="minor", length=0)
    axes.spines[:].set_visible(False)
    return _png(figure)


@matplotlib.rc_context(STYLE)
def reliability(bins: Sequence[Bin]) -> bytes:
    """Share right over confidence, with 95 % intervals, above how many answers were so sure (Guo et al. 2017)."""
    figure = Figure(figsize=(4.8, 5.2), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    filled = [one for one in bins if one.confidence is not None and one.right is not None]
    above.plot([0, 1], [0, 1], "--", color=_GREY, linewidth=1, label="as sure as right")
    if filled:
        sure = np.array([one.confidence for one in filled])
        right = np.array([one.right for one in filled], float)
        counts = [one.count for one in filled]
        bounds = np.array([interval(round(share * count), count) for share, count in zip(right, counts, strict=True)])
        error = np.abs(bounds.T - right)
        above.errorbar(
            sure, right, error, fmt="o", color=_BLUE, markersize=4, elinewidth=1, label="share right", clip_on=False
        )
    above.set(ylabel="share right", xlim=(0, 1), ylim=(0, 1.03), title="Reliability")
    above.legend(loc="upper left")
    edges = [one.low for one in bins]
    below.bar(edges, [one.count for one in bins], 1 / len(bins), align="edge", color=_BLUE)
    below.set(xlabel="confidence", ylabel="answers")
    if filled:
        below.set(yscale="log", ylim=(0.7, None))
    below.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    return _png(figure)


@matplotlib.rc_context(STYLE)
def robustness(epsilons: Sequence[float], shares: Mapping[str, Sequence[float]]) -> bytes:
    """Shares right, in [0, 1], over how far a pixel may be changed; one line for each attack."""
    figure = Figure(figsize=(4.8, 3.2), layout="constrained")
    axes: Axes = figure.subplots()
    for (attack, values), color in zip(shares.items(), (_BLUE, _RED, _GREY), strict=False):
        axes.plot(epsilons, [100 * value for value in values], marker="o", markersize=4, color=color, label=attack)
    axes.set(xlabel="epsilon, share of full scale", ylabel="right, %", ylim=(-2, 102), title="Attacked")
    axes.legend()
    return _png(figure)


def _most_confused(matrix: np.ndarray, rows: list[str], columns: list[str]) -> tuple[np.ndarray, list[str], list[str]]:
    """The part of it that can be drawn: rows with most mistakes, their own columns, and those most often answered."""
    if max(matrix.shape) <= LARGEST_MATRIX:
        return matrix, rows, columns
    own = np.zeros(matrix.shape, int)
    np.fill_diagonal(own, np.diag(matrix))
    wrong = matrix - own
    # By the mistakes in a label's row and those in its column together: it is mistaken, or taken for others.
    mistaken = wrong.sum(0)
    mistaken[: len(rows)] += wrong.sum(1)
    kept = np.sort(np.argsort(-mistaken, kind="stable")[:LARGEST_MATRIX])
    kept_rows = kept[kept < len(rows)]
    return matrix[np.ix_(kept_rows, kept)], [rows[i] for i in kept_rows], [columns[i] for i in kept]


def _one_two_five(value: float, _: int) -> str:
    """Labels between powers of ten, where they do not crowd."""
    return f"{value:g}" if f"{abs(value):e}"[0] in "25" else ""


def _png(figure: Figure) -> bytes:
    data = io.BytesIO()
    figure.savefig(data, format="png", metadata={"Software": None})
    return data.getvalue()
