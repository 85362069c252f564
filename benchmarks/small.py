"""Small networks of equal size: taught plainly, by a large one's answers, or cut out of a large one.

    python -m benchmarks.small --data-dir folder

All are the recipe `small`, taught for as many epochs. The teacher is `digits-alone`, what is cut down `digitcnn`, both
as `make reproduce` trains them. After it, docs/recipes.md is to be written anew: `make reproduce`.
"""

import argparse
import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from export.onnx_file import export_onnx
from training import checkpoint, engine, mnist
from training.digit_task import DigitTask
from training.recipe import Loss, Recipe, find, load

ROOT = Path(__file__).parents[1]
WAYS = ("plain", "distilled", "pruned")
_TEMPERATURE, _SHARE = 3.0, 0.7  # of the teacher's answers; not tuned


@dataclass(frozen=True)
class Small:
    """right: share of MNIST's test set, in [0, 1]."""

    way: str
    seed: int
    parameters: int
    right: float


def recipe_of(way: str, seed: int, teacher: Path) -> Recipe:
    recipe = load(find("small"))
    assert isinstance(recipe, Recipe)
    changes: dict[str, object] = {"name": f"small-{way}", "seed": seed}
    if way == "distilled":
        changes["loss"] = Loss(kind="distillation", teacher=teacher, temperature=_TEMPERATURE, share=_SHARE)
    return recipe.model_copy(update=changes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--reproduced", type=Path, default=ROOT / "runs" / "reproduce", help="runs of the large ones")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "small")
    parser.add_argument("--json", type=Path, default=ROOT / "benchmarks" / "small.json")
    chosen = parser.parse_args()
    test, results = mnist.load("test", chosen.data_dir), []
    with tempfile.TemporaryDirectory() as scratch:
        teacher = Path(scratch) / "teacher.onnx"
        export_onnx(chosen.reproduced / "digits-alone-1" / "best.pt", teacher, chosen.data_dir)
        for seed in range(1, chosen.seeds + 1):
            for way in WAYS:
                folder = chosen.runs / f"{way}-{seed}"
                if not (folder / "done").is_file():
                    recipe = recipe_of(way, seed, teacher)
                    large = chosen.reproduced / f"digitcnn-{seed}" / "best.pt"
                    task = DigitTask(recipe, chosen.data_dir, large if way == "pruned" else None)
                    engine.train(task, recipe, folder, engine.Run(chosen.threads))
                    (folder / "done").touch()
                network, *_ = checkpoint.load(folder / "best.pt")
                right = float((engine.log_probs(network, test.images).argmax(1) == test.labels).mean())
                results.append(Small(way, seed, sum(weights.numel() for weights in network.parameters()), right))
                print(f"{way}, seed {seed}: {right:.2%}", flush=True)
                chosen.json.write_text(json.dumps([asdict(one) for one in results], indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
