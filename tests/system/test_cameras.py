"""Real network cameras: a GStreamer RTSP server and an HTTP one, that drop, stall, freeze and come back."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import cv2
import numpy as np
import pytest

from edge.config import CameraConfig, Secret
from edge.frame import Frame
from edge.sources.capture import Capture

pytestmark = pytest.mark.xdist_group("cameras")

CAMERAS = Path(__file__).with_name("cameras")
ROOT = Path(__file__).parents[2]
DEBIAN_PYTHON = "/usr/bin/python3"  # which Debian's gi is for
PASSWORD = "p:w@/ö %#&"  # noqa: S105
LIMITS = {"open_timeout": 4, "read_timeout": 1.5}


class NetworkCamera:
    """A camera's server, worked by `do("stall")` and the like."""

    def __init__(self, script: str, folder: Path, *options: str) -> None:
        python = DEBIAN_PYTHON if script == "rtsp_camera.py" else sys.executable
        self.process = subprocess.Popen(
            [python, CAMERAS / script, folder, *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.url = self._answer()
        assert self.url, f"{script} did not start"

    def do(self, word: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        assert self._answer() == word

    def _answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


class Watched:
    """A capture, and what it tells."""

    def __init__(self, url: str, **config: object) -> None:
        self.states: list[tuple[str, str]] = []
        self.frames = 0
        self.last: Frame | None = None
        self._changed = threading.Condition()
        settings = CameraConfig(source=url, **{**LIMITS, **config})
        self.capture = Capture("desk", settings, self._on_frame, self._on_state)
        self.capture.start()

    def _on_frame(self) -> None:
        frame = self.capture.newest()
        with self._changed:
            self.frames += 1
            self.last = frame
            self._changed.notify_all()

    def _on_state(self, state: str, why: str) -> None:
        with self._changed:
            self.states.append((state, why))
            self._changed.notify_all()

    def until(self, state: str, seconds: float = 60) -> str:
        """Waits for the state, twice as long as a capture ever waits before it tries again; the reason for it."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.capture.state == state, seconds), self.states
            return self.capture.why

    def until_frames(self, more: int = 5, seconds: float = 60) -> None:
        with self._changed:
            wanted = self.frames + more
            assert self._changed.wait_for(lambda: self.frames >= wanted, seconds), self.states

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.capture.stop()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty JPEGs of figures that move, with a sensor's noise."""
    folder, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(1)
    for number in range(30):
        image = np.full((480, 640, 3), 230, np.uint8)
        at = (40 + 2 * number, 240)
        cv2.putText(image, "60714", at, cv2.FONT_HERSHEY_SIMPLEX, 4, (20, 20, 20), 8, cv2.LINE_AA)
        noisy = np.clip(image + rng.normal(0, 3, image.shape), 0, 255).astype(np.uint8)
        cv2.imwrite(f"{folder}/{number:04d}.jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, 95])
    return folder


@pytest.fixture(scope="module")
def rtsp(need: Callable[..., None]) -> str:
    need(DEBIAN_PYTHON)
    told = subprocess.run(
        [DEBIAN_PYTHON, "-c", "import gi; gi.require_version('GstRtspServer', '1.0')"], capture_output=True
    )
    if told.returncode:
        need("gst-rtsp-server (Debian's gir1.2-gst-rtsp-server-1.0 and python3-gi)")
    return "rtsp_camera.py"


@pytest.fixture
def silent(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """That nothing was written to standard error, FFmpeg's and OpenCV's words included."""
    yield
    assert capfd.readouterr().err == ""


def misbehave(camera: NetworkCamera) -> None:
    with Watched(camera.url) as seen:
        assert "640x480" in seen.until("online")
        seen.until_frames()
        assert seen.last is not None and abs(float(seen.last.image.mean()) - 219.9) < 2  # all of the picture is there

        camera.do("stall")
        assert "gives no pictures" in seen.until("lost")
        camera.do("go")
        seen.until("online")

        camera.do("freeze")
        seen.until("frozen")
        frames = seen.frames
        time.sleep(1)
        assert seen.frames == frames and seen.capture.state == "frozen"
        camera.do("go")
        seen.until("online")
        seen.until_frames()

        camera.do("drop")
        seen.until("lost")
        seen.until("online")

        camera.do("down")
        assert "cannot be reached" in until_said(seen, "cannot be reached")
        camera.do("up")
        seen.until("online")
        seen.until_frames()


def until_said(seen: Watched, words: str, seconds: float = 60) -> str:
    deadline = time.monotonic() + seconds
    while words not in seen.capture.why and time.monotonic() < deadline:
        time.sleep(0.02)
    return seen.capture.why


def test_an_rtsp_camera_stalls_freezes_drops_goes_and_comes_back(rtsp: str, pictures: Path, silent: None) -> None:
    with NetworkCamera(rtsp, pictures) as camera:
        misbehave(camera)


def test_an_http_camera_stalls_freezes_drops_goes_and_comes_back(pictures: Path, silent: None) -> None:
    with NetworkCamera("mjpeg_camera.py", pictures) as camera:
        misbehave(camera)


@pytest.mark.parametrize("script", ["rtsp_camera.py", "mjpeg_camera.py"])
def test_a_camera_with_a_password_is_opened_with_it_and_never_shows_it(
    script: str, pictures: Path, tmp_path: Path, request: pytest.FixtureRequest, silent: None
) -> None:
    if script == "rtsp_camera.py":
        request.getfixturevalue("rtsp")
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.write_text(PASSWORD + "\n")
    wrong.write_text("geheim7")
    with NetworkCamera(script, pictures, "--user", f"bob:{PASSWORD}") as camera:
        with Watched(camera.url, user="bob", password=Secret(file=right), transport="tcp") as seen:
            seen.until("online")
        with Watched(camera.url, user="bob", password=Secret(file=wrong)) as seen:
            assert "check the path, the user and the password" in seen.until("lost")
            assert "geheim7" not in str(seen.states)
        inline = camera.url.replace("//", "//bob:geheim7@") + "?pwd=geheim7"
        with Watched(inline) as seen:
            seen.until("lost")
            assert "geheim7" not in str(seen.states) and "bob" not in str(seen.states)


def test_an_rtsp_camera_gives_pictures_over_udp(rtsp: str, pictures: Path, silent: None) -> None:
    with NetworkCamera(rtsp, pictures) as camera, Watched(camera.url, transport="udp") as seen:
        seen.until("online")
        seen.until_frames()


def test_a_camera_that_hangs_does_not_disturb_another(pictures: Path, silent: None) -> None:
    with NetworkCamera("mjpeg_camera.py", pictures) as hanging, NetworkCamera("mjpeg_camera.py", pictures) as camera:
        hanging.do("stall")
        with Watched(hanging.url, open_timeout=30, read_timeout=30) as lost:
            time.sleep(0.5)  # OpenCV is in the midst of opening it
            with Watched(camera.url) as seen:
                seen.until("online")
                seen.until_frames(15)
                assert lost.states == []  # all this while it hung
                assert [state for state, _ in seen.states] == ["online"]
        hanging.do("go")
        with Watched(hanging.url) as back:
            back.until("online")


def test_a_camera_that_does_not_answer_is_lost_in_time(pictures: Path, silent: None) -> None:
    with NetworkCamera("mjpeg_camera.py", pictures) as hanging:
        hanging.do("stall")
        with Watched(hanging.url, open_timeout=1) as lost:
            assert "no answer within 1 s" in lost.until("lost")


def test_a_usb_camera_freezes_goes_dark_stalls_is_unplugged_and_comes_back(need: Callable[..., None]) -> None:
    """The kernel's own vivid driver, in a machine of its own, by the stable name that udev gives it."""
    need("qemu-system-x86_64", "busybox", "v4l2-ctl", "setpriv")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "v4l2-vm")
    if not Path(os.environ.get("V4L2_VM_CACHE") or cache, "initrd").exists():
        need(f"a kernel with vivid ({CAMERAS.relative_to(ROOT)}/v4l2_vm.sh prepare)")
    shared = [ROOT] if Path(sys.prefix).is_relative_to(ROOT) else [ROOT, Path(sys.prefix)]
    guest = (
        "udevadm settle; "
        f"PYTHONPATH='{ROOT}' PYTHONDONTWRITEBYTECODE=1 '{sys.executable}' '{CAMERAS}/v4l2_guest.py' /dev/v4l/by-path/*"
    )
    ended = subprocess.run(
        [
            CAMERAS / "v4l2_vm.sh",
            *("-i", "-m", "400"),  # half a minute where nothing else runs
            *(word for path in shared for word in ("-s", path)),
            *("bash", "-c", guest),
        ],
        capture_output=True,
        text=True,
        timeout=430,
    )
    assert ended.returncode == 0 and "all seen" in ended.stdout, ended.stdout + ended.stderr
    assert ended.stdout.count("focus 3.0 was refused") == 1
    assert ended.stderr == "" and "VIDIOC" not in ended.stdout and "select() timeout" not in ended.stdout
