"""Films as cameras: as quick as they were taken, again where that is wanted, and one error for what is none."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from edge.config import CameraConfig
from edge.sources.film import Film
from edge.sources.live import open_source
from edge.sources.source import Ended, SourceError
from edge.sources.video import frames


def read_all(film: Film) -> list[tuple[np.ndarray, float]]:
    taken = []
    with pytest.raises(Ended, match="over"):
        while True:
            one = film.read()
            assert one is not None
            taken.append((one.image, time.monotonic()))
    return taken


def test_a_film_takes_as_long_as_it_is_and_gives_its_frames(film: Path) -> None:
    source = open_source("desk", CameraConfig(source=str(film)))
    source.open()
    began = time.time()
    taken = source.read()
    assert taken is not None and abs(taken.time - began) < 1 and taken.number is None
    rest = read_all(source)
    source.close()
    assert 2.5 < rest[-1][1] - rest[0][1] + 0.1 < 4  # three seconds; a busy machine passes frames over
    shown = [image for _, image in frames(film, 0)]
    assert np.array_equal(taken.image, shown[0]) and np.array_equal(rest[-1][0], shown[-1])


def test_a_reader_that_is_late_is_handed_the_frame_that_is_due(film: Path) -> None:
    source = open_source("desk", CameraConfig(source=str(film)))
    source.open()
    source.read()
    time.sleep(1.45)  # frames 1 to 13 are over
    taken = source.read()
    shown = [image for _, image in frames(film, 0)]
    assert taken is not None
    number = min(range(30), key=lambda at: int(np.abs(shown[at].astype(int) - taken.image).sum()))
    assert 10 <= number < 20  # the second second shows 222
    source.close()


def test_a_looped_film_begins_again(film: Path) -> None:
    source = open_source("desk", CameraConfig(source=str(film), loop=True))
    source.open()
    until = time.monotonic() + 3.6
    seen = []
    while time.monotonic() < until:
        taken = source.read()
        assert taken is not None
        seen.append(int(taken.image.astype(np.int64).sum()))
    assert seen[0] in seen[25:]
    source.close()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no film"),
        (b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/x.ts\n", "no film"),
        (b"RIFF\x00\x00\x00\x00AVI " + bytes(100), "damaged"),
        (None, "no such file"),
    ],
)
def test_what_is_no_film_is_one_error_and_nothing_more_on_standard_error(
    content: bytes | None, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "clip.mp4"
    if content is not None:
        path.write_bytes(content)
    source = open_source("desk", CameraConfig(source=str(path)))
    with pytest.raises(SourceError, match=words) as caught:
        source.open()
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)
    source.close()
    code = (
        "import sys; from edge.config import CameraConfig; from edge.sources.live import open_source\n"
        "try: open_source('desk', CameraConfig(source=sys.argv[1])).open()\n"
        "except Exception as error: print(error)"
    )
    ended = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, timeout=60)
    assert ended.stderr == "" and words in ended.stdout


def test_a_pipe_under_a_films_name_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "clip.avi")
    with pytest.raises(SourceError, match="no file"):
        open_source("desk", CameraConfig(source=str(tmp_path / "clip.avi"))).open()
