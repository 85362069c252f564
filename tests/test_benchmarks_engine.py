"""The benchmarks of ONNX Runtime's settings and of devices run anywhere, and claim no GPU where there is none."""

import subprocess
import sys
from pathlib import Path

import pytest

from edge.providers import missing

ROOT = Path(__file__).parents[1]


def bench(name: str, *options: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"benchmarks.{name}", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_on_the_cpu_both_precisions_are_measured_and_no_figures_of_a_gpu_are_written(tmp_path: Path) -> None:
    out = tmp_path / "gpu.json"
    little = ("--largest", "4", "--cameras", "2", "--rounds", "1", "--threads", "1")
    done = bench("gpu", "--provider", "cpu", *little, "--json", out)
    assert done.returncode == 0, done.stderr
    assert "cpu float32" in done.stdout and "cpu float16" in done.stdout and "2 cameras" in done.stdout
    assert not out.exists()


@pytest.mark.skipif(missing("cuda") is None, reason="this machine has CUDA")
def test_without_a_gpu_one_line_says_why(tmp_path: Path) -> None:
    done = bench("gpu", "--json", tmp_path / "gpu.json")
    assert done.returncode == 78 and done.stdout == "" and not (tmp_path / "gpu.json").exists()
    (line,) = done.stderr.splitlines()
    assert line.startswith("nothing measured: provider cuda: ")


@pytest.mark.skipif(sys.platform != "linux", reason="reads procfs")
@pytest.mark.parametrize("setting", ["ONNX Runtime's own", "one arena for all models"])
def test_each_setting_reads_the_photograph_in_a_process_of_its_own(setting: str) -> None:
    done = bench("engine", "--memory-of", setting)
    assert done.returncode == 0 and 20 < float(done.stdout) < 1000, done.stderr
