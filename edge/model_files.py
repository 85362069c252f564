"""Which model files a command or the daemon reads with: those that are named, else promoted ones, else the shipped."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edge.engine import EngineConfig
from edge.errors import ModelError
from edge.model_store import ModelStore
from edge.recogniser import TUNED_ABOVE

if TYPE_CHECKING:
    from edge.reader import Reader


@dataclass(frozen=True)
class ModelFiles:
    """digits, rows: of single digits, of whole rows; None for the one in use. tuned, tuned_above: as `Reader` takes
    them.
    """

    digits: Path | None = None
    rows: Path | None = None
    tuned: Path | None = None
    tuned_above: float = TUNED_ABOVE

    def chosen(self) -> "ModelFiles":
        """With the promoted models where none is named; None is left for shipped ones. Raises ModelError where their
        folder cannot be looked at.
        """
        store = ModelStore()
        return replace(self, digits=self.digits or store.in_use("digits"), rows=self.rows or store.in_use("rows"))

    def reader(self, engine: EngineConfig) -> "Reader":
        """Raises ModelError, ProviderError; ModelError also where models are named that do not go together."""
        from edge.reader import Reader

        files = self.chosen()
        try:
            reader = Reader(files.digits, engine, files.rows, tuned=files.tuned, tuned_above=files.tuned_above)
        except ModelError as error:
            for kind, named, chosen in (("digits", self.digits, files.digits), ("rows", self.rows, files.rows)):
                if named is None and chosen is not None and str(error).startswith(f"{chosen}: "):
                    raise ModelError(f"{error}, or take it back by `digitd model rollback {kind}`") from None
            raise
        if self.rows is not None and reader.row_model is None:
            raise ModelError(
                f"{self.rows}: its labels are not those of the model of single digits ({reader.recogniser.card.name}); "
                "name one that goes with it, or none of whole rows"
            )
        return reader
