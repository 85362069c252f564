"""Strips are what the box cuts out: of its height, with a text that CTC can spell, the same for the same seed."""

from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from edge.imaging.strip import HEIGHT
from training.hands import Hands
from training.mnist import Mnist
from training.synth import banks
from training.synth.strips import Bank, make_strip, written


@pytest.fixture(scope="module")
def bank():
    rng = np.random.default_rng(0)
    return Bank(((1.0, banks.of_strokes(6, rng)), (1.0, [])), banks.of_marks(2, rng))


def test_a_seed_gives_the_same_strip_and_another_does_not(bank):
    def made(seed):
        strip, text = make_strip(bank, np.random.default_rng(seed))
        return strip.tobytes(), text

    assert made(3) == made(3) and made(3) != made(4)


def test_strips_are_of_the_boxes_height_and_hold_ink(bank):
    texts, inked = set(), 0
    for seed in range(150):
        strip, text = make_strip(bank, np.random.default_rng(seed))
        assert strip.dtype == np.uint8 and strip.shape[0] == HEIGHT and strip.shape[1] % 4 == 0
        assert text == "" or (text.isdigit() and len(text) <= 14)
        texts.add(text)
        inked += strip.max() > 200
    assert len(texts) > 100 and "" in texts and inked > 130


@pytest.mark.parametrize("text", ["7", "407", "11111", "00000000"])
def test_a_line_is_as_wide_as_its_digits_want_and_its_middle_is_theirs(text, bank):
    for seed in range(20):
        line = written(text, bank, np.random.default_rng(seed))
        h, w = line.ink.shape
        assert 0 <= line.left < line.right <= w and 0 <= line.middle <= h
        assert 0.5 * banks.HEIGHT <= line.height <= 1.7 * banks.HEIGHT
        assert line.right - line.left >= 2 * len(text)


def test_banks_hand_out_each_writers_own_digits():
    rng = np.random.default_rng(0)
    images = np.zeros((40, 28, 28), np.uint8)
    for i, image in enumerate(images):
        image[4:24, 8 : 10 + i % 10] = 60 + i if i < 20 else 160 + i
    data = Mnist(images, np.tile(np.arange(10, dtype=np.uint8), 4), np.repeat([3, 9], 20).astype(np.int32))
    one, other = banks.of_mnist(data)
    assert [len(ways) for ways in one.digits] == [2] * 10
    assert {glyph.ink.max() for ways in one.digits for glyph in ways} <= set(range(50, 110))
    assert {glyph.ink.max() for ways in other.digits for glyph in ways} <= set(range(150, 256))
    inks = tuple(rng.integers(100, 255, (48, 20 + i), np.uint8) for i in range(10))
    (style,) = banks.of_hands([Hands("swiss", "public domain", "", inks, np.arange(10))])
    assert all(abs(ways[0].ink.shape[0] - banks.HEIGHT) <= 2 for ways in style.digits)


def test_fonts_without_ten_different_digits_are_left_out(tmp_path):
    font_file = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    (tmp_path / "good.ttf").write_bytes(font_file.read_bytes())
    (tmp_path / "broken.ttf").write_bytes(font_file.read_bytes()[:500])
    (tmp_path / "no font.otf").write_bytes(b"")
    (style,) = banks.of_fonts([tmp_path])
    assert style.printed and len(style.digits) == 10
    font = ImageFont.truetype(str(tmp_path / "good.ttf"), 40)
    picture = Image.new("L", (60, 60))
    ImageDraw.Draw(picture).text((5, 5), "8", fill=255, font=font)
    x0, y0, x1, y1 = picture.getbbox()
    h, w = style.digits[8][0].ink.shape
    assert w / h == pytest.approx((x1 - x0) / (y1 - y0), abs=0.1)
