"""`digitd service`: prints each thing that is done."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from edge import service
from edge.service import Layout
from edge.text import printable


def install(prefix: Path, root: Path, wheels: Path | None, drop_ins: Sequence[str], now: bool) -> int:
    os.umask(0o022)  # the service's user has to read it, whatever root's own habit is
    service.install(Layout(root.absolute(), prefix), _say, wheels=wheels, drop_ins=drop_ins, now=now)
    return 0


def status(prefix: Path, root: Path) -> int:
    return 0 if service.status(Layout(root.absolute(), prefix), _say) else 1


def uninstall(prefix: Path, root: Path, purge: bool) -> int:
    service.uninstall(Layout(root.absolute(), prefix), _say, purge=purge)
    return 0


def _say(line: str) -> None:
    sys.stdout.write(f"{printable(line)}\n")
    sys.stdout.flush()
