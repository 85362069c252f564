"""How sure a row is: fits the CALIBRATION of `edge.combine` and of `edge.direct`, on generated pictures by writers
held out from training.

    python -m training.confidence --data-dir DATA

prints the weights and, on other pictures than those they were fitted on, the expected calibration error: the mean
distance, by tenths of confidence, between how sure the rows are and how many are right (Guo et al. 2017).
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from edge import combine, direct
from edge.arrays import F64
from edge.engine import EngineConfig
from edge.errors import ConfigError
from edge.reader import Reader, working_size
from edge.row import UNREADABLE
from training import mnist
from training.synth.meter import MeterSource, held_out_meters
from training.synth.scene import TIERS, make_scene
from training.synth.sources import DigitSource, MnistSource


def rows(
    reader: Reader, source: DigitSource, meters: MeterSource, count: int, seed: int, longest: bool = False
) -> Iterator[tuple[tuple[float, ...], bool]]:
    """What each row read in `count` pictures of every tier and of meters is told by, and whether it is the one that was
    written. longest: of each picture only the row with most digits.
    """
    for kind in (*TIERS, "meters"):
        if kind == "printed":  # rows of a hand, set as by a machine, are nobody's
            continue
        for i in tqdm(range(count), kind, leave=False):
            rng = np.random.default_rng([seed, i, *kind.encode()])
            if kind == "meters":
                image, truth = meters.counter(rng)
            else:
                scene = make_scene(TIERS[kind], source, rng)
                image, truth = scene.image, scene.rows[0].text
            grey, _ = working_size(np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8))
            read = [row.decoded for row in reader.lines([grey])[0]]
            if longest:
                read = sorted(read, key=lambda row: (len(row.digits), row.confidence))[-1:]
            for row in read:
                text = "".join(digit.text for digit in row.digits)
                if row.signs and UNREADABLE not in text:
                    yield row.signs, text == truth


def fitted(signs: F64, right: F64, penalty: float = 1.0) -> F64:
    """Logistic regression, float64 [k], by Newton's method. signs: float64 [n, k]; right: float64 [n], 0 or 1."""
    weights = np.zeros(signs.shape[1])
    for _ in range(30):
        sure = 1 / (1 + np.exp(-signs @ weights))
        slope = signs.T @ (sure - right) + penalty * weights
        curve = (signs * (sure * (1 - sure))[:, None]).T @ signs + penalty * np.eye(len(weights))
        weights -= np.linalg.solve(curve, slope)
    return weights


def calibration_error(sure: F64, right: F64) -> float:
    """Expected calibration error over ten bins of equal width, in [0, 1]."""
    bins = np.minimum((sure * 10).astype(int), 9)
    return float(sum(abs((sure - right)[bins == b].sum()) for b in range(10)) / len(sure))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--count", type=int, default=200, help="pictures of each tier, for fitting and for testing")
    parser.add_argument("--held-out", type=float, default=0.1, help="share of writers, as in the recipes")
    parser.add_argument("--seed", type=int, default=1, help="by which they are held out, as in the recipes")
    parser.add_argument("--longest", action="store_true", help="of each picture only the row with most digits")
    arguments = parser.parse_args()
    try:
        _fit(arguments)
    except ConfigError as error:
        sys.exit(str(error))


def _fit(arguments: argparse.Namespace) -> None:
    digits = mnist.load("train", arguments.data_dir, download=False)
    _, held_out = mnist.split_by_writer(digits, arguments.held_out, arguments.seed)
    reader, source = Reader(engine=EngineConfig(threads=1)), MnistSource(held_out)
    meters = held_out_meters(arguments.data_dir, arguments.held_out, arguments.seed)[0]
    parts = [list(rows(reader, source, meters, arguments.count, seed, arguments.longest)) for seed in (101, 102)]
    weights = {}
    for module, one in (("edge.direct", direct.CALIBRATION), ("edge.combine", combine.CALIBRATION)):
        # What a row was read by shows in how many signs there are of how sure it is.
        signs, right = zip(*((signs, right) for signs, right in parts[0] if len(signs) == len(one)), strict=True)
        weights[len(one)] = fitted(np.array(signs), np.array(right, np.float64))
        print(f"{module}.CALIBRATION =", tuple(round(float(weight), 3) for weight in weights[len(one)]))
    for name, part in zip(("fitted on", "others"), parts, strict=True):
        sure = np.array([1 / (1 + np.exp(-np.dot(signs, weights[len(signs)]))) for signs, _ in part])
        right = np.array([right for _, right in part], np.float64)
        print(f"{name}: {len(right)} rows, {right.mean():.1%} right, error {calibration_error(sure, right):.4f}")


if __name__ == "__main__":
    main()
