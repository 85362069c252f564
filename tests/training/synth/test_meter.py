"""A counter is put together of wheels that look alike, and says what they show."""

import numpy as np
import pytest

from training.synth.meter import MeterSource


@pytest.fixture
def source() -> MeterSource:
    """Sixty dark wheels and sixty bright ones; each shows its digit as so many bright lines, or dark ones."""
    images, labels = [], []
    for i in range(120):
        face, line = (40, 220) if i % 2 else (210, 30)
        wheel = np.full((40, 40), face, np.uint8)
        for k in range(i // 2 % 10 + 1):
            wheel[4 + 3 * k : 6 + 3 * k, 10:30] = line
        images.append(wheel)
        labels.append(i // 2 % 10)
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
    """Dark ones stand with dark ones: between its wheels a counter has one brightness, and in them one other."""
    for seed in range(20):
        image, _ = source.counter(np.random.default_rng(seed))
        grey = image.mean(2)
        faces = ((grey > 150).mean(), (grey < 70).mean())
        assert min(faces) < 0.9
    looks = source._looks
    assert len({bool(value) for value in looks[np.argsort(np.abs(looks - looks[0]).sum(1))[:40], 0] > 120}) == 1
