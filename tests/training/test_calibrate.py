"""The temperature that was put in is the one that is found."""

import numpy as np
import pytest

from training.calibrate import fit_temperature


def drawn(temperature, count=8000, sharpness=3.0, seed=0):
    """Log-probabilities that are too sure by `temperature`, and labels drawn from the true ones."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(0, sharpness, (count, 11))
    true = scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)
    labels = (true + rng.gumbel(size=true.shape)).argmax(1)
    seen = true * temperature
    return (seen - np.logaddexp.reduce(seen, axis=1, keepdims=True)).astype(np.float32), labels


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.7, 3.0])
def test_a_known_temperature_is_recovered(temperature):
    assert fit_temperature(*drawn(temperature)) == pytest.approx(temperature, rel=0.08)


def test_the_temperature_stays_within_its_bounds():
    log_probs, labels = drawn(1.0, count=500)
    assert fit_temperature(log_probs * 1000, labels) == pytest.approx(16, rel=0.01)
    sure = np.log(np.full((50, 2), 0.5, np.float32)) + np.array([0.01, -0.01], np.float32)
    assert fit_temperature(sure, np.zeros(50, np.int64)) == pytest.approx(1 / 16, rel=0.01)


@pytest.mark.parametrize("count", [20, 100, 1000])
def test_what_was_right_each_time_is_not_taken_for_always_right(count):
    """Faint answers become sure ones, and the surer, the more of them were right."""
    faint = np.log(np.tile(np.array([0.55, 0.2, 0.15, 0.1], np.float32), (count, 1)))
    scaled = faint / fit_temperature(faint, np.zeros(count, np.int64))
    doubt = 1 - np.exp(scaled - np.logaddexp.reduce(scaled, axis=1, keepdims=True)).max(1).mean()
    assert 0.3 / count < doubt < 1.5 / count


def test_calibrated_confidences_are_as_often_right_as_they_say():
    log_probs, labels = drawn(2.5)
    scaled = log_probs / fit_temperature(log_probs, labels)
    shares = np.exp(scaled - np.logaddexp.reduce(scaled, axis=1, keepdims=True)).max(1)
    right = log_probs.argmax(1) == labels
    assert shares.mean() == pytest.approx(right.mean(), abs=0.015)
    assert np.exp(log_probs).max(1).mean() > right.mean() + 0.05  # which they were not before
