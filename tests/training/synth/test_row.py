"""A row keeps its digits apart, in order, and says where they are."""

from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.mnist import Mnist
from training.synth.row import INK, Layout, write_row
from training.synth.sources import MnistSource, StrokeSource
from training.synth.strokes import HandStyle

# Hands whose digits are each of one piece, for counting pieces.
WHOLE = StrokeSource(HandStyle(habit=(0, 0.004), jitter=(0, 0.003)))
TIGHT = Layout(clear=0.08, gap=(0, 0), gap_jitter=0.05)


class Blocks:
    """A writer whose digit n is a slanted bar 3 n + 6 pixels wide: geometry that can be counted."""

    def digit(self, label, rng):
        ink = np.zeros((60, 3 * label + 46), np.uint8)
        for y in range(60):
            ink[y, 40 - y * 2 // 3 : 46 + 3 * label - y * 2 // 3] = 255
        return ink


def pieces(row):
    """Which digit each pixel of ink is nearest to be of: the labels of connected ink."""
    return cv2.connectedComponents((row.ink > INK).astype(np.uint8), connectivity=8)


def nearest(ink_a, ink_b):
    """Smallest distance in pixels between two inks."""
    away = cv2.distanceTransform((~ink_a).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return float(away[ink_b].min())


@given(
    text=st.text("0123456789", min_size=2, max_size=8),
    seed=st.integers(0, 10_000),
    height=st.integers(30, 110),
    clear=st.floats(0.08, 0.3),
)
@settings(max_examples=40)
def test_neighbours_keep_clear_of_each_other_on_the_ink(text, seed, height, clear):
    rng = np.random.default_rng(seed)
    row = write_row(text, Blocks(), height, rng, Layout(clear=clear, gap=(0, 0), gap_jitter=0.05))
    count, labels = pieces(row)
    assert count - 1 == len(text)
    inks = [labels == label for label in range(1, count)]
    inks.sort(key=lambda ink: int(ink.any(0).argmax()))
    gaps = [nearest(a, b) for a, b in pairwise(inks)]
    assert min(gaps) >= clear * height
    # Without a gap the slanted bars lean over each other: gaps are of the ink, not of the boxes.
    assert min(gaps) <= (clear + 0.45) * height + 3


def test_slanted_digits_may_lean_over_each_other():
    row = write_row("1111", Blocks(), 60, np.random.default_rng(0), Layout(clear=0.08, gap=(0, 0), gap_jitter=0))
    assert any(a[0] + a[2] > b[0] for a, b in pairwise(row.boxes.tolist()))


@pytest.mark.parametrize("seed", range(12))
def test_a_row_of_one_piece_digits_has_as_many_pieces(seed):
    rng = np.random.default_rng(seed)
    text = "".join(map(str, rng.permutation([0, 1, 2, 3, 6, 7, 8, 9])))
    row = write_row(text, WHOLE.writer(rng), 50, rng, TIGHT)
    assert pieces(row)[0] - 1 == len(text)


@pytest.mark.parametrize("seed", range(12))
def test_boxes_hold_the_ink_of_their_digits_in_reading_order(seed):
    rng = np.random.default_rng(seed)
    text = "".join(map(str, rng.integers(0, 10, 7)))
    row = write_row(text, StrokeSource().writer(rng), 64, rng, TIGHT)
    assert row.text == text and row.boxes.shape == (7, 4) and row.boxes.dtype == np.int32
    rest = row.ink > INK
    for x, y, w, h in row.boxes.tolist():
        ink = row.ink[y : y + h, x : x + w] > INK
        assert ink[0].any() and ink[-1].any() and ink[:, 0].any() and ink[:, -1].any()
        rest[y : y + h, x : x + w] = False
    assert not rest.any()
    assert (np.diff(row.boxes[:, 0] + row.boxes[:, 2]) > 0).all()
    assert abs(np.median(row.boxes[:, 3]) - 64) < 10


def test_a_tier_to_come_can_make_digits_touch():
    class Squares:
        def digit(self, label, rng):
            return np.full((60, 40), 255, np.uint8)

    layout = Layout(clear=-0.1, gap=(0, 0), gap_jitter=0, baseline=0, drift=0, size=0)
    row = write_row("3333", Squares(), 60, np.random.default_rng(0), layout)
    assert pieces(row)[0] - 1 == 1
    assert row.ink.shape[1] < 160


def made_up_mnist():
    """Writer 7 writes 0 to 8 in ink 200, writer 8 only 9s in ink 250, writer 9 too few digits in ink 120."""
    labels = [*range(9), *[9] * 10, *range(5)]
    writers = [7] * 9 + [8] * 10 + [9] * 5
    images = np.zeros((24, 28, 28), np.uint8)
    for image, writer in zip(images, writers, strict=True):
        image[4:24, 10:18] = {7: 200, 8: 250, 9: 120}[writer]
    return Mnist(images, np.array(labels, np.uint8), np.array(writers, np.int32))


def test_an_mnist_row_is_of_one_writer_and_lends_only_what_is_missing():
    source = MnistSource(made_up_mnist(), contrast=(1, 1), size_jitter=0)
    rng = np.random.default_rng(0)
    lent = []
    for _ in range(40):
        writer = source.writer(rng)
        inks = [int(np.median(writer.digit(label, rng))) for label in range(10)]
        assert inks[5:] == [200] * 4 + [250]
        lent.append(120 in inks)
        assert 68 <= writer.digit(1, rng).shape[0] <= 80
    # Half the rows are writer 7's, who borrows nothing but a 9; the other half writer 8's, who borrows all else.
    assert 0.25 < np.mean(lent) < 0.75


def test_mnist_without_writers_or_without_a_digit():
    data = made_up_mnist()
    rng = np.random.default_rng(0)
    assert MnistSource(Mnist(data.images, data.labels, None)).writer(rng).digit(9, rng).size
    with pytest.raises(ValueError, match="missing"):
        MnistSource(data.take(data.labels != 4))
    with pytest.raises(ValueError, match="no writer"):
        MnistSource(data, least=11)
