"""What the paths of a command line are taken to mean."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from edge.sources.files import find


@pytest.fixture
def scans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in (
        "p10.png",
        "p2.PNG",
        "p1.jpg",
        "notes.txt",
        ".hidden.png",
        "._p1.jpg",
        "film.MP4",
        "data.dat",
    ):
        (tmp_path / "scans" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "scans" / name).write_bytes(b"")
    for name in ("b10/x.png", "b9/y.png", ".git/z.png"):
        (tmp_path / "scans" / name).parent.mkdir()
        (tmp_path / "scans" / name).write_bytes(b"")
    (tmp_path / "scans" / "looping").symlink_to(tmp_path / "scans", target_is_directory=True)
    (tmp_path / "empty").mkdir()
    return tmp_path / "scans"


def names(paths: Iterable[str], recursive: bool = False) -> list[str]:
    found = list(find(list(paths), recursive))
    assert all(one.error is None for one in found)
    return [one.name for one in found]


def test_a_folder_means_its_visible_pictures_and_films_in_natural_order(scans: Path) -> None:
    assert names(["scans"]) == ["scans/film.MP4", "scans/p1.jpg", "scans/p2.PNG", "scans/p10.png"]


def test_recursive_takes_the_folders_below_once_and_follows_no_link(scans: Path) -> None:
    assert names(["scans/"], recursive=True)[-2:] == ["scans/b9/y.png", "scans/b10/x.png"]
    assert len(names(["scans"], recursive=True)) == 6


def test_patterns_are_expanded_in_natural_order(scans: Path) -> None:
    assert names(["scans/p*"]) == ["scans/p1.jpg", "scans/p2.PNG", "scans/p10.png"]
    assert names(["**/*.png"]).count("scans/b9/y.png") == 1
    assert "scans/notes.txt" not in names(["scans/*"])
    assert names(["scans/*.dat"]) == ["scans/data.dat"]


def test_a_file_is_taken_whatever_its_name_and_brackets_in_a_name_are_no_pattern(scans: Path) -> None:
    (scans / "a[1].png").write_bytes(b"")
    assert names(["scans/notes.txt", "scans/a[1].png"]) == ["scans/notes.txt", "scans/a[1].png"]


def test_the_order_given_is_kept_and_what_is_given_twice_is_read_twice(scans: Path) -> None:
    given = ["scans/p2.PNG", "-", "scans/p1.jpg", "scans/p2.PNG"]
    assert names(given) == given


def test_what_leads_to_no_file_is_one_failed_item_in_its_place(scans: Path) -> None:
    found = list(find(["gone.png", "scans/p1.jpg", "empty", "*.tiff", ""]))
    assert [one.name for one in found] == ["gone.png", "scans/p1.jpg", "empty", "*.tiff", ""]
    told = [one.error for one in found if one.error is not None]
    assert len(told) == 4
    for error, words in zip(told, ("no such file", "without pictures", "matches no file", "no such file"), strict=True):
        assert words in error and "; " in error


def test_folders_are_listed_only_when_their_turn_comes(scans: Path) -> None:
    found = find(["scans/p1.jpg", "later"])
    assert next(found).name == "scans/p1.jpg"
    (scans.parent / "later").mkdir()
    (scans.parent / "later" / "new.png").write_bytes(b"")
    assert next(found).name == "later/new.png"
