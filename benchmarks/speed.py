"""How fast digitd is, each time beside what it cannot do without, or beside another package, in the same run.

    python -m benchmarks.speed --data-dir DATA [--only frame,cold] [--json FILE]

Everything is timed in turns, so that a busy machine slows all alike; medians with quartiles, ratios of pairs. The
unavoidable parts of a frame: from colour to grey, one local threshold, contours, one ONNX Runtime call for the row. The
rows are by held-out writers. Peers are measured where `benchmarks.peers` finds them.
"""

import argparse
import json
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks import peers, processes
from benchmarks.accuracy import KINDS, Sample, generated, pictures, source_of
from benchmarks.timing import compared, in_turns
from edge.arrays import U8, u8
from edge.bench import ms
from edge.engine import EngineConfig
from edge.errors import ConfigError
from edge.imaging.ink import Ink, find_inks
from edge.imaging.lines import Line as RowLine
from edge.imaging.lines import find_lines
from edge.imaging.strip import HEIGHT
from edge.reader import Reader
from edge.sequence import best_path
from training.synth.sources import DigitSource

_ROW = 160  # pixels of a strip of some seven digits
_WINDOW = 51  # pixels of the local threshold's window
_DIGITS = 6  # of a row crop
_FASTER, _SHARE = "{:.1f} times as fast", "{:.0%} of it"


@dataclass(frozen=True)
class Line:
    """A line of the table. goal: of ours by what is beside it, at most; as: how that is told."""

    what: str
    beside: str
    unit: str
    goal: float
    told: str = "{:.2f} times as long"

    def value(self, ratio: float) -> str:
        return self.told.format(1 / ratio if self.is_inverse else ratio)

    @property
    def is_inverse(self) -> bool:
        return self.told in (_FASTER, _SHARE)


LINES = {
    "frame": Line("a 1280x720 frame to its rows, one core", "what no reader can do without", "ms", 2.0),
    "frame_rapidocr": Line("the same frame", "RapidOCR on that frame, one core", "ms", 1 / 60, _FASTER),
    "crop_rapidocr": Line(
        "the crop of a row of six digits, recognition alone", "RapidOCR, likewise", "ms", 1 / 6, _FASTER
    ),
    "crop_tesseract": Line("the same crop", "Tesseract, told that it is one line of digits", "ms", 1 / 4, _FASTER),
    "classifier": Line(
        "64 single digits, float32, one core", "their multiply-adds at this core's best", "ms", 1 / 0.4, _SHARE
    ),
    "folder": Line("a folder of photographs, all cores", "decoding those files alone, all cores", "s", 1.6),
    "cold": Line("digitd read photo.jpg, cold", "python -c 'import cv2, onnxruntime'", "ms", 2.0),
    "memory": Line("memory of digitd run, one camera", "the same imports", "MB", 2.0, "{:.2f} times as much"),
}


def unavoidable(reader: Reader, image: U8) -> dict[str, float]:
    """Milliseconds of each part, for one picture."""
    grey = u8(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)) if image.ndim == 3 else image
    how = cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV
    mask = cv2.adaptiveThreshold(grey, 255, *how, _WINDOW, 15)
    strip = np.zeros((HEIGHT, _ROW), np.uint8)
    parts: dict[str, Callable[[], object]] = {
        "to grey": lambda: image.ndim == 3 and cv2.cvtColor(image, cv2.COLOR_BGR2GRAY),
        "local threshold": lambda: cv2.adaptiveThreshold(grey, 255, *how, _WINDOW, 15),
        "contours": lambda: cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE),
        "one call for a row": lambda: reader.row_model.log_probs([strip]),
    }
    times = {}
    for name, part in parts.items():
        start = perf_counter()
        part()
        times[name] = 1000 * (perf_counter() - start)
    return times


def frames(reader: Reader, samples: Sequence[Sample], rounds: int) -> dict[str, Any]:
    """One after another, each picture beside its own unavoidable parts."""
    reader.read(samples[0].image)
    ours, least = [], []
    for sample in track(list(samples) * rounds, "frames", transient=True):
        ours.append(ms(lambda image=sample.image: reader.read(image)))  # type: ignore[misc]
        least.append(sum(unavoidable(reader, sample.image).values()))
    return compared(np.array(ours), np.array(least))


def recognition(reader: Reader, image: U8) -> Callable[[], object]:
    """Reads the picture's widest row, where that lies being known: from colour to its text by the row model alone."""
    line, model = widest(image), reader.row_model
    assert model is not None
    return lambda: best_path(model.log_probs([replace(line, ink=_ink(image)).strip()])[0])


def widest(image: U8) -> RowLine:
    return max(find_lines(_ink(image), math.inf), key=lambda line: line.width)


def _ink(image: U8) -> Ink:
    return next(find_inks(u8(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))))


def beside_peer(
    ours_of: Callable[[U8], Callable[[], object]], samples: Sequence[Sample], peer: peers.Read
) -> dict[str, Any]:
    """The median of three goes each, for every picture. ours_of: what is to be done with one."""
    ours, theirs = [], []
    for sample in track(samples, "peers", transient=True):
        calls = {"ours": ours_of(sample.image), "peer": lambda image=sample.image: peer(image)}
        times = in_turns(calls, 3)
        ours.append(np.median(times["ours"]))
        theirs.append(np.median(times["peer"]))
    return compared(np.array(ours), np.array(theirs))


def classifier(reader: Reader, model: Path | None, rounds: int) -> dict[str, Any]:
    from benchmarks import network  # brings PyTorch

    crops = np.random.default_rng(0).integers(0, 256, (64, 28, 28), np.uint8)
    multiply, multiply_adds = network.matrix_product()
    wanted = len(crops) * network.multiply_adds(model)
    times = in_turns({"digits": lambda: reader.recogniser.log_probs(crops), "product": multiply}, rounds)
    share = compared(times["digits"], times["product"] * wanted / multiply_adds)
    peak = 2 * multiply_adds / float(np.percentile(times["product"], 10)) / 1e6
    return share | {"multiply_adds": wanted, "peak_gflops": round(peak, 1)}


def kinds(reader: Reader, source: DigitSource, count: int, seed: int, data_dir: Path | None) -> dict[str, Any]:
    """By kind of picture: a frame's time, and that of its unavoidable parts, milliseconds."""
    figures = {}
    for kind in KINDS:
        try:
            samples = list(islice(pictures(kind, source, count, seed, data_dir), count))
        except ConfigError as error:
            print(f"{error}; left out: {KINDS[kind][0]}", file=sys.stderr)
            continue
        reader.read(samples[0].image)
        times, parts = [], []
        for sample in track(samples, kind, transient=True):
            times.append(ms(lambda image=sample.image: reader.read(image)))  # type: ignore[misc]
            parts.append(unavoidable(reader, sample.image))
        figures[kind] = {
            "ms": round(float(np.median(times)), 2),
            "slowest_tenth_ms": round(float(np.percentile(times, 90)), 2),
            "unavoidable_ms": {part: round(float(np.median([one[part] for one in parts])), 2) for part in parts[0]},
        }
    return figures


def table(lines: dict[str, Any]) -> Table:
    shown = Table(title="Medians, and of the ratio between quartiles")
    for heading in ("what", "measured", "beside", "measured", "ratio", "goal"):
        shown.add_column(heading, justify="left" if heading in ("what", "beside") else "right")
    for name, found in lines.items():
        shown.add_row(*cells(name, found))
    return shown


def cells(name: str, found: dict[str, Any]) -> list[str]:
    """What a line of the table says of what was measured."""
    line = LINES[name]
    low, middle, high = (line.value(ratio) for ratio in found["ratio"])
    between = " to ".join(sorted((low.split()[0], high.split()[0]), key=lambda text: float(text.rstrip("%"))))
    goal = ("at least " if line.is_inverse else "at most ") + line.value(line.goal)
    ours, beside = (f"{found[side][1]:.4g} {line.unit}" for side in ("ours", "beside"))
    return [line.what, ours, line.beside, beside, f"{middle} ({between})", goal]


def measured(name: str, arguments: argparse.Namespace, reader: Reader, source: DigitSource) -> dict[str, Any] | None:
    """A line's figures; None where its peer is not there."""
    count, rounds, seed = arguments.count, arguments.rounds, arguments.seed
    match name:
        case "frame":
            return frames(reader, list(generated("photo", source, count, seed)), 3)
        case "frame_rapidocr":
            peer = peers.started("rapidocr", peers.rapidocr)
            photos = list(generated("photo", source, min(count, 20), seed))
            return peer and beside_peer(lambda image: lambda: reader.read(image), photos, peer)
        case "crop_rapidocr" | "crop_tesseract":
            package, load = {
                "crop_rapidocr": ("rapidocr", lambda: peers.rapidocr(find=False)),
                "crop_tesseract": ("tesserocr", lambda: peers.tesserocr(line=True)),
            }[name]
            crops = [one for one in generated("separated", source, 5 * count, seed) if len(one.text) == _DIGITS]
            peer = peers.started(package, load)
            level = [one for one in crops if widest(one.image).back is None]  # peers turn no rows, either
            return peer and beside_peer(partial(recognition, reader), level[:count], peer)
        case "classifier":
            return classifier(reader, arguments.model, 10 * rounds)
        case "folder":
            return processes.folder(source, arguments.photographs, max(2, rounds // 5), seed)
        case "cold":
            return processes.cold(rounds)
        case "memory":
            return processes.memory(max(2, rounds // 5), 5.0)
    raise ValueError(name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, help="holds mnist/ and orand_car_dev/; else DIGITD_DATA")
    parser.add_argument("--count", type=int, default=100, help="pictures of each kind")
    parser.add_argument("--rounds", type=int, default=15, help="of what is measured whole")
    parser.add_argument("--photographs", type=int, default=2000, help="in the folder")
    parser.add_argument("--only", type=lambda text: text.split(","), help=f"of {', '.join(LINES)} and kinds, some")
    parser.add_argument("--seed", type=int, default=20261121)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--row-model", type=Path)
    parser.add_argument(
        "--json", type=Path, help="file to write the figures to; those that are not measured stay in it"
    )
    arguments = parser.parse_args()
    wanted = arguments.only or [*LINES, "kinds"]
    if unknown := set(wanted) - {*LINES, "kinds"}:
        parser.error(f"--only {','.join(unknown)}: there are {', '.join(LINES)} and kinds")

    cv2.setNumThreads(1)
    reader = Reader(arguments.model, EngineConfig("cpu", threads=1), arguments.row_model)
    source, writers = source_of("validation", arguments.data_dir)
    known = json.loads(arguments.json.read_text()) if arguments.json and arguments.json.is_file() else {}
    facts = {"count": arguments.count, "lines": {}, "kinds": {}} | known
    console = Console(width=150)
    for name in wanted:
        if name == "kinds":
            facts["kinds"] = kinds(reader, source, arguments.count, arguments.seed, arguments.data_dir)
            facts["count"] = arguments.count
        elif (found := measured(name, arguments, reader, source)) is not None:
            facts["lines"][name] = found
        if arguments.json:  # at once: a long run that is broken off keeps what it has
            arguments.json.write_text(json.dumps(facts, indent=2) + "\n")
    console.print(f"rows by {writers}")
    console.print(table({name: facts["lines"][name] for name in LINES if name in facts["lines"]}))
    for kind, found in facts["kinds"].items():
        least = sum(found["unavoidable_ms"].values())
        console.print(f"{KINDS[kind][0]}: {found['ms']:.1f} ms, {found['ms'] / least:.1f} times the unavoidable")


if __name__ == "__main__":
    main()
