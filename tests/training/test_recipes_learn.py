"""Every recipe of single digits, for a few steps on the stroke model's digits: each learns, as its file says."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from edge.errors import UsageError
from training import dataset, digit_task, own_pictures
from training.digit_task import DigitTask
from training.fewshot import EpisodeTask
from training.optimisers import optimiser
from training.own_pictures import Crops, Origin, OwnPictures
from training.recipe import Recipe, load

pytestmark = pytest.mark.xdist_group("recipes")

RECIPES = sorted((Path(__file__).parents[2] / "configs" / "recipes").glob("*.toml"))
DIGITS = [recipe for recipe in map(load, RECIPES) if isinstance(recipe, Recipe)]


def small(recipe):
    """The same, asked for no more than a test has."""
    mix = recipe.mix.model_copy(update={"mnist": 32 // max(recipe.growth), "hands": 0})
    counts = {kind: min(2, count) for kind, count in mix if kind not in {"mnist", "hands"}}
    changes = {"epochs": len(recipe.growth), "mix": mix.model_copy(update=counts)}
    if recipe.episodes:
        changes["episodes"] = recipe.episodes.model_copy(update={"ways": 20, "shots": 2, "queries": 3, "per_epoch": 12})
    return recipe.model_copy(update=changes)


@pytest.fixture
def few_samples(monkeypatch):
    whole = dataset.validation_samples
    monkeypatch.setattr(digit_task, "validation_samples", lambda *given, labels: whole(*given, each=4, labels=labels))


def losses(task, recipe, steps=24):
    torch.set_num_threads(1)
    learner = optimiser(task.network, recipe.optimiser.model_copy(update={"rate": 2e-3}))
    found = []
    task.learning(task.network)
    # Made here: starting processes for it would take longer than all the rest.
    first = (
        map(task.batches_of_run.__getitem__, range(min(4, len(task.batches_of_run))))
        if isinstance(task, DigitTask)
        else task.batches(1)
    )
    batches = list(islice(first, 4))
    for step in range(steps):
        loss = task.loss(task.network, batches[step % len(batches)])
        learner.zero_grad()
        loss.backward()
        learner.step()
        found.append(loss.item())
    return found


@pytest.mark.parametrize("recipe", DIGITS, ids=lambda recipe: recipe.name)
def test_a_recipe_learns(recipe, taken_for_mnist, few_samples):
    asked = small(recipe)
    task = (EpisodeTask if asked.episodes else DigitTask)(asked, taken_for_mnist)
    found = losses(task, asked)
    assert sum(found[-4:]) < 0.8 * sum(found[:4])
    measured = task.measure(task.network)
    assert measured.loss > 0 and all(0 <= share <= 1 for share in measured.accuracies.values())
    assert ("reject" in task.labels) == bool(asked.mix.rejects)


def test_a_hybrid_loss_is_larger_than_its_cross_entropy_and_fgsm_makes_it_larger(taken_for_mnist, few_samples):
    recipe = small(next(recipe for recipe in DIGITS if recipe.name == "dbrhb"))
    task = DigitTask(recipe, taken_for_mnist)
    batch = next(task.batches(1))
    task.network.eval()
    hybrid = task.loss(task.network, batch).item()
    task.recipe = recipe.model_copy(update={"loss": recipe.loss.model_copy(update={"kind": "cross-entropy"})})
    plain = task.loss(task.network, batch).item()
    attack = recipe.adversarial.model_copy(update={"share": 1.0, "epsilon": 0.2})
    task.recipe = task.recipe.model_copy(update={"adversarial": attack})
    assert hybrid > plain < task.loss(task.network, batch).item()


def test_a_teacher_is_learnt_from_and_must_know_the_same_labels(taken_for_mnist, few_samples):
    from edge.errors import ConfigError
    from edge.recogniser import default_model
    from training.recipe import Loss

    recipe = small(next(recipe for recipe in DIGITS if recipe.name == "mnist"))
    taught = recipe.model_copy(update={"loss": Loss(kind="distillation", teacher=default_model())})
    found = losses(DigitTask(taught, taken_for_mnist), taught)
    assert sum(found[-4:]) < 0.8 * sum(found[:4])
    alone = small(next(recipe for recipe in DIGITS if recipe.name == "digits-alone"))
    with pytest.raises(ConfigError, match=r"digits\.onnx: teaches .*reject, and digits-alone learns"):
        DigitTask(alone.model_copy(update={"loss": taught.loss}), taken_for_mnist)


def test_a_folder_of_other_labels_is_learnt_and_one_without_pictures_is_told(tmp_path, few_samples, stroke_digits):
    import cv2

    recipe = small(next(recipe for recipe in DIGITS if recipe.name == "digits-alone"))
    with pytest.raises(UsageError, match="letters"):
        DigitTask(recipe.model_copy(update={"folder": tmp_path / "letters"}), None)
    for name, label in (("一", 1), ("八", 8), ("A", 4)):
        folder = tmp_path / "letters" / name
        folder.mkdir(parents=True)
        crops = stroke_digits.crops[stroke_digits.labels == label][:6]
        for number, crop in enumerate(crops):
            page = 235 - cv2.copyMakeBorder(cv2.resize(crop, (84, 84)), 40, 40, 40, 40, cv2.BORDER_CONSTANT) // 2
            (folder / f"{number}.png").write_bytes(cv2.imencode(".png", page)[1].tobytes())
    task = DigitTask(recipe.model_copy(update={"folder": tmp_path / "letters", "validation": 0.2}), None)
    assert set(task.labels) == {"一", "八", "A"} and task.network.classes == 3
    assert task.data[0].name == "the user's own pictures"
    found = losses(task, recipe)
    assert found[-1] < found[0]


def test_labels_beyond_255_stay_apart(tmp_path, few_samples, monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (600, 28, 28), np.uint8)
    names = tuple(f"label {number}" for number in range(300))
    origins = tuple(Origin(Path(str(number)), (0, 0, 28, 28)) for number in range(600))
    found = OwnPictures(Crops(images, np.repeat(np.arange(300), 2), names, origins), ())
    monkeypatch.setattr(own_pictures, "read_folder", lambda folder: found)
    recipe = small(next(recipe for recipe in DIGITS if recipe.name == "digits-alone"))
    task = DigitTask(recipe.model_copy(update={"folder": tmp_path}), None)
    learnt = task.batches_of_run.digits
    assert sorted(set(learnt.labels.tolist())) == list(range(300))


def test_episodes_hold_every_digit_and_signs_and_ask_of_other_examples_than_they_show(taken_for_mnist):
    recipe = small(next(recipe for recipe in DIGITS if recipe.name == "fewshot"))
    asked = recipe.episodes.model_copy(update={"ways": 14})
    task = EpisodeTask(recipe.model_copy(update={"episodes": asked}), taken_for_mnist)
    owner = {crop.tobytes(): number for number, crops in enumerate(task.classes) for crop in crops}
    seen = set()
    for shown, questions in islice(task.batches(1), 5):
        of_shown, of_questions = (
            [{owner[crop.numpy().tobytes()] for crop in way} for way in part] for part in (shown, questions)
        )
        assert of_shown == of_questions and all(len(way) == 1 for way in of_shown)
        classes = set.union(*of_shown)
        assert len(classes) == 14 and set(range(10)) <= classes
        seen |= classes
        crops = [crop.numpy().tobytes() for part in (shown, questions) for way in part for crop in way]
        assert len(set(crops)) == len(crops)
    assert len(seen) > 14
