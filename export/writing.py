"""Files that are written whole or not at all; where one cannot be, that is one line."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge.errors import ConfigError


def put(path: Path, data: bytes) -> None:
    """Raises ConfigError where it cannot be written; what lay there stays."""
    part = path.with_name(f"{path.name}.part")
    with _mendable(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(data)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def refuse_unwritable(path: Path) -> None:
    """Raises ConfigError where `put` would, before minutes of work. Leaves nothing but the folder."""
    with _mendable(path):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.part")
        part.touch()
        part.unlink()


@contextmanager
def _mendable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be written ({error.strerror or error}); name another place, or make room there"
        ) from None
