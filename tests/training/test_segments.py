"""What segmenters hand over: pairs that touch, and parts with a verdict on whether they are the digit."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.segments import Pair, lines, part, touching


def bar(width=12, height=40):
    return np.pad(np.full((height, width), 255, np.uint8), 5)


def pair(overlap=0, join=None, width=30):
    """Two blocks side by side on 60x100, the right one `overlap` pixels into the left one, of `width` pixels."""
    left, right = np.zeros((60, 100), np.uint8), np.zeros((60, 100), np.uint8)
    left[10:50, 50 - width : 50] = 255
    right[10:50, 50 - overlap : 80 - overlap] = 255
    joined = np.zeros((60, 100), np.uint8) if join is None else join
    return Pair(left, right, joined, 50 - overlap / 2)


def kept_and_foreign(ink, own, other):
    """Of `own` how much is in the ink, and of the ink how much is not of `own`."""
    return (ink > 0)[own > 0].mean(), (ink > 0)[own == 0].sum() / max(1, (ink > 0).sum())


@given(st.integers(0, 10**6), st.integers(0, 20), st.sampled_from([5, 30]))
@settings(max_examples=200)
def test_a_part_called_the_digit_is_nearly_all_of_it_and_nothing_else(seed, overlap, width):
    shown = pair(min(overlap, width), width=width)
    ink, is_left, is_digit = part(shown, np.random.default_rng(seed))
    own, other = (shown.left, shown.right) if is_left else (shown.right, shown.left)
    kept, foreign = kept_and_foreign(ink, own, other)
    assert not (ink & ~shown.ink).any()
    if is_digit:
        assert kept > 0.9 and foreign < 0.15
    elif is_digit is False:
        assert kept < 0.75 or foreign > 0.3
    else:
        assert kept > 0.7 and foreign < 0.4 and (kept < 0.95 or foreign > 0.1)


def test_all_three_verdicts_are_given_and_both_sides_shown():
    verdicts, sides = [], []
    rng = np.random.default_rng(0)
    for _ in range(400):
        _, is_left, is_digit = part(pair(), rng)
        verdicts.append(is_digit)
        sides.append(is_left)
    assert {True, False, None} == set(verdicts) and 0.4 < np.mean(sides) < 0.6
    assert verdicts.count(True) > 40


def test_a_part_with_a_joining_stroke_on_it_is_not_called_the_digit():
    # A broad join makes up a third of either side.
    join = np.zeros((60, 100), np.uint8)
    join[0:60, 41:59] = 255
    rng = np.random.default_rng(0)
    for _ in range(200):
        ink, is_left, is_digit = part(pair(join=join), rng)
        if is_digit:
            own = pair().left if is_left else pair().right
            assert (ink > 0)[own == 0].sum() < 0.15 * (ink > 0).sum()


@given(st.integers(0, 10**6), st.integers(4, 40), st.integers(20, 60))
@settings(max_examples=200)
def test_neighbours_keep_all_their_ink_and_their_sides(seed, width, height):
    left, right = bar(width, height), bar(30, 44)
    made = touching(left, right, np.random.default_rng(seed))
    assert made.left.shape == made.right.shape == made.join.shape == made.ink.shape
    assert np.count_nonzero(made.left) == width * height and np.count_nonzero(made.right) == 30 * 44
    assert made.ink.dtype == np.uint8
    assert ((made.ink > 0) == ((made.left > 0) | (made.right > 0) | (made.join > 0))).all()
    (lx, _, lw, _), (rx, _, rw, _) = cv2.boundingRect(made.left), cv2.boundingRect(made.right)
    if lx == 0 and rx > 0:
        assert rx - (lx + lw) <= 0.13 * max(height, 44)
    assert rx + rw <= made.ink.shape[1]


def test_some_pairs_touch_some_overlap_and_some_are_joined():
    rng = np.random.default_rng(0)
    made = [touching(bar(), bar(), rng) for _ in range(200)]
    pieces = [cv2.connectedComponents(p.ink)[0] - 1 for p in made]
    assert 0.3 < np.mean(np.array(pieces) == 1) < 0.95
    assert 0.2 < np.mean([p.join.any() for p in made]) < 0.5
    assert any((p.left & p.right).any() for p in made) and not all((p.left & p.right).any() for p in made)


def test_lines_and_specks_are_ink_of_many_kinds():
    rng = np.random.default_rng(0)
    made = [lines(rng) for _ in range(60)]
    assert all(ink.shape == (40, 40) and ink.dtype == np.uint8 and ink.any() for ink in made)
    assert len({ink.tobytes() for ink in made}) > 50
    reach = [cv2.boundingRect(ink)[2] for ink in made]
    assert max(reach) == 40 and min(reach) < 38


@pytest.mark.parametrize("make", [lambda rng: lines(rng), lambda rng: part(pair(), rng)[0]])
def test_the_same_generator_gives_the_same(make):
    assert (make(np.random.default_rng(3)) == make(np.random.default_rng(3))).all()
