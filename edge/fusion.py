"""What several looks at one row say together: log-probabilities of texts, summed, tempered and slowly forgotten."""

import math
from dataclasses import dataclass, field

from edge.row import UNREADABLE, Row

# Chosen on the validation split of `benchmarks.shaky`.
_KEPT = 0.85  # of what earlier looks said, with each new one
_FLOOR = -7.0  # natural logarithm of the least probability that one look gives a text
_EXPONENT = 0.4  # looks count as this power of their number: those at one row err alike
_UNREAD = 1.0  # for a text with `?`, which is better than none, but not than any that can be read

_MOST = 32  # texts that are remembered


@dataclass
class Evidence:
    """Of one row. Logarithms are natural ones, and relative to a text that no look proposed."""

    _sums: dict[str, float] = field(default_factory=dict)
    _looks: float = 0.0

    def add(self, row: Row) -> None:
        """What one look at the row says.

        Where a digit could not be read it says nothing for or against texts that it fits; it speaks for itself, little,
        where none of those is known that it fits.
        """
        if UNREADABLE in row.text:
            if any(fits(row.text, text) for text in self._sums if UNREADABLE not in text):
                return
            said = {row.text: _UNREAD}
        else:
            said = _relative(row)
        self._looks = _KEPT * self._looks + 1
        sums = {text: _KEPT * one for text, one in self._sums.items()}
        for text, one in said.items():
            sums[text] = sums.get(text, 0.0) + one
        self._sums = dict(sorted(sums.items(), key=lambda item: (-item[1], item[0]))[:_MOST])

    def texts(self, count: int = 8) -> tuple[tuple[str, float], ...]:
        """Up to `count` texts with their log-probabilities, likeliest first; at least one once a look was added.

        n looks count as n ** 0.4: frames of a row err alike, and many that are half sure do not make it certain.
        """
        power = self._looks ** (_EXPONENT - 1) if self._looks else 1.0
        scores = {text: one * power for text, one in self._sums.items()}
        most = max(scores.values(), default=0.0)
        total = most + math.log(sum(math.exp(one - most) for one in scores.values()) + math.exp(-most))
        return tuple((text, one - total) for text, one in list(scores.items())[:count])


def fits(unread: str, text: str) -> bool:
    """Whether `text` is what `unread` says, with one digit for each `?`."""
    return len(unread) == len(text) and all(one in (UNREADABLE, two) for one, two in zip(unread, text, strict=True))


def _relative(row: Row) -> dict[str, float]:
    """By how much likelier than one that it did not propose a look finds each text.

    What the proposed ones leave of certainty is that of all others together.
    """
    told = dict(row.alternatives) or {row.text: math.log(max(row.confidence, 1e-9))}
    shares = {text: math.exp(min(one, 0.0)) for text, one in told.items() if UNREADABLE not in text}
    known = sum(shares.values())
    shares = {text: share / max(known, 1.0) for text, share in shares.items()}
    floor = max(math.log(max(1 - known, 1e-9)), _FLOOR)
    relative = {text: math.log(max(share, 1e-9)) - floor for text, share in shares.items()}
    return {text: one for text, one in relative.items() if one > 0 or text == row.text}
