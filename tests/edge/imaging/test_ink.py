"""Ink is what is darker than its paper, or lighter, whatever the light."""

import warnings

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edge.imaging.ink import find_inks, find_local_inks

SEEDS = range(4)


def mask_of(image):
    """The mask of a picture that has but one polarity."""
    inks = list(find_inks(image))
    assert len(inks) == 1
    return inks[0].mask > 0


def overlap(one, other):
    return (one & other).sum() / (one | other).sum()


def assert_shows(mask, page, at_least=0.75):
    """Whether `mask` is the page's ink: nearly all of its strokes' cores, and nothing a pixel off its rims."""
    core = cv2.erode(page.ink, np.ones((3, 3), np.uint8)) > 200
    near = cv2.dilate(page.ink, np.ones((5, 5), np.uint8)) > 0
    assert (mask & core).sum() >= 0.98 * core.sum()
    assert not (mask & ~near).any()
    assert overlap(mask, page.ink > 127) >= at_least


@pytest.mark.parametrize("seed", SEEDS)
def test_ink_on_clean_paper_is_found_whole_and_nothing_else(seed, written):
    page = written("3590182", seed)
    assert_shows(mask_of(page.image), page)


@pytest.mark.parametrize("seed", SEEDS)
def test_dark_on_light_and_light_on_dark_give_the_same_mask(seed, written):
    page = written("3590182", seed)
    dark, light = mask_of(page.image), mask_of(255 - page.image)
    assert overlap(dark, light) > 0.97
    assert_shows(light, page)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("height", [24, 64, 110])
def test_strength_is_high_in_ink_and_the_same_in_both_polarities(seed, height, written):
    page = written("4071", seed, height)
    for image in (page.image, 255 - page.image):
        (ink,) = find_inks(image)
        assert ink.strength.shape == image.shape and ink.strength.dtype == np.uint8
        assert ink.strength[page.ink > 250].mean() > 3 * ink.strength[page.ink == 0].mean() + 60


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("direction", [0, 1, 2, 3])
def test_uneven_light_does_not_change_what_is_ink(seed, direction, written):
    page = written("3590182", seed)
    y, x = np.mgrid[0 : 1 : page.image.shape[0] * 1j, 0 : 1 : page.image.shape[1] * 1j]
    light = 1 - 0.65 * (x, 1 - x, y, (x + y) / 2)[direction]
    assert_shows(mask_of((page.image * light).astype(np.uint8)), page)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("dark", [0.35, 0.6])
def test_the_edge_of_a_hard_shadow_is_no_ink(seed, dark, written):
    page = written("3590182", seed)
    y, x = np.mgrid[0 : page.image.shape[0], 0 : page.image.shape[1]]
    shadow = x + 0.4 * y > page.image.shape[1] * 0.55
    mask = mask_of(np.where(shadow, page.image * dark, page.image).astype(np.uint8))
    assert_shows(mask, page, at_least=0.7)


@pytest.mark.parametrize("tone", [30, 120, 235])
@pytest.mark.parametrize("noise", [0, 1, 2.5])
def test_an_empty_page_holds_next_to_no_ink(tone, noise):
    rng = np.random.default_rng(tone)
    paper = cv2.GaussianBlur(rng.normal(tone, noise, (300, 500)), (3, 3), 0.6).clip(0, 255).astype(np.uint8)
    for ink in find_inks(paper):
        assert (ink.mask > 0).mean() < 1e-3


@pytest.mark.parametrize("seed", SEEDS)
def test_a_cameras_noise_in_a_black_border_is_no_ink(seed, written):
    page = written("3590182", seed)
    border = np.full((page.image.shape[0], 60), 6)
    image = np.hstack([page.image, border])
    image = image + np.random.default_rng(seed).normal(0, 2.5, image.shape)
    mask = mask_of(image.clip(0, 255).astype(np.uint8))
    assert mask[:, -48:].mean() < 0.005
    assert overlap(mask[:, :-60], page.ink > 127) > 0.7


def test_a_dark_sheets_rim_on_a_light_desk_is_no_ink(written):
    page = written("52", 3, margin=90)
    desk = np.full((page.image.shape[0] + 160, page.image.shape[1] + 160), 90, np.uint8)
    desk[80:-80, 80:-80] = page.image
    mask = mask_of(desk)
    assert_shows(mask[80:-80, 80:-80], page)
    mask[80:-80, 80:-80] = False
    assert mask.mean() < 0.01


def pictures():
    """Any uint8 picture from 12x12 up: noise, flat tones, steps, chequers, and arrays as hypothesis likes them."""

    @st.composite
    def made(draw):
        h, w = draw(st.integers(12, 90)), draw(st.integers(12, 90))
        rng = np.random.default_rng(draw(st.integers(0, 10**6)))
        kind = draw(st.sampled_from(["noise", "flat", "step", "chequers", "few", "ramp"]))
        low, high = sorted(draw(st.tuples(st.integers(0, 255), st.integers(0, 255))))
        if kind == "noise":
            return rng.integers(low, high + 1, (h, w), np.uint8)
        image = np.full((h, w), high, np.uint8)
        if kind == "step":
            image[: draw(st.integers(0, h))] = low
        elif kind == "chequers":
            image[(np.add.outer(np.arange(h), np.arange(w)) // draw(st.integers(1, 9))) % 2 == 0] = low
        elif kind == "few":
            image[rng.integers(0, h, 9), rng.integers(0, w, 9)] = low
        elif kind == "ramp":
            image[:] = np.linspace(low, high, w).astype(np.uint8)
        return image

    return st.one_of(made(), arrays.arrays(np.uint8, st.tuples(st.integers(12, 20), st.integers(12, 20))))


@given(pictures())
@example(np.vstack([np.full((2, 12), 15), np.zeros((10, 12))]).astype(np.uint8))  # ink of one strength
@example(np.zeros((12, 12), np.uint8))
@example(np.full((12, 400), 255, np.uint8))
@example(np.zeros((900, 12), np.uint8))
@settings(max_examples=150)
def test_any_picture_has_a_mask_of_its_size_and_no_number_goes_wrong(image):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        inks = list(find_inks(image))
    assert 1 <= len(inks) <= 2
    for ink in inks:
        assert ink.mask.shape == ink.strength.shape == image.shape
        assert ink.mask.dtype == ink.strength.dtype == np.uint8
        assert set(np.unique(ink.mask)) <= {0, 255}


def test_a_large_picture_is_handled_as_a_small_one(written):
    page = written("3590182", 1)
    large = cv2.resize(page.image, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    small = cv2.resize(mask_of(large).astype(np.uint8) * 255, page.image.shape[::-1], interpolation=cv2.INTER_AREA)
    assert overlap(small > 127, mask_of(page.image)) > 0.85


def on_a_dark_table(image, reach=260):
    """A sheet's picture with a broad dark rim, its ink made faint: the table's edge is the strongest ink there is."""
    faint = 255 - (255 - image.astype(np.float32)) * 0.3
    return np.pad(faint.astype(np.uint8), reach, constant_values=12)


@pytest.mark.parametrize("seed", SEEDS)
def test_faint_ink_beside_strong_edges_is_found_part_by_part(seed, written):
    page = written("3590182", seed, 60)
    reach = 260
    image = on_a_dark_table(page.image, reach)
    dark, light = find_local_inks(image)
    core = cv2.erode(page.ink, np.ones((3, 3), np.uint8)) > 200
    h, w = page.image.shape
    within = dark.mask[reach : reach + h, reach : reach + w] > 0
    assert dark.mask.shape == light.mask.shape == image.shape
    assert (within & core).sum() >= 0.95 * core.sum()
    assert (within & (page.ink == 0))[8:-8, 8:-8].mean() < 0.02


@pytest.mark.parametrize("seed", SEEDS)
def test_the_grain_of_a_dark_table_is_no_ink_part_by_part(seed, written):
    """In the dark a camera's noise is a large share of the light there is."""
    page = written("3590182", seed, 60)
    reach = 200
    image = np.pad(page.image.astype(np.float32), reach, constant_values=22)
    image += np.random.default_rng(seed).normal(0, 6, image.shape)
    dark, _ = find_local_inks(image.clip(0, 255).astype(np.uint8))
    h, w = page.image.shape
    core = cv2.erode(page.ink, np.ones((3, 3), np.uint8)) > 200
    within = dark.mask[reach : reach + h, reach : reach + w] > 0
    assert (within & core).sum() >= 0.9 * core.sum()
    dark.mask[reach - 16 : reach + h + 16, reach - 16 : reach + w + 16] = 0
    assert not dark.mask.any()


def test_both_polarities_are_looked_for_part_by_part(written):
    page = written("3590182", 1, 60)
    one, other = find_local_inks(page.image), find_local_inks(255 - page.image)
    assert overlap(one[0].mask > 0, other[1].mask > 0) > 0.95
    assert [ink.is_light for ink in one] == [False, True]


@pytest.mark.parametrize("light", [False, True])
def test_ink_is_known_for_dark_or_light_and_only_such_is_looked_for_where_that_is_asked(light, written):
    page = written("3590182", 1, 60)
    image = 255 - page.image if light else page.image
    (whole,) = find_inks(image)
    (found,) = find_local_inks(image, [light])
    assert whole.is_light is found.is_light is light
    assert np.array_equal(found.mask, find_local_inks(image)[light].mask)


@pytest.mark.parametrize("tone", [0, 128, 255])
@pytest.mark.parametrize("shape", [(3, 3), (12, 700), (40, 50)])
def test_blank_paper_has_no_ink_anywhere(tone, shape):
    assert not any(ink.mask.any() for ink in find_local_inks(np.full(shape, tone, np.uint8)))


def test_a_black_thing_beside_the_sheet_is_no_ink_and_hides_none(written):
    page = written("4071", 3)
    frame = np.full((720, 1280), 200, np.uint8)
    h, w = page.image.shape[:2]
    grey = page.image if page.image.ndim == 2 else cv2.cvtColor(page.image, cv2.COLOR_BGR2GRAY)
    pale = 200 - (grey.max() - grey) // 4
    frame[300 : 300 + h, 200 : 200 + w] = pale
    (alone,) = find_inks(frame)
    frame[60:130, 700:1000] = 5
    (beside,) = find_inks(frame)
    assert not beside.mask[40:150, 680:1020].any()
    row = np.s_[300 : 300 + h, 200 : 200 + w]
    both = np.count_nonzero(alone.mask[row] & beside.mask[row])
    assert both > 0.7 * np.count_nonzero(alone.mask[row] | beside.mask[row])
