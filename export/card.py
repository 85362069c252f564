"""The model card for people: the file's metadata as a page beside it."""

from edge.model_card import ModelCard


def markdown(card: ModelCard, size: int) -> str:
    """The page for a model file of `size` bytes."""
    lines = [
        f"# Model card: {card.name}",
        "",
        "One crop of a digit, uint8 28x28, to the logarithms of the probabilities of "
        f"{len(card.labels)} labels: {', '.join(card.labels)}. `reject` is whatever is no digit.",
        "",
        "| | |",
        "|---|---|",
        f"| file | {size:,} bytes, {card.parameters:,} parameters, float32 |",
        f"| preprocessing | version {card.preprocessing}, `edge/imaging/normalise.py` |",
        f"| recipe | `{card.recipe}`, sha256 {card.recipe_sha256[:16]} |",
        f"| trained | {card.epochs} epochs, seed {card.seed}, commit {card.commit or 'unknown'} |",
        "| chosen | by the loss on MNIST training digits of writers held out from training; never by the test set |",
        f"| temperature | {card.temperature:g}, fitted on the same held-out digits and on what is no digit |",
        f"| licence of the weights | {card.licence} |",
        "",
        "## Trained on",
        "",
        "| data | samples | licence | sha256 |",
        "|---|---|---|---|",
        *(f"| {d.name} | {d.samples:,} | {d.licence} | {d.sha256[:16]} |" for d in card.data),
        "",
        "## Share right",
        "",
        "| samples | right |",
        "|---|---|",
        *(f"| {name} | {share:.2%} |" for name, share in card.accuracies.items()),
        "",
        "`mnist test` is MNIST's test set, all 10,000, read by the exported file through ONNX Runtime and `edge`; a "
        "digit taken for `reject` counts as wrong. The others are validation samples: `mnist` the held-out writers' "
        "digits as they are, `augmented` the same bent, redrawn and photographed, the rest one kind of the recipe's "
        "mix each.",
        "",
        "## Limits",
        "",
        "Most hands in it are American (MNIST); the table above says which others it holds. Printed digits were not "
        "trained on.",
    ]
    return "\n".join(lines) + "\n"
