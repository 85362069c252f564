"""Pages in the stroke model's hand, with the truth about them, and small model files, good and bad."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge import Reader
from edge.arrays import I32, U8
from edge.engine import EngineConfig
from edge.imaging.normalise import PREPROCESSING
from edge.model_card import KEY, Data, ModelCard
from tests.edge.daemons import Service
from tests.edge.pages import SEEDS, TEXTS
from training.synth.row import Layout, write_row
from training.synth.sources import StrokeSource
from training.synth.strokes import HandStyle

# Every digit of one piece, strokes broad and clear.
_HAND = HandStyle(habit=(0, 0.004), jitter=(0, 0.003), pen=(0.08, 0.1), tremor=(0, 0.002), slant=(0, 0.15))
_LAYOUT = Layout(clear=0.12, gap=(0.05, 0.25), drift=0.003)


@dataclass(frozen=True)
class Page:
    """ink: uint8 [H, W], 0 paper to 255; image: uint8 [H, W], dark on light; boxes: int32 [n, 4] of the digits."""

    ink: U8
    image: U8
    text: str
    boxes: I32


@pytest.fixture(scope="session")
def written() -> Callable[..., Page]:
    """`written("407", seed=1, height=64)`: a row by a writer of its own on clean paper, `margin` pixels round it."""

    def write(text: str, seed: int = 0, height: int = 64, margin: int = 40) -> Page:
        rng = np.random.default_rng(seed)
        row = write_row(text, StrokeSource(_HAND).writer(rng), height, rng, _LAYOUT)
        ink = np.pad(row.ink, margin)
        image = np.round(235 - ink * 0.8).astype(np.uint8)
        return Page(ink, image, text, row.boxes + np.array([margin, margin, 0, 0], np.int32))

    return write


@pytest.fixture(scope="session")
def reader() -> Reader:
    """With the shipped models."""
    return Reader(engine=EngineConfig("cpu"))


@pytest.fixture(scope="session")
def pages(written: Callable[..., Page]) -> list[Page]:
    """One for each of TEXTS."""
    return [written(text, seed) for seed, text in zip(SEEDS, TEXTS, strict=True)]


@pytest.fixture(scope="session")
def card() -> ModelCard:
    return ModelCard(
        name="tiny",
        labels=(*"0123456789", "reject"),
        preprocessing=PREPROCESSING,
        temperature=1.0,
        recipe="configs/recipes/tiny.toml",
        recipe_sha256="ab" * 32,
        epochs=3,
        seed=7,
        parameters=8624,
        data=(Data("strokes", 100, "Apache-2.0", "cd" * 32), Data("naïve ‘digits’", 1, "CC BY 4.0", "")),
        accuracies={"mnist test": 0.5},
        commit="0123456789ab",
        licence="Apache-2.0",
    )


@pytest.fixture
def model_file(tmp_path: Path, card: ModelCard) -> Callable[..., Path]:
    """`model_file(temperature=2.0)`: a file that scores a crop by one random matrix, with `card` so changed.

    metadata: instead of the card's JSON, None for no metadata; side: pixels of a crop; kind: of the input;
    outputs: how many; name_in, name_out: of input and output; seed: of the matrix.
    """

    def make(
        file: str = "tiny.onnx",
        /,
        *,
        metadata: str | None = "",
        side: int = 28,
        kind: int = TensorProto.UINT8,
        outputs: int | None = None,
        name_in: str = "crops",
        name_out: str = "log_probs",
        seed: int = 0,
        **changes: object,
    ) -> Path:
        changed = replace(card, **changes)
        count = outputs or len(changed.labels)
        weights = np.random.default_rng(seed).normal(0, 1e-3, (side * side, count)).astype(np.float32)
        graph = helper.make_graph(
            [
                helper.make_node("Reshape", [name_in, "flat"], ["rows"]),
                helper.make_node("Cast", ["rows"], ["floats"], to=TensorProto.FLOAT),
                helper.make_node("MatMul", ["floats", "weights"], ["scores"]),
                helper.make_node("LogSoftmax", ["scores"], [name_out], axis=1),
            ],
            "tiny",
            [helper.make_tensor_value_info(name_in, kind, ["N", side, side])],
            [helper.make_tensor_value_info(name_out, TensorProto.FLOAT, ["N", count])],
            [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(np.array([-1, side * side]), "flat")],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
        if metadata is not None:
            helper.set_model_props(model, {KEY: metadata or changed.to_json()})
        path = tmp_path / file
        onnx.save(model, path)
        return path

    return make


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    one = Service(tmp_path)
    yield one
    if one.process is not None and one.process.poll() is None:
        one.process.kill()
        one.process.wait()
    one.socket.close()


@pytest.fixture
def with_card(tmp_path: Path) -> Callable[..., Path]:
    """`with_card(default_model(), "mine.onnx", name="mine")`: a copy of a model file whose card is so changed."""

    def make(model: Path, file: str, /, **changes: object) -> Path:
        copy = onnx.load(model)
        props = {prop.key: prop.value for prop in copy.metadata_props}
        props[KEY] = replace(ModelCard.from_json(props[KEY]), **changes).to_json()
        helper.set_model_props(copy, props)
        onnx.save(copy, tmp_path / file)
        return tmp_path / file

    return make
