"""What the outbox has accepted is there until every sink has had it, each in its own time."""

import logging
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edge.events import Event, state
from edge.outbox import Outbox
from tests.edge.outboxes import DAY, NOW, ids, outbox, reading


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


def test_events_come_out_as_they_went_in_and_in_order(path: Path) -> None:
    box = outbox(path, "mqtt")
    events = [reading(), state("cellar", "lost", "nö \udce4 device", NOW), reading("1", source="attic", field="gas")]
    box.put(events[:1])
    box.put(events[1:])
    assert [event for _, event in box.after("mqtt")] == events
    assert ids(box, "mqtt", count=2) == [event.id for event in events[:2]]
    box.close()
    assert [event for _, event in outbox(path).after("mqtt")] == events, "after a restart"


def test_each_sink_has_a_cursor_of_its_own_and_what_all_have_had_is_deleted(path: Path) -> None:
    box = outbox(path, "mqtt", "web")
    events = [reading() for _ in range(3)]
    box.put(events)
    box.done("mqtt", box.after("mqtt")[1][0])
    assert ids(box, "mqtt") == [events[2].id] and box.waiting("mqtt") == 1
    assert ids(box, "web") == [event.id for event in events] and box.waiting("web") == 3
    box.done("web", box.after("web")[0][0])
    box.close()
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM events").fetchone() == (2,)
    box = outbox(path)
    assert (box.waiting("mqtt"), box.waiting("web")) == (1, 2)


def test_a_cursor_never_goes_back(path: Path) -> None:
    box = outbox(path, "mqtt", "web")  # for web both stay
    box.put([reading(), reading()])
    (first, _), (second, _) = box.after("mqtt")
    box.done("mqtt", second)
    box.done("mqtt", first)
    assert box.waiting("mqtt") == 0


def test_numbers_are_not_used_again_when_all_was_delivered_and_deleted(path: Path) -> None:
    box = outbox(path, "mqtt")
    box.put([reading()])
    box.done("mqtt", box.after("mqtt")[0][0])
    box.close()
    box = outbox(path)
    later = reading()
    box.put([later])
    assert ids(box, "mqtt") == [later.id]


def test_what_is_offered_again_makes_no_second_row(path: Path) -> None:
    box = outbox(path, "mqtt")
    first, second = reading(), reading()
    box.put([first])
    box.put([first, second])
    box.put([first])
    assert ids(box, "mqtt") == [first.id, second.id]
    assert box.latest("cellar") == second


def test_of_a_put_that_fails_half_way_nothing_is_kept(path: Path) -> None:
    box = outbox(path, "mqtt")
    with pytest.raises(TypeError):
        box.put([reading(), reading(why=object())])
    assert box.waiting("mqtt") == 0 and box.latest("cellar") is None
    box.put([reading()])
    assert box.waiting("mqtt") == 1


def test_a_new_sink_begins_with_what_comes_next_and_one_that_left_is_forgotten(path: Path) -> None:
    box = outbox(path, "mqtt", "old")
    before, after = reading(), reading()
    box.put([before])
    box.keep_only(["mqtt", "new"])
    box.put([after])
    assert ids(box, "mqtt") == [before.id, after.id]
    assert ids(box, "new") == [after.id]
    assert box.known_sinks == ["mqtt", "new"]
    assert (ids(box, "old"), box.waiting("old"), box.dropped("old")) == ([], 0, 0)
    box.done("old", 99)
    assert box.waiting("mqtt") == 2


def test_without_sinks_nothing_is_kept_but_the_latest_readings(path: Path) -> None:
    box = outbox(path)
    last = reading()
    box.put([reading(), last])
    box.keep_only(["mqtt"])
    assert box.waiting("mqtt") == 0
    assert box.latest("cellar") == last


def test_the_latest_reading_of_a_field_is_the_last_one_that_was_ok(path: Path) -> None:
    box = outbox(path, "mqtt", max_days=1)
    box.put([reading("1", field="gas", time=NOW - 9 * DAY), reading("2", field="water"), reading("3")])
    box.put(
        [reading("", raw="9", field="water", status="implausible"), reading("8?", field="water", status="uncertain")]
    )
    box.put([reading("7", field="water", source="attic"), state("cellar", "lost", "", NOW)])
    box.close()
    box = outbox(path)
    latest = [box.latest("cellar", field) for field in ("gas", "water", None, "oil")]
    assert [event and event.body["text"] for event in latest] == ["1", "2", "3", None]
    assert latest[0] is not None and latest[0].time == NOW - 9 * DAY, "dropped as too old, and known all the same"


def test_what_is_too_old_is_dropped_counted_and_said_once(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    box = outbox(path, "mqtt", "web", max_days=2)
    old = [reading(time=NOW - 1.5 * DAY) for _ in range(3)]
    box.put(old)
    box.done("web", box.after("web")[0][0])
    box.close()
    young = reading(time=NOW)
    box = outbox(path, max_days=1)
    assert (ids(box, "mqtt"), box.dropped("mqtt"), box.dropped("web")) == ([], 3, 2)
    for _ in range(3):
        box.put([reading(time=NOW - 2 * DAY)])
    box.put([young])
    assert ids(box, "mqtt") == [young.id]
    box.close()
    assert outbox(path).dropped("mqtt") == 6, "after a restart"
    (said,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert said == f"{path}: older than max_days: 3 events were dropped before all sinks had them"


def test_an_old_event_behind_a_young_one_stays_as_clocks_can_be_wrong(path: Path) -> None:
    box = outbox(path, "mqtt", max_days=1)
    events = [reading(), reading(time=0.0), reading()]
    box.put(events)
    assert ids(box, "mqtt") == [event.id for event in events]


def test_the_oldest_are_dropped_when_the_file_gets_too_large(path: Path) -> None:
    box = outbox(path, "mqtt", max_megabytes=0.5)
    events = [reading("1" * 1000) for _ in range(600)]
    for start in range(0, 600, 20):
        box.put(events[start : start + 20])
        assert path.stat().st_size <= 0.6e6
    left = ids(box, "mqtt")
    assert 100 < len(left) < 300
    assert left == [event.id for event in events[-len(left) :]], "the youngest, in order"
    assert box.dropped("mqtt") == 600 - len(left)
    box.close()
    assert path.stat().st_size <= 0.6e6


def test_what_was_delivered_is_no_reason_to_drop_anything(path: Path) -> None:
    box = outbox(path, "mqtt", max_megabytes=0.5)
    for _ in range(40):
        box.put([reading("1" * 1000) for _ in range(20)])
        box.done("mqtt", box.after("mqtt")[-1][0])
    assert box.dropped("mqtt") == 0


def test_any_thread_may_call(path: Path) -> None:
    box = outbox(path, "mqtt")
    sent: list[str] = []

    def put() -> None:
        for _ in range(30):
            box.put([reading(), reading()])

    threads = [threading.Thread(target=put) for _ in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads) or box.waiting("mqtt"):
        for number, event in box.after("mqtt", 7):
            sent.append(event.id)
            box.done("mqtt", number)
    assert len(sent) == len(set(sent)) == 180


class Against(RuleBasedStateMachine):
    """A list, and how far each sink is."""

    NAMES = st.sampled_from(["a", "b", "c"])

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.path = Path(self.folder.name, "outbox.db")
        self.now = NOW
        self.events: list[Event] = []  # all that ever were accepted
        self.gone = 0  # how many of them were dropped as too old, all from the old end
        self.cursors: dict[str, int] = {}
        self.dropped: dict[str, int] = {}
        self.latest: dict[str | None, Event] = {}
        self.box = self.opened()

    def opened(self) -> Outbox:
        return Outbox(self.path, max_days=1, max_megabytes=100, clock=lambda: self.now)

    def teardown(self) -> None:
        self.box.close()
        self.folder.cleanup()

    def expire(self) -> None:
        """What put and opening do: all before the first that is young and was not had by every sink."""
        start = max(self.gone, min(self.cursors.values(), default=len(self.events)))
        end = start
        while end < len(self.events) and self.events[end].time < self.now - DAY:
            end += 1
        for name, cursor in self.cursors.items():
            self.dropped[name] += max(0, end - max(cursor, start))
            self.cursors[name] = max(cursor, end)
        self.gone = max(self.gone, end)

    @rule(ages=st.lists(st.floats(-2, 1.2), max_size=4), field=st.sampled_from([None, "gas"]), ok=st.booleans())
    def put(self, ages: list[float], field: str | None, ok: bool) -> None:
        status = "ok" if ok else "uncertain"
        events = [reading(time=self.now - age * DAY, field=field, status=status) for age in ages]
        self.box.put(events)
        self.events += events
        for event in events if ok else []:
            self.latest[field] = event
        self.expire()

    @rule()
    def put_the_last_again(self) -> None:
        waiting = self.events[max(self.gone, min(self.cursors.values(), default=len(self.events))) :]
        self.box.put(waiting[-2:])
        self.expire()

    @precondition(lambda self: self.cursors)
    @rule(data=st.data(), count=st.integers(1, 5))
    def deliver(self, data: st.DataObject, count: int) -> None:
        name = data.draw(st.sampled_from(sorted(self.cursors)))
        batch = self.box.after(name, count)
        assert [event for _, event in batch] == self.events[self.cursors[name] :][:count]
        if batch and data.draw(st.booleans()):
            self.box.done(name, batch[-1][0])
            self.cursors[name] += len(batch)

    @rule(names=st.sets(NAMES))
    def keep_only(self, names: set[str]) -> None:
        self.box.keep_only(names)
        self.cursors = {name: self.cursors.get(name, len(self.events)) for name in names}
        self.dropped = {name: self.dropped.get(name, 0) for name in names}

    @rule()
    def restart(self) -> None:
        self.box.close()
        self.box = self.opened()
        self.expire()

    @rule(days=st.floats(0, 0.7))
    def time_passes(self, days: float) -> None:
        self.now += days * DAY

    @invariant()
    def agrees(self) -> None:
        assert self.box.known_sinks == sorted(self.cursors)
        for name, cursor in self.cursors.items():
            assert self.box.waiting(name) == len(self.events) - cursor
            assert [event for _, event in self.box.after(name, 1000)] == self.events[cursor:]
            assert self.box.dropped(name) == self.dropped[name]
        for field in (None, "gas"):
            assert self.box.latest("cellar", field) == self.latest.get(field)


TestAgainstAPlainModel = Against.TestCase
TestAgainstAPlainModel.settings = settings(max_examples=25, stateful_step_count=25)
