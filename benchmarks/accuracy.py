"""How many number strings are read exactly, kind of picture by kind of picture.

    python -m benchmarks.accuracy --data-dir DATA [--split validation]

A picture counts when the row with most digits reads exactly its label. The generator's digits are MNIST's test digits,
every row by one writer; `--split validation` takes the training writers that the shipped model was chosen by instead:
that is what settings are tuned on. Without MNIST the project's stroke model writes the rows, which is easier.

`--peers` has other packages read the first of the same pictures, each kind's; `benchmarks.peers` says which.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks import peers
from edge.arrays import U8, u8
from edge.engine import EngineConfig
from edge.errors import ConfigError
from edge.reader import Reader
from edge.row import Row
from edge.sources.picture import load
from training import mnist, recipe
from training.confidence import calibration_error
from training.row_dataset import fonts_of
from training.synth.displays import DisplaySource
from training.synth.meter import held_out_meters
from training.synth.scene import TIERS, make_scene
from training.synth.sources import DigitSource, MnistSource, SetSource, StrokeSource

# What two others reach on held-out pictures of the same kinds, the way tutorials do it (one global threshold, one
# contour a digit) and PP-OCRv6 by RapidOCR 3.10; and what is to be reached. For sheets those were photographs of A4
# sheets, for years pages of real parish registers, for displays, print and meters photographs of all three together.
KINDS = {
    "separated": ("separated digits, flat scan", 0.79, 0.93, 0.985),
    "photo": ("photographs, 1280x720", 0.17, 0.94, 0.98),
    "ruled": ("the same on ruled or squared paper", 0.10, 0.93, 0.97),
    "touching": ("half of the neighbours touch", 0.05, 0.59, 0.88),
    "crowd": ("a second row and scribbles beside", 0.00, 0.88, 0.97),
    "sheets": ("long rows on sheets, 8 to 18 digits", 0.22, 0.92, 0.97),
    "years": ("years in old registers", 0.02, 0.87, 0.93),
    "displays": ("displays of seven segments", 0.05, 0.78, 0.90),
    "printed": ("numbers set in print", 0.05, 0.78, 0.90),
    "meters": ("meters, put together of real wheels", 0.05, 0.78, 0.90),
    "cheques": ("real cheque amounts, ORAND-CAR-2014 A", 0.07, 0.80, 0.95),
}

_ROWS = Path("configs/recipes/rows-noughts.toml")
_FONT = 120  # pixels of a font's digits before they are photographed

RISKS = (0.001, 0.005, 0.01, 0.02, 0.05)
"""Shares of wrong rows among accepted ones that the table of coverage is made for."""


@dataclass(frozen=True)
class Sample:
    name: str
    image: U8
    text: str


@dataclass(frozen=True)
class Outcome:
    """got: what was read, empty for nothing; confidence: of that row; ms: of `Reader.read`."""

    sample: Sample
    got: str
    confidence: float
    ms: float

    @property
    def right(self) -> bool:
        return self.got == self.sample.text


def pictures(kind: str, source: DigitSource, count: int, seed: int, data_dir: Path | None) -> Iterator[Sample]:
    """`count` pictures of a kind, of cheques all. Raises ConfigError at once where its data is missing."""
    if kind != "cheques":
        return generated(kind, source, count, seed, data_dir)
    folder = mnist.data_folder(data_dir).parent / "orand_car_dev"
    if not (folder / "labels.tsv").is_file():
        raise ConfigError(f"{folder}: not there")
    return cheques(folder)


def generated(kind: str, source: DigitSource, count: int, seed: int, data_dir: Path | None = None) -> Iterator[Sample]:
    """Pictures of a kind, by the `source` where written by hand. Raises ConfigError at once where data is missing."""
    make = _maker(kind, source, data_dir)
    return (Sample(f"{kind}-{i:04d}", *make(np.random.default_rng([seed, i]))) for i in range(count))


def _maker(kind: str, source: DigitSource, data_dir: Path | None) -> Callable[[np.random.Generator], tuple[U8, str]]:
    if kind == "meters":
        return held_out_meters(data_dir, *_held_out())[1].counter
    source = DisplaySource() if kind == "displays" else _fonts() if kind == "printed" else source

    def drawn(rng: np.random.Generator) -> tuple[U8, str]:
        scene = make_scene(TIERS[kind], source, rng)
        return scene.image, scene.rows[0].text

    return drawn


def _held_out() -> tuple[float, int]:
    """The share of data that the row model's recipes hold out, and by which seed."""
    return rows_recipe().validation, rows_recipe().split


def rows_recipe() -> recipe.RowRecipe:
    """Of the row model that comes with the package."""
    found = recipe.load(_ROWS)
    assert isinstance(found, recipe.RowRecipe)
    return found


def _fonts() -> SetSource:
    """Fonts for print that the row model's last recipe holds out, of digits that all stand on the line."""
    styles = fonts_of(rows_recipe(), rows_recipe().fonts, held_out=True, height=_FONT)
    level = [style for style in styles if max(abs(ways[0].foot) for ways in style.digits) < _FONT / 12]
    return SetSource(tuple(tuple(ways[0].ink for ways in style.digits) for style in level))


def cheques(folder: Path) -> Iterator[Sample]:
    """The pictures that `labels.tsv` in `folder` names."""
    for line in (folder / "labels.tsv").read_text(encoding="utf-8").splitlines():
        name, text = line.split("\t")[:2]
        if (folder / name).is_file():
            yield Sample(name, load(folder / name), text)


def longest(rows: list[Row]) -> Row | None:
    """The row with most digits; of several, the surest."""
    return max(rows, key=lambda row: (len(row.text), row.confidence), default=None)


def judge(reader: Reader, sample: Sample) -> Outcome:
    start = perf_counter()
    row = longest(reader.read(sample.image))
    ms = 1000 * (perf_counter() - start)
    return Outcome(sample, row.text if row else "", row.confidence if row else 0.0, ms)


def contact_sheet(failures: list[Outcome], path: Path, columns: int = 4, most: int = 60) -> None:
    """The pictures that were read wrongly, each with its label and what was read."""
    cells = []
    for outcome in failures[:most]:
        image = outcome.sample.image
        scale = min(400 / image.shape[1], 200 / image.shape[0])
        cell = np.full((230, 410, 3), 255, np.uint8)
        small = u8(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
        cell[: small.shape[0], : small.shape[1]] = small
        caption = f"{outcome.sample.text} read as {outcome.got or 'nothing'}"
        cv2.putText(cell, caption, (4, 222), cv2.FONT_HERSHEY_SIMPLEX, 0.55, (0, 0, 200), 1, cv2.LINE_AA)
        cells.append(cell)
    if not cells:
        return
    cells += [np.full_like(cells[0], 255)] * (-len(cells) % columns)
    sheet = np.vstack([np.hstack(cells[i : i + columns]) for i in range(0, len(cells), columns)])
    cv2.imencode(".png", sheet)[1].tofile(path)


def source_of(split: str, data_dir: Path | None) -> tuple[DigitSource, str]:
    """Who writes the generated rows, and how to call them."""
    try:
        if split == "test":
            return MnistSource(mnist.load("test", data_dir, download=False)), "MNIST test digits by writer"
        shipped = recipe.load(Path("configs/recipes/digits.toml"))
        digits = mnist.load("train", data_dir, download=False)
        _, held_out = mnist.split_by_writer(digits, shipped.validation, shipped.seed)
        return MnistSource(held_out), "MNIST training digits of held-out writers"
    except ConfigError as error:
        print(f"{error}; rows are written by the stroke model", file=sys.stderr)
        return StrokeSource(), "the stroke model"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, help="holds mnist/ and orand_car_dev/; else DIGITD_DATA")
    parser.add_argument("--split", choices=("test", "validation"), default="test")
    parser.add_argument("--count", type=int, default=400, help="pictures of each generated kind")
    parser.add_argument("--seed", type=int, default=20261121)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--row-model", type=Path)
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    parser.add_argument("--plot", type=Path, help="PNG or SVG file to draw the figures to")
    parser.add_argument("--failures", type=Path, help="folder for contact sheets of what was read wrongly")
    parser.add_argument("--peers", action="store_true", help="measure other packages too, where installed; slow")
    parser.add_argument("--peer-count", type=int, default=100, help="first pictures of each kind that they read")
    arguments = parser.parse_args()
    if arguments.peer_count < 1:
        parser.error(f"--peer-count {arguments.peer_count}: must be 1 or more")
    if arguments.plot and arguments.plot.suffix not in (".png", ".svg"):
        parser.error(f"--plot {arguments.plot}: must end in .png or .svg")

    beside = peers.installed() if arguments.peers else []
    reader = Reader(arguments.model, EngineConfig(threads=1), arguments.row_model)
    source, writers = source_of(arguments.split, arguments.data_dir)
    console = Console(stderr=True)
    facts: dict[str, Any] = {"writers": writers, "split": arguments.split, "seed": arguments.seed, "kinds": {}}
    if arguments.peers:
        facts["peers"] = {peer.name: {"version": peer.version, "kinds": {}} for peer in beside}
    generated_rows: list[Outcome] = []
    for kind in KINDS:
        seed = arguments.seed + (arguments.split == "test")
        try:
            samples = pictures(kind, source, arguments.count, seed, arguments.data_dir)
        except ConfigError as error:
            console.print(f"{error}; left out: {KINDS[kind][0]}", soft_wrap=True)
            continue
        count = None if kind == "cheques" else arguments.count
        shown = track(samples, kind, count, console=console, transient=True)
        outcomes = [judge(reader, sample) for sample in shown]
        right = sum(outcome.right for outcome in outcomes)
        ms = float(np.median([outcome.ms for outcome in outcomes]))
        share = round(right / len(outcomes), 4)
        facts["kinds"][kind] = {"count": len(outcomes), "right": right, "share": share, "ms": ms}
        first = outcomes[: arguments.peer_count]
        for peer in beside:
            same = track([o.sample for o in first], f"{kind}, {peer.name}", console=console, transient=True)
            found = peers.measure(peer, same) | {"digitd_right": sum(outcome.right for outcome in first)}
            facts["peers"][peer.name]["kinds"][kind] = found
        if kind != "cheques":
            generated_rows += [outcome for outcome in outcomes if outcome.got]
        if arguments.failures:
            arguments.failures.mkdir(parents=True, exist_ok=True)
            contact_sheet([o for o in outcomes if not o.right], arguments.failures / f"{kind}.png")
    confidence = facts["confidence"] = belief(generated_rows)
    Console(width=120 + 16 * len(beside)).print(table(facts))
    print(
        f"how sure the generated rows are is off by {confidence['error']:.3f} (expected calibration error); "
        + ", ".join(f"{of['share']:.1%} can be accepted at {of['risk']:g} wrong" for of in confidence["coverage"])
    )
    if arguments.json:
        arguments.json.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    if arguments.plot:
        from benchmarks import chart

        chart.draw(facts, arguments.plot)


def table(facts: dict[str, Any]) -> Table:
    """The figures of `facts`, as they are written to JSON, to be printed; with a column for each measured peer."""
    beside = facts.get("peers", {})
    shown = Table(title=f"Exact number strings; generated rows by {facts['writers']}")
    headings = ["count", "tutorials'\nway, quoted", "PP-OCRv6,\nquoted", "to reach", "digitd", "95 % between", "ms"]
    if beside:
        headings += ["digitd on\nthe peers'", *(f"{name}\n{peer['version']}" for name, peer in beside.items())]
        count = max((found["count"] for peer in beside.values() for found in peer["kinds"].values()), default=0)
        shown.caption = f"The peers read the first {count} pictures of each kind."
    shown.add_column("pictures", no_wrap=True)
    for heading in headings:
        shown.add_column(heading, justify="right")
    for kind, found in facts["kinds"].items():
        title, *quoted = KINDS[kind]
        low, high = wilson(found["right"], found["count"])
        cells = [str(found["count"]), *(f"{100 * share:.3g} %" for share in quoted)]
        cells += [f"{found['right'] / found['count']:.1%}", f"{low:.1%} {high:.1%}", f"{found['ms']:.1f}"]
        of_peers = [peer["kinds"][kind] for peer in beside.values()]
        if of_peers:
            cells.append(f"{of_peers[0]['digitd_right'] / of_peers[0]['count']:.1%}")
        for of_peer in of_peers:
            failed = f"\n{of_peer['errors']} failed" if of_peer["errors"] else ""
            cells.append(f"{of_peer['share']:.1%}\n{of_peer['ms']:.0f} ms{failed}")
        shown.add_row(title, *cells)
    return shown


def belief(outcomes: list[Outcome]) -> dict[str, Any]:
    """How far the rows' confidence is off, by tenths; and for each of `RISKS` what share of them, the surest first, can
    be accepted, with the confidence of the least sure of those.
    """
    order = sorted(outcomes, key=lambda outcome: -outcome.confidence)
    sure = np.array([outcome.confidence for outcome in order])
    right = np.array([outcome.right for outcome in order], np.float64)
    wrong = np.cumsum(1 - right) / np.arange(1, len(order) + 1)
    coverage = []
    for risk in RISKS:
        accepted = int(np.max(np.flatnonzero(wrong <= risk), initial=-1)) + 1
        least = round(float(sure[accepted - 1]), 4) if accepted else None
        coverage.append({"risk": risk, "share": round(accepted / max(len(order), 1), 4), "confidence": least})
    return {"count": len(order), "error": round(calibration_error(sure, right), 4), "coverage": coverage}


def wilson(right: int, count: int, z: float = 1.96) -> tuple[float, float]:
    """The interval that holds the true share with 95 % (Wilson 1927)."""
    share = right / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * np.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return float(middle - half), float(middle + half)


if __name__ == "__main__":
    main()
