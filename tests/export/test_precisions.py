"""float16 and int8: smaller, as right as the network, and known for what they are."""

import numpy as np
import onnx
import pytest

from edge.engine import EngineConfig
from edge.recogniser import Recogniser
from export import samples
from export.kinds import Digits
from export.quantisation import Way, best, halved, quantised
from training import checkpoint, mnist

CPU = EngineConfig("cpu")

pytestmark = pytest.mark.xdist_group("tiny run")


def kinds_of(path, of):
    graph = onnx.load(path).graph
    return {onnx.TensorProto.DataType.Name(w.data_type) for w in graph.initializer if of in w.name}


@pytest.mark.parametrize("precision", ["float32", "packed", "float16", "int8"])
def test_every_precision_keeps_the_contract_and_names_itself(files, precision):
    file = files[precision]
    recogniser = Recogniser(file.path, CPU)
    assert recogniser.card.precision == file.precision == precision
    assert f"parameters, {precision} |" in file.path.with_suffix(".md").read_text()
    out = recogniser.log_probs(np.random.default_rng(1).integers(0, 256, (5, 28, 28), np.uint8))
    assert out.dtype == np.float32 and np.exp(out).sum(1) == pytest.approx(1, abs=1e-5)
    (crops,) = onnx.load(file.path).graph.input
    assert crops.type.tensor_type.elem_type == onnx.TensorProto.UINT8


def test_cards_differ_by_what_was_measured_alone(files):
    cards = {name: Recogniser(file.path, CPU).card for name, file in files.items()}
    for name, card in cards.items():
        assert card.accuracies.items() >= files[name].accuracies.items()
        assert (card.labels, card.temperature, card.data) == (
            cards["float32"].labels,
            cards["float32"].temperature,
            cards["float32"].data,
        )


def test_weights_are_halves_in_float16_and_bytes_in_int8_but_for_the_head(files):
    assert kinds_of(files["float16"].path, "features") == {"FLOAT16"}
    int8 = kinds_of(files["int8"].path, "features")
    assert "INT8" in int8 and kinds_of(files["int8"].path, "head.weight") == {"FLOAT"}
    graph = onnx.load(files["int8"].path).graph
    (weights,) = (w for w in graph.initializer if w.name == "features.1.0.weight_quantized")
    # 7 bits, as processors without VNNI overflow with 8.
    assert np.abs(onnx.numpy_helper.to_array(weights).astype(int)).max() <= 64


def test_packed_weights_are_halves_and_what_is_computed_is_as_good_as_the_same(files):
    packed, whole = files["packed"], files["float32"]
    assert kinds_of(packed.path, "features.1.0.weight.half") == {"FLOAT16"}
    assert packed.bytes < 0.7 * whole.bytes
    crops = np.random.default_rng(1).integers(0, 256, (40, 28, 28), np.uint8)
    one, other = (Recogniser(file.path, CPU).log_probs(crops) for file in (packed, whole))
    assert 0 < np.abs(one - other).max() < 0.05


@pytest.mark.parametrize("whole", [0, 1, 3])
def test_the_first_layers_of_a_way_and_the_last_stay_in_float32(files, whole):
    model = onnx.load(files["float32"].path)
    batches = Digits().batches(np.random.default_rng(0).integers(0, 256, (64, 28, 28), np.uint8))
    made = quantised(model, "crops", batches, Way("minmax", whole=whole))
    of = {node.output[0]: node.op_type for node in made.graph.node}
    layers = [node for node in made.graph.node if node.op_type in ("Conv", "Gemm", "MatMul")]
    in_float = [of.get(layer.input[1]) != "DequantizeLinear" for layer in layers]
    assert in_float == [True] * whole + [False] * (len(layers) - whole - 1) + [True]


def test_the_shipped_rows_int8_keeps_its_first_three_layers_in_float32():
    from edge.sequence import shipped_row_model

    graph = onnx.load(shipped_row_model("cpu")).graph
    of = {node.output[0]: node.op_type for node in graph.node}
    layers = [node for node in graph.node if node.op_type == "Conv"]
    in_float = [of.get(layer.input[1]) != "DequantizeLinear" for layer in layers]
    assert in_float == [True] * 3 + [False] * (len(layers) - 4) + [True]


def test_scales_of_weights_are_by_channel(files):
    graph = onnx.load(files["int8"].path).graph
    scales = [w for w in graph.initializer if w.name.endswith("weight_scale")]
    assert scales and all(w.dims and w.dims[0] > 1 for w in scales)


def test_float16_takes_its_logarithms_in_float32(files):
    nodes = list(onnx.load(files["float16"].path).graph.node)
    assert nodes[-1].op_type == "LogSoftmax" and nodes[-1].output[0] == "log_probs"


def test_a_rows_float16_goes_through_halves_no_more_behind_the_softmax():
    from edge.sequence import default_row_model

    nodes = list(halved(onnx.load(default_row_model())).graph.node)
    assert [node.op_type for node in nodes[-2:]] == ["LogSoftmax", "Transpose"]
    assert nodes[-1].input[0] == nodes[-2].output[0] and nodes[-1].output[0] == "log_probs"


def test_ranges_are_chosen_by_distance_and_all_tries_are_told(files):
    tries = files["int8"].tries
    assert [one.distance for one in tries] == sorted(one.distance for one in tries) and tries[0].distance > 0
    assert {one.way.method for one in tries} == {"minmax", "percentile", "entropy"}


def test_the_nearest_way_is_taken(files):
    model = onnx.load(files["float32"].path)
    batches = Digits().batches(np.random.default_rng(0).integers(0, 256, (64, 28, 28), np.uint8))
    ways = [Way("minmax"), Way("percentile", 90.0), Way("percentile", 99.0)]
    distances = iter([3.0, 1.0, 2.0])
    chosen, tries = best(model, "crops", batches, lambda _: next(distances), ways)
    assert [one.way for one in tries] == [ways[1], ways[2], ways[0]]
    assert chosen.SerializeToString() == quantised(model, "crops", batches, ways[1]).SerializeToString()


def test_int8_is_calibrated_on_every_source_and_on_nothing_it_is_measured_on(tiny_run, few_samples):
    _, recipe, facts = checkpoint.load(tiny_run.out / "best.pt")
    sources = samples.of_recipe(recipe, facts.labels, few_samples)
    kinds = {"mnist", "strokes", "parts", "pairs", "marks", "lines"}
    assert {f"validation {kind}" for kind in kinds} | {"mnist test"} <= set(sources.tests)
    learnt, _ = mnist.split_by_writer(mnist.load("train", few_samples), recipe.validation, recipe.seed)
    calibration = {crop.tobytes() for crop in sources.calibration}
    assert len(sources.calibration) >= 5 * samples.CALIBRATED + len(calibration & {c.tobytes() for c in learnt.images})
    for test in ("mnist test", "validation mnist"):
        assert not calibration & {crop.tobytes() for crop in sources.tests[test][0]}
