"""What the outbox has accepted survives full disks, damage and crashes; what is not its own it leaves alone."""

import json
import os
import resource
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from edge.errors import ConfigError
from edge.outbox import Outbox, OutboxError
from tests.edge.outboxes import NOW, ids, outbox, reading


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


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


def damage(box: Outbox) -> None:
    """As it is open; what was put into it is lost."""
    for _ in range(10):
        box.put([reading("1" * 500) for _ in range(300)])  # more than SQLite's cache holds
    db = box._db
    assert db is not None
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.execute("PRAGMA shrink_memory")
    size = box.path.stat().st_size
    with box.path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size - 4096))


@contextmanager
def no_room() -> Iterator[None]:
    """No file takes a byte."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_damage_while_running_costs_one_try(path: Path) -> None:
    box = outbox(path, "mqtt")
    damage(box)
    event = reading()
    with pytest.raises(OutboxError, match="begun anew; try again"):
        box.put([event])
    box.put([event])
    assert ids(box, "mqtt") == [event.id], "the sink is still known"


def test_damage_while_the_disk_is_full_is_mended_when_there_is_room(path: Path) -> None:
    box = outbox(path, "mqtt")
    damage(box)
    event = reading()
    with no_room():
        for _ in range(3):
            with pytest.raises(OutboxError, match="disk"):
                box.put([event])
    box.put([event])
    assert ids(box, "mqtt") == [event.id], "the sink is still known"
    box.close()
    with pytest.raises(OutboxError, match="is closed"):
        box.put([event])


def test_what_was_on_its_way_when_the_outbox_was_damaged_is_not_taken_for_what_came_after(path: Path) -> None:
    box = outbox(path, "mqtt", "file")
    box.put([reading(), reading()])
    (*_, (number, _)) = box.after("mqtt")
    damage(box)
    with pytest.raises(OutboxError, match="begun anew; try again"):
        box.put([reading()])
    event = reading()
    box.put([event])
    box.done("mqtt", number)
    assert ids(box, "mqtt") == ids(box, "file") == [event.id]


def test_sinks_that_a_full_disk_kept_from_changing_are_those_that_a_new_file_knows(path: Path) -> None:
    box = outbox(path, "mqtt")
    with no_room(), pytest.raises(OutboxError, match="disk"):
        box.keep_only(["file"])
    damage(box)
    event = reading()
    with pytest.raises(OutboxError, match="begun anew; try again"):
        box.put([event])
    assert box.known_sinks == ["mqtt"]


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
