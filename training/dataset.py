"""Batches: digits and what is no digit, augmented and normalised as the box does it.

Every batch is made from (seed, epoch, index), so that a run can be repeated.
"""

import hashlib
import multiprocessing
from bisect import bisect_right
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from itertools import accumulate

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset
from tqdm import tqdm

from edge.arrays import U8, u8
from edge.imaging.normalise import normalise
from edge.model_card import REJECT, Data
from training import segments
from training.augment import GENTLE, Augmentation
from training.hands import Hands
from training.mnist import Mnist
from training.recipe import Recipe
from training.synth.glyphs import DIGITS, MARKS, UNCOMMON
from training.synth.strokes import HandStyle, draw_hand

LABELS = (*"0123456789", REJECT)
NO_DIGIT = LABELS.index(REJECT)

Samples = tuple[U8, np.ndarray]
"""crops uint8 [N, 28, 28] and labels int64 [N], indices into LABELS."""

# Alone, without a row beside them, these are ones, fours, sevens or too small to tell: the row's geometry has to.
LIKE_DIGITS = {"slash", "backslash", "left bracket", "right bracket", "comma", "Y", "U", "u", "h", "F", "f"}
NO_DIGITS = tuple(kind for kind in MARKS if kind not in LIKE_DIGITS)

Made = tuple[U8, int]

SHOWN = 5
"""How often a run shows each sample of its stock. At 16 times the network learnt them by heart: its loss on held-out
ones rose from epoch 9 on.
"""

HANDS = HandStyle(uncommon=0.4)
"""Writers of the stroke model, with other schools' shapes among theirs."""

_WORTH_PROCESSES = 20_000  # samples; for fewer, starting a process costs more than it saves

SOFT_PENS = Augmentation(pen=0.2, blur=0.8, noise=8.0, coarse=20)
"""For hands whose sets are 16 to 32 pixels tall: blurred already, and no finer pen would leave their lines whole."""


class Batches(Dataset[tuple[Tensor, Tensor]]):
    """The batches of a whole run, by step: in each epoch every digit of MNIST once, in an order of its own, and
    beside them what the recipe's mix says.

    MNIST's digits are augmented anew each time. The others, which cost more to make than to learn from, are drawn
    from `pool`, a stock of each kind.
    """

    def __init__(self, digits: Mnist, pool: dict[str, Samples], recipe: Recipe) -> None:
        self.digits, self.pool, self.recipe = digits, pool, recipe
        self._ends = list(accumulate(self.in_epoch(epoch) for epoch in range(1, recipe.epochs + 1)))

    def growth(self, epoch: int) -> int:
        """What the mix is multiplied by in an epoch, from 1."""
        growth = self.recipe.growth
        return growth[(epoch - 1) * len(growth) // self.recipe.epochs]

    def in_epoch(self, epoch: int) -> int:
        """Batches of an epoch, from 1."""
        return max(1, len(self.digits) // (self.recipe.mix.mnist * self.growth(epoch)))

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        if not 0 <= step < len(self):
            raise IndexError(step)
        cv2.setNumThreads(1)  # the crops are small, and the cores belong to the network
        recipe, mix = self.recipe, self.recipe.mix
        epoch = bisect_right(self._ends, step)
        index, times = step - ([0, *self._ends][epoch]), self.growth(epoch + 1)
        rng = np.random.default_rng([recipe.seed, 1 + epoch, index])
        order = np.random.default_rng([recipe.seed, 1 + epoch]).permutation(len(self.digits))
        chosen = order[index * mix.mnist * times : (index + 1) * mix.mnist * times]
        crops, labels = [self._digits(chosen, rng)], [self.digits.labels[chosen].astype(np.int64)]
        for kind, (stock, truth) in self.pool.items():
            drawn = rng.integers(len(stock), size=getattr(mix, kind) * times)
            crops.append(stock[drawn])
            labels.append(truth[drawn])
        seen = torch.from_numpy(sized(np.concatenate(crops), recipe))
        if recipe.augment is not None:
            seen = recipe.augment(seen, torch.Generator().manual_seed(int(rng.integers(2**62))))
        return seen, torch.from_numpy(np.concatenate(labels))

    def _digits(self, chosen: np.ndarray, rng: np.random.Generator) -> U8:
        """Those at `chosen`, as they are, bent, or redrawn and photographed."""
        recipe, augment = self.recipe, Augmentation()
        if recipe.plain == 1:
            return self.digits.images[chosen]
        digits = []
        for digit, way in zip(self.digits.images[chosen], rng.random(len(chosen)), strict=True):
            if way < recipe.plain:
                digits.append(digit)
            elif way < recipe.plain + recipe.gentle:
                digits.append(normalise(GENTLE.bent(digit, rng)))
            else:
                digits.append(normalise(augment(digit, rng)))
        return np.stack(digits)


def sized(crops: U8, recipe: Recipe) -> U8:
    """uint8 [N, 28, 28] as the recipe's network takes them: [N, S, S], or [N, S, S, 3] with three equal channels."""
    size, channels = recipe.network.size, recipe.network.channels
    if size != crops.shape[1]:
        kind = cv2.INTER_AREA if size < crops.shape[1] else cv2.INTER_LINEAR
        crops = np.stack([u8(cv2.resize(crop, (size, size), interpolation=kind)) for crop in crops])
    return crops if channels == 1 else np.repeat(crops[..., None], channels, axis=3)


def stock(
    digits: Mnist,
    hands: list[Hands],
    recipe: Recipe,
    seed: int,
    each: int | None = None,
    labels: tuple[str, ...] = LABELS,
) -> dict[str, Samples]:
    """Augmented samples of every kind in the recipe's mix that is not MNIST's digits as they are.

    each: how many of a kind; None makes as many as the run shows of it, by SHOWN. labels: what the numbers of
    `digits.labels` mean, `reject` last where there are samples that are none.
    """
    steps = stocked_steps(digits, recipe)
    kinds = makers(digits, hands, labels)
    wanted = {kind: each or steps * share for kind in kinds if (share := getattr(recipe.mix, kind))}
    tasks = [(kind, count, digits, hands, labels, (recipe.seed, seed)) for kind, count in wanted.items()]
    progress = tqdm(total=len(tasks), desc="making samples", unit="kind", dynamic_ncols=True, leave=False)
    made: dict[str, Samples] = {}
    with ExitStack() as stack:
        run: Callable[..., Iterable[Samples]] = map
        if sum(wanted.values()) > _WORTH_PROCESSES:
            # As in the loader, started afresh: a fork of a process in which OpenCV has run threads hangs.
            run = stack.enter_context(ProcessPoolExecutor(2, multiprocessing.get_context("spawn"))).map
        for (kind, *_), samples in zip(tasks, run(_made, tasks), strict=True):
            made[kind] = samples
            progress.update()
    progress.close()
    return made


def stocked_steps(digits: Mnist, recipe: Recipe) -> int:
    """Batches that the stock fills once."""
    return max(1, recipe.epochs * (len(digits) // recipe.mix.mnist) // SHOWN)


def _made(task: tuple[str, int, Mnist, list[Hands], tuple[str, ...], tuple[int, int]]) -> Samples:
    kind, count, digits, hands, names, seed = task
    cv2.setNumThreads(1)
    rng = np.random.default_rng([*seed, *kind.encode()])
    augment = SOFT_PENS if kind == "hands" else Augmentation()
    make = makers(digits, hands, names)[kind]
    crops, labels = np.empty((count, 28, 28), np.uint8), np.empty(count, np.int64)
    for i in range(count):
        ink, labels[i] = make(rng)
        crops[i] = normalise(augment(ink, rng))
    return crops, labels


def makers(
    digits: Mnist, hands: list[Hands], labels: tuple[str, ...] = LABELS
) -> dict[str, Callable[[np.random.Generator], Made]]:
    """How to make one sample of each kind that is not an MNIST digit, by its name in the recipe's mix. labels: as in
    `stock`; the stroke model writes digits alone, and has no part in others.
    """
    no_digit, of_digits = len(labels) - 1, labels[:10] == LABELS[:10]
    foreign = [(ink, int(label)) for one in hands for ink, label in zip(one.inks, one.labels, strict=True)]

    def digit(rng: np.random.Generator) -> Made:
        """A digit to make others from: mostly MNIST's, else of another hand or the stroke model."""
        if of_digits and rng.random() < 0.35:
            return other_hands(rng) if foreign and rng.random() < 0.5 else strokes(rng)
        index = rng.integers(len(digits))
        return digits.images[index], int(digits.labels[index])

    def neighbours(rng: np.random.Generator) -> tuple[segments.Pair, int, int]:
        (left, left_label), (right, right_label) = digit(rng), digit(rng)
        scale = left.shape[0] / right.shape[0]
        if scale != 1:
            right = u8(cv2.resize(right, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
        return segments.touching(left, right, rng), left_label, right_label

    def strokes(rng: np.random.Generator) -> Made:
        label = int(rng.integers(10))
        return draw_hand(rng, HANDS).digit(label, rng), label

    def other_hands(rng: np.random.Generator) -> Made:
        return foreign[rng.integers(len(foreign))]

    def parts(rng: np.random.Generator) -> Made:
        while True:
            pair, left, right = neighbours(rng)
            ink, is_left, is_digit = segments.part(pair, rng)
            if is_digit is not None and ink.any():
                return ink, (left if is_left else right) if is_digit else no_digit

    def pairs(rng: np.random.Generator) -> Made:
        return neighbours(rng)[0].ink, no_digit

    def marks(rng: np.random.Generator) -> Made:
        kind = "scribble" if rng.random() < 0.1 else NO_DIGITS[rng.integers(len(NO_DIGITS))]
        return draw_hand(rng).mark(kind, rng), no_digit

    def lines(rng: np.random.Generator) -> Made:
        return segments.lines(rng), no_digit

    none = {"parts": parts, "pairs": pairs, "marks": marks, "lines": lines}
    return {"strokes": strokes, "hands": other_hands, **none} if of_digits else none


def origins(digits: Mnist, hands: list[Hands], recipe: Recipe) -> tuple[Data, ...]:
    """Where a run's samples come from, for the model card."""
    steps = stocked_steps(digits, recipe)
    if recipe.folder is not None:
        pictures = hashlib.sha256(digits.images.tobytes()).hexdigest()
        return (Data("the user's own pictures", len(digits), "the user's", pictures),)
    style = repr(HANDS) + repr(DIGITS) + repr(UNCOMMON) + repr(MARKS)
    made, from_others = (
        "made from the above and the stroke model: pairs that touch, parts of them",
        steps * (recipe.mix.parts + recipe.mix.pairs),
    )
    drawn, strokes = (
        "the project's stroke model: digits, marks, letters, lines",
        steps * (recipe.mix.strokes + recipe.mix.marks + recipe.mix.lines),
    )
    return (
        Data(
            "MNIST, training digits of the writers not held out",
            len(digits),
            "CC BY-SA 3.0",
            hashlib.sha256(digits.images.tobytes()).hexdigest(),
        ),
        *(Data(one.name, len(one.labels), one.licence, one.sha256) for one in hands),
        *([Data(made, from_others, "CC BY-SA 3.0", "")] if from_others else []),
        *([Data(drawn, strokes, "Apache-2.0", hashlib.sha256(style.encode()).hexdigest())] if strokes else []),
    )


def validation_samples(
    held_out: Mnist, hands: list[Hands], recipe: Recipe, each: int = 1500, labels: tuple[str, ...] = LABELS
) -> dict[str, Samples]:
    """What a network is chosen by: the held-out writers' digits as they are, augmented where the recipe learns from
    such, and `each` of every kind.
    """
    rng = np.random.default_rng([recipe.seed, 0, 1])
    augment = Augmentation()
    truth = held_out.labels.astype(np.int64)
    samples = {"mnist": (held_out.images, truth)}
    if recipe.plain + recipe.gentle < 1 or recipe.mix.total > recipe.mix.mnist:
        samples["augmented"] = (np.stack([normalise(augment(digit, rng)) for digit in held_out.images]), truth)
    samples |= stock(held_out, hands, recipe, 2, each, labels)
    return {kind: (sized(crops, recipe), labels) for kind, (crops, labels) in samples.items()}
