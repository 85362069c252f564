"""Whole processes beside what they cannot do without: a folder read, one picture read from a cold start, the daemon's
memory. Run by `benchmarks.speed`.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.progress import track

from benchmarks import live
from benchmarks.accuracy import generated
from benchmarks.timing import compared, in_turns
from edge.cores import usable_cores
from training.synth.sources import DigitSource

IMPORTS = "import cv2, onnxruntime"
_DIGITD = "from edge.cli import main; main()"
_QUALITY = 92  # of the JPEG files, as cameras save them


def folder(source: DigitSource, photographs: int, rounds: int, seed: int) -> dict[str, Any]:
    """Reading a folder of so many photographs by all cores, beside decoding them alone by as many threads. Seconds."""
    with tempfile.TemporaryDirectory() as name:
        samples = generated("photo", source, photographs, seed)
        for sample in track(samples, "making photographs", total=photographs, transient=True):
            cv2.imwrite(f"{name}/{sample.name}.jpg", sample.image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        files = sorted(Path(name).iterdir())

        def decode() -> None:
            with ThreadPoolExecutor(usable_cores()) as pool:  # OpenCV decodes without the interpreter's lock
                for image in pool.map(lambda file: cv2.imdecode(np.fromfile(file, np.uint8), cv2.IMREAD_COLOR), files):
                    assert image is not None

        read = ["read", name, "--format", "jsonl", "--out", os.devnull]
        times = in_turns({"read": lambda: _digitd(*read), "decode": decode}, rounds, warm=False)
    return compared(times["read"] / 1000, times["decode"] / 1000) | {"photographs": photographs}


def cold(rounds: int) -> dict[str, Any]:
    """`digitd read photo.jpg`, beside a Python that imports what it stands on and ends. Milliseconds."""
    calls: dict[str, Callable[[], object]] = {
        "read": lambda: _digitd("read", str(live.PHOTO), "--format", "jsonl"),
        "imports": lambda: _python(IMPORTS),
    }
    times = in_turns(calls, rounds)
    return compared(times["read"], times["imports"])


def memory(rounds: int, seconds: float) -> dict[str, Any]:
    """What `digitd run` keeps resident with one camera, beside the same imports. Megabytes."""
    with tempfile.TemporaryDirectory() as name:
        film = Path(name) / "film.avi"
        live.film(film, 120, written=True)
        ours, beside = [], []
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as room:
                ours.append(live.daemon(film, Path(room), seconds)["resident_mb"])
            tell = "; print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmRSS')))"
            beside.append(int(_python(IMPORTS + tell)) / 1000)
    return compared(np.array(ours), np.array(beside))


def _digitd(*arguments: str) -> bytes:
    return _python(_DIGITD, *arguments)


def _python(script: str, *arguments: str) -> bytes:
    """Compiled modules are kept, as an installed package has them."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(command, check=True, capture_output=True, env=env).stdout  # noqa: S603
