"""The sample pictures that ship with digitd, made from the stroke model and OpenCV's own font alone.

    python -m training.synth.samples [OUT]      writes to edge/samples, or OUT

`labels.tsv` says what is in them: file, tab, text of a row; a line for each row, top to bottom.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from edge.arrays import U8
from training.synth import camera
from training.synth.paper import PaperStyle, inked, make_sheet
from training.synth.row import Layout, write_row
from training.synth.scene import TIERS, Pose, fingers, make_scene, room, turned
from training.synth.sources import StrokeSource
from training.synth.strokes import HandStyle

FOLDER = Path(__file__).parents[2] / "edge" / "samples"

TEXTS: dict[str, tuple[str, ...]] = {
    "four-digits.png": ("2749",),
    "eight-digits.png": ("31415926",),
    "light-on-dark.png": ("80246137",),
    "slanted-row.png": ("593017",),
    "two-rows.png": ("40718", "862935"),
    "photo.jpg": ("730518",),
    "printed.png": ("48151623",),
    "video.avi": ("192837",),
}

SEEDS = {name: seed for seed, name in enumerate(TEXTS)} | {"photo.jpg": 28}
"""The photograph's was picked by eye: thumbs, and a shadow across the row."""

# Samples show what can be read, so their writers are tidier than the tiers'.
_SOURCE = StrokeSource(
    HandStyle(
        height=96,
        pen=(0.07, 0.1),
        slant=(0, 0.2),
        aspect=(0.95, 1.15),
        habit=(0.008, 0.012),
        jitter=(0.006, 0.01),
    )
)
_LAYOUT = Layout(clear=0.12, gap=(0.08, 0.2))
_PAPER = PaperStyle(tone=(225, 245), pens=("black ballpoint", "blue ballpoint"), opacity=(0.9, 1), board=0)
_LIGHT = camera.Lighting(level=(0.95, 1), gradient=(0.05, 0.15), vignette=(0, 0.05), shadow=0, cast=0.01)
_OPTICS = camera.Optics(defocus=(0.5, 0.6), motion=(0, 0), noise=(1, 1.5), quality=(100, 100))


def page(texts: Sequence[str], rng: np.random.Generator, paper: PaperStyle = _PAPER, rise: float = 0) -> U8:
    """uint8 [h, w, 3]: `texts` in rows on one sheet, in one hand, rising to the right by `rise` degrees."""
    writer = _SOURCE.writer(rng)
    rows = [write_row(text, writer, 64, rng, _LAYOUT).ink for text in texts]
    width = max(row.shape[1] for row in rows)
    block = np.zeros((sum(row.shape[0] for row in rows) + 56 * (len(rows) - 1), width), np.uint8)
    y = 0
    for row in rows:
        block[y : y + row.shape[0], : row.shape[1]] = row
        y += row.shape[0] + 56
    ink, _ = turned(block, -rise, (48, 40, 48, 40))
    return _scan(ink, paper, rng)


def printed(text: str, rng: np.random.Generator) -> U8:
    """uint8 [h, w, 3]: `text` in the font that OpenCV brings."""
    face, size, thick = cv2.FONT_HERSHEY_SIMPLEX, 2.0, 4
    (width, height), _ = cv2.getTextSize(text, face, size, thick)
    ink = np.zeros((height + 80, width + 96), np.uint8)
    cv2.putText(ink, text, (48, height + 40), face, size, 255, thick, cv2.LINE_AA)
    return _scan(ink, _PAPER, rng)


def photo(text: str, rng: np.random.Generator) -> U8:
    """uint8 [720, 1280, 3]: a sheet held to a webcam, in uneven light."""
    tier = replace(
        TIERS["photo"],
        height=(95, 95),
        layout=_LAYOUT,
        paper=_PAPER,
        pose=Pose(frame=(1280, 720), rotation=4, tilt=0.2, sheet=(2.5, 3)),
        optics=camera.Optics(defocus=(0.8, 0.9), motion=(0, 0), noise=(3, 3), quality=(100, 100)),
    )
    return make_scene(tier, _SOURCE, rng, text).image


def film(text: str, rng: np.random.Generator, frames: int = 24) -> Iterator[U8]:
    """uint8 [360, 640, 3] each: a sheet in a hand that is not quite still."""
    width, height = 640, 360
    row = write_row(text, _SOURCE.writer(rng), 62, rng, _LAYOUT).ink
    size = (row.shape[1] + 130, row.shape[0] + 120)
    sheet = inked(make_sheet(*size, 62, rng, _PAPER), row, 65, 60, rng)
    behind = room(width, height, rng)
    field = camera.light_field(width, height, rng, _LIGHT)
    phase, tempo = rng.uniform(0, 2 * np.pi, 3), rng.uniform(0.15, 0.35, 3)
    lean = int(rng.integers(1 << 30))
    for number in range(frames):
        sway = np.sin(phase + tempo * number)
        centre = (width / 2 + 9 * sway[0], height / 2 + 6 * sway[1])
        # The same axis each time: the sheet sways, it does not tumble.
        axis = np.random.default_rng(lean)
        pose = camera.sheet_pose(size, (width, height), centre, 0.05 * sway[2], 0.08, axis)
        image = fingers(camera.seen(sheet, pose, behind), camera.moved(_corners(size), pose), 62, axis)
        yield camera.noisy(camera.blurred(camera.lit(image, field), 0.6), 0.8, rng)


def write(folder: Path = FOLDER) -> None:
    """Writes all samples and `labels.tsv` to `folder`. The same each time."""
    folder.mkdir(parents=True, exist_ok=True)
    chalk = replace(_PAPER, board=1.0)
    make: dict[str, Callable[[np.random.Generator], U8]] = {
        "four-digits.png": lambda rng: page(TEXTS["four-digits.png"], rng),
        "eight-digits.png": lambda rng: page(TEXTS["eight-digits.png"], rng),
        "light-on-dark.png": lambda rng: page(TEXTS["light-on-dark.png"], rng, chalk),
        "slanted-row.png": lambda rng: page(TEXTS["slanted-row.png"], rng, rise=12),
        "two-rows.png": lambda rng: page(TEXTS["two-rows.png"], rng),
        "photo.jpg": lambda rng: photo(TEXTS["photo.jpg"][0], rng),
        "printed.png": lambda rng: printed(TEXTS["printed.png"][0], rng),
    }
    for name, render in make.items():
        picture = render(np.random.default_rng(SEEDS[name]))
        options = [cv2.IMWRITE_JPEG_QUALITY, 85] if name.endswith(".jpg") else []
        _, data = cv2.imencode(Path(name).suffix, picture, options)
        (folder / name).write_bytes(data.tobytes())
    _write_video(folder / "video.avi", film(TEXTS["video.avi"][0], np.random.default_rng(SEEDS["video.avi"])))
    labels = [f"{name}\t{text}\n" for name, texts in TEXTS.items() for text in texts]
    (folder / "labels.tsv").write_text("".join(labels))


def _write_video(path: Path, frames: Iterator[U8]) -> None:
    # OpenCV's own MJPG writer: there in every build, and the same bytes each time.
    code = cv2.VideoWriter.fourcc(*"MJPG")
    writer = cv2.VideoWriter(str(path), cv2.CAP_OPENCV_MJPEG, code, 12, (640, 360))
    writer.set(cv2.VIDEOWRITER_PROP_QUALITY, 28)
    if not writer.isOpened():
        raise OSError(f"{path}: cannot be written as video")
    for frame in frames:
        writer.write(frame)
    writer.release()


def _scan(ink: U8, paper: PaperStyle, rng: np.random.Generator) -> U8:
    height, width = ink.shape
    return camera.photographed(inked(make_sheet(width, height, 64, rng, paper), ink, 0, 0, rng), rng, _LIGHT, _OPTICS)


def _corners(size: tuple[int, int]) -> list[list[int]]:
    width, height = size
    return [[0, 0], [width, 0], [width, height], [0, height]]


if __name__ == "__main__":
    write(*map(Path, sys.argv[1:2]))
