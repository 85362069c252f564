"""Every recipe of single digits, trained for its epochs by each seed, measured alike, in one table: docs/recipes.md.

    make reproduce DATA_DIR=folder

A run that is there already is measured and not trained again; one that was interrupted goes on. Training time is the
processor's, all threads together, so that a busy machine does not count.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort

from benchmarks.accuracy import wilson
from benchmarks.small import WAYS, Small
from export.kinds import kind_of
from export.program import onnx_program
from training import checkpoint, mnist
from training.dataset import sized
from training.models import Classifier, multiply_adds
from training.recipe import Recipe, find, load

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "recipes.md"
SMALL = ROOT / "benchmarks" / "small.json"

RECIPES = ("mlp", "lenet5", "cnn2", "digitcnn", "dbrhb", "separable", "cbam", "fgsm", "digits-alone", "fewshot")
SAID = {
    "mlp": "95.2 % said, about 98 % true",
    "cnn2": "99 %",
    "digitcnn": "99.3 %",
    "dbrhb": "2 to 3 points above a plain CNN",
}
"""What tutorials say of theirs."""
_ASKED = 300  # single crops that latency is the median of


@dataclass(frozen=True)
class Result:
    """right: share of MNIST's test set, in [0, 1]; latency: milliseconds of one crop on one core, median; size: bytes
    of the float32 model file; cpu_seconds: of training.
    """

    recipe: str
    seed: int
    epochs: int
    parameters: int
    multiply_adds: int
    size: int
    right: float
    cpu_seconds: float
    latency: float


def trained(name: str, seed: int, runs: Path, data_dir: Path | None) -> Path:
    """The run's folder, trained where it is not yet."""
    folder = runs / f"{name}-{seed}"
    cost = folder / "cost.json"
    if cost.is_file():
        return folder
    words = [sys.executable, "-c", "from edge.cli import main; main()", "train", "--recipe", name, "--seed", str(seed)]
    words += ["--out", str(folder), *(["--data-dir", str(data_dir)] if data_dir else [])]
    words += ["--resume"] if (folder / "state.pt").is_file() else []
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(words, check=True)  # noqa: S603 (our own command)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    cost.write_text(json.dumps({"cpu_seconds": spent}) + "\n", encoding="utf-8")
    return folder


def measured(folder: Path, test: mnist.Mnist) -> Result:
    """What a run's best epoch is worth, as ONNX Runtime runs it."""
    network, recipe, _ = checkpoint.load(folder / "best.pt")
    assert isinstance(network, Classifier) and isinstance(recipe, Recipe)
    data = onnx_program(network, kind_of(network)).SerializeToString()
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    crops = sized(test.images, recipe)
    said = np.concatenate([session.run(None, {"crops": part})[0].argmax(1) for part in np.array_split(crops, 20)])
    times = []
    for index in range(_ASKED):
        began = time.perf_counter()
        session.run(None, {"crops": crops[index : index + 1]})
        times.append(time.perf_counter() - began)
    return Result(
        recipe.name,
        recipe.seed,
        recipe.epochs,
        sum(weight.numel() for weight in network.parameters()),
        multiply_adds(network),
        len(data),
        float((said == test.labels).mean()),
        json.loads((folder / "cost.json").read_text(encoding="utf-8"))["cpu_seconds"],
        1000 * float(np.median(times)),
    )


def page(results: Iterable[Result]) -> str:
    """docs/recipes.md."""
    by_recipe: dict[str, list[Result]] = {}
    for result in results:
        by_recipe.setdefault(result.recipe, []).append(result)
    lines = [
        "# Recipes, side by side",
        "",
        "Networks and tricks of tutorials on handwritten digits, each a recipe in `configs/recipes`, trained for the",
        "epochs that it says and measured alike: on MNIST's test set, all 10,000, run by ONNX Runtime. `make reproduce",
        "DATA_DIR=folder` trains and measures them again and writes this page. A tenth of MNIST's training writers is",
        "held out to choose the epoch by; the test set chooses nothing.",
        "",
        "| recipe | epochs | seeds | right | spread | parameters | multiply-adds | file | training | one crop | said |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|",
    ]
    for name, runs in by_recipe.items():
        one = runs[0]
        shares = [run.right for run in runs]
        mean = sum(shares) / len(shares)
        low, high = wilson(round(10_000 * one.right), 10_000)
        spread = (
            f"{min(shares):.2%} to {max(shares):.2%}" if len(runs) > 1 else f"one run: {low:.2%} to {high:.2%} (95 %)"
        )
        lines.append(
            f"| {name} | {one.epochs} | {len(runs)} | {mean:.2%} | {spread} | {one.parameters:,} "
            f"| {one.multiply_adds / 1e6:.1f} M | {one.size / 1e6:.2f} MB "
            f"| {sum(run.cpu_seconds for run in runs) / len(runs) / 60:.1f} min | {one.latency:.2f} ms "
            f"| {SAID.get(name, '')} |"
        )
    lines += [
        "",
        "right: mean over the seeds. training: processor time on one core, mean. file: float32. one crop: median of",
        "300 calls of one crop, one core. said: what tutorials claim. digits-alone is the shipped network taught",
        "digits and nothing else; the shipped model learns what is no digit, too, and other hands, which costs it some",
        "of MNIST and makes it fit for rows: see its card. fgsm is digitcnn taught on digits changed to mislead it,",
        "fewshot digitcnn by prototypes of 500 digits each.",
        "",
        *small_networks(),
    ]
    return "\n".join(lines)


def small_networks() -> list[str]:
    """What benchmarks/small.py measured, where it was."""
    if not SMALL.is_file():
        return []
    runs = [Small(**one) for one in json.loads(SMALL.read_text(encoding="utf-8"))]
    lines = [
        "## Small networks",
        "",
        f"`small` is digitcnn at a tenth of its size, {runs[0].parameters:,} parameters, taught for three epochs:",
        'plainly; by the answers of digits-alone (`[loss] kind = "distillation"`, with its model file as teacher); and',
        "cut out of a digitcnn that was taught for three epochs before (`digitd train --recipe small --start",
        "runs/digitcnn/best.pt`). Measured by `python -m benchmarks.small`.",
        "",
        "| way | seeds | right | spread |",
        "|---|--:|--:|--:|",
    ]
    for way in WAYS:
        shares = [one.right for one in runs if one.way == way]
        spread = f"{min(shares):.2%} to {max(shares):.2%}"
        lines.append(f"| {way} | {len(shares)} | {sum(shares) / len(shares):.2%} | {spread} |")
    return [*lines, ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "reproduce", help="where runs are kept")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--recipes", nargs="+", default=RECIPES)
    parser.add_argument("--only-measure", action="store_true", help="train nothing: take the runs that are there")
    parser.add_argument("--json", type=Path, default=ROOT / "benchmarks" / "recipes.json")
    chosen = parser.parse_args()
    test = mnist.load("test", chosen.data_dir)
    results = []
    for name in chosen.recipes:
        load(find(name))  # an unknown name is said before hours of training
    for name in chosen.recipes:
        for seed in range(1, chosen.seeds + 1):
            folder = chosen.runs / f"{name}-{seed}"
            if chosen.only_measure and not (folder / "cost.json").is_file():
                continue
            results.append(measured(trained(name, seed, chosen.runs, chosen.data_dir), test))
            print(f"{name}, seed {seed}: {results[-1].right:.2%}", flush=True)
            chosen.json.write_text(json.dumps([asdict(one) for one in results], indent=2) + "\n", encoding="utf-8")
            PAGE.write_text(page(results), encoding="utf-8")


if __name__ == "__main__":
    main()
