"""What pictures are taken from while they come: cameras, streams, films, folders, recordings under one shape."""

from typing import Literal, NamedTuple, Protocol

from edge.arrays import U8
from edge.errors import DigitdError, PictureError
from edge.sources.picture import check_size

Stuck = Literal["exact", "nearly"]
"""How a picture that stands still for good comes through: the same to the bit, or coded anew and so nearly the same."""


class SourceError(DigitdError):
    """A source cannot be opened or gives no pictures. It may do so later; the message never shows a password."""


class Ended(SourceError):
    """A film or a recording is over."""


class Taken(NamedTuple):
    """image: uint8 [H, W, 3] BGR; time: when it was taken, Unix seconds; number, taken: as they were recorded, else
    None; see Frame.
    """

    image: U8
    time: float
    number: int | None = None
    taken: float | None = None


class Source(Protocol):
    """Opened, read and closed by one thread; after `close` it can be opened anew.

    label: the source for people, without a password. stepwise: every picture counts, none may be passed over.
    quiet: that no picture comes is no fault. stuck: see Stuck; None where it cannot happen. longest_wait: seconds
    between two tries to open it, at most.
    """

    label: str
    stepwise: bool
    quiet: bool
    stuck: Stuck | None
    longest_wait: float

    def open(self) -> None:
        """Raises SourceError."""

    def read(self) -> Taken | None:
        """The next picture; None where none came within the read timeout, or the source failed without a word.

        Raises SourceError where more is known, and Ended.
        """

    def close(self) -> None:
        """Also what is not open, and after an error."""


def checked(image: U8, label: str) -> U8:
    """The picture, if its size is within what can be read. Raises SourceError."""
    try:
        check_size(image.shape[1], image.shape[0], label)
    except PictureError as error:
        raise SourceError(str(error)) from None
    return image
