"""`digitd bench`: what it measures, and when it puts the other model file to use."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge import Reader
from edge.arrays import F64
from edge.bench import WORTH, _median, decide
from edge.doctor import SAMPLES, sample_labels
from edge.engine import EngineConfig, read_card
from edge.model_store import ModelStore, shipped
from edge.recogniser import int8_model
from edge.sources.picture import load

Digitd = Callable[..., subprocess.CompletedProcess[bytes]]


def times(ratio: float, noise: float = 0.02, count: int = 60) -> F64:
    """As if measured: int8 takes `ratio` of float32's time, but for noise that both have."""
    rng = np.random.default_rng(0)
    return np.array([4.0, 4.0 * ratio]) * np.exp(rng.normal(0, noise, (count, 2)))


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


def holds_int8(store: ModelStore) -> bool:
    used = store.in_use("digits")
    return used is not None and used.read_bytes() == int8_model().read_bytes()


def test_frames_rows_and_digits_are_measured_and_told_as_json(digitd: Digitd) -> None:
    done = digitd("bench", "--json", "--seconds", "0.5", "--threads", "1", "--provider", "cpu")
    assert (done.returncode, done.stderr) == (0, b"")
    told = json.loads(done.stdout)
    assert (told["provider"], told["threads"]) == ("cpu", 1)
    assert told["model"] == {"file": str(shipped("digits")), "name": "digits", "precision": "float32"}
    for what, each in (("frames", 1), ("rows", 1), ("digits", 64)):
        speed = told[what]
        assert speed["each"] == each and speed["calls"] >= 5
        assert 0 < speed["ms"]["p50"] <= speed["ms"]["p90"] <= speed["ms"]["p99"]
        assert speed["per_second"] <= 1000 * each / (0.5 * speed["ms"]["p50"])  # half of the calls take as long or more


def test_the_table_says_with_what_and_how_fast(digitd: Digitd) -> None:
    done = digitd("bench", "--seconds", "0.3", "--model", int8_model())
    assert done.returncode == 0
    first, second, head, *rows = done.stdout.decode().splitlines()
    assert " cpu," in first and "thread" in first and "digits (int8)" in second
    assert head.split() == ["a", "second", "median", "90", "%", "99", "%"]
    assert [row.split("  ")[0] for row in rows] == [
        "frames of 1280x720, whole",
        "row model, one row a call",
        "digit model, 64 digits a call",
    ]


def test_a_model_file_that_is_none_is_one_line(digitd: Digitd, tmp_path: Path) -> None:
    (tmp_path / "none.onnx").write_bytes(b"none")
    done = digitd("bench", "--model", tmp_path / "none.onnx")
    (line,) = done.stderr.decode().splitlines()
    assert done.returncode == 78 and "none.onnx" in line and done.stdout == b""


def test_what_choose_says_is_what_is_read_with_from_then_on(digitd: Digitd, store: ModelStore) -> None:
    done = digitd("bench", "--choose", "--json", "--seconds", "1", "--folder", store.folder)
    assert (done.returncode, done.stderr) == (0, b"")
    told = json.loads(done.stdout)
    assert told["within"][0] <= told["ratio"] <= told["within"][1] and told["pairs"] >= 5
    assert told["in_use"] == ("int8" if holds_int8(store) else "float32")
    assert (told["in_use"] == "int8") == (told["within"][1] < 1 - WORTH)


def test_choosing_takes_no_other_model(digitd: Digitd, tmp_path: Path) -> None:
    done = digitd("bench", "--choose", "--model", tmp_path / "mine.onnx")
    (line,) = done.stderr.decode().splitlines()
    assert done.returncode == 2 and "--choose" in line and "leave --model" in line


def test_int8_is_put_to_use_once_where_it_is_surely_quicker(store: ModelStore) -> None:
    choice = decide(store, times(0.7))
    assert (choice.was, choice.in_use, choice.own) == ("float32", "int8", None)
    assert choice.ratio == pytest.approx(0.7, abs=0.02) and holds_int8(store)
    assert decide(store, times(0.7)).in_use == "int8"
    assert len(store.promoted("digits")) == 1


def test_float32_comes_back_where_it_is_the_quicker_one(store: ModelStore) -> None:
    decide(store, times(0.7))
    choice = decide(store, times(1.3))
    assert (choice.was, choice.in_use) == ("int8", "float32") and store.in_use("digits") is None
    assert decide(store, times(0.7)).in_use == "int8" and holds_int8(store)


@pytest.mark.parametrize("ratio, noise", [(0.97, 0.001), (1.03, 0.001), (0.8, 1.5), (1.2, 1.5)])
@pytest.mark.parametrize("before", ["float32", "int8"])
def test_nothing_changes_where_the_difference_is_small_or_noise(
    store: ModelStore, before: str, ratio: float, noise: float
) -> None:
    if before == "int8":
        decide(store, times(0.7))
    files = store.promoted("digits")
    assert decide(store, times(ratio, noise)).in_use == before
    assert store.promoted("digits") == files


def test_a_model_of_ones_own_stays_whatever_is_quicker(store: ModelStore, model_file: Callable[..., Path]) -> None:
    mine = store.promote(model_file(), force=True)
    assert mine is not None
    for ratio in (0.5, 2.0):
        choice = decide(store, times(ratio))
        assert (choice.own, choice.in_use) == (mine.path, None) and store.in_use("digits") == mine.path


def test_a_model_of_ones_own_beneath_int8_is_not_brought_back_unasked(
    store: ModelStore, model_file: Callable[..., Path]
) -> None:
    mine = store.promote(model_file(), force=True)
    store.promote(int8_model(), force=True)
    assert mine is not None and decide(store, times(2.0)).own == mine.path and holds_int8(store)


def test_the_interval_holds_the_true_median_nearly_always() -> None:
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(500):
        median, (low, high) = _median(rng.exponential(1, 40))
        assert low <= median <= high
        held += low <= np.log(2) <= high
    assert held >= 0.98 * 500


def test_the_shipped_int8_file_is_the_shipped_float32_file_quantised() -> None:
    float32, int8 = read_card(shipped("digits")), read_card(int8_model())
    assert int8.precision == "int8"
    assert replace(int8, precision="float32", accuracies=float32.accuracies, commit=float32.commit) == float32
    assert int8.accuracies["mnist test"] >= float32.accuracies["mnist test"] - 0.0002
    assert int8_model().with_suffix(".md").is_file()


def test_the_samples_are_read_as_well_by_int8() -> None:
    reader = Reader(int8_model(), EngineConfig("cpu", threads=1))
    for name, texts in sample_labels():
        assert [row.text for row in reader.read(load(SAMPLES / name))] == texts, name
