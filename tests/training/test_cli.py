"""`digitd train` and `digitd evaluate`: one line for what is wrong, and help with an example."""

import re
from pathlib import Path

import pytest

from edge.recogniser import Recogniser


@pytest.mark.parametrize("command", ["train", "evaluate", "export"])
def test_help_shows_an_example_that_names_the_command(digitd, command):
    done = digitd(command, "--help")
    said = done.stdout.decode()
    assert done.returncode == 0 and re.search(f"Examples?: digitd {command}", " ".join(said.replace("│", " ").split()))
    assert "--data-dir" in said


def refused(done, *words, code=78):
    assert done.returncode == code and done.stdout == b""
    lines = done.stderr.decode().strip().splitlines()
    assert len(lines) == 1 and "Traceback" not in lines[0]
    assert all(str(word) in lines[0] for word in words), lines[0]


def test_training_by_a_wrong_recipe_is_refused_in_one_line(digitd, tmp_path):
    recipe = tmp_path / "wrong.toml"
    recipe.write_text('name = "x"\n[mix]\nmnits = 3\n')
    refused(digitd("train", "--recipe", recipe, cwd=tmp_path), recipe, "mix.mnits")
    assert [path.name for path in tmp_path.iterdir()] == ["wrong.toml"]


def test_a_folder_that_cannot_be_made_or_a_device_that_is_not_there_is_told_before_the_work(digitd, tmp_path):
    (tmp_path / "file").write_text("")
    said = digitd("train", "--recipe", "mnist", "--data-dir", tmp_path, "--out", tmp_path / "file" / "run")
    refused(said, tmp_path / "file" / "run", "no folder can be made there", code=2)
    without = {"CUDA_VISIBLE_DEVICES": ""}
    said = digitd("train", "--recipe", "mnist", "--data-dir", tmp_path, "--device", "cuda", cwd=tmp_path, env=without)
    refused(said, "--device cuda: ", "--device cpu")


def test_evaluating_without_mnist_says_where_it_was_looked_for(digitd, tmp_path):
    for stem in ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"):
        Path(tmp_path / stem).write_bytes(b"not these")
    refused(digitd("evaluate", "--data-dir", tmp_path), tmp_path, "md5")


def test_the_shipped_model_reads_mnist_as_well_as_its_card_says(digitd, data_dir):
    done = digitd("evaluate", "--data-dir", data_dir)
    assert done.returncode == 0, done.stderr
    last = done.stdout.decode().strip().splitlines()[-1]
    told = Recogniser().card.accuracies["mnist test"]
    assert "of 10000 right" in last and last.endswith(f" {told:.2%}")
    assert told >= 0.995
