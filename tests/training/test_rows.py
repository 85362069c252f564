"""Whole rows: the stock is made once, batches can be spelt, a run learns, its checkpoint becomes a model file."""

import itertools
import json

import numpy as np
import pytest
import torch

from edge.engine import EngineConfig
from edge.errors import ConfigError
from edge.sequence import STEP, RowModel
from export.onnx_file import export_onnx
from training import checkpoint, engine, mnist, row_dataset, row_task
from training.confidence import calibration_error, fitted
from training.recipe import RowRecipe, Writers

# One run of training serves them all: `--dist loadgroup` keeps them in one process.
pytestmark = pytest.mark.xdist_group("tiny rows")

RECIPE = RowRecipe(
    reads="rows",
    name="tiny-rows",
    strips=90,
    epochs=2,
    batch=16,
    hands=4,
    width=4,
    writers=Writers(mnist=0.2, hands=0, strokes=0.8, fonts=0),
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A tiny run's folder, and how to export what is in it."""
    rng = np.random.default_rng(0)
    images = np.zeros((200, 28, 28), np.uint8)
    images[:, 4:24, 8:18] = rng.integers(0, 256, (200, 20, 10))
    digits = mnist.Mnist(
        images, np.tile(np.arange(10, dtype=np.uint8), 20), np.repeat(np.arange(10), 20).astype(np.int32)
    )
    out = tmp_path_factory.mktemp("rows")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mnist, "load", lambda *_, **__: digits)
        whole = row_dataset.validation
        patch.setattr(row_task, "validation", lambda recipe, data: whole(recipe, data, 20))
        engine.train(row_task.RowTask(RECIPE, None, out / "run"), RECIPE, out / "run", engine.Run(threads=1))
        patch.setattr(row_dataset, "validation", lambda recipe, data, count: whole(recipe, data, 12))
        (exported,) = export_onnx(out / "run" / "best.pt", out / "rows.onnx", None)
    return out, exported


def test_a_run_leaves_its_stock_its_history_and_checkpoints(run):
    folder = run[0] / "run"
    names = {path.name for path in folder.iterdir()}
    assert names == {"best.pt", "last.pt", "state.pt", "history.jsonl", "history.png", "metrics.json", "strips"}
    epochs = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    assert [epoch["epoch"] for epoch in epochs] == [1, 2]
    assert epochs[1]["training_loss"] < epochs[0]["training_loss"]
    network, recipe, facts = checkpoint.load(folder / "best.pt")
    assert recipe == RECIPE and facts.data[0].samples == 180
    assert sum(p.numel() for p in network.parameters()) < 160_000


def test_the_stock_of_a_run_is_taken_as_it_is(run, monkeypatch):
    monkeypatch.setattr(row_dataset, "_prepare", lambda *_: pytest.fail("made anew"))
    strips = row_dataset.stock(RECIPE, None, run[0] / "run" / "strips")
    assert 80 <= len(strips) <= 90
    for ink, text in strips:
        assert ink.shape[1] // STEP >= len(text)


def test_an_epoch_shows_every_strip_once_and_can_be_repeated(run):
    strips = row_dataset.stock(RECIPE, None, run[0] / "run" / "strips")
    batches = list(row_dataset.batches(strips, RECIPE, 1))
    assert len(batches) == row_dataset.per_epoch(strips, RECIPE)
    assert sum(len(batch.strips) for batch in batches) == len(strips)
    for batch in batches:
        assert int(batch.lengths.sum()) == len(batch.labels)
        assert batch.strips.shape[1] == 32 and batch.strips.shape[2] % STEP == 0
        assert not len(batch.labels) or int(batch.labels.min()) >= 1  # blank is no text's
    again = list(row_dataset.batches(strips, RECIPE, 1))
    assert all((one.strips == other.strips).all() for one, other in zip(batches, again, strict=True))


def test_the_file_says_what_the_checkpoint_says_for_strips_of_any_width(run):
    out, exported = run
    assert list(exported.accuracies) == ["rows of held-out writers"] and exported.farthest < 1e-3
    model = RowModel(out / "rows.onnx", EngineConfig("cpu"))
    assert model.card.name == "tiny-rows" and model.card.labels == row_dataset.LABELS
    for width in (8, 40, 1024):
        (steps,) = model.log_probs([np.full((32, width), 90, np.uint8)])
        assert steps.shape == (width // 4, 11)
    assert "CTC" in (out / "rows.md").read_text()


def test_a_run_begins_with_another_runs_weights_but_not_with_a_digit_models(run, tmp_path, tiny_run):
    with pytest.raises(ConfigError, match="another kind or width"):
        row_task.RowTask(RECIPE, None, tmp_path, tiny_run.out / "best.pt")
    assert not list(tmp_path.iterdir())  # said before the strips were made
    network = checkpoint.row_net_of(RECIPE)
    checkpoint.begin_with(network, run[0] / "run" / "best.pt")
    learnt, _, _ = checkpoint.load(run[0] / "run" / "best.pt")
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), learnt.parameters(), strict=True))


def test_a_deeper_run_begins_with_what_a_shallower_one_says(run, tmp_path):
    start = run[0] / "run" / "best.pt"
    deeper = RECIPE.model_copy(update={"deeper": 1})
    network = checkpoint.row_net_of(deeper)
    checkpoint.begin_with(network, start)
    learnt, _, _ = checkpoint.load(start)
    assert len(list(network.parameters())) > len(list(learnt.parameters()))
    strips = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (6, 32, 64), np.uint8))
    with torch.no_grad():
        told, before = network.eval()(strips).exp(), learnt.eval()(strips).exp()
    assert torch.abs(told - before).max() < 0.1
    # The other way round weights would be lost.
    grown = tmp_path / "deeper.pt"
    checkpoint.save(grown, network, deeper, checkpoint.Facts(1, 1.0, {}, (), row_dataset.LABELS))
    with pytest.raises(ConfigError, match="another kind or width"):
        checkpoint.begin_with(checkpoint.row_net_of(RECIPE), grown)
    assert RECIPE.sha256 != deeper.sha256


def test_a_run_begins_with_a_model_file_deeper_or_not_but_with_no_other(run, tmp_path, monkeypatch):
    out, _ = run
    monkeypatch.setattr(row_task, "validation", lambda *_: [])
    monkeypatch.setattr(row_task, "bank", lambda *_, **__: (None, ()))
    for deeper in (0, 1):
        recipe = RECIPE.model_copy(update={"deeper": deeper})
        task = row_task.RowTask(recipe, None, out / "run", out / "rows.onnx")
        strips = [ink for ink, _ in task.strips[:1]]
        (told,) = RowModel(out / "rows.onnx", EngineConfig("cpu")).log_probs(strips)
        with torch.no_grad():
            said = task.network.eval()(torch.from_numpy(strips[0][None]))[0].numpy()
        assert np.abs(np.exp(said) - np.exp(told)).max() < (0.1 if deeper else 1e-3)
    wrong = tmp_path / "wrong.onnx"
    wrong.write_bytes(b"no model")
    for recipe, start in ((RECIPE, wrong), (RECIPE.model_copy(update={"width": 12}), out / "rows.onnx")):
        with pytest.raises(ConfigError, match=start.name):
            row_task.RowTask(recipe, None, tmp_path / "run", start)
    assert not (tmp_path / "run").exists()  # said before the strips were made


def test_a_batch_is_parted_among_processes_with_its_texts():
    texts = ["12", "", "3", "456"]
    batch = row_dataset.padded([(np.full((32, 40), i, np.uint8), text) for i, text in enumerate(texts)])
    task = object.__new__(row_task.RowTask)
    parts = [task.part(batch, rank, 2) for rank in range(2)]
    assert [part.strips[:, 0, 0].tolist() for part in parts] == [[0, 2], [1, 3]]
    assert [part.labels.tolist() for part in parts] == [[2, 3, 4], [5, 6, 7]]
    assert [part.lengths.tolist() for part in parts] == [[2, 1], [0, 3]]


def test_a_row_that_nobody_could_read_hardly_weighs_where_rows_are_learnt_exactly():
    torch.manual_seed(0)
    scores = torch.randn(3, 4, 3, requires_grad=True)
    log_probs = scores.log_softmax(2)
    texts = [(1, 2), (2,), ()]
    labels = torch.tensor([label for text in texts for label in text])
    batch = row_dataset.Batch(torch.zeros(0), labels, torch.tensor([len(text) for text in texts]))

    def spelt(path):
        return tuple(label for label, before in zip(path, (0, *path), strict=False) if label and label != before)

    # Of all paths of four steps, those that spell the text.
    paths = list(itertools.product(range(3), repeat=4))
    steps = list(range(4))
    whole = [
        sum(row[steps, path].sum().exp() for path in map(list, paths) if spelt(path) == text)
        for row, text in zip(log_probs, texts, strict=True)
    ]
    likely = torch.stack(whole)
    assert row_task.exact_loss(log_probs, batch, 1.0).item() == pytest.approx((1 - likely).mean().item(), rel=1e-4)
    half = row_task.exact_loss(log_probs, batch, 0.5)
    assert half.item() == pytest.approx(((1 - likely.sqrt()) / 0.5).mean().item(), rel=1e-4)
    letters = torch.tensor([2, 1, 1])  # a text of none is divided by nothing
    usual = row_task.ctc_loss(log_probs, batch)
    assert usual.item() == pytest.approx((-likely.log() / letters).mean().item(), rel=1e-4)

    hopeless = torch.full((1, 4, 3), -20.0)
    hopeless[..., 0] = 20.0  # surely blank, where the text is "1"
    hopeless.requires_grad_()
    one = row_dataset.Batch(torch.zeros(0), torch.tensor([1]), torch.tensor([1]))
    pulled = [
        torch.autograd.grad(loss(hopeless.log_softmax(2), one), hopeless)[0].abs().max().item()
        for loss in (row_task.ctc_loss, lambda steps, batch: row_task.exact_loss(steps, batch, 0.4))
    ]
    assert pulled[0] > 0.1
    assert pulled[1] < 1e-4


def test_confidence_is_fitted_to_the_share_that_is_right():
    rng = np.random.default_rng(0)
    signs = np.stack([np.ones(4000), rng.normal(0, 1, 4000)], axis=1)
    right = (rng.random(4000) < 1 / (1 + np.exp(-(0.5 + 2 * signs[:, 1])))).astype(float)
    weights = fitted(signs, right)
    assert weights == pytest.approx([0.5, 2.0], abs=0.2)
    sure = 1 / (1 + np.exp(-signs @ weights))
    assert calibration_error(sure, right) < 0.03
    assert calibration_error(np.full(4000, 0.99), right) > 0.3
