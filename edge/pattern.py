"""Regular expressions that cannot keep the daemon busy: Python's backtrack, and some take years for a row of digits."""

import re
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

LONGEST = 64
"""Digits of a text that a pattern is asked about."""

_MOST = 1_000_000  # ways through a pattern: a fraction of a second


def bounded(pattern: str) -> re.Pattern[str]:
    """The compiled pattern. Raises ValueError, one line, where it is none, or might take too long for a text of
    `LONGEST` digits: repeats in repeats, or many parts of any length one after the other.
    """
    shown = repr(pattern if len(pattern) <= LONGEST else pattern[:LONGEST] + "...")
    try:
        compiled = re.compile(pattern)
        ways = _ways(parser.parse(pattern))
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"pattern {shown} is no regular expression ({error})") from None
    if ways > _MOST:
        raise ValueError(
            f"pattern {shown} may take very long; avoid repeats in repeats, (..|..)*, and more than three of * and +"
        )
    return compiled


def _ways(parts: Any) -> int:
    """In how many ways a text can be tried against the parts of a parsed pattern, up to where it is too many."""
    ways = 1
    for kind, argument in parts:
        ways = min(ways * _ways_of(str(kind), argument), _MOST + 1)
    return ways


def _ways_of(kind: str, argument: Any) -> int:
    """Of one part: a repeat's argument is how often at least and at most, and what; a branch's ends in a list of what
    there is to choose from; all others hold what has to fit one after the other.
    """
    if isinstance(argument, parser.SubPattern):
        return _ways(argument)
    if not isinstance(argument, tuple):
        return 1
    if kind.endswith("REPEAT"):
        low, high = (min(int(bound), LONGEST) for bound in argument[:2])
        inner = _ways(argument[2])
        return min((high - low + 1) * (inner**high if inner > 1 else 1), _MOST + 1)
    if kind == "BRANCH":
        return sum(_ways(choice) for choice in argument[1])
    ways = 1
    for part in argument:
        if isinstance(part, parser.SubPattern):
            ways = min(ways * _ways(part), _MOST + 1)
    return ways
