"""Which model files a command or the daemon reads with: those that are named, else promoted ones, else the shipped."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge.engine import EngineConfig
from edge.errors import ModelError
from edge.model_store import ModelStore, shipped
from edge.recogniser import TUNED_ABOVE

if TYPE_CHECKING:
    from edge.reader import Reader

_Stamp = tuple[int, int, int] | None


@dataclass(frozen=True)
class ModelFiles:
    """digits, rows: of single digits, of whole rows; None for the one in use. tuned, tuned_above: as `Reader` takes
    them.
    """

    digits: Path | None = None
    rows: Path | None = None
    tuned: Path | None = None
    tuned_above: float = TUNED_ABOVE

    def chosen(self) -> "Chosen":
        """With the promoted models where none is named. Raises ModelError where their folder cannot be looked at."""
        store = ModelStore()
        digits, rows = self.digits or store.in_use("digits"), self.rows or store.in_use("rows")
        stamps = (_stamp(digits or shipped("digits")), _stamp(rows or shipped("rows")))
        return Chosen(self, digits, rows, (*stamps, _stamp(self.tuned) if self.tuned else None))

    def reader(self, engine: EngineConfig) -> "Reader":
        """As `Chosen.reader`."""
        chosen = self.chosen()
        try:
            return chosen.reader(engine)
        except ModelError:
            if (now := self.chosen()) == chosen:
                raise
            return now.reader(engine)  # one was promoted or taken back in this very moment


@dataclass(frozen=True)
class Chosen:
    """digits, rows: the files to read with; None for shipped ones. stamps: of all files, as they lie there, so that
    what is chosen is another choice where one was written anew in its place.
    """

    named: ModelFiles
    digits: Path | None
    rows: Path | None
    stamps: tuple[_Stamp, ...]

    def reader(self, engine: EngineConfig) -> "Reader":
        """Raises ModelError, ProviderError; ModelError also where models are named that do not go together."""
        from edge.reader import Reader

        named = self.named
        try:
            reader = Reader(self.digits, engine, self.rows, tuned=named.tuned, tuned_above=named.tuned_above)
        except ModelError as error:
            for kind, asked, chosen in (("digits", named.digits, self.digits), ("rows", named.rows, self.rows)):
                if asked is None and chosen is not None and str(error).startswith(f"{chosen}: "):
                    raise ModelError(f"{error}, or take it back by `digitd model rollback {kind}`") from None
            raise
        if named.rows is not None and reader.row_model is None:
            raise ModelError(
                f"{named.rows}: its labels are not those of the model of single digits "
                f"({reader.recogniser.card.name}); name one that goes with it, or none of whole rows"
            )
        return reader


def _stamp(path: Path) -> _Stamp:
    """None where there is no such file: that it cannot be opened is said when it is."""
    try:
        about = path.stat()
    except (OSError, ValueError):  # ValueError: a name with a NUL
        return None
    return about.st_ino, about.st_size, about.st_mtime_ns
