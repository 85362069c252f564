"""A network that learnt by episodes is taught a class by five pictures, without training, from the command line."""

import cv2
import numpy as np
import pytest
import torch

from edge.imaging.normalise import normalise
from edge.recogniser import Recogniser
from export import model_file
from export.finetune_cli import finetune
from training import checkpoint, mnist
from training.engine import log_probs
from training.fewshot import EpisodeTask
from training.recipe import Recipe
from training.synth import glyphs
from training.synth.strokes import hand_of

pytestmark = pytest.mark.xdist_group("fewshot")

PINE = "28,0 28,50 28,100; 2,24 28,40 56,22; 2,60 28,76 56,58"
"""No class of the episodes."""


@pytest.fixture
def base(tmp_path, taken_for_mnist):
    """A checkpoint as `digitd train --recipe fewshot` leaves it, of a small network and few episodes."""
    recipe = Recipe.model_validate(
        {
            "name": "fewshot",
            "epochs": 1,
            "plain": 1.0,
            "episodes": {"ways": 16, "shots": 4, "queries": 3, "per_epoch": 40},
            "mix": {"strokes": 0, "parts": 0, "pairs": 0, "marks": 0, "lines": 0},
            "network": {"family": "digitcnn", "width": 8, "hidden": 32, "dropout": 0.0},
        }
    )
    torch.set_num_threads(1)
    task = EpisodeTask(recipe, taken_for_mnist)
    learner = torch.optim.Adam(task.network.parameters(), 3e-3)
    task.learning(task.network)
    for batch in task.batches(1):
        learner.zero_grad()
        task.loss(task.network, batch).backward()
        learner.step()
    with torch.no_grad():  # distances a quarter as large: what it says is right, and far too careful
        for weight in task.network.hidden.parameters():
            weight.mul_(0.5)
    measured = task.measure(task.network)
    assert measured.accuracies["mnist"] > 0.7
    path = tmp_path / "best.pt"
    facts = checkpoint.Facts(1, measured.temperature, measured.accuracies, task.data, task.labels)
    checkpoint.save(path, task.network, recipe, facts)
    return path


def on_paper(ink):
    page = np.full((190, 220), 225, np.uint8)
    page[50 : 50 + ink.shape[0], 60 : 60 + ink.shape[1]] -= (ink * 0.7).astype(np.uint8)
    return page


@pytest.fixture
def taught(base, tmp_path, taken_for_mnist, monkeypatch, capsys):
    """The model file that five pictures of a new class, and one broken one of another, make of it."""
    hand, rng = hand_of((glyphs.parse(PINE),), np.random.default_rng(6)), np.random.default_rng(7)
    for name in ("松", "竹"):
        (tmp_path / "mine" / name).mkdir(parents=True)
    for number in range(5):
        cv2.imwrite(str(tmp_path / "mine" / "松" / f"{number}.png"), on_paper(hand.digit(0, rng)))
    (tmp_path / "mine" / "竹" / "broken.png").write_bytes(b"no picture")
    monkeypatch.setattr("training.finetune._REPLAY", 300)
    monkeypatch.setattr(model_file, "WAYS", model_file.WAYS[:1])  # how ranges are found is tested elsewhere
    out = tmp_path / "mine.onnx"
    finetune(tmp_path / "mine", base=base, out=out, new_labels=True, held_out=0.0, data_dir=taken_for_mnist)
    assert "broken.png" in capsys.readouterr().err
    return out, np.stack([normalise(hand.digit(0, rng)) for _ in range(40)])


def test_a_class_of_five_pictures_is_known_the_digits_stay_and_it_is_as_sure_as_it_is_right(
    base, taught, taken_for_mnist
):
    out, pines = taught
    recogniser, test = Recogniser(out), mnist.load("test", taken_for_mnist)
    assert recogniser.card.labels == (*"0123456789", "松")  # of what could not be read there is no label
    assert (recogniser.log_probs(pines).argmax(1) == 10).mean() > 0.8
    network, _, _ = checkpoint.load(base)
    before = (log_probs(network, test.images).argmax(1) == test.labels).mean()
    said = recogniser.log_probs(test.images)
    right = (said.argmax(1) == test.labels).mean()
    assert right > before - 0.05
    assert np.exp(said.max(1)).mean() == pytest.approx(right, abs=0.1)
