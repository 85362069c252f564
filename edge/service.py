"""digitd as a service of systemd: a venv of its own, configuration and unit in place, and all of it away again.

Each step says what it did and does nothing where that is done already.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

from edge.errors import ConfigError, UsageError

UNIT = "digitd.service"
PREFIX = Path("/opt/digitd")
MODELS = Path("/var/lib/digitd/models")  # as the unit's DIGITD_MODELS has it
DROP_INS = ("cuda", "network-cameras", "notify-reload")
PIP_TIMEOUT = 3600  # seconds; a slow line brings half a gigabyte in that time
SYSTEMCTL_TIMEOUT = 120

Say = Callable[[str], None]


@dataclass(frozen=True)
class Layout:
    """Where things are. root: of the system that is installed into; prefix: of the venv, as that system sees it."""

    root: Path = Path("/")
    prefix: Path = PREFIX

    def at(self, path: str | Path) -> Path:
        return self.root / str(path).lstrip("/")

    @property
    def venv(self) -> Path:
        return self.at(self.prefix)

    @property
    def config(self) -> Path:
        return self.at("/etc/digitd/digitd.toml")

    @property
    def unit(self) -> Path:
        return self.at(f"/etc/systemd/system/{UNIT}")

    def drop_in(self, name: str) -> Path:
        return self.unit.with_name(f"{UNIT}.d") / f"10-{name}.conf"

    @property
    def is_running_system(self) -> bool:
        """Whether a systemd runs here that is to be told."""
        return self.root == Path("/") and Path("/run/systemd/system").is_dir()


def default_config() -> Path:
    """The annotated digitd.toml that comes with digitd."""
    return _shipped("digitd.toml")


def install(
    layout: Layout, say: Say, *, wheels: Path | None = None, drop_ins: Sequence[str] = (), now: bool = False
) -> None:
    """wheels: a folder with all that pip needs, for boxes without a network. drop_ins: of DROP_INS, for good. now:
    start it, too. Raises UsageError, ConfigError.
    """
    _check(layout, "install")
    for name in drop_ins:
        if name not in DROP_INS:
            raise UsageError(f"--drop-in {name}: is not known; allowed: {', '.join(DROP_INS)}")
    _make_venv(layout, say)
    _install_program(layout, wheels, say)
    _lay_config(layout, say)
    unit = _shipped(UNIT).read_text(encoding="utf-8")
    changed = _write(layout.unit, unit.replace(f"{PREFIX}/", f"{layout.prefix}/"), say)
    for name in DROP_INS:
        if name in drop_ins or layout.drop_in(name).exists():
            text = _shipped(f"drop-ins/{name}.conf").read_text(encoding="utf-8")
            changed |= _write(layout.drop_in(name), text, say)
    if changed and layout.is_running_system:
        _systemctl(layout, "daemon-reload")
        say("told systemd of it: systemctl daemon-reload")
    if layout.root != Path("/") or layout.is_running_system:
        _systemctl(layout, "enable", UNIT)
        say(f"enabled {UNIT}: it starts with the machine")
    if layout.is_running_system:
        if now:
            _systemctl(layout, "restart", UNIT)
            say(f"started {UNIT}")
        else:
            say(f"start it, once {layout.config} is as you want it: systemctl restart {UNIT}")
        choose = f"{layout.prefix}/bin/digitd bench --choose --folder {MODELS}"
        say(f"have it read with int8 where that is quicker: {choose}; systemctl reload {UNIT}")


def uninstall(layout: Layout, say: Say, *, purge: bool = False) -> None:
    """purge: configuration, state and credentials go as well. Raises UsageError, ConfigError."""
    _check(layout, "uninstall")
    if layout.unit.exists():
        if layout.is_running_system:
            _systemctl(layout, "disable", "--now", UNIT)
            say(f"stopped and disabled {UNIT}")
        elif layout.root != Path("/"):
            _systemctl(layout, "disable", UNIT)
            say(f"disabled {UNIT}")
    for path in (layout.unit, *map(layout.drop_in, DROP_INS)):
        _remove(path, say)
    folder = layout.drop_in("").parent
    if folder.is_dir() and not any(folder.iterdir()):
        _remove(folder, say)
    if layout.is_running_system:
        _systemctl(layout, "daemon-reload")
    if (layout.venv / "pyvenv.cfg").is_file():
        _remove(layout.venv, say)
    state = ("/var/lib/private/digitd", "/var/lib/digitd")
    kept = [layout.config.parent, *map(layout.at, state), *sorted(layout.at("/etc/credstore").glob("digitd.*"))]
    for path in kept:
        if purge:
            _remove(path, say)
        elif path.exists():
            say(f"kept {path}")


def status(layout: Layout, say: Say) -> bool:
    """Says what is installed and how it does; whether it is in place and, on a running system, active."""
    version = _installed_version(layout)
    say(f"program  {layout.venv}: {f'digitd {version}' if version else 'not installed'}")
    sound = _say_config(layout, say)
    names = [name for name in DROP_INS if layout.drop_in(name).exists()]
    there = layout.unit.exists()
    say(f"unit     {layout.unit}: {'there' if there else 'not there'}{', with ' + ', '.join(names) if names else ''}")
    if not layout.is_running_system:
        return bool(version) and sound and there
    wanted = ("ActiveState", "SubState", "UnitFileState", "StatusText", "NRestarts")
    shown = _systemctl(layout, "show", "--property", ",".join(wanted), UNIT)
    values = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    active, sub, enabled, text, restarts = (values.get(name, "") for name in wanted)
    say(f"service  {active} ({sub}), {enabled or 'not enabled'}, restarted {restarts or 0} times")
    if text:
        say(f"says     {text}")
    return active == "active"


def _check(layout: Layout, what: str) -> None:
    if layout.root == Path("/") and os.geteuid() != 0:
        raise UsageError(f"service {what}: needs root; run it again with sudo")
    if not re.fullmatch(r"(/[\w.+-]+)+", str(layout.prefix)):
        raise UsageError(f"--prefix {layout.prefix}: wants an absolute path of plain characters, as /opt/digitd")
    if not layout.root.is_dir():
        raise UsageError(f"--root {layout.root}: is no folder")


def _make_venv(layout: Layout, say: Say) -> None:
    python = Path(getattr(sys, "_base_executable", "") or sys.executable).resolve()
    if (layout.venv / "bin" / "python").exists():
        return
    if layout.venv.exists() and any(layout.venv.iterdir()):
        raise UsageError(f"--prefix {layout.prefix}: holds something else; name another folder")
    done = _run([str(python), "-m", "venv", "--without-pip", str(layout.venv)], PIP_TIMEOUT)  # ours serves
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise ConfigError(f"{layout.venv}: {python} could not make a venv ({reason})")
    say(f"made a venv: {layout.venv}")
    closed = [folder for folder in python.parents if not folder.stat().st_mode & 1]
    if closed:
        say(f"WARNING: the service's user cannot enter {closed[-1]}, where {python} is; run this with a Python of /usr")


def _install_program(layout: Layout, wheels: Path | None, say: Say) -> None:
    version = metadata.version("digitd")
    source = _source()
    if _installed_version(layout) == version and (source is None or source.is_file()):
        return
    target = f"digitd=={version}" if wheels or source is None else str(source)
    if find_spec("pip") is None:
        raise ConfigError(
            f"{sys.prefix}: has no pip, which installs the service; add it: {sys.executable} -m ensurepip"
        )
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(layout.venv / "bin" / "python")]
    command = [*pip, "install", "--quiet"]
    if wheels is not None:
        if not wheels.is_dir():
            raise UsageError(
                f"--wheels {wheels}: is no folder; fill one with: pip download -d FOLDER digitd=={version}"
            )
        command += ["--no-index", "--find-links", str(wheels)]
    if source is not None and (source / "constraints.txt").is_file():
        command += ["--constraint", str(source / "constraints.txt")]
    say(f"installing {target} with pip; this may take minutes")
    done = _run([*command, target], PIP_TIMEOUT)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
        reason = (errors or done.stderr.splitlines() or ["it says nothing"])[-1].removeprefix("ERROR: ")
        raise ConfigError(f"{target}: pip could not install it ({reason}); without a network use --wheels")
    say(f"installed digitd {version}: {layout.venv / 'bin' / 'digitd'}")


def _source() -> Path | None:
    """The folder or wheel that the digitd now running was installed from; None where that was an index."""
    direct = metadata.distribution("digitd").read_text("direct_url.json")
    url = urlsplit(json.loads(direct)["url"]) if direct else None
    if url is None or url.scheme != "file":
        return None
    path = Path(unquote(url.path))
    return path if path.exists() else None


def _installed_version(layout: Layout) -> str | None:
    found = sorted(layout.venv.glob("lib/python3*/site-packages/digitd-*.dist-info"))
    return found[-1].name.split("-")[1].removesuffix(".dist") if found else None


def _lay_config(layout: Layout, say: Say) -> None:
    """Never over one that is there; where the default is not what it was, the new one is laid beside it."""
    default = default_config().read_text(encoding="utf-8")
    before = layout.venv / "share" / "digitd.toml"
    changed = not before.is_file() or before.read_text(encoding="utf-8") != default
    if not layout.config.exists():
        _write(layout.config, default, say)
    elif changed and layout.config.read_text(encoding="utf-8") != default:
        say(f"kept {layout.config}; the default has changed:")
        _write(layout.config.with_name("digitd.toml.new"), default, say)
    if changed:
        before.parent.mkdir(parents=True, exist_ok=True)
        before.write_text(default, encoding="utf-8")


def _say_config(layout: Layout, say: Say) -> bool:
    from edge.config import load

    try:
        load(layout.config)
    except ConfigError as error:
        for line in str(error).split("\n"):
            say(f"config   {line}")
        return False
    say(f"config   {layout.config}: ok")
    return True


def _write(path: Path, text: str, say: Say) -> bool:
    """Whether anything had to be written."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o644)
    say(f"wrote {path}")
    return True


def _remove(path: Path, say: Say) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif path.exists() or path.is_symlink():
        path.unlink()
    else:
        return
    say(f"removed {path}")


def _systemctl(layout: Layout, *arguments: str) -> str:
    """Its output. With another root it changes that system's files only."""
    root = [] if layout.root == Path("/") else [f"--root={layout.root}"]
    done = _run(["systemctl", *root, *arguments], SYSTEMCTL_TIMEOUT)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"])[0]
        raise ConfigError(f"systemctl {' '.join(arguments)}: {reason}; see journalctl -u {UNIT}")
    return done.stdout


def _run(command: list[str], timeout: float) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            cwd="/",
        )
    except FileNotFoundError:
        raise ConfigError(f"{command[0]}: is not there; digitd's service needs systemd") from None
    except subprocess.TimeoutExpired:
        raise ConfigError(f"{command[0]}: did not end within {timeout:g} s; run it again") from None


def _shipped(name: str) -> Path:
    """Of the installed package, or of the repository that an editable install runs from."""
    package = Path(__file__).parent
    installed = package / "units" / name
    folder = "configs" if name.endswith(".toml") else "systemd"
    return installed if installed.exists() else package.parent / folder / name
