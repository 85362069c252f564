"""What a batch reads, one picture at a time: files, film frames and standard input under one shape."""

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from edge.arrays import U8
from edge.errors import PictureError
from edge.sources.files import STDIN, Found
from edge.sources.limits import MAX_BYTES
from edge.sources.picture import decode, load
from edge.sources.video import frames


@dataclass(frozen=True, slots=True)
class Input:
    """name: the path as given; of a film frame the path and its time, as `clip.avi#t=1.00`.
    load: the picture, BGR uint8 [H, W, 3]; raises PictureError.
    """

    name: str
    load: Callable[[], U8]


def inputs(found: Iterable[Found], every: float = 1.0, stdin: BinaryIO | None = None) -> Iterator[Input]:
    """One Input for each picture and for each frame of film, in order; one for each thing that cannot be had.

    Nothing is decoded before its `load` is called, except the frame of film that is due. every: seconds of
    film.
    """
    for one in found:
        if one.error is not None:
            yield _failed(one.name, f"{one.name}: {one.error}")
        elif one.name == STDIN:
            yield Input(STDIN, lambda: _standard_input(stdin or sys.stdin.buffer))
        elif one.is_video:
            yield from _film(one.name, every)
        else:
            yield Input(one.name, lambda path=Path(one.name): load(path))  # type: ignore[misc]


def _film(name: str, every: float) -> Iterator[Input]:
    try:
        for seconds, image in frames(Path(name), every):
            yield Input(f"{name}#t={seconds:.2f}", lambda image=image: image)  # type: ignore[misc]
    except PictureError as error:
        yield _failed(name, str(error))


def _failed(name: str, message: str) -> Input:
    def refuse() -> U8:
        raise PictureError(message)

    return Input(name, refuse)


def _standard_input(stream: BinaryIO) -> U8:
    data = stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise PictureError(f"{STDIN}: over {MAX_BYTES >> 20} MiB is too large for a picture; scale it down")
    return decode(data, STDIN)
