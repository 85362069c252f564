"""`digitd verify` tells a good file from a bad one, and `digitd quantize` makes a good one."""

import numpy as np
import onnx
import pytest

from edge.engine import EngineConfig
from edge.errors import ConfigError, UsageError
from edge.model_card import ModelCard
from edge.recogniser import Recogniser, default_model
from export import cli
from export.program import card_of, with_card
from export.quantize import quantize
from export.verify import verify

pytestmark = pytest.mark.xdist_group("tiny run")


def failed(gates):
    return [gate.name for gate in gates if not gate.passed]


def test_an_exported_file_passes_by_itself_and_beside_its_checkpoint(files, tiny_run, few_samples):
    alone = verify(files["float32"].path, None, few_samples)
    beside = verify(files["float32"].path, tiny_run.out / "best.pt", few_samples)
    assert failed(alone) == failed(beside) == []
    assert {"edge", "onnx.checker", "two runs", "right, mnist test"} <= {gate.name for gate in alone}
    assert {"two exports", "log-probabilities, mnist test"} <= {gate.name for gate in beside}


@pytest.mark.parametrize("precision", ["float16", "int8"])
def test_other_precisions_pass_beside_the_float32_file(files, few_samples, precision):
    assert failed(verify(files[precision].path, files["float32"].path, few_samples)) == []


def changed(files, tmp_path, change):
    """The tiny run's file with `change` done to its graph."""
    model = onnx.load(files["float32"].path)
    change(model.graph)
    onnx.save(model, tmp_path / "changed.onnx")
    return tmp_path / "changed.onnx"


def unlearnt(graph):
    """Everything is taken for a 3."""
    (bias,) = (w for w in graph.initializer if w.name == "head.bias")
    values = onnx.numpy_helper.to_array(bias).copy()
    values[3] += 50
    bias.CopyFrom(onnx.numpy_helper.from_array(values, bias.name))


def test_a_file_that_reads_worse_than_its_card_says_fails(files, few_samples, tmp_path):
    assert failed(verify(changed(files, tmp_path, unlearnt), None, few_samples)) == ["right, mnist test"]


def test_a_file_that_reads_worse_than_another_fails(files, few_samples, tmp_path):
    gates = failed(verify(changed(files, tmp_path, unlearnt), files["float32"].path, few_samples))
    assert "log-probabilities, mnist test" in gates and "right, mnist test" in gates


def test_a_file_that_the_box_cannot_open_fails_with_the_boxs_words(files, few_samples, tmp_path):
    def renamed(graph):
        graph.node[-1].output[0] = graph.output[0].name = "scores"

    gates = verify(changed(files, tmp_path, renamed), None, few_samples)
    assert failed(gates) == ["edge"] and "log_probs" in next(gate.found for gate in gates if not gate.passed)


def test_files_of_other_labels_are_not_compared(files, few_samples, tmp_path):
    model = onnx.load(files["float32"].path)
    card = card_of(model)
    assert card is not None
    letters = ModelCard.from_json(card.to_json().replace('"0", "1"', '"A", "B"'))
    onnx.save(with_card(model, letters), tmp_path / "letters.onnx")
    with pytest.raises(ConfigError, match="other labels"):
        verify(files["float32"].path, tmp_path / "letters.onnx", few_samples)


def test_the_command_prints_a_table_and_ends_with_1_where_a_gate_fails(files, few_samples, tmp_path, capsys):
    import typer

    cli.verify(files["float32"].path, None, few_samples)
    assert "FAILS" not in capsys.readouterr().out
    with pytest.raises(typer.Exit) as end:
        cli.verify(changed(files, tmp_path, unlearnt), None, few_samples)
    assert end.value.exit_code == 1
    out = capsys.readouterr().out
    assert out.startswith("gate") and [line for line in out.splitlines() if line.endswith("FAILS")]


def test_a_file_is_quantised_without_its_checkpoint(files, few_samples, tmp_path):
    done = quantize(files["float32"].path, tmp_path / "small.onnx", few_samples)
    card = Recogniser(done.path, EngineConfig("cpu")).card
    assert card.precision == "int8" and card.accuracies["mnist test"] == done.accuracies["mnist test"]
    assert failed(verify(done.path, files["float32"].path, few_samples)) == []


def test_without_mnist_drawn_digits_serve(files, few_samples, tmp_path):
    done = quantize(files["float32"].path, tmp_path / "small.onnx", tmp_path / "nothing here")
    assert "parts, of drawn digits" in done.accuracies and all("drawn" in test for test in done.accuracies)
    assert np.isfinite(done.farthest)


def test_without_mnist_a_good_file_passes_and_that_nothing_was_measured_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DIGITD_DATA", str(tmp_path))
    cli.verify(default_model(), None, None)
    out = capsys.readouterr().out
    assert "two runs" in out and "FAILS" not in out and "not measured" in out.splitlines()[-1]


@pytest.mark.parametrize("command", [cli.verify, cli.quantize])
def test_a_folder_that_is_named_and_does_not_hold_mnist_is_an_error(command, tmp_path):
    with pytest.raises(ConfigError, match="--data-dir") as error:
        command(default_model(), tmp_path / "out.onnx", tmp_path)
    assert str(tmp_path) in str(error.value) and not list(tmp_path.iterdir())


def test_what_is_int8_already_or_reads_rows_is_not_quantised(files, tmp_path):
    from edge.sequence import default_row_model

    for path, said in ((files["int8"].path, "int8 already"), (default_row_model(), "whole rows")):
        with pytest.raises(ConfigError, match=said) as error:
            quantize(path, tmp_path / "small.onnx", None)
        assert "\n" not in str(error.value) and not list(tmp_path.iterdir())


@pytest.mark.parametrize(("options", "said"), [
    ({"precision": "fp32,fp8"}, "fp8"), ({"precision": ""}, "none of"), ({"program": "x.pt"}, ".pt2"),
])  # fmt: skip
def test_options_that_do_not_exist_are_one_line(tmp_path, options, said):
    from pathlib import Path

    if "program" in options:
        options = {"program": Path(options["program"])}
    with pytest.raises(UsageError) as error:
        cli.export(tmp_path / "best.pt", **options)
    assert said in str(error.value) and "\n" not in str(error.value)
