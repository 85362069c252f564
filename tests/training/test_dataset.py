"""Batches: every digit once an epoch, the mix as the recipe has it, and the same again for the same seed."""

import numpy as np
import pytest
import torch

from edge.imaging.normalise import normalise
from training.dataset import (
    LABELS,
    LIKE_DIGITS,
    NO_DIGIT,
    NO_DIGITS,
    Batches,
    makers,
    origins,
    stock,
    stocked_steps,
    validation_samples,
)
from training.hands import Hands
from training.mnist import Mnist
from training.recipe import Mix, Network, Recipe
from training.synth.strokes import HandStyle, draw_hand

MIX = Mix(mnist=16, strokes=3, hands=2, parts=4, pairs=2, marks=3, lines=1)
RECIPE = Recipe(name="x", epochs=10, plain=1.0, mix=MIX)


@pytest.fixture(scope="module")
def digits():
    """Mnist: 70 digits, no two of them alike."""
    rng = np.random.default_rng(0)
    hands = [draw_hand(rng, HandStyle(height=24, pen=(0.1, 0.14))) for _ in range(7)]
    images = np.stack([normalise(hand.digit(label, rng)) for hand in hands for label in range(10)])
    assert len({image.tobytes() for image in images}) == 70
    return Mnist(images, np.tile(np.arange(10, dtype=np.uint8), 7), None)


@pytest.fixture(scope="module")
def foreign():
    rng = np.random.default_rng(1)
    hand = draw_hand(rng, HandStyle(height=48))
    inks = tuple(hand.digit(label, rng) for label in range(10))
    return [Hands("swiss", "public domain", "ab" * 32, inks, np.arange(10))]


@pytest.fixture(scope="module")
def pool(digits, foreign):
    return stock(digits, foreign, RECIPE, seed=1)


@pytest.fixture
def batches(digits, pool):
    return Batches(digits, pool, RECIPE)


def test_a_batch_is_mixed_as_the_recipe_says(batches, pool):
    crops, labels = batches[0]
    assert tuple(crops.shape) == (MIX.total, 28, 28) and str(crops.dtype) == "torch.uint8"
    assert len(labels) == MIX.total and str(labels.dtype) == "torch.int64"
    assert set(labels.tolist()) <= set(range(len(LABELS)))
    # After MNIST's digits each kind in turn, each with a label from its own stock.
    at = MIX.mnist
    for kind, (stocked, truth) in pool.items():
        count = getattr(MIX, kind)
        of = {crop.tobytes(): int(label) for crop, label in zip(stocked, truth, strict=True)}
        for crop, label in zip(crops[at : at + count].numpy(), labels[at : at + count].tolist(), strict=True):
            assert crop.tobytes() in of
            if kind != "lines":
                assert of[crop.tobytes()] == label
        at += count
    assert at == MIX.total


def test_each_epoch_shows_every_digit_once_but_for_a_remainder(digits, batches):
    count = batches.in_epoch(1)
    assert count == 70 // 16 and len(batches) == RECIPE.epochs * count
    known = {image.tobytes(): i for i, image in enumerate(digits.images)}
    orders = []
    for epoch in range(2):
        seen = []
        for step in range(epoch * count, (epoch + 1) * count):
            crops, labels = batches[step]
            numbers = [known[crop.tobytes()] for crop in crops[: MIX.mnist].numpy()]
            assert labels[: MIX.mnist].tolist() == digits.labels[numbers].tolist()
            seen += numbers
        assert len(seen) == len(set(seen)) == 64
        orders.append(seen)
    assert orders[0] != orders[1]


def test_batches_may_grow_as_the_run_goes_on(digits, pool):
    batches = Batches(digits, pool, RECIPE.model_copy(update={"epochs": 6, "growth": (1, 2, 4)}))
    assert [batches.in_epoch(epoch) for epoch in range(1, 7)] == [4, 4, 2, 2, 1, 1]
    assert [len(batches[step][0]) // MIX.total for step in range(len(batches))] == [1] * 8 + [2] * 4 + [4] * 2
    seen = {crop.tobytes() for step in (8, 9) for crop in batches[step][0][: 2 * MIX.mnist].numpy()}
    assert len(seen) == 64


@pytest.mark.parametrize(("size", "channels"), [(20, 1), (40, 3)])
def test_crops_come_in_the_size_and_channels_of_the_network(digits, pool, size, channels):
    network = Network(size=size, channels=channels)
    crops, _ = Batches(digits, pool, RECIPE.model_copy(update={"network": network}))[0]
    assert crops.shape[1:] == ((size, size) if channels == 1 else (size, size, channels))
    assert crops.dtype == torch.uint8 and crops.float().std() > 10


def test_the_same_step_gives_the_same_batch_and_another_another(digits, pool):
    recipe = RECIPE.model_copy(update={"plain": 0.3})
    one, again = Batches(digits, pool, recipe), Batches(digits, pool, recipe)
    other = Batches(digits, pool, recipe.model_copy(update={"seed": 2}))
    for step in (0, 5):
        crops, labels = one[step]
        assert (crops == again[step][0]).all() and (labels == again[step][1]).all()
        assert (crops != other[step][0]).any()
    assert (one[0][0] != one[1][0]).any()


def test_steps_end_with_the_last_epoch(batches):
    for step in (len(batches), -1):
        with pytest.raises(IndexError):
            batches[step]


@pytest.mark.parametrize("plain", [0.0, 0.5])
def test_as_many_digits_as_asked_for_are_shown_as_they_are(digits, pool, plain):
    known = {image.tobytes() for image in digits.images}
    batches = Batches(digits, pool, RECIPE.model_copy(update={"plain": plain}))
    same = [crop.tobytes() in known for step in range(8) for crop in batches[step][0][: MIX.mnist].numpy()]
    assert np.mean(same) == pytest.approx(plain, abs=0.15)


def test_each_kind_makes_what_its_name_says(digits, foreign):
    rng = np.random.default_rng(0)
    made = {kind: [make(rng) for _ in range(40)] for kind, make in makers(digits, foreign).items()}
    assert set(made) == {name for name in type(MIX).model_fields if name != "mnist"}
    for kind, samples in made.items():
        for ink, label in samples:
            assert ink.dtype == np.uint8 and ink.ndim == 2 and ink.any()
            assert label in range(10) if kind in ("strokes", "hands") else label in range(len(LABELS))
    assert all(label == NO_DIGIT for kind in ("pairs", "marks", "lines") for _, label in made[kind])
    parts = [label for _, label in made["parts"]]
    assert 0 < parts.count(NO_DIGIT) < len(parts)
    assert {id(ink) for ink, _ in made["hands"]} <= {id(ink) for ink in foreign[0].inks}


def test_marks_that_look_like_digits_are_not_taught_as_none():
    assert not LIKE_DIGITS & set(NO_DIGITS) and {"slash", "comma"} <= LIKE_DIGITS
    assert "".join(LABELS) == "0123456789reject" and LABELS[NO_DIGIT] == "reject"


def test_kinds_that_are_not_in_the_mix_are_not_made(digits):
    mix = Mix(mnist=16, strokes=0, hands=0, parts=0, pairs=3, marks=0, lines=0)
    made = stock(digits, [], RECIPE.model_copy(update={"mix": mix}), seed=1)
    assert list(made) == ["pairs"]
    assert made["pairs"][0].shape == (8 * 3, 28, 28)  # of 10 epochs of 4 batches, a fifth


def test_validation_has_the_digits_as_they_are_and_as_many_of_each_kind(digits, foreign):
    samples = validation_samples(digits, foreign, RECIPE, each=7)
    assert set(samples) == {"mnist", "augmented", "strokes", "hands", "parts", "pairs", "marks", "lines"}
    assert (samples["mnist"][0] == digits.images).all()
    for kind, (crops, labels) in samples.items():
        count = 70 if kind in ("mnist", "augmented") else 7
        assert crops.shape == (count, 28, 28) and crops.dtype == np.uint8
        assert labels.shape == (count,) and labels.dtype == np.int64
    assert (samples["augmented"][0] != digits.images).any()
    again = validation_samples(digits, foreign, RECIPE, each=7)
    assert all((samples[kind][0] == again[kind][0]).all() for kind in samples)


def test_validation_shows_other_samples_than_training(digits, pool):
    shown = {crop.tobytes() for crop in pool["strokes"][0]}
    validation = validation_samples(digits, [], RECIPE.model_copy(update={"mix": Mix(hands=0)}), each=20)
    assert not shown & {crop.tobytes() for crop in validation["strokes"][0]}


def test_origins_name_every_source_with_its_licence(digits, foreign):
    sources = origins(digits, foreign, RECIPE)
    assert [source.samples for source in sources][:2] == [70, 10]
    assert sum(source.samples for source in sources[2:]) == stocked_steps(digits, RECIPE) * (
        MIX.total - MIX.mnist - MIX.hands
    )
    assert all(source.name and source.licence for source in sources)
    other = Mnist(digits.images[:60], digits.labels[:60], None)
    assert origins(other, foreign, RECIPE)[0].sha256 != sources[0].sha256
