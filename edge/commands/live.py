"""`digitd live`: a source read while somebody watches."""

import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Literal

import cv2
from pydantic import ValidationError

from edge.commands.console import complain, libraries_muted
from edge.config import CameraConfig
from edge.engine import EngineConfig
from edge.errors import UsageError
from edge.events import Event
from edge.live import Live, Window
from edge.model_files import ModelFiles
from edge.providers import nvidia_driver
from edge.sinks.stdout import json_line, line
from edge.text import printable


@dataclass(frozen=True)
class Request:
    source: str
    window: bool
    format: Literal["text", "jsonl"]
    record: Path | None
    size: str | None
    rate: float | None
    pixels: Literal["MJPG", "YUYV"] | None
    loop: bool


def run(request: Request, models: ModelFiles, engine: EngineConfig) -> int:
    camera = _camera(request)
    window = Window(f"digitd: {request.source}") if request.window else None
    cv2.setNumThreads(engine.threads or 1)
    reader = models.reader(engine)
    if reader.recogniser.note and nvidia_driver():  # no news where there is no such device
        complain(f"reading on the CPU: {reader.recogniser.note}")
    live = Live(camera, reader, Teller(request.format), window, request.record)

    def stop(number: int, frame: FrameType | None) -> None:
        live.stopping = True

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    with libraries_muted():
        live.run()
    return 0


def _camera(request: Request) -> CameraConfig:
    try:
        return CameraConfig(
            source=request.source,
            size=_size(request.size),
            rate=request.rate,
            format=request.pixels,
            loop=request.loop,
        )
    except ValidationError as error:
        raise UsageError(f"--{error.errors()[0]['loc'][0]}: {error.errors()[0]['msg']}") from None


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    width, x, height = text.partition("x")
    if not (x and width.isdecimal() and height.isdecimal()):
        raise UsageError(f"--size {text}: width and height are wanted, as 1280x720")
    return int(width), int(height)


class Teller:
    """Readings on standard output; what becomes of the source on standard error."""

    def __init__(self, form: Literal["text", "jsonl"]) -> None:
        self._line = line if form == "text" else json_line

    def __call__(self, event: Event) -> None:
        if event.kind == "state":
            if event.body["state"] not in ("starting", "ended"):
                complain(printable(f"{event.body['state']}: {event.body['why']}"))
            return
        sys.stdout.write(self._line(event) + "\n")
        sys.stdout.flush()
