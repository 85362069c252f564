"""Text on its way out, to terminals and files.

A path may hold bytes that are no UTF-8. Python carries them as lone surrogates; everything goes out through
`backslashreplace`, which turns one into `\\udcXX`: in JSON the very escape that gives the same path back.
"""

import unicodedata

ENCODING = "utf-8"
ENCODING_ERRORS = "backslashreplace"
_UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")  # control, format, surrogate, line and paragraph separator


def printable(text: str) -> str:
    """One line that moves no cursor: control characters of a file's name shown as escapes."""
    return "".join(_escaped(char) if unicodedata.category(char) in _UNSEEN else char for char in text)


def _escaped(char: str) -> str:
    return char.encode("ascii", ENCODING_ERRORS).decode("ascii") if ord(char) > 127 else f"\\x{ord(char):02x}"
