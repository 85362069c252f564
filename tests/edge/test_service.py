"""`digitd service`: what is put in place and taken away, in a folder that stands for a system's root."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

from edge import service
from edge.errors import ConfigError, UsageError
from edge.service import Layout

ROOT = Path(__file__).parents[2]
VERSION = metadata.version("digitd")

Digitd = Callable[..., subprocess.CompletedProcess[bytes]]

pytestmark = pytest.mark.skipif(shutil.which("systemctl") is None, reason="needs systemctl, of systemd")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A root in which the venv holds this very version already."""
    layout = Layout(tmp_path / "root")
    site = layout.venv / "lib" / "python3.11" / "site-packages"
    (site / f"digitd-{VERSION}.dist-info").mkdir(parents=True)
    (layout.venv / "bin").mkdir()
    (layout.venv / "bin" / "python").symlink_to(sys.executable)
    (layout.venv / "pyvenv.cfg").touch()
    return layout


@pytest.fixture
def from_an_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """This digitd counts as installed from an index; the checkout that the tests run from is always installed anew."""
    monkeypatch.setattr(service, "_source", lambda: None)


def said_by(function: Callable[..., object], *arguments: object, **options: object) -> list[str]:
    lines: list[str] = []
    function(*arguments, lines.append, **options)
    return lines


@pytest.mark.usefixtures("from_an_index")
def test_it_lays_configuration_and_unit_enables_it_and_says_so(layout: Layout) -> None:
    said = said_by(service.install, layout)
    unit = layout.root / "etc/systemd/system/digitd.service"
    wants = layout.root / "etc/systemd/system/multi-user.target.wants/digitd.service"
    assert layout.config.read_text() == (ROOT / "configs" / "digitd.toml").read_text()
    assert unit.read_text() == (ROOT / "systemd" / "digitd.service").read_text()
    assert wants.is_symlink() and layout.config.stat().st_mode & 0o777 == 0o644
    assert said == [f"wrote {layout.config}", f"wrote {unit}", "enabled digitd.service: it starts with the machine"]


@pytest.mark.usefixtures("from_an_index")
def test_a_second_time_nothing_is_written(layout: Layout) -> None:
    said_by(service.install, layout, drop_ins=["cuda"])
    before = {path: path.lstat().st_mtime_ns for path in layout.root.rglob("*") if path.is_file()}
    assert said_by(service.install, layout) == ["enabled digitd.service: it starts with the machine"]
    assert {path: path.lstat().st_mtime_ns for path in layout.root.rglob("*") if path.is_file()} == before


@pytest.mark.usefixtures("from_an_index")
def test_your_configuration_stays_and_a_new_default_is_laid_beside_it(layout: Layout) -> None:
    said_by(service.install, layout)
    layout.config.write_text("# mine\n")
    new = layout.config.with_name("digitd.toml.new")
    said_by(service.install, layout)
    assert not new.exists()  # the default is what it was
    (layout.venv / "share" / "digitd.toml").write_text("# the default of an earlier version\n")
    said = said_by(service.install, layout)
    assert f"wrote {new}" in said and new.read_text() == service.default_config().read_text()
    assert layout.config.read_text() == "# mine\n"


@pytest.mark.usefixtures("from_an_index")
def test_drop_ins_are_put_in_place_kept_up_to_date_and_checked(layout: Layout) -> None:
    said_by(service.install, layout, drop_ins=["network-cameras", "notify-reload"])
    folder = layout.root / "etc/systemd/system/digitd.service.d"
    assert sorted(path.name for path in folder.iterdir()) == ["10-network-cameras.conf", "10-notify-reload.conf"]
    (folder / "10-notify-reload.conf").write_text("# old\n")
    said_by(service.install, layout)
    assert "Type=notify-reload" in (folder / "10-notify-reload.conf").read_text()
    with pytest.raises(UsageError, match="--drop-in gpu: is not known; allowed: cuda, network-cameras, notify-reload"):
        said_by(service.install, layout, drop_ins=["gpu"])


@pytest.mark.usefixtures("from_an_index")
def test_another_prefix_is_that_of_the_unit(layout: Layout) -> None:
    layout.venv.rename(layout.at("/opt/other"))
    other = Layout(layout.root, Path("/opt/other"))
    said_by(service.install, other)
    assert "\nExecStart=/opt/other/bin/digitd run --config /etc/digitd/digitd.toml\n" in other.unit.read_text()
    for prefix in ("relative", "/opt/a b", "/opt/%h", "/opt/$X", "/"):
        with pytest.raises(UsageError, match="wants an absolute path of plain characters"):
            said_by(service.install, Layout(layout.root, Path(prefix)))


@pytest.mark.usefixtures("from_an_index")
def test_uninstalling_keeps_what_is_yours_unless_told_otherwise(layout: Layout) -> None:
    said_by(service.install, layout, drop_ins=["cuda"])
    mine = layout.drop_in("cuda").with_name("override.conf")
    mine.write_text("[Service]\n")
    state, secret = layout.at("/var/lib/digitd"), layout.at("/etc/credstore/digitd.mqtt-password")
    for path in (state / "outbox.db", secret):
        path.parent.mkdir(parents=True)
        path.touch()
    said = said_by(service.uninstall, layout)
    assert not (layout.venv.exists() or layout.unit.exists() or layout.drop_in("cuda").exists())
    assert layout.config.exists() and state.exists() and secret.exists() and mine.exists()
    assert [line for line in said if line.startswith("kept")] == [
        f"kept {path}" for path in (layout.config.parent, state, secret)
    ]
    said_by(service.uninstall, layout, purge=True)
    assert not (layout.config.parent.exists() or state.exists() or secret.exists())
    assert said_by(service.uninstall, layout, purge=True) == []


def test_uninstalling_leaves_a_prefix_alone_that_is_no_venv(layout: Layout) -> None:
    (layout.venv / "pyvenv.cfg").unlink()
    said_by(service.uninstall, layout, purge=True)
    assert layout.venv.exists()


@pytest.mark.usefixtures("from_an_index")
def test_status_says_what_is_there(layout: Layout) -> None:
    assert said_by(service.status, Layout(layout.root, Path("/opt/none")))[0].endswith("/opt/none: not installed")
    said_by(service.install, layout, drop_ins=["cuda"])
    said = said_by(service.status, layout)
    assert said == [
        f"program  {layout.venv}: digitd {VERSION}",
        f"config   {layout.config}: ok",
        f"unit     {layout.unit}: there, with cuda",
    ]
    layout.config.write_text("[camera]\n")
    assert f"config   {layout.config}:1: camera: no such key; did you mean cameras?" in said_by(service.status, layout)


def test_the_program_is_installed_into_a_venv_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the real pip, from a folder of wheels; their dependencies are left out, as they are large."""
    wheels = tmp_path / "wheels"
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([*build, "--wheel-dir", wheels, ROOT], check=True, timeout=120)
    monkeypatch.setenv("PIP_NO_DEPS", "1")
    root = tmp_path / "root"
    root.mkdir()
    said = said_by(service.install, Layout(root), wheels=wheels)
    site = next(root.glob("opt/digitd/lib/python3*/site-packages"))
    assert (site / "edge" / "units" / "digitd.service").is_file() and (root / "opt/digitd/bin/digitd").is_file()
    assert f"installed digitd {VERSION}: {root}/opt/digitd/bin/digitd" in said
    env = {**os.environ, "PYTHONPATH": str(site)}
    code = "from edge.service import default_config; print(default_config())"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, env=env, cwd=tmp_path)
    assert done.stdout == f"{site}/edge/units/digitd.toml\n"


@pytest.mark.usefixtures("from_an_index")
def test_what_pip_cannot_find_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "wheels").mkdir()
    with pytest.raises(ConfigError) as caught:
        said_by(service.install, Layout(tmp_path / "root"), wheels=tmp_path / "wheels")
    assert str(caught.value).startswith(f"digitd=={VERSION}: pip could not install it (No matching distribution found")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("command", ["install", "uninstall"])
def test_without_root_it_is_one_line(command: str) -> None:
    # It steps down only once all is imported: not everyone may enter the folder of the tests' Python.
    code = (
        "import os\nfrom edge.service import *\nif os.geteuid() == 0: os.setuid(65534)\n"
        f"try: {command}(Layout(), print)\nexcept UsageError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == f"service {command}: needs root; run it again with sudo\n", done.stderr


def test_a_prefix_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    (layout.venv / "photos").mkdir(parents=True)
    with pytest.raises(UsageError, match="--prefix /opt/digitd: holds something else; name another folder"):
        said_by(service.install, layout)


def test_the_command_prints_it(digitd: Digitd, tmp_path: Path) -> None:
    done = digitd("service", "status", "--root", tmp_path)
    assert done.returncode == 1
    assert done.stdout.decode().splitlines()[0] == f"program  {tmp_path}/opt/digitd: not installed"
    assert digitd("service", "install", "--root", tmp_path / "absent").returncode == 2
