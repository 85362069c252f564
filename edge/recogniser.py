"""Single digits: crops in, log-probabilities out, by one ONNX Runtime session, or by two that are chosen between."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from edge.arrays import F32, U8
from edge.engine import Engine, EngineConfig, Signature
from edge.errors import ModelError
from edge.imaging.normalise import PREPROCESSING, SIDE
from edge.model_card import REJECT

LARGEST_BATCH = 4096
"""Crops in one call of ONNX Runtime, which takes some 100 MB for them. A page of digits has a tenth of that."""

TUNED_ABOVE = 0.9
"""The confidence from which a fine-tuned model's answer is taken, where nothing else is asked for."""

CROPS = Signature("crops", (SIDE, SIDE), stepped=False, preprocessing=PREPROCESSING)


def default_model() -> Path:
    """The model file that comes with the package."""
    return Path(__file__).parent / "models" / "digits.onnx"


def int8_model() -> Path:
    """The same in int8, quicker on some processors: `digitd bench --choose` says whether on this one."""
    return default_model().with_name("digits-int8.onnx")


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


class Tuned:
    """A base model and one fine-tuned from it, both of the same labels in the same order: a crop's answer is the
    fine-tuned one's where its likeliest label is at least as probable as `above`, else the base's.

    card: the base's, with both names; providers, note, reject: as `Recogniser` has them.
    """

    def __init__(
        self, base: Path | None, tuned: Path, above: float = TUNED_ABOVE, engine: EngineConfig | None = None
    ) -> None:
        """above: in [0, 1], else ValueError. Raises ModelError or ProviderError as `Recogniser` does, ModelError also
        where the labels differ.
        """
        if not 0 <= above <= 1:
            raise ValueError(f"tuned_above: a probability from 0 to 1 wanted, not {above}")
        self._base, self._tuned, self._above = Recogniser(base, engine), Recogniser(tuned, engine), above
        if self._tuned.card.labels != self._base.card.labels:
            raise ModelError(
                f"{tuned}: its labels are not those of {base or default_model()} in the same order; "
                "name the file that it was fine-tuned from with --model, or read with it alone"
            )
        card = self._base.card
        self.card = replace(card, name=f"{card.name} with {self._tuned.card.name}")
        self.providers, self.note, self.reject = self._base.providers, self._base.note, self._base.reject

    def log_probs(self, crops: U8) -> F32:
        """As `Recogniser.log_probs`. The base is asked only about the crops that the fine-tuned model is unsure of."""
        out = self._tuned.log_probs(crops)
        unsure = np.exp(out.max(axis=1, initial=-np.inf)) < self._above
        if unsure.any():
            out[unsure] = self._base.log_probs(crops[unsure])
        return out
