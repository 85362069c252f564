"""Whether a reading can be true, by what is known of its field: how it looks, and how it changes."""

from dataclasses import dataclass
from typing import Literal

from edge.config import FieldConfig
from edge.pattern import LONGEST, bounded
from edge.row import UNREADABLE

_HOUR = 3600.0
_ROLLED = 10
"""A counter is taken to have rolled over where it went on by at most this part of all it can show: else each misreading
that is too low would be a roll-over.
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """text: what is to be taken for true, "" where nothing is; why: the rule that is broken, its bound and the value,
    one line; None where none is.
    """

    text: str
    status: Literal["ok", "implausible"]
    why: str | None = None


@dataclass(frozen=True, slots=True)
class _Value:
    text: str
    time: float


class FieldRules:
    """The rules of one field, and what was last taken for true there.

    `judge` is asked about a row's text each time it settles; and while an implausible one stands there, again for each
    later look that reads the same, at most once a frame: so a true value is taken after `confirm` more looks even if it
    never changes, and a false one that was taken cannot lock the field.
    """

    def __init__(self, config: FieldConfig) -> None:
        self._config = config
        self._pattern = bounded(config.pattern) if config.pattern is not None else None
        self._numeric = config.rising or config.max_rate is not None
        self._last: _Value | None = None
        self._doubted: _Value | None = None  # the last of a sequence of implausible readings that fit each other
        self._confirmed = 0  # how many these are

    @property
    def last(self) -> tuple[str, float] | None:
        """What was last taken for true and when, to be kept for `restore`."""
        return (self._last.text, self._last.time) if self._last else None

    def restore(self, text: str, time: float) -> None:
        """Take `text`, read at `time`, for what was last taken for true; unless the rules forbid it by now."""
        if self._absolute(text) is None:
            self._last, self._doubted, self._confirmed = _Value(text, time), None, 0

    def judge(self, text: str, time: float) -> Verdict:
        """text: digits, `?` for one that could not be read; time: Unix seconds.

        What breaks a rule about itself alone, length, pattern, range, or has a `?`, is implausible always, and neither
        confirms an implausible reading before it nor speaks against it. What does not go with the last value that was
        taken for true is implausible until `confirm` such readings have gone with each other; the next that does is
        taken.
        """
        why = self._absolute(text)
        if why is not None:
            return Verdict("", "implausible", why)
        now = _Value(text, time)
        why = self._relative(self._last, now) if self._last else None
        if why is not None:
            fits = self._doubted is not None and self._relative(self._doubted, now) is None
            confirmed = self._confirmed if fits else 0
            if confirmed < self._config.confirm:
                self._doubted, self._confirmed = now, confirmed + 1
                return Verdict("", "implausible", why)
        self._last, self._doubted, self._confirmed = now, None, 0
        return Verdict(text, "ok")

    def _absolute(self, text: str) -> str | None:
        """The rule about a reading by itself that it breaks."""
        config = self._config
        if len(text) > LONGEST:
            return f"length: at most {LONGEST} digits can be judged, {len(text)} were read"
        if not text:
            return "unreadable: no digits were read"
        if UNREADABLE in text:
            return f"unreadable: {text} has a digit that could not be read"
        if config.length is not None and len(text) != config.length:
            return f"length: {config.length} digits wanted, {text} has {len(text)}"
        if self._pattern is not None and self._pattern.fullmatch(text) is None:
            return f"pattern: {text} does not match {config.pattern!r}"
        if not (self._numeric or config.minimum is not None or config.maximum is not None):
            return None
        if not (text.isascii() and text.isdigit()):
            return f"number: {text!r} is none"
        if config.minimum is not None and int(text) < config.minimum:
            return f"minimum: {text} is less than {config.minimum:.12g}"
        if config.maximum is not None and int(text) > config.maximum:
            return f"maximum: {text} is more than {config.maximum:.12g}"
        return None

    def _relative(self, before: _Value, now: _Value) -> str | None:
        """The rule about how a field changes that a reading breaks after the one `before`."""
        if not self._numeric:
            return None
        config = self._config
        change = self._change(int(before.text), int(now.text))
        if config.rising and change < 0:
            return f"rising: {now.text} is less than {before.text} before"
        if config.max_rate is None:
            return None
        # One more than that, as a counter may be about to move: a moment later it has moved by one in no time.
        most = config.max_rate * max(now.time - before.time, 0.0) / _HOUR + 1
        if abs(change) > most:
            bound = f"{most:.12g} in {max(now.time - before.time, 0.0):.0f} s at {config.max_rate:.12g} an hour"
            return f"max_rate: {now.text} is {abs(change)} from {before.text} before, at most {bound}"
        return None

    def _change(self, before: int, now: int) -> int:
        """By how much a field has changed; forward over 99...9 where it rolls over, backward too where it may fall."""
        change = now - before
        if not self._config.roll_over or self._config.length is None:
            return change
        round_ = int(10**self._config.length)
        forward = change % round_
        if self._config.rising:
            return forward if change < 0 and forward * _ROLLED <= round_ else change
        return forward if forward * 2 <= round_ else forward - round_
