"""What five examples are worth to a prototypical network: of a class it never saw, and of a hand it reads badly.

    digitd train --recipe fewshot --data-dir DATA
    make bench-fewshot DATA_DIR=DATA

The classes are capital letters that the network was not trained by, drawn by the stroke model. Five of a letter by one
writer are added, as `digitd finetune --new-labels` adds them; asked are 100 more by that writer, and 100 by others.
The hands are as strange as those of `benchmarks.finetune`, with five of each digit. Said beside each: what it costs of
MNIST's test set.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.finetune import STRANGE, digits
from edge.arrays import U8
from edge.imaging.normalise import normalise
from export.finetune import Base, base_of
from training import mnist
from training.fewshot import embedded, with_examples
from training.finetune import widened
from training.models import Classifier
from training.own_pictures import Crops, Origin
from training.synth import glyphs
from training.synth.strokes import draw_hand, hand_of

LETTERS = {
    "B": "4,2 4,50 4,98; 4,2 30,2 44,14 42,36 26,48 6,49* 34,52 52,66 48,88 28,98 4,98",
    "D": "4,2 4,50 4,98; 4,2 28,4 50,22 54,52 46,82 26,97 4,98",
    "G": "54,18 36,2 12,16 3,50 14,84 36,98 54,84 56,54* 44,54 32,54",
    "J": "16,4 34,3 52,2; 38,2 38,40 37,80 22,98 6,90 2,74",
    "L": "4,0 4,50 3,98* 26,98 48,97",
    "P": "4,100 4,50 4,2; 4,2 32,0 50,14 46,40 26,52 4,52",
    "Q": "30,2 10,16 2,50 12,86 32,98 54,84 60,48 50,14 30,2; 38,72 50,88 64,106",
    "S": "50,14 32,0 12,8 8,28 26,46 46,62 48,84 30,99 4,90",
    "T": "0,3 28,2 58,2; 29,2 28,50 28,100",
    "Z": "4,4 28,3 52,2* 28,50 2,98* 28,98 56,97",
}
"""In the notation of `training.synth.glyphs`, none of whose marks they are."""
EXAMPLES = 5
ASKED = 100
WRITERS = 20
HANDS = 5


def letters(name: str, writers: int, each: int, rng: np.random.Generator) -> U8:
    """uint8 [writers * each, 28, 28]: `each` by each writer."""
    shape = glyphs.parse(LETTERS[name])
    hands = [hand_of((shape,), rng) for _ in range(writers)]
    return np.stack([normalise(hand.digit(0, rng)) for hand in hands for _ in range(each)])


def crops(images: list[U8], names: tuple[str, ...]) -> Crops:
    """Examples, those of each name in turn."""
    labels = np.repeat(np.arange(len(names)), [len(each) for each in images])
    origins = tuple(Origin(Path(str(number)), (0, 0, 28, 28)) for number in range(len(labels)))
    return Crops(np.concatenate(images), labels, names, origins)


def taught(base: Base, own: Crops) -> tuple[Classifier, tuple[str, ...]]:
    """As `digitd finetune` does it."""
    new = tuple(name for name in own.names if name not in base.labels)
    network, labels = widened(base.network, base.labels, new)
    return with_examples(network, labels, own, new), labels


@torch.no_grad()
def right(network: Classifier, seen: Tensor, truth: np.ndarray) -> float:
    """Share, in [0, 1], of what was `embedded`: a head alone is taught."""
    return float((network.head(seen).argmax(1).numpy() == truth).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--base", type=Path, default=Path("runs/fewshot/best.pt"))
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    base, test = base_of(chosen.base), mnist.load("test", chosen.data_dir)
    seen = embedded(base.network, test.images)
    before = right(base.network, seen, test.labels)
    print(f"{chosen.base}: {before:.2%} of MNIST\nnew                  its writer  others  MNIST")
    rng = np.random.default_rng(2026)
    lines: list[dict[str, object]] = []
    examples = {}
    for name in LETTERS:
        by_one = letters(name, 1, EXAMPLES + ASKED, rng)
        others = letters(name, WRITERS, ASKED // WRITERS, rng)
        examples[name] = by_one[:EXAMPLES], by_one[EXAMPLES:], others
    for names in (*((name,) for name in LETTERS), tuple(LETTERS)):
        network, labels = taught(base, crops([examples[name][0] for name in names], names))
        truth = np.repeat([labels.index(name) for name in names], ASKED)
        own, others = (embedded(network, np.concatenate([examples[name][part] for name in names])) for part in (1, 2))
        line = {
            "new": " ".join(names),
            "own": right(network, own, truth),
            "others": right(network, others, truth),
            "mnist": 100 * (right(network, seen, test.labels) - before),
        }
        lines.append(line)
        print(
            f"{line['new']:<19}  {line['own']:>10.0%}  {line['others']:>6.0%}  {line['mnist']:>+5.2f}",
            flush=True,
        )
    hands = []
    print("a strange hand: before  after   MNIST")
    for _ in range(HANDS):
        hand = draw_hand(rng, STRANGE)
        shown, truth = digits(hand, EXAMPLES, rng)
        asked, answers = digits(hand, 30, rng)
        asked = embedded(base.network, asked)
        network, _ = taught(base, crops([shown[truth == label] for label in range(10)], base.labels))
        hands.append(
            {
                "before": right(base.network, asked, answers),
                "after": right(network, asked, answers),
                "mnist": 100 * (right(network, seen, test.labels) - before),
            }
        )
        print(f"{hands[-1]['before']:>22.1%}  {hands[-1]['after']:>5.1%}  {hands[-1]['mnist']:>+6.2f}", flush=True)
    if chosen.json:
        figures = {"mnist": before, "letters": lines, "hands": hands}
        chosen.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
