"""Ranges that parameters are drawn from: (lowest, highest), both in the parameter's own unit."""

import numpy as np

Span = tuple[float, float]


def draw(span: Span, rng: np.random.Generator) -> float:
    """One value of the range, all equally likely."""
    return float(rng.uniform(*span))


def draw_int(span: Span, rng: np.random.Generator) -> int:
    """One whole number of the range, both ends included."""
    return int(rng.integers(int(span[0]), int(span[1]) + 1))


def draw_low(span: Span, rng: np.random.Generator) -> float:
    """One value of the range, low ones more likely: where the high end is seen, but rarely."""
    low, high = span
    return low + (high - low) * float(rng.uniform() ** 1.8)
