"""How long one frame takes on one core, beside the parts of it that no reader can do without, in the same run.

    python -m benchmarks.speed --data-dir DATA

The unavoidable parts: from colour to grey, one local threshold, contours, one ONNX Runtime call for the row. Frames and
parts are timed in turns, so that a busy machine slows both alike; medians over frames, after one that warms up.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.accuracy import KINDS, cheques, generated, source_of
from edge.arrays import U8, u8
from edge.engine import EngineConfig
from edge.imaging.strip import HEIGHT
from edge.reader import Reader
from training import mnist

_ROW = 160  # pixels of a strip of some seven digits
_WINDOW = 51  # pixels of the local threshold's window


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, help="holds mnist/ and orand_car_dev/; else DIGITD_DATA")
    parser.add_argument("--count", type=int, default=100, help="pictures of each kind")
    parser.add_argument("--seed", type=int, default=20261121)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--row-model", type=Path)
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    arguments = parser.parse_args()

    cv2.setNumThreads(1)
    reader = Reader(arguments.model, EngineConfig("cpu", threads=1), arguments.row_model)
    source, writers = source_of("validation", arguments.data_dir)
    console = Console(stderr=True)
    table = Table(title=f"Milliseconds a frame on one core, medians; rows by {writers}")
    for heading in ("pictures", "a frame", "slowest tenth", "unavoidable", "times as long"):
        table.add_column(heading, justify="left" if heading == "pictures" else "right")
    figures = {}
    for kind, (title, *_) in KINDS.items():
        if kind == "cheques":
            folder = mnist.data_folder(arguments.data_dir).parent / "orand_car_dev"
            samples = list(cheques(folder))[: arguments.count] if (folder / "labels.tsv").is_file() else []
        else:
            samples = list(generated(kind, source, arguments.count, arguments.seed))
        if not samples:
            continue
        reader.read(samples[0].image)
        frames, parts = [], []
        for sample in track(samples, kind, console=console, transient=True):
            start = perf_counter()
            reader.read(sample.image)
            frames.append(1000 * (perf_counter() - start))
            parts.append(unavoidable(reader, sample.image))
        frame, slow = float(np.median(frames)), float(np.percentile(frames, 90))
        least = float(np.median([sum(times.values()) for times in parts]))
        each = {name: round(float(np.median([times[name] for times in parts])), 2) for name in parts[0]}
        figures[kind] = {"ms": round(frame, 2), "slowest_tenth_ms": round(slow, 2), "unavoidable_ms": each}
        table.add_row(title, f"{frame:.1f}", f"{slow:.1f}", f"{least:.1f}", f"{frame / least:.1f}")
    Console(width=120).print(table)
    if arguments.json:
        arguments.json.write_text(json.dumps({"count": arguments.count, "kinds": figures}, indent=2) + "\n")


if __name__ == "__main__":
    main()
