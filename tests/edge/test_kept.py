"""Doubtful pictures are kept beside their reading, within their bounds, and a full disk costs no reading."""

import json
import logging
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.events import Reading, new_id
from edge.kept import Kept
from edge.row import Digit, Row

NOON = 1_795_262_400.0  # 2026-11-21T12:00:00Z


def reading(time: float = NOON) -> Reading:
    quad = ((20.0, 30.0), (80.0, 30.0), (80.0, 60.0), (20.0, 60.0))
    row = Row("4?", 0.2, (Digit("4", 0.4, (20, 30, 30, 30)), Digit("?", 0.0, (50, 30, 30, 30))), quad)
    return Reading(new_id(time, os.urandom(4)), time, "desk", 7, None, "4?", "4?", 0.2, "uncertain", row, "rows")


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_picture_its_row_and_its_reading_lie_side_by_side_under_the_readings_id(tmp_path, image):
    one = reading()
    Kept(tmp_path, days=30, megabytes=1).keep(one, image)
    assert names(tmp_path) == [f"2026-11-21/{one.id}{end}" for end in (".jpg", ".json", ".row.png")]
    day = tmp_path / "2026-11-21"
    assert json.loads((day / f"{one.id}.json").read_text()) == one.event().to_json()
    assert cv2.imread(str(day / f"{one.id}.jpg")).shape == image.shape
    row = cv2.imread(str(day / f"{one.id}.row.png"))
    assert np.array_equal(row, image[21:70, 11:90])


def test_the_oldest_go_first_where_there_are_too_many_bytes(tmp_path, image):
    kept = Kept(tmp_path, days=30, megabytes=0.2)
    ids = []
    for _ in range(12):
        one = reading()
        kept.keep(one, image)
        ids.append(one.id)
    size = sum(path.stat().st_size for path in tmp_path.rglob("*.*"))
    assert 100_000 < size <= 200_000
    left = {name.split("/")[1].split(".")[0] for name in names(tmp_path)}
    assert left == set(ids[-len(left) :]) and len(left) < 12


def test_what_is_too_old_goes_with_its_day_and_nothing_else_does(tmp_path, image):
    Kept(tmp_path, days=30, megabytes=9).keep(reading(), image)
    mine = tmp_path / "2026-11-21" / "notes.txt"
    other = tmp_path / "labels" / "a.json"
    other.parent.mkdir()
    other.write_text("{}")
    for path in (tmp_path / "2026-11-21").iterdir():
        os.utime(path, (NOON, NOON))
    again = Kept(tmp_path, days=30, megabytes=9)  # as after a restart
    again.tidy(NOON + 29 * 86_400)
    assert len(names(tmp_path)) == 4
    mine.write_text("mine")
    again.tidy(NOON + 31 * 86_400)
    assert names(tmp_path) == ["2026-11-21/notes.txt", "labels/a.json"]
    mine.unlink()


def test_a_folder_that_cannot_be_written_is_said_once(tmp_path, image, caplog):
    (tmp_path / "kept").write_text("a file where the folder should be")
    kept = Kept(tmp_path / "kept", days=30, megabytes=1)
    with caplog.at_level(logging.WARNING):
        kept.keep(reading(), image)
        kept.keep(reading(), image)
    assert len(caplog.messages) == 1 and "free some room" in caplog.text


def stuck(folder: Path, name: str, time: float) -> Path:
    """Something under a picture's name that no user may delete as a file: a folder with something in it."""
    path = folder / "2026-11-21" / name
    path.mkdir(parents=True)
    (path / "inside").touch()
    os.utime(path, (time, time))
    return path


def test_what_cannot_be_deleted_is_said_once_and_keeps_nothing_else_from_going(tmp_path, image, caplog):
    old = stuck(tmp_path, "old.jpg", NOON - 99 * 86_400)
    kept = Kept(tmp_path, days=30, megabytes=0.2)
    for _ in range(12):
        kept.keep(reading(), image)
    assert len(caplog.messages) == 1 and f"{old}: cannot be deleted" in caplog.text
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.*")) <= 200_000
    assert len(names(tmp_path)) > 4


def test_nothing_is_added_to_too_much_that_cannot_be_deleted(tmp_path, image, monkeypatch, caplog):
    kept = Kept(tmp_path, days=30, megabytes=0.05)

    def refuse(self: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as folder_of_another:  # no user tests run as may be refused by a folder, root for one
        folder_of_another.setattr(Path, "unlink", refuse)
        for _ in range(5):
            kept.keep(reading(), image)
        before = names(tmp_path)
        for _ in range(5):
            kept.keep(reading(), image)
        assert names(tmp_path) == before
    kept.keep(reading(), image)
    assert names(tmp_path) != before and len(caplog.messages) == 1


def test_a_bound_beyond_all_numbers_is_none(tmp_path, image):
    kept = Kept(tmp_path, days=1e308, megabytes=1e308)
    kept.keep(reading(), image)
    assert len(names(tmp_path)) == 3
