"""The daemon as systemd runs it: a process of its own, told by signals; its cameras are films and folders."""

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

import edge
from edge.model_card import KEY

SAMPLES = Path(edge.__file__).parent / "samples"
PATIENCE = 60.0  # seconds; a busy machine is slow, a broken daemon for ever silent


class Service:
    """`digitd run` with a socket in systemd's place, and its readings in a file."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.config, self.readings = folder, folder / "digitd.toml", folder / "readings.jsonl"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(folder / "notify"))
        self.socket.settimeout(0.05)
        self.notified: list[str] = []
        self.process: subprocess.Popen[str] | None = None
        self.log = folder / "log"

    def configure(self, source: str | Path, more: str = "") -> None:
        self.config.write_text(
            f'state_directory = "{self.folder}/state"\n[cameras.desk]\nsource = "{source}"\n{more}\n'
            f'[sinks.file]\ntype = "jsonl"\npath = "{self.readings}"\n'
        )

    def start(self, before: str = "", **environment: str) -> None:
        """before: Python that runs first."""
        env = os.environ | {"NOTIFY_SOCKET": str(self.folder / "notify"), "WATCHDOG_USEC": "2000000"} | environment
        env.pop("WATCHDOG_PID", None)
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    f"{before}\nfrom edge.cli import main; main()",
                    "run",
                    "--config",
                    str(self.config),
                ],
                env=env,
                stderr=log,
                text=True,
            )

    def until(self, holds: Callable[[], object], what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not holds():
            self.hear()
            assert time.monotonic() < end, f"{what}: {self.log.read_text()} {self.notified[-5:]}"
            assert self.process is None or self.process.poll() is None, f"ended: {self.log.read_text()}"

    def hear(self) -> None:
        try:
            while True:
                self.notified.append(self.socket.recv(4096).decode())
        except TimeoutError:
            pass

    def ready(self) -> None:
        self.until(lambda: any("READY=1" in one for one in self.notified), "ready")

    def events(self) -> list[dict[str, object]]:
        text = self.readings.read_text() if self.readings.exists() else ""
        return [json.loads(line) for line in text.splitlines() if line.endswith("}")]

    def texts(self) -> list[object]:
        return [event["text"] for event in self.events() if event["kind"] == "reading"]

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    @contextmanager
    def full_disk(self) -> Iterator[None]:
        """No file of the service grows any more, as the outbox's log would have to."""
        assert self.process is not None
        size = (self.folder / "state" / "outbox.db-wal").stat().st_size
        assert size > 50_000, "room for the log and the sinks"
        _, hard = limits = resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (size, hard))
        try:
            yield
        finally:
            resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, limits)

    def stop(self) -> tuple[int, float]:
        """Exit code and seconds."""
        assert self.process is not None
        start = time.monotonic()
        self.process.terminate()
        return self.process.wait(PATIENCE), time.monotonic() - start


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    one = Service(tmp_path)
    yield one
    if one.process is not None and one.process.poll() is None:
        one.process.kill()
        one.process.wait()
    one.socket.close()


def put(folder: Path, sample: str, name: str) -> None:
    """A picture, whole from the first moment."""
    folder.mkdir(exist_ok=True)
    part = folder / f".{name}"
    part.write_bytes((SAMPLES / sample).read_bytes())
    part.rename(folder / name)


def test_a_film_is_read_once_ready_is_said_and_sigterm_ends_it(service: Service) -> None:
    service.configure(SAMPLES / "video.avi", "loop = true")
    service.start()
    service.ready()
    service.until(lambda: "192837" in service.texts(), "reading")
    pings = service.notified.count("WATCHDOG=1")
    service.until(lambda: service.notified.count("WATCHDOG=1") > pings, "another ping")
    service.until(lambda: any("1 of 1 cameras online" in one and "192837" in one for one in service.notified), "status")
    code, _ = service.stop()
    service.hear()
    assert code == 0 and any("STOPPING=1" in one for one in service.notified)
    first = service.events()[0]
    assert (first["kind"], first["state"], first["source"]) == ("state", "online", "desk")


def test_it_starts_without_a_camera_says_so_and_reads_pictures_when_they_come(service: Service) -> None:
    folder = service.folder / "in"
    service.configure(folder, "[cameras.away]\nsource = '/dev/video97'\n")
    service.start()
    service.ready()
    service.until(lambda: any("away lost (/dev/video97" in one for one in service.notified), "lost in the status")
    put(folder, "four-digits.png", "1.png")
    put(folder, "four-digits.png", "2.png")
    service.until(lambda: service.texts() == ["2749"], "reading of a folder")
    assert {"lost"} == {event["state"] for event in service.events() if event["source"] == "away"}


def test_sighup_takes_a_new_file_and_keeps_the_old_settings_where_it_is_bad(service: Service) -> None:
    first, second = service.folder / "first", service.folder / "second"
    service.configure(first)
    service.start()
    service.ready()
    good = service.config.read_text()
    service.config.write_text(good.replace("source", "sorce"))
    service.signal(signal.SIGHUP)
    service.until(lambda: any("READY=1" in one and "did you mean source" in one for one in service.notified), "refusal")
    assert any(one.startswith("RELOADING=1\nMONOTONIC_USEC=") for one in service.notified)
    for name in "12":
        put(first, "four-digits.png", f"{name}.png")
    service.until(lambda: service.texts() == ["2749"], "the old settings")
    service.config.write_text(good.replace(str(first), str(second)))
    service.signal(signal.SIGHUP)
    service.until(lambda: "reloaded" in service.log.read_text(), "reload")
    for name in "12":
        put(second, "photo.jpg", f"{name}.jpg")
    service.until(lambda: service.texts() == ["2749", "730518"], "the new settings")
    assert "reload failed" not in [one for one in service.notified if "STATUS" in one][-1]


def test_a_reload_that_a_full_disk_forbids_leaves_all_as_it_was(service: Service) -> None:
    service.configure(service.folder / "in")
    service.start()
    service.ready()
    service.until(service.events, "the camera's state")
    good = service.config.read_text()
    service.config.write_text(f'{good}[sinks.more]\ntype = "jsonl"\npath = "{service.folder}/more.jsonl"\n')
    with service.full_disk():
        service.signal(signal.SIGHUP)
        service.until(lambda: any("the old settings hold: " in one for one in service.notified), "refusal")
        assert "disk" in [one for one in service.notified if "old settings" in one][-1]
    for name in "12":
        put(service.folder / "in", "four-digits.png", f"{name}.png")
    service.until(lambda: service.texts() == ["2749"], "the old settings")
    assert not (service.folder / "more.jsonl").read_text()
    service.signal(signal.SIGHUP)
    service.until(lambda: "reloaded" in service.log.read_text(), "reload")
    for name in "34":
        put(service.folder / "in", "photo.jpg", f"{name}.jpg")
    service.until(lambda: service.texts() == ["2749", "730518"], "the sink that stayed")
    service.until(lambda: '"730518"' in (service.folder / "more.jsonl").read_text(), "the new sink")


def test_readings_of_a_camera_that_stays_name_the_model_that_a_reload_brought(service: Service) -> None:
    service.configure(service.folder / "in")
    service.start()
    service.ready()
    for name in "12":
        put(service.folder / "in", "four-digits.png", f"{name}.png")
    service.until(service.texts, "a reading")
    model = onnx.load(Path(edge.__file__).parent / "models" / "rows.onnx")
    (card,) = [one for one in model.metadata_props if one.key == KEY]
    card.value = json.dumps(json.loads(card.value) | {"name": "another"})
    onnx.save(model, service.folder / "another.onnx")
    with service.config.open("a") as file:
        file.write(f'[model]\nrows = "{service.folder}/another.onnx"\n')
    service.signal(signal.SIGHUP)
    service.until(lambda: "reloaded" in service.log.read_text(), "reload")
    for name in "34":
        put(service.folder / "in", "photo.jpg", f"{name}.jpg")
    service.until(lambda: len(service.texts()) > 1, "another reading")
    first, second = [event["model"] for event in service.events() if event["kind"] == "reading"]
    assert first != second == "another"


DOUBT = "min_confidence = 1.0\nstabiliser = { agree = 1 }"


def doubtful(seed: int) -> np.ndarray:
    """A blurred, noisy row."""
    image = cv2.GaussianBlur(cv2.imread(str(SAMPLES / "four-digits.png")), (0, 0), 7)
    return np.clip(image + np.random.default_rng(seed).normal(0, 3, image.shape), 0, 255).astype(np.uint8)


def doubtful_film(path: Path) -> Path:
    """Half a second."""
    film = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, doubtful(0).shape[1::-1])
    for seed in range(5):
        film.write(doubtful(seed))
    film.release()
    return path


def test_a_film_that_is_over_leaves_no_doubtful_row_untold(service: Service) -> None:
    """A row in doubt is looked at for a second before that is said; the film is over sooner."""
    service.configure(doubtful_film(service.folder / "short.avi"), DOUBT)
    service.start()
    service.ready()
    service.until(service.texts, "a reading")
    (event,) = [event for event in service.events() if event["kind"] == "reading"]
    assert event["status"] == "uncertain"


def test_killed_at_any_moment_it_loses_nothing_that_was_accepted(service: Service) -> None:
    def read() -> set[object]:
        return {event["id"] for event in service.events() if event["kind"] == "reading"}

    # What a picture shows is gone with the next one, however soon that comes.
    service.configure(service.folder / "in", "stabiliser = { gone_after = 0.01 }")
    for round_ in range(3):
        service.start()
        service.notified.clear()
        service.ready()
        for name in "12":
            put(service.folder / "in", ("four-digits.png", "photo.jpg")[round_ % 2], f"{round_}{name}.png")
        service.until(lambda round_=round_: len(read()) > round_, "reading")
        service.signal(signal.SIGKILL)
        assert service.process is not None
        service.process.wait()
    events = {event["id"]: event for event in service.events()}
    assert all(events[event["id"]] == event for event in service.events())  # what comes twice is the same
    readings = [event for event in events.values() if event["kind"] == "reading"]
    assert [event["text"] for event in readings][:1] == ["2749"] and len(readings) >= 3
    assert [event["time"] for event in readings] == sorted(event["time"] for event in readings)


def test_a_doubtful_picture_is_kept_with_its_reading(service: Service) -> None:
    folder = service.folder / "in"
    service.configure(folder, DOUBT)
    service.start()
    service.ready()
    folder.mkdir(exist_ok=True)
    for i in range(12):
        cv2.imwrite(str(folder / f".{i}.png"), doubtful(i))
        (folder / f".{i}.png").rename(folder / f"{i}.png")
        time.sleep(0.15)
    service.until(service.texts, "a reading")
    (event, *_) = [event for event in service.events() if event["kind"] == "reading"]
    assert event["status"] == "uncertain"
    kept = {path.name for path in (service.folder / "state" / "kept").rglob("*.*")}
    assert {f"{event['id']}{end}" for end in (".jpg", ".json", ".row.png")} <= kept


def test_a_picture_that_was_kept_long_enough_goes_though_none_comes_after_it(service: Service) -> None:
    service.configure(doubtful_film(service.folder / "film.avi"), f"{DOUBT}\nloop = true\n[retention]\ndays = 3e-5")
    service.start("import edge.daemon; edge.daemon._TIDY = 0.2")
    service.ready()
    service.until(lambda: list((service.folder / "state" / "kept").rglob("*.json")), "a picture")
    service.until(lambda: not list((service.folder / "state" / "kept").rglob("*.*")), "none any more")


FAULT = """
import edge.reader
class Faulty(edge.reader.Reader):
    def read_all(self, images, alternatives=0):
        if any(image.shape[0] > 500 for image in images):
            raise IndexError("of the test")
        return super().read_all(images, alternatives)
edge.reader.Reader = Faulty
"""


def test_a_picture_that_the_reader_fails_at_is_passed_over_and_others_are_read(service: Service) -> None:
    good, bad = service.folder / "good", service.folder / "bad"
    service.configure(good, f"[cameras.other]\nsource = '{bad}'\n")
    service.start(FAULT)
    service.ready()
    for name in "1234":
        put(bad, "photo.jpg", f"{name}.jpg")
        put(good, "four-digits.png", f"{name}.png")
    service.until(lambda: service.texts() == ["2749"], "the other camera's reading")
    service.until(lambda: "other: frame" in service.log.read_text(), "a word about it")
    log = service.log.read_text()
    assert "IndexError: of the test" in log and "Traceback" not in log


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[cameras.desk]\nsorce = '0'\n", "digitd.toml:2: cameras.desk.sorce"),
        ("[cameras.desk]\nsource = '0'\n[model]\nrows = '/nowhere.onnx'\n", "/nowhere.onnx"),
        ("[cameras.desk]\nsource = '0'\n[sinks.x]\ntype = 'jsonl'\npath = '/nowhere/x'\n", "/nowhere"),
        ("state_directory = '/dev/null/x'\n[cameras.desk]\nsource = '0'\n", "/dev/null/x"),
    ],
)
def test_what_a_restart_will_not_mend_ends_with_78(service: Service, text: str, said: str) -> None:
    service.config.write_text(text if "state_directory" in text else f'state_directory = "{service.folder}/s"\n{text}')
    text = service.config.read_text()
    service.start()
    assert service.process is not None and service.process.wait(PATIENCE) == 78
    log = service.log.read_text()
    assert said.replace(":2:", ":3:") in log and "Traceback" not in log
