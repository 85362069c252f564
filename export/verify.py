"""`digitd verify`: whether a model file does what a file of digitd's has to."""

from pathlib import Path

import numpy as np

from edge.errors import ConfigError, DigitdError
from edge.model_card import ModelCard
from export import gates
from export.gates import Gate
from export.kinds import Kind, Rows, Samples, kind_of
from export.program import onnx_program
from export.quantize import labelled, opened
from export.reference import Reference, by_itself, measured
from export.samples import drawn_test, mnist_test, of_digits, test_set
from training.checkpoint import load
from training.recipe import RowRecipe, Writers


def verify(path: Path, against: Path | None, data_dir: Path | None) -> list[Gate]:
    """The gates of a file, those that failed among them.

    against: another file, or a checkpoint (.pt), that it must do as well as; None holds it to what its card says.
    Digits are MNIST's test set where that lies in `data_dir`, and what training makes of others. Raises ConfigError
    where a file is none of digitd's, or the two are not of one kind.
    """
    model, card, kind = opened(path)
    if against is not None and against.suffix == ".pt":
        return _against_checkpoint(path, card, kind, against, data_dir)
    if against is not None:
        _alike(card, opened(against)[1].labels, against)
    tests = _tests(card, kind, data_dir, against or path, against is None)
    first = [ink for inputs, _ in tests.values() for ink in inputs][:1]
    opens = _opens_on_the_box(path, kind, first)
    if not opens.passed:
        return [gates.opens_in_oldest(model), gates.passes_checker(model), opens]
    if against is not None:
        return [opens, *_against_file(path, card, kind, against, tests)]
    found = [opens, *by_itself(path.read_bytes(), kind, [ink for inputs, _ in tests.values() for ink in inputs])]
    for test, (inputs, truth) in tests.items():
        if test in card.accuracies:
            share = float(kind.right(kind.by_file(path, inputs), truth, card.labels).mean())
            found.append(_as_its_card_says(test, share, card))
    return found


def _against_checkpoint(path: Path, card: ModelCard, kind: Kind, checkpoint: Path, data_dir: Path | None) -> list[Gate]:
    network, recipe, facts = load(checkpoint)
    _alike(card, facts.labels, checkpoint)
    tests = test_set(recipe, facts.labels, data_dir)
    ours = kind_of(network)
    reference = Reference(lambda inputs: ours.by_network(network, inputs), tests, kind, card.labels, str(checkpoint))
    one, other = (onnx_program(network, ours).SerializeToString(deterministic=True) for _ in range(2))
    return [*measured(path, reference, card.precision).gates, gates.export_repeats(one, other)]


def _against_file(path: Path, card: ModelCard, kind: Kind, against: Path, tests: dict[str, Samples]) -> list[Gate]:
    reference = Reference(lambda inputs: kind.by_file(against, inputs), tests, kind, card.labels, str(against))
    return list(measured(path, reference, card.precision).gates)


def _tests(card: ModelCard, kind: Kind, data_dir: Path | None, reference: Path, alone: bool) -> dict[str, Samples]:
    if isinstance(kind, Rows):
        # Of what every installation has: MNIST's digits and the stroke model's.
        writers = Writers(mnist=0.7, hands=0, strokes=0.3, fonts=0)
        recipe = RowRecipe(reads="rows", name="any", hands=100, writers=writers)
        (samples,) = test_set(recipe, card.labels, data_dir).values()
        return {"rows of MNIST's and drawn digits": samples}
    # A card tells how MNIST's test set is read; what training makes of digits takes a while to make.
    tests = mnist_test(data_dir) or drawn_test() if alone else of_digits(data_dir).tests
    return labelled(tests, card.labels, reference, kind)


def _alike(card: ModelCard, labels: tuple[str, ...], against: Path) -> None:
    if card.labels != labels:
        raise ConfigError(f"{against}: has other labels than the file to verify; name what that was made from")


def _opens_on_the_box(path: Path, kind: Kind, inputs: list[np.ndarray]) -> Gate:
    try:
        kind.by_file(path, inputs)
        found = "opens"
    except DigitdError as error:
        found = str(error)
    return Gate("edge", found == "opens", found, "opens")


def _as_its_card_says(test: str, share: float, card: ModelCard) -> Gate:
    """Other processors add up in other orders, so the last digit of ten thousand may turn."""
    said, drop = card.accuracies[test], max(gates.DROPS.values())
    return Gate(f"right, {test}", abs(share - said) <= drop, f"{share:.2%}", f"{said:.2%}, by its card")
