"""Half an hour at ten looks a second, as quickly as it goes: the daemon holds what it held before."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import edge

SAMPLE = Path(edge.__file__).parent / "samples" / "four-digits.png"
LOOKS = 18_000
WITHIN = 900.0  # seconds


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Rows that come, waver, change and go, in a few hundred small pictures at a thousand a second."""
    rng = np.random.default_rng(0)
    row = cv2.resize(cv2.imread(str(SAMPLE)), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    height, width = row.shape[:2]
    path = tmp_path / "film.avi"
    film = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 1000, (width + 40, height + 40))
    assert film.isOpened()
    for i in range(600):
        picture = np.full((height + 40, width + 40, 3), 235, np.uint8)
        if i // 60 % 2 == 0:
            x, y = rng.integers(10, 30, 2)
            shown = row if i // 120 % 2 else row[:, : width // 2]
            picture[y : y + height, x : x + shown.shape[1]] = shown
        noisy = np.clip(picture + rng.normal(0, 4, picture.shape), 0, 255)
        film.write(noisy.astype(np.uint8))
    film.release()
    return path


@pytest.mark.xdist_group("soak")
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc, to see what a process holds")
def test_half_an_hour_leaks_nothing(film: Path, tmp_path: Path) -> None:
    config = tmp_path / "digitd.toml"
    readings = tmp_path / "readings.jsonl"
    config.write_text(
        f'state_directory = "{tmp_path}/state"\n'
        f'[cameras.desk]\nsource = "{film}"\nloop = true\nlook_rate = 1000\nstabiliser = {{ gone_after = 0.05 }}\n'
        f'[sinks.file]\ntype = "jsonl"\npath = "{readings}"\n'
    )
    soak = Path(__file__).with_name("soak.py")
    done = subprocess.run(
        [sys.executable, str(soak), str(config), str(LOOKS)],
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    early, late = (json.loads(line) for line in done.stdout.splitlines())
    assert late["bytes"] <= 1.05 * early["bytes"], (early, late)
    assert late["threads"] <= early["threads"] and late["files"] <= early["files"], (early, late)
    texts = [json.loads(line).get("text") for line in readings.read_text().splitlines()]
    assert {"2749", "27"} <= set(texts) and len(texts) > 100
