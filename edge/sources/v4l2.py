"""Cameras of Linux: webcams and whatever else has a /dev/video."""

import logging
import os
import stat
import time
from pathlib import Path

import cv2

from edge.config import CameraConfig
from edge.sources.opencv import Opened
from edge.sources.source import SourceError, Stuck, Taken

# Numbers of V4L2_CID_EXPOSURE_AUTO; webcams know the first and the last of them.
_MANUAL, _AUTO, _BY_APERTURE = 1, 0, 3

_AT_ONCE = 0.5  # seconds; a read that fails sooner was not waiting for a picture: the camera is gone

log = logging.getLogger(__name__)


class V4l2:
    stepwise = False
    quiet = False
    stuck: Stuck | None = "exact"
    longest_wait = 2.0  # a look whether it has been plugged in again costs nothing

    def __init__(self, name: str, config: CameraConfig) -> None:
        self._name, self._config = name, config
        self._path = Path(f"/dev/video{int(config.source)}" if config.source.isdecimal() else config.source)
        self.label = str(self._path)
        self._opened: Opened | None = None
        self._said: set[str] = set()

    def open(self) -> None:
        self._check_node()
        try:
            self._opened = Opened(str(self._path), cv2.CAP_V4L2, self.label)
        except SourceError:
            raise SourceError(
                f"{self.label}: is no camera that gives pictures, or is in use by another program; "
                "close that, or name another (v4l2-ctl --list-devices)"
            ) from None
        self._ask(self._opened)

    def read(self) -> Taken | None:
        if self._opened is None:
            return None
        until = time.monotonic() + self._config.read_timeout
        while True:
            began = time.monotonic()
            if self._opened.grab():
                now = time.time()
                image = self._opened.retrieve()
                if image is not None:
                    return Taken(image, now)
            elif time.monotonic() - began < _AT_ONCE:
                return None
            if time.monotonic() >= until:
                return None

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def _check_node(self) -> None:
        try:
            mode = self._path.stat().st_mode
        except OSError:
            raise SourceError(
                f"{self.label}: no such camera; plug it in, or name another (v4l2-ctl --list-devices)"
            ) from None
        if not stat.S_ISCHR(mode):
            raise SourceError(f"{self.label}: is no camera; name one as /dev/video0")
        if not os.access(self._path, os.R_OK | os.W_OK):
            raise SourceError(f"{self.label}: may not be used by this user; add the user to the group video")

    def _ask(self, opened: Opened) -> None:
        """Asks the camera for what the configuration says. What it refuses is said once; the rest goes on."""
        config, camera = self._config, opened.capture
        if config.format is not None:
            camera.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*config.format))
            got = (int(camera.get(cv2.CAP_PROP_FOURCC)) & 0xFFFFFFFF).to_bytes(4, "little").decode("latin-1")
            self._compare("format", config.format, got)
        if config.size is not None:
            camera.set(cv2.CAP_PROP_FRAME_WIDTH, config.size[0])
            camera.set(cv2.CAP_PROP_FRAME_HEIGHT, config.size[1])
            size = int(camera.get(cv2.CAP_PROP_FRAME_WIDTH)), int(camera.get(cv2.CAP_PROP_FRAME_HEIGHT))
            self._compare("size", "x".join(map(str, config.size)), "x".join(map(str, size)))
        if config.rate is not None:
            camera.set(cv2.CAP_PROP_FPS, config.rate)
            rate = camera.get(cv2.CAP_PROP_FPS)
            if abs(rate - config.rate) > 0.02 * config.rate:
                self._compare("rate", f"{config.rate:g}", f"{rate:g}")
        if config.exposure == "auto":
            modes = (_BY_APERTURE, _AUTO)
            self._set("exposure", "auto", any(camera.set(cv2.CAP_PROP_AUTO_EXPOSURE, mode) for mode in modes))
        elif config.exposure is not None:
            camera.set(cv2.CAP_PROP_AUTO_EXPOSURE, _MANUAL)
            self._set("exposure", config.exposure, camera.set(cv2.CAP_PROP_EXPOSURE, config.exposure))
        if config.focus == "auto":
            self._set("focus", "auto", camera.set(cv2.CAP_PROP_AUTOFOCUS, 1))
        elif config.focus is not None:
            camera.set(cv2.CAP_PROP_AUTOFOCUS, 0)
            self._set("focus", config.focus, camera.set(cv2.CAP_PROP_FOCUS, config.focus))

    def _compare(self, key: str, wanted: str, got: str) -> None:
        if wanted != got:
            self._say(key, f"{key} {wanted} was refused and is {got}; v4l2-ctl --list-formats-ext lists what it can")

    def _set(self, key: str, wanted: float | str, taken: bool) -> None:
        if not taken:
            self._say(key, f"{key} {wanted} was refused; v4l2-ctl --list-ctrls lists what it can")

    def _say(self, key: str, message: str) -> None:
        if key not in self._said:
            self._said.add(key)
            log.warning("%s: %s: %s", self._name, self.label, message)
