"""What several looks at one row say together: log-probabilities of texts, summed, tempered and slowly forgotten."""

import math
from dataclasses import dataclass, field

from edge.row import UNREADABLE, Row

# By rows right and how far confidence is off, on 160 videos of `benchmarks.shaky --split validation`, made with a worse
# hand, smeared up to twice as long: what is kept from 0.8 to 0.93, floors from -3 to -9, 0.15 to 0.6 of the doubt and
# exponents from 0.2 to 0.4 read as many rows rightly; of the exponents 0.25 is off by 0.03, 0.4 by 0.05.
_KEPT = 0.85  # of what earlier looks said, with each new one that is sure
_FLOOR = -5.0  # natural logarithm of the least probability that one look gives a text
_UNHEARD = 0.3  # of the doubt a look leaves: for a text it did not propose, as blur hides the true one from it
_SURE = 5.0  # by how much likelier than an unheard one a sure look finds its text
_EXPONENT = 0.25  # sure looks count as this power of their number
_UNREAD = 1.0  # for a text with `?`, which is better than none, but not than any that can be read

_LEAST = -40.0  # of a sum; what says a text is unlikely displaces nothing, and so would add up for ever
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
        # What says little is to displace and to dilute little.
        weight = min(max(0.0, *said.values()) / _SURE, 1.0)
        kept = 1 - (1 - _KEPT) * weight
        self._looks = kept * self._looks + weight
        sums = {text: kept * one for text, one in self._sums.items()}
        for text, one in said.items():
            sums[text] = max(sums.get(text, 0.0) + one, _LEAST)
        self._sums = dict(sorted(sums.items(), key=lambda item: (-item[1], item[0]))[:_MOST])

    def texts(self, count: int = 8) -> tuple[tuple[str, float], ...]:
        """Up to `count` texts with their log-probabilities, likeliest first.

        n sure looks count as n ** 0.25: those at one row err alike, and many that are half sure do not make it certain.
        """
        power = max(self._looks, 1.0) ** (_EXPONENT - 1)
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
    doubt = max(1 - max(shares.values(), default=0.0), 1e-9)
    floor = max(math.log(max(1 - known, 1e-9)), math.log(_UNHEARD * doubt), _FLOOR)
    relative = {text: max(math.log(max(share, 1e-9)) - floor, _FLOOR) for text, share in shares.items()}
    return {text: one for text, one in relative.items() if one > 0 or text == row.text}
