"""A recipe: everything that decides what a training run gives, in one TOML file."""

import hashlib
import tomllib
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from edge.errors import ConfigError
from training.crop_augment import CropAugmentation

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Some = Annotated[int, Field(ge=0)]

SHIPPED = Path(__file__).parents[1] / "configs" / "recipes"
"""The recipes that come with the project."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    later: ClassVar[frozenset[str]] = frozenset()
    """Keys that came after models were trained, left out where they are at their default: so a recipe's hash, which
    models' cards name, stays what it was.
    """

    @model_serializer(mode="wrap")
    def _as_before(self, fields: SerializerFunctionWrapHandler) -> dict[str, Any]:
        own = type(self).model_fields
        return {
            key: value
            for key, value in fields(self).items()
            if key not in self.later or getattr(self, key) != own[key].get_default(call_default_factory=True)
        }


class Mix(_Part):
    """How many samples of each kind make one batch."""

    mnist: Count = 192
    strokes: Some = 32
    hands: Some = 0
    parts: Some = 40
    pairs: Some = 16
    marks: Some = 20
    lines: Some = 4

    @property
    def total(self) -> int:
        return self.mnist + self.strokes + self.hands + self.rejects

    @property
    def rejects(self) -> int:
        """Samples that may be no digits. Without any, a network has no label for those."""
        return self.parts + self.pairs + self.marks + self.lines


class Network(_Part):
    """family: a key of `training.models.FAMILIES`; what else stands here are that family's options."""

    model_config = ConfigDict(extra="allow", frozen=True)
    later = frozenset({"family", "size", "channels"})

    family: str = "digits"
    size: Annotated[int, Field(ge=16, le=64)] = 28
    channels: Literal[1, 3] = 1

    @model_validator(mode="before")
    @classmethod
    def _of_the_first_family(cls, fields: Any) -> Any:
        if isinstance(fields, dict) and fields.get("family", "digits") == "digits":
            return {"width": 32, "dropout": 0.4, **fields}
        return fields

    @model_validator(mode="after")
    def _options_of_the_family(self) -> "Network":
        from training.models import check

        check(self.family, self.options)
        return self

    @property
    def options(self) -> dict[str, Any]:
        """The family's own, as the recipe says them."""
        return dict(self.model_extra or {})


class Optimiser(_Part):
    """The optimiser, and how its learning rate goes over the run.

    schedule: one-cycle (Smith and Topin 2018), cosine with warm-up (Loshchilov and Hutter 2017), step (times `factor`
    after each `every` epochs), plateau (times `factor` when the validation loss has not fallen for `every` epochs), or
    constant. average: of the weights' moving average. accumulate: batches of one step.
    clip: largest norm of a gradient; the first batches of CTC have some that throw the weights far off.
    """

    later = frozenset(
        {"begun", "kind", "momentum", "schedule", "factor", "every", "clip", "accumulate", "precision", "trunk"}
    )

    rate: Positive = 3e-3
    decay: Annotated[float, Field(ge=0)] = 0.05
    warm_up: Share = 0.15
    average: Annotated[float, Field(ge=0, lt=1)] = 0.998
    begun: Share = 0.0
    """Of the weights a run began with, in those that it keeps, so that what it learns does not cost what the one before
    had learnt: Wortsman et al., "Robust fine-tuning of zero-shot models", 2022.
    """
    kind: Literal["adamw", "adam", "sgd"] = "adamw"
    momentum: Share = 0.9
    schedule: Literal["one-cycle", "cosine", "step", "plateau", "constant"] = "one-cycle"
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.1
    every: Count = 5
    clip: Positive = 2.0
    accumulate: Count = 1
    trunk: Share = 1.0
    """Of the rate, for all but the head; 0 keeps the trunk as it is."""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"


class Loss(_Part):
    """kind: `cross-entropy`; `hybrid`, that and a margin (DBRHB); `distillation`, from `teacher`'s answers (Hinton
    2015). smoothing: of the labels. all_others: the margin to the sum over other labels, not to the nearest one.
    """

    kind: Literal["cross-entropy", "hybrid", "distillation"] = "cross-entropy"
    smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    margin: Positive = 0.4
    all_others: bool = False
    teacher: Path | None = None
    temperature: Positive = 2.0
    share: Share = 0.5
    """Of the teacher's answers in the loss; the rest is the labels'."""

    @model_validator(mode="after")
    def _teacher_where_wanted(self) -> "Loss":
        if (self.kind == "distillation") != (self.teacher is not None):
            raise ValueError("distillation wants a teacher, a model file such as edge/models/digits.onnx, others none")
        return self


class Adversarial(_Part):
    """Training on what FGSM makes of the batch (Goodfellow 2015): epsilon in shares of full scale, share of the batch
    that is made so; 0 is none.
    """

    epsilon: Share = 0.1
    share: Share = 0.0


class Episodes(_Part):
    """Of a prototypical network (Snell 2017): ways classes with `shots` examples and `queries` questions each."""

    ways: Annotated[int, Field(ge=2)] = 20
    shots: Count = 5
    queries: Count = 5
    per_epoch: Count = 400


Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]


class Recipe(_Part):
    """Of a network of single digits."""

    later = frozenset({"patience", "keep_every", "growth", "folder", "augment", "loss", "adversarial", "episodes"})

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
    patience: Count | None = None
    """Epochs without a lower validation loss after which a run ends."""
    keep_every: Count | None = None
    """Epochs between checkpoints that are kept beside the best and the last."""
    growth: tuple[Count, ...] = (1,)
    """What the mix is multiplied by, in equal parts of the run: (1, 2, 4) makes DBRHB's growing batches."""
    folder: Path | None = None
    """Pictures to learn from in place of MNIST: a folder of folders, whose names are the labels."""
    augment: CropAugmentation | None = None
    """What happens to crops, a batch at once; beside what `gentle` and the rest say happens to ink."""
    loss: Loss = Loss()
    adversarial: Adversarial = Adversarial()
    episodes: Episodes | None = None
    """Asked for, the network learns to tell classes by a few examples each."""

    @property
    def sha256(self) -> str:
        return _sha256(self)


class Writers(_Part):
    """Shares of the rows that each kind of writer writes."""

    later = frozenset({"cells", "displays", "handwriting", "counters"})

    mnist: Share = 0.45
    hands: Share = 0.17
    strokes: Share = 0.23
    fonts: Share = 0.15
    cells: Share = 0.0
    """Photographed digits: of sudokus, LCD displays, meters."""
    displays: Share = 0.0
    """Drawn displays of seven segments."""
    handwriting: Share = 0.0
    """Fonts made of people's hands."""
    counters: Share = 0.0
    """Of all rows: counters of meters, of photographed wheels and of wheels drawn of the fonts' digits."""


class RowRecipe(_Part):
    """Of a network of whole rows."""

    later = frozenset({"patience", "keep_every", "handwriting", "deeper", "exactly"})

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
    hands: Some = 1500
    """How many writers of the stroke model there are."""
    fonts: tuple[Path, ...] = (Path("/usr/share/fonts"),)
    """Folders of TrueType and OpenType fonts."""
    handwriting: tuple[Path, ...] = ()
    """Folders of such fonts made of people's hands; `make fonts` fetches some."""
    width: Count = 32
    deeper: Some = 0
    """Residual blocks more than it had at first; it may start from a network that has fewer."""
    exactly: Share = 0.0
    """The power of its probability by which a row weighs: 0 learns to find all texts likely, those that nobody could
    read above all, nearly 1 to read as many rows as it can. Zhang and Sabuncu, "Generalized cross entropy loss", 2018.
    """
    optimiser: Optimiser = Optimiser(rate=2e-3, decay=0.02, warm_up=0.06, average=0.999)
    patience: Count | None = None
    keep_every: Count | None = None

    @property
    def sha256(self) -> str:
        return _sha256(self)


def _sha256(recipe: Recipe | RowRecipe) -> str:
    return hashlib.sha256(recipe.model_dump_json().encode()).hexdigest()


def find(name: str) -> Path:
    """A recipe's file: `name` as a path, else the one of that name that comes with the project."""
    shipped = SHIPPED / f"{name}.toml"
    return shipped if not Path(name).exists() and shipped.is_file() else Path(name)


def load(path: Path) -> Recipe | RowRecipe:
    """Raises ConfigError that names the file, the key and what is wrong with it."""
    try:
        fields = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        there = ", ".join(sorted(file.stem for file in SHIPPED.glob("*.toml")))
        raise ConfigError(
            f"{path}: recipe cannot be read ({error.strerror}); "
            + (f"of {SHIPPED} there are {there}" if there else "see configs/recipes in the source")
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML ({error})") from None
    try:
        return (RowRecipe if fields.get("reads") == "rows" else Recipe).model_validate(fields)
    except ConfigError as error:  # of a network's options, which its family knows
        raise ConfigError(f"{path}: {error}; see training/recipe.py for what may stand there") from None
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        said = first["msg"].removeprefix("Value error, ")
        said = said[0].lower() + said[1:]
        raise ConfigError(f"{path}: {key}: {said}; see training/recipe.py for what may stand there") from None
