"""What is looked at: regions and corners, in pictures of any size of the same shape, and the way back."""

import functools

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.config import ViewConfig
from edge.sources.view import Misaligned, View

SIZE = (640, 480)


@functools.cache
def picture(width: int = 640, height: int = 480) -> np.ndarray:
    """Each pixel's blue and green tell where it is."""
    across = np.linspace(0, 255, width)[None].repeat(height, 0)
    down = np.linspace(0, 255, height)[:, None].repeat(width, 1)
    return np.stack([across, down, np.full((height, width), 90.0)], axis=2).round().astype(np.uint8)


regions = st.tuples(st.integers(0, 600), st.integers(0, 440), st.integers(12, 640), st.integers(12, 480)).map(
    lambda r: (r[0], r[1], min(r[2], 640 - r[0]), min(r[3], 480 - r[1]))
)


@st.composite
def quads(draw: st.DrawFn) -> tuple[tuple[float, float], ...]:
    """Rectangles seen at an angle: each corner strays by less than a quarter of the shorter side."""
    left, top = draw(st.floats(60, 300)), draw(st.floats(60, 200))
    width, height = draw(st.floats(40, 270)), draw(st.floats(40, 210))
    stray = st.floats(-0.24, 0.24).map(lambda share: share * min(width, height))
    upright = [(left, top), (left + width, top), (left + width, top + height), (left, top + height)]
    return tuple((x + draw(stray), y + draw(stray)) for x, y in upright)


@settings(max_examples=30)
@given(regions)
def test_a_region_is_cut_out_as_it_is_and_its_points_lead_back(region: tuple[int, int, int, int]) -> None:
    x, y, width, height = region
    view, image = View(ViewConfig(size=SIZE, region=region)), picture()
    seen = view.apply(image)
    assert np.array_equal(seen, image[y : y + height, x : x + width]) and seen.flags.c_contiguous
    assert view.outward(np.array([[0.0, 0], [width, height]])).tolist() == [[x, y], [x + width, y + height]]


@settings(max_examples=30)
@given(regions)
def test_upright_corners_show_the_same_as_the_region_between_them(region: tuple[int, int, int, int]) -> None:
    x, y, width, height = region
    corners = ((x, y), (x + width, y), (x + width, y + height), (x, y + height))
    seen = View(ViewConfig(size=SIZE, corners=corners)).apply(picture())
    cut = View(ViewConfig(size=SIZE, region=region)).apply(picture())
    assert seen.shape == cut.shape and int(cv2.absdiff(seen, cut).max()) <= 1


@settings(max_examples=30)
@given(quads(), st.sampled_from([0.5, 1, 1.5, 2]))
def test_the_corners_of_what_is_looked_at_are_the_corners_in_the_picture(
    corners: tuple[tuple[float, float], ...], scale: float
) -> None:
    view = View(ViewConfig(size=SIZE, corners=corners))
    seen = view.apply(picture(round(640 * scale), round(480 * scale)))
    height, width = seen.shape[:2]
    back = view.outward(np.array([[0.0, 0], [width, 0], [width, height], [0, height]]))
    assert np.allclose(back, np.array(corners) * scale, atol=1e-6)
    sides = np.hypot(*(np.roll(corners, -1, axis=0) - np.array(corners)).T) * scale
    assert abs(width - max(sides[0], sides[2])) <= 0.5 and abs(height - max(sides[1], sides[3])) <= 0.5
    assert view.scale == pytest.approx(scale)


@settings(max_examples=30)
@given(quads(), st.floats(0.1, 0.9), st.floats(0.1, 0.9))
def test_what_is_seen_at_a_point_is_what_the_picture_shows_where_it_leads_back_to(
    corners: tuple[tuple[float, float], ...], across: float, down: float
) -> None:
    view, image = View(ViewConfig(size=SIZE, corners=corners)), picture()
    seen = view.apply(image)
    at = np.array([[round(across * (seen.shape[1] - 1)), round(down * (seen.shape[0] - 1))]], np.float64)
    x, y = view.outward(at)[0]
    shown = seen[int(at[0, 1]), int(at[0, 0])].astype(float)
    there = image[round(y), round(x)].astype(float)
    assert np.abs(shown - there).max() <= 2


def test_lines_of_a_sheet_seen_at_an_angle_are_upright_again() -> None:
    sheet = np.full((200, 300, 3), 255, np.uint8)
    cv2.rectangle(sheet, (100, 50), (200, 150), (0, 0, 0), -1)
    corners = np.array([(130, 90), (520, 140), (480, 420), (90, 350)], np.float32)
    front = np.array([(0, 0), (300, 0), (300, 200), (0, 200)], np.float32)
    image = cv2.warpPerspective(sheet, cv2.getPerspectiveTransform(front, corners), SIZE, borderValue=(90, 90, 90))
    seen = View(ViewConfig(size=SIZE, corners=tuple(map(tuple, corners.tolist())))).apply(image)
    expected = cv2.resize(sheet, (seen.shape[1], seen.shape[0]))
    assert float(cv2.absdiff(seen, expected).mean()) < 4


def test_a_larger_picture_of_the_same_shape_is_cut_at_the_same_place() -> None:
    view = View(ViewConfig(size=SIZE, region=(100, 50, 300, 200)))
    large = picture(1280, 960)
    assert np.array_equal(view.apply(large), large[100:500, 200:800])
    assert view.scale == 2
    assert view.outward(np.array([[10.0, 20]])).tolist() == [[210, 120]]
    assert view.apply(picture()).shape == (200, 300, 3) and view.scale == 1


def test_a_picture_of_another_shape_is_refused_with_both_sizes_and_the_mend() -> None:
    view = View(ViewConfig(size=SIZE, region=(0, 0, 640, 480)))
    with pytest.raises(Misaligned) as caught:
        view.apply(picture(640, 360))
    message = str(caught.value)
    assert "640x360" in message and "640x480" in message and "\n" not in message
    assert view.apply(picture(641, 480)).shape[0] == 480  # an odd pixel is no other shape


@pytest.mark.parametrize("region", [(600, 0, 41, 100), (0, 400, 100, 81), (0, 0, 5, 100)])
def test_a_region_outside_the_picture_or_too_small_is_refused(region: tuple[int, int, int, int]) -> None:
    with pytest.raises(Misaligned, match="region"):
        View(ViewConfig(size=SIZE, region=region)).apply(picture())


@pytest.mark.parametrize(
    "corners",
    [
        ((10, 10), (700, 10), (600, 400), (10, 400)),
        ((10, 10), (10, 400), (600, 400), (600, 10)),  # anticlockwise
        ((10, 10), (600, 400), (600, 10), (10, 400)),  # crossed
        ((10, 10), (300, 10), (600, 10), (10, 400)),  # three on a line
        ((10, 10), (10, 10), (600, 400), (10, 400)),  # two in one
        ((10, 10), (600, 10), (600, 15), (10, 15)),  # flat
        ((float("nan"), 10), (600, 10), (600, 400), (10, 400)),
    ],
)
def test_corners_that_are_no_rectangle_within_the_picture_are_refused(corners: object) -> None:
    with pytest.raises(Misaligned, match="corners") as caught:
        View(ViewConfig.model_construct(size=SIZE, region=None, corners=corners)).apply(picture())
    assert "\n" not in str(caught.value)
