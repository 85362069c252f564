"""A picture of a source, as it is handed from where it was taken to where it is read."""

from dataclasses import dataclass

from edge.arrays import U8


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """image: uint8 [H, W, 3] BGR. source: the name of what took it. number: of the source's frames, from 0; there are
    gaps where frames were passed over. time: when it was taken, Unix seconds. taken: the same by `time.monotonic`,
    seconds, for telling how old it is.
    """

    image: U8
    source: str
    number: int
    time: float
    taken: float
