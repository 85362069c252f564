"""Which source a name means, and what is said of names that lead nowhere."""

import logging
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.config import CameraConfig
from edge.frame import Frame
from edge.sources.film import Film
from edge.sources.live import open_source
from edge.sources.opencv import ffmpeg_options
from edge.sources.recording import Recorder, Recording
from edge.sources.source import SourceError
from edge.sources.stream import Stream, without_secrets
from edge.sources.v4l2 import V4l2
from edge.sources.watched import WatchedFolder

WORDS = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=6, max_size=12)


@pytest.mark.parametrize(
    ("name", "kind", "label"),
    [
        ("0", V4l2, "/dev/video0"),
        ("/dev/video12", V4l2, "/dev/video12"),
        ("/dev/v4l/by-id/usb-Webcam-video-index0", V4l2, "/dev/v4l/by-id/usb-Webcam-video-index0"),
        ("rtsp://camera.local/cam", Stream, "rtsp://camera.local/cam"),
        ("HTTP://camera.local:8080/cam.mjpg", Stream, "HTTP://camera.local:8080/cam.mjpg"),
        ("meter.mp4", Film, "meter.mp4"),
        ("incoming", WatchedFolder, "incoming"),
    ],
)
def test_a_name_says_what_kind_of_source_it_is(name: str, kind: type, label: str) -> None:
    source = open_source("desk", CameraConfig(source=name))
    assert type(source) is kind and source.label == label
    source.close()  # nothing was opened yet


def test_what_is_on_disk_says_more_than_its_name(tmp_path: Path, film: Path) -> None:
    (tmp_path / "pictures.mp4").mkdir()
    assert type(open_source("desk", CameraConfig(source=str(tmp_path / "pictures.mp4")))) is WatchedFolder
    bare = tmp_path / "film"
    bare.write_bytes(film.read_bytes())
    assert type(open_source("desk", CameraConfig(source=str(bare)))) is Film
    with Recorder(tmp_path / "desk.mkv") as recorder:
        recorder.write(Frame(np.zeros((48, 64, 3), np.uint8), "desk", 0, 0.0, 0.0))
    assert type(open_source("desk", CameraConfig(source=str(tmp_path / "desk.mkv")))) is Recording


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("/dev/video63", "no such camera; plug it in"),
        ("/dev/v4l/by-id/none", "no such camera; plug it in"),
        ("/dev/null", "no camera that gives pictures"),
        ("/dev/fd", "is no camera"),
        ("ftp://camera.local/x", "no URL of a camera"),
        ("rtsp://", "no URL of a camera"),
        ("rtsp://host:99999/x", "no URL of a camera"),
        ("rtsp://host/a b\nc", "no URL of a camera"),
        ("http://[::1/x", "no URL of a camera"),
        ("rtsp://no-such-camera.invalid/x", "is not known"),
    ],
)
def test_a_source_that_cannot_be_had_is_one_line_that_names_it(name: str, words: str) -> None:
    source = open_source("desk", CameraConfig(source=name, open_timeout=1, read_timeout=1))
    with pytest.raises(SourceError, match=words) as caught:
        source.open()
    source.close()
    assert str(caught.value).startswith(f"{source.label}: ") and "\n" not in str(caught.value).removeprefix(name)


def test_a_path_that_cannot_be_looked_at_is_one_line_that_names_it() -> None:
    name = f"{'x' * 300}.mp4"
    with pytest.raises(SourceError, match=r"^x+\.mp4: cannot be looked at \(File name too long\); check the name"):
        open_source("desk", CameraConfig(source=name))


@settings(max_examples=60)
@given(st.sampled_from(["rtsp", "http", "https"]), WORDS, WORDS, st.sampled_from(["", "/", "/cam", "/a/b.mjpg"]))
def test_neither_user_nor_password_are_shown_wherever_they_stand(scheme: str, user: str, word: str, path: str) -> None:
    hidden = f"{user}x:{word}y%40z"
    for url in (f"{scheme}://{hidden}@h:1{path}", f"{scheme}://h:1{path}?usr={user}x&pwd={word}y"):
        shown = without_secrets(url)
        assert f"{user}x" not in shown and f"{word}y" not in shown and shown.startswith(f"{scheme}://h:1{path}")


def test_a_host_that_answers_but_is_no_camera_is_told_from_one_that_is_silent() -> None:
    def answer(server: socket.socket, words: bytes) -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            with client:
                client.sendall(words)

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=answer, args=(server, b"SSH-2.0-x\r\n"), daemon=True).start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/cam"
        with pytest.raises(SourceError, match="answers, but gives no pictures"):
            open_source("desk", CameraConfig(source=url, open_timeout=3)).open()
        server.shutdown(socket.SHUT_RDWR)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"rtsp://127.0.0.1:{server.getsockname()[1]}/cam"
        began = time.monotonic()
        with pytest.raises(SourceError, match=r"no answer within 0\.7 s"):
            open_source("desk", CameraConfig(source=url, open_timeout=0.7)).open()
        assert time.monotonic() - began < 10  # FFmpeg alone waits half a minute


def test_streams_with_equal_options_open_at_once_and_others_wait_until_those_are_open() -> None:
    with ffmpeg_options.set_to("a;1", 1) as first, ffmpeg_options.set_to("a;1", 1) as second:
        assert first and second
        with ffmpeg_options.set_to("a;2", 0.05) as other:
            assert not other
    with ffmpeg_options.set_to("a;2", 0.05) as other:
        assert other


class RefusingCamera:
    """Of a V4L2 camera what `set` and `get` do: one that takes nothing but YUYV at 640x480 and 30 frames a second."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def set(self, property: int, _: float) -> bool:
        self.asked.append(property)
        return property in (cv2.CAP_PROP_AUTO_EXPOSURE,)

    def get(self, property: int) -> float:
        return {
            cv2.CAP_PROP_FOURCC: float(cv2.VideoWriter.fourcc(*"YUYV")),
            cv2.CAP_PROP_FRAME_WIDTH: 640.0,
            cv2.CAP_PROP_FRAME_HEIGHT: 480.0,
            cv2.CAP_PROP_FPS: 30.0,
        }[property]


def said_of(caplog: pytest.LogCaptureFixture, times: int = 1, **asked: object) -> list[str]:
    source = V4l2("desk", CameraConfig(source="0", **asked))
    camera = type("Opened", (), {"capture": RefusingCamera()})()
    with caplog.at_level(logging.WARNING):
        for _ in range(times):
            source._ask(camera)
    return [record.getMessage() for record in caplog.records]


def test_what_a_camera_refuses_is_said_once_each_and_what_it_takes_is_not(caplog: pytest.LogCaptureFixture) -> None:
    said = said_of(caplog, 3, format="MJPG", size=(1920, 1080), rate=60, exposure=100, focus=5)
    assert [line.split(": ")[2].split(" ")[0] for line in said] == ["format", "size", "rate", "exposure", "focus"]
    assert "size 1920x1080 was refused and is 640x480" in said[1] and "format MJPG was refused and is YUYV" in said[0]
    caplog.clear()
    assert said_of(caplog, format="YUYV", size=(640, 480), rate=30, exposure="auto") == []


def test_a_watched_folder_and_a_film_do_without_what_only_networks_need(film: Path) -> None:
    code = (
        "import sys; from edge.config import CameraConfig; from edge.sources.live import open_source\n"
        "open_source('desk', CameraConfig(source=sys.argv[1])); print('urllib.parse' in sys.modules, "
        "'edge.sources.stream' in sys.modules, 'edge.sources.v4l2' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code, film], capture_output=True, text=True, check=True, timeout=60)
    assert ended.stdout.split()[1:] == ["False", "False"]
