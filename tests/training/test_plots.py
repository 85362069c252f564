"""Plots are PNGs of a bounded size, whatever is in them, and show what they are to show."""

import warnings
from dataclasses import dataclass

import cv2
import matplotlib
import numpy as np
import pytest

from training import plots
from training.evaluate import Bin


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@dataclass
class Epoch:
    epoch: int
    training_loss: float
    validation_loss: float
    validation_accuracy: dict[str, float]


def picture(png):
    """BGR uint8 [H, W, 3]."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    image = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert 200 < image.shape[0] < 3000 and 200 < image.shape[1] < 3000
    return image


def red(image):
    """How many pixels are more red than anything else."""
    blue, green, red = (image[..., i].astype(int) for i in range(3))
    return int(((red > blue + 30) & (red > green + 30)).sum())


def confusion(matrix, names=None):
    names = [str(i) for i in range(max(matrix.shape))] if names is None else names
    return picture(plots.confusion(matrix, names[: matrix.shape[0]], names[: matrix.shape[1]]))


def test_mistakes_are_red_the_more_of_a_label_the_redder_and_right_answers_are_not():
    matrix = np.diag(np.full(10, 100))
    assert red(confusion(matrix)) == 0
    matrix[3, 5] = 4
    once = red(confusion(matrix))
    matrix[5, 3] = 4
    assert once > 500 and red(confusion(matrix)) > 1.8 * once


def test_a_label_with_few_digits_shows_its_mistakes_as_well():
    matrix = np.diag([1000, 1000, 4])
    matrix[0, 1], matrix[2, 0] = 100, 1
    assert red(confusion(matrix)) > 1000


def test_a_label_without_digits_and_no_digits_at_all_can_be_drawn():
    confusion(np.diag([5, 0, 3]))
    confusion(np.zeros((3, 4), int))
    confusion(np.ones((1, 1), int))


@pytest.mark.parametrize(
    "names", [list("零一二三"), ["$x$", "_a", "a\nb", "\x00"], ["x" * 300, "", " ", "reject"], list("٣٤٥٦")], ids=str
)
def test_labels_of_any_kind_can_be_drawn(names):
    confusion(np.arange(12).reshape(3, 4), names)


def test_a_dollar_is_a_dollar():
    def drawn(name):
        return confusion(np.diag([1, 1]), [name, "b"])

    assert drawn("$a$").shape == drawn("_a_").shape  # as mathematics it would be a single letter
    assert not np.array_equal(drawn("$a$"), drawn("a"))


def test_of_very_many_labels_the_most_mistaken_are_drawn():
    count = 400
    matrix = np.diag(np.full(count, 50))
    matrix[321, 17] = 9
    small, rows, columns = plots._most_confused(matrix, [str(i) for i in range(count)], [str(i) for i in range(count)])
    assert small.shape == (plots.LARGEST_MATRIX,) * 2 and {"321", "17"} <= set(rows) and rows == columns
    assert small[rows.index("321"), columns.index("17")] == 9
    confusion(matrix)


def bins(*filled):
    empty = [Bin(i / 10, (i + 1) / 10, 0, None, None) for i in range(10)]
    for number, count, confidence, right in filled:
        empty[number] = Bin(number / 10, (number + 1) / 10, count, confidence, right)
    return empty


def test_reliability_can_be_drawn_with_one_bin_many_and_none():
    for filled in ([(9, 5000, 0.99, 1.0)], [(3, 1, 0.35, 0.0), (9, 10**6, 0.98, 0.97)], []):
        picture(plots.reliability(bins(*filled)))


def test_reliability_shows_how_right_each_bin_was():
    low, high = (picture(plots.reliability(bins((5, 50, 0.55, right)))) for right in (0.1, 0.9))

    def height(image):
        blue = (image[..., 0] > image[..., 2].astype(int) + 60)[: image.shape[0] * 7 // 10]
        return float(np.flatnonzero(blue[:, image.shape[1] // 4 :].any(1)).mean())

    assert height(high) < height(low) - 50


def test_robustness_can_be_drawn():
    picture(plots.robustness((0, 0.1), {"FGSM": (0.9, 0.1), "PGD": (0.9, 0.0)}))


@pytest.mark.parametrize(
    "epochs",
    [
        [Epoch(1, 2.0, 1.5, {"mnist": 0.5})],
        [Epoch(i, 2 / i, 1 / i, {"mnist": 1 - 0.1 / i, "一": 1.0, "$x$": 0.2, "_y": 0.0}) for i in range(1, 90)],
        [Epoch(1, float("nan"), float("inf"), {"mnist": float("nan")}), Epoch(2, 0.0, -1.0, {})],
        [Epoch(3, 1e-9, 1e9, {})],
    ],
    ids=["one", "many", "not numbers", "no kinds"],
)
def test_any_history_can_be_drawn(epochs, tmp_path):
    plots.history(epochs, tmp_path / "history.png")
    picture((tmp_path / "history.png").read_bytes())


def test_a_plot_is_the_same_each_time_and_leaves_matplotlibs_settings_alone():
    before = dict(matplotlib.rcParams)
    assert plots.reliability(bins((5, 5, 0.5, 0.5))) == plots.reliability(bins((5, 5, 0.5, 0.5)))
    assert dict(matplotlib.rcParams) == before
