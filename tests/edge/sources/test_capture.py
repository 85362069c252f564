"""A camera's capture: the newest frame, its states, and what hangs, fails and comes back."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.config import CameraConfig, Secret
from edge.frame import Frame
from edge.sources.capture import Capture
from edge.sources.recording import Recorder
from edge.sources.source import SourceError, Taken

Page = Callable[..., np.ndarray]
QUICK = {"open_timeout": 0.2, "read_timeout": 0.2}


class Watcher:
    """Keeps what a capture tells, and waits for it."""

    def __init__(self) -> None:
        self.states: list[tuple[str, str]] = []
        self.frames: list[Frame] = []
        self.capture: Capture | None = None
        self._changed = threading.Condition()
        self.take = True

    def on_frame(self) -> None:
        if self.take and self.capture is not None:
            frame = self.capture.newest()
            with self._changed:
                if frame is not None:
                    self.frames.append(frame)
                self._changed.notify_all()

    def on_state(self, state: str, why: str) -> None:
        with self._changed:
            self.states.append((state, why))
            self._changed.notify_all()

    def until(self, condition: Callable[[], object], seconds: float = 60) -> None:
        with self._changed:
            assert self._changed.wait_for(condition, seconds), (self.states, len(self.frames))

    def saw(self, *states: str) -> Callable[[], bool]:
        """Whether these states came in this order, others between them."""

        def check() -> bool:
            told = iter(state for state, _ in self.states)
            return all(state in told for state in states)

        return check


class Camera:
    """A source under the test's hand: `behave` is what opening and reading do next."""

    label = "/dev/camera"
    stepwise = False
    quiet = False
    stuck = None
    longest_wait = 0.05

    def __init__(self) -> None:
        self.behave: Callable[[], None] = lambda: None
        self.shape = (48, 64, 3)
        self.opened = self.closed = self.count = 0

    def open(self) -> None:
        self.behave()
        self.opened += 1

    def read(self) -> Taken | None:
        self.behave()
        time.sleep(0.005)
        self.count += 1
        return Taken(np.full(self.shape, 100 + self.count % 100, np.uint8), time.time())

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def watching() -> Iterator[Callable[..., tuple[Capture, Watcher]]]:
    """`watching(source="film.avi")` or `watching(camera)`: a capture that runs, and what it tells."""
    begun: list[Capture] = []

    def begin(camera: Camera | None = None, take: bool = True, **config: object) -> tuple[Capture, Watcher]:
        watcher = Watcher()
        watcher.take = take
        settings = CameraConfig(**{"source": "desk.avi", **config})
        opener = {} if camera is None else {"open_source": lambda *_: camera}
        capture = Capture("desk", settings, watcher.on_frame, watcher.on_state, **opener)
        watcher.capture = capture
        assert capture.state == "starting" and capture.newest() is None
        capture.start()
        begun.append(capture)
        return capture, watcher

    yield begin
    for capture in begun:
        capture.stop()


def fail(message: str) -> Callable[[], None]:
    def behave() -> None:
        raise SourceError(message)

    return behave


def test_a_film_is_online_numbers_its_frames_and_is_over_once(watching, film: Path) -> None:
    capture, watcher = watching(source=str(film))
    watcher.until(lambda: capture.ended)
    assert [state for state, _ in watcher.states] == ["online", "ended"]
    assert "320x96" in watcher.states[0][1] and watcher.states[1][1] == f"{film}: the film is over"
    assert capture.state == "ended" and capture.why == watcher.states[1][1]
    numbers = [frame.number for frame in watcher.frames]
    assert numbers == sorted(set(numbers)) and numbers[0] == 0 and len(numbers) > 10
    assert {frame.source for frame in watcher.frames} == {"desk"}
    assert all(abs(frame.time - time.time()) < 10 for frame in watcher.frames)


def test_only_the_newest_frame_is_handed_out_and_only_once(watching) -> None:
    camera = Camera()
    capture, _ = watching(camera, take=False)
    deadline = time.monotonic() + 10
    while camera.count < 20 and time.monotonic() < deadline:
        time.sleep(0.01)
    reached, let_go = threading.Event(), threading.Event()
    camera.behave = lambda: (reached.set(), let_go.wait())  # no more come
    assert reached.wait(5)
    frame = capture.newest()
    assert frame is not None and frame.number == camera.count - 1 >= 19
    assert capture.newest() is None
    let_go.set()


def test_a_camera_that_is_not_there_is_lost_with_the_reason_and_found_when_it_comes(watching) -> None:
    camera = Camera()
    camera.behave = fail("/dev/camera: no such camera; plug it in")
    capture, watcher = watching(camera)
    watcher.until(watcher.saw("lost"))
    assert capture.why == "/dev/camera: no such camera; plug it in" and not watcher.frames
    camera.behave = lambda: None
    watcher.until(watcher.saw("lost", "online"))
    watcher.until(lambda: watcher.frames)
    assert [state for state, _ in watcher.states] == ["lost", "online"]  # each is told once, not at each try


def test_a_camera_that_fails_is_closed_and_opened_again_and_its_numbers_go_on(watching) -> None:
    camera = Camera()
    _, watcher = watching(camera)
    watcher.until(lambda: len(watcher.frames) > 3)
    camera.behave = fail("/dev/camera: gone")
    watcher.until(watcher.saw("online", "lost"))
    camera.behave = lambda: None
    watcher.until(watcher.saw("online", "lost", "online"))
    count = len(watcher.frames)
    watcher.until(lambda: len(watcher.frames) > count + 3)
    numbers = [frame.number for frame in watcher.frames]
    assert numbers == sorted(set(numbers)) and camera.opened == 2 and camera.closed >= 1


def test_a_source_that_cannot_be_told_what_it_is_is_a_lost_camera_and_no_fault(watching) -> None:
    capture, watcher = watching(source=f"{'x' * 300}.mp4")
    watcher.until(watcher.saw("lost"))
    assert "File name too long" in capture.why and "fault of digitd" not in capture.why


def test_a_fault_in_a_source_is_a_lost_camera_and_no_dead_thread(watching) -> None:
    camera = Camera()

    def fault() -> None:
        raise RuntimeError("boom")

    camera.behave = fault
    capture, watcher = watching(camera)
    watcher.until(watcher.saw("lost"))
    assert "RuntimeError: boom" in capture.why and "\n" not in capture.why
    camera.behave = lambda: None
    watcher.until(watcher.saw("lost", "online"))


@pytest.mark.parametrize("when", ["open", "read"])
def test_a_source_that_hangs_is_given_up_and_another_is_opened(watching, when: str) -> None:
    let_go = threading.Event()
    hung, fresh = Camera(), Camera()
    sources = [hung, fresh]
    if when == "open":
        hung.behave = let_go.wait
    watcher = Watcher()
    capture = Capture(
        "desk",
        CameraConfig(source="x.avi", **QUICK),
        watcher.on_frame,
        watcher.on_state,
        open_source=lambda *_: sources.pop(0),
    )
    watcher.capture = capture
    capture.start()
    if when == "read":
        watcher.until(lambda: watcher.frames)
        hung.behave = let_go.wait
    watcher.until(watcher.saw("lost", "online"))
    assert ("lost", "/dev/camera: does not answer; check the camera, its cable or network") in watcher.states
    count = len(watcher.frames)
    hung.shape = (24, 32, 3)
    let_go.set()  # what comes of it now is nobody's
    watcher.until(lambda: hung.closed)
    watcher.until(lambda: len(watcher.frames) > count + 3)
    assert watcher.states[-1][0] == "online"
    assert all(frame.image.shape == fresh.shape for frame in watcher.frames)
    capture.stop()
    assert fresh.closed == 1


def test_threads_that_hang_are_few_however_long_a_driver_does(watching) -> None:
    let_go = threading.Event()
    made: list[Camera] = []

    def opener(*_: object) -> Camera:
        made.append(Camera())
        made[-1].behave = let_go.wait
        return made[-1]

    watcher = Watcher()
    capture = Capture(
        "desk",
        CameraConfig(source="x.avi", open_timeout=0.001, read_timeout=0.001),
        watcher.on_frame,
        watcher.on_state,
        open_source=opener,
    )
    watcher.capture = capture
    capture.start()
    deadline = time.monotonic() + 20
    while len(made) < 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(1.5)  # for one more to be given up
    assert len(made) == 4
    let_go.set()
    for camera in made:
        camera.behave = lambda: None
    watcher.until(lambda: watcher.frames or len(made) > 4, 40)
    capture.stop()


def test_a_capture_stops_within_a_second_though_its_source_hangs(watching) -> None:
    let_go = threading.Event()
    camera = Camera()
    capture, watcher = watching(camera)
    watcher.until(lambda: watcher.frames)
    camera.behave = let_go.wait
    time.sleep(0.05)
    began = time.monotonic()
    capture.stop()
    assert time.monotonic() - began < 10  # the second that it may take, on a machine that does more besides
    let_go.set()
    deadline = time.monotonic() + 5
    while not camera.closed and time.monotonic() < deadline:
        time.sleep(0.01)
    assert camera.closed == 1
    capture.stop()  # once more does no harm


def test_a_capture_that_never_started_can_be_stopped() -> None:
    Capture("desk", CameraConfig(source="0"), lambda: None, lambda *_: None).stop()


def test_another_resolution_is_taken_and_said(watching) -> None:
    camera = Camera()
    capture, watcher = watching(camera)
    watcher.until(lambda: watcher.frames)
    camera.shape = (72, 96, 3)
    watcher.until(lambda: any(frame.image.shape == (72, 96, 3) for frame in watcher.frames))
    watcher.until(lambda: len(watcher.states) == 2)
    assert watcher.states == [
        ("online", "pictures of 64x48 pixels"),
        ("online", "pictures of 96x72 pixels now, of 64x48 before"),
    ]
    assert capture.state == "online"


def test_frozen_pictures_are_a_state_and_no_frames_and_moving_ones_end_it(watching) -> None:
    class Freezing(Camera):
        stuck = "exact"
        frozen = False

        def read(self) -> Taken | None:
            taken = super().read()
            return taken if not self.frozen else Taken(np.full(self.shape, 100, np.uint8), time.time())

    camera = Freezing()
    capture, watcher = watching(camera)
    watcher.until(lambda: len(watcher.frames) > 3)
    camera.frozen = True
    watcher.until(watcher.saw("online", "frozen"))
    count, read = len(watcher.frames), camera.count
    deadline = time.monotonic() + 5
    while camera.count < read + 10 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(watcher.frames) == count and capture.newest() is None and camera.opened == 1
    camera.frozen = False
    watcher.until(watcher.saw("online", "frozen", "online"))
    watcher.until(lambda: len(watcher.frames) > count)


def test_a_recording_gives_every_frame_with_its_number_and_time_however_slow_the_reader(
    watching, tmp_path: Path, page: Page
) -> None:
    path = tmp_path / "desk.mkv"
    frames = [Frame(page(str(number), 48), "desk", 3 * number, 1e9 + number / 30, 0.0) for number in range(10, 30)]
    with Recorder(path) as recorder:
        for frame in frames:
            recorder.write(frame)
    capture, _ = watching(source=str(path), take=False)
    got: list[Frame] = []
    deadline = time.monotonic() + 20
    while not capture.ended and time.monotonic() < deadline:
        frame = capture.newest()
        if frame is not None:
            got.append(frame)
        time.sleep(0.01 * (len(got) % 3))
    assert [(one.number, one.time) for one in got] == [(one.number, one.time) for one in frames]
    assert all(np.array_equal(one.image, was.image) for one, was in zip(got, frames, strict=True))


def test_a_watched_folder_is_online_while_nothing_comes_and_passes_over_no_picture(
    watching, tmp_path: Path, page: Page
) -> None:
    capture, watcher = watching(source=str(tmp_path), **QUICK)
    watcher.until(watcher.saw("online"))
    time.sleep(1)
    assert [state for state, _ in watcher.states] == ["online"]
    for number in range(6):
        cv2.imwrite(str(tmp_path / f"{number}.png"), page(str(number), 48))
    watcher.until(lambda: len(watcher.frames) == 6)
    assert [np.array_equal(one.image, page(str(at), 48)) for at, one in enumerate(watcher.frames)] == [True] * 6
    assert capture.state == "online"


def test_a_password_that_cannot_be_read_is_the_reason_for_a_lost_camera(watching, tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"rtsp://127.0.0.1:{server.getsockname()[1]}/cam"
        capture, watcher = watching(source=url, user="bob", password=Secret(file=tmp_path / "none"))
        watcher.until(watcher.saw("lost"))
    assert str(tmp_path / "none") in capture.why and "fault" not in capture.why
