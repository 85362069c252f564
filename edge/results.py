"""What reading a picture came to, and the three ways to write it: table, JSON lines, CSV."""

import csv
import json
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TextIO

from edge.row import Row
from edge.text import printable

Format = Literal["table", "jsonl", "csv"]

COLUMNS = ("path", "row", "text", "confidence", "x", "y", "w", "h", "error")


@dataclass(frozen=True, slots=True)
class PictureResult:
    """One picture, read or not.

    width, height: pixels; None where the picture never came to be. rows: top to bottom.
    ms: milliseconds from file to rows. error: why it was not read, without the path; None when it was.
    """

    path: str
    width: int | None
    height: int | None
    rows: tuple[Row, ...]
    ms: float
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain lists and dicts; probabilities to 4 decimals, corners to 2."""
        return {
            "path": self.path,
            "width": self.width,
            "height": self.height,
            "rows": [_row(row) for row in self.rows],
            "ms": round(self.ms, 1),
            "error": self.error,
        }


class Writer(Protocol):
    """Writes results one by one, as they come."""

    def __call__(self, result: PictureResult) -> None: ...


def writer(kind: Format, out: TextIO, styled: bool = False) -> Writer:
    """A Writer of `kind` onto `out`. styled: terminal colours, for a table only."""
    makers: dict[Format, Callable[[], Writer]] = {
        "table": lambda: Table(out, styled),
        "jsonl": lambda: JsonLines(out),
        "csv": lambda: Csv(out),
    }
    return makers[kind]()


class JsonLines:
    """One object a picture, one line an object."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def __call__(self, result: PictureResult) -> None:
        self._out.write(json.dumps(result.to_json(), ensure_ascii=False) + "\n")
        self._out.flush()


class Csv:
    """One line a row of digits, numbered from 1, with its upright box in pixels.

    A picture without rows, read or not, has one line with those fields empty. Lines end in CR LF (RFC 4180).
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._csv = csv.writer(out)
        self._csv.writerow(COLUMNS)

    def __call__(self, result: PictureResult) -> None:
        for number, row in enumerate(result.rows, 1):
            confidence = f"{row.confidence:.4f}"
            self._csv.writerow((result.path, number, row.text, confidence, *_upright(row), ""))
        if not result.rows:
            self._csv.writerow((result.path, "", "", "", "", "", "", "", result.error or ""))
        self._out.flush()


class Table:
    """For the eye: path, text, confidence in per cent. Nothing is held back, so columns widen as longer
    names come.
    """

    def __init__(self, out: TextIO, styled: bool = False) -> None:
        self._out = out
        self._styled = styled
        self._path = 16
        self._text = 8

    def __call__(self, result: PictureResult) -> None:
        path = printable(result.path)
        self._path = max(self._path, _columns(path))
        start = path + " " * (self._path - _columns(path)) + "  "
        if result.error is not None:
            self._line(start + self._paint(f"not read: {printable(result.error)}", "31"))
        elif not result.rows:
            self._line(start + self._paint("no digits found", "2"))
        for row in result.rows:
            self._text = max(self._text, len(row.text))
            colour = "32" if row.confidence >= 0.9 else "33" if row.confidence >= 0.5 else "31"
            share = self._paint(f"{100 * row.confidence:5.1f} %", colour)
            self._line(f"{start}{self._paint(row.text.ljust(self._text), '1')}  {share}")
        self._out.flush()

    def _line(self, text: str) -> None:
        self._out.write(text + "\n")

    def _paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._styled else text


def _columns(text: str) -> int:
    """How wide a terminal shows `text`: East Asian wide characters take two columns, combining marks none."""
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return len(text) + wide - sum(unicodedata.combining(char) > 0 for char in text)


def _upright(row: Row) -> tuple[int, int, int, int]:
    xs, ys = zip(*row.quad, strict=True)
    left, top = round(min(xs)), round(min(ys))
    return left, top, round(max(xs)) - left, round(max(ys)) - top


def _row(row: Row) -> dict[str, Any]:
    return {
        "text": row.text,
        "confidence": round(float(row.confidence), 4),
        "quad": [[round(float(x), 2), round(float(y), 2)] for x, y in row.quad],
        "digits": [
            {
                "text": digit.text,
                "confidence": round(float(digit.confidence), 4),
                "box": [int(side) for side in digit.box],
            }
            for digit in row.digits
        ],
        "separators": [
            {"text": mark.text, "after": mark.after, "box": [int(side) for side in mark.box]} for mark in row.separators
        ],
    }
