"""`digitd model`: which models are in use, and another one put in their place."""

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edge.model_store import KINDS, Entry, Kind, ModelStore, shipped
from edge.text import printable

SHORT = 12
"""characters of a SHA-256 for the eye"""


def show(folder: Path | None, as_json: bool) -> int:
    store = ModelStore(folder)
    entries = [entry for kind in KINDS for entry in store.entries(kind)]
    if as_json:
        sys.stdout.write(json.dumps([_told(entry) for entry in entries], ensure_ascii=False, indent=2) + "\n")
    else:
        _say(f"promoted models are kept in {store.folder}")
        for line in _columns([("state", "kind", "name", "promoted", "sha256", "right"), *map(_cells, entries)]):
            _say(line)
    return 0


def promote(file: Path, folder: Path | None, force: bool) -> int:
    store = ModelStore(folder)
    promoted = store.promote(file, force)
    if promoted is None:
        _say(f"{file}: is in use already")
        return 0
    _say(f"promoted {file}: {promoted.kind} are read with {promoted.path} from now on")
    _say_where(folder)
    return 0


def rollback(kind: Kind, folder: Path | None) -> int:
    store = ModelStore(folder)
    back = store.rollback(kind)
    _say(f"took back {back.path}: {kind} are read with {store.in_use(kind) or shipped(kind)} from now on")
    _say_where(folder)
    return 0


def _say_where(folder: Path | None) -> None:
    if folder is not None:
        _say(f"where DIGITD_MODELS is {folder}; a service that runs takes it on: systemctl reload digitd")


def _told(entry: Entry) -> dict[str, Any]:
    card = entry.card
    return {
        "kind": entry.kind,
        "state": entry.state,
        "shipped": entry.when is None,
        "file": str(entry.path),
        "promoted": None if entry.when is None else _time(entry.when).isoformat(timespec="seconds"),
        "sha256": entry.sha256,
        "name": card.name if card else None,
        "labels": list(card.labels) if card else None,
        "accuracies": card.accuracies if card else None,
        "problem": entry.problem,
    }


def _cells(entry: Entry) -> tuple[str, ...]:
    when = "shipped" if entry.when is None else f"{_time(entry.when):%Y-%m-%d %H:%M} UTC"
    if entry.card is None:
        return entry.state, entry.kind, "?", when, "?", entry.problem or "?"
    right = ", ".join(f"{test} {share:.2%}" for test, share in entry.card.accuracies.items()) or "not stated"
    name = entry.card.name if entry.card.precision == "float32" else f"{entry.card.name} ({entry.card.precision})"
    return entry.state, entry.kind, name, when, (entry.sha256 or "?")[:SHORT], right


def _columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    rows = [tuple(map(printable, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _say(line: str) -> None:
    sys.stdout.write(f"{printable(line)}\n")
