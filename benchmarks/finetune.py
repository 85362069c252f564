"""What fine-tuning is worth: strange hands that the shipped model reads badly, taught from few examples.

    make bench-finetune DATA_DIR=folder

Each hand is a writer of the stroke model whose shapes are bent beyond what others write (and some of whose sevens are
crossed, ones flagged), of which the shipped model reads at most 70 %. It is taught as `digitd finetune` teaches, and
then asked about 300 other digits of that hand, and 40 rows of six. Said beside it: MNIST's test set before and after;
the base and the taught model together, the taught one's answer taken where it is at least 90 % sure, as `--tuned`
reads.
"""

import argparse
import contextlib
import io
import json
import tempfile
import time
from pathlib import Path

import numpy as np

from edge.imaging.normalise import normalise
from edge.reader import Reader
from edge.recogniser import Recogniser, Tuned, default_model
from export import finetune as teaching
from training import mnist
from training.engine import Run
from training.finetune import Settings
from training.own_pictures import Crops, Origin
from training.synth.plain_rows import plain_rows
from training.synth.strokes import Hand, HandStyle, draw_hand

STRANGE = HandStyle(habit=(0.05, 0.09), slant=(-0.7, 0.9), aspect=(0.55, 1.7), turn=(0.03, 0.06), uncommon=0.9)
LEAST = 0.7  # share that the shipped model may read of a hand that counts as strange
ASKED = 30  # digits of each label
ROWS = 40


def digits(hand: Hand, each: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Crops uint8 [10 * each, 28, 28] and labels."""
    truth = np.tile(np.arange(10), each)
    return np.stack([normalise(hand.digit(label, rng)) for label in truth]), truth


def read_rightly(reader: Reader, rows: list[tuple[np.ndarray, str]]) -> float:
    return sum(max((row.text for row in reader.read(page)), key=len, default="") == text for page, text in rows) / ROWS


def right(recogniser: Recogniser | Tuned, crops: np.ndarray, truth: np.ndarray) -> float:
    parts = [recogniser.log_probs(part) for part in np.array_split(crops, 1 + len(crops) // 1000)]
    return float((np.concatenate(parts).argmax(1) == truth).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--hands", type=int, default=3, help="hands for each number of examples")
    parser.add_argument("--without-mnist", action="store_true", help="not to forget by drawn digits alone")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    test = mnist.load("test", chosen.data_dir)
    base = Recogniser()
    before = right(base, test.images, test.labels)
    rng = np.random.default_rng(2026)
    lines = []
    print("examples  hand before   after  together  rows before  after  MNIST  together  seconds")
    for count in (11, 20, 50):
        for _ in range(chosen.hands):
            while True:
                hand = draw_hand(rng, STRANGE)
                crops, truth = digits(hand, ASKED, rng)
                was = right(base, crops, truth)
                if was <= LEAST:
                    break
            shown, labels = (part[:count] for part in digits(hand, 5, rng))
            origins = tuple(Origin(Path(str(number)), (0, 0, 28, 28)) for number in range(count))
            own = Crops(shown, labels, tuple("0123456789"), origins)
            began = time.perf_counter()
            with tempfile.TemporaryDirectory() as folder, io.StringIO() as quiet:
                nowhere = Path(folder) / "none"
                with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
                    done = teaching.teach(
                        own,
                        Path(folder) / "mine.onnx",
                        teaching.base_of(None),
                        Settings(),
                        nowhere if chosen.without_mnist else chosen.data_dir,
                        # Of eleven, most labels have one: none can be held out.
                        0.2 if count >= 20 else 0.0,
                        Run(),
                        tell=lambda line: None,
                    )
                seconds = time.perf_counter() - began
                tuned = Recogniser(done.files[0].path)
                both = Tuned(default_model(), done.files[0].path)
                rows = plain_rows(crops, truth, tuple("0123456789"), ROWS, 6, np.random.default_rng(len(lines)))
                line = {
                    "rows before": read_rightly(Reader(), rows),
                    "rows after": read_rightly(Reader(done.files[0].path), rows),
                    "examples": count,
                    "before": was,
                    "after": right(tuned, crops, truth),
                    "together": right(both, crops, truth),
                    "mnist": 100 * (right(tuned, test.images, test.labels) - before),
                    "mnist together": 100 * (right(both, test.images, test.labels) - before),
                    "seconds": seconds,
                }
            lines.append(line)
            print(
                f"{count:>8}  {was:>11.1%}  {line['after']:>6.1%}  {line['together']:>8.1%}  "
                f"{line['rows before']:>11.0%}  {line['rows after']:>5.0%}  {line['mnist']:>+5.2f}  "
                f"{line['mnist together']:>+8.2f}  {seconds:>7.0f}",
                flush=True,
            )
    if chosen.json:
        chosen.json.write_text(json.dumps(lines, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
