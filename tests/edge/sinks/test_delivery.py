"""Each sink gets everything in order, however often it fails, and says so in one line."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from edge.events import Event
from edge.outbox import Outbox
from edge.sinks import SinkError, nobody
from edge.sinks.delivery import Delivery, stop_all


class Shelf:
    """A sink in memory that fails when told to. calls: what it was asked, in order."""

    def __init__(self, name: str = "shelf", batch: int = 10) -> None:
        self.name, self.batch, self.ready = name, batch, nobody
        self.got: list[str] = []
        self.calls: list[str] = []
        self.fault: Exception | None = None
        self.hold = threading.Event()
        self.hold.set()

    def start(self) -> None:
        """Not among `calls`."""

    def send(self, events: Sequence[Event]) -> None:
        self.calls.append("send")
        self.hold.wait(10)
        if self.fault:
            raise self.fault
        self.got += [event.id for event in events]

    def reopen(self) -> None:
        self.calls.append("reopen")

    def close(self) -> None:
        self.calls.append("close")


def events(*numbers: int) -> list[Event]:
    return [Event(f"{n:026}", "gone", "cellar", 1.8e9, {}) for n in numbers]


def ids(*numbers: int) -> list[str]:
    return [f"{n:026}" for n in numbers]


def soon(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not come true in time"
        time.sleep(0.005)


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    box = Outbox(tmp_path / "outbox.db", clock=lambda: 1.8e9)
    box.keep_only(["shelf", "other"])
    yield box
    box.close()


@pytest.fixture
def run(outbox: Outbox) -> Iterator[Callable[..., Delivery]]:
    running: list[Delivery] = []

    def start(shelf: Shelf, longest_pause: float = 0.02) -> Delivery:
        delivery = Delivery(shelf, outbox, longest_pause)
        running.append(delivery)
        delivery.start()
        return delivery

    yield start
    assert stop_all(running, 5)


def test_what_waits_and_what_comes_is_delivered_in_order(outbox: Outbox, run: Callable[..., Delivery]) -> None:
    outbox.put(events(*range(25)))
    shelf = Shelf()
    delivery = run(shelf)
    soon(lambda: len(shelf.got) == 25)
    outbox.put(events(25, 26))
    delivery.wake()
    soon(lambda: delivery.waiting == 0)
    assert shelf.got == ids(*range(27)) and delivery.problem is None


def test_a_sink_that_fails_is_tried_again_until_it_works_and_the_line_is_said_once(
    outbox: Outbox, run: Callable[..., Delivery], caplog: pytest.LogCaptureFixture
) -> None:
    shelf = Shelf()
    shelf.fault = SinkError("shelf.local: full")
    outbox.put(events(1, 2))
    delivery = run(shelf)
    soon(lambda: len(shelf.calls) > 5)
    assert delivery.problem == "shelf.local: full" and delivery.waiting == 2
    shelf.fault = None
    soon(lambda: delivery.waiting == 0)
    assert shelf.got == ids(1, 2) and delivery.problem is None
    assert [record.getMessage() for record in caplog.records] == [
        "sink shelf: shelf.local: full",
        "sink shelf: delivers again",
    ]


def test_what_hardly_mends_itself_is_said_as_an_error(
    outbox: Outbox, run: Callable[..., Delivery], caplog: pytest.LogCaptureFixture
) -> None:
    shelf = Shelf()
    shelf.fault = SinkError("shelf.local: refuses an event (400)", loud=True)
    outbox.put(events(1))
    run(shelf)
    soon(lambda: len(shelf.calls) > 3)
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_a_fault_of_ours_in_a_sink_does_not_end_its_thread(
    outbox: Outbox, run: Callable[..., Delivery], caplog: pytest.LogCaptureFixture
) -> None:
    shelf = Shelf()
    shelf.fault = ZeroDivisionError("by zero")
    outbox.put(events(1))
    delivery = run(shelf)
    soon(lambda: len(shelf.calls) > 2)
    assert delivery.alive and "unexpected ZeroDivisionError (by zero)" in caplog.text
    assert "Traceback" not in caplog.text
    shelf.fault = None
    soon(lambda: shelf.got == ids(1))


def test_one_sink_that_hangs_does_not_keep_another_waiting(outbox: Outbox, run: Callable[..., Delivery]) -> None:
    hanging, other = Shelf("shelf"), Shelf("other")
    hanging.hold.clear()
    outbox.put(events(1))
    run(hanging)
    run(other)
    soon(lambda: other.got == ids(1))
    assert hanging.got == []
    hanging.hold.set()


def test_pauses_grow_and_are_spread(outbox: Outbox) -> None:
    delivery = Delivery(Shelf(), outbox)
    pauses = []
    for failures in (1, 2, 3, 8, 5000):
        delivery._failures = failures
        pauses.append([delivery._pause() for _ in range(50)])
    assert all(0.25 <= pause <= 0.5 for pause in pauses[0]) and all(1 <= pause <= 2 for pause in pauses[2])
    assert all(30 <= pause <= 60 for pause in pauses[3] + pauses[4])
    assert len(set(pauses[0])) > 40


def test_a_sink_that_is_ready_again_is_tried_at_once(outbox: Outbox, run: Callable[..., Delivery]) -> None:
    shelf = Shelf()
    shelf.fault = SinkError("not connected")
    outbox.put(events(1))
    delivery = run(shelf, longest_pause=3600)
    soon(lambda: delivery.problem is not None)
    delivery._failures = 30
    shelf.ready()
    soon(lambda: len(shelf.calls) == 2)
    shelf.fault = None
    shelf.ready()
    soon(lambda: shelf.got == ids(1))


def test_files_are_begun_anew_between_two_deliveries(outbox: Outbox, run: Callable[..., Delivery]) -> None:
    shelf = Shelf()
    delivery = run(shelf)
    delivery.reopen()
    soon(lambda: shelf.calls == ["reopen"])


def test_at_the_end_what_waits_is_delivered_first_and_the_sink_is_closed(outbox: Outbox) -> None:
    shelf = Shelf(batch=1)
    delivery = Delivery(shelf, outbox)
    delivery.start()
    outbox.put(events(*range(5)))
    assert delivery.stop(5)
    assert shelf.got == ids(*range(5)) and shelf.calls[-1] == "close" and not delivery.alive


def test_at_the_end_a_sink_with_troubles_is_not_waited_for(outbox: Outbox) -> None:
    shelf = Shelf()
    shelf.fault = SinkError("down")
    outbox.put(events(1))
    delivery = Delivery(shelf, outbox)
    delivery.start()
    soon(lambda: delivery.problem is not None)
    before = time.monotonic()
    assert delivery.stop(60)
    assert time.monotonic() - before < 20 and delivery.waiting == 1


def test_at_the_end_sinks_that_hang_share_one_time(outbox: Outbox) -> None:
    shelves = [Shelf("shelf"), Shelf("other")]
    outbox.put(events(1))
    deliveries = [Delivery(shelf, outbox) for shelf in shelves]
    for shelf, delivery in zip(shelves, deliveries, strict=True):
        shelf.hold.clear()
        delivery.start()
    soon(lambda: all(shelf.calls for shelf in shelves))
    before = time.monotonic()
    assert not stop_all(deliveries, 3)
    assert time.monotonic() - before < 5.9
    for shelf in shelves:
        shelf.hold.set()
    soon(lambda: not any(delivery.alive for delivery in deliveries))


def test_a_disk_that_is_full_when_a_delivery_is_noted_makes_no_copies(
    outbox: Outbox, run: Callable[..., Delivery]
) -> None:
    db = outbox._db
    assert db is not None
    outbox.put(events(1, 2))
    db.execute("PRAGMA query_only = ON")  # SQLite then answers as for a disk that became read-only
    shelf = Shelf()
    delivery = run(shelf)
    soon(lambda: delivery.problem is not None)
    time.sleep(0.1)
    assert shelf.calls == ["send"]
    with outbox._lock:
        db.execute("PRAGMA query_only = OFF")
    soon(lambda: delivery.waiting == 0)
    assert shelf.got == ids(1, 2)
