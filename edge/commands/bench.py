"""`digitd bench`: how fast reading is here, as a table or JSON."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import numpy as np

from edge.bench import BATCH, WORTH, Choice, Report, Tick, bench, choose
from edge.commands.console import libraries_muted
from edge.commands.progress import CLEAR, INTERVAL
from edge.engine import EngineConfig
from edge.errors import UsageError
from edge.model_files import ModelFiles
from edge.model_store import ModelStore
from edge.text import printable

_WHAT = {
    "frames": "frames of {0}x{1}, whole",
    "rows": "row model, one row a call",
    "digits": "digit model, {2} digits a call",
}


def run(models: ModelFiles, engine: EngineConfig, seconds: float, as_json: bool) -> int:
    with libraries_muted(), _progress() as tick:
        report = bench(models, engine, seconds, tick)
    _print(report.to_json(), lines(report), as_json)
    return 0


def run_choice(models: ModelFiles, folder: Path | None, engine: EngineConfig, seconds: float, as_json: bool) -> int:
    if models != ModelFiles():
        raise UsageError("--choose: measures the two shipped files of single digits; leave --model and --row-model out")
    store = ModelStore(folder)
    with libraries_muted(), _progress() as tick:
        choice = choose(store, engine, seconds, tick)
    _print(choice.to_json(), choice_lines(choice, store.folder), as_json)
    return 0


def lines(report: Report) -> list[str]:
    machine = report.machine
    digits, rows, frame = machine["model"], machine["row_model"], machine["frame"]
    cells = [["", "a second", "median", "90 %", "99 %"]]
    for speed in report.speeds:
        what = _WHAT[speed.what].format(*frame, speed.each)
        cells.append([what, f"{speed.per_second:,.0f}", *(f"{speed.percentile(p):.2f} ms" for p in (50, 90, 99))])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    table = ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in cells]
    threads = "1 thread" if machine["threads"] == 1 else f"{machine['threads']} threads"
    where = f"{machine['machine']}, {machine['cores']} cores"
    return [
        f"digitd {machine['digitd']} on {where}: {machine['provider']}, {threads}",
        f"digits by {digits['name']} ({digits['precision']}), rows by {rows['name']} ({rows['precision']})",
        *table,
    ]


def choice_lines(choice: Choice, folder: Path) -> list[str]:
    low, high = choice.within
    measured = (
        f"{BATCH} digits a call: float32 {np.median(choice.float32):.2f} ms, int8 {np.median(choice.int8):.2f} ms; "
        f"int8 takes {choice.ratio:.2f} of float32's time ({low:.2f} to {high:.2f})"
    )
    if choice.own is not None:
        done = f"nothing changed: {choice.own} was promoted, which is none of the two"
        return [measured, done, "-> to choose all the same: digitd model rollback, then this again"]
    if choice.in_use != choice.was:
        done = f"{choice.in_use} is read with from now on, as {folder} has it; digitd model list shows all"
    elif choice.is_quicker(choice.in_use):
        done = f"nothing changed: {choice.in_use}, the quicker one, is in use"
    else:
        done = f"nothing changed: {choice.in_use} stays in use, the difference is not sure to be over {WORTH:.0%}"
    return [measured, done]


def _print(facts: object, told: list[str], as_json: bool) -> None:
    text = json.dumps(facts, ensure_ascii=False, indent=2) if as_json else "\n".join(map(printable, told))
    sys.stdout.write(text + "\n")


@contextmanager
def _progress() -> Iterator[Tick]:
    """A line on standard error, on a terminal only, that is gone at the end."""
    shown = sys.stderr is not None and sys.stderr.isatty()
    drawn = 0.0

    def tick(what: str, left: float) -> None:
        nonlocal drawn
        if shown and monotonic() - drawn >= INTERVAL:
            sys.stderr.write(f"{CLEAR}measuring {what}: {left:.0f} s left")
            sys.stderr.flush()
            drawn = monotonic()

    try:
        yield tick
    finally:
        if drawn:
            sys.stderr.write(CLEAR)
            sys.stderr.flush()
