"""The mean of several runs' weights: what each learnt by itself, in one network of the same size.

    python -m training.mean runs/rows-noughts/best.pt=0.6 runs/rows-exact/best.pt=0.2 runs/rows-mnist/best.pt=0.2 \\
        --out runs/rows-mean/best.pt

Runs that began with the same weights; the first's name and recipe stay. Wortsman et al., "Model soups", 2022.
"""

import argparse
import math
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch

from edge.errors import ConfigError
from training import checkpoint
from training.out_folder import made


def write_mean(shares: Mapping[Path, float], out: Path) -> None:
    """Write the checkpoint `out`. shares: of each checkpoint, above 0, 1 in sum. Raises ConfigError."""
    if not all(share > 0 for share in shares.values()) or not math.isclose(sum(shares.values()), 1, abs_tol=1e-6):
        told = " ".join(f"{path}={share:g}" for path, share in shares.items())
        raise ConfigError(f"{told or 'nothing'}: shares above 0 wanted that are 1 in sum, such as 0.6 0.2 0.2")
    first, *others = shares
    network, recipe, facts = checkpoint.load(first)
    weights = {name: weight.double() * shares[first] for name, weight in network.state_dict().items()}
    for path in others:
        other = checkpoint.load(path)[0]
        found = other.state_dict()
        if type(other) is not type(network) or {k: v.shape for k, v in found.items()} != {
            k: v.shape for k, v in weights.items()
        }:
            raise ConfigError(f"{path}: a network of another kind or size than {first}; weights have no mean")
        for name, weight in found.items():
            weights[name] += weight.double() * shares[path]
    kept = network.state_dict()
    with torch.no_grad():
        # Counts of batches, whole numbers, stay the first's.
        network.load_state_dict(
            {k: weights[k].to(kept[k].dtype) if kept[k].is_floating_point() else kept[k] for k in kept}
        )
    made(out.parent)
    # What the first read rightly is not what the mean does; `digitd export` measures that.
    checkpoint.save(out, network, recipe, replace(facts, accuracies={}))


def _share(said: str) -> tuple[Path, float]:
    path, _, share = said.rpartition("=")
    try:
        return Path(path), float(share)
    except ValueError:
        raise ConfigError(f"{said}: CHECKPOINT=SHARE wanted, such as runs/rows/best.pt=0.6") from None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shares", nargs="+", metavar="CHECKPOINT=SHARE")
    parser.add_argument("--out", type=Path, required=True, help="the checkpoint to write")
    arguments = parser.parse_args()
    try:
        write_mean(dict(map(_share, arguments.shares)), arguments.out)
    except ConfigError as error:
        sys.exit(str(error))
    print(arguments.out)


if __name__ == "__main__":
    main()
