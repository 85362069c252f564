"""What a model file says of itself: one JSON object in the ONNX file's metadata, under `digitd`."""

import json
import math
from dataclasses import asdict, dataclass
from typing import Any

from edge.errors import ModelError

KEY = "digitd"
REJECT = "reject"
"""The label of what is no digit: pieces, pairs, punctuation, letters, lines."""


@dataclass(frozen=True)
class Data:
    """One set a model was trained on; `sha256` of its files' bytes, or of the generator's parameters."""

    name: str
    samples: int
    licence: str
    sha256: str


@dataclass(frozen=True)
class ModelCard:
    """labels: what the K outputs mean, in order; `reject` among them.
    preprocessing: the version of `edge.imaging.normalise` the model was trained behind.
    temperature: log-probabilities divided by it and normalised again are calibrated probabilities.
    accuracies: name of a test -> share right, in [0, 1].
    """

    name: str
    labels: tuple[str, ...]
    preprocessing: int
    temperature: float
    recipe: str
    recipe_sha256: str
    epochs: int
    seed: int
    parameters: int
    data: tuple[Data, ...]
    accuracies: dict[str, float]
    commit: str
    licence: str

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "ModelCard":
        """Raises ModelError, without the file's name, when the text is not a card."""
        try:
            fields: dict[str, Any] = json.loads(text)
            card = cls(
                **{
                    **fields,
                    "labels": tuple(fields["labels"]),
                    "data": tuple(Data(**entry) for entry in fields["data"]),
                }
            )
            valid = (
                all(isinstance(label, str) and label for label in card.labels)
                and len(set(card.labels)) == len(card.labels) >= 2
                and 0 < float(card.temperature) < math.inf
            )
        except (ValueError, TypeError, KeyError) as error:
            raise ModelError(f"its metadata cannot be understood ({error})") from None
        if not valid:
            raise ModelError("its metadata names no usable labels or temperature")
        return card
