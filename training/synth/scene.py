"""A scene: a picture of rows of digits, with the truth about them. A tier says how hard it is.

make_scene(TIERS["photo"], StrokeSource(), np.random.default_rng(0))
"""

from dataclasses import dataclass, field

import cv2
import numpy as np

from edge.arrays import F64, I32, U8
from training.synth import camera
from training.synth.paper import PaperStyle, inked, make_sheet, textured
from training.synth.row import InkRow, Layout, write_row
from training.synth.sources import DigitSource, Writer
from training.synth.span import Span, draw, draw_int
from training.synth.strokes import HandStyle, draw_hand


@dataclass(frozen=True)
class Pose:
    """How a sheet lies before the camera."""

    frame: tuple[int, int]
    """width and height of the picture"""
    rotation: float
    """at most, either way, in degrees"""
    tilt: float = 0.25
    """at most, as `camera.sheet_pose` has it"""
    sheet: Span = (1.5, 6.0)
    """height of the sheet in digit heights, as far as the frame shows it"""


@dataclass(frozen=True)
class Tier:
    """All parameters of a kind of scene. Without a `pose` the sheet is scanned flat and cut about the row."""

    digits: Span
    """how many a row has"""
    height: Span
    """of a digit, in pixels of the picture"""
    numbers: tuple[int, int] | None = None
    """the least and the greatest, in place of any digits"""
    pose: Pose | None = None
    rotation: float = 1.5
    """of a flat scan, at most, either way, in degrees"""
    margin: Span = (0.25, 1.0)
    """of a flat scan, about the row on each side, in digit heights"""
    layout: Layout = field(default_factory=Layout)
    paper: PaperStyle = field(default_factory=PaperStyle)
    crowd: bool = False
    """whether a shorter row and scribbles stand on the sheet too; wants a `pose`"""
    light: camera.Lighting = field(default_factory=camera.Lighting)
    optics: camera.Optics = field(default_factory=camera.Optics)


@dataclass(frozen=True)
class RowTruth:
    """quad: float64 [4, 2], the row's corners in the picture, clockwise from its top left as it is read.

    boxes: int32 [n, 4], upright x, y, width, height in the picture around each digit's ink.
    """

    text: str
    quad: F64
    boxes: I32


@dataclass(frozen=True)
class Scene:
    """image: uint8 [h, w, 3], blue-green-red; rows: top to bottom."""

    image: U8
    rows: tuple[RowTruth, ...]


TIERS: dict[str, Tier] = {
    "separated": Tier(
        digits=(3, 10),
        height=(30, 90),
        light=camera.Lighting(level=(0.92, 1.04), gradient=(0, 0.08), vignette=(0, 0.04), shadow=0.0, cast=0.01),
        optics=camera.Optics(defocus=(0, 0.8), motion=(0, 0), noise=(0.3, 3.5), quality=(60, 115)),
    ),
    "photo": Tier(
        digits=(4, 10),
        height=(40, 110),
        pose=Pose(frame=(1280, 720), rotation=8),
        paper=PaperStyle(board=0.08),
    ),
    "ruled": Tier(
        digits=(4, 10),
        height=(40, 110),
        pose=Pose(frame=(1280, 720), rotation=8),
        paper=PaperStyle(board=0.0, lines=("ruled", "squared")),
    ),
    "touching": Tier(
        digits=(3, 10),
        height=(30, 90),
        layout=Layout(clear=0.02, touching=0.5),
        light=camera.Lighting(level=(0.92, 1.04), gradient=(0, 0.08), vignette=(0, 0.04), shadow=0.0, cast=0.01),
        optics=camera.Optics(defocus=(0, 0.8), motion=(0, 0), noise=(0.3, 3.5), quality=(60, 115)),
    ),
    "crowd": Tier(
        digits=(5, 10),
        height=(40, 80),
        pose=Pose(frame=(1280, 720), rotation=8, sheet=(4.0, 7.0)),
        paper=PaperStyle(board=0.05),
        crowd=True,
    ),
    "sheets": Tier(
        digits=(8, 18),
        height=(24, 60),
        pose=Pose(frame=(1600, 1200), rotation=6, sheet=(8.0, 20.0)),
        paper=PaperStyle(board=0.05),
    ),
    "years": Tier(
        digits=(4, 4),
        height=(24, 60),
        numbers=(1550, 1949),
        rotation=4,
        margin=(0.1, 0.7),
        layout=Layout(clear=0.02, touching=0.25),
        paper=PaperStyle(
            tone=(150, 230),
            tint=6,
            fibre=(1.5, 6),
            stains=(1, 6),
            pens=("iron gall", "iron gall", "black ballpoint"),
            opacity=(0.5, 0.95),
            board=0,
            lines=("none", "none", "ruled"),
        ),
    ),
    "printed": Tier(
        digits=(3, 10),
        height=(24, 90),
        pose=Pose(frame=(1280, 720), rotation=8),
        layout=Layout(clear=0.06, gap=(0.02, 0.15), gap_jitter=0, baseline=0, drift=0, size=0, descend=0),
        paper=PaperStyle(pens=("black felt",), board=0.2),
    ),
    "displays": Tier(
        digits=(3, 8),
        height=(40, 120),
        pose=Pose(frame=(1280, 720), rotation=8, tilt=0.15),
        # Evenly set, as by a machine; half of them lit.
        layout=Layout(clear=0.08, gap=(0.05, 0.3), gap_jitter=0, baseline=0, drift=0, size=0, descend=0),
        paper=PaperStyle(fibre=(0, 1), stains=(0, 0), pens=("black felt",), board=0.5),
    ),
}


def make_scene(tier: Tier, source: DigitSource, rng: np.random.Generator, text: str | None = None) -> Scene:
    """One scene with one row: of `text`, or of a random number as `tier` says."""
    if text is None and tier.numbers:
        text = str(rng.integers(tier.numbers[0], tier.numbers[1] + 1))
    elif text is None:
        text = "".join(map(str, rng.integers(0, 10, draw_int(tier.digits, rng))))
    writer = source.writer(rng)
    height = draw(tier.height, rng)
    if tier.pose is not None:
        widest = tier.pose.frame[0] * 0.9
        while True:
            row = write_row(text, writer, height, rng, tier.layout)
            if row.ink.shape[1] <= widest:
                break
            # A long row only fits the picture in smaller digits.
            height *= 0.95 * widest / row.ink.shape[1]
        image, pose = _held(row, height, tier, tier.pose, writer, rng)
    else:
        row = write_row(text, writer, height, rng, tier.layout)
        image, pose = _scanned(row, height, tier, rng)
    return Scene(camera.photographed(image, rng, tier.light, tier.optics), (row_truth(row, pose),))


def row_truth(row: InkRow, pose: F64) -> RowTruth:
    """The truth about `row` in the picture that `pose` (float64 [3, 3]) maps the row's own pixels to."""
    height, width = row.ink.shape
    quad = camera.moved([[0, 0], [width, 0], [width, height], [0, height]], pose)
    return RowTruth(row.text, quad, np.array([_moved_box(box, pose) for box in row.boxes], np.int32))


def _moved_box(box: I32, pose: F64) -> tuple[int, int, int, int]:
    x, y, w, h = (int(value) for value in box)
    corners = camera.moved([[x, y], [x + w, y], [x + w, y + h], [x, y + h]], pose)
    low, high = np.floor(corners.min(0)).astype(int), np.ceil(corners.max(0)).astype(int)
    return int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1])


def turned(ink: U8, angle: float, margins: tuple[float, float, float, float]) -> tuple[U8, F64]:
    """uint8 `ink` [h, w] turned by `angle` degrees, clockwise as seen, and the float64 [3, 3] that did it.

    margins: empty pixels left of, above, right of and below what was the picture.
    """
    h, w = ink.shape
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    corners = camera.moved([[0, 0], [w, 0], [w, h], [0, h]], turn)
    left, top, right, bottom = margins
    pose = _shift(left - corners[:, 0].min(), top - corners[:, 1].min()) @ turn
    size = (
        int(np.ceil(np.ptp(corners[:, 0]) + left + right)),
        int(np.ceil(np.ptp(corners[:, 1]) + top + bottom)),
    )
    return cv2.warpPerspective(ink, pose, size, flags=cv2.INTER_LINEAR), pose


def _scanned(row: InkRow, height: float, tier: Tier, rng: np.random.Generator) -> tuple[U8, F64]:
    angle = float(rng.uniform(-tier.rotation, tier.rotation))
    left, top, right, bottom = (draw(tier.margin, rng) * height for _ in range(4))
    ink, pose = turned(row.ink, angle, (left, top, right, bottom))
    sheet = make_sheet(ink.shape[1], ink.shape[0], height, rng, tier.paper)
    return inked(sheet, ink, 0, 0, rng), pose


def _held(
    row: InkRow, height: float, tier: Tier, pose: Pose, writer: Writer, rng: np.random.Generator
) -> tuple[U8, F64]:
    h, w = row.ink.shape
    frame_w, frame_h = pose.frame
    # From a slip about the row to a page that fills the picture.
    left, right = rng.uniform(0.4, 4, 2) * height
    page_h = h + draw(pose.sheet, rng) * height
    page_w = w + left + right
    if rng.uniform() < 0.35:
        left, page_w, page_h = frame_w * 0.7 - w / 2, frame_w * 1.4, frame_h * 1.6
    width, tall = round(page_w), round(page_h)
    x, y = round(left), round((tall - h) * rng.uniform(0.35, 0.65))

    angle = float(np.radians(rng.uniform(-pose.rotation, pose.rotation)))
    view = camera.sheet_pose((width, tall), pose.frame, (0, 0), angle, float(rng.uniform(0, pose.tilt)), rng)
    to_frame = view @ _shift(x, y)
    to_frame = _inside(to_frame, (w, h), pose.frame, rng)
    view = to_frame @ _shift(-x, -y)

    ink = row.ink
    if tier.crowd:
        ink = np.zeros((tall, width), np.uint8)
        ink[y : y + h, x : x + w] = row.ink
        _crowded(ink, (y, y + h), len(row.text), height, writer, rng)
        x, y = 0, 0
    sheet = inked(make_sheet(width, tall, height, rng, tier.paper), ink, x, y, rng)
    image = camera.seen(sheet, view, room(frame_w, frame_h, rng))
    return fingers(image, camera.moved([[0, 0], [width, 0], [width, tall], [0, tall]], view), height, rng), to_frame


def _crowded(
    ink: U8, taken: tuple[int, int], count: int, height: float, writer: Writer, rng: np.random.Generator
) -> None:
    """Writes a row of fewer digits, and scribbles, above and below the lines of pixels that are `taken`."""
    room = round(0.35 * height)
    bands = [(0, taken[0] - room), (taken[1] + room, ink.shape[0])]
    text = "".join(map(str, rng.integers(0, 10, int(rng.integers(2, count)))))
    others = [write_row(text, writer, height * float(rng.uniform(0.7, 1)), rng).ink]
    hand = draw_hand(rng, HandStyle(height=round(height)))
    others += [hand.mark("scribble", rng) for _ in range(int(rng.integers(1, 4)))]
    for other in others:
        h, w = other.shape
        fitting = [(low, high) for low, high in bands if high - low >= h]
        if not fitting or w > ink.shape[1]:
            continue
        low, high = fitting[int(rng.integers(len(fitting)))]
        y, x = int(rng.integers(low, high - h + 1)), int(rng.integers(0, ink.shape[1] - w + 1))
        around = ink[max(0, y - room // 2) : y + h + room // 2, max(0, x - room) : x + w + room]
        if not around.any():  # what runs into each other would be another row than its text says
            ink[y : y + h, x : x + w] = other


def _inside(pose: F64, size: tuple[int, int], frame: tuple[int, int], rng: np.random.Generator) -> F64:
    """`pose` shifted, and shrunk if need be, so that all of a row of `size` is somewhere in the `frame`."""
    w, h = size
    corners = camera.moved([[0, 0], [w, 0], [w, h], [0, h]], pose)
    shrink = min(1.0, *(np.array(frame) * 0.96 / np.ptp(corners, axis=0)))
    pose = np.diag([shrink, shrink, 1.0]) @ pose
    corners *= shrink
    low = np.array(frame) * 0.02 - corners.min(0)
    high = np.array(frame) * 0.98 - corners.max(0)
    # Near the middle more often than at the rim.
    where = rng.beta(2, 2, 2)
    dx, dy = low + (high - low) * where
    return _shift(dx, dy) @ pose


def room(width: int, height: int, rng: np.random.Generator) -> U8:
    """uint8 [height, width, 3]: what is out of focus behind a sheet, a desk or a room."""
    blue, green, red = rng.uniform(30, 200) + rng.normal(0, 18, 3)
    desk = textured((blue, green, red), width // 4, height // 4, 2.0, rng)
    for _ in range(int(rng.integers(0, 7))):
        corner = rng.uniform(0, (width // 4, height // 4)).astype(int)
        size = rng.uniform(10, 120, 2).astype(int)
        colour = (rng.uniform(10, 235) + rng.normal(0, 20, 3)).clip(0, 255).tolist()
        cv2.rectangle(desk, tuple(corner.tolist()), tuple((corner + size).tolist()), colour, -1)
    desk = camera.blurred(desk, float(rng.uniform(0.5, 4)))
    image: U8 = cv2.resize(desk, (width, height), interpolation=cv2.INTER_LINEAR)
    return image


def fingers(image: U8, sheet: F64, height: float, rng: np.random.Generator) -> U8:
    """`image` with up to two thumbs that hold the `sheet` (corners, float64 [4, 2]) left and right."""
    for first, second in ((0, 3), (1, 2)):
        if rng.uniform() < 0.6:
            continue
        at = sheet[first] + (sheet[second] - sheet[first]) * rng.uniform(0.55, 0.9)
        outward = np.sign(at[0] - sheet[:, 0].mean())
        colour = (np.array((125, 160, 205)) * rng.uniform(0.45, 1.1) + rng.normal(0, 6, 3)).clip(0, 255).tolist()
        # The tip stays on the margin: a thumb never covers the row.
        centre = at + np.array([outward * 1.3 * height, 0])
        axes = (round(1.5 * height), round(rng.uniform(0.3, 0.45) * height))
        cv2.ellipse(
            image,
            tuple(np.round(centre * 16).astype(int).tolist()),
            (axes[0] * 16, axes[1] * 16),
            float(rng.uniform(-15, 15)),
            0,
            360,
            colour,
            -1,
            cv2.LINE_AA,
            shift=4,
        )
    return image


def _shift(x: float, y: float) -> F64:
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], np.float64)
