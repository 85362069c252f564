"""The daemon as systemd runs it: a process of its own, told by signals; its cameras are films and folders."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.model_card import REJECT
from edge.recogniser import default_model
from edge.sequence import default_row_model
from tests.edge.daemons import PATIENCE, SAMPLES, Service, put

LETTERS = (*"JABCDEFGHI", REJECT)


def test_a_film_is_read_once_ready_is_said_and_sigterm_ends_it(service: Service) -> None:
    service.configure(SAMPLES / "video.avi", "loop = true")
    service.start()
    service.ready()
    service.until(lambda: "192837" in service.texts(), "reading")
    pings = service.notified.count("WATCHDOG=1")
    service.until(lambda: service.notified.count("WATCHDOG=1") > pings, "another ping")
    service.until(lambda: any("1 of 1 cameras online" in one and "192837" in one for one in service.notified), "status")
    code = service.stop()
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
    service.reload()
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
    service.reload()
    for name in "34":
        put(service.folder / "in", "photo.jpg", f"{name}.jpg")
    service.until(lambda: service.texts() == ["2749", "730518"], "the sink that stayed")
    service.until(lambda: '"730518"' in (service.folder / "more.jsonl").read_text(), "the new sink")


def test_readings_of_a_camera_that_stays_name_the_model_that_a_reload_brought(
    service: Service, with_card: Callable[..., Path]
) -> None:
    pictures = service.folder / "in"
    service.configure(pictures)
    service.start()
    service.ready()
    service.shows(pictures, "four-digits.png", service.texts)
    with service.config.open("a") as file:
        file.write(f'[model]\nrows = "{with_card(default_row_model(), "another.onnx", name="another")}"\n')
    service.reload()
    service.shows(pictures, "photo.jpg", lambda: len(service.texts()) > 1)
    first, second = [event["model"] for event in service.told()]
    assert first != second == "another"


def test_a_model_file_that_was_written_anew_in_its_place_is_read_with_after_a_reload(
    service: Service, with_card: Callable[..., Path]
) -> None:
    pictures = service.folder / "in"
    service.configure(pictures, f'[model]\ndigits = "{with_card(default_model(), "mine.onnx")}"')
    service.start()
    service.ready()
    service.shows(pictures, "four-digits.png", lambda: service.texts() == ["2749"])
    with_card(default_model(), "mine.onnx", name="letters", labels=LETTERS)
    service.reload()
    # The same row, as it stood there all the while.
    service.shows(pictures, "four-digits.png", lambda: service.texts() == ["2749", "BGDI"])
    assert service.told()[1]["model"] == "letters"


DOUBT = "min_confidence = 1.0\nstabiliser = { agree = 1 }"


def doubtful(seed: int) -> np.ndarray:
    """A blurred, noisy row."""
    image = cv2.GaussianBlur(cv2.imread(str(SAMPLES / "four-digits.png")), (0, 0), 4)
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
    (event,) = service.told()
    assert event["status"] == "uncertain"


def test_killed_at_any_moment_it_loses_nothing_that_was_accepted(service: Service) -> None:
    def read() -> set[object]:
        return {event["id"] for event in service.told()}

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
    (event, *_) = service.told()
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


FAULT_OF_THE_SECOND = """
import edge.reader
class Faulty(edge.reader.Reader):
    made = 0
    def __init__(self, *models, **more):
        super().__init__(*models, **more)
        Faulty.made += 1
        self.faulty = Faulty.made > 1
    def read_all(self, images, alternatives=0):
        if self.faulty:
            raise IndexError("of the test")
        return super().read_all(images, alternatives)
edge.reader.Reader = Faulty
"""


def test_a_model_that_opens_and_cannot_read_is_not_taken_on_by_a_reload(service: Service) -> None:
    pictures = service.folder / "in"
    service.configure(pictures)
    service.start(FAULT_OF_THE_SECOND)
    service.ready()
    with service.config.open("a") as file:
        file.write("[model]\nthreads = 2\n")
    service.signal(signal.SIGHUP)
    service.until(lambda: any("reads no picture (IndexError: of the test)" in one for one in service.notified), "why")
    service.shows(pictures, "four-digits.png", lambda: service.texts() == ["2749"])
    assert "Traceback" not in service.log.read_text()


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
