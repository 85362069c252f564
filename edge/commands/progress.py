"""A bar on standard error, on a terminal only, that gives way to each result."""

import sys
import time

WIDTH = 24  # characters
INTERVAL = 0.1  # seconds between two drawings
CLEAR = "\r\x1b[2K"


class Bar:
    """total: pictures to read; None where only reading them tells. Silent unless `shown`."""

    def __init__(self, total: int | None, shown: bool) -> None:
        self._total = total
        self._shown = shown
        self._started = time.monotonic()
        self._drawn = 0.0
        self._visible = False

    def hide(self) -> None:
        """Clears the line, for something else to be written."""
        if self._visible:
            sys.stderr.write(CLEAR)
            sys.stderr.flush()
            self._visible = False

    def show(self, done: int) -> None:
        """Draws the line anew, at most ten times a second where it still stands."""
        now = time.monotonic()
        if not self._shown or (self._visible and now - self._drawn < INTERVAL):
            return
        sys.stderr.write(CLEAR + self._line(done, now - self._started))
        sys.stderr.flush()
        self._drawn, self._visible = now, True

    def _line(self, done: int, seconds: float) -> str:
        rate = done / seconds if seconds > 0 else 0.0
        if not self._total:
            return f"{done} read, {rate:.1f}/s"
        full = min(WIDTH, WIDTH * done // self._total)
        left = f", {(self._total - done) / rate:.0f} s left" if done and done < self._total else ""
        return f"[{'#' * full}{'.' * (WIDTH - full)}] {done}/{self._total}, {rate:.1f}/s{left}"
