"""Checkpoints: a network's weights, the recipe it was trained by, and what it knows of itself."""

import json
import pickle
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from edge.errors import ConfigError
from edge.model_card import Data
from training import dataset, row_dataset
from training.from_onnx import row_net
from training.models import Classifier, RowNet, build
from training.models.rows import DEEPER
from training.pruning import fits, prune
from training.recipe import Recipe, RowRecipe


@dataclass(frozen=True)
class Facts:
    """What a checkpoint knows of itself beside its weights: for the model card. labels: what its outputs mean."""

    epoch: int
    temperature: float
    accuracies: dict[str, float]
    data: tuple[Data, ...]
    labels: tuple[str, ...]


Network = Classifier | RowNet


def row_net_of(recipe: RowRecipe) -> RowNet:
    """The recipe's network, untrained, its first weights drawn by the recipe's seed."""
    torch.manual_seed(recipe.seed)
    return RowNet(len(row_dataset.LABELS), recipe.width, deeper=recipe.deeper)


def classifier_of(recipe: Recipe, labels: tuple[str, ...]) -> Classifier:
    """Likewise of a network that tells these labels apart. Raises ConfigError for what the family cannot be."""
    torch.manual_seed(recipe.seed)
    asked = recipe.network
    return build(asked.family, len(labels), asked.size, asked.channels, **asked.options)


def save(path: Path, network: nn.Module, recipe: Recipe | RowRecipe, facts: Facts) -> None:
    """Write a checkpoint, whole or not at all."""
    _save(
        path,
        {"weights": network.state_dict(), "recipe": recipe.model_dump_json(), "facts": json.dumps(asdict(facts))},
    )


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write all that a run needs to go on, whole or not at all: tensors, numbers and text only."""
    _save(path, state)


def load_state(path: Path, recipe: Recipe | RowRecipe) -> dict[str, Any]:
    """What `save_state` wrote in a run of the same recipe. Raises ConfigError."""
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        written = state["recipe"]
    except OSError as error:
        raise ConfigError(f"{path}: no run to go on with ({error.strerror}); begin without --resume") from None
    except _BROKEN as error:
        raise ConfigError(f"{path}: not a run's state ({_reason(error)}); begin without --resume") from None
    if written != recipe.model_dump_json():
        raise ConfigError(f"{path}: of another recipe than {recipe.name} as it is now; begin without --resume")
    return state


def _save(path: Path, content: dict[str, Any]) -> None:
    part = path.with_suffix(".part")
    torch.save(content, part)
    part.replace(path)


_BROKEN = (RuntimeError, LookupError, AttributeError, TypeError, ValueError, EOFError, pickle.UnpicklingError)
"""What PyTorch raises at bytes that are no checkpoint."""


def _reason(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:150]


def load(path: Path) -> tuple[Network, Recipe | RowRecipe, Facts]:
    """A checkpoint's network, ready to be asked, and what it knows of itself. Raises ConfigError."""
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(checkpoint, dict):
            raise TypeError(f"{type(checkpoint).__name__} in it")
        written = checkpoint["recipe"]
        kind = RowRecipe if json.loads(written).get("reads") == "rows" else Recipe
        recipe = kind.model_validate_json(written)
        facts = json.loads(checkpoint["facts"])
        data = tuple(Data(**entry) for entry in facts["data"])
        # Checkpoints of before there were other labels do not name theirs.
        labels = tuple(facts.get("labels") or (row_dataset if kind is RowRecipe else dataset).LABELS)
        facts = Facts(**{**facts, "data": data, "labels": labels})
        network = row_net_of(recipe) if isinstance(recipe, RowRecipe) else classifier_of(recipe, labels)
        network.load_state_dict(checkpoint["weights"])
    except OSError as error:
        raise ConfigError(
            f"{path}: checkpoint cannot be read ({error.strerror}); write one with `digitd train`"
        ) from None
    except _BROKEN as error:
        raise ConfigError(f"{path}: not a checkpoint of `digitd train` ({_reason(error)})") from None
    return network.eval(), recipe, facts


def begin_with(network: nn.Module, start: Path | None) -> None:
    """Give a network a checkpoint's weights, of a wider `digitcnn` those that do most, one of whole rows a model file's
    too; None leaves it as it is. Raises ConfigError where they do not fit.
    """
    if start is None:
        return
    begun, name = _begun(start, network)
    if fits(begun, network):
        return prune(begun, network)
    try:
        if type(begun) is not type(network):
            raise RuntimeError
        missing, unknown = network.load_state_dict(begun.state_dict(), strict=False)
        if unknown or not all(isinstance(network, RowNet) and name.startswith(DEEPER) for name in missing):
            raise RuntimeError
    except RuntimeError:
        raise ConfigError(
            f"{start}: weights of {name}, a network of another kind or width; --start wants one as this recipe's"
        ) from None


def _begun(start: Path, network: nn.Module) -> tuple[nn.Module, str]:
    """The network to begin with, and whose it is."""
    if isinstance(network, RowNet) and start.suffix == ".onnx":
        return row_net(start), "a model file"
    begun, recipe, _ = load(start)
    return begun, recipe.name
