"""How much surer many frames are than one: rows in shaky videos, by single frames, by votes and by the stabiliser.

    python -m benchmarks.shaky --data-dir DATA [--count 40] [--split validation]

A video is a second or two of a sheet or a display before a camera in a hand, 1280x720, looked at ten times a second:
the generator's scenes, larger than the picture, under a window that wanders, trembles, turns and comes nearer, smeared
by just that motion, now and then out of focus, with noise and light of their own in every frame. A frame counts where
its row with most digits reads exactly the label; a video by its stabiliser where the longest row that is settled at its
end does. Settings of `edge.stabilise` and `edge.fusion` are chosen on `--split validation`, never on the test set.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.accuracy import longest, source_of, wilson
from edge.arrays import F64, U8, u8
from edge.config import StabiliserConfig
from edge.engine import EngineConfig
from edge.reader import Reader
from edge.row import Row
from edge.stabilise import Settled, Stabiliser
from training.confidence import calibration_error
from training.synth import camera
from training.synth.displays import DisplaySource
from training.synth.scene import TIERS, Scene, Tier, make_scene
from training.synth.sources import DigitSource
from training.synth.span import draw, draw_int, draw_low

KINDS = ("photo", "ruled", "crowd", "displays")
RATE = 10.0
"""Looks a second."""

_SIZE = 1280, 720
_ROOM = 0.4  # of the picture on each side, for the window to wander in
_WIDEST = 0.8  # of the picture: a row never reaches its rim
_PLAIN = camera.Lighting(level=(1, 1), gradient=(0, 0), vignette=(0, 0), shadow=0.0, cast=0.0)
_SHARP = camera.Optics(defocus=(0, 0), motion=(0, 0), noise=(0, 0), quality=(100, 100))


@dataclass(frozen=True)
class Shake:
    """How a hand moves a camera; standard deviations, of a window of the picture's size."""

    wander: float = 40.0
    """pixels, slowly"""
    tremble: float = 5.0
    """pixels, from look to look"""
    turn: float = 1.2
    """degrees, slowly"""
    nearer: float = 0.02
    """of the size, slowly"""
    away: tuple[float, float] = (0.5, 1.0)
    """size of the digits, as a share of what the kind of picture has"""
    exposure: tuple[float, float] = (0.05, 0.33)
    """of the time between two looks, in which motion is smeared: at 30 frames a second a camera has a third of it"""
    hunting: float = 0.3
    """share of frames out of focus while the lens looks for it"""


@dataclass(frozen=True)
class Video:
    """frames: uint8 [720, 1280, 3] each; text: of the row with most digits, the same in all."""

    name: str
    frames: list[U8]
    text: str


@dataclass(frozen=True)
class Outcome:
    """What came of one video.

    singles: whether each frame was right; best: whether the frame with the surest row was; vote: whether most frames'
    text was; first, last: whether the settled row first reported, and the one at the end, was; confidence: of that;
    sure: of the surest frame; readings: how often that row was reported; looks: frames until it was first.
    """

    name: str
    text: str
    singles: list[bool]
    best: bool
    sure: float
    vote: bool
    first: bool
    last: bool
    confidence: float
    readings: int
    looks: int | None


def videos(source: DigitSource, count: int, seed: int, shake: Shake = Shake()) -> Iterator[Video]:
    for i in range(count):
        rng = np.random.default_rng([seed, i])
        kind = KINDS[i % len(KINDS)]
        scene, tier = _scene(kind, source, rng)
        frames = list(_filmed(scene, tier, shake, rng))
        yield Video(f"{kind}-{i:04d}", frames, scene.rows[0].text)


def _scene(kind: str, source: DigitSource, rng: np.random.Generator) -> tuple[Scene, Tier]:
    """A scene with room about the picture, in plain light and focus; and its tier, for what becomes of both."""
    tier = TIERS[kind]
    assert tier.pose is not None
    size = round(_SIZE[0] * (1 + 2 * _ROOM)), round(_SIZE[1] * (1 + 2 * _ROOM))
    wide = replace(tier, pose=replace(tier.pose, frame=size), light=_PLAIN, optics=_SHARP)
    return make_scene(wide, DisplaySource() if kind == "displays" else source, rng), tier


def _filmed(scene: Scene, tier: Tier, shake: Shake, rng: np.random.Generator) -> Iterator[U8]:
    count = int(rng.integers(12, 21))
    w, h = _SIZE
    corners = scene.rows[0].quad
    fitting = min(draw(shake.away, rng), *(np.array(_SIZE) * _WIDEST / np.ptp(corners, axis=0)))
    # Where in the picture the row's middle is, as far as all of the row stays in it.
    free = np.maximum(np.array(_SIZE) * 0.94 - fitting * np.ptp(corners, axis=0), 0) / 2
    middle = np.array(_SIZE) / 2 + free * rng.uniform(-0.7, 0.7, 2)
    path = np.column_stack([slow(count, rng), slow(count, rng)]) * shake.wander
    path += rng.normal(0, shake.tremble, (count, 2))
    turns, scales = slow(count, rng) * shake.turn, fitting * np.exp(slow(count, rng) * shake.nearer)
    beyond = np.median(scene.image[0], axis=0).tolist()
    light = camera.light_field(w, h, rng, tier.light)
    levels = 1 + 0.05 * slow(count, rng) + rng.normal(0, 0.015, count)
    blue, green, red = (float(gain) for gain in rng.normal(1, tier.light.cast, 3))
    focus, noise = draw_low(tier.optics.defocus, rng), draw(tier.optics.noise, rng)
    quality, exposure = draw_int(tier.optics.quality, rng), draw(shake.exposure, rng)
    steps = np.gradient(path, axis=0) + rng.normal(0, shake.tremble, (count, 2))
    for at, step, turn, scale, level in zip(path, steps, turns, scales, levels, strict=True):
        pose = cv2.getRotationMatrix2D(corners.mean(0).tolist(), float(turn), float(scale))
        pose[:, 2] += middle + at - corners.mean(0)
        frame = u8(cv2.warpAffine(scene.image, pose, _SIZE, flags=cv2.INTER_LINEAR, borderValue=beyond))
        gain = float(level)
        frame = camera.lit(frame, light, (blue * gain, green * gain, red * gain))
        off = abs(rng.normal(0, 2.5)) if rng.uniform() < shake.hunting else 0.0
        frame = camera.blurred(frame, float(np.hypot(focus, off)))
        frame = camera.smeared(frame, float(np.hypot(*step)) * exposure, float(np.arctan2(step[1], step[0])))
        frame = camera.noisy(frame, noise, rng)
        yield camera.compressed(frame, min(quality, 95))


def slow(count: int, rng: np.random.Generator) -> F64:
    """float64 [count]: a smooth walk about 0, of deviation 1 over many walks: waves of up to 1.5 a second."""
    time = np.arange(count) / RATE
    rates, phases = rng.uniform(0.1, 1.5, 3), rng.uniform(0, 2 * np.pi, 3)
    return np.asarray(np.sin(2 * np.pi * rates * time[:, None] + phases).sum(1) * np.sqrt(2 / 3), np.float64)


def judge(name: str, text: str, looks: Sequence[Sequence[Row]], config: StabiliserConfig) -> Outcome:
    """looks: the rows of each frame."""
    rows = [longest(list(look)) for look in looks]
    texts = [row.text if row else "" for row in rows]
    surest = max((row for row in rows if row), key=lambda row: row.confidence, default=None)
    vote = Counter(texts).most_common(1)[0][0]
    stabiliser = Stabiliser(config)
    settled: dict[int, list[tuple[int, Row]]] = {}
    for i, look in enumerate(looks):
        for event in stabiliser.update(look, i / RATE):
            if isinstance(event, Settled):
                settled.setdefault(event.track, []).append((i + 1, event.row))
    # A track's row at the end is the last that it was settled as.
    of_row = max(settled.values(), key=lambda ones: (len(ones[-1][1].text), ones[-1][1].confidence), default=[])
    return Outcome(
        name,
        text,
        [one == text for one in texts],
        surest is not None and surest.text == text,
        surest.confidence if surest else 0.0,
        vote == text,
        bool(of_row) and of_row[0][1].text == text,
        bool(of_row) and of_row[-1][1].text == text,
        of_row[-1][1].confidence if of_row else 0.0,
        len(of_row),
        of_row[0][0] if of_row else None,
    )


def figures(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Counts of right rows, and of readings, of these videos."""
    reported = [one for one in outcomes if one.looks is not None]
    sure, right = np.array([one.confidence for one in reported]), np.array([float(one.last) for one in reported])
    return {
        "videos": len(outcomes),
        "single": round(float(np.mean([np.mean(one.singles) for one in outcomes])), 4),
        "best": sum(one.best for one in outcomes),
        "vote": sum(one.vote for one in outcomes),
        "first": sum(one.first for one in outcomes),
        "fused": sum(one.last for one in outcomes),
        "readings": dict(sorted(Counter(one.readings for one in outcomes).items())),
        "looks": float(np.median([one.looks for one in reported])) if reported else None,
        "error": round(calibration_error(sure, right), 4) if reported else None,
    }


def table(facts: dict[str, Any]) -> Table:
    shown = Table(title=f"Rows right in shaky videos; rows by {facts['writers']}, {facts['split']} split")
    shown.add_column("videos", no_wrap=True)
    headings = ("count", "mean single\nframe", "surest single\nframe", "majority\nvote", "fused, as first\nreported")
    for heading in (*headings, "fused", "95 % between", "readings\na row", "looks to\nthe first"):
        shown.add_column(heading, justify="right")
    for kind, found in facts["kinds"].items():
        count = found["videos"]
        shares = [f"{found[way] / count:.1%}" for way in ("best", "vote", "first", "fused")]
        low, high = wilson(found["fused"], count)
        readings = ", ".join(f"{times}: {number}" for times, number in found["readings"].items())
        looks = f"{found['looks']:g}" if found["looks"] is not None else "none"
        shown.add_row(kind, str(count), f"{found['single']:.1%}", *shares, f"{low:.1%} {high:.1%}", readings, looks)
    shown.caption = "Readings a row: how many rows were reported how often; once is what is wanted."
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, help="holds mnist/; else DIGITD_DATA")
    parser.add_argument("--split", choices=("test", "validation"), default="test")
    parser.add_argument("--count", type=int, default=40, help="videos, of all kinds in turn")
    parser.add_argument("--seed", type=int, default=20261122)
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    arguments = parser.parse_args()
    if arguments.count < 1:
        parser.error(f"--count {arguments.count}: must be 1 or more")

    reader = Reader(engine=EngineConfig(threads=1))
    source, writers = source_of(arguments.split, arguments.data_dir)
    console = Console(stderr=True)
    seed = arguments.seed + (arguments.split == "test")
    outcomes = []
    made = videos(source, arguments.count, seed)
    for video in track(made, "videos", arguments.count, console=console, transient=True):
        looks = [reader.read(frame, alternatives=8) for frame in video.frames]
        outcomes.append(judge(video.name, video.text, looks, StabiliserConfig()))
    kinds = {kind: figures(of) for kind in KINDS if (of := [one for one in outcomes if one.name.startswith(kind)])}
    facts = {"writers": writers, "split": arguments.split, "seed": seed, "kinds": kinds | {"all": figures(outcomes)}}
    Console(width=150).print(table(facts))
    print(f"the fused rows' confidence is off by {facts['kinds']['all']['error']} (expected calibration error)")
    if arguments.json:
        arguments.json.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
