"""Contact sheets, to look at what the generator makes.

python -m training.synth.sheet --tier photo --source strokes -n 12 OUT.png     scenes with their truth
python -m training.synth.sheet --tier digits -n 12 OUT.png                     a line of 0 to 9 per writer
python -m training.synth.sheet --tier marks -n 2 OUT.png                       each mark, by n writers
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from edge.arrays import U8
from training import mnist
from training.synth.scene import TIERS, Scene, make_scene
from training.synth.sources import DigitSource, MnistSource, StrokeSource
from training.synth.strokes import MARKS, draw_hand

_CELL = 104  # pixels of one glyph's cell
_WIDE = 640  # pixels that a scene is shown wide


def annotated(scene: Scene) -> U8:
    """The scene's picture with its rows' quads, boxes and texts drawn in."""
    image = scene.image.copy()
    for row in scene.rows:
        cv2.polylines(image, [np.round(row.quad).astype(np.int32)], True, (0, 160, 0), 1, cv2.LINE_AA)
        for x, y, w, h in row.boxes.tolist():
            cv2.rectangle(image, (x, y), (x + w, y + h), (0, 120, 255), 1)
        x, y = np.round(row.quad[0]).astype(int).tolist()
        cv2.putText(image, row.text, (x, max(y - 4, 14)), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (0, 0, 220), 1, cv2.LINE_AA)
    return image


def contact_sheet(pictures: list[U8], columns: int, width: int, height: int) -> U8:
    """uint8 [h, w, 3]: `pictures` in cells of `width` x `height`, shrunk to fit where they are larger."""
    cells = []
    for picture in pictures:
        shrink = min(1.0, width / picture.shape[1], height / picture.shape[0])
        small = cv2.resize(picture, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        cell = np.full((height, width, 3), 255, np.uint8)
        y, x = (height - small.shape[0]) // 2, (width - small.shape[1]) // 2
        cell[y : y + small.shape[0], x : x + small.shape[1]] = small if small.ndim == 3 else small[..., None]
        cells.append(cell)
    cells += [np.full((height, width, 3), 255, np.uint8)] * (-len(cells) % columns)
    lines = [np.hstack(cells[i : i + columns]) for i in range(0, len(cells), columns)]
    return np.vstack(lines).astype(np.uint8, copy=False)


def glyph_sheet(source: DigitSource, count: int, rng: np.random.Generator) -> U8:
    """`count` writers of `source`, a line of 0 to 9 each."""
    writers = [source.writer(rng) for _ in range(count)]
    digits = [255 - writer.digit(label, rng) for writer in writers for label in range(10)]
    return contact_sheet(digits, 10, _CELL, _CELL)


def mark_sheet(count: int, rng: np.random.Generator) -> U8:
    """Each mark that is no digit, by `count` hands."""
    marks = [255 - draw_hand(rng).mark(kind, rng) for kind in MARKS for _ in range(count)]
    return contact_sheet(marks, 8 * count, _CELL, _CELL)


def scene_sheet(tier: str, source: DigitSource, count: int, rng: np.random.Generator) -> U8:
    """`count` scenes of a tier, annotated."""
    tall = 360 if TIERS[tier].pose else 150
    scenes = [annotated(make_scene(TIERS[tier], source, rng)) for _ in range(count)]
    return contact_sheet(scenes, 3, _WIDE, tall)


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m training.synth.sheet", description="Make a contact sheet.")
    parser.add_argument("--tier", choices=[*TIERS, "digits", "marks"], default="photo")
    parser.add_argument("--source", choices=["strokes", "mnist"], default="strokes")
    parser.add_argument("-n", type=int, default=12, help="scenes, or writers")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data-dir", type=Path, help="MNIST's folder; else DIGITD_DATA")
    parser.add_argument("out", type=Path)
    given = parser.parse_args(arguments)
    rng = np.random.default_rng(given.seed)
    source: DigitSource = StrokeSource()
    if given.source == "mnist":
        source = MnistSource(mnist.load("train", given.data_dir))
    if given.tier == "marks":
        sheet = mark_sheet(given.n, rng)
    elif given.tier == "digits":
        sheet = glyph_sheet(source, given.n, rng)
    else:
        sheet = scene_sheet(given.tier, source, given.n, rng)
    _, data = cv2.imencode(".png", sheet)
    given.out.write_bytes(data.tobytes())


if __name__ == "__main__":
    main()
