"""One camera: opened, read, watched over and opened again, for ever; the newest frame wins.

Two threads serve it. One takes pictures, and may hang in a driver for as long as that likes. The other counts the time,
gives up on the first when it is late, and begins anew.
"""

import logging
import math
import random
import threading
import time
from collections.abc import Callable

from edge.config import CameraConfig
from edge.errors import DigitdError
from edge.events import State
from edge.frame import Frame
from edge.sources.live import open_source
from edge.sources.picture_state import PictureState
from edge.sources.source import Ended, Source, SourceError, Taken

_SHORTEST_WAIT = 0.5  # seconds, after the first failure; doubled with each further one
_SETTLED = 10.0  # seconds of pictures after which a failure is a first one again
_HANGING = 4  # threads, in all, that may be left hanging in a driver
_STOP = 0.9  # seconds
_LET_GO = 0.25  # seconds in which a source may still be closed when the capture stops

_WHY: dict[State, str] = {
    "starting": "not opened yet",
    "online": "pictures come",
    "frozen": "the same picture again and again; restart the camera",
    "dark": "black pictures; check the lens cap, the light and the exposure",
}

log = logging.getLogger(__name__)


class _Attempt:
    """One opening of the source, and what was read until it failed or was given up."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.deadline = math.inf  # by time.monotonic, of what the thread is doing now
        self.over = threading.Event()
        self.pictures_since: float | None = None
        self.ended = False


class Capture:
    """name: the camera's. on_frame: told in a thread of its own, whenever `newest` has something. on_state: likewise,
    whenever the state or its reason has changed. Neither may take long.
    """

    def __init__(
        self,
        name: str,
        config: CameraConfig,
        on_frame: Callable[[], None],
        on_state: Callable[[State, str], None],
        open_source: Callable[[str, CameraConfig], Source] = open_source,
    ) -> None:
        self._name, self._config = name, config
        self._on_frame, self._on_state = on_frame, on_state
        self._open_source = open_source
        self._open_within = 2 * config.open_timeout + 1  # seconds; the sources' own limits come first
        self._read_within = 2 * config.read_timeout + 1
        self._state: tuple[State, str] = "starting", _WHY["starting"]
        self._telling = threading.RLock()  # states are told in the order in which they were
        self._changed = threading.Condition()  # guards what follows
        self._frame: Frame | None = None
        self._attempt: _Attempt | None = None  # None: nobody's frames are taken
        self._count = 0
        self._shape: tuple[int, ...] | None = None
        self._ended = False
        self._stopping = threading.Event()
        self._news = threading.Event()  # wakes the keeper
        self._keeper = threading.Thread(target=self._keep, name=f"{name}: keeper", daemon=True)

    def start(self) -> None:
        self._keeper.start()

    def newest(self) -> Frame | None:
        """The newest frame, once; None where there is no new one. What was older is passed over."""
        with self._changed:
            frame, self._frame = self._frame, None
            self._changed.notify_all()
            return frame

    @property
    def state(self) -> State:
        return self._state[0]

    @property
    def why(self) -> str:
        """The reason of the state, one line for people."""
        return self._state[1]

    @property
    def ended(self) -> bool:
        """Whether a film or recording is over and its last frame taken."""
        with self._changed:
            return self._ended and self._frame is None

    def stop(self) -> None:
        """Ends the capture within a second; a thread that hangs in a driver is left to itself."""
        self._stopping.set()
        self._news.set()
        with self._changed:
            self._changed.notify_all()
        if self._keeper.is_alive() and threading.current_thread() is not self._keeper:
            self._keeper.join(_STOP)

    def _keep(self) -> None:
        source: Source | None = None
        hanging: list[_Attempt] = []
        wait = _SHORTEST_WAIT
        while not self._stopping.is_set():
            hanging = [attempt for attempt in hanging if not attempt.over.is_set()]
            if len(hanging) < _HANGING:
                try:
                    source = source or self._open_source(self._name, self._config)
                except DigitdError as error:
                    self._tell("lost", str(error))
                except Exception as fault:
                    self._tell("lost", _fault(fault))
                else:
                    attempt = self._begin(source)
                    self._await(attempt)
                    if not attempt.over.is_set() and not self._stopping.is_set():
                        hanging.append(attempt)
                        self._tell("lost", f"{source.label}: does not answer; check the camera, its cable or network")
                    if attempt.ended:
                        return
                    if attempt.pictures_since and time.monotonic() - attempt.pictures_since > _SETTLED:
                        wait = _SHORTEST_WAIT
                    longest = source.longest_wait
                    if not attempt.over.is_set():
                        source = None  # the hanging thread has it still
                    wait = min(wait, longest)
            self._stopping.wait(wait * random.uniform(0.5, 1))
            wait = min(2 * wait, source.longest_wait if source else 30.0)

    def _begin(self, source: Source) -> _Attempt:
        attempt = _Attempt(source)
        attempt.deadline = time.monotonic() + self._open_within
        with self._changed:
            self._attempt = attempt
        threading.Thread(target=self._take, args=(attempt,), name=f"{self._name}: capture", daemon=True).start()
        return attempt

    def _await(self, attempt: _Attempt) -> None:
        """Returns when the attempt is over or late, or the capture is to stop; then no more is heard of it."""
        while not attempt.over.is_set() and not self._stopping.is_set():
            left = attempt.deadline - time.monotonic()
            if left <= 0:
                break
            self._news.wait(min(left, self._read_within))
            self._news.clear()
        with self._changed:
            self._attempt = None
            self._changed.notify_all()
        if self._stopping.is_set():
            attempt.over.wait(_LET_GO)

    def _take(self, attempt: _Attempt) -> None:
        source = attempt.source
        try:
            source.open()
            if source.quiet:
                self._tell("online", f"waits for pictures in {source.label}", attempt)
            picture_state = PictureState(source.stuck)
            while self._attempt is attempt:
                attempt.deadline = time.monotonic() + self._read_within
                taken = source.read()
                attempt.deadline = math.inf  # whoever takes the frames may take their time
                if taken is not None:
                    self._hand_out(attempt, taken, picture_state)
                elif not source.quiet:
                    raise SourceError(f"{source.label}: gives no pictures; check the camera, its cable or network")
        except Ended as end:
            attempt.ended = True
            with self._changed:
                self._ended = self._attempt is attempt
            self._tell("ended", str(end), attempt)
        except DigitdError as error:
            self._tell("lost", str(error), attempt)
        except Exception as fault:
            self._tell("lost", _fault(fault), attempt)
        finally:
            attempt.deadline = time.monotonic() + self._read_within
            try:
                source.close()
            except Exception as fault:
                log.error("%s: %s", self._name, _fault(fault))
            attempt.over.set()
            self._news.set()

    def _hand_out(self, attempt: _Attempt, taken: Taken, picture_state: PictureState) -> None:
        now = time.monotonic()
        verdict: State = "online" if attempt.source.stepwise else picture_state.look(taken.image, now)
        with self._changed:
            if self._attempt is not attempt:
                return
            number = self._count if taken.number is None else taken.number
            self._count = number + 1
            if verdict != "frozen":
                at = now if taken.taken is None else taken.taken
                self._frame = Frame(taken.image, self._name, number, taken.time, at)
        if attempt.pictures_since is None:
            attempt.pictures_since = now
        self._tell(verdict, self._reason(verdict, taken), attempt)
        if verdict == "frozen":
            return
        self._on_frame()
        if attempt.source.stepwise:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._frame is None or self._attempt is not attempt or self._stopping.is_set()
                )

    def _reason(self, verdict: State, taken: Taken) -> str:
        before, self._shape = self._shape, taken.image.shape
        height, width = taken.image.shape[:2]
        if verdict != "online":
            return _WHY[verdict]
        if before is not None and before != taken.image.shape:
            return f"pictures of {width}x{height} pixels now, of {before[1]}x{before[0]} before"
        return self.why if self.state == "online" else f"pictures of {width}x{height} pixels"

    def _tell(self, state: State, why: str, attempt: _Attempt | None = None) -> None:
        """Says a new state or reason; nothing from an attempt that was given up."""
        with self._telling:
            if (attempt is not None and self._attempt is not attempt) or self._state == (state, why):
                return
            self._state = state, why
            self._on_state(state, why)


def _fault(fault: Exception) -> str:
    return f"a fault of digitd ({type(fault).__name__}: {fault}); report it"
