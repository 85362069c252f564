"""How fast digitd is on this machine, and which of the shipped files of single digits is the quicker one here."""

import math
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from time import perf_counter
from typing import Any

import cv2
import numpy as np

from edge.arrays import F64, U8, u8
from edge.cores import usable_cores
from edge.engine import EngineConfig
from edge.imaging.normalise import SIDE
from edge.imaging.strip import HEIGHT
from edge.model_card import Precision
from edge.model_files import ModelFiles
from edge.model_store import ModelStore, sha256_of, shipped
from edge.providers import short_name
from edge.recogniser import Recogniser, int8_model
from edge.sequence import RowModel
from edge.sources.picture import load

PHOTO = Path(__file__).parent / "samples" / "photo.jpg"
"""What frames are measured on: 1280x720, one row of digits on paper."""

BATCH = 64
"""Single digits of one call: those that a frame asks about, or a page of rows."""

WORTH = 0.05
"""The share of time by which a file must be quicker to be put in the other's place: less differs from day to day."""

_SHARES = {"frames": 0.6, "rows": 0.2, "digits": 0.2}  # of the time that is to be spent
_STRIP = 160  # pixels of a strip of some seven digits
_LEAST = 5  # calls, however slow the machine is
_SIGMAS = 2.576  # of a normal distribution, that hold 99 %

Tick = Callable[[str, float], None]
"""Told what is measured and for how many seconds still, after each call."""


@dataclass(frozen=True)
class Speed:
    """what: is measured; each: how many of it one call does; ms: float64 [n], of each call."""

    what: str
    each: int
    ms: F64

    @property
    def per_second(self) -> float:
        return 1000 * self.each / float(self.ms.mean())

    def percentile(self, share: float) -> float:
        """Milliseconds that so many hundredths of the calls keep within."""
        return float(np.percentile(self.ms, share))

    def to_json(self) -> dict[str, Any]:
        return {
            "each": self.each,
            "calls": len(self.ms),
            "per_second": round(self.per_second, 1),
            "ms": {f"p{share}": round(self.percentile(share), 3) for share in (50, 90, 99)},
        }


@dataclass(frozen=True)
class Report:
    """machine: what was measured on, and with what; speeds: frames, rows, digits."""

    machine: dict[str, Any]
    speeds: Sequence[Speed]

    def to_json(self) -> dict[str, Any]:
        return self.machine | {speed.what: speed.to_json() for speed in self.speeds}


def bench(models: ModelFiles, engine: EngineConfig, seconds: float, tick: Tick) -> Report:
    """Measures for some `seconds` in all, on the bundled photograph. Raises ModelError, ProviderError."""
    cv2.setNumThreads(engine.threads or usable_cores())
    files = models.chosen()
    reader = files.reader(engine)
    rows, card = RowModel(files.rows, engine), reader.recogniser.card
    photo = load(PHOTO)
    crops, strip = _crops(), np.zeros((HEIGHT, _STRIP), np.uint8)
    work: dict[str, tuple[int, Callable[[], object]]] = {
        "frames": (1, lambda: reader.read(photo)),
        "rows": (1, lambda: rows.log_probs([strip])),
        "digits": (BATCH, lambda: reader.recogniser.log_probs(crops)),
    }
    machine = {
        "digitd": metadata.version("digitd"),
        "machine": platform.machine(),
        "cores": usable_cores(),
        "threads": engine.threads or usable_cores(),
        "provider": short_name(reader.recogniser.providers[0]),
        "model": {"file": str(files.digits or shipped("digits")), "name": card.name, "precision": card.precision},
        "row_model": {
            "file": str(files.rows or shipped("rows", engine.provider)),
            "name": rows.card.name,
            "precision": rows.card.precision,
        },
        "frame": [photo.shape[1], photo.shape[0]],
    }
    speeds = [
        Speed(what, each, _timed(what, once, seconds * _SHARES[what], tick)) for what, (each, once) in work.items()
    ]
    return Report(machine, speeds)


@dataclass(frozen=True)
class Choice:
    """Of the shipped float32 and int8 files of single digits.

    float32, int8: milliseconds of BATCH digits, float64 [n] each, of calls in turns. ratio: int8's time of float32's,
    the median over the pairs; within: what holds the true median with 99 %. was: what was in use before, in_use: what
    is from now on; own: a model that the user promoted, for whose sake nothing is changed, and in_use is None.
    """

    float32: F64
    int8: F64
    ratio: float
    within: tuple[float, float]
    was: Precision
    in_use: Precision | None
    own: Path | None

    def is_quicker(self, one: Precision) -> bool:
        """Whether it surely is, by more than WORTH."""
        return self.within[1] < 1 - WORTH if one == "int8" else self.within[0] > 1 + WORTH

    def to_json(self) -> dict[str, Any]:
        return {
            "batch": BATCH,
            "pairs": len(self.int8),
            "float32_ms": round(float(np.median(self.float32)), 3),
            "int8_ms": round(float(np.median(self.int8)), 3),
            "ratio": round(self.ratio, 3),
            "within": [round(end, 3) for end in self.within],
            "in_use": self.in_use,
            "own": None if self.own is None else str(self.own),
        }


def choose(store: ModelStore, engine: EngineConfig, seconds: float, tick: Tick) -> Choice:
    """Measures both files for some `seconds`, and puts the quicker one to use where that is sure. Raises ModelError,
    ProviderError.
    """
    float32, int8 = Recogniser(shipped("digits"), engine), Recogniser(int8_model(), engine)
    crops = _crops()
    return decide(store, _in_turns([lambda: float32.log_probs(crops), lambda: int8.log_probs(crops)], seconds, tick))


def decide(store: ModelStore, times: F64) -> Choice:
    """times: float64 [n, 2], milliseconds of float32 and of int8 in turns. Raises ModelError."""
    before = [one.path for one in store.promoted("digits") if not one.taken_back]
    ours = sha256_of(int8_model())
    own = next((path for path in reversed(before) if sha256_of(path) != ours), None)
    ratio, within = _median(times[:, 1] / times[:, 0])
    was: Precision = "int8" if before else "float32"
    choice = Choice(times[:, 0], times[:, 1], ratio, within, was, was if own is None else None, own)
    other: Precision = "float32" if before else "int8"
    if own is not None or not choice.is_quicker(other):
        return choice
    if other == "int8":
        # By the gates of its export it loses nothing that chance does not explain. Promotion, which knows no chance,
        # allows less than one sample of a card's smaller sets.
        store.promote(int8_model(), force=True)
    else:
        for _ in before:
            store.rollback("digits")
    return replace(choice, in_use=other)


def _crops() -> U8:
    """uint8 [BATCH, 28, 28]: parts of the photograph, its ink bright. What they show makes no difference to time."""
    grey = u8(cv2.cvtColor(load(PHOTO), cv2.COLOR_BGR2GRAY))
    across = grey.shape[1] // SIDE
    corners = [divmod(i, across) for i in range(BATCH)]
    return np.stack([255 - grey[y * SIDE :, x * SIDE :][:SIDE, :SIDE] for y, x in corners])


def _timed(what: str, once: Callable[[], object], seconds: float, tick: Tick) -> F64:
    """Milliseconds of each call, float64 [n]; the first, which warms up, is not counted."""
    once()
    end, times = perf_counter() + seconds, list[float]()
    while len(times) < _LEAST or perf_counter() < end:
        times.append(ms(once))
        tick(what, max(0.0, end - perf_counter()))
    return np.array(times)


def _in_turns(calls: Sequence[Callable[[], object]], seconds: float, tick: Tick) -> F64:
    """Milliseconds, float64 [n, len(calls)], of calls in turns, each time in the other direction, so that whatever else
    slows the machine slows all alike.
    """
    for once in calls:
        once()
    end, times = perf_counter() + seconds, list[list[float]]()
    while len(times) < _LEAST or perf_counter() < end:
        row = [ms(once) for once in calls[:: (-1) ** len(times)]]
        times.append(row[:: (-1) ** len(times)])
        tick("float32 and int8", max(0.0, end - perf_counter()))
    return np.array(times)


def ms(once: Callable[[], object]) -> float:
    """Milliseconds of one call."""
    start = perf_counter()
    once()
    return 1000 * (perf_counter() - start)


def _median(values: F64) -> tuple[float, tuple[float, float]]:
    """The median, and between which of the values the true one lies with 99 %: by their ranks, whatever the
    distribution (Conover, Practical Nonparametric Statistics, 1999, section 3.2).
    """
    ordered, middle = np.sort(values), len(values) / 2
    reach = _SIGMAS * math.sqrt(len(values)) / 2
    low, high = max(0, math.floor(middle - reach)), min(len(values) - 1, math.ceil(middle + reach))
    return float(np.median(ordered)), (float(ordered[low]), float(ordered[high]))
