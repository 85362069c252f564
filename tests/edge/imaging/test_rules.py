"""Ruled lines and form boxes go, the digits they run through stay."""

import cv2
import numpy as np
import pytest

from edge.imaging import rules
from edge.imaging.components import find_components
from edge.imaging.rules import remove_rules


def mask_of(page):
    return (page.ink > 127).astype(np.uint8) * 255


def cleaned(mask):
    """The mask as a reader goes on with it."""
    without = remove_rules(mask, find_components(mask))
    return mask if without is None else without


def share_that_stays(clean, digits, boxes):
    """Of the digits, how many keep nearly all their ink, in one piece that is as tall as before."""
    stay = []
    for x, y, w, h in boxes.tolist():
        before = digits[y : y + h, x : x + w]
        after = before & clean[y : y + h, x : x + w]
        tallest = max((c.h for c in find_components(after)), default=0)
        stay.append(np.count_nonzero(after) >= 0.85 * np.count_nonzero(before) and tallest >= 0.9 * h)
    return np.mean(stay)


def assert_paper_is_clean(clean, ruled, digits, of=1):
    """Next to no ink of the lines is left where `of` is not 0, but for right beside a digit."""
    paper = (cv2.dilate(digits, np.ones((9, 9), np.uint8)) == 0) & (np.asarray(of) > 0)
    assert np.count_nonzero(clean[paper]) <= 0.015 * np.count_nonzero(ruled[paper])


# Where a broad line runs along a digit's own flat stroke, the two cannot be told apart.
@pytest.mark.parametrize(("thick", "at_least"), [(1, 1.0), (2, 0.93), (3, 0.88)])
@pytest.mark.parametrize("at", [0.15, 0.45, 0.75])
def test_a_ruled_line_through_digits_goes_and_the_digits_stay(at, thick, at_least, written):
    stay = []
    for seed in range(8):
        page = written("3608941", seed)
        digits = mask_of(page)
        y = int(np.median(page.boxes[:, 1] + at * page.boxes[:, 3]))
        ruled = cv2.line(digits.copy(), (0, y), (digits.shape[1], y), 255, thick)
        clean = cleaned(ruled)
        assert_paper_is_clean(clean, ruled, digits)
        assert not (clean & ~ruled).any()
        stay.append(share_that_stays(clean, digits, page.boxes))
    assert np.mean(stay) >= at_least


@pytest.mark.parametrize("seed", range(3))
def test_an_underline_goes_and_the_digits_stay_apart(seed, written):
    page = written("3608941", seed)
    digits = mask_of(page)
    foot = int((page.boxes[:, 1] + page.boxes[:, 3]).max()) - 3
    ruled = cv2.line(digits.copy(), (10, foot), (digits.shape[1] - 10, foot), 255, 2)
    clean = cleaned(ruled)
    tall = [c for c in find_components(clean) if c.h > 30]
    assert len(tall) == len(page.text)
    assert share_that_stays(clean, digits, page.boxes) == 1


@pytest.mark.parametrize("slope", [-0.02, 0.02])
def test_a_line_that_slopes_a_little_goes_too(slope, written):
    page = written("3608941", 1)
    digits = mask_of(page)
    h, w = digits.shape
    ruled = cv2.line(digits.copy(), (0, int(h / 2 - slope * w / 2)), (w, int(h / 2 + slope * w / 2)), 255, 2)
    clean = cleaned(ruled)
    paper = cv2.dilate(digits, np.ones((9, 9), np.uint8)) == 0
    assert (clean[paper] > 0).sum() <= 0.1 * (ruled[paper] > 0).sum()
    assert share_that_stays(clean, digits, page.boxes) >= 0.8


@pytest.mark.parametrize("seed", range(3))
def test_the_lines_across_squared_paper_go_and_the_digits_stay(seed, written):
    page = written("3608941", seed)
    digits = mask_of(page)
    ruled = digits.copy()
    ruled[13::36] = 255
    ruled[:, 13::36] = 255
    clean = cleaned(ruled)
    # Upright lines are short in a flat picture, where they may be 1s: at least what lies across goes.
    across = np.zeros_like(digits)
    across[13::36] = 255
    across[:, 13::36] = 0
    assert_paper_is_clean(clean, ruled, digits, of=across)
    assert share_that_stays(clean, digits, page.boxes) >= 0.8


def test_upright_lines_go_from_a_tall_picture(written):
    page = written("3608941", 2, margin=250)
    digits = mask_of(page)
    ruled = digits.copy()
    for x in range(60, ruled.shape[1], 110):
        cv2.line(ruled, (x, 0), (x, ruled.shape[0]), 255, 2)
    clean = cleaned(ruled)
    assert_paper_is_clean(clean, ruled, digits)
    assert share_that_stays(clean, digits, page.boxes) >= 0.8


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("text", ["3608941", "27", "57", "4444"])
def test_a_picture_without_lines_costs_nothing(seed, text, written):
    mask = mask_of(written(text, seed, margin=60))
    assert remove_rules(mask, find_components(mask)) is None


@pytest.mark.parametrize("count", [1, 2, 5, 9])
@pytest.mark.parametrize("margin", [3, 12, 40])
def test_a_row_of_plain_ones_is_no_line(count, margin):
    mask = np.zeros((60 + 2 * margin, 34 * count + 2 * margin), np.uint8)
    for i in range(count):
        x = margin + 34 * i + 14
        cv2.line(mask, (x + 4, margin), (x, margin + 60), 255, 7)
    assert (cleaned(mask) == mask).all()


@pytest.mark.parametrize("seed", range(4))
def test_the_flat_strokes_of_digits_are_no_lines(seed, written):
    # The foot of a 2, the head of a 5 and of a 7 lie on one height, but with gaps between.
    mask = mask_of(written("7775772", seed, margin=6))
    assert (cleaned(mask) == mask).all()


def test_a_page_of_nothing_but_lines_ends_up_empty():
    mask = np.zeros((300, 400), np.uint8)
    mask[40::50] = mask[41::50] = 255
    assert not cleaned(mask).any()
    assert remove_rules(np.zeros((40, 60), np.uint8), []) is None


@pytest.mark.parametrize("slope", [-0.2, -0.08, 0.03, 0.14])
@pytest.mark.parametrize("squared", [False, True])
def test_ruled_and_squared_paper_may_be_turned(slope, squared, written):
    stay = []
    for seed in range(6):
        page = written("3608941", seed, height=50, margin=150)
        digits = mask_of(page)
        h, w = digits.shape
        ruled = digits.copy()
        for at in range(-w, w + h, 40):
            cv2.line(ruled, (0, at), (w, round(at + slope * w)), 255, 2)
            if squared:
                cv2.line(ruled, (at, 0), (round(at - slope * h), h), 255, 2)
        clean = cleaned(ruled)
        assert not (clean & ~ruled).any()
        paper = cv2.dilate(digits, np.ones((9, 9), np.uint8)) == 0
        assert np.count_nonzero(clean[paper]) <= 0.1 * np.count_nonzero(ruled[paper])
        stay.append(share_that_stays(clean, digits, page.boxes))
    assert np.mean(stay) >= (0.7 if squared else 0.8)


def test_tall_ones_side_by_side_are_no_squared_paper():
    mask = np.zeros((720, 1280), np.uint8)
    for x in range(200, 1000, 120):
        cv2.line(mask, (x, 200), (x - 10, 480), 255, 9)
    assert (cleaned(mask) == mask).all()


def test_only_where_lines_are_is_anything_taken_away(written):
    page = written("360", 1)
    digits = mask_of(page)
    height, width = digits.shape
    beside = np.zeros((height, 3 * width), np.uint8)
    beside[:, :width] = digits
    ruled = cv2.line(beside.copy(), (width + 20, 30), (3 * width - 1, 30), 255, 2)
    clean = cleaned(ruled)
    assert (clean[:, : width + 10] == beside[:, : width + 10]).all()
    assert not clean[:, width + 40 :].any()


@pytest.mark.parametrize("slope", [-0.3, -0.05, 0.02, 0.2])
def test_a_mask_is_moved_back_pixel_for_pixel(slope):
    mask = np.random.default_rng(0).integers(0, 2, (40, 90), np.uint8) * 255
    up = np.round(slope * np.arange(90)).astype(int)
    up -= up.min()
    most = int(up.max())
    level = rules._moved(mask, up - most, 40 + most)
    assert level.sum() == mask.sum()
    assert (rules._moved(level, most - up, 40) == mask).all()
