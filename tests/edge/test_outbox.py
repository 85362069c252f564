"""What the outbox has accepted is there until every sink has had it: across restarts, full disks and damage."""

import json
import logging
import os
import resource
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from ulid import ULID

from edge.errors import ConfigError
from edge.events import Event, state
from edge.outbox import Outbox, OutboxError

NOW = 1_800_000_000.0
DAY = 86_400.0


def reading(text: str = "40718", **more: Any) -> Event:
    body = {"field": None, "text": text, "raw": text, "confidence": 0.99, "status": "ok", "why": None}
    known = {key: more.pop(key) for key in list(more) if key in ("source", "time")}
    return Event(str(ULID()), "reading", known.get("source", "cellar"), known.get("time", NOW), {**body, **more})


def outbox(path: Path, *sinks: str, **limits: Any) -> Outbox:
    opened = Outbox(path, **{"clock": lambda: NOW, **limits})
    if sinks:
        opened.keep_only(sinks)
    return opened


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


def ids(box: Outbox, sink: str, count: int = 10_000) -> list[str]:
    return [event.id for _, event in box.after(sink, count)]


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


@pytest.mark.parametrize("content", [b"no database at all " * 100, b"\0" * 5000])
def test_a_file_that_is_no_database_is_moved_aside(
    path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path.write_bytes(content)
    box = outbox(path, "mqtt")
    box.put([reading()])
    assert box.waiting("mqtt") == 1
    (aside,) = path.parent.glob("outbox.db.broken-*")
    assert aside.read_bytes() == content
    assert f"moved to {aside}" in caplog.text


def test_a_damaged_database_is_moved_aside(path: Path) -> None:
    box = outbox(path, "mqtt")
    box.put([reading("1" * 500) for _ in range(100)])
    box.close()
    with path.open("r+b") as file:
        file.seek(3 * 4096)
        file.write(os.urandom(4096))
    assert outbox(path, "mqtt").waiting("mqtt") == 0
    assert len(list(path.parent.glob("outbox.db.broken-*"))) == 1


def test_damage_while_running_costs_one_try(path: Path) -> None:
    box = outbox(path, "mqtt")
    for _ in range(10):
        box.put([reading("1" * 500) for _ in range(300)])  # more than SQLite's cache holds
    db = box._db
    assert db is not None
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.execute("PRAGMA shrink_memory")
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size - 4096))
    event = reading()
    with pytest.raises(OutboxError, match="begun anew; try again"):
        box.put([event])
    box.put([event])
    assert ids(box, "mqtt") == [event.id], "the sink is still known"


def test_an_outbox_of_a_newer_digitd_is_refused_for_good(path: Path) -> None:
    outbox(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 2")
    with pytest.raises(ConfigError, match="newer digitd") as refused:
        outbox(path)
    assert refused.value.exit_code == 78
    assert not list(path.parent.glob("*.broken-*"))


def test_another_programs_database_is_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE photos (id)")
    with pytest.raises(ConfigError, match="another program's"):
        outbox(path)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM photos").fetchone() == (0,)


def test_two_daemons_cannot_share_one(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.outbox.LOCK_WAIT", 0.1)
    box = outbox(path, "mqtt")
    with pytest.raises(OutboxError, match="in use by another program"):
        outbox(path)
    box.put([reading()])
    assert box.waiting("mqtt") == 1


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutboxError, match=r"its folder cannot be made \(.*\); check outbox.path"):
        outbox(tmp_path / "file" / "outbox.db")


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


# Full disks


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a small file system")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("may not mount a small file system here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_loses_nothing_that_was_accepted(small_disk: Path) -> None:
    box = outbox(small_disk / "outbox.db", "mqtt")
    accepted: list[str] = []
    while True:
        batch = [reading("1" * 2000) for _ in range(5)]
        try:
            box.put(batch)
        except OutboxError as error:
            assert "; " in str(error) and ("disk" in str(error))
            break
        accepted += [event.id for event in batch]
    assert accepted and ids(box, "mqtt") == accepted, "and nothing of what was not"
    box.close()
    box = outbox(small_disk / "outbox.db")
    assert ids(box, "mqtt") == accepted


def test_when_a_full_disk_has_room_again_the_same_events_are_taken(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    box = outbox(small_disk / "outbox.db", "mqtt")
    first = reading()
    box.put([first])
    with pytest.raises(OSError, match="No space"), ballast.open("wb") as file:
        while True:
            file.write(b"\0" * 4096)
            file.flush()
    batch = [reading("1" * 2000) for _ in range(20)]
    with pytest.raises(OutboxError):
        box.put(batch)
    ballast.unlink()
    box.put(batch)
    assert ids(box, "mqtt") == [first.id, *(event.id for event in batch)]


def test_a_limit_of_the_files_size_is_as_a_full_disk(path: Path) -> None:
    script = f"""
        import resource, sys
        from pathlib import Path
        from edge.events import Event
        from ulid import ULID
        from edge.outbox import Outbox, OutboxError
        box = Outbox(Path({str(path)!r}))
        box.keep_only(["mqtt"])
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, {resource.RLIM_INFINITY}))
        taken = 0
        try:
            while True:
                box.put([Event(str(ULID()), "gone", "c", {NOW}, {{"text": "1" * 1000}})])
                taken += 1
        except OutboxError as error:
            print(taken, error)
        resource.setrlimit(resource.RLIMIT_FSIZE, ({resource.RLIM_INFINITY}, {resource.RLIM_INFINITY}))
        box.put([Event(str(ULID()), "gone", "c", {NOW}, {{}})])
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    taken, message = done.stdout.split(" ", 1)
    assert int(taken) > 10 and message.startswith(str(path)) and "disk" in message
    assert outbox(path).waiting("mqtt") == int(taken) + 1


# Crashes

CRASHING = """
import os, random, signal, sys, time
from pathlib import Path
from ulid import ULID
from edge.config import JsonlSink
from edge.events import Event
from edge.outbox import Outbox
from edge.sinks import jsonl, open_sink
from edge.sinks.delivery import Delivery

folder, kills = Path(sys.argv[1]), int(sys.argv[2])

def work():
    box = Outbox(folder / "outbox.db")
    box.keep_only(["file"])
    sink = open_sink("file", JsonlSink(type="jsonl", path=folder / "out.jsonl", max_megabytes=1000.0))
    delivery = Delivery(sink, box)
    delivery.start()
    with open(folder / "accepted", "a", buffering=1) as accepted:
        while True:
            events = [Event(str(ULID()), "gone", "c", 1.8e9, {"pad": "x" * 300}) for _ in range(3)]
            box.put(events)
            accepted.write("".join(event.id + "\\n" for event in events))
            delivery.wake()

moments = random.Random(1)
for _ in range(kills):
    child = os.fork()
    if not child:
        work()
    time.sleep(moments.uniform(0, 0.2))
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL, status
"""


def test_kill_9_at_any_moment_loses_nothing_and_keeps_the_order(tmp_path: Path) -> None:
    kills = 30
    subprocess.run([sys.executable, "-c", CRASHING, tmp_path, str(kills)], check=True, timeout=60)
    delivered: list[str] = []
    torn = 0
    for line in (tmp_path / "out.jsonl").read_bytes().splitlines():
        try:
            delivered.append(json.loads(line)["id"])
        except ValueError:
            torn += 1
    box = Outbox(tmp_path / "outbox.db")
    everything = delivered + [event.id for _, event in box.after("file", 1_000_000)]
    accepted = [line for line in (tmp_path / "accepted").read_text().splitlines() if len(line) == 26]
    assert len(accepted) > 50 and delivered
    assert torn <= kills
    first_copies = list(dict.fromkeys(everything))
    known = set(accepted)
    assert known <= set(everything), "every accepted one was delivered or still waits"
    assert [id for id in first_copies if id in known] == accepted, "in the order in which they were accepted"
    assert len(first_copies) - len(known) <= 3 * kills, "besides only those put at the moment of the kill"


# Against a plain model


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
TestAgainstAPlainModel.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
