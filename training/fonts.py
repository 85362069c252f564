"""Which fonts can draw a set of labels, and what stands for those that none can."""

from collections.abc import Iterable, Iterator, Sequence

from matplotlib import font_manager
from matplotlib.ft2font import FT2Font

DEFAULT = "DejaVu Sans"  # comes with matplotlib

_EVERYTHING = ("Last Resort", "Adobe NotDef", "Adobe Blank", "Unicode BMP Fallback")
"""Fonts that draw a box, or nothing, for every character there is."""

_LONGEST = 12  # characters of a label on a plot


def drawable(labels: Sequence[str]) -> tuple[list[str], list[str]]:
    """(texts, families): what to write on a plot for each label, and the font families that draw it, for matplotlib.

    A character that the default font lacks is looked for in the fonts of this machine. A label with one that no font
    has, or that cannot be seen, becomes its code points, as U+4E00; a long label is cut.
    """
    wanted = {char for label in labels for char in label if char.isprintable()}
    families, missing = [DEFAULT], wanted - covered(_path(DEFAULT), wanted)
    while missing:
        best = max(_candidates(missing), key=lambda found: (len(found[1]), found[0]), default=None)
        if best is None:
            break
        families.append(best[0])
        missing -= best[1]
    drawn = wanted - missing
    return [_text(label, drawn) for label in labels], families


def covered(path: str, chars: Iterable[str]) -> set[str]:
    """Those of `chars` that the font file draws; none where it cannot be read."""
    try:
        font = FT2Font(path)
    except (OSError, RuntimeError):
        return set()
    return {char for char in chars if font.get_char_index(ord(char))}


def _candidates(chars: set[str]) -> Iterator[tuple[str, set[str]]]:
    """Families that draw some of `chars`, by the face that matplotlib takes of them."""
    manager = font_manager.fontManager
    known = {entry.fname for entry in manager.ttflist}
    # matplotlib keeps its list of fonts for good: what was installed since is not on it.
    for path in sorted({*known, *font_manager.findSystemFonts()}):
        if not covered(path, chars):
            continue
        if path not in known:
            manager.addfont(path)
        family = next(entry.name for entry in manager.ttflist if entry.fname == path)
        if not family.startswith(_EVERYTHING) and (drawn := covered(_path(family), chars)):
            yield family, drawn


def _path(family: str) -> str:
    return str(font_manager.findfont(font_manager.FontProperties(family=[family])))


def _text(label: str, drawn: set[str]) -> str:
    if not set(label) <= drawn:
        label = " ".join(f"U+{ord(char):04X}" for char in label[: _LONGEST // 4])
    elif len(label) > _LONGEST:
        label = f"{label[: _LONGEST - 1]}…"
    return label
