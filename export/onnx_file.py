"""Checkpoint -> model file, as the box will run it, or an error and no file."""

import logging
import subprocess
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import torch

from edge.errors import ConfigError
from edge.imaging.normalise import PREPROCESSING, SIDE
from edge.model_card import KEY, ModelCard
from edge.recogniser import EngineConfig, Recogniser
from export.card import markdown
from training import engine, mnist
from training.dataset import LABELS

OPSET = 18
LARGEST = 1_500_000  # bytes of a model file
FARTHEST = 1e-3  # log-probabilities of the file and the checkpoint; float32 sums in another order differ by 1e-5
LICENCE = "CC BY-SA 3.0"  # of the weights, as that of MNIST, which they were trained on


@dataclass(frozen=True)
class Exported:
    """farthest: the largest difference of a log-probability to the checkpoint's, over MNIST's test set.
    accuracy, checkpoint_accuracy: shares of MNIST's test set right, of the file and of the checkpoint.
    """

    path: Path
    bytes: int
    farthest: float
    accuracy: float
    checkpoint_accuracy: float


def export_onnx(checkpoint: Path, out: Path, data_dir: Path | None) -> Exported:
    """Write `out` and its card `out`.md from a checkpoint of `digitd train`.

    The file is run by ONNX Runtime through `edge` on the whole MNIST test set and must agree with the checkpoint;
    raises ConfigError, and leaves `out` as it was, where it does not.
    """
    network, recipe, facts = engine.load(checkpoint)
    test = mnist.load("test", data_dir)
    card = ModelCard(
        name=recipe.name,
        labels=LABELS,
        preprocessing=PREPROCESSING,
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
        part.write_bytes(_with_card(_program(network), card).SerializeToString())
        ours, theirs = engine.log_probs(network, test.images), _run(part, test.images, card.temperature)
        farthest = float(np.abs(ours - theirs).max())
        right = (theirs.argmax(1) == test.labels).mean(), (ours.argmax(1) == test.labels).mean()
        size = part.stat().st_size
        if farthest > FARTHEST or right[0] != right[1]:
            raise ConfigError(
                f"{out}: not written: the exported file differs from {checkpoint} by {farthest:.2g} in "
                f"log-probability and reads {right[0]:.2%} against {right[1]:.2%} of MNIST's test set"
            )
        if size > LARGEST:
            raise ConfigError(f"{out}: not written: {size} bytes, at most {LARGEST} are allowed; narrow the network")
        # The file itself is what was measured, so its accuracy is put in last.
        card = replace(card, accuracies={**card.accuracies, "mnist test": float(right[0])})
        part.write_bytes(_with_card(onnx.load(part), card).SerializeToString())
        size = part.stat().st_size
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    out.with_suffix(".md").write_text(markdown(card, size), encoding="utf-8")
    return Exported(out, size, farthest, float(right[0]), float(right[1]))


def _program(network: torch.nn.Module) -> onnx.ModelProto:
    """The network by PyTorch's dynamo exporter: crops uint8 [N, 28, 28] -> log_probs float32 [N, K]."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network.eval().to(memory_format=torch.contiguous_format),
            (torch.zeros(2, SIDE, SIDE, dtype=torch.uint8),),
            input_names=["crops"],
            output_names=["log_probs"],
            dynamic_shapes={"crops": {0: torch.export.Dim("N", min=1)}},
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


def _run(path: Path, crops: np.ndarray, temperature: float) -> np.ndarray:
    """The file's log-probabilities by ONNX Runtime, as the network gives them: the temperature taken out again."""
    recogniser = Recogniser(path, EngineConfig("cpu"))
    parts = [recogniser.log_probs(part) for part in np.array_split(crops, 20)]
    scaled = np.concatenate(parts) * temperature
    return scaled - np.logaddexp.reduce(scaled, axis=1, keepdims=True)


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
