"""Events on their way into the outbox: held in memory while that takes nothing, its disk being full."""

import logging
import time
from collections import deque
from collections.abc import Sequence

from edge.events import Event
from edge.outbox import Outbox, OutboxError

MOST = 10_000
"""Events that are held in memory; then the oldest are lost."""

_AGAIN = 1.0  # seconds between two tries to have the outbox take what it refused

log = logging.getLogger(__name__)


class Intake:
    """lost: how many events memory had no room for. A refusal is said once, and that events are taken again."""

    def __init__(self, outbox: Outbox, most: int = MOST) -> None:
        self.lost = 0
        self._outbox, self._most = outbox, most
        self._held: deque[Event] = deque()
        self._refused: float | None = None  # monotonic seconds, when it was last

    @property
    def held(self) -> int:
        """Events that the outbox has not taken yet."""
        return len(self._held)

    def put(self, events: Sequence[Event] = ()) -> bool:
        """Whether the outbox has taken some: these, and those it had refused before them."""
        self._held += events
        while len(self._held) > self._most:
            self._held.popleft()
            self.lost += 1
        return (self._refused is None or time.monotonic() - self._refused >= _AGAIN) and self.offer()

    def offer(self) -> bool:
        """As `put`, however short a time ago it refused them."""
        if not self._held:
            return False
        try:
            self._outbox.put(tuple(self._held))
        except OutboxError as problem:
            if self._refused is None:
                log.error("%s; events are held in memory until it takes them", problem)
            self._refused = time.monotonic()
            return False
        if self._refused is not None:
            log.warning("%s: takes events again; %d had waited, %d were lost", self._outbox.path, self.held, self.lost)
        self._refused = None
        self._held.clear()
        return True
