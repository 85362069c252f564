"""Single digits: crops in, log-probabilities out, by one ONNX Runtime session."""

from pathlib import Path

import numpy as np

from edge.arrays import F32, U8
from edge.engine import Engine, EngineConfig, Signature
from edge.imaging.normalise import PREPROCESSING, SIDE
from edge.model_card import REJECT

LARGEST_BATCH = 4096
"""Crops in one call of ONNX Runtime, which takes some 100 MB for them. A page of digits has a tenth of that."""

CROPS = Signature("crops", (SIDE, SIDE), stepped=False, preprocessing=PREPROCESSING)


def default_model() -> Path:
    """The model file that comes with the package."""
    return Path(__file__).parent / "models" / "digits.onnx"


class Recogniser:
    """Runs a model file of single digits.

    card, providers, note: as `Engine` has them; reject: the index of what is no digit, None without one.
    """

    def __init__(self, model: Path | None = None, engine: EngineConfig | None = None) -> None:
        """Raises ModelError or ProviderError, in one line that says what, where and the mend."""
        self._engine = Engine(model or default_model(), CROPS, engine or EngineConfig())
        self.card, self.providers, self.note = self._engine.card, self._engine.providers, self._engine.note
        self.reject = self.card.labels.index(REJECT) if REJECT in self.card.labels else None

    def log_probs(self, crops: U8) -> F32:
        """crops: uint8 [N, 28, 28], 0 paper to 255 ink, N from 0. Returns float32 [N, K], calibrated by the card's
        temperature: the logarithms of probabilities that sum to 1 in each row.
        """
        if crops.shape[0] == 0:
            return np.zeros((0, len(self.card.labels)), np.float32)
        parts = range(0, len(crops), LARGEST_BATCH)
        out: F32 = np.concatenate([self._engine.run(crops[start : start + LARGEST_BATCH]) for start in parts])
        if self.card.temperature != 1:
            out = out / np.float32(self.card.temperature)
            out -= np.logaddexp.reduce(out, axis=1, keepdims=True)
        return out
