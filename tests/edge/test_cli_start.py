"""How `digitd` starts: quickly, with little, and with the commands other packages bring."""

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

from edge.cli import entry_points

Digitd = Callable[..., subprocess.CompletedProcess[bytes]]


def cpu_seconds(digitd: Digitd, *arguments: str) -> float:
    def spent() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    best = 9.0
    for _ in range(6):  # the least of several: what other work on the machine adds is not ours
        before = spent()
        assert digitd(*arguments).returncode == 0
        best = min(best, spent() - before)
    return best


def test_help_answers_in_a_quarter_second_of_cpu(digitd: Digitd) -> None:
    digitd("--help")  # once to compile
    assert cpu_seconds(digitd, "--help") < 0.25


@pytest.mark.parametrize("script", ["import edge", "import edge.cli", "from edge.cli import main; main()"])
def test_starting_imports_nothing_heavy(script: str) -> None:
    heavy = ["torch", "onnx", "onnxruntime", "cv2", "numpy", "rich", "pydantic"]
    heavy += ["typer", "edge.cli"] if script == "import edge" else []
    code = (
        f"import sys; sys.argv = ['digitd', '--help']\ntry:\n    {script}\nexcept SystemExit: pass\n"
        f"print('loaded', [name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.splitlines()[-1] == "loaded []"


def test_import_of_the_types_needs_no_opencv() -> None:
    code = "import sys\nfrom edge import Digit, Row\nprint([n for n in ('cv2', 'numpy', 'typer') if n in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_help_names_every_command_and_each_shows_an_example(digitd: Digitd) -> None:
    said = digitd("--help").stdout.decode()
    for command in ("read", "live", "run", "config", "service", "bench", "doctor", "train", "evaluate", "export"):
        assert f"\n  {command} " in said
        helped = digitd(command, "--help")
        assert helped.returncode == 0 and "xample" in helped.stdout.decode(), command
    assert digitd("--version").stdout.decode() == f"digitd {metadata.version('digitd')}\n"


def test_our_reading_of_entry_points_is_the_standard_librarys() -> None:
    found = metadata.entry_points(group="digitd.commands")
    assert sorted(set(entry_points())) == sorted((one.name, one.value) for one in found) != []


def test_a_broken_package_takes_no_command_away(digitd: Digitd, tmp_path: Path) -> None:
    info = tmp_path / "broken-1.0.dist-info"
    info.mkdir()
    (info / "entry_points.txt").write_text(
        "[console_scripts]\nx = y:z\n\n[digitd.commands]\nsmash = broken_package:run\nread = broken_package:run\n"
    )
    (tmp_path / "broken_package.py").write_text("raise RuntimeError('out of order')")
    env = {"PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
    said = digitd("--help", env=env)
    assert said.returncode == 0 and "smash     (does not load: RuntimeError)" in said.stdout.decode()
    assert "Read the rows" in said.stdout.decode()
    done = digitd("smash", env=env)
    assert done.returncode == 78
    assert done.stderr.decode().splitlines() == [
        "digitd: smash: its package does not load (RuntimeError: out of order); "
        "reinstall the package that holds broken_package"
    ]
