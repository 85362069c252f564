"""Small networks of equal size: taught plainly, by a large one's answers, or cut out of a large one.

    python -m benchmarks.small --data-dir folder

All are `digitcnn` with 12 channels first and 64 hidden units, a tenth of its size, taught for as many epochs. The
teacher is `digits-alone`, the large one `digitcnn`, both as `make reproduce` trains them. Filters are kept by their
weights' sum of magnitudes (Li et al., "Pruning filters for efficient ConvNets", 2017), times what the batch
normalisation behind them makes of it; hidden units by those of their weights in and out.
"""

import argparse
import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from export.onnx_file import export_onnx
from training import checkpoint, engine, mnist
from training.digit_task import DigitTask
from training.models.digitcnn import DigitCnn
from training.recipe import Loss, Network, Recipe, find, load

ROOT = Path(__file__).parents[1]
WAYS = ("plain", "distilled", "pruned")
_WIDTH, _HIDDEN = 12, 64
_TEMPERATURE, _SHARE = 3.0, 0.7  # of the teacher's answers; not tuned


@dataclass(frozen=True)
class Small:
    """right: share of MNIST's test set, in [0, 1]."""

    way: str
    seed: int
    parameters: int
    right: float


def kept(weights: Tensor, norm: nn.BatchNorm2d, count: int) -> Tensor:
    """Which `count` filters of a convolution do most, in their order; weights: [filters, ...]."""
    scale = (norm.weight / torch.sqrt(norm.running_var + norm.eps)).abs()
    return (weights.abs().flatten(1).sum(1) * scale).topk(count).indices.sort().values


@torch.no_grad()
def prune(large: DigitCnn, small: DigitCnn) -> None:
    """Give `small` the filters and units of `large` that do most."""
    channels = torch.arange(large.channels)
    for of_large, of_small in zip(large.features, small.features, strict=True):
        if isinstance(of_large, nn.MaxPool2d):
            continue
        (conv, norm, _), (small_conv, small_norm, _) = of_large, of_small
        chosen = kept(conv.weight[:, channels], norm, small_conv.out_channels)
        small_conv.weight.copy_(conv.weight[chosen][:, channels])
        for name in ("weight", "bias", "running_mean", "running_var"):
            getattr(small_norm, name).copy_(getattr(norm, name)[chosen])
        channels, places = chosen, large.hidden[1].in_features // conv.out_channels
    linear, small_linear = large.hidden[1], small.hidden[1]
    weights = linear.weight[:, (channels[:, None] * places + torch.arange(places)).flatten()]
    doing = weights.abs().sum(1) * large.head.weight.abs().sum(0)
    units = doing.topk(small_linear.out_features).indices.sort().values
    small_linear.weight.copy_(weights[units])
    small_linear.bias.copy_(linear.bias[units])
    small.head.weight.copy_(large.head.weight[:, units])
    small.head.bias.copy_(large.head.bias)


def recipe_of(way: str, seed: int, teacher: Path) -> Recipe:
    """`digitcnn`'s, of the small size."""
    recipe = load(find("digitcnn"))
    assert isinstance(recipe, Recipe)
    changes: dict[str, object] = {
        "name": f"small-{way}",
        "seed": seed,
        "network": Network(family="digitcnn", width=_WIDTH, hidden=_HIDDEN),
    }
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
                    task = DigitTask(recipe, chosen.data_dir)
                    if way == "pruned":
                        large, *_ = checkpoint.load(chosen.reproduced / f"digitcnn-{seed}" / "best.pt")
                        prune(large, task.network)
                    engine.train(task, recipe, folder, engine.Run(chosen.threads))
                    (folder / "done").touch()
                network, *_ = checkpoint.load(folder / "best.pt")
                right = float((engine.log_probs(network, test.images).argmax(1) == test.labels).mean())
                results.append(Small(way, seed, sum(weights.numel() for weights in network.parameters()), right))
                print(f"{way}, seed {seed}: {right:.2%}", flush=True)
                chosen.json.write_text(json.dumps([asdict(one) for one in results], indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
