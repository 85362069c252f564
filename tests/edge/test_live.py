"""Live reading: a film's readings as they come; a recording gives the same again, to the bit; a picture to watch."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import edge
from edge.events import Event
from edge.live import Live, drawn

SAMPLES = Path(edge.__file__).parent / "samples"
FILM = SAMPLES / "video.avi"


def live(*options: str | Path) -> subprocess.CompletedProcess[str]:
    env = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}
    command = [sys.executable, "-c", "from edge.cli import main; main()", "live", *map(str, options)]
    return subprocess.run(command, capture_output=True, text=True, env=env, timeout=120, check=False)


def events(output: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in output.splitlines()]


def test_a_film_is_read_to_its_end() -> None:
    done = live("--source", FILM, "--no-window")
    assert done.returncode == 0 and "Traceback" not in done.stderr
    (line,) = done.stdout.splitlines()
    assert line.split("  ")[1:3] == ["live", "192837"]


def test_a_recording_gives_the_same_readings_to_the_bit(tmp_path: Path) -> None:
    kept = tmp_path / "kept film.mkv"
    first = live("--source", FILM, "--no-window", "--format", "jsonl", "--record", kept)
    again = live("--source", kept, "--no-window", "--format", "jsonl")
    once_more = live("--source", kept, "--no-window", "--format", "jsonl")
    assert first.returncode == again.returncode == 0, first.stderr + again.stderr
    assert first.stdout == again.stdout == once_more.stdout
    assert [event["text"] for event in events(first.stdout) if event["kind"] == "reading"] == ["192837"]


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--source", "/dev/video97", "--no-window"), 1, "/dev/video97: no such camera"),
        (("--source", "nowhere.avi", "--no-window"), 1, "nowhere.avi"),
        (("--source", FILM), 2, "--no-window"),
        (("--source", FILM, "--no-window", "--size", "large"), 2, "--size large"),
        (("--source", FILM, "--no-window", "--record", "film.avi"), 1, ".mkv"),
        (("--source", FILM, "--no-window", "--model", "nowhere.onnx"), 78, "nowhere.onnx"),
    ],
    ids=["no camera", "no film", "no screen", "no size", "no recording", "no model"],
)
def test_what_cannot_be_is_one_line(options: tuple[str | Path, ...], code: int, said: str) -> None:
    done = live(*options)
    assert done.returncode == code and said in done.stderr and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1 and done.stderr.startswith("digitd: ")


def test_it_ends_when_told_to() -> None:
    command = [sys.executable, "-c", "from edge.cli import main; main()", "live", "--loop", "--no-window", "-s", FILM]
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and "192837" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


class Screen:
    """In the window's place: keeps what it was shown; presses a key at each picture and, paused, at each wait."""

    def __init__(self, keys: str) -> None:
        self.keys, self.shown, self.closed, self.pauses = list(keys), [], False, False

    def show(self, image, rows, line) -> str:
        self.shown.append((image.shape, [row.text for row in rows], line))
        return self.press()

    def wait(self) -> str:
        return self.press() if self.pauses else ""

    def press(self) -> str:
        key = self.keys.pop(0)
        self.pauses ^= key == " "
        return key

    def close(self) -> None:
        self.closed = True


@pytest.fixture(scope="module")
def reader():
    return edge.Reader()


def test_the_window_shows_rows_and_the_reading_and_its_keys_work(tmp_path: Path, reader) -> None:
    from edge.config import CameraConfig

    told: list[Event] = []
    screen = Screen("...s.  .......q")
    Live(CameraConfig(source=str(FILM), loop=True), reader, told.append, screen, saved=tmp_path).run()
    assert screen.closed and not screen.keys
    shape, texts, line = screen.shown[-1]
    assert shape == (360, 640, 3) and texts == ["192837"]
    assert line.startswith("192837 ") and "frames/s" in line and line.endswith(" ms")
    assert sorted(path.name.partition("-read")[1] for path in tmp_path.iterdir()) == ["", "-read"]
    (plain,) = [path for path in tmp_path.iterdir() if "-read" not in path.name]
    assert cv2.imread(str(plain)).shape == (360, 640, 3)


def test_the_line_stands_below_the_picture() -> None:
    image = np.full((360, 640, 3), 200, np.uint8)
    picture = drawn(image, [], "192837   10 frames/s   8 ms")
    assert picture.shape[0] > 360 and picture.shape[1] == 640
    assert np.array_equal(picture[:360], image) and picture[360:].max() > 200
