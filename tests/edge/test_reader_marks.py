"""What else there may be in a picture: ruled lines, shade, pale ink, segments, letters and dashes."""

import cv2
import numpy as np
import pytest

from edge.row import UNREADABLE
from tests.edge.pages import texts_of
from training.synth.displays import Display
from training.synth.strokes import HandStyle, draw_hand


def test_a_ruled_line_through_a_row_is_not_read(reader, pages):
    right = 0
    for page in pages[:10]:
        image = page.image.copy()
        y = int(np.median(page.boxes[:, 1] + 0.4 * page.boxes[:, 3]))
        cv2.line(image, (0, y), (image.shape[1], y), 60, 2)
        right += texts_of(reader.read(image)) == [page.text]
    assert right >= 8


@pytest.mark.parametrize(("apart", "broad", "grey"), [(16, 5, 110), (20, 6, 120), (24, 8, 120)])
def test_squared_paper_close_by_is_not_taken_for_noise(apart, broad, grey, reader, written):
    """Its rules cover up to more than half of the picture, and are half as dark as the digits."""

    def squared(image):
        down, right = np.indices(image.shape)
        rules = np.where((right % apart < broad) | (down % apart < broad), grey, 235)
        return cv2.GaussianBlur(np.minimum(image, rules).astype(np.uint8), (0, 0), 1)

    pages = [written("307041", seed, 50) for seed in range(8)]
    assert sum(texts_of(reader.read(squared(page.image))) == ["307041"] for page in pages) >= 6
    assert reader.read(squared(np.full((134, 327), 235))) == []


def test_uneven_light_reads_as_even_light(reader, pages):
    right = 0
    for page in pages[:10]:
        light = np.linspace(0.35, 1, page.image.shape[1])
        right += texts_of(reader.read((page.image * light).astype(np.uint8))) == [page.text]
    assert right >= 9


def page_of(inks, height):
    """The inks in one row, on paper."""
    canvas = [np.zeros((height + 60, 14), np.uint8)]
    for ink in inks:
        below = (height + 60 - ink.shape[0]) // 2
        canvas += [np.pad(ink, ((height + 60 - ink.shape[0] - below, below), (7, 7)))]
    return np.round(235 - np.hstack([*canvas, canvas[0]]) * 0.8).astype(np.uint8)


@pytest.mark.parametrize(
    ("end", "share"),
    [("first", 0.25), ("first", 0.4), ("last", 0.25), ("last", 0.4)],
)
def test_a_row_is_followed_where_its_ink_turns_pale(reader, share, end):
    """Digits of ink too pale to be told from paper are seen beside the others; no part is taken for the whole."""
    good = 0
    for seed in range(4):
        rng = np.random.default_rng(seed)
        hand = draw_hand(rng, HandStyle(height=64, pen=(0.08, 0.1), habit=(0, 0.004), jitter=(0, 0.003)))
        inks = [hand.digit(int(label), rng) for label in "40718623"]
        pale = slice(0, 3) if end == "first" else slice(-3, None)
        inks[pale] = [np.round(ink * share).astype(np.uint8) for ink in inks[pale]]
        rows = reader.read(page_of(inks, 70))
        good += texts_of(rows) == ["40718623"]
        assert all(len(row.text) == len(row.digits) for row in rows)
    assert good >= 3


@pytest.mark.parametrize("lit", [False, True])
def test_a_display_of_seven_segments_is_read_whole(reader, lit):
    display = Display(height=90, width=0.55, breadth=0.12, gap=0.015, slant=0.08)
    texts = ("2048", "13579", "66830")
    pages = [page_of([display.digit(int(label), np.random.default_rng(0)) for label in text], 90) for text in texts]
    readings = [texts_of(reader.read(255 - page if lit else page)) for page in pages]
    assert readings == [[text] for text in texts]


def test_letters_come_out_as_question_marks_or_not_at_all(reader):
    letters = "AEFHKMNRW"
    as_digits = asked = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        hand = draw_hand(rng, HandStyle(height=64, pen=(0.07, 0.1)))
        rows = reader.read(page_of([hand.mark(letters[i], rng) for i in rng.permutation(len(letters))[:6]], 70))
        as_digits += sum(text.isdigit() for row in rows for text in row.text)
        asked += 6
    assert as_digits <= 0.1 * asked


def test_a_letter_among_digits_is_a_question_mark_in_its_place(reader):
    good = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        hand = draw_hand(rng, HandStyle(height=64, pen=(0.07, 0.1), habit=(0, 0.004), jitter=(0, 0.003)))
        inks = [hand.digit(3, rng), hand.digit(8, rng), hand.mark("AEKMR"[seed % 5], rng), hand.digit(6, rng)]
        rows = reader.read(page_of(inks, 70))
        good += texts_of(rows) == ["38?6"]
        assert all(row.confidence == 0 for row in rows if UNREADABLE in row.text)
    assert good >= 9


def test_dots_dashes_and_commas_between_digits_are_left_out(reader):
    good = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        hand = draw_hand(rng, HandStyle(height=64, pen=(0.07, 0.1), habit=(0, 0.004), jitter=(0, 0.003)))
        inks = [np.pad(hand.digit(d, rng), ((0, 0), (0, 0))) for d in (3, 8)]
        dash = np.zeros((64, 30), np.uint8)
        dash[30:36] = 255
        good += texts_of(reader.read(page_of([inks[0], dash, inks[1]], 70))) == ["38"]
    assert good >= 8


@pytest.mark.parametrize("text", ["48261053", "57309482"])
def test_a_row_whose_middle_is_too_pale_to_be_found_is_one_row(text, reader, written):
    """Its ends are found, each as a row of its own, and both are read on into the middle."""
    told = []
    for seed in range(20):
        page = written(text, seed, 50)
        for left in (0.14, 0.2):
            image = page.image.astype(np.float32)
            for x, _, w, _ in page.boxes[2:5].tolist():
                image[:, x - 2 : x + w + 2] = 235 - (235 - image[:, x - 2 : x + w + 2]) * left
            told.append(texts_of(reader.read(image.clip(0, 255).astype(np.uint8))))
    assert sum(len(texts) == 1 for texts in told) >= 39
    assert told.count([text]) >= 35


@pytest.mark.parametrize(("text", "pale"), [("481053", (3,)), ("48605293", (2, 5))])
@pytest.mark.parametrize("apart", [25, 45])
@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_digits_set_apart_are_one_row_though_some_between_are_too_pale_to_be_found(
    apart, seed, text, pale, reader, written
):
    """As wheels of a meter: further apart than a row is looked at beyond its ends."""
    page = written(text, seed, 50)
    wide = page.boxes[:, 2].max() + apart
    image = np.full((page.image.shape[0], 120 + len(page.boxes) * wide), 235, np.float32)
    for i, (x, _, w, _) in enumerate(page.boxes.tolist()):
        digit = 235 - page.image[:, x - 2 : x + w + 2].astype(np.float32)
        image[:, 60 + i * wide : 64 + i * wide + w] -= digit * (0.14 if i in pale else 1)
    assert texts_of(reader.read(image.clip(0, 255).astype(np.uint8))) == [text]


@pytest.mark.parametrize("text", ["481053", "48605293"])
@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_a_last_digit_that_is_too_pale_to_be_found_is_not_lost(text, seed, reader, written):
    """As of a pen that runs dry, or a meter's window in shade: the rest of the row is sure without it."""
    page = written(text, seed, 50)
    wide = page.boxes[:, 2].max() + 45
    image = np.full((page.image.shape[0], 120 + len(page.boxes) * wide), 235, np.float32)
    for i, (x, _, w, _) in enumerate(page.boxes.tolist()):
        digit = 235 - page.image[:, x - 2 : x + w + 2].astype(np.float32)
        image[:, 60 + i * wide : 64 + i * wide + w] -= digit * (0.32 if i == len(text) - 1 else 1)
    assert texts_of(reader.read(image.clip(0, 255).astype(np.uint8))) == [text]


def test_numbers_side_by_side_stay_two(reader, written):
    """With room for a digit between them that is not there."""
    left, right = (written(text, 3, 50).image for text in ("481", "053"))
    high = max(left.shape[0], right.shape[0])
    image = np.hstack([np.pad(one, ((0, high - one.shape[0]), (0, 0)), constant_values=235) for one in (left, right)])
    assert sorted(texts_of(reader.read(image))) == ["053", "481"]


@pytest.mark.parametrize("lower", [24, 27, 30])
def test_a_row_that_steps_down_by_half_of_its_height_is_one_row(lower, reader, written):
    page = written("411788", 52, 50)
    image = np.pad(page.image, ((60, 60), (0, 0)), constant_values=235)
    x = page.boxes[3, 0] - 4
    image = np.hstack([image[:, :x], np.full((len(image), 4), 235, np.uint8), np.roll(image[:, x:], lower, axis=0)])
    assert texts_of(reader.read(image)) == ["411788"]


def test_a_row_whose_parts_are_each_read_on_into_the_other_is_told_once(reader, written):
    """As where it steps down so far that its halves are found as two rows."""
    once = []
    for seed in range(85, 100):
        page = written("411788", seed, 50)
        image = np.pad(page.image, ((60, 60), (0, 0)), constant_values=235)
        x = page.boxes[3, 0] - 2
        for lower in (27, 30):
            stepped = np.hstack([image[:, :x], np.roll(image[:, x:], lower, axis=0)])
            told = texts_of(reader.read(stepped))
            once.append(sum(map(len, told)) <= 6)
    assert all(once)


@pytest.mark.parametrize("seed", [0, 1, 2, 4])
def test_two_rows_of_the_same_digits_close_by_are_both_told(seed, reader, written):
    page = written("411788", seed, 50, margin=10)
    below = np.vstack([page.image[:-8], page.image[8:]])
    assert texts_of(reader.read(below)) == ["411788", "411788"]


@pytest.mark.parametrize("seed", [1, 2, 4, 6])
def test_a_row_that_is_found_beside_stronger_ink_only_is_less_sure(seed, reader, written):
    """What has the whole picture looked through again may be ink of another kind that is part of the row, too."""
    image = 235 - (235 - written("481053", seed, 50).image.astype(np.float32)) * 0.15
    (alone,) = reader.read(image.astype(np.uint8))
    bars = np.full((120, image.shape[1]), 235, np.float32)
    bars[20:100, 40:-40] = np.where(np.arange(image.shape[1] - 80) % 3 < 2, 5, 235)
    row = max(reader.read(np.vstack([image, bars]).astype(np.uint8)), key=lambda row: row.confidence)
    assert alone.text == row.text == "481053"
    assert alone.confidence > 0.9 and 0.7 < row.confidence < 0.9
    assert np.prod([digit.confidence for digit in row.digits]) == pytest.approx(row.confidence, rel=1e-3)


@pytest.mark.parametrize("digit", "0123456789")
def test_a_digit_that_stands_alone_is_not_read_by_its_parts(digit, reader, written):
    """Looked through again it is found as two ones, or the paper in it as a nought."""
    told = [texts_of(reader.read(written(digit, seed, 64, 60).image)) for seed in range(12)]
    assert sum(rows == [digit] for rows in told) >= (8 if digit == "1" else 12)  # some ones pass for a scratch: []
    assert all(rows in ([digit], []) for rows in told)


@pytest.mark.parametrize("text", ["47", "472"])
def test_a_number_in_a_ring_is_read(text, reader, written):
    for seed in range(6):
        page = written(text, seed, 40, 90)
        near, far = page.boxes[:, :2].min(0), (page.boxes[:, :2] + page.boxes[:, 2:]).max(0)
        image, middle = page.image.copy(), ((near + far) // 2).tolist()
        cv2.ellipse(image, middle, ((far - near) // 2 + [22, 30]).tolist(), 0, 0, 360, 50, 3, cv2.LINE_AA)
        assert text in texts_of(reader.read(image))
