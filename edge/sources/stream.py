"""Network cameras: RTSP, and MJPEG over HTTP, through FFmpeg."""

import re
import socket
import time
from urllib.parse import SplitResult, quote, urlsplit

import cv2

from edge.config import CameraConfig
from edge.secrets import read_secret
from edge.sources.opencv import Opened, ffmpeg_options
from edge.sources.source import SourceError, Stuck, Taken

_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}

# A tenth of a second of looking at the stream is enough to open it, two are usual.
_OPTIONS = "rtsp_transport;{}|analyzeduration;100000"


def without_secrets(source: str) -> str:
    """The URL for people: no user, no password, and nothing after a `?`, where cameras take passwords, too."""
    scheme, _, rest = source.partition("://")
    place, question, _ = rest.partition("?")
    host, slash, path = place.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}{question and '?...'}"


class Stream:
    stepwise = False
    quiet = False
    longest_wait = 30.0

    def __init__(self, name: str, config: CameraConfig) -> None:
        self._name, self._config = name, config
        self.label = without_secrets(config.source)
        self.stuck: Stuck | None = "nearly" if config.source.lower().startswith("rtsp") else "exact"
        self._opened: Opened | None = None

    def open(self) -> None:
        config = self._config
        url = self._parsed()
        self._check_host(url)
        limits = [
            *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, round(config.open_timeout * 1000)),
            *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, round(config.read_timeout * 1000)),
            *(cv2.CAP_PROP_N_THREADS, 1),  # with more, as many old pictures come after a stall
        ]
        began = time.monotonic()
        with ffmpeg_options.set_to(_OPTIONS.format(config.transport), config.open_timeout) as free:
            if not free:
                raise SourceError(f"{self.label}: waits for another camera that opens with another transport")
            try:
                self._opened = Opened(self._with_user(url), cv2.CAP_FFMPEG, self.label, limits)
            except SourceError:
                raise self._refused(time.monotonic() - began) from None

    def read(self) -> Taken | None:
        if self._opened is None:
            return None
        began = time.monotonic()
        # After the timeout FFmpeg still hands out what it had kept; that is no picture of now.
        if not self._opened.grab() or time.monotonic() - began >= self._config.read_timeout:
            return None
        now = time.time()
        image = self._opened.retrieve()
        return None if image is None else Taken(image, now)

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def _parsed(self) -> SplitResult:
        source = self._config.source
        try:
            url = urlsplit(source)
            okay = url.scheme in _PORTS and bool(url.hostname) and url.port != 0
            okay = okay and re.fullmatch(r"[!-~]+", source) is not None
        except ValueError:
            okay = False
        if not okay:
            raise SourceError(f"{self.label}: is no URL of a camera; write it as rtsp://camera.local:554/path")
        return url

    def _with_user(self, url: SplitResult) -> str:
        config = self._config
        if config.user is None:
            return url.geturl()
        user = quote(config.user, safe="")
        if config.password is not None:
            user += ":" + quote(read_secret(config.password, f"cameras.{self._name}.password"), safe="")
        return url._replace(netloc=f"{user}@{url.netloc.rpartition('@')[2]}").geturl()

    def _check_host(self, url: SplitResult) -> None:
        """FFmpeg fails without a reason; most of them are known after one connection."""
        address = (url.hostname or "", url.port or _PORTS[url.scheme])
        try:
            socket.create_connection(address, timeout=self._config.open_timeout).close()
        except (socket.gaierror, UnicodeError):
            raise SourceError(f"{self.label}: the name {address[0]} is not known; check it and the network") from None
        except TimeoutError:
            raise self._refused(self._config.open_timeout) from None
        except OSError as error:
            reason = (error.strerror or "no answer").lower()
            raise SourceError(
                f"{self.label}: cannot be reached at port {address[1]} ({reason}); check the camera and the network"
            ) from None

    def _refused(self, waited: float) -> SourceError:
        if waited >= 0.9 * self._config.open_timeout:
            return SourceError(
                f"{self.label}: no answer within {self._config.open_timeout:g} s; check the camera, or open_timeout"
            )
        return SourceError(f"{self.label}: answers, but gives no pictures; check the path, the user and the password")
