"""Model files of other labels than digits: rows are read character by character, in those labels."""

from pathlib import Path

import pytest

import edge
from edge.engine import EngineConfig
from edge.errors import ModelError
from edge.model_card import REJECT
from edge.model_files import ModelFiles
from edge.reader import Reader
from edge.recogniser import default_model
from edge.row import UNREADABLE, Digit, Row, Separator
from edge.sequence import BLANK, default_row_model
from edge.sources.picture import load

SAMPLES = Path(edge.__file__).parent / "samples"
CPU = EngineConfig("cpu", threads=1)

LETTERS = tuple("JABCDEFGHI")
CHINESE = tuple("〇一二三四五六七八九")
EASTERN_ARABIC = tuple("٠١٢٣٤٥٦٧٨٩")
NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SETS = pytest.mark.parametrize(
    "labels", [LETTERS, CHINESE, EASTERN_ARABIC, NAMES], ids=["letters", "chinese", "arabic", "names"]
)


@pytest.fixture
def relabelled(with_card):
    """`relabelled(LETTERS)`: the shipped model of single digits, whose ten are called so."""
    return lambda labels, name="other.onnx": with_card(default_model(), name, labels=(*labels, REJECT))


def spelt(digits, labels):
    return [labels[int(digit)] for digit in digits]


@SETS
def test_texts_are_in_the_models_labels(labels, relabelled):
    reader = Reader(relabelled(labels), CPU)
    (row,) = reader.read(load(SAMPLES / "four-digits.png"))
    assert [digit.text for digit in row.digits] == spelt("2749", labels)
    assert row.text == "".join(spelt("2749", labels)) and row.confidence > 0.9
    assert reader.row_model is None and reader.name == "digits"


def test_several_rows_are_read_from_top_to_bottom(relabelled):
    rows = Reader(relabelled(LETTERS), CPU).read(load(SAMPLES / "two-rows.png"))
    assert [row.text for row in rows] == ["".join(spelt(text, LETTERS)) for text in ("40718", "862935")]


@pytest.mark.parametrize("name", ["light-on-dark.png", "slanted-row.png"])
def test_light_ink_and_slanted_rows_are_found_without_a_row_model_too(name, relabelled):
    (told,) = [row.text for row in Reader(None, CPU).read(load(SAMPLES / name))]
    (row,) = Reader(relabelled(LETTERS), CPU).read(load(SAMPLES / name))
    assert row.text == "".join(spelt(told, LETTERS))


def test_a_model_that_cannot_reject_reads_too(model_file):
    reader = Reader(model_file(labels=("left", "right")), CPU)
    for row in reader.read(load(SAMPLES / "four-digits.png")):
        assert {digit.text for digit in row.digits} <= {"left", "right", UNREADABLE}
        assert row.text == "".join(digit.text for digit in row.digits)


def test_the_rows_own_text_is_its_only_alternative(relabelled):
    (row,) = Reader(relabelled(NAMES), CPU).read(load(SAMPLES / "four-digits.png"), alternatives=8)
    ((text, _),) = row.alternatives
    assert text == row.text == "twosevenfournine"


def test_a_row_model_of_the_same_labels_judges_them(relabelled, with_card):
    rows = with_card(default_row_model(), "rows.onnx", name="my rows", labels=(BLANK, *LETTERS))
    reader = Reader(relabelled(LETTERS), CPU, rows)
    assert reader.row_model is not None and reader.name == "my rows"
    assert [row.text for row in reader.read(load(SAMPLES / "four-digits.png"))] == ["BGDI"]


def test_labels_of_several_characters_are_read_without_a_row_model_of_the_same(relabelled, with_card):
    rows = with_card(default_row_model(), "rows.onnx", labels=(BLANK, *NAMES))
    assert Reader(relabelled(NAMES), CPU, rows).row_model is None


def test_the_order_of_the_labels_does_not_keep_the_row_model_from_judging(with_card):
    labels = (*"9876543210", REJECT)
    assert Reader(with_card(default_model(), "turned.onnx", labels=labels), CPU).row_model is not None


def test_naming_a_row_model_of_other_labels_is_one_line(relabelled):
    with pytest.raises(ModelError) as caught:
        ModelFiles(digits=relabelled(LETTERS), rows=default_row_model()).reader(CPU)
    said = str(caught.value)
    assert said.startswith(f"{default_row_model()}: ") and "labels" in said and "\n" not in said


@pytest.mark.parametrize("label", ["?", "a?", " ", "a ", "", "\x1b[31m", "a\nb", "\u202e", "x" * 33, "\ud800"])
def test_labels_that_no_text_can_hold_are_refused(label, model_file):
    with pytest.raises(ModelError, match="labels"):
        Reader(model_file(labels=("a", label, REJECT)), CPU)


def test_separators_stand_between_labels_not_within_them():
    corners = ((0.0, 0.0), (9.0, 0.0), (9.0, 9.0), (0.0, 9.0))
    digits = (Digit("ten", 1.0, (0, 0, 3, 9)), Digit("two", 1.0, (5, 0, 3, 9)))
    row = Row("tentwo", 1.0, digits, corners, (Separator(",", 1, (4, 8, 1, 2)),))
    assert row.written == "ten,two"
