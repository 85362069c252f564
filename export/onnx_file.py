"""Checkpoint -> model file, as the box will run it, or an error and no file."""

import logging
import subprocess
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import torch

from edge.engine import EngineConfig
from edge.errors import ConfigError
from edge.imaging import normalise, strip
from edge.imaging.normalise import SIDE
from edge.model_card import KEY, ModelCard
from edge.recogniser import Recogniser
from edge.sequence import RowModel, best_path
from export.card import markdown
from training import dataset, engine, mnist, row_dataset
from training.checkpoint import load
from training.recipe import Recipe, RowRecipe

OPSET = 18
LARGEST = 1_500_000  # bytes of a model file
FARTHEST = 1e-3  # log-probabilities of the file and the checkpoint; float32 sums in another order differ by 1e-5
LICENCE = "CC BY-SA 3.0"  # of the weights, as that of MNIST, which they were trained on


@dataclass(frozen=True)
class Exported:
    """farthest: the largest difference of a log-probability to the checkpoint's, over all of `test`'s samples.
    accuracy, checkpoint_accuracy: shares of them right, of the file and of the checkpoint.
    """

    path: Path
    bytes: int
    test: str
    farthest: float
    accuracy: float
    checkpoint_accuracy: float


@dataclass(frozen=True)
class _Kind:
    """What differs between networks: `test` names the samples that the file is compared to the checkpoint on."""

    input: str
    example: torch.Tensor
    dynamic: dict[int, object]
    labels: tuple[str, ...]
    preprocessing: int
    test: str
    compare: Callable[[torch.nn.Module, Path, Path | None, Recipe | RowRecipe], tuple[float, float, float]]


def export_onnx(checkpoint: Path, out: Path, data_dir: Path | None) -> Exported:
    """Write `out` and its card `out`.md from a checkpoint of `digitd train`.

    The file is run by ONNX Runtime through `edge`, single digits' on the whole MNIST test set and rows' on validation
    rows, and must agree with the checkpoint; raises ConfigError, and leaves `out` as it was, where it does not.
    """
    network, recipe, facts = load(checkpoint)
    kind = _ROWS if isinstance(recipe, RowRecipe) else _DIGITS
    card = ModelCard(
        name=recipe.name,
        labels=kind.labels,
        preprocessing=kind.preprocessing,
        temperature=facts.temperature,
        recipe=f"configs/recipes/{recipe.name}.toml",
        recipe_sha256=recipe.sha256,
        epochs=facts.epoch,
        seed=recipe.seed,
        parameters=sum(p.numel() for p in network.parameters()),
        data=facts.data,
        accuracies=facts.accuracies,
        commit=_commit(),
        licence=LICENCE,
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_suffix(".part")
    try:
        part.write_bytes(_with_card(_program(network, kind), card).SerializeToString())
        farthest, ours, theirs = kind.compare(network, part, data_dir, recipe)
        size = part.stat().st_size
        if farthest > FARTHEST or ours != theirs:
            raise ConfigError(
                f"{out}: not written: the exported file differs from {checkpoint} by {farthest:.2g} in "
                f"log-probability and reads {theirs:.2%} against {ours:.2%} of {kind.test}"
            )
        if size > LARGEST:
            raise ConfigError(f"{out}: not written: {size} bytes, at most {LARGEST} are allowed; narrow the network")
        # The file itself is what was measured, so its accuracy is put in last.
        card = replace(card, accuracies={**card.accuracies, kind.test: theirs})
        part.write_bytes(_with_card(onnx.load(part), card).SerializeToString())
        size = part.stat().st_size
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    out.with_suffix(".md").write_text(markdown(card, size), encoding="utf-8")
    return Exported(out, size, kind.test, farthest, theirs, ours)


def _compare_digits(
    network: torch.nn.Module, path: Path, data_dir: Path | None, recipe: Recipe | RowRecipe
) -> tuple[float, float, float]:
    """Largest difference, the checkpoint's accuracy, the file's; the temperature taken out again."""
    test = mnist.load("test", data_dir)
    recogniser = Recogniser(path, EngineConfig("cpu"))
    scaled = np.concatenate([recogniser.log_probs(part) for part in np.array_split(test.images, 20)])
    scaled *= recogniser.card.temperature
    theirs = scaled - np.logaddexp.reduce(scaled, axis=1, keepdims=True)
    ours = engine.log_probs(network, test.images)
    right = [float((out.argmax(1) == test.labels).mean()) for out in (ours, theirs)]
    return float(np.abs(ours - theirs).max()), right[0], right[1]


def _compare_rows(
    network: torch.nn.Module, path: Path, data_dir: Path | None, recipe: Recipe | RowRecipe
) -> tuple[float, float, float]:
    """As `_compare_digits`, on rows of writers held out from training, one at a time as no padding differs then."""
    assert isinstance(recipe, RowRecipe)
    strips = row_dataset.validation(recipe, data_dir, 1000)
    model = RowModel(path, EngineConfig("cpu"))
    farthest, right = 0.0, [0, 0]
    for ink, text in strips:
        theirs = model.log_probs([ink])[0]
        with torch.no_grad():
            ours = network(torch.from_numpy(ink)[None])[0].numpy()
        farthest = max(farthest, float(np.abs(ours - theirs).max()))
        for i, steps in enumerate((ours, theirs)):
            right[i] += "".join(row_dataset.LABELS[label] for label in best_path(steps).labels) == text
    return farthest, right[0] / len(strips), right[1] / len(strips)


_DIGITS = _Kind(
    "crops",
    torch.zeros(2, SIDE, SIDE, dtype=torch.uint8),
    {0: torch.export.Dim("N", min=1)},
    dataset.LABELS,
    normalise.PREPROCESSING,
    "mnist test",
    _compare_digits,
)
_ROWS = _Kind(
    "strips",
    torch.zeros(2, strip.HEIGHT, 96, dtype=torch.uint8),
    {0: torch.export.Dim("N", min=1), 2: 4 * torch.export.Dim("T", min=2, max=strip.LONGEST // 4)},
    row_dataset.LABELS,
    strip.PREPROCESSING,
    "rows of held-out writers",
    _compare_rows,
)


def _program(network: torch.nn.Module, kind: _Kind) -> onnx.ModelProto:
    """The network by PyTorch's dynamo exporter: uint8 [N, ...] -> log_probs float32 [N, ..., K]."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network.eval().to(memory_format=torch.contiguous_format),
            (kind.example,),
            input_names=[kind.input],
            output_names=["log_probs"],
            dynamic_shapes=(kind.dynamic,),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise ConfigError("PyTorch's exporter gave no program; take the versions in constraints.txt")
    model = program.model_proto
    onnx.checker.check_model(model, full_check=True)
    return model


def _with_card(model: onnx.ModelProto, card: ModelCard) -> onnx.ModelProto:
    """The model with its card, and without the exporter's notes on where in the source each node comes from."""
    del model.metadata_props[:]
    model.metadata_props.add(key=KEY, value=card.to_json())
    model.doc_string = ""
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in [*model.graph.value_info, *model.graph.input, *model.graph.output, *model.graph.initializer]:
        del value.metadata_props[:]
    return model


def _commit() -> str:
    """Of the source tree this runs from, with a `+` when it has changes; empty outside one."""
    here = Path(__file__).parent

    def git(*words: str) -> str:
        answer = subprocess.run(["git", *words], cwd=here, capture_output=True, text=True, check=True)  # noqa: S603, S607
        return answer.stdout.strip()

    try:
        return git("rev-parse", "--short=12", "HEAD") + (
            "+" if git("status", "--porcelain", "--untracked-files=no") else ""
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
