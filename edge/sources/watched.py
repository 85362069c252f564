"""A folder that pictures come into: each is read once, when it is whole."""

import logging
import os
import time
from collections import deque
from pathlib import Path

from edge.config import CameraConfig
from edge.errors import PictureError
from edge.sources.files import PICTURES
from edge.sources.picture import load
from edge.sources.source import SourceError, Stuck, Taken

_EVERY = 0.2  # seconds between two looks into the folder

_Version = tuple[int, int]
"""Size in bytes and time of the last change, ns: a file that is written anew is another picture."""

log = logging.getLogger(__name__)


class WatchedFolder:
    stepwise = True
    quiet = True
    stuck: Stuck | None = None
    longest_wait = 2.0

    def __init__(self, name: str, config: CameraConfig) -> None:
        self._name, self._path = name, Path(config.source)
        self.label = config.source
        self._seen: dict[str, _Version] = {}  # at the last look
        self._done: dict[str, _Version] = {}
        self._whole: deque[str] = deque()
        self._look_at = 0.0  # when next, by time.monotonic

    def open(self) -> None:
        self._look()

    def read(self) -> Taken | None:
        """The oldest new picture; None after one look into the folder, where there is none."""
        if not self._whole:
            time.sleep(max(0.0, min(self._look_at - time.monotonic(), 0.5)))
            if time.monotonic() >= self._look_at:
                self._look()
        while self._whole:
            path = self._path / self._whole.popleft()
            try:
                time_of = path.stat().st_mtime
                return Taken(load(path), time_of)
            except (PictureError, OSError) as error:
                log.warning("%s: %s; passed over", self._name, error)
        return None

    def close(self) -> None:
        """What was read stays known: after a failure no picture is read again."""

    def _look(self) -> None:
        began = time.monotonic()
        now = self._listed()
        whole = [name for name, version in now.items() if self._seen.get(name) == version != self._done.get(name)]
        self._whole.extend(sorted(whole, key=lambda name: (now[name][1], name)))
        self._done = {name: version for name, version in self._done.items() if name in now}
        self._done.update((name, now[name]) for name in whole)
        self._seen = now
        ended = time.monotonic()
        self._look_at = ended + max(_EVERY, 4 * (ended - began))  # a large folder is looked into less often

    def _listed(self) -> dict[str, _Version]:
        found = {}
        try:
            with os.scandir(self._path) as entries:
                for entry in entries:
                    if entry.name.startswith(".") or os.path.splitext(entry.name)[1].lower() not in PICTURES:  # noqa: PTH122
                        continue
                    try:
                        if entry.is_file():  # no pipe: it would be waited for
                            status = entry.stat()
                            found[entry.name] = status.st_size, status.st_mtime_ns
                    except OSError:
                        continue  # gone meanwhile
        except OSError as error:
            reason = (error.strerror or "no reason given").lower()
            raise SourceError(
                f"{self.label}: the folder cannot be listed ({reason}); check its name and permissions"
            ) from None
        return found
