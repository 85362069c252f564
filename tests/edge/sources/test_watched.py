"""A folder that pictures come into."""

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.config import CameraConfig
from edge.sources.live import open_source
from edge.sources.source import Source, SourceError, Taken

Page = Callable[..., np.ndarray]


def watched(folder: Path) -> Source:
    source = open_source("desk", CameraConfig(source=str(folder)))
    source.open()
    return source


def looks(source: Source, seconds: float = 0.8, wanted: int = 99) -> list[Taken]:
    """What comes within `seconds`, or until there are as many as wanted."""
    until, taken = time.monotonic() + seconds, []
    while time.monotonic() < until and len(taken) < wanted:
        one = source.read()
        if one is not None:
            taken.append(one)
    return taken


def test_each_picture_comes_once_those_there_at_the_start_first_and_the_oldest_first(
    tmp_path: Path, page: Page
) -> None:
    for age, text in ((20, "22"), (30, "1"), (10, "333")):
        path = tmp_path / f"{text}.png"
        cv2.imwrite(str(path), page(text))
        os.utime(path, (1_700_000_000 - age, 1_700_000_000 - age))
    source = watched(tmp_path)
    taken = looks(source, 5, 3)
    assert [one.time for one in taken] == [1_699_999_970, 1_699_999_980, 1_699_999_990]
    assert all(np.array_equal(one.image, page(text)) for one, text in zip(taken, ("1", "22", "333"), strict=True))
    assert looks(source) == []
    cv2.imwrite(str(tmp_path / "4.png"), page("4"))
    (only,) = looks(source, 5, 1)
    assert np.array_equal(only.image, page("4"))
    assert looks(source) == []


def test_a_picture_is_read_when_it_is_whole_and_not_before(tmp_path: Path, page: Page) -> None:
    source = watched(tmp_path)
    data = cv2.imencode(".png", page("8"))[1].tobytes()
    with (tmp_path / "slow.png").open("wb") as file:
        for start in range(0, len(data), len(data) // 8 + 1):
            file.write(data[start : start + len(data) // 8 + 1])
            file.flush()
            assert looks(source, 0.1) == []
    (only,) = looks(source, 5, 1)
    assert np.array_equal(only.image, page("8"))


def test_a_picture_written_anew_under_its_old_name_is_a_new_one(tmp_path: Path, page: Page) -> None:
    source = watched(tmp_path)
    for text in ("1", "2"):
        cv2.imwrite(str(tmp_path / "snapshot.png"), page(text))
        (only,) = looks(source, 5, 1)
        assert np.array_equal(only.image, page(text))


def test_a_broken_picture_is_said_once_and_passed_over(
    tmp_path: Path, page: Page, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "1.jpg").write_bytes(b"\xff\xd8\xff rubbish")
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / ".hidden.png").write_bytes(b"x")
    os.mkfifo(tmp_path / "pipe.png")
    cv2.imwrite(str(tmp_path / "2.png"), page("2"))
    with caplog.at_level(logging.WARNING):
        source = watched(tmp_path)
        (only,) = looks(source, 5, 1)
        assert looks(source) == []
    assert np.array_equal(only.image, page("2"))
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith(f"desk: {tmp_path / '1.jpg'}: ") and "passed over" in said


def test_a_folder_that_goes_and_comes_back_is_an_error_meanwhile_and_nothing_is_read_twice(
    tmp_path: Path, page: Page
) -> None:
    folder = tmp_path / "in"
    with pytest.raises(SourceError, match="cannot be listed"):
        watched(folder)
    folder.mkdir()
    cv2.imwrite(str(folder / "1.png"), page("1"))
    source = watched(folder)
    assert len(looks(source, 5, 1)) == 1
    folder.rename(tmp_path / "away")
    with pytest.raises(SourceError, match="in: the folder cannot be listed"):
        looks(source, 5)
    source.close()
    (tmp_path / "away").rename(folder)
    source.open()
    assert looks(source) == []
