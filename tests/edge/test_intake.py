"""Events are held while the outbox takes nothing, and get into it in their order."""

import logging
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge.events import Event, state
from edge.intake import Intake
from edge.outbox import Outbox


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    box = Outbox(tmp_path / "outbox.db", clock=lambda: 0.0)
    box.keep_only(["file"])
    yield box
    box.close()


@contextmanager
def full_disk(box: Outbox) -> Iterator[None]:
    """No file grows any more, as the outbox's log would have to."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = Path(f"{box.path}-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def event(number: int) -> Event:
    return state("desk", "online", f"{number}", float(number))


def taken(box: Outbox) -> list[Event]:
    return [event for _, event in box.after("file", 1000)]


def test_events_go_into_the_outbox_at_once(outbox: Outbox) -> None:
    intake = Intake(outbox)
    assert intake.put([event(0), event(1)]) and taken(outbox) == [event(0), event(1)]
    assert not intake.put() and intake.held == intake.lost == 0


def test_what_a_full_disk_refuses_is_held_and_comes_first_when_there_is_room(outbox: Outbox) -> None:
    intake = Intake(outbox)
    with full_disk(outbox):
        assert not intake.put([event(0), event(1)])
        assert not intake.put([event(2)])
        assert intake.held == 3
    assert intake.offer()
    assert taken(outbox) == [event(0), event(1), event(2)] and intake.held == 0
    assert intake.put([event(3)])


def test_a_full_disk_is_said_once_and_that_there_is_room_again(
    outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    intake = Intake(outbox)
    for _ in range(2):
        caplog.clear()
        with full_disk(outbox):
            for number in range(5):
                intake.put([event(number)])
                intake.offer()
        (refusal,) = caplog.records
        assert refusal.levelno == logging.ERROR and "disk" in refusal.message and str(outbox.path) in refusal.message
        intake.offer()
        intake.offer()
        (_, again) = caplog.messages
        assert "takes events again; 5 had waited" in again


def test_a_refusal_is_waited_out_before_the_next_try(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("edge.intake.time.monotonic", lambda: now[0])
    intake = Intake(outbox)
    with full_disk(outbox):
        intake.put([event(0)])
    assert not intake.put([event(1)]), "too soon"
    now[0] += 1.0
    assert intake.put() and taken(outbox) == [event(0), event(1)]


def test_the_oldest_of_too_many_are_lost_and_counted(outbox: Outbox) -> None:
    intake = Intake(outbox, most=3)
    with full_disk(outbox):
        intake.put([event(0), event(1)])
        intake.put([event(2), event(3), event(4)])
    assert intake.lost == 2 and intake.offer()
    assert taken(outbox) == [event(2), event(3), event(4)]
