"""Pictures of readings that are uncertain or implausible, kept for being looked at and labelled later.

FOLDER/2026-11-21/01JD....jpg        the picture
FOLDER/2026-11-21/01JD....row.png    the row cut out of it
FOLDER/2026-11-21/01JD....json       the reading, with the same id
"""

import errno
import json
import logging
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np

from edge.arrays import U8, u8
from edge.events import Reading

_AROUND = 0.3  # of the row's height: paper kept round it
_QUALITY = 95  # of the JPEG
_DAY = 86_400.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _File:
    path: Path
    written: float  # Unix seconds
    size: int  # bytes


class Kept:
    """The folder. days, megabytes: what is kept at most; the oldest goes first."""

    def __init__(self, folder: Path, days: float, megabytes: float) -> None:
        self._folder, self._days, self._bytes = folder, days, megabytes * 1e6
        self._files = sorted(_files(folder), key=lambda file: file.written)
        self._size = sum(file.size for file in self._files)
        self._failing = False  # to write
        self._stuck = False  # something cannot be deleted
        self.tidy()

    def keep(self, reading: Reading, image: U8) -> None:
        """image: uint8 [H, W, 3], the whole picture that the reading's row stands in. A full or broken disk is said
        once, and costs the picture, not the reading.
        """
        if self._size > self._bytes:
            self.tidy()
        if self._size > self._bytes:
            return  # as `tidy` has said
        folder = self._folder / datetime.fromtimestamp(reading.time, UTC).date().isoformat()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            text = json.dumps(reading.event().to_json(), ensure_ascii=False) + "\n"
            self._write(folder / f"{reading.id}.jpg", _encoded(".jpg", image, cv2.IMWRITE_JPEG_QUALITY, _QUALITY))
            self._write(folder / f"{reading.id}.row.png", _encoded(".png", _row(reading, image)))
            self._write(folder / f"{reading.id}.json", text.encode())
            self._failing = False
        except OSError as error:
            if not self._failing:
                reason = error.strerror or error
                log.warning("%s: pictures are not kept (%s); free some room there", folder, reason)
            self._failing = True
        self.tidy()

    def tidy(self, now: float | None = None) -> None:
        """Deletes what is too old, and the oldest of what is too much. What cannot be deleted is passed over, said once
        and tried again. now: Unix seconds.
        """
        oldest = (time.time() if now is None else now) - self._days * _DAY
        stuck: list[_File] = []
        while self._files and (self._size > self._bytes or self._files[0].written < oldest):
            file = self._files.pop(0)
            try:
                file.path.unlink(missing_ok=True)
            except OSError as error:
                if not self._stuck:
                    reason = error.strerror or error
                    log.warning("%s: cannot be deleted (%s); delete it, or mend its folder", file.path, reason)
                self._stuck = True
                stuck.append(file)
                continue
            self._size -= file.size
            with suppress(OSError):  # other pictures of that day are in it
                file.path.parent.rmdir()
        self._stuck = bool(stuck)
        self._files[:0] = stuck

    def _write(self, path: Path, data: bytes) -> None:
        part = path.with_suffix(path.suffix + ".part")
        try:
            part.write_bytes(data)
            part.replace(path)
        except OSError:
            part.unlink(missing_ok=True)
            raise
        self._files.append(_File(path, time.time(), len(data)))
        self._size += len(data)


def _files(folder: Path) -> Iterator[_File]:
    """What is in the folders of days; nothing else is ours to delete."""
    for path in folder.glob("[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]/*"):
        try:
            facts = path.stat(follow_symlinks=False)
        except OSError:
            continue  # gone since it was listed
        if path.suffix in {".jpg", ".png", ".json", ".part"} and not path.is_symlink():
            yield _File(path, facts.st_mtime, facts.st_size)


def _encoded(kind: str, image: U8, *options: int) -> bytes:
    done, data = cv2.imencode(kind, image, list(options))
    if not done:
        raise OSError(errno.EINVAL, "OpenCV cannot encode it")
    return bytes(u8(data))


def _row(reading: Reading, image: U8) -> U8:
    """The row, upright, with some paper round it."""
    corners = np.array(reading.row.quad)
    (x0, y0), (x1, y1) = corners.min(0), corners.max(0)
    room = _AROUND * (y1 - y0)
    top, left = max(0, int(y0 - room)), max(0, int(x0 - room))
    part = image[top : int(y1 + room) + 1, left : int(x1 + room) + 1]
    return part if part.size else image
