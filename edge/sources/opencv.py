"""OpenCV's video captures, opened so that they wait for a bounded time and keep standard error clean."""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "1")  # seconds; read by OpenCV once; ten without it
# Else OpenCV opens one stream at a time, and a camera that hangs keeps all others out; FFmpeg itself can open several.
# https://github.com/opencv/opencv/issues/20114
os.environ.setdefault("OPENCV_FFMPEG_IS_THREAD_SAFE", "1")
if not os.environ.get("DIGITD_DEBUG"):
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET; OPENCV_LOG_LEVEL does not reach FFmpeg

import cv2

from edge.arrays import U8, u8
from edge.sources.source import SourceError, checked

if not os.environ.get("DIGITD_DEBUG"):
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

_OPTIONS = "OPENCV_FFMPEG_CAPTURE_OPTIONS"


class Opened:
    """One open capture. label: for people, in errors."""

    def __init__(self, name: str, backend: int, label: str, parameters: Sequence[int] = ()) -> None:
        """Raises SourceError, with `label` and no more than that it cannot be opened."""
        self.label = label
        try:
            self.capture = cv2.VideoCapture(name, backend, list(parameters))
            opened = self.capture.isOpened()
        except (cv2.error, UnicodeError):
            opened = False
        if not opened:
            raise SourceError(f"{label}: cannot be opened")

    def grab(self) -> bool:
        """Whether there is a next picture. It is decoded by `retrieve`, where it is wanted."""
        try:
            return bool(self.capture.grab())
        except cv2.error:
            return False

    def retrieve(self) -> U8 | None:
        """The picture grabbed last: BGR uint8 [H, W, 3]; None where it is damaged. Raises SourceError."""
        try:
            okay, image = self.capture.retrieve()
        except cv2.error:
            return None
        if not okay or image is None or image.size == 0:
            return None
        if image.ndim != 3:
            image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
        return checked(u8(image), self.label)

    def close(self) -> None:
        self.capture.release()


class _Options:
    """What FFmpeg is told when it opens comes from one variable for all threads: they wait for one another only where
    they want it to say different things.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._users = 0

    @contextmanager
    def set_to(self, options: str, patience: float) -> Iterator[bool]:
        """Whether the variable says `options` meanwhile; waits `patience` seconds at most for others to be done."""
        with self._changed:
            free = self._changed.wait_for(lambda: not self._users or os.environ.get(_OPTIONS) == options, patience)
            if free:
                os.environ[_OPTIONS] = options
                self._users += 1
        try:
            yield free
        finally:
            if free:
                with self._changed:
                    self._users -= 1
                    self._changed.notify_all()


ffmpeg_options = _Options()
