"""The model card for people: the file's metadata as a page beside it."""

from edge.model_card import ModelCard
from edge.model_store import kind_of

_DIGITS = {
    "what": "One crop of a digit, uint8 28x28, to the logarithms of the probabilities of {count} labels: {labels}. "
    "`reject` is whatever is no digit.",
    "made": "`edge/imaging/normalise.py`",
    "chosen": "by the loss on MNIST training digits of writers held out from training; never by the test set",
    "tests": "`mnist test` is MNIST's test set, all 10,000, read by the exported file through ONNX Runtime and `edge`; "
    "a digit taken for `reject` counts as wrong. The others are validation samples: `mnist` the held-out writers' "
    "digits as they are, `augmented` the same bent, redrawn and photographed, the rest one kind of the recipe's mix "
    "each.",
    "limits": "Most hands in it are American (MNIST); the table above says which others it holds. Printed digits were "
    "not trained on.",
}
_ROWS = {
    "what": "One row of digits, uint8 32 pixels high and any multiple of 4 wide, to the logarithms of the "
    "probabilities of {count} labels at every 4 pixels: {labels}. Repeated labels joined and blanks dropped, that is "
    "the row's text (CTC).",
    "made": "`edge/imaging/strip.py`",
    "chosen": "by rows read exactly, of writers, digits and fonts held out from training",
    "tests": "`rows` are validation rows, as hard as those it was trained on and many of them past reading by eye; "
    "`rows of held-out writers` a thousand of them, read by the exported file through ONNX Runtime and `edge`.",
    "limits": "Rows of more than 14 digits were not trained on. It has learnt no language: nothing tells it which "
    "numbers are likely.",
}
_DRAWN_ANEW = (
    " What is named `validation` is the same drawn anew, and read by this file; without that word it was read by the "
    "network while it was trained."
)


def markdown(card: ModelCard, size: int) -> str:
    """The page for a model file of `size` bytes."""
    words = _ROWS if kind_of(card) == "rows" else _DIGITS
    lines = [
        f"# Model card: {card.name}",
        "",
        words["what"].format(count=len(card.labels), labels=", ".join(card.labels)),
        "",
        "| | |",
        "|---|---|",
        f"| file | {size:,} bytes, {card.parameters:,} parameters, {card.precision} |",
        f"| preprocessing | version {card.preprocessing}, {words['made']} |",
        f"| recipe | `{card.recipe}`, sha256 {card.recipe_sha256[:16]} |",
        f"| trained | {card.epochs} epochs, seed {card.seed}, commit {card.commit or 'unknown'} |",
        *(["| rows | read by its digits alone, without the row model |"] if card.alone else []),
        f"| chosen | {words['chosen']} |",
        f"| temperature | {card.temperature:g}; 1 is none, others are fitted on the validation samples |",
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
        words["tests"] + (_DRAWN_ANEW if any(name.startswith("validation ") for name in card.accuracies) else ""),
        "",
        *_attacked(card),
        *_ablation(card),
        "## Limits",
        "",
        words["limits"],
    ]
    return "\n".join(lines) + "\n"


def _attacked(card: ModelCard) -> list[str]:
    if not card.attacked:
        return []
    return [
        "## Pictures changed to mislead it",
        "",
        "Each pixel by at most epsilon, a share of full scale, by one that knows the network: FGSM in one step, PGD in "
        "many.",
        "",
        "| samples | right |",
        "|---|---|",
        *(f"| {name} | {share:.2%} |" for name, share in card.attacked.items()),
        "",
    ]


def _ablation(card: ModelCard) -> list[str]:
    if not card.ablation:
        return []
    right = card.ablation.right
    tests = list(right[""])
    return [
        "## What each source brings",
        "",
        f"Networks taught anew for {card.ablation.epochs} epochs, each without one source of the recipe's mix, whose "
        "place MNIST's digits took, on the validation samples and on rows of held-out writers read by single digits "
        "alone (`benchmarks/ablation.py`).",
        "",
        f"| without | {' | '.join(tests)} |",
        f"|---|{'--:|' * len(tests)}",
        *(
            f"| {source or 'nothing: all sources'} | {' | '.join(f'{shares[name]:.1%}' for name in tests)} |"
            for source, shares in right.items()
        ),
        "",
    ]
