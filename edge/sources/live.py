"""From a camera's configuration to the source behind it."""

import re
from pathlib import Path

from edge.config import CameraConfig
from edge.sources.source import Source, SourceError


def open_source(name: str, config: CameraConfig) -> Source:
    """The source that `config.source` names; nothing is opened yet. name: the camera's. Raises SourceError.

    0 or a path in /dev: V4L2; rtsp://, rtsps://, http:// and https://: a network camera; a folder, or a name without
    an extension: pictures that come into it; a file with its times beside it: a recording; any other: a film.
    """
    # Each kind is imported where it is wanted: a watched folder needs no FFmpeg, a webcam no network.
    source = config.source
    if re.fullmatch(r"[0-9]{1,4}", source) or source.startswith("/dev/"):
        from edge.sources.v4l2 import V4l2

        return V4l2(name, config)
    if "://" in source:
        from edge.sources.stream import Stream

        return Stream(name, config)
    try:
        return _of_path(Path(source), name, config)
    except OSError as error:
        raise SourceError(
            f"{source}: cannot be looked at ({error.strerror}); check the name and its folders' permissions"
        ) from None


def _of_path(path: Path, name: str, config: CameraConfig) -> Source:
    if path.is_dir() or (not path.suffix and not path.exists()):
        from edge.sources.watched import WatchedFolder

        return WatchedFolder(name, config)
    from edge.sources.recording import Recording, times_beside

    if times_beside(path).exists():
        return Recording(name, config)
    from edge.sources.film import Film

    return Film(name, config)
