"""Networks by name: one file a family. A recipe's `network.family` is a key here.

A family of single digits is a `Classifier` whose first arguments are classes, size and channels; what else it takes,
with its defaults, is what a recipe may say of it.
"""

import inspect
from collections.abc import Mapping, Sequence

from edge.errors import ConfigError
from training.models.cbam import CbamNet
from training.models.classifier import Classifier
from training.models.cnn2 import Cnn2
from training.models.cost import multiply_adds
from training.models.dbrhb import Dbrhb
from training.models.digitcnn import DigitCnn
from training.models.digits import DigitNet
from training.models.lenet5 import LeNet5
from training.models.mlp import Mlp
from training.models.rows import RowNet
from training.models.separable import Separable

FAMILIES: dict[str, type[Classifier]] = {
    "digits": DigitNet,
    "mlp": Mlp,
    "lenet5": LeNet5,
    "cnn2": Cnn2,
    "digitcnn": DigitCnn,
    "dbrhb": Dbrhb,
    "separable": Separable,
    "cbam": CbamNet,
}

__all__ = ["FAMILIES", "Classifier", "DigitNet", "RowNet", "build", "check", "multiply_adds", "options"]


def options(family: str) -> dict[str, object]:
    """What a family takes beside classes, size and channels, with its defaults. Raises ConfigError."""
    if family not in FAMILIES:
        raise ConfigError(f"network.family: {family!r} is none; take one of {', '.join(FAMILIES)}")
    parameters = inspect.signature(FAMILIES[family]).parameters.values()
    return {each.name: each.default for each in parameters if each.kind is each.KEYWORD_ONLY}


def build(family: str, classes: int, size: int = 28, channels: int = 1, **chosen: object) -> Classifier:
    """A family's network, untrained. Raises ConfigError as `check` does."""
    check(family, chosen)
    return FAMILIES[family](classes, size, channels, **chosen)


def check(family: str, chosen: Mapping[str, object]) -> None:
    """Raises ConfigError for a family or an option that there is not, or a value that cannot be: whole numbers are
    counts, 1 or more; others are shares below 1.
    """
    known = options(family)
    for name, value in chosen.items():
        if name not in known:
            raise ConfigError(f"network.{name}: {family} has no such option; it has {', '.join(known)}")
        if not _fits(value, known[name]):
            raise ConfigError(f"network.{name}: {value!r} cannot be; the default is {known[name]!r}")


def _fits(value: object, default: object) -> bool:
    if isinstance(default, tuple):
        return isinstance(value, Sequence) and bool(value) and all(_fits(each, default[0]) for each in value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= value < 1 if isinstance(default, float) else isinstance(value, int) and value >= 1
