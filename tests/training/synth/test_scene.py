"""Scenes are of the size, type and difficulty their tier says, and their truth lies on the ink."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import ConfigError
from training import mnist
from training.synth import camera
from training.synth.noise import normal
from training.synth.paper import PENS, PaperStyle, inked, make_sheet
from training.synth.row import INK, write_row
from training.synth.scene import TIERS, Pose, make_scene, row_truth, turned
from training.synth.sources import MnistSource, StrokeSource

CLEAN = {
    "paper": PaperStyle(tone=(235, 235), fibre=(0, 0), stains=(0, 0), pens=("black felt",), opacity=(1, 1), board=0),
    "light": camera.Lighting(level=(1, 1), gradient=(0, 0), vignette=(0, 0), shadow=0, cast=0),
    "optics": camera.Optics(defocus=(0, 0), motion=(0, 0), noise=(0, 0), quality=(100, 100)),
}


def test_years_are_years():
    years = {make_scene(TIERS["years"], StrokeSource(), np.random.default_rng(seed)).rows[0].text for seed in range(30)}
    assert len(years) > 20 and all(1550 <= int(year) < 1950 for year in years)


@pytest.mark.parametrize("name", list(TIERS))
def test_a_seed_gives_the_same_scene_and_another_does_not(name):
    def make(seed):
        scene = make_scene(TIERS[name], StrokeSource(), np.random.default_rng(seed))
        return (
            scene.image.tobytes(),
            scene.rows[0].text,
            scene.rows[0].quad.tobytes(),
            scene.rows[0].boxes.tobytes(),
        )

    assert make(5) == make(5)
    assert make(5) != make(6)


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("separated", 30, 90),
        ("photo", 40, 110),
        ("ruled", 40, 110),
        ("touching", 30, 90),
        ("crowd", 40, 80),
        ("sheets", 24, 60),
        ("displays", 40, 120),
    ],
)
def test_a_tier_keeps_its_promises(name, low, high):
    heights = []
    for seed in range(8):
        scene = make_scene(TIERS[name], StrokeSource(), np.random.default_rng(seed))
        image, row = scene.image, scene.rows[0]
        assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
        assert row.text.isdigit() and TIERS[name].digits[0] <= len(row.text) <= TIERS[name].digits[1]
        assert row.boxes.shape == (len(row.text), 4) and row.quad.shape == (4, 2)
        assert (row.quad >= 0).all() and (row.quad <= (image.shape[1], image.shape[0])).all()
        if TIERS[name].pose:
            assert image.shape == ((1200, 1600, 3) if name == "sheets" else (720, 1280, 3))
        heights.append(np.median(row.boxes[:, 3]))
    # A little below: a long row is shrunk to fit; a little above: a turned box is higher than its digit.
    assert low * 0.75 <= min(heights) and max(heights) <= high * 1.35


@pytest.mark.parametrize("name", list(TIERS))
def test_the_truth_lies_on_the_ink(name):
    tier = replace(TIERS[name], **CLEAN)
    if tier.pose:
        tier = replace(tier, pose=replace(tier.pose, sheet=(3.0, 3.0)))
    for seed in range(4):
        scene = make_scene(tier, StrokeSource(), np.random.default_rng(seed))
        row = scene.rows[0]
        dark = scene.image.max(2) < 110
        inside = cv2.fillConvexPoly(np.zeros(dark.shape, np.uint8), np.round(row.quad).astype(np.int32), 1) > 0
        ink = dark & inside
        covered = np.zeros_like(ink)
        for x, y, w, h in row.boxes.tolist():
            here = ink[y : y + h, x : x + w]
            assert here.any()
            # Each box is filled to about its edges; perspective leaves slack at the corners of upright boxes.
            ys, xs = np.nonzero(here)
            assert np.ptp(ys) >= 0.75 * h - 4
            assert np.ptp(xs) >= 0.4 * w - 4
            covered[y : y + h, x : x + w] = True
        assert not (ink & ~covered).any()


def test_a_long_row_of_large_digits_still_fits_the_photograph():
    tier = replace(TIERS["photo"], height=(300.0, 300.0))
    scene = make_scene(tier, StrokeSource(), np.random.default_rng(0), "0123456789")
    assert scene.rows[0].text == "0123456789"
    assert (scene.rows[0].quad >= 0).all() and (scene.rows[0].quad <= (1280, 720)).all()


@given(
    angle=st.floats(-0.3, 0.3),
    tilt=st.floats(0, 0.4),
    seed=st.integers(0, 1000),
    x=st.integers(20, 340),
    y=st.integers(20, 190),
)
@settings(max_examples=40)
def test_a_pose_moves_points_as_it_moves_pixels(angle, tilt, seed, x, y):
    pose = camera.sheet_pose((400, 240), (640, 480), (320, 240), angle, tilt, np.random.default_rng(seed))
    sheet = np.zeros((240, 400, 3), np.uint8)
    cv2.circle(sheet, (x, y), 6, (255, 255, 255), -1)
    image = camera.seen(sheet, pose, np.zeros((480, 640, 3), np.uint8))[..., 0]
    ys, xs = np.nonzero(image > 100)
    np.testing.assert_allclose((xs.mean(), ys.mean()), camera.moved([[x, y]], pose)[0], atol=1.0)


@given(angle=st.floats(-20, 20), seed=st.integers(0, 500))
@settings(max_examples=15)
def test_turned_ink_stays_within_its_truth(angle, seed):
    rng = np.random.default_rng(seed)
    row = write_row("407", StrokeSource().writer(rng), 60, rng)
    ink, pose = turned(row.ink, angle, (10, 10, 10, 10))
    truth = row_truth(row, pose)
    assert truth.boxes[:, 0].min() >= 9 and truth.boxes[:, 1].min() >= 9
    rest = ink > INK + 60
    for x, y, w, h in truth.boxes.tolist():
        rest[y - 1 : y + h + 1, x - 1 : x + w + 1] = False
    assert not rest.any()
    # Clockwise, as seen, for a positive angle: the right end is lower.
    if abs(angle) > 0.01:
        assert np.sign(truth.quad[1, 1] - truth.quad[0, 1]) == np.sign(angle)


def test_rotation_and_tilt_stay_within_the_pose():
    tier = replace(TIERS["photo"], pose=Pose(frame=(1280, 720), rotation=8, tilt=0.0), **CLEAN)
    angles = []
    for seed in range(12):
        quad = make_scene(tier, StrokeSource(), np.random.default_rng(seed)).rows[0].quad
        angles.append(np.degrees(np.arctan2(*(quad[1] - quad[0])[::-1])))
    assert max(map(abs, angles)) <= 8.01
    assert max(angles) > 2 and min(angles) < -2


def test_a_board_has_light_ink_and_paper_dark():
    rng = np.random.default_rng(0)
    ink = np.full((20, 20), 255, np.uint8)
    for share, brighter in ((0.0, False), (1.0, True)):
        sheet = make_sheet(60, 60, 40, rng, PaperStyle(board=share, stains=(0, 0)))
        image = inked(sheet, ink, 20, 20, rng)
        inside, outside = image[20:40, 20:40].mean(), image[:15].mean()
        assert (inside - outside > 60) if brighter else (outside - inside > 60)
        assert np.array_equal(image[:15], sheet.paper[:15])


def test_every_pen_named_by_the_default_style_is_there():
    assert set(PaperStyle().pens) <= set(PENS)


@pytest.mark.parametrize("lines", ["ruled", "squared"])
def test_printed_lines_are_there_when_asked_for(lines):
    style = PaperStyle(lines=(lines,), fibre=(0, 0), stains=(0, 0), board=0, tint=0, line_spacing=(0.5, 0.5))
    paper = make_sheet(200, 200, 40, np.random.default_rng(0), style).paper[..., 2].astype(int)
    across = np.flatnonzero(np.median(paper, 1) < np.median(paper) - 8)
    down = np.flatnonzero(np.median(paper, 0) < np.median(paper) - 8)
    assert 9 <= len(across) <= 11 and set(np.diff(across)) == {20}
    assert (len(down) >= 9) == (lines == "squared")


def test_light_falls_off_as_asked():
    field = camera.gradient(100, 50, 0.4, 0.0)
    assert field[0, 0] == pytest.approx(1) and field[0, -1] == pytest.approx(0.6)
    corner = camera.vignette(100, 50, 0.3)
    assert corner[0, 0] == pytest.approx(0.7) and corner.max() > 0.999
    shade = camera.shadow(160, 90, 0.5, 0.0, np.random.default_rng(0))
    assert set(np.unique(shade)) == {np.float32(0.5), np.float32(1)}
    image = camera.lit(np.full((10, 10, 3), 200, np.uint8), np.full((10, 10), 0.5, np.float32), (1, 0.5, 1.2))
    assert image[5, 5].tolist() == [100, 50, 120]


def test_blur_smear_noise_and_jpeg_do_what_they_say():
    image = np.full((65, 65, 3), 128, np.uint8)
    image[:, 32] = 255
    assert camera.blurred(image, 2.0)[32, 32, 0] < 180 and camera.blurred(image, 0.1) is image
    across, along = camera.smeared(image, 9, 0.0), camera.smeared(image, 9, np.pi / 2)
    assert across[32, 32, 0] < 160 and abs(int(along[32, 32, 0]) - 255) <= 1
    flat = np.full((200, 200, 3), 128, np.uint8)
    noise = camera.noisy(flat, 6.0, np.random.default_rng(0)).astype(float) - 128
    assert abs(noise.mean()) < 0.3 and 5 < noise.std() < 8
    assert camera.compressed(image, 100) is image and (camera.compressed(image, 20) != image).any()


def test_quick_noise_is_normal():
    values = normal((300, 300), np.random.default_rng(0))
    assert values.dtype == np.float32 and abs(values.mean()) < 0.02 and abs(values.std() - 1) < 0.02


def test_scenes_of_mnist_writers():
    try:
        data = mnist.load("test", download=False)
    except ConfigError as error:
        pytest.skip(f"needs MNIST; name its folder with DIGITD_DATA ({error})")
    source = MnistSource(data)
    for tier in TIERS.values():
        scene = make_scene(tier, source, np.random.default_rng(0), "2718")
        assert scene.rows[0].text == "2718"
