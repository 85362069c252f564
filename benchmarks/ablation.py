"""What each source of samples brings to the digits' network: taught without it, and held against one taught with all.

    python -m benchmarks.ablation --data-dir folder --recipe digits --epochs 3

The source's places in a batch go to MNIST's digits, so that each run sees as many samples. All are measured alike, on
the recipe's validation samples, every kind, and on rows of held-out writers that are read by single digits alone,
without the row model. A run that is there already is measured and not taught again.
"""

import argparse
import json
import tempfile
from pathlib import Path

import cv2

from benchmarks.accuracy import generated, longest, source_of
from edge.engine import EngineConfig
from edge.model_card import Ablation
from edge.reader import Reader
from export.model_file import changed_card
from export.onnx_file import export_onnx
from training import checkpoint, engine
from training.digit_task import DigitTask, measure
from training.models import Classifier
from training.recipe import Recipe, find, load

ROOT = Path(__file__).parents[1]
NONE, NOTHING = "", "nothing"  # the source left out where none is, and what it is called
ROWS = ("separated", "touching", "photo")
_SEED = 20261122


def without(recipe: Recipe, source: str, epochs: int) -> Recipe:
    """The recipe without a source of its mix."""
    mix = recipe.mix
    if source:
        mix = mix.model_copy(update={source: 0, "mnist": mix.mnist + getattr(mix, source)})
    name = f"{recipe.name}-without-{source or NOTHING}"
    return recipe.model_copy(update={"name": name, "mix": mix, "epochs": epochs})


def rows_right(reader: Reader, data_dir: Path | None, count: int) -> dict[str, float]:
    """Share of rows read exactly, kind by kind."""
    source, _ = source_of("validation", data_dir)
    shares = {}
    for kind in ROWS:
        samples = list(generated(kind, source, count, _SEED))
        read = [longest(reader.read(sample.image)) for sample in samples]
        right = sum(row is not None and row.text == sample.text for row, sample in zip(read, samples, strict=True))
        shares[f"rows, {kind}"] = right / count
    return shares


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--recipe", default="digits")
    parser.add_argument("--epochs", type=int, default=3, help="of each run, in place of the recipe's")
    parser.add_argument("--rows", type=int, default=150, help="of each kind")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "ablation")
    parser.add_argument("--json", type=Path, default=ROOT / "benchmarks" / "ablation.json")
    parser.add_argument("--into", type=Path, nargs="*", default=[], help="model files whose cards are to say it")
    chosen = parser.parse_args()
    cv2.setNumThreads(1)
    recipe = load(find(chosen.recipe))
    assert isinstance(recipe, Recipe)
    sources = [name for name in type(recipe.mix).model_fields if name != "mnist" and getattr(recipe.mix, name)]
    validation = DigitTask(without(recipe, NONE, 1), chosen.data_dir).validation
    figures: dict[str, dict[str, float]] = {}
    for source in (NONE, *sources):
        folder, one = chosen.runs / (source or NOTHING), without(recipe, source, chosen.epochs)
        if not (folder / "done").is_file():
            engine.train(DigitTask(one, chosen.data_dir), one, folder, engine.Run(chosen.threads))
            (folder / "done").touch()
        network, *_ = checkpoint.load(folder / "best.pt")
        assert isinstance(network, Classifier)
        shares = measure(network, validation).accuracies
        with tempfile.TemporaryDirectory() as scratch:
            model = Path(scratch) / "digits.onnx"
            export_onnx(folder / "best.pt", model, chosen.data_dir)
            reader = Reader(model, EngineConfig("cpu", threads=1))
        reader.row_model = None
        figures[source] = {**shares, **rows_right(reader, chosen.data_dir, chosen.rows)}
        print(source or NOTHING, {name: f"{share:.1%}" for name, share in figures[source].items()}, flush=True)
        facts = {"recipe": chosen.recipe, "rows": chosen.rows, "epochs": chosen.epochs, "right": figures}
        chosen.json.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    for file in chosen.into:
        changed_card(file, ablation=Ablation(chosen.epochs, figures))


if __name__ == "__main__":
    main()
