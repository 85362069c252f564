"""Networks by name: one file a family. A recipe's `network.family` is a key here.

A family of single digits is a `Classifier` whose first arguments are classes, size and channels; what else it takes,
with its defaults, is what a recipe may say of it.
"""

from training.models.classifier import Classifier
from training.models.digits import DigitNet
from training.models.rows import RowNet

FAMILIES: dict[str, type[Classifier]] = {
    "digits": DigitNet,
}

__all__ = ["FAMILIES", "Classifier", "DigitNet", "RowNet"]
