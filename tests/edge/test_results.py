"""Results on paper: three formats, any path."""

import csv
import io
import json

import numpy as np

from edge.results import PictureResult, writer
from edge.row import Digit, Row, Separator
from edge.text import ENCODING, ENCODING_ERRORS, printable

ROW = Row(
    "4?",
    0.98765432,
    (Digit("4", 0.991237, (10, 20, 8, 12)), Digit("?", 0.0, (20, 21, 8, 12))),
    ((10.0, 20.0), (28.5, 19.0), (28.5, 33.0), (10.0, 32.0)),
    (Separator(",", 1, (18, 30, 2, 4)),),
)
READ = PictureResult("a b.png", 64, 48, (ROW, ROW), 3.14159)
EMPTY = PictureResult("c.png", 64, 48, (), 1.0)
FAILED = PictureResult("d.png", None, None, (), 0.2, "no such file; check the name")


def written(kind: str, *results: PictureResult) -> str:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding=ENCODING, errors=ENCODING_ERRORS, newline="")
    write = writer(kind, out)  # type: ignore[arg-type]
    for result in results:
        write(result)
    return raw.getvalue().decode()  # without a flush of ours: what is done must already be there


def test_json_has_exactly_the_promised_shape() -> None:
    first, second, third = map(json.loads, written("jsonl", READ, EMPTY, FAILED).splitlines())
    row = {
        "text": "4?",
        "confidence": 0.9877,
        "quad": [[10.0, 20.0], [28.5, 19.0], [28.5, 33.0], [10.0, 32.0]],
        "digits": [
            {"text": "4", "confidence": 0.9912, "box": [10, 20, 8, 12]},
            {"text": "?", "confidence": 0.0, "box": [20, 21, 8, 12]},
        ],
        "separators": [{"text": ",", "after": 1, "box": [18, 30, 2, 4]}],
    }
    assert first == {
        "path": "a b.png",
        "width": 64,
        "height": 48,
        "rows": [row, row],
        "ms": 3.1,
        "error": None,
    }
    assert list(first) == ["path", "width", "height", "rows", "ms", "error"]
    assert second["rows"] == [] and second["error"] is None
    assert third == {
        "path": "d.png",
        "width": None,
        "height": None,
        "rows": [],
        "ms": 0.2,
        "error": "no such file; check the name",
    }


def test_json_takes_numpy_numbers() -> None:
    digit = Digit("1", np.float32(0.5), tuple(np.arange(4)))  # type: ignore[arg-type]
    row = Row("1", np.float32(0.5), (digit,), tuple(map(tuple, np.zeros((4, 2), np.float32))))  # type: ignore[arg-type]
    assert json.loads(written("jsonl", PictureResult("x", 1, 1, (row,), 1)))["rows"][0]["confidence"] == 0.5


def test_csv_has_a_line_a_row_and_one_for_a_picture_without() -> None:
    lines = list(csv.reader(io.StringIO(written("csv", READ, EMPTY, FAILED), newline="")))
    assert lines == [
        ["path", "row", "text", "confidence", "x", "y", "w", "h", "error"],
        ["a b.png", "1", "4?", "0.9877", "10", "19", "18", "14", ""],
        ["a b.png", "2", "4?", "0.9877", "10", "19", "18", "14", ""],
        ["c.png", "", "", "", "", "", "", "", ""],
        ["d.png", "", "", "", "", "", "", "", "no such file; check the name"],
    ]


def test_the_table_is_plain_aligned_and_says_what_is_not_there() -> None:
    lines = written("table", READ, EMPTY, FAILED).splitlines()
    assert lines == [
        "a b.png           4?         98.8 %",
        "a b.png           4?         98.8 %",
        "c.png             no digits found",
        "d.png             not read: no such file; check the name",
    ]


def test_the_table_counts_wide_characters_as_two_columns() -> None:
    wide, narrow = written(
        "table", PictureResult("数字.png", 1, 1, (), 1), PictureResult("ab.png", 1, 1, (), 1)
    ).splitlines()
    assert wide.index("no") + 2 == narrow.index("no")


def test_a_path_that_is_no_utf8_survives_json_and_breaks_nothing() -> None:
    strange = PictureResult("x\udcff\n.png", 1, 1, (ROW,), 1)
    assert json.loads(written("jsonl", strange))["path"] == "x\udcff\n.png"
    assert "x\\udcff" in written("csv", strange)
    assert written("table", strange).splitlines()[0].startswith("x\\udcff\\x0a.png")


def test_control_characters_never_reach_the_terminal() -> None:
    assert printable("a\x1b[31mö数\r\u202e\x7f") == "a\\x1b[31mö数\\x0d\\u202e\\x7f"
