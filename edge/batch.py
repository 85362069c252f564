"""Many pictures read by all cores, or one after another; results in the order of the inputs."""

import time
import traceback
from collections.abc import Generator, Iterable
from itertools import chain, islice

from edge.arrays import U8
from edge.commands.console import DEBUG, REPORT_HINT
from edge.cores import usable_cores
from edge.engine import EngineConfig
from edge.errors import DigitdError
from edge.model_files import Chosen
from edge.providers import CPU, short_name
from edge.reader import Reader
from edge.results import PictureResult
from edge.row import Row
from edge.sources.files import Found
from edge.sources.inputs import Input, inputs

MANY = 64
"""Files from which on processes are worth their start: each takes half a second of its core for that, some twenty
photographs' time.
"""

Outcome = tuple[PictureResult, U8 | None]
"""What was read, and the picture where there was one and it is wanted."""


def read_files(
    reader: Reader, models: Chosen, engine: EngineConfig, files: Iterable[Found], every: float, pictures: bool
) -> Generator[Outcome, None, None]:
    """Each input's outcome, in order. No fault of one picture reaches the next.

    models, engine: what `reader` was made of; processes make theirs of it. every: of films, in seconds; pictures:
    whether they are wanted with the results.
    """
    files = iter(files)
    first = list(islice(files, MANY))
    cores = engine.threads or usable_cores()
    if len(first) < MANY or cores == 1 or short_name(reader.recogniser.providers[0]) != CPU:
        return read_inputs(reader, inputs(chain(first, files), every))
    from edge.processes import read_by_processes  # its imports would cost a single picture's start

    return read_by_processes(reader, models, cores, chain(first, files), every, pictures)


def read_inputs(reader: Reader, pictures: Iterable[Input]) -> Generator[Outcome, None, None]:
    """Each picture's outcome, one after another, by this process."""
    for picture in pictures:
        image: U8 | None = None
        rows: tuple[Row, ...] = ()
        error: str | None = None
        start = time.perf_counter()
        try:
            image = picture.load()
            rows = tuple(reader.read(image))
        except DigitdError as problem:
            error = str(problem).removeprefix(f"{picture.name}: ")
        except Exception as fault:
            if DEBUG:
                traceback.print_exc()
            error = f"unexpected {type(fault).__name__} ({fault}); {REPORT_HINT}"
        ms = 1000 * (time.perf_counter() - start)
        height, width = image.shape[:2] if image is not None else (None, None)
        yield PictureResult(picture.name, width, height, rows, ms, error), image
