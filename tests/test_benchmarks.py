"""The benchmarks' own arithmetic, and that they run without the data that users do not have."""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def accuracy():
    sys.path.insert(0, str(ROOT))
    yield importlib.import_module("benchmarks.accuracy")
    sys.path.remove(str(ROOT))


def outcome(accuracy, right, confidence):
    sample = accuracy.Sample("", np.zeros((1, 1), np.uint8), "1")
    return accuracy.Outcome(sample, "1" if right else "2", confidence, 1.0)


def test_coverage_counts_the_surest_rows_up_to_each_risk(accuracy):
    rows = [outcome(accuracy, True, 1 - i / 1000) for i in range(100)]
    rows += [outcome(accuracy, i != 0, 0.8 - i / 1000) for i in range(100)]
    belief = accuracy.belief(rows[::-1])
    by_risk = {of["risk"]: of for of in belief["coverage"]}
    assert by_risk[0.001] == {"risk": 0.001, "share": 0.5, "confidence": 0.901}  # up to the only wrong one
    assert by_risk[0.01]["share"] == 1.0  # 1 in 200 is less
    assert belief["count"] == 200


def test_where_the_surest_row_is_wrong_nothing_can_be_accepted(accuracy):
    belief = accuracy.belief([outcome(accuracy, False, 0.9), outcome(accuracy, True, 0.8)])
    assert all(of == {"risk": of["risk"], "share": 0.0, "confidence": None} for of in belief["coverage"])


def test_the_interval_holds_the_share(accuracy):
    for right, count in ((0, 10), (10, 10), (380, 400)):
        low, high = accuracy.wilson(right, count)
        assert -1e-9 <= low <= right / count <= high <= 1 + 1e-9
    assert accuracy.wilson(380, 400) == pytest.approx((0.9242, 0.9674), abs=1e-3)


@pytest.mark.parametrize("name", ["accuracy", "speed"])
def test_a_benchmark_runs_on_rows_of_the_stroke_model(name, tmp_path, monkeypatch, accuracy, capsys):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("DIGITD_DATA", str(tmp_path))
    benchmark = importlib.import_module(f"benchmarks.{name}")
    out = tmp_path / "figures.json"
    monkeypatch.setattr(sys, "argv", [name, "--count", "2", "--json", str(out)])
    benchmark.main()
    kinds = json.loads(out.read_text())["kinds"]
    assert {"separated", "photo", "ruled", "touching", "crowd"} == set(kinds)
    assert "by the stroke model" in capsys.readouterr().out
