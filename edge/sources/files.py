"""From the paths of a command line to the files they mean: folders listed, patterns expanded, nothing opened
yet.
"""

import glob
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

PICTURES = frozenset((".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".tif", ".tiff", ".webp", ".bmp", ".dib", ".gif")) | {
    ".jp2",
    ".j2k",
    ".avif",
    ".pnm",
    ".pbm",
    ".pgm",
    ".ppm",
}
VIDEOS = frozenset((".avi", ".mp4", ".m4v", ".mkv", ".mov", ".webm"))
STDIN = "-"


@dataclass(frozen=True, slots=True)
class Found:
    """name: as the user knows it. error: why there is no file behind it, without the name; None for a
    file.
    """

    name: str
    error: str | None = None

    @property
    def is_video(self) -> bool:
        return _suffix(self.name) in VIDEOS


def find(paths: Sequence[str], recursive: bool = False) -> Iterator[Found]:
    """The files that `paths` mean, in their order; within a folder or a pattern in natural order (2 before
    10).

    A path is a file (taken whatever its name), a folder (its pictures and videos by extension, hidden ones
    left out; those of the folders below with `recursive`), a pattern with *, ?, [] or **, or `-` for
    standard input. What leads to no file is one Found with its error.
    """
    for path in paths:
        if path == STDIN:
            yield Found(path)
        elif os.path.isdir(path):  # noqa: PTH112  # a name that is no Path, as "", is answered too
            yield from _folder(path, recursive)
        elif os.path.lexists(path):
            yield Found(path)
        elif glob.has_magic(path):
            yield from _pattern(path)
        else:
            yield Found(path, "no such file or folder; check the name")


def _folder(path: str, recursive: bool) -> Iterator[Found]:
    any_found = False
    for found in _listed(path, recursive):
        any_found = True
        yield found
    if not any_found:
        mend = "name another folder" if recursive else "name another folder, or add --recursive for those below"
        yield Found(path, f"a folder without pictures; {mend}")


def _listed(path: str, recursive: bool) -> Iterator[Found]:
    try:
        with os.scandir(path) as entries:
            visible = [entry for entry in entries if not entry.name.startswith(".")]
    except OSError as error:
        yield Found(path, f"the folder cannot be listed ({error.strerror}); check its permissions")
        return
    visible.sort(key=lambda entry: natural(entry.name))
    for entry in visible:
        if _suffix(entry.name) in PICTURES | VIDEOS and entry.is_file():
            yield Found(entry.path)
    if recursive:
        for entry in visible:
            if entry.is_dir(follow_symlinks=False):  # a link to a folder above would never end
                yield from _listed(entry.path, recursive)


def _pattern(pattern: str) -> Iterator[Found]:
    files = [path for path in glob.iglob(pattern, recursive=True) if os.path.isfile(path)]  # noqa: PTH113, PTH207
    # A pattern as wide as `scans/*` is not meant for the notes beside the scans; one like `*.dat` is.
    known = [path for path in files if _suffix(path) in PICTURES | VIDEOS]
    if not files:
        yield Found(pattern, "the pattern matches no file; check it, and that it is quoted")
    for path in sorted(known or files, key=natural):
        yield Found(path)


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122


def natural(name: str) -> tuple[list[tuple[int, str]], str]:
    """What names are sorted by so that 2 comes before 10."""
    parts = re.split(r"([0-9]+)", name.casefold())
    return [(int(part), "") if part.isdecimal() else (0, part) for part in parts], name
