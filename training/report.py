"""What a model gets right and wrong, as one page to look at and as JSON.

index.html   all in one file: nothing is loaded from elsewhere
report.json  the same figures
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import jinja2
import numpy as np

from edge.arrays import F32, U8, u8
from edge.errors import UsageError
from training import plots
from training.evaluate import ClassReport, Evaluation, Model
from training.out_folder import made

if TYPE_CHECKING:
    from training.adversarial import Attacked

SHOWN = 60
"""Mistakes on the page, and in the JSON."""
LOOKED_AT = 18
"""Mistakes, and about as many right answers, of which the page shows where the network looked."""

_HEAT_SIDE = 112  # pixels of an overlay


@dataclass(frozen=True)
class Epoch:
    """A line of history.jsonl, as far as it is drawn."""

    epoch: int
    training_loss: float
    validation_loss: float
    validation_accuracy: dict[str, float]


def write(
    folder: Path, model: Model, evaluation: Evaluation, history: Path | None = None, attacked: "Sequence[Attacked]" = ()
) -> Path:
    """Write index.html and report.json into `folder`, which is made where it is missing; returns the page's path.

    model: the one that was evaluated. history: the history.jsonl of its training. attacked: as `robustness` gives it.
    Raises UsageError where the folder cannot be written.
    """
    page = _page(model, evaluation, history, attacked)
    figures = json.dumps(as_json(evaluation, attacked), ensure_ascii=False, indent=1, allow_nan=False)
    made(folder)
    try:
        for name, text in (("report.json", figures + "\n"), ("index.html", page)):
            part = folder / f"{name}.part"
            # A name or label may hold what is no text, as a path that is not UTF-8 does.
            part.write_bytes(text.encode("utf-8", "replace"))
            part.replace(folder / name)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written ({error.strerror}); name a folder of yours") from None
    return folder / "index.html"


def as_json(evaluation: Evaluation, attacked: "Sequence[Attacked]" = ()) -> dict[str, Any]:
    """The figures of the page; shares in [0, 1], null where there is nothing to divide by."""
    names = evaluation.labels
    return {
        "model": evaluation.model,
        "data": evaluation.data,
        "count": len(evaluation.right),
        "right": int(evaluation.right.sum()),
        "accuracy": evaluation.accuracy,
        "interval_95": list(evaluation.interval),
        "classes": [asdict(one) for one in evaluation.by_class()],
        "confusion": {
            "labels": [names[i] for i in evaluation.classes],
            "answers": [names[i] for i in evaluation.ordered],
            "counts": evaluation.confusion.tolist(),
        },
        "calibration": {
            "expected_error": evaluation.calibration_error(),
            "bins": [asdict(one) for one in evaluation.reliability()],
        },
        "mistakes": [_answer(evaluation, i) for i in evaluation.mistakes(SHOWN)],
        "attacked": [asdict(one) for one in attacked],
    }


def _page(model: Model, evaluation: Evaluation, history: Path | None, attacked: "Sequence[Attacked]") -> str:
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    environment.filters.update(percent=_percent, mean=_mean)
    template = environment.from_string(Path(__file__).with_name("report.html").read_text(encoding="utf-8"))
    names = [evaluation.labels[i] for i in evaluation.ordered]
    drawn = {
        "confusion": plots.confusion(evaluation.confusion, names[: len(evaluation.classes)], names),
        "reliability": plots.reliability(evaluation.reliability()),
    }
    method = ""
    if attacked:
        from training.adversarial import method as how

        method = how()
        shares = {"FGSM": [one.fgsm for one in attacked], "PGD": [one.pgd for one in attacked]}
        drawn["robustness"] = plots.robustness([one.epsilon for one in attacked], shares)
    no_history = ""
    if history is not None and history.is_file():
        try:
            drawn["history"] = plots.history_png(read_history(history))
        except ValueError as error:
            no_history = f"{history}: {error}, so losses over epochs cannot be drawn."
    looks = _looks(model, evaluation)
    return template.render(
        evaluation=evaluation,
        count=len(evaluation.right),
        wrong=int((~evaluation.right).sum()),
        classes=evaluation.by_class(),
        bins=evaluation.reliability(),
        mistakes=[
            _answer(evaluation, i) | {"picture": _url(_paper(evaluation.crops[i]))} for i in evaluation.mistakes(SHOWN)
        ],
        looks=looks,
        why_no_looks=(
            "A model file has no gradients to tell by; evaluate the checkpoint (.pt) it was exported from."
            if model.network is None
            else "This network has no convolution, and Grad-CAM shows the places that a convolution saw: there is "
            "nothing to show."
        ),
        attacked=attacked,
        method=method,
        plots=dict.fromkeys(("history", "robustness")) | {name: _plot(png) for name, png in drawn.items()},
        no_history=no_history,
        unseen_labels=max(evaluation.confusion.shape) > plots.LARGEST_MATRIX,
        largest_matrix=plots.LARGEST_MATRIX,
    )


def read_history(path: Path) -> list[Epoch]:
    """The epochs of a run's history.jsonl. Raises ValueError that says which line is wrong, without the file's name."""
    epochs = []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            fields = json.loads(line)
            accuracies = {str(kind): float(share) for kind, share in fields["validation_accuracy"].items()}
            losses = float(fields["training_loss"]), float(fields["validation_loss"])
            epochs.append(Epoch(int(fields["epoch"]), *losses, accuracies))
        except (ValueError, TypeError, LookupError, AttributeError):
            raise ValueError(f"line {number} is no epoch") from None
    if not epochs:
        raise ValueError("it holds no epochs")
    return epochs


def _looks(model: Model, evaluation: Evaluation) -> list[dict[str, Any]] | None:
    """Digits with where the network looked; None where that cannot be told."""
    if model.network is None:
        return None
    from training.explain import grad_cam

    right = [np.flatnonzero(evaluation.right & (evaluation.truth == label))[:1] for label in evaluation.classes]
    chosen = np.concatenate([evaluation.mistakes(LOOKED_AT), *right[:LOOKED_AT]]).astype(np.int64)
    crops, answers = evaluation.crops[chosen], evaluation.answers[chosen]
    heats = [grad_cam(model.network, crops, answers, averaged) for averaged in (True, False)]
    if heats[0] is None or heats[1] is None:
        return None
    return [
        _answer(evaluation, i)
        | {
            "right": bool(evaluation.right[i]),
            "picture": _url(_paper(evaluation.crops[i])),
            "heats": [_url(overlay(evaluation.crops[i], heat)) for heat in both],
        }
        for i, *both in zip(chosen, *heats, strict=True)
    ]


def overlay(crop: U8, heat: F32) -> U8:
    """BGR uint8 [112, 112, 3]: the digit, dark on light, under the heat.

    crop: uint8 [S, S] or [S, S, C], 0 paper to 255 ink; heat: float32 [S, S] in [0, 1].
    """
    size = (_HEAT_SIDE, _HEAT_SIDE)
    picture = _paper(crop)
    picture = u8(cv2.resize(picture, size, interpolation=cv2.INTER_NEAREST)).reshape(*size, -1)
    warmth = np.clip(cv2.resize(heat, size, interpolation=cv2.INTER_LINEAR), 0, 1)
    colour = cv2.applyColorMap(np.round(255 * warmth).astype(np.uint8), cv2.COLORMAP_TURBO)
    share = 0.65 * warmth[..., None]
    return np.round((1 - share) * picture + share * colour).astype(np.uint8)


def _answer(evaluation: Evaluation, index: int) -> dict[str, Any]:
    return {
        "index": int(index),
        "label": evaluation.labels[evaluation.truth[index]],
        "answer": evaluation.labels[evaluation.answers[index]],
        "confidence": float(evaluation.confidences[index]),
    }


def _paper(crop: U8) -> U8:
    """Dark on light, for people: uint8 [S, S], or [S, S, 3] in OpenCV's order where it has colours."""
    if crop.ndim == 3:
        crop = crop[..., 2::-1] if crop.shape[2] >= 3 else crop[..., 0]
    return np.ascontiguousarray(255 - crop)


def _url(picture: U8) -> str:
    _, data = cv2.imencode(".png", picture)
    return _data_url(data.tobytes())


def _plot(png: bytes) -> dict[str, Any]:
    """width: in CSS pixels; the picture itself is half as fine again, for dense screens."""
    width = int.from_bytes(png[16:20], "big")  # of the IHDR chunk, which comes first
    return {"url": _data_url(png), "width": round(width / 1.5)}


def _data_url(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _percent(share: float | None, places: int = 2) -> str:
    return "–" if share is None else f"{share:.{places}%}"


def _mean(classes: Sequence[ClassReport], name: str) -> float | None:
    """Of the labels that have one."""
    values = [value for one in classes if (value := asdict(one)[name]) is not None]
    return sum(values) / len(values) if values else None
