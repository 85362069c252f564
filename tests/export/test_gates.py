"""Each gate opens for what is right, and stays shut for what is not."""

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from export import gates
from export.kinds import Digits


def program(*nodes, ir=10, opset=18, more=()):
    """uint8 [N, 28, 28] through the nodes to log_probs."""
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [helper.make_tensor_value_info("crops", TensorProto.UINT8, ["N", 28, 28])],
        [helper.make_tensor_value_info("log_probs", TensorProto.FLOAT, ["N", None])],
        [numpy_helper.from_array(np.array([784], np.int64), "size")],
    )
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in more)]
    model = helper.make_model(graph, opset_imports=opsets)
    model.ir_version = ir
    return model


CAST = helper.make_node("Cast", ["crops"], ["x"], to=TensorProto.FLOAT)
FLAT = helper.make_node("Flatten", ["x"], ["flat"])
SOFT = helper.make_node("LogSoftmax", ["flat"], ["log_probs"])
CROPS = np.random.default_rng(0).integers(0, 256, (9, 28, 28), np.uint8)


def test_what_the_oldest_runtime_opens_passes():
    model = program(CAST, FLAT, SOFT)
    assert gates.opens_in_oldest(model).passed and gates.passes_checker(model).passed
    assert gates.batches_agree(model.SerializeToString(), Digits(), CROPS).passed
    assert gates.answers_repeat(model.SerializeToString(), Digits(), CROPS).passed


@pytest.mark.parametrize("changes", [{"ir": 14}, {"opset": 26}, {"more": ["com.microsoft"]}])
def test_what_it_cannot_open_does_not_pass(changes):
    gate = gates.opens_in_oldest(program(CAST, FLAT, SOFT, **changes))
    assert not gate.passed and str(*changes.values()).strip("[]'") in gate.found


def test_a_graph_out_of_order_does_not_pass_the_checker():
    gate = gates.passes_checker(program(FLAT, CAST, SOFT))
    assert not gate.passed and "sorted" in gate.found and "\n" not in gate.found


def test_a_graph_whose_shapes_do_not_fit_does_not_pass_the_checker():
    narrow = helper.make_node("Squeeze", ["x", "size"], ["flat"])  # there is no axis 784
    assert not gates.passes_checker(program(CAST, narrow, SOFT)).passed


def test_answers_that_hang_on_the_rest_of_the_batch_do_not_pass():
    mean = helper.make_node("ReduceMean", ["flat"], ["mean"], keepdims=1)
    off = helper.make_node("Sub", ["flat", "mean"], ["off"])
    scaled = helper.make_node("Div", ["flat", "mean"], ["log_probs"])
    gate = gates.batches_agree(program(CAST, FLAT, mean, off, scaled).SerializeToString(), Digits(), CROPS)
    assert not gate.passed and "differ by" in gate.found


def test_answers_that_change_from_run_to_run_do_not_pass():
    noise = helper.make_node("RandomUniformLike", ["flat"], ["log_probs"])
    assert not gates.answers_repeat(program(CAST, FLAT, noise).SerializeToString(), Digits(), CROPS).passed


@pytest.mark.parametrize(("found", "precision", "passed"), [
    (0.9e-3, "float32", True), (1.1e-3, "float32", False), (float("nan"), "float16", False), (2.0, "int8", True),
])  # fmt: skip
def test_float32_alone_is_held_to_the_networks_log_probabilities(found, precision, passed):
    assert gates.agrees(found, precision, "test").passed is passed


def shares(total, lost, won):
    ours, theirs = np.ones(total, bool), np.ones(total, bool)
    theirs[:lost], ours[lost : lost + won] = False, False
    return ours, theirs


@pytest.mark.parametrize(("precision", "total", "lost", "won", "passed"), [
    ("float32", 10_000, 0, 0, True), ("float32", 10_000, 1, 0, False), ("float32", 10_000, 1, 1, True),
    ("float32", 1500, 1, 0, False),
    ("float16", 10_000, 1, 0, True), ("float16", 10_000, 2, 0, False), ("float16", 10_000, 5, 4, True),
    ("int8", 10_000, 2, 0, True), ("int8", 10_000, 3, 0, False), ("int8", 10_000, 30, 10, False),
    # Of 1500, one is more than is allowed: chance decides.
    ("int8", 1500, 4, 0, True), ("int8", 1500, 5, 0, False), ("int8", 1500, 5, 4, True), ("int8", 1500, 30, 10, False),
])  # fmt: skip
def test_a_loss_passes_within_the_limit_or_of_few_samples_by_chance(precision, total, lost, won, passed):
    gate = gates.reads_as_well(*shares(total, lost, won), precision, "test")
    assert gate.passed is passed and f"{lost} lost, {won} won" in gate.found


@given(lost=st.integers(0, 60), won=st.integers(0, 60))
def test_losing_more_never_passes_where_losing_less_does_not(lost, won):
    less, more = (gates.reads_as_well(*shares(2_000, count, won), "int8", "test").passed for count in (lost, lost + 1))
    assert less or not more


def test_a_file_too_large_does_not_pass():
    assert gates.small_enough(1_500_000).passed and not gates.small_enough(1_500_001).passed


def test_the_table_says_which_gate_fails():
    shown = gates.table([gates.small_enough(10), gates.export_repeats(b"a", b"b")])
    heads, first, second = shown.splitlines()
    assert heads.startswith("gate") and "FAILS" not in first and second.endswith("FAILS")
    assert len({line.index(word) for line, word in ((heads, "wanted"), (first, "at most"), (second, "the same"))}) == 1


def test_a_broken_card_is_no_gate_but_an_error(tmp_path):
    from edge.errors import ModelError
    from export.quantize import opened

    path = tmp_path / "x.onnx"
    for content, said in ((b"none", "not an ONNX file"), (program(CAST, FLAT, SOFT).SerializeToString(), "no digitd")):
        path.write_bytes(content)
        with pytest.raises(ModelError, match=said) as error:
            opened(path)
        assert str(error.value).startswith(str(path)) and "\n" not in str(error.value)
    model = program(CAST, FLAT, SOFT)
    model.metadata_props.add(key="digitd", value="{")
    onnx.save(model, path)
    with pytest.raises(ModelError, match="metadata") as error:
        opened(path)
    assert str(error.value).startswith(str(path))
