"""`digitd run`: the daemon."""

from pathlib import Path

from edge.config import find
from edge.daemon import Daemon
from edge.journal import setup_logging


def run(named: Path | None) -> int:
    setup_logging()
    return Daemon(find(named)).run()
