"""A folder of a user's own pictures: what lies where, and how it is made.

0/ ... 9/       pictures of one label each
ROW_1234.jpg    a row of digits that says 1234; here or in rows/
labels.tsv      file, tab, digits of rows whose pictures have other names; here or in rows/
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.errors import UsageError
from edge.sources.files import PICTURES, VIDEOS, natural
from edge.text import printable

ROWS = "rows"
LABELS_FILE = "labels.tsv"
README = "README.txt"

_ROW_NAME = re.compile(r"row_([^\s_()\-.]+)(?:[\s_(\-.].*)?", re.IGNORECASE | re.DOTALL)
_LARGEST_TSV = 4 << 20  # bytes
_LONGEST_ROW = 64  # digits
_OTHERS = VIDEOS | {".heic", ".heif", ".pdf", ".svg", ".psd"}  # looked at to say what they are and what to do

_README = """\
Pictures of your handwriting
============================

Put pictures of your digits into the folders {first} to {last}: pictures of sevens into the folder 7, and so on.
Any camera or scanner will do, and any of JPEG, PNG, WebP or TIFF.

How many   20 pictures of each are a good start, 2 the least. More of those that are read wrongly help most.
What       One digit on a picture, dark on light or light on dark, with paper all round it. Several are fine, too,
           if they stand well apart and all are the same digit.
How        Write with the pen and on the paper that you will use. Hold the camera straight above, let the digit be
           at least a tenth of the picture high, and keep fingers, edges and shadows away from it.

Rows       A picture of a whole row is as good: name it for what it says, ROW_1234.jpg, and put it here or into the
           folder {rows}. A second one that says the same is ROW_1234_2.jpg.
           Or keep its name and write a file {tsv} beside it: on each line the picture's name, a tab, and
           the digits.

Take several pictures of each digit, not one: some are kept back to see how well your hand has been learnt.
"""


@dataclass(frozen=True)
class Listing:
    """labelled: pictures of one label; rows: pictures with what their rows say, top to bottom; names: the labels, in
    order; problems: a line for each picture that was passed over.
    """

    labelled: tuple[tuple[Path, str], ...]
    rows: tuple[tuple[Path, tuple[str, ...]], ...]
    names: tuple[str, ...]
    problems: tuple[str, ...]


def init(folder: Path, labels: Sequence[str]) -> None:
    """Makes a folder for each label, one for rows, and a README.txt that says what to put in. What is there stays.

    Raises UsageError where that cannot be done.
    """
    text = _README.format(first=labels[0], last=labels[-1], rows=ROWS, tsv=LABELS_FILE)
    try:
        for name in (*labels, ROWS):
            (folder / name).mkdir(parents=True, exist_ok=True)
        with (folder / README).open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        if Path(error.filename) != folder / README:
            raise UsageError(f"{_shown(error.filename)}: is a file; move it, or name another folder") from None
    except OSError as error:
        raise UsageError(
            f"{_shown(error.filename or folder)}: cannot be made ({error.strerror}); name another"
        ) from None


def listing(folder: Path, labels: Sequence[str] | None = None, new_labels: bool = False) -> Listing:
    """What a folder holds; no picture is opened.

    labels: the base model's, in its order; None takes those that the folder shows, sorted. new_labels: whether others
    may be there, too; they come after. Raises UsageError in one line.
    """
    entries = _entries(folder)
    problems: list[str] = []
    named = {_label(entry.name): _pictures(entry) for entry in entries if entry.is_dir() and not _is_rows(entry)}
    # A folder without pictures is nobody's label, unless it is one of the model's.
    named = {name: pictures for name, pictures in named.items() if pictures}
    rows: list[tuple[Path, tuple[str, ...]]] = []
    for place in (folder, *(entry for entry in entries if entry.is_dir() and _is_rows(entry))):
        rows += _rows(place, problems)
    spelt = {label for _, texts in rows for text in texts for label in text}
    unknown = sorted(set(named) - set(labels), key=natural) if labels is not None else []
    if unknown and not new_labels and labels is not None:
        raise UsageError(
            f"{_shown(folder / unknown[0])}: the folder's name is none of the model's labels, {' '.join(labels)}; "
            "rename it, move it away, or allow new labels"
        )
    if labels is None:
        names = tuple(sorted(set(named) | spelt, key=natural))
    else:
        new = (set(named) | spelt) - set(labels) if new_labels else set()
        names = (*labels, *sorted(new, key=natural))
    kept = []
    for path, texts in rows:
        strange = sorted({label for text in texts for label in text} - set(names))
        if strange:
            said = printable(" and ".join(texts))
            problems.append(
                f"{_shown(path)}: its row is said to be {said}, and {printable(strange[0])} is none of the labels, "
                f"{' '.join(names)}; correct that"
            )
        else:
            kept.append((path, texts))
    order = {name: i for i, name in enumerate(names)}
    labelled = [(path, name) for name in sorted(named, key=lambda name: order[name]) for path in named[name]]
    if not labelled and not kept and not problems:
        raise UsageError(
            f"{_shown(folder)}: no pictures; put some of each digit into folders 0 to 9, or rows as ROW_123.jpg"
        )
    return Listing(tuple(labelled), tuple(kept), names, tuple(problems))


def _entries(folder: Path) -> list[Path]:
    """What is in a folder, in natural order, hidden things left out."""
    try:
        found = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    except FileNotFoundError:
        raise UsageError(f"{_shown(folder)}: no such folder; check the name, or make it with --init") from None
    except NotADirectoryError:
        raise UsageError(f"{_shown(folder)}: is no folder; name the one that holds the folders of pictures") from None
    except OSError as error:
        raise UsageError(f"{_shown(folder)}: cannot be listed ({error.strerror}); check its permissions") from None
    return sorted(found, key=lambda entry: natural(entry.name))


def _pictures(folder: Path) -> list[Path]:
    return [entry for entry in _entries(folder) if entry.suffix.lower() in PICTURES | _OTHERS and entry.is_file()]


def _is_rows(folder: Path) -> bool:
    return folder.name.casefold() == ROWS


def _label(name: str) -> str:
    """A folder's name as a label: composed, as macOS has it decomposed."""
    return unicodedata.normalize("NFC", name)


def _rows(folder: Path, problems: list[str]) -> list[tuple[Path, tuple[str, ...]]]:
    """The pictures of rows in one folder, with what they say."""
    table = _table(folder / LABELS_FILE, problems)
    rows = [(path, tuple(texts)) for path, texts in table.items()]
    for path in _pictures(folder):
        if path in table:
            continue
        name = _ROW_NAME.fullmatch(unicodedata.normalize("NFC", path.stem))
        if name is None:
            problems.append(
                f"{_shown(path)}: nothing says what it shows; put it into the folder of its digit, or name it ROW_ and "
                "the digits of its row"
            )
        elif len(name[1]) > _LONGEST_ROW:
            problems.append(f"{_shown(path)}: names more than {_LONGEST_ROW} digits; cut the picture into parts")
        else:
            rows.append((path, (name[1],)))
    return rows


def _table(path: Path, problems: list[str]) -> dict[Path, list[str]]:
    """What labels.tsv says, where there is one."""
    if not path.is_file():
        return {}
    try:
        if path.stat().st_size > _LARGEST_TSV:
            raise UsageError(f"{_shown(path)}: over {_LARGEST_TSV >> 20} MiB; leave only the lines of these pictures")
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise UsageError(f"{_shown(path)}: cannot be read ({reason}); save it as text in UTF-8") from None
    table: dict[Path, list[str]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        name, tab, digits = line.partition("\t")
        name, digits = name.strip(), unicodedata.normalize("NFC", "".join(digits.split()))
        picture = path.parent / name
        if tab and digits and len(digits) <= _LONGEST_ROW and name and "\0" not in name and picture.is_file():
            table.setdefault(picture, []).append(digits)
        elif number > 1 or picture.suffix.lower() in PICTURES:  # the first may be a header
            problems.append(f"{_shown(path)}, line {number}: {_fault(name, tab, digits)}")
    return table


def _fault(name: str, tab: str, digits: str) -> str:
    if not tab:
        return "no tab; write the picture's name, a tab, and the digits of its row"
    if not digits:
        return "no digits behind the tab; write those of the picture's row"
    if len(digits) > _LONGEST_ROW:
        return f"more than {_LONGEST_ROW} digits; cut the picture into parts"
    return f"no picture {printable(name)!r} beside it; correct the name"


def _shown(path: object) -> str:
    return printable(str(path))
