"""A film file, played as fast as it was taken, as if a camera were there."""

import time
from pathlib import Path

import cv2

from edge.config import CameraConfig
from edge.sources.header import container
from edge.sources.opencv import Opened
from edge.sources.source import Ended, SourceError, Stuck, Taken

_RATE = 25.0  # frames a second, where the film does not say


class Played:
    """What a film and a recording have in common: a file that is played to its end, or round and round."""

    stepwise = False
    quiet = False
    stuck: Stuck | None = None
    longest_wait = 2.0

    def __init__(self, name: str, config: CameraConfig) -> None:
        self._path, self._loop = Path(config.source), config.loop
        self.label = config.source
        self._opened: Opened | None = None

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None


class Film(Played):
    _due = 0.0  # of the next frame, by time.monotonic
    _step = 0.0  # seconds between frames, one at most

    def open(self) -> None:
        self._opened = open_film(self._path)
        rate = self._opened.capture.get(cv2.CAP_PROP_FPS)
        self._step = 1 / max(rate if 0 < rate < 1e4 else _RATE, 1.0)
        self._due = time.monotonic()

    def read(self) -> Taken | None:
        while self._opened is not None:
            self._next(self._opened)
            late = time.monotonic() - self._due
            self._due += self._step
            if late > self._step:  # a camera does not wait either
                continue
            if late < 0:
                time.sleep(-late)
            image = self._opened.retrieve()
            if image is not None:
                return Taken(image, time.time())
        return None

    def _next(self, opened: Opened) -> None:
        if opened.grab():
            return
        if not self._loop:
            raise Ended(f"{self.label}: the film is over")
        opened.close()
        self._opened = open_film(self._path)
        if not self._opened.grab():
            raise SourceError(f"{self.label}: not one frame of the film can be decoded; copy or convert it again")


def open_film(path: Path) -> Opened:
    """The film's capture. Raises SourceError."""
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for
            raise SourceError(f"{path}: is no file; name a film, a folder or a camera")
        with path.open("rb") as file:
            start = file.read(64)
    except FileNotFoundError:
        raise SourceError(f"{path}: no such file or folder; check the name") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SourceError(f"{path}: cannot be read ({reason}); check its permissions and the disk") from None
    if not container(start):  # a playlist under a film's name would make FFmpeg open what it points at
        raise SourceError(f"{path}: is no film; name an MP4, MKV, WebM or AVI, a folder or a camera")
    try:
        # An absolute path is never taken for a protocol or for a numbered series of pictures.
        return Opened(str(path.absolute()), cv2.CAP_FFMPEG, str(path), [cv2.CAP_PROP_N_THREADS, 1])
    except SourceError:
        raise SourceError(f"{path}: the film is damaged or of an unknown codec; convert it to MP4 (H.264)") from None
