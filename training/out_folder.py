"""The folder that a command writes, made before the work and not after it."""

from pathlib import Path

from edge.errors import UsageError


def made(folder: Path) -> Path:
    """The folder, made where it is missing. Raises UsageError where it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder}: no folder can be made there ({error.strerror}); name another") from None
    return folder
