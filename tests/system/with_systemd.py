"""A real systemd, booted in a container that is thrown away.

The container's root is this machine's under a tmpfs overlay: the same programs, and nothing written is kept. /tmp, /run
and /dev are new, so what a test needs of them is bound. Needs root and Debian's systemd-container, systemd-sysv, dbus.

    with Systemd(units=[...], binds_ro=["SRC:DST"]) as box:
        said = box.sh("systemctl start digitd && systemctl is-active digitd")
"""

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

PROGRAMS = ("systemd-nspawn", "dbus-daemon", "setpriv", "unshare", "systemd-analyze")
PREFIX = "digitd-systemd"
BOOT = 20.0  # seconds; 0.3 on an idle machine

# Runs what is put into /box, one command after the other, once basic.target is reached.
BOX_UNIT = """[Unit]
Wants=dbus.socket
After=dbus.socket basic.target
[Service]
Type=exec
Environment=TERM=dumb SYSTEMD_PAGER=cat SYSTEMD_COLORS=0
ExecStart=/bin/sh -c 'echo >/box/booted; while read -r n; do (. /box/$n.sh) >/box/$n.out 2>&1 </dev/null; \
echo $? >/box/rc; mv /box/rc /box/$n.rc; done <>/box/todo'
"""

# Mount and PID namespaces of its own: bind mount and container go with the process, whatever kills it. A cgroup of its
# own, as two containers would share one.
START = """set -e
for c in $1; do mkdir "$c"; echo 0 >"$c/cgroup.procs"; done
mount --bind / "$2"
shift 2
mkdir -p /run/systemd/nspawn
mount -t tmpfs nspawn /run/systemd/nspawn
exec "$@"
"""


class Systemd:
    """units: files, or folders NAME.service.d, for /run/systemd/system. binds_ro: SRC:DST, seen read-only inside."""

    def __init__(self, units: Iterable[Path] = (), binds_ro: Iterable[str] = ()) -> None:
        self._name = f"{PREFIX}-{os.getpid()}-{time.monotonic_ns()}"
        self._work = Path(tempfile.gettempdir(), self._name)
        self._box = self._work / "box"
        self._cgroups = list(own_cgroups(self._name))
        self._units = list(units)
        self._binds = list(binds_ro)
        self._child: subprocess.Popen[bytes] | None = None
        self._count = 0

    def __enter__(self) -> Self:
        sweep(self._work.parent, self._cgroups)
        try:
            self._boot()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._child is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGKILL)  # with its PID namespace goes all that is in it
            self._child.wait()
        for cgroup in self._cgroups:
            remove_cgroup(cgroup)
        shutil.rmtree(self._work, ignore_errors=True)

    def sh(self, command: str, timeout: float = 20.0) -> subprocess.CompletedProcess[str]:
        """Runs shell commands inside; `stdout` holds what they say on standard error, too."""
        self._count += 1
        here = self._box / str(self._count)
        here.with_suffix(".sh").write_text(command)
        with (self._box / "todo").open("w") as todo:
            todo.write(f"{self._count}\n")
        self._wait(here.with_suffix(".rc"), timeout, command)
        code = int(here.with_suffix(".rc").read_text())
        return subprocess.CompletedProcess(command, code, here.with_suffix(".out").read_text(errors="replace"))

    def _boot(self) -> None:
        self._work.mkdir(0o700)
        for folder in ("root", "box", "units"):
            (self._work / folder).mkdir()
        os.mkfifo(self._box / "todo")
        (self._work / "units" / "box.service").write_text(BOX_UNIT)
        for unit in self._units:
            copy = shutil.copytree if unit.is_dir() else shutil.copy
            copy(unit, self._work / "units" / unit.name)
        nspawn = [
            *("systemd-nspawn", "--quiet", f"--machine={self._name}", f"--directory={self._work}/root"),
            *("--volatile=overlay", "--register=no", "--keep-unit", "--link-journal=no", "--console=pipe"),
            *("--kill-signal=SIGKILL", "--private-network"),
            *(f"--bind={self._box}:/box", f"--bind={self._work}/units:/run/systemd/system"),
            *(f"--bind-ro={bind}" for bind in self._binds),
            *("--capability=CAP_BPF", "--system-call-filter=bpf"),  # or DevicePolicy= does nothing
            *("--boot", "systemd.unit=box.service", "systemd.mask=systemd-sysctl.service", "systemd.firstboot=no"),
        ]
        start = ["sh", "-c", START, "sh", shlex.join(map(str, self._cgroups)), f"{self._work}/root", *nspawn]
        namespaces = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"]
        with (self._work / "console").open("wb") as console:
            self._child = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *namespaces, "--mount-proc", *start],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
                env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},  # or devices are not kept from it
            )
        self._wait(self._box / "booted", BOOT, "boot")

    def _wait(self, path: Path, timeout: float, what: str) -> None:
        assert self._child is not None
        deadline = time.monotonic() + timeout
        while not path.exists():
            if self._child.poll() is not None or time.monotonic() > deadline:
                console = (self._work / "console").read_text(errors="replace")
                raise AssertionError(f"the container did not end within {timeout:g} s: {what}\n{console}")
            time.sleep(0.01)


def own_cgroups(name: str) -> Iterator[Path]:
    """Paths for a cgroup `name` below this process's, in the hierarchies that systemd manages."""
    mounts = {"0": ("/sys/fs/cgroup", "/sys/fs/cgroup/unified"), "name=systemd": ("/sys/fs/cgroup/systemd",)}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        number, controllers, path = line.split(":", 2)
        for top in mounts.get(controllers or number, ()):
            if Path(top, "cgroup.procs").exists():
                yield Path(top, path.lstrip("/"), name)


def remove_cgroup(cgroup: Path) -> None:
    """With what is in it; processes that were killed may take a moment to be gone."""
    deadline = time.monotonic() + 3
    while cgroup.exists() and time.monotonic() < deadline:
        inner = [path for path in cgroup.rglob("*") if path.is_dir()]
        for path in [*sorted(inner, key=lambda path: -len(path.parts)), cgroup]:
            with suppress(OSError):
                path.rmdir()
        time.sleep(0.02)


def sweep(folder: Path, cgroups: Iterable[Path]) -> None:
    """Removes what runs left behind whose process is no more."""
    for above in (folder, *(cgroup.parent for cgroup in cgroups)):
        for path in above.glob(f"{PREFIX}-*-*"):
            if not Path("/proc", path.name.split("-")[2]).exists():
                shutil.rmtree(path, ignore_errors=True) if above == folder else remove_cgroup(path)
