"""A checkpoint becomes a model file that says the same, carries its card, and is not written where it differs."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from edge.engine import EngineConfig
from edge.errors import ConfigError
from edge.imaging.normalise import PREPROCESSING
from edge.model_card import KEY, ModelCard
from edge.recogniser import Recogniser
from export import gates, samples
from export.card import markdown
from export.onnx_file import export_onnx
from training import checkpoint, engine
from training.dataset import LABELS
from training.evaluate import evaluate_mnist

CPU = EngineConfig("cpu")

# One run of training serves them all: `--dist loadgroup` keeps them in one process.
pytestmark = pytest.mark.xdist_group("tiny run")


@pytest.fixture(scope="module")
def exported(files):
    return files["float32"]


@pytest.mark.parametrize("count", [1, 2, 300])
def test_a_batch_of_any_size_gives_what_the_checkpoint_gives(exported, tiny_run, count):
    network, _, facts = checkpoint.load(tiny_run.out / "best.pt")
    crops = np.random.default_rng(count).integers(0, 256, (count, 28, 28), np.uint8)
    ours = engine.log_probs(network, crops).astype(float) / facts.temperature
    ours -= np.logaddexp.reduce(ours, axis=1, keepdims=True)
    theirs = Recogniser(exported.path, CPU).log_probs(crops)
    assert theirs.shape == (count, 11) and np.abs(ours - theirs).max() < 1e-4


def test_the_file_takes_uint8_crops_and_gives_float32_log_probs(exported):
    model = onnx.load(exported.path)
    (crops,), (log_probs,) = model.graph.input, model.graph.output
    assert (crops.name, crops.type.tensor_type.elem_type) == ("crops", onnx.TensorProto.UINT8)
    assert (log_probs.name, log_probs.type.tensor_type.elem_type) == ("log_probs", onnx.TensorProto.FLOAT)
    shape = crops.type.tensor_type.shape.dim
    assert shape[0].dim_param and [d.dim_value for d in shape[1:]] == [28, 28]
    assert exported.bytes == exported.path.stat().st_size < gates.LARGEST
    assert not exported.path.with_name("tiny.onnx.data").exists()  # the weights are inside


def test_the_card_inside_is_complete_and_true(exported, tiny_run):
    _, recipe, facts = checkpoint.load(tiny_run.out / "best.pt")
    card = Recogniser(exported.path, CPU).card
    assert card.name == "tiny" and card.labels == LABELS and card.preprocessing == PREPROCESSING
    assert card.temperature == facts.temperature and card.epochs == facts.epoch and card.seed == 5
    assert card.recipe == "configs/recipes/tiny.toml" and card.recipe_sha256 == recipe.sha256
    assert card.data == facts.data and card.licence
    assert card.parameters == sum(p.numel() for p in checkpoint.load(tiny_run.out / "best.pt")[0].parameters())
    assert card.accuracies == {**facts.accuracies, **exported.accuracies} and card.precision == "float32"


def test_the_card_says_what_changed_pixels_cost(exported):
    attacked = Recogniser(exported.path, CPU).card.attacked
    (fgsm, right) = next(iter(attacked.items()))
    assert fgsm == "mnist test, the first 500, FGSM 0.05" and len(attacked) == 4
    assert min(attacked.values()) < right < exported.accuracies[samples.MNIST_TEST]
    page = exported.path.with_suffix(".md").read_text()
    assert f"| {fgsm} | {right:.2%} |" in page


def test_the_file_holds_no_trace_of_the_source_it_was_made_from(exported):
    data = exported.path.read_bytes()
    assert str(Path(__file__).parents[2]).encode() not in data and b".py" not in data
    assert [entry.key for entry in onnx.load(exported.path).metadata_props] == [KEY]


def test_accuracies_are_those_of_the_file_and_of_the_checkpoint(exported, tiny_run, taken_for_mnist):
    assert exported.accuracies == exported.before
    right = exported.accuracies[samples.MNIST_TEST]
    assert evaluate_mnist(exported.path, taken_for_mnist).accuracy == pytest.approx(right)
    assert evaluate_mnist(tiny_run.out / "best.pt", taken_for_mnist).accuracy == pytest.approx(right)
    assert 0 <= exported.farthest < 1e-4


def test_a_page_for_people_lies_beside_the_file(exported):
    page = exported.path.with_suffix(".md").read_text(encoding="utf-8")
    card = Recogniser(exported.path, CPU).card
    # The lines are those of the card; only inside the file the accuracies are in alphabetical order.
    assert sorted(page.splitlines()) == sorted(markdown(card, exported.path.stat().st_size).splitlines())
    assert page.startswith("# Model card: tiny\n")
    for said in (
        f"{card.parameters:,}",
        card.recipe_sha256[:16],
        card.licence,
        "seed 5",
        "float32",
        f"{exported.accuracies['mnist test']:.2%}",
    ):
        assert said in page
    assert all(data.name in page for data in card.data)


def test_only_the_files_and_their_pages_are_written(exported):
    names = [f"tiny{which}.{end}" for which in (".fp16", ".int8", "", ".packed") for end in ("md", "onnx")]
    assert sorted(path.name for path in exported.path.parent.iterdir()) == names


def assert_untouched(out):
    assert out.read_bytes() == b"the old one" and out.with_suffix(".md").read_text() == "the old page"
    assert sorted(path.name for path in out.parent.iterdir()) == ["digits.md", "digits.onnx"]


def refusal(checkpoint, out, data):
    with pytest.raises(ConfigError) as error:
        export_onnx(checkpoint, out, data)
    assert "\n" not in str(error.value) and error.value.exit_code == 78
    return str(error.value)


def test_a_file_that_differs_from_its_checkpoint_is_not_written(tiny_run, taken_for_mnist, old_file, monkeypatch):
    monkeypatch.setattr(gates, "FARTHEST", -1.0)
    said = refusal(tiny_run.out / "best.pt", old_file, taken_for_mnist)
    assert said.startswith(f"{old_file}: not written") and "best.pt" in said
    assert_untouched(old_file)


def test_a_file_that_is_too_large_is_not_written(tiny_run, taken_for_mnist, old_file, monkeypatch):
    monkeypatch.setattr(gates, "LARGEST", 1000)
    assert "at most 1,000" in refusal(tiny_run.out / "best.pt", old_file, taken_for_mnist)
    assert_untouched(old_file)


def test_a_checkpoint_that_is_none_leaves_the_old_file(tmp_path, old_file, taken_for_mnist):
    broken = tmp_path / "sub" / "best.pt"
    broken.parent.mkdir()
    broken.write_bytes(b"none")
    assert str(broken) in refusal(broken, old_file, taken_for_mnist)
    broken.unlink()
    broken.parent.rmdir()
    assert_untouched(old_file)


def test_the_card_inside_can_be_read_without_running_the_file(exported):
    (entry,) = onnx.load(exported.path).metadata_props
    assert ModelCard.from_json(entry.value).name == "tiny"


def test_exporting_what_is_no_checkpoint_is_one_line_on_the_command_line(digitd, tmp_path):
    path = tmp_path / "best.pt"
    path.write_bytes(b"none")
    done = digitd("export", path, "--out", tmp_path / "out.onnx")
    assert done.returncode == 78 and done.stdout == b""
    said = done.stderr.decode().strip()
    assert str(path) in said and "\n" not in said and not (tmp_path / "out.onnx").exists()
