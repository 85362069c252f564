"""Frames recorded and given back: all, in order, to the bit."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.config import CameraConfig
from edge.frame import Frame
from edge.sources.live import open_source
from edge.sources.recording import Recorder, RecordingError, times_beside
from edge.sources.source import Ended, SourceError, Taken


def frame(number: int = 0, time: float = 1.5, width: int = 64, height: int = 48, seed: int = 0) -> Frame:
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Frame(image, "desk", number, time, 0.0)


def replayed(path: Path) -> Iterator[Taken]:
    source = open_source("desk", CameraConfig(source=str(path)))
    assert source.stepwise and source.stuck is None
    source.open()
    try:
        while True:
            taken = source.read()
            assert taken is not None
            yield taken
    except Ended:
        return
    finally:
        source.close()


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.integers(12, 131),
    st.integers(12, 101),
    st.lists(
        st.tuples(st.integers(0, 2**40), st.floats(0, 4e9, allow_nan=False), st.integers(0, 99)), min_size=1, max_size=6
    ),
)
def test_every_frame_comes_back_to_the_bit_with_its_number_and_time(
    tmp_path_factory: pytest.TempPathFactory, width: int, height: int, made: list[tuple[int, float, int]]
) -> None:
    path = tmp_path_factory.mktemp("recording") / "desk.mkv"
    frames = [frame(number, time, width, height, seed) for number, time, seed in made]
    with Recorder(path) as recorder:
        for one in frames:
            recorder.write(one)
    back = list(replayed(path))
    assert [(one.number, one.time) for one in back] == [(one.number, one.time) for one in frames]
    assert all(np.array_equal(one.image, was.image) for one, was in zip(back, frames, strict=True))


def test_pictures_of_another_size_end_the_recording_and_leave_what_was(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "desk.mkv")
    recorder.write(frame())
    with pytest.raises(RecordingError, match="were 64x48 and are 80x48 pixels now") as caught:
        recorder.write(frame(1, width=80))
    assert "\n" not in str(caught.value)
    with pytest.raises(RecordingError, match="has ended"):
        recorder.write(frame(2))
    recorder.close()
    assert len(list(replayed(tmp_path / "desk.mkv"))) == 1


def test_a_full_disk_is_one_line_and_leaves_what_was(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "none", small], capture_output=True)
    if mounted.returncode:
        pytest.skip("needs the right to mount a small disk")
    try:
        recorder, written = Recorder(small / "desk.mkv"), 0
        with pytest.raises(RecordingError, match=r"disk is full .* make room") as caught:
            for number in range(200):
                recorder.write(frame(number, seed=number, width=640, height=480))
                written += 1
        assert written > 2 and "\n" not in str(caught.value)
        recorder.close()
        assert [one.number for one in replayed(small / "desk.mkv")] == list(range(written))
    finally:
        subprocess.run(["umount", small], check=True)


@pytest.mark.parametrize("name", ["desk.avi", "nowhere/desk.mkv", "there.mkv"])
def test_a_recording_that_cannot_be_begun_is_refused_at_once(tmp_path: Path, name: str) -> None:
    (tmp_path / "there.mkv").write_bytes(b"an older one")
    with pytest.raises(RecordingError, match=str(tmp_path / name)) as caught:
        Recorder(tmp_path / name)
    assert "\n" not in str(caught.value)
    assert (tmp_path / "there.mkv").read_bytes() == b"an older one"


def test_a_recording_whose_program_was_killed_gives_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "desk.mkv"
    with Recorder(path) as recorder:
        for number in range(10):
            recorder.write(frame(number, seed=number))
    times_beside(path).write_bytes(times_beside(path).read_bytes()[:-3])  # the last line is cut off
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 7 // 10])
    back = list(replayed(path))
    assert 3 <= len(back) < 10
    assert all(np.array_equal(one.image, frame(seed=at).image) for at, one in enumerate(back) if at < len(back) - 1)


@pytest.mark.parametrize(
    "text", ["", "digitd recording 1\n", "digitd recording 1 99x99\n0 1.0\n", "x\n0 1\n", "\xff\n"]
)
def test_times_that_do_not_go_with_the_film_are_one_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "desk.mkv"
    with Recorder(path) as recorder:
        recorder.write(frame())
    times_beside(path).write_bytes(text.encode("latin-1"))
    with pytest.raises(SourceError, match="copy both again") as caught:
        list(replayed(path))
    assert "\n" not in str(caught.value)
