"""A picture in, its rows out: by the model that is shipped, on rows of the stroke model's."""

import math
from pathlib import Path

import cv2
import numpy as np
import pytest

import edge
from tests.edge.pages import SEEDS, TEXTS, assert_valid, texts_of

SAMPLES = Path(edge.__file__).parent / "samples"


def share_right(readings):
    return np.mean([texts_of(rows) == [text] for rows, text in zip(readings, TEXTS, strict=True)])


def iou(one, other):
    x, y = max(one[0], other[0]), max(one[1], other[1])
    right, bottom = min(one[0] + one[2], other[0] + other[2]), min(one[1] + one[3], other[1] + other[3])
    shared = max(0, right - x) * max(0, bottom - y)
    return shared / (one[2] * one[3] + other[2] * other[3] - shared)


@pytest.fixture(scope="module")
def readings(reader, pages):
    """Each page's rows."""
    return [reader.read(page.image) for page in pages]


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
