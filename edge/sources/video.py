"""Frames of a film file, one every so many seconds of film."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from edge.arrays import U8
from edge.errors import PictureError
from edge.sources.header import container
from edge.sources.picture import check_size

SHORTFALL = 0.8  # of the announced length; containers estimate it, so a few frames less are no damage


def frames(path: Path, every: float = 1.0) -> Iterator[tuple[float, U8]]:
    """(seconds from the start, BGR uint8 [H, W, 3]) of the first frame at or after each multiple of `every`
    seconds.

    Raises PictureError for what is no film, and, after the frames that could be read, for a film cut short.
    """
    name = str(path)
    _check_begins_as_film(path)
    try:
        # An absolute path is never taken for a protocol or for a numbered series of pictures.
        film = cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG)
    except (cv2.error, UnicodeError):
        raise PictureError(f"{name}: its name cannot be handed to the video decoder; rename it") from None
    try:
        if not film.isOpened():
            raise PictureError(f"{name}: the film is damaged or of an unknown codec; convert it to MP4 (H.264)")
        check_size(int(film.get(cv2.CAP_PROP_FRAME_WIDTH)), int(film.get(cv2.CAP_PROP_FRAME_HEIGHT)), name)
        rate = film.get(cv2.CAP_PROP_FPS)
        rate = rate if 0 < rate < 1e4 else 25.0
        announced = film.get(cv2.CAP_PROP_FRAME_COUNT) / rate
        count, due, now = 0, 0.0, 0.0
        while film.grab():
            at = film.get(cv2.CAP_PROP_POS_MSEC) / 1000
            now = at if at > 0 or count == 0 else count / rate  # some films carry no times
            count += 1
            if now + 0.5 / rate < due:
                continue
            okay, image = film.retrieve()
            if okay and image is not None and image.size:
                yield now, np.ascontiguousarray(image, np.uint8)
            due = max(due + every, now + every / 2)
        if not count:
            raise PictureError(f"{name}: not one frame of the film can be decoded; copy or convert it again")
        if now + 1 < SHORTFALL * announced:
            raise PictureError(f"{name}: the film breaks off after {now:.1f} of {announced:.1f} seconds; copy it again")
    except cv2.error:
        raise PictureError(f"{name}: the film is damaged; copy or convert it again") from None
    finally:
        film.release()


def _check_begins_as_film(path: Path) -> None:
    """So that a playlist under a film's name never makes the decoder open what it points at."""
    try:
        with path.open("rb") as file:
            start = file.read(64)
    except FileNotFoundError:
        raise PictureError(f"{path}: no such file; check the name") from None
    except PermissionError:
        raise PictureError(f"{path}: may not be read by this user; change its permissions") from None
    except OSError as error:
        raise PictureError(f"{path}: cannot be read ({error.strerror}); check the name and the disk") from None
    if not start:
        raise PictureError(f"{path}: holds no bytes at all; save or copy the film again")
    if not container(start):
        raise PictureError(f"{path}: not a film, whatever its name says; convert it to MP4, MKV, WebM or AVI")
