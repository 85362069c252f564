"""`digitd read`: pictures in, number strings out."""

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

from edge.annotate import AnnotatedNames, annotate, save
from edge.arrays import U8
from edge.batch import read_files
from edge.commands.console import complain, libraries_muted
from edge.commands.progress import Bar
from edge.engine import EngineConfig
from edge.errors import PictureError, UsageError
from edge.model_files import ModelFiles
from edge.providers import nvidia_driver
from edge.results import Format, PictureResult, writer
from edge.sources.files import PICTURES, STDIN, VIDEOS, find
from edge.text import ENCODING, ENCODING_ERRORS


@dataclass(frozen=True)
class Request:
    """What to read and where the results go; the fields are the command's options."""

    paths: Sequence[str]
    format: Format = "table"
    out: Path | None = None
    annotate: Path | None = None
    recursive: bool = False
    every: float = 1.0
    min_confidence: float = 0.0
    quiet: bool = False


def run(request: Request, models: ModelFiles, engine: EngineConfig) -> int:
    """Reads everything asked for, in order; returns the exit code. Raises UsageError, ModelError,
    ProviderError before anything is read.
    """
    _check(request)
    reader = models.reader(engine)
    if reader.recogniser.note and nvidia_driver():  # no news where there is no such device
        complain(f"reading on the CPU: {reader.recogniser.note}")
    failed = 0
    with ExitStack() as stack:
        stream = stack.enter_context(_opened(request.out)) if request.out else sys.stdout
        stack.enter_context(libraries_muted())
        names = AnnotatedNames(request.annotate) if request.annotate else None
        terminal = request.out is None and stream.isatty()
        bar = Bar(_count(request), shown=_shows_bar(request))
        stack.callback(bar.hide)
        try:
            write = writer(request.format, stream, styled=terminal and not os.environ.get("NO_COLOR"))
            found = find(request.paths, request.recursive)
            results = read_files(reader, models.chosen(), engine, found, request.every, pictures=names is not None)
            stack.enter_context(closing(results))
            bar.show(0)
            left_out = 0
            for done, (everything, image) in enumerate(results, 1):
                result = sure_enough(everything, request.min_confidence)
                left_out += len(everything.rows) - len(result.rows)
                bar.hide()
                write(result)
                if result.error is not None:
                    failed += 1
                    # In a table on the terminal the same words already stand before the user's eyes.
                    if not (terminal and request.format == "table" and sys.stderr.isatty()):
                        complain(f"{result.path}: {result.error}")
                if names is not None and image is not None:
                    failed += not _annotated(image, result, names)
                bar.show(done)
            bar.hide()
            if left_out and not request.quiet:
                rows = "row was" if left_out == 1 else "rows were"
                complain(f"{left_out} {rows} less sure than --min-confidence {request.min_confidence:g} and left out")
        except BrokenPipeError:
            return _reader_gone()
    return 1 if failed else 0


def sure_enough(result: PictureResult, least: float) -> PictureResult:
    """The result without the rows whose confidence is below `least`."""
    return replace(result, rows=tuple(row for row in result.rows if row.confidence >= least))


def _check(request: Request) -> None:
    """Refuses, before the work begins, what would fail or destroy something after it."""
    if STDIN in request.paths and (sys.stdin is None or sys.stdin.isatty()):
        raise UsageError("-: no picture comes in on standard input; pipe one in, or name a file")
    out = request.out
    if out is not None:
        if not out.parent.is_dir():
            raise UsageError(f"--out {out}: its folder does not exist; create {out.parent} first")
        if out.is_dir():
            raise UsageError(f"--out {out}: is a folder; name a file in it")
        among = any(Path(path).exists() and out.exists() and out.samefile(path) for path in request.paths)
        if among or (out.exists() and out.suffix.lower() in PICTURES | VIDEOS):
            raise UsageError(f"--out {out}: would overwrite a picture; name another file")
    if request.annotate is not None:
        if _reads_in(request.annotate, request):
            raise UsageError(f"--annotate {request.annotate}: is among the folders being read; name another")
        try:
            request.annotate.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = "is a file" if isinstance(error, FileExistsError) else f"cannot be created ({error.strerror})"
            raise UsageError(f"--annotate {request.annotate}: {reason}; name a folder") from None


def _reads_in(folder: Path, request: Request) -> bool:
    """Whether pictures written to `folder` would be taken for inputs, or could take an input's place."""
    if request.recursive:
        above = {folder.resolve(), *folder.resolve().parents}
        if any(path != STDIN and Path(path).is_dir() and Path(path).resolve() in above for path in request.paths):
            return True
    read = {Path(found.name).parent for found in find(request.paths, request.recursive) if found.name != STDIN}
    return any(parent.exists() and folder.exists() and parent.samefile(folder) for parent in read)


def _opened(out: Path) -> TextIO:
    try:
        return out.open("w", encoding=ENCODING, errors=ENCODING_ERRORS, newline="")
    except OSError as error:
        raise UsageError(f"--out {out}: cannot be written ({error.strerror}); name another file") from None


def _shows_bar(request: Request) -> bool:
    return not request.quiet and sys.stderr is not None and sys.stderr.isatty()


def _count(request: Request) -> int | None:
    """How many pictures there are, where listing folders tells; films and standard input do not."""
    if not _shows_bar(request):
        return None
    count = 0
    for found in find(request.paths, request.recursive):
        if found.is_video or found.name == STDIN:
            return None
        count += 1
    return count


def _annotated(image: U8, result: PictureResult, names: AnnotatedNames) -> bool:
    try:
        save(annotate(image, result.rows), names.path(result.path))
    except PictureError as error:
        complain(str(error))
        return False
    return True


def _reader_gone() -> int:
    """Whoever read our output has what they wanted, as `head` has: end without a word, as a signal would
    have us.
    """
    sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115  # for the flush at exit
    return 128 + int(getattr(signal, "SIGPIPE", 13))
