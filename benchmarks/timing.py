"""Things timed in turns, so that whatever else slows the machine slows all alike, and what is told of their times."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from edge.arrays import F64
from edge.bench import ms


def in_turns(calls: Mapping[str, Callable[[], object]], rounds: int, warm: bool = True) -> dict[str, F64]:
    """Milliseconds of each call, float64 [rounds] by name: every round all of them, each time in the other direction.

    warm: call each once before, uncounted.
    """
    if warm:
        for once in calls.values():
            once()
    times: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(rounds):
        for name in list(calls)[:: (-1) ** number]:
            times[name].append(ms(calls[name]))
    return {name: np.array(values) for name, values in times.items()}


def quartiles(values: F64) -> list[float]:
    """First quartile, median, third, to four significant digits: as JSON has them."""
    return [float(f"{value:.4g}") for value in np.percentile(values, [25, 50, 75])]


def compared(ours: F64, beside: F64) -> dict[str, Any]:
    """ours, beside: float64 [n], measured in pairs. ratio: of each pair, ours by the other."""
    return {
        "count": len(ours),
        "ours": quartiles(ours),
        "beside": quartiles(beside),
        "ratio": quartiles(ours / beside),
    }
