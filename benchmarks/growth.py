"""How a picture's cost grows with its pixels, its rows and its digits: linearly, or better.

    python -m benchmarks.growth [--json FILE]

One core; each size in turns with all others, quartiles. Frames are the bundled photograph at other sizes; rows, and
digits in rows of twenty, stand on clean paper, so that only their count differs; some rows leave more doubt than others
and cost more, so each count is the mean of several pages. The slope is that of the
cost over the size, both in logarithms, between the two largest sizes and over all: 1 is linear.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter
from rich.console import Console
from rich.table import Table

from benchmarks.timing import in_turns, quartiles
from edge.arrays import U8, u8
from edge.bench import PHOTO
from edge.engine import EngineConfig
from edge.reader import Reader
from edge.sources.picture import load
from training.synth.row import Layout, write_row
from training.synth.sources import StrokeSource

MEGAPIXELS = (0.3, 0.6, 1.2, 2.5, 5.0, 12.0)
ROWS = (1, 2, 5, 10, 20, 40)
DIGITS = (1, 5, 20, 50, 100, 200, 400)
TITLES = {"megapixels": "megapixels of a frame", "rows": "rows of six digits", "digits": "digits, in rows of twenty"}

_PAGE = 2300, 1700  # pixels, height and width
_PAGES = 5  # of each count
_DIGIT = 34  # pixels of height; forty rows of it fill the page
_LAYOUT = Layout(clear=0.12, gap=(0.05, 0.25))


def frame(megapixels: float) -> U8:
    photo = load(PHOTO)
    times = (megapixels * 1e6 / (photo.shape[0] * photo.shape[1])) ** 0.5
    how = cv2.INTER_AREA if times < 1 else cv2.INTER_CUBIC
    return u8(cv2.resize(photo, None, fx=times, fy=times, interpolation=how))


def page(counts: list[int], seed: int = 0) -> U8:
    """Paper with a row of so many digits each, top to bottom."""
    rng = np.random.default_rng([seed, len(counts), sum(counts)])
    paper = np.full(_PAGE, 225, np.uint8)
    pitch = (_PAGE[0] - 100) // 40
    for number, count in enumerate(counts):
        text = "".join(map(str, rng.integers(0, 10, count)))
        ink = write_row(text, StrokeSource().writer(rng), _DIGIT, rng, _LAYOUT).ink
        top, left = 60 + number * pitch * 40 // max(20, len(counts)), 120
        part = paper[top : top + ink.shape[0], left : left + ink.shape[1]]
        part -= np.round(0.75 * ink[: part.shape[0], : part.shape[1]]).astype(np.uint8)
    return np.dstack([paper] * 3)


def in_rows(digits: int) -> list[int]:
    return [20] * (digits // 20) + ([digits % 20] if digits % 20 else [])


def pictures() -> dict[str, dict[float, list[U8]]]:
    """What grows, and by how much: the pictures of that size."""
    return {
        "megapixels": {size: [frame(size)] for size in MEGAPIXELS},
        "rows": {count: [page([6] * count, seed) for seed in range(_PAGES)] for count in ROWS},
        "digits": {count: [page(in_rows(count), seed) for seed in range(_PAGES)] for count in DIGITS},
    }


def measure(reader: Reader, rounds: int) -> dict[str, Any]:
    """By what grows: sizes, a picture's digits that were read, its ms (quartiles); slope over all, and
    between the last two.
    """
    figures = {}
    for what, sizes in pictures().items():
        calls = {str(size): (lambda images=images: list(map(reader.read, images))) for size, images in sizes.items()}
        times = in_turns(calls, rounds)
        spread = [quartiles(times[str(size)] / len(images)) for size, images in sizes.items()]
        x, y = np.log(list(sizes)), np.log([middle for _, middle, _ in spread])
        figures[what] = {
            "sizes": list(sizes),
            "digits_read": [
                round(sum(len(row.text) for image in images for row in reader.read(image)) / len(images), 1)
                for images in sizes.values()
            ],
            "ms": spread,
            "slope": round(float(np.polyfit(x, y, 1)[0]), 2),
            "last_slope": round(float((y[-1] - y[-2]) / (x[-1] - x[-2])), 2),
        }
    return figures


def draw(figures: Mapping[str, Any], path: Path) -> None:
    """Writes the curves with their quartiles, and beside them linear growth, to a PNG."""
    figure = Figure(figsize=(10.5, 3.6), layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08))
    for axes, (what, found) in zip(figure.subplots(1, len(figures), sharey=True), figures.items(), strict=True):
        sizes = np.array(found["sizes"], float)
        low, middle, high = np.array(found["ms"]).T
        axes.plot(sizes, middle[-1] * sizes / sizes[-1], ":", color="#888888", label="linear")
        axes.fill_between(sizes, low, high, color="#7fb3d5", alpha=0.5, linewidth=0)
        axes.plot(sizes, middle, "o-", color="#1f618d", markersize=4, label="measured")
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xticks(sizes, [f"{size:g}" for size in sizes])
        axes.minorticks_off()
        axes.set_xlabel(TITLES[what])
        axes.set_title(f"slope {found['slope']:.2f}, at the end {found['last_slope']:.2f}", fontsize=10)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    first = figure.axes[0]
    first.set_ylabel("milliseconds, one core")
    first.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    first.legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110, metadata={"Description": said(figures)})


def said(figures: Mapping[str, Any]) -> str:
    """What the plot shows, for the picture's own description: tells a stale one."""
    return "; ".join(f"{what}: {', '.join(f'{ms[1]:g}' for ms in found['ms'])} ms" for what, found in figures.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path, help="file with benchmarks.speed's figures, to write these into")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    figures = measure(Reader(engine=EngineConfig("cpu", threads=1)), arguments.rounds)
    table = Table(title="Milliseconds a picture on one core, medians")
    for heading in ("what grows", "sizes", "ms", "digits read", "slope", "between the last two"):
        table.add_column(heading)
    for what, found in figures.items():
        medians = [f"{middle:.0f}" for _, middle, _ in found["ms"]]
        columns = [[f"{size:g}" for size in found["sizes"]], medians, list(map(str, found["digits_read"]))]
        slopes = f"{found['slope']:.2f}", f"{found['last_slope']:.2f}"
        table.add_row(TITLES[what], *("\n".join(column) for column in columns), *slopes)
    Console(width=120).print(table)
    if arguments.json:
        known = json.loads(arguments.json.read_text()) if arguments.json.is_file() else {}
        arguments.json.write_text(json.dumps(known | {"growth": figures}, indent=2) + "\n")


if __name__ == "__main__":
    main()
