"""What tests of the daemon share: the daemon as systemd runs it, a process of its own, told by signals."""

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import edge

SAMPLES = Path(edge.__file__).parent / "samples"
PATIENCE = 60.0  # seconds; a busy machine is slow, a broken daemon for ever silent


class Service:
    """`digitd run` with a socket in systemd's place, and its readings in a file."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.config, self.readings = folder, folder / "digitd.toml", folder / "readings.jsonl"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(folder / "notify"))
        self.socket.settimeout(0.05)
        self.notified: list[str] = []
        self.process: subprocess.Popen[str] | None = None
        self.log = folder / "log"

    def configure(self, source: str | Path, more: str = "") -> None:
        self.config.write_text(
            f'state_directory = "{self.folder}/state"\n[cameras.desk]\nsource = "{source}"\n{more}\n'
            f'[sinks.file]\ntype = "jsonl"\npath = "{self.readings}"\n'
        )

    def start(self, before: str = "", **environment: str) -> None:
        """before: Python that runs first."""
        env = os.environ | {"NOTIFY_SOCKET": str(self.folder / "notify"), "WATCHDOG_USEC": "2000000"} | environment
        env.pop("WATCHDOG_PID", None)
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    f"{before}\nfrom edge.cli import main; main()",
                    "run",
                    "--config",
                    str(self.config),
                ],
                env=env,
                stderr=log,
                text=True,
            )

    def until(self, holds: Callable[[], object], what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not holds():
            self.hear()
            assert time.monotonic() < end, f"{what}: {self.log.read_text()} {self.notified[-5:]}"
            assert self.process is None or self.process.poll() is None, f"ended: {self.log.read_text()}"

    def hear(self) -> None:
        try:
            while True:
                self.notified.append(self.socket.recv(4096).decode())
        except TimeoutError:
            pass

    def ready(self) -> None:
        self.until(lambda: any("READY=1" in one for one in self.notified), "ready")

    def events(self) -> list[dict[str, object]]:
        text = self.readings.read_text() if self.readings.exists() else ""
        return [json.loads(line) for line in text.splitlines() if line.endswith("}")]

    def told(self) -> list[dict[str, object]]:
        return [event for event in self.events() if event["kind"] == "reading"]

    def texts(self) -> list[object]:
        return [event["text"] for event in self.told()]

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    @contextmanager
    def full_disk(self) -> Iterator[None]:
        """No file of the service grows any more, as the outbox's log would have to."""
        assert self.process is not None
        size = (self.folder / "state" / "outbox.db-wal").stat().st_size
        assert size > 50_000, "room for the log and the sinks"
        _, hard = limits = resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (size, hard))
        try:
            yield
        finally:
            resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, limits)

    def reload(self) -> None:
        """Returns once it has."""
        before = self.log.read_text().count(": reloaded")
        self.signal(signal.SIGHUP)
        self.until(lambda: self.log.read_text().count(": reloaded") > before, "reload")

    def shows(self, folder: Path, sample: str, holds: Callable[[], object]) -> None:
        """Puts a picture there again and again, as a camera would, until that holds."""
        last = -1.0

        def holds_now() -> object:
            nonlocal last
            if time.monotonic() - last > 0.3:
                put(folder, sample, f"{time.monotonic_ns()}.png")
                last = time.monotonic()
            return holds()

        self.until(holds_now, sample)

    def stop(self) -> int:
        """The exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(PATIENCE)


def put(folder: Path, sample: str, name: str) -> None:
    """A picture, whole from the first moment."""
    folder.mkdir(exist_ok=True)
    part = folder / f".{name}"
    part.write_bytes((SAMPLES / sample).read_bytes())
    part.rename(folder / name)
