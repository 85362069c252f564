"""What is built and installed: the wheel's files, its dependencies on each platform, its entry points."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from email import message_from_string
from email.message import Message
from importlib import import_module, metadata
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PACKAGES = ("edge", "training", "export")
NOT_ON_THE_BOX = {"torch", "onnx", "onnxscript", "training", "export", "benchmarks", "tests"}

PLATFORMS = {
    "Linux on x86-64": ({"sys_platform": "linux", "platform_machine": "x86_64"}, "onnxruntime-gpu"),
    "Linux on ARM": ({"sys_platform": "linux", "platform_machine": "aarch64"}, "onnxruntime"),
    "Windows on x86-64": ({"sys_platform": "win32", "platform_machine": "AMD64"}, "onnxruntime-gpu"),
    "Windows on ARM": ({"sys_platform": "win32", "platform_machine": "ARM64"}, "onnxruntime"),
    "macOS on ARM": ({"sys_platform": "darwin", "platform_machine": "arm64"}, "onnxruntime"),
    "macOS on x86-64": ({"sys_platform": "darwin", "platform_machine": "x86_64"}, "onnxruntime"),
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZipFile]:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    done = subprocess.run([*command, "--wheel-dir", folder, ROOT], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.whl")
    with ZipFile(path) as opened:
        yield opened


@pytest.fixture(scope="module")
def about(wheel: ZipFile) -> Message:
    """The wheel's METADATA."""
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return message_from_string(wheel.read(name).decode())


def required(about: Message, environment: dict[str, str]) -> list[Requirement]:
    """What pip would install there."""
    requirements = map(Requirement, about.get_all("Requires-Dist", []))
    return [one for one in requirements if one.marker is None or one.marker.evaluate({"extra": ""} | environment)]


def test_the_wheel_holds_the_packages_and_nothing_else(wheel: ZipFile) -> None:
    ours = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    units = {path.relative_to(ROOT / "systemd").as_posix() for path in (ROOT / "systemd").rglob("*") if path.is_file()}
    ours |= {f"edge/units/{name}" for name in (*units, "digitd.toml")}
    assert {name for name in wheel.namelist() if ".dist-info/" not in name} == ours


def test_the_wheel_brings_samples_model_types_and_licence(wheel: ZipFile) -> None:
    names = set(wheel.namelist())
    assert {"edge/models/digits.onnx", "edge/models/digits.md", "edge/py.typed", "edge/samples/labels.tsv"} <= names
    labels = wheel.read("edge/samples/labels.tsv").decode().splitlines()
    assert {"edge/samples/" + line.split("\t")[0] for line in labels} <= names
    (licence,) = (name for name in names if name.endswith(".dist-info/licenses/LICENSE"))
    assert "Apache License" in wheel.read(licence).decode()


def test_the_wheel_reads_a_sample_where_it_is_unpacked(wheel: ZipFile, tmp_path: Path) -> None:
    wheel.extractall(tmp_path)
    script = (
        "import edge, pathlib; from edge import Reader; from edge.sources.picture import load\n"
        "home = pathlib.Path(edge.__file__).parent\n"
        "print(home, *(row.text for row in Reader().read(load(home / 'samples' / 'two-rows.png'))))"
    )
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, cwd=tmp_path, env=env, text=True)
    assert done.stdout.split() == [str(tmp_path / "edge"), "40718", "862935"], done.stderr


@pytest.mark.parametrize("platform", PLATFORMS)
def test_each_platform_gets_one_onnx_runtime(about: Message, platform: str) -> None:
    environment, expected = PLATFORMS[platform]
    names = [one.name for one in required(about, environment)]
    assert [name for name in names if name.startswith("onnxruntime")] == [expected]
    assert {"numpy", "opencv-python", "typer"} < set(names) and not {"torch", "onnx", "pytest"} & set(names)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_cuda_libraries_come_only_where_there_are_any(about: Message, platform: str) -> None:
    environment, expected = PLATFORMS[platform]
    extras = {extra for one in required(about, environment | {"extra": "cuda"}) for extra in one.extras}
    assert extras == ({"cuda", "cudnn"} if expected == "onnxruntime-gpu" else set())


def test_everything_installed_by_make_is_pinned_within_what_is_asked(about: Message) -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = {canonicalize_name(name): version for name, _, version in (x.partition("==") for x in lines if x[0] != "#")}
    assert pins["torch"] == "2.13.0"
    for one in map(Requirement, about.get_all("Requires-Dist", [])):
        if one.name != "digitd" and not one.extras:
            assert one.specifier.contains(pins[canonicalize_name(one.name)]), one


def test_the_version_is_the_changelogs_newest(about: Message) -> None:
    newest = re.search(r"^## \[(\d[^\]]*)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert newest is not None and about["Version"] == newest[1] == metadata.version("digitd")


def test_entry_points_lead_to_something_to_call() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    targets = [*project["scripts"].values(), *project["entry-points"]["digitd.commands"].values()]
    for target in targets:
        module, _, name = target.partition(":")
        assert callable(getattr(import_module(module), name)), target


def test_importing_the_packages_of_entry_points_loads_no_torch() -> None:
    script = (
        "import sys, edge, edge.cli, training.cli, export.cli; print({'torch', 'onnx', 'cv2'} & sys.modules.keys())"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout == "set()\n"


def imported(path: Path) -> set[str]:
    """The top-level names that a source file imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add((node.module or "").partition(".")[0])
    return names


def test_edge_imports_nothing_of_training() -> None:
    sources = sorted((ROOT / "edge").rglob("*.py"))
    assert sources and "onnxruntime" in imported(ROOT / "edge" / "engine.py")
    assert {str(path): imported(path) & NOT_ON_THE_BOX for path in sources if imported(path) & NOT_ON_THE_BOX} == {}
