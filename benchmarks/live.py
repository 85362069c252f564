"""What live reading costs on one core: how soon a frame is a reading, how busy an idle camera keeps it, how soon the
daemon is ready, what it holds.

    python -m benchmarks.live [--seconds 20] [--json FILE]

The film is the bundled photograph, 1280x720 at 30 frames a second, moved by a pixel or two from frame to frame, so that
each has to be read; it comes and goes, so that its row is told again and again. The empty film is paper with a camera's
noise. Every process is kept to one core.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

import edge
from edge.arrays import U8, u8

PHOTO = Path(edge.__file__).parent / "samples" / "photo.jpg"
RATE = 30.0
_SHOWN = 20  # frames that the photograph is shown, and then not
GOALS = {
    "latency_ms": ("from a decoded frame to the reading that it settles, median, ms", 8.0),
    "latency_p90_ms": ("the same, slowest tenth, ms", None),
    "look_ms": ("from a decoded frame to its rows, all frames that are read whole, median, ms", None),
    "age_ms": ("age of a frame when its reading begins, slowest tenth, ms", 1000 / RATE),
    "idle_share": ("share of a core at 10 frames a second, nothing on the paper", 0.35),
    "ready_s": ("from the start to READY, s", 1.0),
    "resident_mb": ("resident memory with one camera, MB", 150.0),
}


def film(path: Path, frames: int, written: bool) -> None:
    """MJPG, so that decoding is quick and every frame stands for itself."""
    rng = np.random.default_rng(0)
    photo = u8(cv2.imread(str(PHOTO)))
    height, width = photo.shape[:2]
    out = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), RATE, (width, height))
    empty = np.full_like(photo, 190)
    for i in range(frames):
        dx, dy = rng.integers(-2, 3, 2)
        moved = cv2.warpAffine(
            photo, np.array([[1.0, 0, dx], [0, 1, dy]]), (width, height), borderMode=cv2.BORDER_REPLICATE
        )
        noisy = (moved if written and i // _SHOWN % 2 else empty) + rng.normal(0, 2, photo.shape)
        out.write(np.clip(noisy, 0, 255).astype(np.uint8))
    out.release()


@dataclass(frozen=True)
class Seen:
    """Of a frame that was read, seconds: how old it was when that began and when it ended."""

    age: float
    done: float
    whole: bool
    told: bool


def looks(path: Path, seconds: float) -> list[Seen]:
    from edge.config import CameraConfig, StabiliserConfig
    from edge.engine import EngineConfig
    from edge.events import Reading
    from edge.reader import Reader
    from edge.sources.capture import Capture
    from edge.watch import Watch

    cv2.setNumThreads(1)
    reader = Reader(engine=EngineConfig("cpu", threads=1))
    config = CameraConfig(source=str(path), loop=True, stabiliser=StabiliserConfig(gone_after=0.3))
    watch = Watch("bench", config, "rows")
    capture = Capture("bench", config, lambda: None, lambda *_: None)
    capture.start()
    seen: list[Seen] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        frame = capture.newest()
        if frame is None:
            time.sleep(0.0005)
            continue
        began = time.monotonic()
        picture: U8 = watch.view(frame.image)
        if parts := watch.parts(picture, frame.taken):
            news = watch.update(frame, parts, reader.read_all([part.image for part in parts], 8))
            whole = parts[0].image is picture
            told = any(isinstance(one, Reading) for one in news)
            seen.append(Seen(began - frame.taken, time.monotonic() - frame.taken, whole, told))
        else:
            watch.same(frame)
    capture.stop()
    return seen[len(seen) // 10 :]


def daemon(path: Path, folder: Path, seconds: float) -> dict[str, float]:
    """`digitd run` on that film at ten looks a second: when it is ready, how busy, how large."""
    config = folder / "digitd.toml"
    config.write_text(
        f'state_directory = "{folder}/state"\n[cameras.bench]\nsource = "{path}"\nloop = true\n[sinks.out]\n'
        'type = "stdout"\n'
    )
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        notified.bind(str(folder / "notify"))
        start = time.monotonic()
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-c", "from edge.cli import main; main()", "run", "--config", str(config)],
            env=os.environ | {"NOTIFY_SOCKET": str(folder / "notify")},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while b"READY=1" not in notified.recv(4096):
            pass
        ready = time.monotonic() - start
        time.sleep(3)
        before, since = _cpu(process.pid), time.monotonic()
        time.sleep(seconds)
        busy = (_cpu(process.pid) - before) / (time.monotonic() - since)
        status = Path(f"/proc/{process.pid}/status").read_text()
        process.terminate()
        process.wait()
    resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    return {"ready_s": ready, "busy": busy, "resident_mb": resident / 1000}


def _cpu(pid: int) -> float:
    """Seconds of a core that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(seconds: float) -> dict[str, float]:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        film(folder / "written.avi", 3 * 2 * _SHOWN, written=True)
        film(folder / "empty.avi", 90, written=False)
        seen = looks(folder / "written.avi", seconds)
        idle = daemon(folder / "empty.avi", folder, seconds)
        (folder / "notify").unlink()
        written = daemon(folder / "written.avi", folder, seconds)
    return {
        "latency_ms": 1000 * float(np.median([one.done for one in seen if one.told])),
        "latency_p90_ms": 1000 * float(np.quantile([one.done for one in seen if one.told], 0.9)),
        "look_ms": 1000 * float(np.median([one.done for one in seen if one.whole])),
        "age_ms": 1000 * float(np.quantile([one.age for one in seen], 0.9)),
        "idle_share": idle["busy"],
        "ready_s": min(idle["ready_s"], written["ready_s"]),
        "resident_mb": max(idle["resident_mb"], written["resident_mb"]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each measurement")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    arguments = parser.parse_args()
    figures = measure(arguments.seconds)
    table = Table(title="Live reading on one core")
    for head in ("what", "measured", "to reach"):
        table.add_column(head, justify="left" if head == "what" else "right")
    for key, (what, goal) in GOALS.items():
        table.add_row(what, f"{figures[key]:.2f}", "" if goal is None else f"{goal:.2f}")
    Console().print(table)
    if arguments.json:
        rounded: dict[str, Any] = {key: round(value, 3) for key, value in figures.items()}
        arguments.json.write_text(json.dumps(rounded, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
