"""Films: the frames asked for, and one error for a film that is none."""

from pathlib import Path

import numpy as np
import pytest

from edge.errors import PictureError
from edge.sources.files import Found
from edge.sources.inputs import inputs
from edge.sources.video import frames


def test_a_frame_is_taken_each_so_many_seconds_of_film(film: Path) -> None:
    taken = list(frames(film))
    assert [round(at, 3) for at, _ in taken] == [0, 1, 2]
    assert all(image.shape == (96, 320, 3) and image.dtype == np.uint8 for _, image in taken)
    assert not np.array_equal(taken[0][1], taken[2][1])
    assert [round(at, 2) for at, _ in frames(film, 0.5)] == [0, 0.5, 1, 1.5, 2, 2.5]
    assert len(list(frames(film, 0))) == 30
    assert len(list(frames(film, 60))) == 1


def test_frames_are_named_by_their_time(film: Path) -> None:
    named = [one.name for one in inputs([Found(str(film))], every=2)]
    assert named == [f"{film}#t=0.00", f"{film}#t=2.00"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no bytes"),
        (b"only words", "not a film"),
        (b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/x.ts\n", "not a film"),
        (b"RIFF\x00\x00\x00\x00AVI " + bytes(100), "damaged"),
        (b"\x1aE\xdf\xa3" + bytes(100), "damaged"),
        (b"\x00\x00\x00\x18ftypisom" + bytes(100), "damaged"),
        (None, "no such file"),
    ],
)
def test_what_is_no_film_is_one_error(content: bytes | None, words: str, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PictureError, match=words) as caught:
        list(frames(path))
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


def test_a_film_cut_short_gives_its_frames_and_then_an_error(film: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.avi"
    cut.write_bytes(film.read_bytes()[: film.stat().st_size * 4 // 10])
    reader = frames(cut, 0.5)
    assert next(reader)[0] == 0
    with pytest.raises(PictureError, match="breaks off"):
        list(reader)
    *good, last = inputs([Found(str(cut))], every=0.5)
    assert len(good) >= 2 and last.name == str(cut)
    with pytest.raises(PictureError):
        last.load()
