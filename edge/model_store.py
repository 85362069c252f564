"""Models that were promoted: a folder of them, and which one of each kind is in use.

The folder is all the state there is. `digits-0003.onnx` is the third model of single digits that was promoted; the one
with the highest number is in use, the shipped one where there is none. One that was taken back is
`digits-0003.taken-back.onnx`. Promoting links a complete, checked file to its name, and rolling back renames one: a
crash leaves what was before, or what is after. Models of whole rows are kept apart in the same way.
"""

import hashlib
import os
import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from edge.engine import EngineConfig, read_card, read_file
from edge.errors import ModelError, UsageError
from edge.imaging.normalise import SIDE
from edge.imaging.strip import HEIGHT
from edge.model_card import ModelCard
from edge.providers import AUTO
from edge.recogniser import Recogniser, default_model
from edge.sequence import BLANK, RowModel, shipped_row_model

Kind = Literal["digits", "rows"]
KINDS: tuple[Kind, ...] = get_args(Kind)

KEPT = 10
"""Models of a kind that the folder holds at most: those taken back go first, then the oldest."""

ALLOWED_FALL = 0.0005
"""By how much a promoted model's share right may be less than that of the one in use, on a test that both name: what
learning one hand may cost of all others.
"""

_NAME = re.compile(r"(digits|rows)-(\d{4,9})(\.taken-back)?\.onnx")
_ABANDONED = 3600.0  # seconds after which a file that is not complete is that of a process that died
_CPU = EngineConfig("cpu", threads=1)


@dataclass(frozen=True)
class Promoted:
    """A file of the folder. when: Unix seconds at which it was promoted."""

    kind: Kind
    number: int
    path: Path
    when: float
    taken_back: bool


@dataclass(frozen=True)
class Entry:
    """What there is to tell of a model. when: None of a shipped one; card, sha256: None where the file cannot be
    opened, and `problem` says why.
    """

    kind: Kind
    state: Literal["in use", "earlier", "taken back"]
    path: Path
    when: float | None
    sha256: str | None = None
    card: ModelCard | None = None
    problem: str | None = None


def default_folder() -> Path:
    """$DIGITD_MODELS, else digitd/models in $XDG_DATA_HOME, else in ~/.local/share."""
    if named := os.environ.get("DIGITD_MODELS"):
        return Path(named)
    home = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")  # noqa: PTH111  # never raises
    return Path(home, "digitd", "models")


def shipped(kind: Kind, provider: str = AUTO) -> Path:
    """The file that comes with the package and is read with, by that provider, where no other is named or promoted."""
    return default_model() if kind == "digits" else shipped_row_model(provider)


class ModelStore:
    """A folder of promoted models. It need not be there as long as nothing is promoted.

    What the folder does not let be done is a ModelError, in one line that says what, where and the mend.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or default_folder()

    def promoted(self, kind: Kind) -> list[Promoted]:
        """The files of a kind, those taken back too, in the order in which they were promoted."""
        with self._mendable("looked at"):
            try:
                return sorted(self._files(kind), key=lambda one: one.number)
            except FileNotFoundError:
                return []

    def in_use(self, kind: Kind) -> Path | None:
        """The promoted model that is read with; None where the shipped one is."""
        used = _in_use(self.promoted(kind))
        return used.path if used else None

    def promote(self, file: Path, force: bool = False) -> Promoted | None:
        """Take a copy of `file` into use from now on. None where that very model is in use already.

        Raises ModelError where it cannot be used, or reads worse than the one in use and nothing is forced.
        """
        sha256 = sha256_of(file)
        kind, card = examined(file)
        used = _entry(kind, self.in_use(kind) or shipped(kind), True)
        if used.sha256 == sha256:
            return None
        if used.card is not None and not force:  # a broken one is mended by promoting another
            _compare(file, card, used.card)
        with self._mendable("written"):
            self._make_folder()
            taken = self._taken_in(file, kind, sha256)
        self._tidy(kind)
        return taken

    def rollback(self, kind: Kind) -> Promoted:
        """Take back the model that is in use. Returns it. Raises UsageError where that is the shipped one."""
        while last := _in_use(self.promoted(kind)):
            path = last.path.with_suffix(f".taken-back{last.path.suffix}")
            with self._mendable("written"), suppress(FileNotFoundError):  # somebody else takes it back, too
                last.path.rename(path)
                _sync(self.folder)
                return replace(last, path=path, taken_back=True)
        raise UsageError(f"{kind}: none is promoted, the shipped model is in use; `digitd model list` shows all")

    def entries(self, kind: Kind) -> list[Entry]:
        """All models of a kind, newest first, the shipped one last."""
        promoted = self.promoted(kind)
        used = _in_use(promoted)
        told = [_entry(kind, one.path, one is used, one) for one in reversed(promoted)]
        return [*told, _entry(kind, shipped(kind), used is None)]

    def _files(self, kind: Kind) -> Iterator[Promoted]:
        for path in self.folder.iterdir():
            found = _NAME.fullmatch(path.name)
            if found and found[1] == kind:
                with suppress(FileNotFoundError):  # renamed since
                    yield Promoted(kind, int(found[2]), path, path.lstat().st_mtime, bool(found[3]))

    def _make_folder(self) -> None:
        """Whatever umask whoever promotes has, the service's user finds the way to it."""
        missing = [folder for folder in (self.folder, *self.folder.parents) if not folder.exists()]
        for folder in reversed(missing):
            folder.mkdir(exist_ok=True)  # somebody else makes it, too
            folder.chmod(0o755)
            _sync(folder.parent)

    def _taken_in(self, file: Path, kind: Kind, sha256: str) -> Promoted:
        """The file under its name, all of it on the disk before it has one."""
        with tempfile.NamedTemporaryFile(dir=self.folder, prefix=".", suffix=".part") as part:
            data = read_file(file)
            if hashlib.sha256(data).hexdigest() != sha256:
                raise ModelError(f"{file}: changed while it was looked at; promote it once it is complete")
            part.write(data)
            part.flush()
            Path(part.name).chmod(0o644)  # whoever promotes it, and has whatever umask, the service's user reads it
            os.fsync(part.fileno())
            while True:
                number = max((one.number for one in self._files(kind)), default=0) + 1
                path = self.folder / f"{kind}-{number:04}.onnx"
                with suppress(FileExistsError):  # somebody else promotes, too
                    os.link(part.name, path)
                    break
            _sync(self.folder)
            return Promoted(kind, number, path, path.stat().st_mtime, False)

    def _tidy(self, kind: Kind) -> None:
        """What cannot be deleted stays: that is no fault of what was promoted."""
        files = sorted(self.promoted(kind), key=lambda one: (not one.taken_back, one.number))
        for one in files[:-KEPT]:
            with suppress(OSError):
                one.path.unlink()
        for part in self.folder.glob(".*.part"):
            with suppress(OSError):
                if part.stat().st_mtime < time.time() - _ABANDONED:
                    part.unlink()

    @contextmanager
    def _mendable(self, done: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ModelError(
                f"{self.folder}: promoted models cannot be {done} there ({error.strerror or error}); "
                "let this user do so, or name another folder with DIGITD_MODELS"
            ) from None


def _in_use(promoted: Sequence[Promoted]) -> Promoted | None:
    return next((one for one in reversed(promoted) if not one.taken_back), None)


def kind_of(card: ModelCard) -> Kind:
    return "rows" if card.labels[0] == BLANK else "digits"


def examined(path: Path) -> tuple[Kind, ModelCard]:
    """Kind and card of a model file, opened and run once as it will be for reading. Raises ModelError."""
    card = read_card(path)
    kind = kind_of(card)
    with np.errstate(invalid="ignore"):
        answer = (
            RowModel(path, _CPU).log_probs([np.zeros((HEIGHT, 2 * HEIGHT), np.uint8)])[0]
            if kind == "rows"
            else Recogniser(path, _CPU).log_probs(np.zeros((1, SIDE, SIDE), np.uint8))
        )
    if not np.allclose(np.exp(answer.astype(np.float64)).sum(-1), 1, atol=1e-3):
        raise ModelError(f"{path}: its answers are no probabilities; train it again, and export it")
    return kind, card


def _compare(file: Path, card: ModelCard, used: ModelCard) -> None:
    """Raises ModelError where the card names a test that the one in use does better."""
    worse = [
        f"{test} {share:.2%} against {used.accuracies[test]:.2%}"
        for test, share in card.accuracies.items()
        if test in used.accuracies and share < used.accuracies[test] - ALLOWED_FALL - 1e-9
    ]
    if worse:
        raise ModelError(
            f"{file}: reads worse than {used.name}, which is in use: {', '.join(worse)}; "
            "train it further, or promote it all the same with --force"
        )


def _entry(kind: Kind, path: Path, used: bool, one: Promoted | None = None) -> Entry:
    state: Literal["in use", "earlier", "taken back"]
    state = "in use" if used else "taken back" if one is not None and one.taken_back else "earlier"
    when = None if one is None else one.when
    try:
        return Entry(kind, state, path, when, sha256_of(path), read_card(path))
    except ModelError as error:
        return Entry(kind, state, path, when, problem=str(error))


def sha256_of(path: Path) -> str:
    return hashlib.sha256(read_file(path)).hexdigest()


def _sync(folder: Path) -> None:
    """Has the folder's names on the disk, where the system knows of such."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
