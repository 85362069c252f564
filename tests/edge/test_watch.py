"""What a camera's rows come to: readings once, with fields' rules, in pixels of the whole picture."""

from dataclasses import replace

import numpy as np
import pytest

from edge.config import CameraConfig
from edge.events import Event, Gone, Reading
from edge.frame import Frame
from edge.row import Digit, Row
from edge.watch import Part, Watch

PAPER = np.full((480, 640, 3), 200, np.uint8)


def row(text: str, x: float = 100, y: float = 100, confidence: float = 0.97) -> Row:
    """Digits of 20 by 30 pixels side by side."""
    digits = tuple(Digit(one, confidence, (int(x) + 24 * i, int(y), 20, 30)) for i, one in enumerate(text))
    right = x + 24 * len(text)
    rest = np.log(max(1 - confidence, 1e-6))
    others = ((text[:-1] + str((int(text[-1]) + 1) % 10), float(rest)),)
    quad = ((x, y), (right, y), (right, y + 30), (x, y + 30))
    return Row(text, confidence, digits, quad, (), ((text, float(np.log(confidence))), *others))


def moved(one: Row, part: Part) -> list[Row]:
    """The row as it is found in a part."""
    quad = tuple((x - part.x, y - part.y) for x, y in one.quad)
    digits = tuple(replace(d, box=(d.box[0] - part.x, d.box[1] - part.y, 20, 30)) for d in one.digits)
    return [replace(one, quad=quad, digits=digits)]


class Camera:
    """Frames a tenth of a second apart, each different enough to be read."""

    def __init__(self, config: dict[str, object] | None = None, latest=None) -> None:
        self.watch = Watch("desk", CameraConfig(source="0", **(config or {})), "rows", latest)
        self.number = 0

    def frame(self, image: np.ndarray = PAPER) -> Frame:
        self.number += 1
        return Frame(image, "desk", self.number, 1_800_000_000 + self.number / 10, self.number / 10)

    def sees(self, *rows: Row, frames: int = 1, image: np.ndarray = PAPER) -> list[Reading | Gone]:
        told = []
        for _ in range(frames):
            frame = self.frame(image)
            view = self.watch.view(frame.image)
            told += self.watch.update(frame, [Part(0, 0, view)], [rows])
        return told


def test_a_row_is_told_once_with_the_frame_that_settled_it_and_that_it_left() -> None:
    camera = Camera()
    (reading,) = camera.sees(row("4071"), frames=20)
    assert isinstance(reading, Reading)
    assert (reading.source, reading.text, reading.raw, reading.status, reading.field) == (
        "desk", "4071", "4071", "ok", None,
    )  # fmt: skip
    assert reading.frame <= 3 and reading.time == 1_800_000_000 + reading.frame / 10
    (gone,) = camera.sees(frames=30)
    assert isinstance(gone, Gone) and gone.reading == reading
    assert gone.event().body["reading"] == reading.id != gone.id
    (again,) = camera.sees(row("4071"), frames=20)
    assert again.text == "4071" and again.id != reading.id


def test_a_reading_that_is_not_sure_enough_is_uncertain() -> None:
    camera = Camera({"min_confidence": 0.9999999999})
    (reading,) = camera.sees(row("4071", confidence=0.6), frames=20)
    assert reading.status == "uncertain" and reading.text == reading.raw == "4071" and reading.why is None


def test_the_same_frames_give_the_same_events_to_the_bit() -> None:
    first, second = (
        [one.event() for one in (*camera.sees(row("4071"), frames=5), *camera.sees(frames=30))]
        for camera in (Camera(), Camera())
    )
    assert first == second and len(first) == 2


def test_a_row_in_doubt_is_looked_at_on_and_told_once_when_it_is_sure() -> None:
    camera = Camera({"min_confidence": 0.95, "stabiliser": {"agree": 1}})
    assert camera.sees(row("4071", confidence=0.6)) == []
    (reading,) = camera.sees(row("4071", confidence=0.9), frames=20)
    assert reading.status == "ok" and reading.confidence >= 0.95


def test_a_row_in_doubt_is_told_before_it_is_gone_and_at_the_end() -> None:
    config = {"min_confidence": 0.95, "stabiliser": {"agree": 1, "gone_after": 0.5}}
    camera = Camera(config)
    assert camera.sees(row("4071", confidence=0.6)) == []
    reading, gone = camera.sees(frames=9)
    assert reading.status == "uncertain" and gone.reading == reading
    assert camera.sees(row("4071", confidence=0.6)) == []
    (reading,) = camera.watch.end()
    assert reading.status == "uncertain" and camera.watch.end() == []


def test_another_model_is_not_held_to_what_the_one_before_read() -> None:
    camera = Camera({"stabiliser": {"agree": 2}})
    camera.sees(row("4071"), frames=50)
    assert camera.watch.read_by("letters") == []
    alike = replace(row("4071", confidence=0.9), text="DJGA", alternatives=(("DJGA", float(np.log(0.9))),))
    (reading,) = camera.sees(alike, frames=2)
    assert (reading.text, reading.model) == ("DJGA", "letters")
    assert "4071" not in dict(reading.row.alternatives)


def test_another_model_that_reads_the_same_is_no_news() -> None:
    camera = Camera()
    (reading,) = camera.sees(row("4071"), frames=10)
    camera.watch.read_by("other")
    assert camera.sees(row("4071"), frames=10) == []
    (gone,) = camera.sees(frames=30)
    assert gone.reading == reading and reading.model == "rows"


def test_looks_of_the_model_before_do_not_settle_a_row() -> None:
    camera = Camera({"stabiliser": {"agree": 3, "confidence": 1.0}})
    assert camera.sees(row("4071"), frames=2) == []
    camera.watch.read_by("other")
    assert camera.sees(row("4071"), frames=2) == []
    (reading,) = camera.sees(row("4071"))
    assert reading.model == "other"


def test_a_row_that_the_model_before_left_in_doubt_is_told_in_its_name() -> None:
    camera = Camera({"min_confidence": 0.95, "stabiliser": {"agree": 1}})
    assert camera.sees(row("4071", confidence=0.6)) == []
    (reading,) = camera.watch.read_by("other")
    assert (reading.text, reading.status, reading.model) == ("4071", "uncertain", "rows")


@pytest.mark.parametrize(("texts", "looks"), [(("4071", "4071"), 1), (("11", "17"), 5)], ids=["settled", "given up"])
def test_a_picture_that_has_not_changed_is_read_by_another_model(texts: tuple[str, str], looks: int) -> None:
    camera = Camera({"stabiliser": {"agree": 1}})

    def wanted() -> bool:
        frame = camera.frame()
        parts = camera.watch.parts(frame.image, frame.taken)
        read = replace(row(texts[frame.number % 2], confidence=0.5), alternatives=())
        if parts:
            camera.watch.update(frame, parts, [moved(read, part) for part in parts])
        return bool(parts)

    while wanted():
        pass
    camera.watch.read_by("other")
    assert [wanted() for _ in range(looks)] == [True] * looks


FIELDS = {"fields": {"total": {"length": 4, "rising": True, "confirm": 3}}}


def test_a_field_is_the_row_with_most_digits_and_others_are_not_told() -> None:
    told = Camera(FIELDS).sees(row("12", y=300), row("4071"), frames=10)
    assert [(one.field, one.text) for one in told] == [("total", "4071")]


def test_fields_with_regions_take_the_rows_in_them() -> None:
    fields = {"top": {"region": (0, 0, 640, 200)}, "bottom": {"region": (0, 250, 640, 200)}}
    told = Camera({"fields": fields}).sees(row("12", y=300), row("4071"), row("77", y=215), frames=10)
    assert {(one.field, one.text) for one in told} == {("top", "4071"), ("bottom", "12")}


def test_an_implausible_reading_says_why_and_is_believed_once_it_was_read_often_enough() -> None:
    camera = Camera(FIELDS)
    camera.sees(row("4071"), frames=5)
    told = camera.sees(row("3071"), frames=20)
    assert [one.status for one in told] == ["implausible", "ok"]
    assert told[0].text == "" and told[0].raw == "3071" and "4071" in told[0].why
    assert told[1].text == "3071" and told[1].frame > told[0].frame


def test_a_wrong_length_is_never_believed() -> None:
    told = Camera(FIELDS).sees(row("407"), frames=40)
    assert [one.status for one in told] == ["implausible"]


def test_a_field_goes_on_from_what_was_read_before_a_restart() -> None:
    asked = []

    def latest(source: str, field: str | None) -> Event:
        asked.append((source, field))
        return Event("01", "reading", "desk", 1_799_999_000.0, {"text": "5000"})

    (told, *_) = Camera(FIELDS, latest).sees(row("4071"), frames=3)
    assert told.status == "implausible" and "5000" in told.why and asked == [("desk", "total")]


@pytest.mark.parametrize("times", [1, 2])
def test_rows_are_placed_in_the_whole_picture(times: int) -> None:
    view = {"size": (640, 480), "region": (200, 100, 400, 300)}
    image = np.full((480 * times, 640 * times, 3), 200, np.uint8)
    (reading,) = Camera({"view": view}).sees(row("4071", 50, 60), frames=5, image=image)
    left, top = 200 * times, 100 * times
    assert reading.row.quad[0] == pytest.approx((50 + left, 60 + top))
    assert reading.row.digits[1].box == (74 + left, 60 + top, 20, 30)


def test_a_picture_that_stays_the_same_is_not_read_again_but_for_now_and_then() -> None:
    camera = Camera()
    wanted = 0
    for _ in range(100):  # ten seconds
        frame = camera.frame()
        if parts := camera.watch.parts(frame.image, frame.taken):
            wanted += 1
            camera.watch.update(frame, parts, [moved(row("4071"), part) for part in parts])
        else:
            assert camera.watch.same(frame) == []
    assert 5 <= wanted <= 10
    changed = PAPER.copy()
    changed[200:230, 300:320] = 60
    (part,) = camera.watch.parts(changed, camera.frame().taken)
    assert part.image is changed


def test_a_row_that_is_read_now_so_now_so_is_not_looked_at_for_ever() -> None:
    camera = Camera()
    wanted = 0
    for i in range(100):
        frame = camera.frame()
        if parts := camera.watch.parts(frame.image, frame.taken):
            wanted += 1
            flickering = replace(row("11" if i % 2 else "17", confidence=0.5), alternatives=())
            camera.watch.update(frame, parts, [moved(flickering, part) for part in parts])
    assert wanted <= 20


def test_between_looks_at_all_of_a_picture_unsettled_rows_are_looked_at_alone_and_stay_in_place() -> None:
    camera = Camera({"stabiliser": {"agree": 6, "confidence": 1.0}})
    rng = np.random.default_rng(0)
    sizes, told = [], []
    for _ in range(8):
        frame = camera.frame(rng.integers(0, 256, PAPER.shape, np.uint8))  # all is new in each
        parts = camera.watch.parts(frame.image, frame.taken)
        sizes.append([part.image.shape[:2] for part in parts])
        for part in parts:
            assert np.array_equal(part.image, frame.image[part.y :, part.x :][: len(part.image), : part.image.shape[1]])
        told += camera.watch.update(frame, parts, [moved(row("4071", 300, 200, 0.9), part) for part in parts])
    whole = [[(480, 640)]]
    assert [size == whole[0] for size in sizes] == [True, False, False, True, False, False, True, True]
    assert all(160 <= height <= 200 and 220 <= width <= 260 for ((height, width),) in sizes[1:3])
    (reading,) = told
    assert (
        reading.text == "4071" and reading.row.quad[0] == (300, 200) and reading.row.digits[0].box == (300, 200, 20, 30)
    )


def test_rows_near_each_other_are_one_part_and_rows_all_over_the_picture_are_looked_at_whole() -> None:
    camera = Camera({"stabiliser": {"agree": 6}})
    near = [row("4071", 100, 100), row("52", 100, 140)]
    frame = camera.frame()
    camera.watch.update(frame, camera.watch.parts(frame.image, frame.taken), [near])
    frame = camera.frame()
    assert len(camera.watch.parts(frame.image, frame.taken)) == 1
    camera = Camera({"stabiliser": {"agree": 6}})
    frame = camera.frame()
    all_over = [row("12345678901234567890", 20, y) for y in (20, 180, 340)]
    camera.watch.update(frame, camera.watch.parts(frame.image, frame.taken), [all_over])
    frame = camera.frame()
    (part,) = camera.watch.parts(frame.image, frame.taken)
    assert part.image is frame.image
