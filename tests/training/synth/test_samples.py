"""The bundled samples are what the generator makes, and small enough to ship."""

import subprocess
import sys
from itertools import pairwise

import cv2
import numpy as np
import pytest

from training.synth import samples, sheet
from training.synth.scene import TIERS, make_scene
from training.synth.sources import StrokeSource

PICTURES = {"four-digits.png", "eight-digits.png", "light-on-dark.png", "slanted-row.png", "two-rows.png"}
NAMES = PICTURES | {"photo.jpg", "printed.png", "video.avi", "labels.tsv"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("samples")
    samples.write(folder)
    return folder


def picture(path):
    return cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)


def test_names_labels_and_sizes(made):
    assert {path.name for path in made.iterdir()} == NAMES
    lines = [line.split("\t") for line in (made / "labels.tsv").read_text().splitlines()]
    assert {name for name, _ in lines} == NAMES - {"labels.tsv"}
    texts = {name: [text for other, text in lines if other == name] for name, _ in lines}
    assert [len(text) for text in texts["four-digits.png"]] == [4]
    assert [len(text) for text in texts["eight-digits.png"]] == [8]
    assert len(texts["two-rows.png"]) == 2
    assert all(text.isdigit() for _, text in lines)
    assert sum(path.stat().st_size for path in made.iterdir()) < 1_500_000
    assert (made / "video.avi").stat().st_size < 400_000


def test_the_shipped_samples_are_these(made):
    assert {path.name for path in samples.FOLDER.iterdir()} == NAMES
    assert (samples.FOLDER / "labels.tsv").read_bytes() == (made / "labels.tsv").read_bytes()
    for name in PICTURES | {"photo.jpg"}:
        shipped, new = picture(samples.FOLDER / name), picture(made / name)
        assert shipped.shape == new.shape
        # Builds of OpenCV round differently here and there, and its font changed between versions 4 and 5.
        assert np.abs(shipped.astype(int) - new).mean() < 2


def test_they_are_the_same_each_time(made, tmp_path):
    subprocess.run([sys.executable, "-m", "training.synth.samples", tmp_path], check=True)
    for name in NAMES:
        assert (tmp_path / name).read_bytes() == (made / name).read_bytes(), name


def test_polarity_slant_and_photograph(made):
    def ink_is_darker(name):
        grey = cv2.cvtColor(picture(made / name), cv2.COLOR_BGR2GRAY).astype(float)
        return grey.mean() < np.median(grey)

    assert ink_is_darker("four-digits.png") and not ink_is_darker("light-on-dark.png")
    assert picture(made / "photo.jpg").shape == (720, 1280, 3)
    grey = cv2.cvtColor(picture(made / "slanted-row.png"), cv2.COLOR_BGR2GRAY)
    ys, xs = np.nonzero(grey < np.median(grey) - 60)
    assert -16 < np.degrees(np.arctan(np.polyfit(xs, ys, 1)[0])) < -8


def test_the_video_moves(made):
    video = cv2.VideoCapture(str(made / "video.avi"))
    frames = []
    while (got := video.read())[0]:
        frames.append(got[1])
    assert len(frames) == 24 and frames[0].shape == (360, 640, 3)
    assert video.get(cv2.CAP_PROP_FPS) == pytest.approx(12)
    steps = [np.abs(a.astype(int) - b).mean() for a, b in pairwise(frames)]
    assert min(steps) > 0.3 and max(steps) < 20


@pytest.mark.parametrize("tier", ["photo", "separated", "digits", "marks"])
def test_a_contact_sheet_is_written(tier, tmp_path):
    sheet.main(["--tier", tier, "-n", "2", str(tmp_path / "out.png")])
    assert picture(tmp_path / "out.png").std() > 5


def test_a_contact_sheet_shows_the_truth():
    scene = make_scene(TIERS["separated"], StrokeSource(), np.random.default_rng(0))
    shown = sheet.annotated(scene)
    assert shown.shape == scene.image.shape and (shown != scene.image).any()
