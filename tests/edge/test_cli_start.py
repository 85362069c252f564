"""How `digitd` starts: quickly, with little, and with the commands other packages bring."""

import os
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

from edge.cli import entry_points

Digitd = Callable[..., subprocess.CompletedProcess[bytes]]


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


def test_help_imports_nothing_but_typer_and_the_commands() -> None:
    code = (
        "import sys, typer.main; typers = set(sys.modules); sys.argv = ['digitd', '--help']\n"
        "try:\n    from edge.cli import main; main()\nexcept SystemExit: pass\n"
        "print(*sorted({name.split('.')[0] for name in set(sys.modules) - typers}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    ours = {"edge", "export", "training"}
    assert set(done.stdout.splitlines()[-1].split()) <= ours | {"typer", "unicodedata"}


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
