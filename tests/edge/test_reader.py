"""A picture in, its rows out: by the model that is shipped, on rows of the stroke model's."""

import math
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import edge
from edge import Reader
from edge.engine import EngineConfig
from edge.row import UNREADABLE
from training.synth.displays import Display
from training.synth.strokes import HandStyle, draw_hand

SAMPLES = Path(edge.__file__).parent / "samples"
SEEDS = range(20)
TEXTS = [("408", "1937", "26590", "384061", "71728395")[seed % 5] for seed in SEEDS]


@pytest.fixture(scope="module")
def reader():
    return Reader(engine=EngineConfig("cpu"))


@pytest.fixture(scope="module")
def pages(written):
    return [written(text, seed) for seed, text in zip(SEEDS, TEXTS, strict=True)]


@pytest.fixture(scope="module")
def readings(reader, pages):
    """Each page's rows."""
    return [reader.read(page.image) for page in pages]


def texts_of(rows):
    return [row.text for row in rows]


def share_right(readings):
    return np.mean([texts_of(rows) == [text] for rows, text in zip(readings, TEXTS, strict=True)])


def iou(one, other):
    x, y = max(one[0], other[0]), max(one[1], other[1])
    right, bottom = min(one[0] + one[2], other[0] + other[2]), min(one[1] + one[3], other[1] + other[3])
    shared = max(0, right - x) * max(0, bottom - y)
    return shared / (one[2] * one[3] + other[2] * other[3] - shared)


def assert_valid(rows, shape):
    height, width = shape[:2]
    for row in rows:
        assert row.text == "".join(digit.text for digit in row.digits)
        assert re.fullmatch(r"[0-9?]+", row.text) and set(row.text) != {UNREADABLE}
        assert 0 <= row.confidence <= 1
        for digit in row.digits:
            assert 0 <= digit.confidence <= 1
            assert (digit.confidence == 0) == (digit.text == UNREADABLE)
            x, y, w, h = digit.box
            assert all(type(value) is int for value in digit.box)
            assert x >= 0 and y >= 0 and w > 0 and h > 0 and x + w <= width and y + h <= height
        assert len(row.quad) == 4
        assert all(0 <= x <= width and 0 <= y <= height for x, y in row.quad)


def test_rows_on_clean_paper_are_read(readings, pages):
    assert share_right(readings) >= 0.9
    for rows, page in zip(readings, pages, strict=True):
        assert_valid(rows, page.image.shape)


def test_a_right_reading_is_a_sure_one(readings):
    sure = [rows[0].confidence for rows, text in zip(readings, TEXTS, strict=True) if texts_of(rows) == [text]]
    assert np.median(sure) > 0.7
    for rows in readings:
        for row in rows:
            assert row.confidence <= min(digit.confidence for digit in row.digits) + 1e-6


def test_light_on_dark_reads_as_dark_on_light(reader, readings, pages):
    inverted = [reader.read(255 - page.image) for page in pages]
    assert share_right(inverted) >= 0.9
    assert np.mean([texts_of(a) == texts_of(b) for a, b in zip(readings, inverted, strict=True)]) >= 0.9


def test_twice_the_size_reads_the_same(reader, readings, pages):
    def twice(image):
        return cv2.resize(image, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)

    larger = [reader.read(twice(page.image)) for page in pages]
    assert share_right(larger) >= 0.9
    for rows, large in zip(readings, larger, strict=True):
        if texts_of(rows) == texts_of(large):
            for one, two in zip(rows[0].digits, large[0].digits, strict=True):
                assert iou([2 * v for v in one.box], two.box) > 0.8


def test_grey_and_colour_read_the_same(reader, readings, pages):
    for rows, page in list(zip(readings, pages, strict=True))[:5]:
        assert reader.read(cv2.cvtColor(page.image, cv2.COLOR_GRAY2BGR)) == rows


def test_a_view_with_gaps_between_its_pixels_reads_as_a_copy(reader, pages):
    wide = np.repeat(pages[0].image, 2, axis=1)[:, ::2]
    assert not wide.flags.c_contiguous and reader.read(wide) == reader.read(pages[0].image)
    pages[0].image.flags.writeable = False
    try:
        before = pages[0].image.copy()
        reader.read(pages[0].image)
        assert (pages[0].image == before).all()
    finally:
        pages[0].image.flags.writeable = True


@pytest.mark.parametrize("height", [20, 30, 110, 300])
def test_digits_of_many_sizes_are_read(reader, written, height):
    right = [
        texts_of(reader.read(written(text, seed, height, margin=height // 2).image)) == [text]
        for seed, text in zip(SEEDS, TEXTS, strict=True)
        if seed % 2
    ]
    assert np.mean(right) >= 0.8


def test_boxes_lie_on_the_digits_and_quads_round_them(readings, pages):
    checked = 0
    for rows, page in zip(readings, pages, strict=True):
        if texts_of(rows) != [page.text]:
            continue
        (row,) = rows
        quad = np.array(row.quad, np.float32)
        for digit, truth in zip(row.digits, page.boxes.tolist(), strict=True):
            assert iou(digit.box, truth) > 0.5
            centre = (truth[0] + truth[2] / 2, truth[1] + truth[3] / 2)
            assert cv2.pointPolygonTest(quad, centre, True) > 0
            checked += 1
        x, y, w, h = cv2.boundingRect(page.ink)
        assert iou((x, y, w, h), cv2.boundingRect(quad)) > 0.85
        # Clockwise from the top left, as y goes down.
        assert cv2.contourArea(quad, oriented=True) > 0 and quad[0].sum() == quad.sum(1).min()
    assert checked > 60


@pytest.mark.parametrize("degrees", [-14, -7, 7, 14])
def test_a_sloping_row_is_read_with_boxes_on_its_digits_and_a_sloping_quad(reader, written, degrees):
    right = 0
    for seed in range(5):
        page = written("384061", seed, margin=130)
        h, w = page.image.shape
        turn = cv2.getRotationMatrix2D((w / 2, h / 2), -degrees, 1)
        image = cv2.warpAffine(page.image, turn, (w, h), borderValue=235)
        rows = reader.read(image)
        assert_valid(rows, image.shape)
        if texts_of(rows) != ["384061"]:
            continue
        right += 1
        for digit, (x, y, bw, bh) in zip(rows[0].digits, page.boxes.tolist(), strict=True):
            middle = turn @ (x + bw / 2, y + bh / 2, 1)
            box = np.array(digit.box)
            assert np.abs(box[:2] + box[2:] / 2 - middle).max() < 0.25 * bh
            assert cv2.pointPolygonTest(np.array(rows[0].quad, np.float32), tuple(middle.tolist()), False) > 0
        (ax, ay), (bx, by) = rows[0].quad[:2]
        assert np.degrees(np.arctan2(by - ay, bx - ax)) == pytest.approx(degrees, abs=4)
    assert right >= 4


def test_rows_of_a_sheet_come_top_to_bottom(reader, written):
    right = 0
    for seed in range(5):
        pages = [written(text, 3 * seed + i, margin=24) for i, text in enumerate(("38061", "27", "906143"))]
        width = max(page.image.shape[1] for page in pages)
        sheet = np.vstack(
            [np.pad(p.image, ((0, 0), (0, width - p.image.shape[1])), constant_values=235) for p in pages]
        )
        rows = reader.read(sheet)
        right += texts_of(rows) == [page.text for page in pages]
        middles = [np.mean([corner[1] for corner in row.quad]) for row in rows]
        assert middles == sorted(middles) and len(rows) == 3
    assert right >= 4


def test_a_ruled_line_through_a_row_is_not_read(reader, pages):
    right = 0
    for page in pages[:10]:
        image = page.image.copy()
        y = int(np.median(page.boxes[:, 1] + 0.4 * page.boxes[:, 3]))
        cv2.line(image, (0, y), (image.shape[1], y), 60, 2)
        right += texts_of(reader.read(image)) == [page.text]
    assert right >= 8


def test_uneven_light_reads_as_even_light(reader, pages):
    right = 0
    for page in pages[:10]:
        light = np.linspace(0.35, 1, page.image.shape[1])
        right += texts_of(reader.read((page.image * light).astype(np.uint8))) == [page.text]
    assert right >= 9


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((50, 50), np.uint16),
        np.zeros((50, 50), np.float32),
        np.zeros((50, 50), bool),
        np.zeros((50, 50, 4), np.uint8),
        np.zeros((50, 50, 1), np.uint8),
        np.zeros((2, 50, 50, 3), np.uint8),
        np.zeros(50, np.uint8),
        [[0, 255], [255, 0]],
        None,
    ],
    ids=lambda image: f"{getattr(image, 'dtype', type(image).__name__)}{getattr(image, 'shape', '')}",
)
def test_what_is_no_uint8_picture_is_a_value_error_that_says_so(reader, image):
    with pytest.raises(ValueError, match=r"^image: .* wanted, not ") as caught:
        reader.read(image)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("shape", [(0, 0), (1, 1), (11, 400), (400, 11), (3, 3, 3), (0, 40, 3)])
def test_a_picture_too_small_for_a_digit_has_no_rows(reader, shape):
    assert reader.read(np.full(shape, 200, np.uint8)) == []


@pytest.mark.parametrize("tone", [0, 7, 128, 255])
@pytest.mark.parametrize("shape", [(12, 12), (200, 300), (480, 640, 3), (12, 5000), (3000, 14)])
def test_a_blank_picture_has_no_rows(reader, tone, shape):
    assert reader.read(np.full(shape, tone, np.uint8)) == []


def test_noisy_paper_without_ink_has_no_rows(reader):
    rng = np.random.default_rng(0)
    assert reader.read(rng.normal(200, 2, (300, 400)).clip(0, 255).astype(np.uint8)) == []


class Counting:
    """A session that counts what it is asked to run."""

    def __init__(self, session):
        self.session, self.batches = session, []

    def run(self, outputs, inputs, *rest):
        self.batches.append(len(inputs["crops"]))
        return self.session.run(outputs, inputs, *rest)


def counted(reader):
    """What is asked of the reader's model of single digits from now on."""
    engine = reader.recogniser._engine
    engine._session = Counting(engine._session)
    return engine._session


def test_rows_that_the_row_model_is_sure_of_ask_no_other(pages):
    reader = Reader(engine=EngineConfig("cpu"))
    counting = counted(reader)
    unasked = []
    for page, text in zip(pages, TEXTS, strict=True):
        before = len(counting.batches)
        right = texts_of(reader.read(page.image)) == [text]
        unasked += [right] * (len(counting.batches) == before)
    assert len(unasked) > 5 and all(unasked)


def test_all_digits_of_a_picture_are_judged_in_one_call(pages, monkeypatch):
    for name in ("SURE", "SURE_AGAIN"):
        monkeypatch.setattr(f"edge.reader.{name}", 2.0)  # of a probability, which none reaches
    reader = Reader(engine=EngineConfig("cpu"))
    counting = counted(reader)
    width = max(page.image.shape[1] for page in pages[:4])
    sheet = np.vstack(
        [np.pad(p.image, ((0, 0), (0, width - p.image.shape[1])), constant_values=235) for p in pages[:4]]
    )
    rows = reader.read(sheet)
    assert len(rows) == 4
    assert len(counting.batches) == 1 and counting.batches[0] >= sum(len(row.text) for row in rows)
    reader.read(pages[5].image)
    assert len(counting.batches) == 2
    reader.read(np.full((100, 100), 255, np.uint8))
    assert len(counting.batches) == 2  # nothing to judge, nothing to run


def test_rows_that_two_looks_agree_on_ask_no_other(pages, monkeypatch):
    monkeypatch.setattr("edge.reader.SURE", 2.0)
    reader = Reader(engine=EngineConfig("cpu"))
    counting = counted(reader)
    rows = [reader.read(page.image) for page in pages]
    assert len(counting.batches) < len(pages) / 2
    assert sum(texts_of(row) == [text] for row, text in zip(rows, TEXTS, strict=True)) >= len(pages) - 1


def page_of(inks, height):
    """The inks in one row, on paper."""
    canvas = [np.zeros((height + 60, 14), np.uint8)]
    for ink in inks:
        below = (height + 60 - ink.shape[0]) // 2
        canvas += [np.pad(ink, ((height + 60 - ink.shape[0] - below, below), (7, 7)))]
    return np.round(235 - np.hstack([*canvas, canvas[0]]) * 0.8).astype(np.uint8)


# Of the four rows one is read whole; at two fifths of the ink all are.
PALE_FIRST = pytest.mark.xfail(
    reason="passes over digits as pale as that before a row", raises=AssertionError, strict=True
)


@pytest.mark.parametrize(
    ("end", "share"),
    [pytest.param("first", 0.25, marks=PALE_FIRST), ("first", 0.4), ("last", 0.25), ("last", 0.4)],
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


@st.composite
def doodles(draw):
    """Random strokes, blobs and noise on paper of any tone: uint8 [H, W] or [H, W, 3]."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    h, w = draw(st.integers(12, 220)), draw(st.integers(12, 320))
    image = np.full((h, w, 3), draw(st.integers(0, 255)), np.uint8)
    for _ in range(draw(st.integers(0, 25))):
        a, b = rng.integers(0, (w, h), (2, 2)).tolist()
        colour = rng.integers(0, 256, 3).tolist()
        if rng.random() < 0.7:
            cv2.line(image, a, b, colour, int(rng.integers(1, 9)))
        else:
            cv2.circle(image, a, int(rng.integers(1, 30)), colour, -1)
    noise = rng.normal(0, draw(st.sampled_from([0, 2, 30])), image.shape)
    image = (image + noise).clip(0, 255).astype(np.uint8)
    return image if draw(st.booleans()) else image[:, :, 0].copy()


small = arrays.arrays(np.uint8, st.tuples(st.integers(0, 16), st.integers(0, 16)))


@given(st.one_of(doodles(), small))
@example(np.indices((40, 60)).sum(0).astype(np.uint8) % 2 * 255)
@example(np.random.default_rng(0).integers(0, 256, (200, 300), np.uint8))
@settings(max_examples=120, deadline=None)
def test_any_picture_gives_valid_rows(reader, image):
    assert_valid(reader.read(image), image.shape)


def test_reading_twice_gives_the_same(reader, pages, readings):
    assert [reader.read(page.image) for page in pages[:3]] == readings[:3]


def test_pictures_read_together_give_what_each_gives_alone(reader):
    images = [cv2.imread(str(SAMPLES / name)) for name in ("two-rows.png", "photo.jpg", "four-digits.png")]
    images.insert(1, np.full((8, 200, 3), 255, np.uint8))  # too small for a digit
    together = reader.read_all(images)
    assert [[row.text for row in rows] for rows in together] == [["40718", "862935"], [], ["730518"], ["2749"]]
    for image, rows in zip(images, together, strict=True):
        for row, alone in zip(rows, reader.read(image), strict=True):
            assert row.confidence == pytest.approx(alone.confidence, abs=1e-3)
            assert row.quad == alone.quad


def test_a_rows_other_texts_are_told_where_asked_for_with_probabilities_that_fit_its_own(reader):
    image = cv2.GaussianBlur(cv2.imread(str(SAMPLES / "four-digits.png")), (0, 0), 6)
    (plain,) = reader.read(image)
    (row,) = reader.read(image, alternatives=4)
    assert plain.alternatives == () and row.text == plain.text
    texts = dict(row.alternatives)
    assert 2 <= len(texts) <= 5 and math.exp(texts[row.text]) == pytest.approx(row.confidence)
    likelihoods = [one for _, one in row.alternatives]
    assert likelihoods == sorted(likelihoods, reverse=True)
    assert sum(map(math.exp, likelihoods)) == pytest.approx(1, abs=1e-6)
