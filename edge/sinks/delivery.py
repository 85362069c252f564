"""The thread that feeds one sink from the outbox: at least once, in order, and for as long as it takes."""

import logging
import random
import time
from collections.abc import Sequence
from threading import Event as Flag
from threading import Thread

from edge.errors import DigitdError
from edge.outbox import Outbox
from edge.sinks import Sink, SinkError

log = logging.getLogger(__name__)

FIRST_PAUSE = 0.5  # seconds, doubled after each failure
LONGEST_PAUSE = 60.0
SAID_EVERY = 3600.0  # seconds after which a problem that stays is said again


class Delivery:
    """`start` it once; `wake` it when the outbox holds something new; `stop` it before the outbox is closed.

    problem: one line while the sink does not take what waits for it, else None.
    """

    def __init__(self, sink: Sink, outbox: Outbox, longest_pause: float = LONGEST_PAUSE) -> None:
        self.name = sink.name
        self.problem: str | None = None
        self._sink = sink
        self._outbox = outbox
        self._longest_pause = longest_pause
        self._news = Flag()
        self._again = Flag()
        self._reopen = Flag()
        self._deadline: float | None = None
        self._failures = 0
        self._said = 0.0
        self._thread = Thread(target=self._run, name=f"sink-{sink.name}", daemon=True)
        sink.ready = self._try_now

    @property
    def waiting(self) -> int:
        """How many events the sink has not had."""
        return self._outbox.waiting(self.name)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        self._news.set()

    def reopen(self) -> None:
        """Have the sink begin its files anew, between two deliveries."""
        self._reopen.set()
        self._try_now()

    def stop(self, timeout: float = 1.0) -> bool:
        """What waits is delivered if it goes without trouble, the sink is closed; False if that took over `timeout`
        seconds and is left to itself. What was not delivered stays in the outbox.
        """
        return stop_all([self], timeout)

    def _end(self, timeout: float) -> None:
        self._deadline = time.monotonic() + timeout
        self._try_now()
        if self._thread.ident is None:
            self._sink.close()

    def _joined(self, timeout: float) -> bool:
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _try_now(self) -> None:
        self._again.set()
        self._news.set()

    def _run(self) -> None:
        try:
            self._sink.start()
            while not self._over():
                self._news.clear()
                self._again.clear()
                if self._over():  # said between the two lines above
                    break
                try:
                    more = self._step()
                except Exception as error:
                    self._failed(error)
                    if self._deadline is not None:
                        break
                    self._again.wait(self._pause())
                    continue
                if not more:
                    if self._deadline is not None:
                        break
                    self._news.wait()
        finally:
            self._sink.close()

    def _over(self) -> bool:
        return self._deadline is not None and time.monotonic() > self._deadline

    def _step(self) -> bool:
        """One batch; whether there may be more."""
        if self._reopen.is_set():
            self._reopen.clear()
            self._sink.reopen()
        batch = self._outbox.after(self.name, self._sink.batch)
        if batch:
            self._sink.send([event for _, event in batch])
            self._worked()
            self._done(batch[-1][0])
        return bool(batch)

    def _done(self, number: int) -> None:
        """Until the outbox has noted it: sending again because its disk is full would make a copy each time."""
        while True:
            try:
                return self._outbox.done(self.name, number)
            except DigitdError as error:
                self._failed(error)
                if self._deadline is not None:
                    raise
                self._again.clear()
                self._again.wait(self._pause())

    def _pause(self) -> float:
        """Seconds, doubled each time, and spread so that many boxes do not come back all at once."""
        longest = min(self._longest_pause, FIRST_PAUSE * 2.0 ** min(self._failures - 1, 20))
        return random.uniform(longest / 2, longest)

    def _failed(self, error: Exception) -> None:
        self._failures += 1
        if isinstance(error, DigitdError):
            message = str(error)
        else:
            message = f"unexpected {type(error).__name__} ({error}); this is a fault of digitd: report it"
        now = time.monotonic()
        if message != self.problem or now - self._said >= SAID_EVERY:
            loud = not isinstance(error, SinkError) or error.loud
            log.log(logging.ERROR if loud else logging.WARNING, "sink %s: %s", self.name, message)
            self._said = now
        self.problem = message

    def _worked(self) -> None:
        if self.problem is not None:
            log.warning("sink %s: delivers again", self.name)
        self.problem = None
        self._failures = 0


def stop_all(deliveries: Sequence[Delivery], timeout: float = 1.0) -> bool:
    """All at once, so that one that hangs does not use up the others' time; False if one takes over `timeout` s."""
    end = time.monotonic() + timeout
    for delivery in deliveries:
        delivery._end(timeout)
    ended = [delivery._joined(max(0.0, end - time.monotonic())) for delivery in deliveries]
    return all(ended)
