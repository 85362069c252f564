"""What a model file says of itself: one JSON object in the ONNX file's metadata, under `digitd`."""

import json
import math
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from edge.errors import ModelError
from edge.row import UNREADABLE
from edge.text import printable

KEY = "digitd"
Precision = Literal["float32", "packed", "float16", "int8"]
REJECT = "reject"
"""The label of what is no digit: pieces, pairs, punctuation, letters, lines."""
LONGEST_LABEL = 32
"""Characters of a label at most."""


@dataclass(frozen=True)
class Data:
    """One set a model was trained on; `sha256` of its files' bytes, or of the generator's parameters."""

    name: str
    samples: int
    licence: str
    sha256: str


@dataclass(frozen=True)
class Ablation:
    """What each source of samples brings: networks taught for `epochs` epochs, each without one.

    right: by the source left out, "" where none was -> name of a test -> share right, in [0, 1].
    """

    epochs: int
    right: dict[str, dict[str, float]]


@dataclass(frozen=True)
class ModelCard:
    """labels: what the K outputs mean, in order: digits, or whatever else was learnt; `reject`, if any, among them.
    preprocessing: the version of `edge.imaging.normalise` the model was trained behind.
    temperature: log-probabilities divided by it and normalised again are calibrated probabilities.
    accuracies: name of a test -> share right, in [0, 1].
    precision: of weights and arithmetic, `packed` being float32 of weights kept in float16;
    files of before there were others do not name theirs.
    alone: whether rows are read by its digits alone: it was taught a hand that the row model does not know.
    attacked: by how pictures were changed on purpose to mislead the network -> share right, in [0, 1].
    ablation: what each source of samples brings, where that was measured.
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
    precision: Precision = "float32"
    alone: bool = False
    attacked: dict[str, float] = field(default_factory=dict)
    ablation: Ablation | None = None

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
                    "ablation": Ablation(**fields["ablation"]) if fields.get("ablation") else None,
                }
            )
            valid = (
                all(map(_is_label, card.labels))
                and len(set(card.labels)) == len(card.labels) >= 2
                and 0 < float(card.temperature) < math.inf
                and isinstance(card.name, str)
                and isinstance(card.alone, bool)
                and card.precision in get_args(Precision)
                and all(0 <= float(share) <= 1 for share in _shares(card))
            )
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ModelError(f"its metadata cannot be understood ({printable(str(error))})") from None
        if not valid:
            raise ModelError("its metadata names no usable labels, temperature, accuracies or precision")
        return card


def _shares(card: ModelCard) -> list[float]:
    left_out = card.ablation.right.values() if card.ablation else []
    return [share for shares in (card.accuracies, card.attacked, *left_out) for share in shares.values()]


def _is_label(label: object) -> bool:
    """Whether a text can hold it, and a terminal show it; `?` stands for what could not be read."""
    return (
        isinstance(label, str)
        and 0 < len(label) <= LONGEST_LABEL
        and UNREADABLE not in label
        and label.strip() == label == printable(label)
    )
