"""Lines for the eye and lines of JSON, whatever is in them."""

import io
import json
import os
from typing import Any

import pytest

from edge.config import StdoutSink
from edge.events import Event, state
from edge.sinks import SinkError
from edge.sinks.stdout import Stdout

NOW = 1_772_366_400.0


def reading(**more: Any) -> Event:
    body = {"field": None, "text": "40718", "raw": "40718", "confidence": 0.99812, "status": "ok", "why": None}
    return Event("01KJSJ5N000000000000000000", "reading", "cellar", NOW, {**body, **more})


def printed(*events: Event, format: Any = "text") -> str:
    stream = io.StringIO()
    Stdout("screen", StdoutSink(type="stdout", format=format), stream).send(events)
    return stream.getvalue()


def test_a_line_says_when_where_what_and_how_sure() -> None:
    assert printed(reading()) == "2026-03-01T12:00:00.000Z  cellar  40718  0.998  ok\n"
    assert printed(reading(field="water"), state("cellar", "lost", "no frames for 5 s", NOW)).splitlines() == [
        "2026-03-01T12:00:00.000Z  cellar/water  40718  0.998  ok",
        "2026-03-01T12:00:00.000Z  cellar  lost  no frames for 5 s",
    ]
    gone = Event("01KJSJ5N000000000000000001", "gone", "cellar", NOW, {"reading": "01KJ", "field": "water"})
    assert printed(gone) == "2026-03-01T12:00:00.000Z  cellar/water  gone\n"


def test_an_implausible_reading_says_what_was_read_and_why_it_is_not_taken() -> None:
    event = reading(text="", raw="40178", status="implausible", why="less than before (40712)")
    assert printed(event).endswith("  cellar  -  0.998  implausible  read as 40178  less than before (40712)\n")


def test_no_text_moves_the_terminals_cursor() -> None:
    out = printed(state("cellar", "lost", "\x1b[2Jgone\nfor\u2028good \u202e", NOW))
    assert out.count("\n") == 1 and out.isprintable() is False and "\x1b" not in out and "\u202e" not in out


def test_json_lines_are_the_events() -> None:
    events = [reading(), state("cellar", "lost", "nö \udce4", NOW)]
    lines = printed(*events, format="jsonl").splitlines()
    assert [json.loads(line) for line in lines] == [event.to_json() for event in events]
    assert all(line.isascii() for line in lines)


def test_a_reader_that_went_away_is_an_error_to_be_tried_again() -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as stream, pytest.raises(SinkError, match="standard output cannot be written"):
        sink = Stdout("screen", StdoutSink(type="stdout"), stream)
        try:
            sink.send([reading()])
        finally:
            os.dup2(os.open(os.devnull, os.O_WRONLY), write)
