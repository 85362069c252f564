"""Events as lines of JSON in a file that is renamed when it has grown: FILE.1 the youngest, FILE.2 before it."""

import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise

from edge.config import JsonlSink
from edge.errors import ConfigError
from edge.events import Event
from edge.sinks import SinkError, nobody
from edge.sinks.stdout import json_line


class Jsonl:
    """Lines are whole: what a crash tore off is ended with a newline, and its event comes once more below it. A file
    that somebody moved or removed is begun anew. Raises ConfigError where it cannot be opened at first.
    """

    def __init__(self, name: str, config: JsonlSink) -> None:
        self.name = name
        self.batch = 100
        self.ready = nobody
        self._path = config.path
        self._max_bytes = config.max_megabytes * 1e6
        self._keep = config.keep
        self._file: int | None = None
        try:
            self._open()
        except OSError as error:
            raise ConfigError(f"sinks.{name}.path: {self._cannot(error)}") from None

    def start(self) -> None:
        """The file is open."""

    def send(self, events: Sequence[Event]) -> None:
        try:
            self._append([json_line(event).encode() + b"\n" for event in events])
        except OSError as error:
            raise SinkError(self._cannot(error)) from None

    def reopen(self) -> None:
        self.close()

    def close(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                os.close(self._file)
            self._file = None

    def _append(self, lines: list[bytes]) -> None:
        file = self._current()
        size, part = os.fstat(file).st_size, bytearray()
        for line in lines:
            if size + len(part) + len(line) > self._max_bytes and size + len(part):
                self._write(file, part)
                self._rotate()
                file, size, part = self._current(), 0, bytearray()
            part += line
        self._write(file, part)

    def _write(self, file: int, data: bytes | bytearray) -> None:
        """All of it, on the disk; or none of it, as far as the disk lets us."""
        before = os.fstat(file).st_size
        rest = memoryview(bytes(data))
        try:
            while rest:
                rest = rest[os.write(file, rest) :]
            os.fsync(file)
        except OSError:
            with suppress(OSError):
                os.ftruncate(file, before)
            self.close()  # what is left of a line is seen to when it is opened again
            raise

    def _current(self) -> int:
        """The file that the path names now."""
        if self._file is not None:
            ours = os.fstat(self._file)
            try:
                there = self._path.stat()
            except FileNotFoundError:
                there = None
            if there is None or (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino):
                self.close()
        return self._open() if self._file is None else self._file

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK  # no waiting for a pipe's reader
        file = os.open(self._path, flags, 0o640)
        try:
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(0, "it is no file")
            if status.st_size and os.pread(file, 1, status.st_size - 1) != b"\n":
                os.write(file, b"\n")
            self._sync_folder()
        except BaseException:
            os.close(file)
            raise
        self._file = file
        return file

    def _rotate(self) -> None:
        self.close()
        numbered = [self._path, *(self._path.with_name(f"{self._path.name}.{n}") for n in range(1, self._keep + 1))]
        with suppress(FileNotFoundError):
            numbered[-1].unlink()
        for younger, older in reversed(list(pairwise(numbered))):
            with suppress(FileNotFoundError):
                younger.rename(older)

    def _sync_folder(self) -> None:
        """A file's name is in its folder, and only there on the disk when that is."""
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _cannot(self, error: OSError) -> str:
        if isinstance(error, FileNotFoundError):
            return f"{self._path}: its folder does not exist; create it: mkdir -p {self._path.parent}"
        if isinstance(error, IsADirectoryError):
            return f"{self._path}: is a folder; name a file"
        return f"{self._path}: cannot be written ({error.strerror}); mend its permissions, or free some space"
