"""The service: cameras -> one reader -> readings -> outbox -> sinks; told what to do by signals and systemd.

The loop runs in the main thread and does the work, so that its watchdog pings mean that work gets done. A camera that
is away costs it nothing: each has a thread of its own, and so has each sink.
"""

import logging
import os
import signal
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from threading import Event as Flag
from threading import Thread
from types import FrameType

import cv2

from edge import notify
from edge.arrays import u8
from edge.commands.console import DEBUG
from edge.config import CameraConfig, Config, SinkConfig, load
from edge.engine import EngineConfig
from edge.errors import ConfigError, DigitdError
from edge.events import Event, Gone, Reading, State, state
from edge.frame import Frame
from edge.kept import Kept
from edge.model_files import ModelFiles
from edge.outbox import Outbox, OutboxError
from edge.reader import Reader
from edge.row import Row
from edge.sinks import Sink, open_sink
from edge.sinks.delivery import Delivery, stop_all
from edge.sources.capture import Capture
from edge.sources.view import Misaligned
from edge.watch import Part, Watch

ALTERNATIVES = 8
"""Other texts of a row that the stabiliser is told of."""

_IDLE = 0.25  # seconds after which the loop turns though no camera called it
_AGAIN = 1.0  # seconds between two tries to have the outbox take what it refused
_HELD = 10_000  # events held in memory meanwhile
_STATUS = 1.0  # seconds between two status lines
_STOP = 1.0  # seconds that sinks have for what waits, at the end

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
    lost: int = 0  # events that memory had no room for
    last: Reading | None = None
    reload: str = ""  # what is wrong with the file that was to be reloaded


@dataclass
class Daemon:
    """path: of digitd.toml. `run` returns the exit code; it raises DigitdError where it cannot start."""

    path: Path
    config: Config = field(init=False)
    _wake: Flag = field(default_factory=Flag)
    _states: SimpleQueue[tuple[str, State, str]] = field(default_factory=SimpleQueue)
    _held: deque[Event] = field(default_factory=deque)
    _cameras: dict[str, _Camera] = field(default_factory=dict)
    _deliveries: dict[str, Delivery] = field(default_factory=dict)
    _counts: _Counts = field(default_factory=_Counts)
    _stopping: bool = False
    _reloading: bool = False
    _reading: bool = False
    _offered: float = -_AGAIN
    _status: tuple[float, str] = (-_STATUS, "")

    def run(self) -> int:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGHUP, self._reload_soon)
        self.config = load(self.path)
        notify.status("starting: loading the models")
        self._models = models_of(self.config).chosen()
        self._reader = _warm_reader(self.config)
        self._folder = state_directory(self.config)
        bounds = self.config.outbox
        self._outbox = Outbox(bounds.path or self._folder / "outbox.db", bounds.max_days, bounds.max_megabytes)
        self._kept = _kept(self.config, self._folder)
        try:
            self._feed(self.config, _opened(self.config, self.config.sinks))
            self._watch(self.config)
            notify.ready(self._status_line())
            log.info("ready: %s", self._status_line())
            self._loop()
        finally:
            self._end()
        return 0

    # What it is made of

    def _watch(self, config: Config) -> None:
        """The cameras of this configuration: those that are there already and asked for as before go on."""
        over = [name for name, camera in self._cameras.items() if config.cameras.get(name) != camera.config]
        _stop([self._cameras.pop(name) for name in over])
        model = self._reader.name
        for name, wanted in config.cameras.items():
            if name not in self._cameras:
                capture = Capture(name, wanted, self._wake.set, partial(self._say, name))
                self._cameras[name] = _Camera(wanted, capture, Watch(name, wanted, model, self._outbox.latest))
                capture.start()
            self._cameras[name].watch.model = model

    def _say(self, camera: str, now: State, why: str) -> None:
        """Of the capture threads: for the loop to tell the world."""
        self._states.put((camera, now, why))
        self._wake.set()

    def _feed(self, config: Config, sinks: dict[str, Sink]) -> None:
        """These sinks, newly opened, take the place of those that are there; others that are not asked for end."""
        over = [name for name in self._deliveries if name in sinks or name not in config.sinks]
        stop_all([self._deliveries.pop(name) for name in over], _STOP)
        self._outbox.keep_only(config.sinks)
        for name, sink in sinks.items():
            self._deliveries[name] = Delivery(sink, self._outbox)
            self._deliveries[name].start()

    # The loop

    def _loop(self) -> None:
        interval = notify.watchdog_interval()
        pinged = -float("inf")
        while not self._stopping:
            if self._reloading:
                self._reload()
            self._turn()
            now = time.monotonic()
            if interval is not None and now - pinged >= interval / 4:
                notify.watchdog()
                pinged = now
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
                events += self._told(look.camera.watch.update(look.frame, look.parts, rows), look.frame)
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
            name, now, why = self._states.get_nowait()
            camera = self._cameras.get(name)
            if camera is not None:
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
            return []
        camera.due = max(camera.due + 1 / camera.config.look_rate, now)
        try:
            picture = camera.watch.view(frame.image)
        except Misaligned as problem:
            return self._entered(camera, "misaligned", str(problem))
        events = self._entered(camera, camera.capture.state, camera.capture.why) if camera.state == "misaligned" else []
        if parts := camera.watch.parts(picture, frame.taken):
            looks.append(_Look(camera, frame, parts))
            return events
        return events + self._told(camera.watch.same(frame), frame)

    def _told(self, news: Sequence[Reading | Gone], frame: Frame) -> list[Event]:
        for one in news:
            if isinstance(one, Reading):
                self._counts.readings += 1
                self._counts.last = one
                if one.status != "ok" and self._kept is not None:
                    self._kept.keep(one, frame.image)
        return [one.event() for one in news]

    def _accept(self, events: list[Event]) -> None:
        """Has the outbox take them. What it refuses, its disk being full, is held and offered again, in order."""
        self._held += events
        while len(self._held) > _HELD:
            self._held.popleft()
            self._counts.lost += 1
        now = time.monotonic()
        if not self._held or (not events and now - self._offered < _AGAIN):
            return
        self._offered = now
        try:
            self._outbox.put(tuple(self._held))
        except OutboxError as problem:
            log.error("%s; %d events are held in memory", problem, len(self._held))
            return
        self._held.clear()
        for delivery in self._deliveries.values():
            delivery.wake()

    # Told from outside

    def _stop(self, number: int, _: FrameType | None) -> None:
        self._stopping = True
        self._wake.set()
        if self._reading:
            self._reading = False
            raise _Interrupted

    def _reload_soon(self, number: int, _: FrameType | None) -> None:
        self._reloading = True
        self._wake.set()

    def _reload(self) -> None:
        """digitd.toml anew; where anything in it is wrong, all goes on as before."""
        self._reloading = False
        notify.reloading("reloading digitd.toml")
        try:
            config = load(self.path)
            if (config.state_directory, config.outbox) != (self.config.state_directory, self.config.outbox):
                log.warning("%s: state_directory and outbox are taken at the next start only", self.path)
            models = models_of(config).chosen()  # others may have been promoted since
            same = (config.model, models) == (self.config.model, self._models)
            reader = self._reader if same else _warm_reader(config)
            changed = _changed_sinks(self.config, config)
            sinks = _opened(config, {name: config.sinks[name] for name in changed})
        except DigitdError as problem:
            self._counts.reload = f"reload failed, the old settings hold: {problem}"
            log.error("%s", self._counts.reload)
        else:
            self._reader, self._models, self._counts.reload = reader, models, ""
            for name, delivery in self._deliveries.items():
                if name not in sinks:
                    delivery.reopen()
            self._feed(config, sinks)
            self._watch(config)
            self._kept = _kept(config, self._folder)
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
        if self._held:
            parts.append(f"outbox takes nothing, {len(self._held)} events held")
        if self._counts.lost:
            parts.append(f"{self._counts.lost} events lost while it took nothing")
        return "; ".join([*([self._counts.reload] if self._counts.reload else []), *parts])

    def _end(self) -> None:
        notify.stopping("stopping")
        _stop(list(self._cameras.values()))
        self._offered = -_AGAIN
        self._accept([])
        if self._held:
            log.error("%d events are lost: the outbox takes nothing", len(self._held))
        stop_all(list(self._deliveries.values()), _STOP)
        self._outbox.close()


def _stop(cameras: Sequence[_Camera]) -> None:
    """All at once: each may take a second, where its driver hangs."""
    threads = [Thread(target=camera.capture.stop) for camera in cameras]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def state_directory(config: Config) -> Path:
    """Where the outbox and kept pictures lie. Raises ConfigError where it cannot be made."""
    systemd = os.environ.get("STATE_DIRECTORY", "").split(":")[0]
    home = os.environ.get("XDG_STATE_HOME") or Path("~/.local/state").expanduser()
    folder = config.state_directory or (Path(systemd) if systemd else Path(home) / "digitd")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be made ({error.strerror}); set state_directory") from None
    return folder


def models_of(config: Config) -> ModelFiles:
    """The model files that are named there."""
    wanted = config.model
    return ModelFiles(wanted.digits, wanted.rows, wanted.tuned, wanted.tuned_above)


def _warm_reader(config: Config) -> Reader:
    """A reader that has read once, so that the first frame is not the slow one."""
    wanted = config.model
    cv2.setNumThreads(wanted.threads)
    reader = models_of(config).reader(EngineConfig(wanted.provider, wanted.threads))
    sample = cv2.imread(str(Path(__file__).parent / "samples" / "four-digits.png"))
    if sample is not None:
        reader.read(u8(sample), ALTERNATIVES)
    return reader


def _opened(config: Config, sinks: dict[str, SinkConfig]) -> dict[str, Sink]:
    """Raises ConfigError; then none of them stays open."""
    cameras = {name: list(camera.fields) for name, camera in config.cameras.items()}
    opened: dict[str, Sink] = {}
    try:
        for name, wanted in sinks.items():
            opened[name] = open_sink(name, wanted, cameras)
    except DigitdError:
        for sink in opened.values():
            sink.close()
        raise
    return opened


def _changed_sinks(old: Config, new: Config) -> list[str]:
    """The sinks to open anew; MQTT's tell the broker of all cameras."""
    announced = [[(name, list(camera.fields)) for name, camera in config.cameras.items()] for config in (old, new)]
    return [
        name
        for name, sink in new.sinks.items()
        if old.sinks.get(name) != sink or (sink.type == "mqtt" and announced[0] != announced[1])
    ]


def _kept(config: Config, folder: Path) -> Kept | None:
    wanted = config.retention
    return Kept(wanted.folder or folder / "kept", wanted.days, wanted.megabytes) if wanted.enabled else None
