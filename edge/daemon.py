"""The service: cameras -> one reader -> readings -> outbox -> sinks; told what to do by signals and systemd.

The loop runs in the main thread and does the work, so that its watchdog pings mean that work gets done. A camera that
is away costs it nothing: each has a thread of its own, and so has each sink.
"""

import logging
import math
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from threading import Event as Flag
from threading import Thread
from types import FrameType

from edge import notify
from edge.arrays import U8
from edge.assembly import (
    changed_sinks,
    model_files,
    open_kept,
    open_outbox,
    open_sinks,
    state_directory,
    warm_reader,
)
from edge.commands.console import DEBUG
from edge.config import CameraConfig, Config, load
from edge.errors import DigitdError
from edge.events import Event, Gone, Reading, State, state
from edge.frame import Frame
from edge.intake import Intake
from edge.outbox import OutboxError
from edge.reader import Reader
from edge.row import Row
from edge.sinks.delivery import Delivery, stop_all
from edge.sources.capture import Capture
from edge.sources.view import Misaligned
from edge.watch import ALTERNATIVES, Part, Watch

_IDLE = 0.25  # seconds after which the loop turns though no camera called it
_STATUS = 1.0  # seconds between two status lines
_TIDY = 3600.0  # seconds between two looks for kept pictures that are too old
_LAST_DELIVERY = 1.0  # seconds that a sink which ends has for what waits

log = logging.getLogger(__name__)


class _Interrupted(Exception):
    """SIGTERM came while a picture was read: that picture is given up."""


@dataclass
class _Camera:
    config: CameraConfig
    capture: Capture
    watch: Watch
    due: float = 0.0  # monotonic seconds before which no frame of it is looked at
    state: State = "starting"
    why: str = "not opened yet"


@dataclass
class _Look:
    """A frame that is worth reading, in these parts."""

    camera: _Camera
    frame: Frame
    parts: list[Part]


@dataclass
class _Counts:
    readings: int = 0
    last: Reading | None = None
    reload: str = ""  # what is wrong with the file that was to be reloaded


@dataclass
class Daemon:
    """path: of digitd.toml. `run` returns the exit code; it raises DigitdError where it cannot start."""

    path: Path
    config: Config = field(init=False)
    _wake: Flag = field(default_factory=Flag)
    _states: SimpleQueue[tuple[Watch, State, str]] = field(default_factory=SimpleQueue)
    _cameras: dict[str, _Camera] = field(default_factory=dict)
    _deliveries: dict[str, Delivery] = field(default_factory=dict)
    _counts: _Counts = field(default_factory=_Counts)
    _stopping: bool = False
    _reloading: bool = False
    _reading: bool = False
    _status: tuple[float, str] = (-_STATUS, "")

    def run(self) -> int:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop_soon)
        signal.signal(signal.SIGHUP, self._reload_soon)
        self.config = load(self.path)
        notify.status("starting: loading the models")
        self._files = model_files(self.config)
        self._reader = warm_reader(self.config, self._files)
        self._folder = state_directory(self.config)
        self._outbox = open_outbox(self.config, self._folder)
        self._intake = Intake(self._outbox)
        self._kept = open_kept(self.config, self._folder)
        try:
            cameras = self._new_cameras(self.config, self._reader)
            self._feed(None, self.config)
            self._watch(self.config, cameras)
            notify.ready(self._status_line())
            log.info("ready: %s", self._status_line())
            self._loop()
        finally:
            self._end()
        return 0

    # What it is made of

    def _new_cameras(self, config: Config, reader: Reader) -> dict[str, _Camera]:
        """Those that are not there as this configuration wants them; not started yet. Raises OutboxError."""
        cameras = {}
        for name, wanted in config.cameras.items():
            if name not in self._cameras or self._cameras[name].config != wanted:
                watch = Watch(name, wanted, reader.name, self._outbox.latest)
                capture = Capture(name, wanted, self._wake.set, partial(self._say, watch))
                cameras[name] = _Camera(wanted, capture, watch)
        return cameras

    def _watch(self, config: Config, cameras: dict[str, _Camera]) -> None:
        """These new cameras take the place of those that are there; others that are not asked for end."""
        over = [name for name in self._cameras if name in cameras or name not in config.cameras]
        _stop_captures([self._cameras[name] for name in over])
        for name in over:
            self._accept(self._told(self._cameras.pop(name).watch.end()))
        for name, camera in cameras.items():
            self._cameras[name] = camera
            camera.capture.start()

    def _say(self, watch: Watch, now: State, why: str) -> None:
        """Of the capture threads: for the loop to tell the world."""
        self._states.put((watch, now, why))
        self._wake.set()

    def _feed(self, old: Config | None, new: Config) -> None:
        """The sinks of the new configuration; those that are there already and asked for as before go on. Raises
        DigitdError; then all go on.
        """
        sinks = open_sinks(new, changed_sinks(old, new))
        try:
            self._outbox.keep_only({*self._deliveries, *new.sinks})  # those that end have a last delivery
        except OutboxError:
            for sink in sinks.values():
                sink.close()
            raise
        over = [name for name in self._deliveries if name in sinks or name not in new.sinks]
        stop_all([self._deliveries.pop(name) for name in over], _LAST_DELIVERY)
        for delivery in self._deliveries.values():
            delivery.reopen()
        for name, sink in sinks.items():
            self._deliveries[name] = Delivery(sink, self._outbox)
            self._deliveries[name].start()
        try:
            self._outbox.keep_only(new.sinks)
        except OutboxError as problem:
            log.warning("%s; sinks that are gone are forgotten at the next start", problem)

    # The loop

    def _loop(self) -> None:
        interval = notify.watchdog_interval()
        pinged, tidied = -math.inf, time.monotonic()
        while not self._stopping:
            if self._reloading:
                self._reload()
            with suppress(_Interrupted):  # it may come a moment late
                self._turn()
            now = time.monotonic()
            if interval is not None and now - pinged >= interval / 4:
                notify.watchdog()
                pinged = now
            if self._kept is not None and now - tidied >= _TIDY:
                self._kept.tidy()
                tidied = now
            self._tell_status(now)
            self._wake.wait(self._pause())
            self._wake.clear()

    def _pause(self) -> float:
        """Seconds until a camera's next look is due, or something else may be."""
        now = time.monotonic()
        return min([_IDLE, *(camera.due - now for camera in self._cameras.values() if camera.due > now)])

    def _turn(self) -> None:
        """What has come since: new states, and of each camera that is due its newest frame."""
        events = self._state_changes()
        looks: list[_Look] = []
        for camera in self._cameras.values():
            events += self._looked_at(camera, looks)
        for look, rows in zip(looks, self._read(looks), strict=True):
            if rows is not None:
                events += self._told(look.camera.watch.update(look.frame, look.parts, rows), look.frame.image)
        self._accept(events)

    def _read(self, looks: list[_Look]) -> list[list[list[Row]] | None]:
        """The rows of each look's parts, all read together; None for one that could not be."""
        if not looks:
            return []
        try:
            self._reading = not self._stopping
            images = [part.image for look in looks for part in look.parts]
            rows = iter(self._reader.read_all(images, ALTERNATIVES))
            return [list(islice(rows, len(look.parts))) for look in looks]
        except _Interrupted:
            return [None for _ in looks]
        except Exception as fault:  # one picture that we cannot cope with is not to end the service
            if len(looks) > 1:
                return [rows for look in looks for rows in self._read([look])]
            camera, frame = looks[0].camera.watch.name, looks[0].frame.number
            log.error(
                "frame %d was passed over: a fault of digitd (%s: %s); report it",
                *(frame, type(fault).__name__, fault),
                extra={"camera": camera},
                exc_info=DEBUG,
            )
            return [None]
        finally:
            self._reading = False

    def _state_changes(self) -> list[Event]:
        events = []
        while not self._states.empty():
            watch, now, why = self._states.get_nowait()
            camera = self._cameras.get(watch.name)
            if camera is not None and camera.watch is watch:  # not of one that a reload has ended
                events += self._entered(camera, now, why)
        return events

    def _entered(self, camera: _Camera, now: State, why: str) -> list[Event]:
        if (camera.state, camera.why) == (now, why):
            return []
        changed = camera.state != now
        camera.state, camera.why = now, why
        level = logging.INFO if now in ("starting", "online", "ended") else logging.WARNING
        log.log(level, "%s: %s", now, why, extra={"camera": camera.watch.name})
        return [state(camera.watch.name, now, why, time.time())] if changed else []

    def _looked_at(self, camera: _Camera, looks: list[_Look]) -> list[Event]:
        """Adds the camera's newest frame to `looks` where it is due and shows something new."""
        now = time.monotonic()
        if now < camera.due:
            return []
        frame = camera.capture.newest()
        if frame is None:
            return self._told(camera.watch.end()) if camera.capture.ended else []
        camera.due = max(camera.due + 1 / camera.config.look_rate, now)
        try:
            picture = camera.watch.view(frame.image)
        except Misaligned as problem:
            return self._entered(camera, "misaligned", str(problem))
        events = self._entered(camera, camera.capture.state, camera.capture.why) if camera.state == "misaligned" else []
        if parts := camera.watch.parts(picture, frame.taken):
            looks.append(_Look(camera, frame, parts))
            return events
        return events + self._told(camera.watch.same(frame), frame.image)

    def _told(self, news: Sequence[Reading | Gone], image: U8 | None = None) -> list[Event]:
        """image: uint8 [H, W, 3] that it was seen in, where that is at hand."""
        for one in news:
            if isinstance(one, Reading):
                self._counts.readings += 1
                self._counts.last = one
                if one.status != "ok" and self._kept is not None and image is not None:
                    self._kept.keep(one, image)
        return [one.event() for one in news]

    def _accept(self, events: Sequence[Event]) -> None:
        if self._intake.put(events):
            for delivery in self._deliveries.values():
                delivery.wake()

    # Told from outside

    def _stop_soon(self, number: int, _: FrameType | None) -> None:
        self._stopping = True
        self._wake.set()
        if self._reading:
            self._reading = False
            raise _Interrupted

    def _reload_soon(self, number: int, _: FrameType | None) -> None:
        self._reloading = True
        self._wake.set()

    def _reload(self) -> None:
        """digitd.toml anew; where anything in it is wrong or cannot be had, all goes on as before."""
        self._reloading = False
        notify.reloading("reloading digitd.toml")
        try:
            config = load(self.path)
            if (config.state_directory, config.outbox) != (self.config.state_directory, self.config.outbox):
                log.warning("%s: state_directory and outbox are taken at the next start only", self.path)
            files = model_files(config)  # others may have been promoted since, or written in their place
            same = (config.model, files) == (self.config.model, self._files)
            reader = self._reader if same else warm_reader(config, files)
            cameras = self._new_cameras(config, reader)
            self._feed(self.config, config)
        except DigitdError as problem:
            self._counts.reload = f"reload failed, the old settings hold: {problem}"
            log.error("%s", self._counts.reload)
        else:
            if reader is not self._reader:
                for camera in self._cameras.values():
                    self._accept(self._told(camera.watch.read_by(reader.name)))
            self._reader, self._files, self._counts.reload = reader, files, ""
            self._watch(config, cameras)
            self._kept = open_kept(config, self._folder)
            self.config = config
            log.info("%s: reloaded", self.path)
        notify.ready(self._status_line())

    def _tell_status(self, now: float) -> None:
        since, said = self._status
        if now - since >= _STATUS and (line := self._status_line()) != said:
            notify.status(line)
            self._status = now, line

    def _status_line(self) -> str:
        """For `systemctl status`: cameras that are not online, readings, what waits, what is wrong."""
        online = sum(camera.state == "online" for camera in self._cameras.values())
        parts = [f"{online} of {len(self._cameras)} cameras online"]
        parts += [f"{name} {one.state} ({one.why})" for name, one in self._cameras.items() if one.state != "online"]
        if self._counts.last is not None:
            parts.append(f"{self._counts.readings} readings, the last {self._counts.last.text or '-'}")
        parts += [f"sink {name}: {one.problem}" for name, one in self._deliveries.items() if one.problem]
        if self._intake.held:
            parts.append(f"outbox takes nothing, {self._intake.held} events held")
        if self._intake.lost:
            parts.append(f"{self._intake.lost} events lost while it took nothing")
        return "; ".join([*([self._counts.reload] if self._counts.reload else []), *parts])

    def _end(self) -> None:
        notify.stopping("stopping")
        _stop_captures(list(self._cameras.values()))
        self._intake.put([event for camera in self._cameras.values() for event in self._told(camera.watch.end())])
        self._intake.offer()
        if self._intake.held:
            log.error("%d events are lost: the outbox takes nothing", self._intake.held)
        stop_all(list(self._deliveries.values()), _LAST_DELIVERY)
        self._outbox.close()


def _stop_captures(cameras: Sequence[_Camera]) -> None:
    """All at once: each may take a second, where its driver hangs."""
    threads = [Thread(target=camera.capture.stop) for camera in cameras]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
