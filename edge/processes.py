"""Picture files read by processes, one for each core; results in the order of the files, whatever befalls a process."""

import os
import signal
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread

import cv2

from edge.batch import Outcome, read_inputs
from edge.commands.console import complain
from edge.engine import EngineConfig
from edge.model_files import Chosen
from edge.providers import CPU
from edge.reader import Reader
from edge.sources.files import STDIN, Found
from edge.sources.inputs import Input, inputs
from edge.sources.picture import load

_AHEAD, _AHEAD_WITH_PICTURES = 64, 4  # pictures a process that are read, or wait, while a slow one before them is read


class _Processes:
    """One for each core, that read picture files. ahead: files handed to them before the first is waited for."""

    def __init__(self, models: Chosen, cores: int, pictures: bool) -> None:
        self._models, self._pictures = models, pictures
        self.ahead = cores * (_AHEAD_WITH_PICTURES if pictures else _AHEAD)
        # Started afresh: what is copied from a process with threads may hold a lock for ever.
        self._pool = ProcessPoolExecutor(cores, mp_context=get_context("spawn"), initializer=_begin)
        self._broken = False

    def begin(self, name: str) -> Future[Outcome] | None:
        """None where there are no processes any more."""
        if not self._broken:
            try:
                return self._pool.submit(_read, self._models, name, self._pictures)
            except BrokenProcessPool:
                self._lose()
        return None

    def outcome(self, begun: Future[Outcome] | None) -> Outcome | None:
        """None where the process is gone, or was never there."""
        if begun is not None:
            try:
                return begun.result()
            except BrokenProcessPool:
                self._lose()
        return None

    def end(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def _lose(self) -> None:
        if not self._broken:
            complain("a process that was reading is gone, killed or for want of memory; the rest is read by one")
        self._broken = True


def read_by_processes(
    reader: Reader, models: Chosen, cores: int, files: Iterable[Found], every: float, pictures: bool
) -> Generator[Outcome, None, None]:
    """As `edge.batch.read_files`; films, standard input and what is no file are left to this process, in their turn."""
    processes = _Processes(models, cores, pictures)
    waiting: deque[tuple[Found, Future[Outcome] | None]] = deque()

    def first() -> Iterator[Outcome]:
        file, begun = waiting.popleft()
        done = processes.outcome(begun)
        return read_inputs(reader, inputs([file], every)) if done is None else iter([done])

    try:
        for file in files:
            ours = file.error is not None or file.is_video or file.name == STDIN
            waiting.append((file, None if ours else processes.begin(file.name)))
            if len(waiting) > processes.ahead:
                yield from first()
        while waiting:
            yield from first()
    finally:
        processes.end()


# What follows runs in those processes.


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who presses Ctrl-C ends the parent, and that ends us
    cv2.setNumThreads(1)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@cache
def _reader(models: Chosen) -> Reader:
    return models.reader(EngineConfig(CPU, threads=1))


def _read(models: Chosen, name: str, picture: bool) -> Outcome:
    path = Path(name)
    ((result, image),) = read_inputs(_reader(models), [Input(name, lambda: load(path))])
    return result, image if picture else None
