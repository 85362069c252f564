"""Counters to learn from: fields that say what stands behind their windows and where, in ink darker than its paper."""

import cv2
import numpy as np
import pytest

from training.synth import banks, counters
from training.synth.counters import Counters
from training.synth.field import Field
from training.synth.meter import MeterSource


def wheels(face: int, ink: int) -> MeterSource:
    """Eighty wheels whose digits are bars, the higher the broader."""
    labels = np.arange(80) % 10
    images = np.full((80, 40, 40), face, np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[8:32, 12 : 14 + label] = ink
    return MeterSource(images, labels)


@pytest.fixture(scope="module")
def font() -> banks.Style:
    """Digits of blocks: a bar, and beside it as many notches as the digit says."""
    glyphs = []
    for label in range(10):
        ink = np.zeros((40, 30), np.uint8)
        ink[:, :6] = 255
        for notch in range(label):
            ink[4 * notch : 4 * notch + 2] = 255
        glyphs.append((banks.Glyph(ink),))
    return banks.Style(tuple(glyphs), printed=True)


@pytest.fixture(autouse=True)
def right_polarity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counters, "_WRONG", 0.0)


def fields(source: Counters, count: int = 60) -> list[Field]:
    return [source.field(np.random.default_rng(seed)) for seed in range(count)]


def test_a_field_says_what_it_shows_and_where_and_a_seed_draws_it_again(font: banks.Style) -> None:
    source = Counters(wheels(200, 40), [font])
    for seed, field in enumerate(fields(source)):
        again = source.field(np.random.default_rng(seed))
        assert np.array_equal(field.grey, again.grey) and field.text == again.text
        h, w = field.grey.shape
        assert field.grey.dtype == np.uint8 and field.text.isdigit() and 3 <= len(field.text) <= 9
        assert 0 <= field.left < field.right <= w and 0 < field.middle < h and 10 < field.tall < 73
        assert field.right - field.left > 0.4 * field.tall * len(field.text)
        strip = field.strip(np.random.default_rng(seed))
        assert strip.dtype == np.uint8 and strip.shape[0] == 32


@pytest.mark.parametrize(("face", "ink"), [(200, 40), (50, 230)])
def test_digits_are_darker_than_their_wheels_whichever_they_were(
    face: int, ink: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counters, "_plate", lambda *_: float(face))  # digits are all that stands out, but for frames
    darker = 0
    for field in fields(Counters(wheels(face, ink), [])):
        reach = round(field.tall / 4)
        seen = field.grey[round(field.middle) - reach : round(field.middle) + reach].astype(float)
        darker += int(seen.mean() < np.median(seen))
    assert darker > 50


def test_now_and_then_a_counter_is_seen_in_the_wrong_polarity(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Counters(wheels(200, 40), [])
    right = fields(source, 10)
    monkeypatch.setattr(counters, "_WRONG", 1.0)
    wrong = fields(source, 10)
    assert all(np.array_equal(255 - one.grey, other.grey) for one, other in zip(right, wrong, strict=True))
    assert [one.text for one in right] == [one.text for one in wrong]


def test_both_photographed_and_drawn_wheels_are_shown_and_either_alone_will_do(
    font: banks.Style, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    photographed, both = wheels(200, 40), Counters(wheels(200, 40), [font])
    for one, name in ((both._meters, "wheels"), (both, "_drawn")):
        own = getattr(one, name)
        monkeypatch.setattr(one, name, lambda rng, name=name, own=own: (asked.append(name), own(rng))[1])
    fields(both, 60)
    assert 25 < asked.count("wheels") < 47 and len(asked) == 60
    assert fields(Counters(photographed, []), 5) and fields(Counters(None, [font]), 5)


def test_drawn_wheels_show_their_digit_in_the_middle_and_its_neighbours_beyond(font: banks.Style) -> None:
    for seed in range(30):
        images, text = Counters(None, [font])._drawn(np.random.default_rng(seed))
        assert len(images) == len(text)
        tall = images.shape[1]
        for image, label in zip(images, text, strict=True):
            ink = np.abs(image.astype(float) - np.median(image[:, -2:], axis=1, keepdims=True))
            glyph = font.digits[int(label)][0].ink
            best = max(
                _likeness(ink, cv2.resize(glyph, None, fx=scale, fy=scale), tall) for scale in np.linspace(0.8, 1.8, 12)
            )
            assert best > 0.7


def _likeness(ink: np.ndarray, glyph: np.ndarray, tall: int) -> float:
    """The highest correlation of a wheel's middle with a digit, anywhere."""
    if glyph.shape[0] > ink.shape[0] or glyph.shape[1] > ink.shape[1]:
        return -1.0
    return float(cv2.matchTemplate(ink.astype(np.float32), glyph.astype(np.float32), cv2.TM_CCOEFF_NORMED).max())
