"""Frames kept as they were, and given back the same: to the bit, all of them, with their numbers and times.

The pictures are FFV1 in Matroska, which players show. Numbers and times, by both clocks, stand in a text file beside
it, one line a frame, after a first line with the pictures' size: OpenCV writes sides of even length only, the rest is
filled up.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Self, TextIO

import cv2
import numpy as np

from edge.errors import DigitdError
from edge.frame import Frame
from edge.sources.film import Played, open_film
from edge.sources.source import Ended, SourceError, Taken

_HEAD = "digitd recording 1"
_LONGEST_LINE = 200  # characters
_ROOM = 8 << 20  # bytes that have to be free beside two frames; the writer holds back clusters of 5 MB and a frame
_RATE = 25.0  # frames a second, for players


class RecordingError(DigitdError):
    """Frames cannot be recorded any further; those before are kept."""


def times_beside(path: Path) -> Path:
    """The file with the frames' numbers and times."""
    return path.with_name(path.name + ".times")


class Recorder:
    """Writes frames into `path`, an .mkv that does not exist yet. Raises RecordingError, as `write` does."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._size: tuple[int, int] | None = None  # width, height
        self._film: cv2.VideoWriter | None = None
        if path.suffix.lower() != ".mkv":
            raise RecordingError(f"{path}: recordings are Matroska files; name it as {path.stem or 'desk'}.mkv")
        if path.exists() or times_beside(path).exists():
            raise RecordingError(f"{path}: there is one already; name another file, or remove it and its .times")
        try:
            self._times: TextIO | None = times_beside(path).open("x", encoding="ascii")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise RecordingError(
                f"{path}: cannot be written ({reason}); check the folder and its permissions"
            ) from None

    def write(self, frame: Frame) -> None:
        """Adds a frame. After an error there is no more writing."""
        height, width = frame.image.shape[:2]
        try:
            if self._times is None:
                raise RecordingError(f"{self._path}: the recording has ended; begin another")
            if self._size is None:
                self._begin(width, height, self._times)
            elif self._size != (width, height):
                raise RecordingError(
                    f"{self._path}: pictures were {self._size[0]}x{self._size[1]} and are {width}x{height} pixels now; "
                    "record what follows into another file"
                )
            self._check_room(frame.image.nbytes)
            assert self._film is not None
            even = cv2.copyMakeBorder(frame.image, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
            self._film.write(even)
            self._times.write(f"{frame.number} {frame.time!r} {frame.taken!r}\n")
            self._times.flush()
        except OSError as error:
            self._abandon()
            raise RecordingError(f"{self._path}: cannot be written any further ({error.strerror}); make room") from None
        except RecordingError:
            self._abandon()
            raise

    def close(self) -> None:
        """Ends the recording. Raises RecordingError."""
        try:
            self._end()
        except OSError as error:
            raise RecordingError(f"{self._path}: cannot be written to its end ({error.strerror}); make room") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _begin(self, width: int, height: int, times: TextIO) -> None:
        codec = cv2.VideoWriter.fourcc(*"FFV1")
        film = cv2.VideoWriter(
            str(self._path.absolute()), cv2.CAP_FFMPEG, codec, _RATE, (width + width % 2, height + height % 2)
        )
        if not film.isOpened():
            raise RecordingError(
                f"{self._path}: cannot be written as FFV1; check the folder and OpenCV (digitd doctor)"
            )
        self._film, self._size = film, (width, height)
        times.write(f"{_HEAD} {width}x{height}\n")

    def _check_room(self, needed: int) -> None:
        # OpenCV does not say when the disk is full, so it is asked before.
        status = os.statvfs(self._path.parent)
        free = status.f_bavail * status.f_frsize
        if free < 2 * needed + _ROOM:
            raise RecordingError(
                f"{self._path}: the disk is full ({free >> 20} MiB left); make room, or record elsewhere"
            )

    def _abandon(self) -> None:
        with suppress(OSError):
            self._end()

    def _end(self) -> None:
        film, self._film = self._film, None
        times, self._times = self._times, None
        if film is not None:
            film.release()
        if times is not None:
            times.close()


class Recording(Played):
    """What a Recorder wrote, as fast as it is read."""

    stepwise = True
    _times: TextIO | None = None
    _size = (0, 0)  # width, height

    def open(self) -> None:
        self._opened = open_film(self._path)
        try:
            self._times = times_beside(self._path).open(encoding="ascii", errors="replace")
            head = self._times.readline(_LONGEST_LINE).split()
            self._size = _size(head)
        except (OSError, ValueError):
            raise self._damaged() from None

    def read(self) -> Taken | None:
        if self._opened is None or self._times is None:
            return None
        line = self._times.readline(_LONGEST_LINE)
        if not line.endswith("\n") or not self._opened.grab():
            if not self._loop:
                raise Ended(f"{self.label}: the recording is over")
            self.close()
            self.open()
            return self._first()
        return self._taken(line)

    def close(self) -> None:
        super().close()
        if self._times is not None:
            self._times.close()
            self._times = None

    def _first(self) -> Taken:
        assert self._opened is not None and self._times is not None
        line = self._times.readline(_LONGEST_LINE)
        if not line.endswith("\n") or not self._opened.grab():
            raise SourceError(f"{self.label}: the recording holds not one frame; record again")
        return self._taken(line)

    def _taken(self, line: str) -> Taken:
        assert self._opened is not None
        image = self._opened.retrieve()
        width, height = self._size
        try:
            number, time, taken = line.split()
            if image is None or image.shape[:2] != (height + height % 2, width + width % 2):
                raise ValueError
            return Taken(np.ascontiguousarray(image[:height, :width]), float(time), int(number), float(taken))
        except ValueError:
            raise self._damaged() from None

    def _damaged(self) -> SourceError:
        return SourceError(
            f"{self.label}: does not go with {times_beside(self._path).name} beside it, or one of them is damaged; "
            "copy both again"
        )


def _size(head: list[str]) -> tuple[int, int]:
    """Width and height from the words of the first line. Raises ValueError."""
    *words, size = head
    width, height = size.split("x")
    if " ".join(words) != _HEAD:
        raise ValueError(size)
    return int(width), int(height)
