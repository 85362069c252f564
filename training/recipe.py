"""A recipe: everything that decides what a training run gives, in one TOML file."""

import hashlib
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)

from edge.errors import ConfigError

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Mix(_Part):
    """How many samples of each kind make one batch."""

    mnist: Count = 192
    strokes: Annotated[int, Field(ge=0)] = 32
    hands: Annotated[int, Field(ge=0)] = 0
    parts: Annotated[int, Field(ge=0)] = 40
    pairs: Annotated[int, Field(ge=0)] = 16
    marks: Annotated[int, Field(ge=0)] = 20
    lines: Annotated[int, Field(ge=0)] = 4

    @property
    def total(self) -> int:
        return self.mnist + self.strokes + self.hands + self.parts + self.pairs + self.marks + self.lines


class Network(_Part):
    width: Count = 32
    dropout: Share = 0.4


class Optimiser(_Part):
    """AdamW with one cycle of the learning rate (Smith and Topin 2018); `average` is the weights' moving average."""

    rate: Positive = 3e-3
    decay: Annotated[float, Field(ge=0)] = 0.05
    warm_up: Share = 0.15
    average: Share = 0.998
    begun: Share = 0.0
    """Of the weights a run began with, in those that it keeps, so that what it learns does not cost what the one before
    had learnt: Wortsman et al., "Robust fine-tuning of zero-shot models", 2022.
    """

    @model_serializer(mode="wrap")
    def _as_before(self, fields: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without what came later, where it is not used: so a recipe's hash, which models' cards name, stays what it
        was.
        """
        return {key: value for key, value in fields(self).items() if value or key != "begun"}


Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]


class Recipe(_Part):
    """Of a network of single digits."""

    reads: Literal["digits"] = "digits"
    name: Name
    epochs: Count = 24
    seed: int = 1
    validation: Share = 0.1
    """Share of MNIST's training writers held out to choose by."""
    plain: Share = 0.1
    """Share of MNIST's digits shown as they are."""
    gentle: Share = 0.5
    """Share of MNIST's digits bent a little; the rest are bent, redrawn and photographed."""
    reject_weight: Positive = 0.3
    """What a sample that is no digit counts for in the loss, where a digit counts 1. The mix holds many of them, for
    their variety, and many look like digits; at equal weight, on held-out writers half of the digits got wrong were
    taken for rejects.
    """
    mix: Mix = Mix()
    network: Network = Network()
    optimiser: Optimiser = Optimiser()

    @property
    def sha256(self) -> str:
        return _sha256(self)


class Writers(_Part):
    """Shares of the rows that each kind of writer writes."""

    mnist: Share = 0.45
    hands: Share = 0.17
    strokes: Share = 0.23
    fonts: Share = 0.15
    cells: Share = 0.0
    """Photographed digits: of sudokus, LCD displays, meters."""
    displays: Share = 0.0
    """Drawn displays of seven segments."""

    @model_serializer(mode="wrap")
    def _as_before(self, fields: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without the kinds that came later, where they write nothing, as `Optimiser` does."""
        return {kind: share for kind, share in fields(self).items() if share or kind not in {"cells", "displays"}}


class RowRecipe(_Part):
    """Of a network of whole rows."""

    reads: Literal["rows"]
    name: Name
    strips: Count = 100_000
    """Different rows in stock. Each is shown slanted, widened and lit anew."""
    epochs: Count = 7
    batch: Count = 48
    seed: int = 0
    split: int = 1
    """Seed by which writers are held out: that of the digits' recipe, so that the same are."""
    validation: Share = 0.1
    """Share of MNIST's training writers, of the other sets' digits and of the fonts held out to choose by."""
    writers: Writers = Writers()
    hands: Annotated[int, Field(ge=0)] = 1500
    """How many writers of the stroke model there are."""
    fonts: tuple[Path, ...] = (Path("/usr/share/fonts"),)
    """Folders of TrueType and OpenType fonts."""
    width: Count = 32
    optimiser: Optimiser = Optimiser(rate=2e-3, decay=0.02, warm_up=0.06, average=0.999)

    @property
    def sha256(self) -> str:
        return _sha256(self)


def _sha256(recipe: Recipe | RowRecipe) -> str:
    return hashlib.sha256(recipe.model_dump_json().encode()).hexdigest()


def load(path: Path) -> Recipe | RowRecipe:
    """Raises ConfigError that names the file, the key and what is wrong with it."""
    try:
        fields = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: recipe cannot be read ({error.strerror}); see configs/recipes") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML ({error})") from None
    try:
        return (RowRecipe if fields.get("reads") == "rows" else Recipe).model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"{path}: {key}: {first['msg'].lower()}; see training/recipe.py for what may stand there"
        ) from None
