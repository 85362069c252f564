"""The mean of several runs' weights."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from edge.errors import ConfigError
from training import checkpoint, row_dataset
from training.mean import write_mean
from training.recipe import RowRecipe, Writers

RECIPE = RowRecipe(reads="rows", name="tiny-rows", width=4, writers=Writers(mnist=0, hands=0, strokes=1, fonts=0))


def saved(folder: Path, name: str, seed: int, width: int = 4) -> Path:
    recipe = RECIPE.model_copy(update={"name": name, "seed": seed, "width": width})
    facts = checkpoint.Facts(3, 1.0, {"rows": 0.5}, (), row_dataset.LABELS)
    network = checkpoint.row_net_of(recipe)
    for key, count in network.state_dict().items():
        if not count.is_floating_point():
            count.fill_(100 + seed)
            assert key.endswith("num_batches_tracked")
    checkpoint.save(folder / f"{name}.pt", network, recipe, facts)
    return folder / f"{name}.pt"


def test_each_weight_is_the_mean_of_all_by_their_shares(tmp_path):
    shares = {saved(tmp_path, f"run-{seed}", seed): share for seed, share in enumerate((0.5, 0.3, 0.2))}
    out = tmp_path / "mean" / "best.pt"
    write_mean(shares, out)
    network, recipe, facts = checkpoint.load(out)
    parts = [(checkpoint.load(path)[0].state_dict(), share) for path, share in shares.items()]
    for name, weight in network.state_dict().items():
        if weight.is_floating_point():
            wanted = sum(share * weights[name] for weights, share in parts)
            torch.testing.assert_close(weight, wanted)
        else:
            assert weight.item() == 100
    assert recipe.name == "run-0"
    assert facts.epoch == 3 and facts.accuracies == {}  # what the first read rightly, the mean may not


@pytest.mark.parametrize("shares", [(0.5, 0.4), (1.2, -0.2), (1.0, 0.0), (float("nan"), 0.5)])
def test_shares_that_are_not_1_in_sum_are_refused(tmp_path, shares):
    paths = [saved(tmp_path, f"run-{seed}", seed) for seed in range(2)]
    with pytest.raises(ConfigError, match="1 in sum"):
        write_mean(dict(zip(paths, shares, strict=True)), tmp_path / "mean.pt")
    assert not (tmp_path / "mean.pt").exists()


def test_networks_of_other_sizes_have_no_mean(tmp_path):
    shares = {saved(tmp_path, "one", 0): 0.5, saved(tmp_path, "wider", 1, width=8): 0.5}
    with pytest.raises(ConfigError, match=r"wider\.pt: a network of another kind or size than .*one\.pt"):
        write_mean(shares, tmp_path / "mean.pt")


@pytest.mark.parametrize(
    ("asked", "said"),
    [("nowhere.pt=1", "nowhere.pt: checkpoint cannot be read"), ("best.pt", "CHECKPOINT=SHARE wanted")],
)
def test_the_command_says_in_one_line_what_is_wrong(tmp_path, asked, said):
    command = [sys.executable, "-m", "training.mean", asked, "--out", str(tmp_path / "mean.pt")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert said in done.stderr and len(done.stderr.splitlines()) == 1
