"""Connected strokes, where they are, and their ink alone."""

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.imaging.components import cut_out, find_components, shape_of, union


@given(st.sets(st.tuples(st.integers(0, 5), st.integers(0, 3)), min_size=1, max_size=12), st.integers(0, 10**6))
@settings(max_examples=80)
def test_each_stroke_is_found_once_with_its_box(cells, seed):
    rng = np.random.default_rng(seed)
    mask = np.zeros((4 * 30, 6 * 30), np.uint8)
    truth = set()
    for column, line in cells:
        w, h = (int(v) for v in rng.integers(2, 28, 2))
        x, y = column * 30 + int(rng.integers(0, 29 - w)), line * 30 + int(rng.integers(0, 29 - h))
        mask[y : y + h, x : x + w] = 255
        truth.add((x, y, w, h))
    found = find_components(mask)
    assert {(c.x, c.y, c.w, c.h) for c in found} == truth and len(found) == len(truth)
    for c in found:
        assert (c.right, c.bottom) == (c.x + c.w, c.y + c.h)
        assert c.centre == (c.x + c.w / 2, c.y + c.h / 2)
        assert (shape_of([c]) == 255).all()
    x, y, w, h = union(found)
    assert (x, y, w, h) == cv2.boundingRect(mask)


def test_ink_that_meets_at_a_corner_is_one_stroke():
    mask = np.zeros((20, 20), np.uint8)
    mask[2:8, 2:8] = mask[8:14, 8:14] = 255
    assert [(c.x, c.y, c.w, c.h) for c in find_components(mask)] == [(2, 2, 12, 12)]


def test_what_is_smaller_than_asked_for_is_left_out():
    mask = np.zeros((30, 30), np.uint8)
    mask[3, 3] = 255
    mask[10:13, 10] = 255
    assert [(c.w, c.h) for c in find_components(mask)] == [(1, 3)]
    assert find_components(mask, least=4) == []
    assert len(find_components(mask, least=1)) == 2


def test_an_empty_mask_holds_no_strokes():
    assert find_components(np.zeros((12, 40), np.uint8)) == []


def test_a_digit_inside_a_forms_box_is_a_stroke_of_its_own(written):
    page = written("5", 2)
    mask = (page.ink > 127).astype(np.uint8) * 255
    h, w = mask.shape
    framed = cv2.rectangle(mask.copy(), (4, 4), (w - 5, h - 5), 255, 3)
    (digit,) = find_components(mask)
    found = sorted(find_components(framed), key=lambda c: c.w)
    assert [(c.x, c.y, c.w, c.h) for c in found[:-1]] == [(digit.x, digit.y, digit.w, digit.h)]
    assert found[-1].w > w - 12
    # What is cut out is the digit as if there were no box.
    assert (cut_out(framed, found[:1]) == cut_out(mask, [digit])).all()


def test_a_stroke_with_a_hole_is_cut_out_with_its_hole():
    mask = np.zeros((50, 40), np.uint8)
    cv2.ellipse(mask, (20, 25), (12, 18), 0, 0, 360, 255, 4)
    (ring,) = find_components(mask)
    assert (cut_out(mask, [ring]) == mask[ring.y : ring.bottom, ring.x : ring.right]).all()


def test_a_neighbour_that_reaches_into_the_box_is_left_out():
    mask = np.zeros((60, 60), np.uint8)
    cv2.line(mask, (10, 50), (30, 10), 255, 3)
    cv2.line(mask, (20, 50), (40, 10), 255, 3)
    left, right = sorted(find_components(mask), key=lambda c: c.x)
    assert left.right > right.x
    for one, other in ((left, right), (right, left)):
        alone = np.zeros_like(mask)
        alone[one.y : one.bottom, one.x : one.right] = cut_out(mask, [one])
        reaching = np.zeros_like(mask)
        reaching[other.y : other.bottom, other.x : other.right] = cut_out(mask, [other])
        assert not (alone & reaching).any()
        assert (cv2.connectedComponents(alone)[0], cv2.connectedComponents(reaching)[0]) == (2, 2)
    x, y, w, h = union([left, right])
    assert (cut_out(mask, [left, right]) == mask[y : y + h, x : x + w]).all()


def test_ink_is_cut_out_as_strong_as_it_is():
    strength = np.zeros((30, 30), np.uint8)
    strength[5:25, 8:12] = np.arange(60, 140).reshape(20, 4)
    strength[5:25, 20:24] = 255
    left, _ = sorted(find_components((strength > 0).astype(np.uint8)), key=lambda c: c.x)
    assert (cut_out(strength, [left]) == strength[5:25, 8:12]).all()


@given(st.integers(0, 10**6))
@settings(max_examples=60)
def test_all_strokes_together_are_the_whole_ink(seed):
    rng = np.random.default_rng(seed)
    mask = (cv2.GaussianBlur(rng.normal(0, 1, (60, 90)), (0, 0), 2.5) > 0.08).astype(np.uint8) * 255
    found = find_components(mask, least=1)
    count, _ = cv2.connectedComponents(mask, connectivity=8)
    assert len(found) == count - 1
    whole = np.zeros_like(mask)
    for c in found:
        here = whole[c.y : c.bottom, c.x : c.right]
        np.maximum(here, cut_out(mask, [c]), out=here)
    assert (whole == mask).all()
