"""Checkpoints: a network's weights, the recipe it was trained by, and what it knows of itself."""

import json
import pickle
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from edge.errors import ConfigError
from edge.model_card import Data
from training import dataset, row_dataset
from training.models import DigitNet, RowNet
from training.recipe import Recipe, RowRecipe


@dataclass(frozen=True)
class Facts:
    """What a checkpoint knows of itself beside its weights: for the model card."""

    epoch: int
    temperature: float
    accuracies: dict[str, float]
    data: tuple[Data, ...]


def network_of(recipe: Recipe | RowRecipe) -> DigitNet | RowNet:
    """The recipe's network, untrained."""
    if isinstance(recipe, RowRecipe):
        return RowNet(len(row_dataset.LABELS), recipe.width)
    return DigitNet(len(dataset.LABELS), width=recipe.network.width, dropout=recipe.network.dropout)


def save(path: Path, network: torch.nn.Module, recipe: Recipe | RowRecipe, facts: Facts) -> None:
    """Write a checkpoint, whole or not at all."""
    part = path.with_suffix(".part")
    checkpoint = {
        "weights": network.state_dict(),
        "recipe": recipe.model_dump_json(),
        "facts": json.dumps(asdict(facts)),
    }
    torch.save(checkpoint, part)
    part.replace(path)


def load(path: Path) -> tuple[DigitNet | RowNet, Recipe | RowRecipe, Facts]:
    """A checkpoint's network, ready to be asked, and what it knows of itself. Raises ConfigError."""
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        written = checkpoint["recipe"]
        kind = RowRecipe if json.loads(written).get("reads") == "rows" else Recipe
        recipe = kind.model_validate_json(written)
        facts = json.loads(checkpoint["facts"])
        facts = Facts(**{**facts, "data": tuple(Data(**entry) for entry in facts["data"])})
        network = network_of(recipe)
        network.load_state_dict(checkpoint["weights"])
    except OSError as error:
        raise ConfigError(
            f"{path}: checkpoint cannot be read ({error.strerror}); write one with `digitd train`"
        ) from None
    except (
        RuntimeError,
        LookupError,
        AttributeError,
        TypeError,
        ValueError,
        EOFError,
        pickle.UnpicklingError,
    ) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:150]
        raise ConfigError(f"{path}: not a checkpoint of `digitd train` ({reason})") from None
    return network.eval(), recipe, facts


def begin_with(network: DigitNet | RowNet, start: Path | None) -> None:
    """Give a network a checkpoint's weights; None leaves it as it is. Raises ConfigError where they do not fit."""
    if start is None:
        return
    begun, recipe, _ = load(start)
    try:
        if type(begun) is not type(network):
            raise RuntimeError
        network.load_state_dict(begun.state_dict())
    except RuntimeError:
        raise ConfigError(
            f"{start}: weights of {recipe.name}, a network of another kind or width; --start wants one as this recipe's"
        ) from None
