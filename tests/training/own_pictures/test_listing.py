"""What cannot be used of a user's pictures is named, the rest is used; and folders to be filled."""

import re
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from edge.errors import UsageError
from edge.recogniser import Recogniser
from tests.training.own_pictures.pictures import DIGITS, Read, on_paper, one_line, save
from training.own_pictures import init, read_folder
from training.synth.strokes import Hand


def test_a_folder_that_is_missing_a_file_or_empty_gets_a_line(tmp_path: Path, recogniser: Recogniser) -> None:
    with pytest.raises(UsageError) as missing:
        read_folder(tmp_path / "nowhere", recogniser)
    one_line(missing, "nowhere", "no such folder")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError) as file:
        read_folder(tmp_path / "file", recogniser)
    one_line(file, "is no folder")
    init(tmp_path / "new", DIGITS)
    with pytest.raises(UsageError) as empty:
        read_folder(tmp_path / "new", recogniser, DIGITS)
    one_line(empty, "new", "no pictures")


def test_what_is_no_picture_is_named_and_the_rest_used(tmp_path: Path, read: Read, hand: Hand) -> None:
    good = save(tmp_path / "6" / "good.png", on_paper(hand.digit(6, np.random.default_rng(1)), (80, 60), (300, 240)))
    (tmp_path / "6" / "half.png").write_bytes(good.read_bytes()[:200])
    (tmp_path / "6" / "phone.heic").write_bytes(b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00")
    (tmp_path / "6" / "again.png").write_bytes(good.read_bytes())
    save(tmp_path / "6" / "empty page.png", np.full((200, 200), 240, np.uint8))
    (tmp_path / "6" / ".hidden.png").write_bytes(b"")
    (tmp_path / "6" / "notes.txt").write_text("no picture")
    got = read()
    assert len(got.crops) == 1
    assert [re.sub(r".*/6/([\w ]+\.\w+): .*", r"\1", line) for line in got.problems] == [
        "empty page.png",
        "good.png",
        "half.png",
        "phone.heic",
    ]
    assert all("\n" not in line and "; " in line for line in got.problems)


def test_only_bad_pictures_are_nothing_to_learn_from(tmp_path: Path, read: Read) -> None:
    (tmp_path / "3").mkdir()
    (tmp_path / "3" / "bad.png").write_bytes(b"")
    with pytest.raises(UsageError) as error:
        read()
    one_line(error, "nothing to learn from", "bad.png")


def test_a_folder_whose_name_is_no_label_is_an_error_unless_new_ones_are_allowed(
    tmp_path: Path, read: Read, hand: Hand
) -> None:
    page = on_paper(hand.digit(6, np.random.default_rng(1)), (80, 60), (300, 240))
    save(tmp_path / "six" / "a.png", page)
    (tmp_path / "0").mkdir()
    with pytest.raises(UsageError) as error:
        read(labels=[*DIGITS, "reject"])
    one_line(error, "six", "0 1 2 3 4 5 6 7 8 9;", "rename")
    assert read(labels=DIGITS, new_labels=True).crops.names == (*DIGITS, "six")


def test_labels_are_the_folders_names_composed_and_sorted(tmp_path: Path, read: Read, hand: Hand) -> None:
    for number, name in enumerate(["10", "9", unicodedata.normalize("NFD", "é"), "七"]):
        save(tmp_path / name / "ä 七.png", on_paper(hand.digit(number, np.random.default_rng(1)), (80, 60), (300, 240)))
    assert read().crops.names == ("9", "10", "é", "七")


def test_init_makes_folders_and_says_what_to_put_in_and_overwrites_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    init(folder, DIGITS)
    assert sorted(entry.name for entry in folder.iterdir() if entry.is_dir()) == [*DIGITS, "rows"]
    text = (folder / "README.txt").read_text("utf-8")
    assert "ROW_1234.jpg" in text and "folders 0 to 9" in text and max(map(len, text.splitlines())) <= 120
    (folder / "README.txt").write_text("my own notes")
    save(folder / "3" / "mine.png", np.zeros((20, 20), np.uint8))
    init(folder, DIGITS)
    assert (folder / "README.txt").read_text() == "my own notes" and (folder / "3" / "mine.png").exists()
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError) as error:
        init(tmp_path / "file", DIGITS)
    one_line(error, "file")
