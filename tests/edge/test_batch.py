"""Many files read by a process for each core: as one after another, whatever befalls a process."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge import Reader, batch
from edge.batch import Outcome, read_files
from edge.engine import EngineConfig
from edge.model_files import ModelFiles
from edge.sources.files import find

Page = Callable[..., np.ndarray]


@pytest.fixture
def folder(page: Page, film: Path, tmp_path: Path) -> Path:
    """Nine pictures of other figures each, a film among them, and what is no picture."""
    for number in range(9):
        cv2.imencode(".png", page(f"{number}70{number}"))[1].tofile(tmp_path / f"{number}.png")
    (tmp_path / "4 film.avi").write_bytes(film.read_bytes())
    (tmp_path / "5 none.png").write_bytes(b"no picture")
    return tmp_path


@pytest.fixture
def read(reader: Reader, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Iterator[Outcome]]:
    monkeypatch.setattr(batch, "MANY", 5)

    def begin(threads: int, pictures: bool = False, times: int = 1) -> Iterator[Outcome]:
        found = find([str(folder), "gone.png"] * times)
        return read_files(reader, ModelFiles().chosen(), EngineConfig("cpu", threads), found, 1.0, pictures)

    return begin


def without_times(outcomes: Iterator[Outcome]) -> list[object]:
    return [replace(result, ms=0.0) for result, _ in outcomes]


def test_processes_give_what_one_gives_in_the_same_order(read: Callable[..., Iterator[Outcome]]) -> None:
    alone, outcomes = without_times(read(1)), read(2)
    first, _ = next(outcomes)
    assert len(multiprocessing.active_children()) == 2
    assert [replace(first, ms=0.0), *without_times(outcomes)] == alone and len(alone) == 9 + 3 + 1 + 1
    assert multiprocessing.active_children() == []


def test_pictures_come_along_where_they_are_wanted(read: Callable[..., Iterator[Outcome]]) -> None:
    for (result, image), (_, same) in zip(read(1, True), read(2, True), strict=True):
        assert (image is None) == (same is None) == (result.error is not None)
        assert image is None or same is None or (image == same).all()


def test_what_a_killed_process_leaves_is_read_all_the_same(
    read: Callable[..., Iterator[Outcome]], capsys: pytest.CaptureFixture[str]
) -> None:
    alone = without_times(read(1)) * 20
    outcomes = read(2, times=20)
    first, _ = next(outcomes)
    for child in multiprocessing.active_children():
        os.kill(child.pid or 0, signal.SIGKILL)
    assert [replace(first, ms=0.0), *without_times(outcomes)] == alone
    (line,) = capsys.readouterr().err.splitlines()
    assert "a process that was reading is gone" in line


def test_no_process_outlives_a_killed_parent(folder: Path) -> None:
    script = "from edge import batch; batch.MANY = 5; from edge.cli import main; main()"
    command = [sys.executable, "-c", script, "read", "--threads", "2", *[str(folder)] * 50, "--format", "jsonl"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as parent:
        assert parent.stdout is not None and parent.stdout.readline()
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
        parent.kill()
    assert len(children) >= 2
    end = time.monotonic() + 30
    while alive := [pid for pid in children if Path(f"/proc/{pid}/stat").exists() and not is_dead(pid)]:
        assert time.monotonic() < end, alive
        time.sleep(0.1)


def is_dead(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True
