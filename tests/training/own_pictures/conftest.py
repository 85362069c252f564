"""A tidy hand, and the test's folder read by the shipped model."""

from pathlib import Path

import numpy as np
import pytest

from edge.engine import EngineConfig
from edge.recogniser import Recogniser
from tests.training.own_pictures.pictures import Read
from training.own_pictures import read_folder
from training.synth.strokes import Hand, HandStyle, draw_hand

TIDY = HandStyle(height=96, pen=(0.07, 0.1), slant=(0, 0.2), jitter=(0.004, 0.008), pressure=(0, 0.1))


@pytest.fixture(scope="session")
def recogniser() -> Recogniser:
    return Recogniser(None, EngineConfig("cpu", threads=1))


@pytest.fixture
def read(tmp_path: Path, recogniser: Recogniser) -> Read:
    """Reads the test's folder."""
    return lambda **options: read_folder(tmp_path, recogniser, **options)


@pytest.fixture(scope="session")
def hand() -> Hand:
    return draw_hand(np.random.default_rng(4), TIDY)
