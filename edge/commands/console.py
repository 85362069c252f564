"""The terminal's side of a command: one line for each error, and nothing of what the libraries beneath
print.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from edge.text import ENCODING, ENCODING_ERRORS, printable

DEBUG = bool(os.environ.get("DIGITD_DEBUG"))
REPORT_HINT = "this is a fault of digitd: run again with DIGITD_DEBUG=1 and report what it prints"


def complain(message: str) -> None:
    """One line on standard error, if there is one."""
    if sys.stderr is not None:
        sys.stderr.write(f"digitd: {printable(message)}\n")
        sys.stderr.flush()


def speak_utf8() -> None:
    """Standard output and error in UTF-8 whatever the locale, and never an error for a name that is none."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding=ENCODING, errors=ENCODING_ERRORS)


@contextmanager
def libraries_muted() -> Iterator[None]:
    """Keeps off standard error what is not written through `sys.stderr`.

    libpng, libjpeg and FFmpeg write to file descriptor 2 whatever OpenCV's log level, and say in their way
    what our own line says better. With DIGITD_DEBUG=1 they are heard.
    """
    if DEBUG or sys.stderr is None:
        yield
        return
    sys.stderr.flush()
    ours, kept = sys.stderr, os.dup(2)
    with open(kept, "w", encoding=ENCODING, errors=ENCODING_ERRORS, buffering=1) as stderr:  # noqa: PTH123
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 2)
        os.close(null)
        sys.stderr = stderr
        try:
            yield
        finally:
            sys.stderr = ours
            stderr.flush()
            os.dup2(kept, 2)
