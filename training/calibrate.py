"""Temperature scaling: Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks", 2017."""

import numpy as np


def fit_temperature(log_probs: np.ndarray, labels: np.ndarray) -> float:
    """The temperature, 1/16 to 16, by which float32 [N, K] log-probabilities are divided, and normalised again, to
    give the labels int64 [N] the highest likelihood. Searched by golden section: the loss has one valley.

    One answer more than was given counts as a guess at chance, so that what was right each time, of few, is not taken
    for what is right always.
    """
    low, high = np.log(1 / 16), np.log(16.0)
    golden = (np.sqrt(5) - 1) / 2
    for _ in range(30):
        left, right = high - golden * (high - low), low + golden * (high - low)
        if _loss(log_probs, labels, np.exp(left)) < _loss(log_probs, labels, np.exp(right)):
            high = right
        else:
            low = left
    return round(float(np.exp((low + high) / 2)), 4)


def _loss(log_probs: np.ndarray, labels: np.ndarray, temperature: float) -> float:
    scaled = log_probs / temperature
    chosen = scaled[np.arange(len(labels)), labels]
    guessed = scaled.mean(axis=1)
    spread = np.logaddexp.reduce(scaled, axis=1)
    return float((spread - chosen).sum() + (spread - guessed).mean())
