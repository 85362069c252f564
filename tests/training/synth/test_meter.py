"""A counter is put together of wheels that look alike, and says what they show."""

import numpy as np
import pytest

from training.synth.meter import MeterSource


@pytest.fixture
def source() -> MeterSource:
    """Sixty dark wheels that show 0 to 4 and sixty bright ones that show 5 to 9, in any order."""
    images, labels = [], []
    for i in range(120):
        label = i % 10
        face, line = (40, 220) if label < 5 else (210, 30)
        wheel = np.full((40, 40), face, np.uint8)
        wheel[8:32, 14 : 16 + label] = line
        images.append(wheel)
        labels.append(label)
    return MeterSource(np.stack(images), np.array(labels))


def test_a_counter_has_four_to_eight_wheels_and_a_seed_draws_it_again(source: MeterSource) -> None:
    texts = set()
    for seed in range(30):
        image, text = source.counter(np.random.default_rng(seed))
        again, same = source.counter(np.random.default_rng(seed))
        assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
        assert np.array_equal(image, again) and text == same
        assert 4 <= len(text) <= 8 and text.isdigit()
        texts.add(text)
    assert len(texts) > 25


def test_the_wheels_of_a_counter_look_alike(source: MeterSource) -> None:
    kinds = set()
    for seed in range(40):
        _, text = source.counter(np.random.default_rng(seed))
        kinds |= {frozenset(digit < "5" for digit in text)}
    assert kinds == {frozenset({True}), frozenset({False})}
