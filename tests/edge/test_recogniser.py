"""A model file is opened only if it is one, and run so that its answers are calibrated probabilities."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto

from edge.cores import usable_cores
from edge.engine import LARGEST_FILE, EngineConfig
from edge.errors import ModelError
from edge.imaging.normalise import PREPROCESSING
from edge.recogniser import Recogniser, Tuned, default_model

CPU = EngineConfig("cpu", threads=1)


def crops_of(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 28, 28), np.uint8)


def refusal(path, engine=CPU):
    """What is said of a model file that is not taken: one line that names the file, and a way on."""
    with pytest.raises(ModelError) as caught:
        Recogniser(path, engine)
    said = str(caught.value)
    assert said.startswith(f"{path}: ") and "\n" not in said and len(said) < 400 + len(str(path))
    assert caught.value.exit_code == 78
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert any(mend in said for mend in ("digitd export", "name a file", "check its name", "export it again"))
    return said


def test_a_model_file_is_opened_with_its_card(model_file, card):
    recogniser = Recogniser(model_file(), CPU)
    assert recogniser.card == card
    assert recogniser.reject == 10
    assert recogniser.providers == ("CPUExecutionProvider",) and recogniser.note is None


def test_a_path_with_spaces_and_accents_is_opened(model_file):
    Recogniser(model_file("modèle n° 1.onnx"), CPU)


def test_without_a_path_the_file_that_comes_with_the_package_is_taken():
    assert Recogniser(None, CPU).card == Recogniser(default_model(), CPU).card
    assert default_model().parent.parent.name == "edge"


def test_a_model_that_cannot_reject_is_taken_too(model_file):
    recogniser = Recogniser(model_file(labels=tuple("0123456789")), CPU)
    assert recogniser.reject is None and recogniser.log_probs(crops_of(3)).shape == (3, 10)


def test_each_row_of_log_probs_sums_to_one(model_file):
    out = Recogniser(model_file(), CPU).log_probs(crops_of(40))
    assert out.shape == (40, 11) and out.dtype == np.float32
    assert np.exp(out.astype(float)).sum(1) == pytest.approx(np.ones(40), abs=1e-5)


def test_no_crops_give_no_rows(model_file):
    out = Recogniser(model_file(), CPU).log_probs(np.zeros((0, 28, 28), np.uint8))
    assert out.shape == (0, 11) and out.dtype == np.float32


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_cards_temperature_is_applied_and_probabilities_still_sum_to_one(temperature, model_file):
    crops = crops_of(20)
    plain = Recogniser(model_file("plain.onnx"), CPU).log_probs(crops).astype(float)
    out = Recogniser(model_file(temperature=temperature), CPU).log_probs(crops)
    expected = plain / temperature
    expected -= np.log(np.exp(expected).sum(1, keepdims=True))
    assert out.dtype == np.float32
    assert out == pytest.approx(expected, abs=1e-4)
    assert np.exp(out.astype(float)).sum(1) == pytest.approx(np.ones(20), abs=1e-5)


@pytest.mark.parametrize("model", ["tiny", "shipped"])
def test_a_digits_answer_does_not_depend_on_the_batch_it_is_in(model, model_file):
    recogniser = Recogniser(model_file() if model == "tiny" else None, CPU)
    crops = crops_of(130)
    together = recogniser.log_probs(crops)
    alone = np.concatenate([recogniser.log_probs(crops[i : i + 1]) for i in range(130)])
    odd = np.concatenate([recogniser.log_probs(crops[i : i + 7]) for i in range(0, 130, 7)])
    assert np.abs(together - alone).max() < 1e-4 and np.abs(together - odd).max() < 1e-4


def test_the_same_crops_give_the_same_answer_with_any_number_of_threads(model_file):
    crops = crops_of(50)
    one, two = (Recogniser(None, EngineConfig("cpu", threads=n)).log_probs(crops) for n in (1, 2))
    assert np.abs(one - two).max() < 1e-4


def test_threads_are_those_asked_for_and_do_not_spin(model_file):
    options = Recogniser(model_file(), EngineConfig("cpu", threads=3))._engine._session.get_session_options()
    assert options.intra_op_num_threads == 3 and options.inter_op_num_threads == 1
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    options = Recogniser(model_file(), EngineConfig("cpu", spinning=True))._engine._session.get_session_options()
    assert options.intra_op_num_threads == usable_cores()
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "1"


@pytest.mark.parametrize("above", [0.0, 0.5, 0.6, 0.9, 1.0])
def test_a_tuned_models_answer_is_taken_where_it_is_at_least_so_sure(above, model_file):
    base, tuned = model_file("base.onnx"), model_file("tuned.onnx", seed=1, temperature=2.0)
    crops = crops_of(60)
    theirs, ours = (Recogniser(path, CPU).log_probs(crops) for path in (base, tuned))
    sure = np.exp(ours.max(1)) >= above
    assert above not in (0.5, 0.6) or 5 < sure.sum() < 55
    out = Tuned(base, tuned, above, CPU).log_probs(crops)
    assert out.dtype == np.float32
    assert out == pytest.approx(np.where(sure[:, None], ours, theirs), abs=1e-4)


def test_just_as_sure_is_sure_enough(model_file):
    base, tuned, crops = model_file("base.onnx"), model_file("tuned.onnx", seed=1, temperature=2.0), crops_of(60)
    ours = Recogniser(tuned, CPU).log_probs(crops)
    above = float(np.exp(ours.max(1))[7])
    assert (Tuned(base, tuned, above, CPU).log_probs(crops)[7] == ours[7]).all()


def test_a_base_and_its_tuned_model_answer_for_the_base(model_file):
    base, tuned = model_file("base.onnx"), model_file("tuned.onnx", name="mine", seed=1)
    pair, alone = Tuned(base, tuned, engine=CPU), Recogniser(base, CPU)
    assert (pair.reject, pair.providers, pair.note) == (alone.reject, alone.providers, alone.note)
    assert pair.card == dataclasses.replace(alone.card, name="tiny with mine")
    assert pair.log_probs(np.zeros((0, 28, 28), np.uint8)).shape == (0, 11)


def test_a_model_with_itself_for_its_tuned_one_answers_as_it_does_alone():
    crops = crops_of(40)
    assert Tuned(None, default_model(), 0.5, CPU).log_probs(crops) == pytest.approx(
        Recogniser(None, CPU).log_probs(crops), abs=1e-4
    )


@pytest.mark.parametrize("labels", [tuple("0123456789"), (*"1023456789", "reject"), (*"ABCDEFGHIJ", "reject")])
def test_a_tuned_model_of_other_labels_is_refused_in_one_line(labels, model_file):
    base, tuned = model_file("base.onnx"), model_file("tuned.onnx", labels=labels)
    with pytest.raises(ModelError) as caught:
        Tuned(base, tuned, engine=CPU)
    said = str(caught.value)
    assert said.startswith(f"{tuned}: ") and str(base) in said and "same order" in said and "\n" not in said


@pytest.mark.parametrize("above", [-0.1, 1.1, float("nan")])
def test_how_sure_a_tuned_model_has_to_be_is_a_probability(above, model_file):
    with pytest.raises(ValueError, match="tuned_above"):
        Tuned(None, model_file(), above)


def test_a_missing_model_file_is_one_line(tmp_path):
    assert "cannot be read" in refusal(tmp_path / "no such.onnx")


def test_a_folder_is_no_model_file(tmp_path):
    refusal(tmp_path)


def test_a_cut_off_model_file_is_one_line(model_file):
    path = model_file()
    data = path.read_bytes()
    for length in (0, 1, 100, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:length])
        refusal(path)


@pytest.mark.parametrize(
    "content", [b"weights: 1, 2, 3\n" * 40, b"\x89PNG\r\n\x1a\n" + bytes(500), os.urandom(3000), bytes(2000)]
)
def test_a_file_that_is_no_model_is_one_line(content, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    refusal(path)


def test_a_model_without_metadata_is_refused(model_file):
    assert "carries no digitd metadata" in refusal(model_file(metadata=None))


@pytest.mark.parametrize("text", ["not json", "{}", "[]", '{"labels": 3}'])
def test_a_model_with_garbled_metadata_is_refused(text, model_file):
    assert "metadata" in refusal(model_file(metadata=text))


@pytest.mark.parametrize("version", [PREPROCESSING - 1, PREPROCESSING + 1])
def test_a_model_for_another_preprocessing_is_refused(version, model_file):
    said = refusal(model_file(preprocessing=version))
    assert f"preprocessing {version}" in said and str(PREPROCESSING) in said


@pytest.mark.parametrize(
    "fault",
    [
        {"side": 32},
        {"kind": TensorProto.INT32},
        {"name_in": "image"},
        {"name_out": "answers"},
        {"outputs": 10},
        {"outputs": 12},
        {"labels": ("0", "1", "reject"), "outputs": 11},
    ],
    ids=str,
)
def test_a_model_with_other_inputs_or_outputs_is_refused(fault, model_file):
    assert "crops uint8 [N,28,28]" in refusal(model_file(**fault))


def test_labels_and_temperature_must_be_usable(model_file):
    refusal(model_file(labels=("0", "0", "reject")))
    refusal(model_file(temperature=0.0))


def test_a_huge_file_is_refused_without_being_read(tmp_path):
    path = tmp_path / "huge.onnx"
    with path.open("wb") as file:
        file.truncate(LARGEST_FILE + (1 << 20))
    assert "too large" in refusal(path)


@pytest.mark.parametrize("damage", ["text", "cut off"])
def test_a_broken_model_prints_nothing_but_the_error(damage, model_file, capfd):
    path = model_file()
    path.write_bytes(b"no model" if damage == "text" else path.read_bytes()[:400])
    with pytest.raises(ModelError):
        Recogniser(path, CPU)
    assert capfd.readouterr() == ("", "")


def test_the_engines_configuration_cannot_be_changed_under_way():
    with pytest.raises(dataclasses.FrozenInstanceError):
        EngineConfig().threads = 4


def test_edge_never_imports_what_only_training_needs():
    code = (
        "import importlib, pkgutil, sys, edge\n"
        "names = [m.name for m in pkgutil.walk_packages(edge.__path__, 'edge.') if '__main__' not in m.name]\n"
        "for name in names: importlib.import_module(name)\n"
        "edge.Reader\n"
        "unwanted = ('torch', 'onnx', 'onnxscript', 'training', 'export', 'matplotlib', 'tqdm')\n"
        "print(len(names), sorted({m.split('.')[0] for m in sys.modules} & set(unwanted)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    count, _, unwanted = done.stdout.strip().partition(" ")
    assert int(count) >= len(list(Path(__file__).parents[2].joinpath("edge", "imaging").glob("*.py")))
    assert unwanted == "[]"


def test_reading_pictures_imports_nothing_of_the_daemons():
    code = "import sys; from edge import Reader; Reader(); print({'pydantic', 'paho', 'urllib3'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
