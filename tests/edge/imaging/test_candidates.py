"""Cuts part a stroke's ink, candidates cover all of a row's strokes, and a whole stroke is always one of them."""

from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.imaging.candidates import LOWEST, find_candidates
from edge.imaging.components import cut_out, find_components, union
from edge.imaging.cuts import cut, slant_of


def scrawl(seed, w=150, h=60):
    """uint8 [h, w]: connected ink, wide and tangled."""
    rng = np.random.default_rng(seed)
    ink = np.zeros((h, w), np.uint8)
    points = np.column_stack([np.linspace(4, w - 5, 14) + rng.normal(0, 9, 14), rng.uniform(3, h - 4, 14)])
    cv2.polylines(ink, [points.astype(np.int32)], False, 255, int(rng.integers(2, 7)))
    return ink


def placed(piece, strength):
    """The piece's ink where it lies: uint8, as large as the picture."""
    whole = np.zeros_like(strength)
    whole[piece.y : piece.bottom, piece.x : piece.right] = cut_out(strength, [piece])
    return whole


@given(seed=st.integers(0, 10**6), slant=st.floats(-0.7, 0.7), height=st.floats(20, 80), w=st.integers(20, 260))
@settings(max_examples=120)
def test_pieces_part_a_strokes_ink_without_loss_or_overlap(seed, slant, height, w):
    strength = scrawl(seed, w)
    stroke = max(find_components(strength), key=lambda c: c.w)
    pieces = cut(stroke, strength, height, slant)
    assert pieces
    total = np.sum([placed(piece, strength) > 0 for piece in pieces], axis=0)
    assert total.max() == 1
    assert ((total > 0) == (placed(stroke, strength) > 0)).all()
    for piece in pieces:
        assert (piece.x, piece.y, piece.w, piece.h) == cv2.boundingRect(placed(piece, strength))


@given(seed=st.integers(0, 10**6), height=st.floats(20, 80))
@settings(max_examples=60)
def test_pieces_come_left_to_right(seed, height):
    strength = scrawl(seed)
    stroke = max(find_components(strength), key=lambda c: c.w)
    centres = [np.nonzero(placed(piece, strength))[1].mean() for piece in cut(stroke, strength, height, 0.0)]
    assert centres == sorted(centres)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("text", ["1", "0", "4", "8"])
def test_a_single_digit_of_the_rows_height_is_cut_in_few_places_if_at_all(seed, text, written):
    page = written(text, seed)
    (stroke,) = find_components((page.ink > 127).astype(np.uint8) * 255)
    pieces = cut(stroke, page.ink, stroke.h, 0.0)
    assert len(pieces) <= (1 if text == "1" else 4)


@pytest.mark.parametrize("seed", range(8))
def test_two_digits_joined_by_a_thin_stroke_can_be_parted_there(seed, written):
    page = written("30", seed)
    (ax, _, aw, _), (bx, _, _, _) = page.boxes.tolist()
    ink = page.ink.copy()
    middle = ink.shape[0] // 2
    cv2.line(ink, (ax + aw // 2, middle), (bx + 3, middle), 255, 2)
    joined = [c for c in find_components((ink > 127).astype(np.uint8) * 255) if c.h > 20]
    assert len(joined) == 1
    height = float(page.boxes[:, 3].max())
    pieces = cut(joined[0], ink, height, slant_of(joined))
    parting = [node for node in range(1, len(pieces)) if abs(union(pieces[:node])[2] + joined[0].x - bx) < 0.2 * height]
    assert parting


@pytest.mark.parametrize("slant", [-0.4, 0.0, 0.3, 0.6])
def test_slant_is_the_lean_of_the_writing_to_the_right(slant):
    mask = np.zeros((80, 300), np.uint8)
    for x in (60, 130, 200):
        cv2.line(mask, (round(x + 25 * slant), 15), (round(x - 25 * slant), 65), 255, 5)
    assert slant_of(find_components(mask)) == pytest.approx(slant, abs=0.04)


def test_slant_without_upright_strokes_is_none():
    mask = np.zeros((40, 200), np.uint8)
    mask[20:24, 10:90] = 255
    assert slant_of(find_components(mask)) == 0.0
    assert slant_of([]) == 0.0


@st.composite
def rows(draw):
    """(strokes, each as its pieces; height): a row of scrawls of many widths, some of them cut."""
    height = 50.0
    widths = draw(st.lists(st.integers(8, 160), min_size=1, max_size=5))
    picture = np.zeros((70, sum(widths) + 12 * len(widths) + 10), np.uint8)
    x = 5
    for width in widths:
        picture[5:65, x : x + width] = scrawl(draw(st.integers(0, 10**6)), max(width, 12))[:, :width]
        x += width + draw(st.integers(1, 12))
    strokes = sorted(find_components(picture), key=lambda c: c.centre[0])
    return [cut(stroke, picture, height, draw(st.sampled_from([0.0, 0.3]))) for stroke in strokes], height


@given(rows())
@settings(max_examples=80)
def test_every_way_through_the_lattice_covers_all_pieces_once(row):
    strokes, height = row
    pieces = [piece for stroke in strokes for piece in stroke]
    candidates = find_candidates(strokes, height)
    for candidate in candidates:
        assert 0 <= candidate.start < candidate.end <= len(pieces)
        # As every edge holds the very pieces between its nodes, so does every path from first to last.
        assert candidate.pieces == tuple(pieces[candidate.start : candidate.end])
        assert candidate.box == union(candidate.pieces)
    spans = [(c.start, c.end) for c in candidates]
    assert len(set(spans)) == len(spans)
    # A piece too low for a digit is of use in a larger one alone, or as a stroke to be left out.
    assert {(i, i + 1) for i, piece in enumerate(pieces) if piece.h >= LOWEST * height} <= set(spans)
    assert all(candidate.whole or not candidate.is_low(height) for candidate in candidates)


@given(rows())
@settings(max_examples=80)
def test_each_whole_stroke_is_a_candidate_and_known_as_one(row):
    strokes, height = row
    ends = np.cumsum([0, *(len(stroke) for stroke in strokes)]).tolist()
    whole = {(c.start, c.end): c for c in find_candidates(strokes, height) if c.whole}
    assert set(whole) == set(pairwise(ends))
    for candidate in find_candidates(strokes, height):
        assert candidate.cut_ends == (candidate.start not in ends) + (candidate.end not in ends)


def test_a_five_in_two_strokes_is_joined_and_two_far_digits_are_not():
    mask = np.zeros((80, 240), np.uint8)
    cv2.polylines(mask, [np.array([[20, 15], [20, 38], [45, 45], [40, 65], [15, 65]])], False, 255, 4)  # body
    cv2.line(mask, (27, 10), (48, 10), 255, 4)  # roof
    cv2.line(mask, (200, 10), (200, 65), 255, 4)
    strokes = sorted(find_components(mask), key=lambda c: c.centre[0])
    assert len(strokes) == 3
    spans = {(c.start, c.end) for c in find_candidates([[stroke] for stroke in strokes], 58.0)}
    assert (0, 2) in spans
    assert not spans & {(0, 3), (1, 3)}
    assert find_candidates([], 50.0) == []


def test_two_thin_strokes_with_a_gap_between_are_not_one_digit():
    mask = np.zeros((80, 100), np.uint8)
    mask[10:70, 20:26] = mask[10:70, 45:51] = 255
    strokes = sorted(find_components(mask), key=lambda c: c.centre[0])
    assert {(c.start, c.end) for c in find_candidates([[stroke] for stroke in strokes], 60.0)} == {(0, 1), (1, 2)}
