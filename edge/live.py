"""A camera, a stream or a film, read while somebody watches: a window, or lines as they come."""

import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event as Flag
from typing import Protocol

import cv2
import numpy as np

from edge.annotate import annotate
from edge.arrays import U8, u8
from edge.config import CameraConfig
from edge.errors import PictureError, UsageError
from edge.events import Event, Gone, Reading, State, state
from edge.frame import Frame
from edge.reader import Reader
from edge.row import Row
from edge.sources.capture import Capture
from edge.sources.recording import Recorder
from edge.sources.source import SourceError
from edge.sources.view import Misaligned
from edge.watch import ALTERNATIVES, Watch

NAME = "live"
KEYS = "space pause   s save   q quit"

_WAIT = 0.05  # seconds in which a key is answered at the latest
_RECENT = 30  # frames that rates and latencies are told from
_BAND = 44  # pixels of the window's line of text


class Display(Protocol):
    """Where what was read is shown. Returns the key that was pressed, "" for none."""

    def show(self, image: U8, rows: Sequence[Row], line: str) -> str: ...

    def wait(self) -> str: ...

    def close(self) -> None: ...


@dataclass
class Live:
    """source's frames -> `tell`, each event as it comes; `run` ends with a film, at `q`, or when `stop` is called.

    record: file that the frames that were looked at are kept in; saved: folder for pictures saved by key.
    """

    config: CameraConfig
    reader: Reader
    tell: Callable[[Event], None]
    display: Display | None = None
    record: Path | None = None
    saved: Path = Path()
    stopping: bool = False
    _wake: Flag = field(default_factory=Flag)
    _failed: str = ""  # why the source never gave a picture
    _rows: list[Row] = field(default_factory=list)
    _reading: str = ""
    _times: deque[float] = field(default_factory=lambda: deque(maxlen=_RECENT))  # of frames looked at
    _latencies: deque[float] = field(default_factory=lambda: deque(maxlen=_RECENT))  # seconds that each took
    _state: tuple[State, str] = ("starting", "")

    def run(self) -> None:
        """Raises SourceError where the source gives no picture at first, RecordingError where a recording cannot be
        written, and PictureError where a picture cannot be saved.
        """
        watch = Watch(NAME, self.config, self.reader.name)
        recorder = Recorder(self.record) if self.record else None
        capture = Capture(NAME, self.config, self._wake.set, self._entered)
        capture.start()
        try:
            self._loop(capture, watch, recorder)
            self._tell_all(watch.end())
        finally:
            capture.stop()
            if recorder is not None:
                recorder.close()
            if self.display is not None:
                self.display.close()

    def _loop(self, capture: Capture, watch: Watch, recorder: Recorder | None) -> None:
        paused = False
        last: Frame | None = None
        while not self.stopping:
            if self._failed:
                raise SourceError(self._failed)
            self._wake.clear()
            frame = None if paused else capture.newest()
            if frame is None and capture.ended and not paused:
                return
            key = ""
            if frame is not None:
                last = frame
                if recorder is not None:
                    recorder.write(frame)
                line = self._looked_at(watch, frame)
                if self.display is not None:
                    key = self.display.show(frame.image, self._rows, line)
            elif self.display is not None and last is not None:
                key = self.display.wait()
            else:
                self._wake.wait(_WAIT)
            if key == "q":
                return
            if key == " ":
                paused = not paused
            if key == "s" and last is not None:
                self._save(last.image)

    def _looked_at(self, watch: Watch, frame: Frame) -> str:
        """Reads a frame where it shows something new. Returns the line that stands below it."""
        start = time.monotonic()
        try:
            picture = watch.view(frame.image)
        except Misaligned as problem:
            self._entered("misaligned", str(problem))
            return str(problem)
        if self._state[0] == "misaligned":
            self._entered("online", "fits its view again")
        if parts := watch.parts(picture, frame.taken):
            news = watch.update(frame, parts, self.reader.read_all([part.image for part in parts], ALTERNATIVES))
            self._rows = watch.rows
        else:
            news = watch.same(frame)
        now = time.monotonic()
        self._times.append(now)
        self._latencies.append(now - start)
        self._tell_all(news)
        return self._line()

    def _tell_all(self, news: Sequence[Reading | Gone]) -> None:
        for one in news:
            if isinstance(one, Reading):
                self._reading = one.text or one.raw
            elif self._reading in (one.reading.text, one.reading.raw):
                self._reading = ""
            self.tell(one.event())

    def _line(self) -> str:
        span = self._times[-1] - self._times[0]
        rate = (len(self._times) - 1) / span if span > 0 else 0.0
        latency = 1000 * float(np.median(self._latencies))
        return f"{self._reading or '-'}   {rate:.0f} frames/s   {latency:.0f} ms"

    def _entered(self, now: State, why: str) -> None:
        """Of the capture's threads, too."""
        if now == "lost" and self._state[0] == "starting":
            self._failed = why
        elif self._state != (now, why):
            self.tell(state(NAME, now, why, time.time()))
        self._state = now, why
        self._wake.set()

    def _save(self, image: U8) -> None:
        """The picture as it came, and beside it with what was read drawn on it."""
        name = time.strftime("digitd-%Y%m%d-%H%M%S")
        for end, one in (("", image), ("-read", annotate(image, self._rows))):
            path = self.saved / f"{name}{end}.png"
            if not cv2.imwrite(str(path), one):
                raise PictureError(f"{path}: cannot be written; check the folder, or start digitd in another")


class Window:
    """OpenCV's window. Raises UsageError where there is no screen to open one on."""

    def __init__(self, title: str) -> None:
        if os.name == "posix" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            # Qt, which OpenCV's windows are made with, ends the process where it finds no screen.
            raise UsageError("no screen to open a window on; take --no-window, or log in to a desktop")
        self._title = title
        try:
            cv2.namedWindow(title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
        except cv2.error:
            raise UsageError("this OpenCV has no windows; take --no-window, or pip install opencv-python") from None

    def show(self, image: U8, rows: Sequence[Row], line: str) -> str:
        cv2.imshow(self._title, drawn(image, rows, line))
        return self._key(1)

    def wait(self) -> str:
        return self._key(int(1000 * _WAIT))

    def close(self) -> None:
        cv2.destroyAllWindows()

    def _key(self, milliseconds: int) -> str:
        code = cv2.waitKey(milliseconds)
        if cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) < 1:  # closed by its button
            return "q"
        return "q" if code == 27 else chr(code & 0xFF) if code >= 0 else ""


def drawn(image: U8, rows: Sequence[Row], line: str) -> U8:
    """The picture with its rows drawn in, and a line of text below: uint8 [H', W', 3]."""
    picture = annotate(image, rows)
    band = np.full((_BAND, picture.shape[1], 3), 32, np.uint8)
    white, grey = (255, 255, 255), (160, 160, 160)
    cv2.putText(band, line, (12, 30), cv2.FONT_HERSHEY_SIMPLEX, 0.8, white, 2, cv2.LINE_AA)
    (width, _), _ = cv2.getTextSize(KEYS, cv2.FONT_HERSHEY_SIMPLEX, 0.5, 1)
    cv2.putText(band, KEYS, (picture.shape[1] - width - 12, 28), cv2.FONT_HERSHEY_SIMPLEX, 0.5, grey, 1, cv2.LINE_AA)
    return u8(np.vstack([picture, band]))
