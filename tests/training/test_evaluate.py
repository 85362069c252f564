"""What a model answered is counted right, class by class and bin by bin."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import ConfigError
from training.evaluate import BINS, Evaluation, Model, evaluate, interval, model_of

DIGITS = tuple("0123456789")
LABELS = ("a", "b", "reject", "c")


def evaluation(truth, answers, confidences=None, labels=LABELS, classes=(0, 1, 3)):
    """One whose answers, and how sure they are, are given."""
    confidences = np.full(len(truth), 0.9) if confidences is None else np.asarray(confidences, float)
    probabilities = np.repeat((1 - confidences)[:, None] / (len(labels) - 1), len(labels), 1)
    probabilities[np.arange(len(truth)), answers] = confidences
    crops = np.zeros((len(truth), 28, 28), np.uint8)
    log_probs = np.log(probabilities).astype(np.float32)
    return Evaluation("m", "some digits", labels, classes, crops, np.asarray(truth), log_probs)


def test_the_confusion_matrix_has_true_labels_down_and_answers_across_their_own_first():
    found = evaluation([0, 0, 1, 3, 3, 3], [0, 2, 1, 0, 3, 3])
    assert [LABELS[i] for i in found.ordered] == ["a", "b", "c", "reject"]
    assert found.confusion.tolist() == [[1, 0, 0, 1], [0, 1, 0, 0], [1, 0, 2, 0]]
    assert found.accuracy == pytest.approx(4 / 6)


def test_precision_recall_and_f1_are_those_of_each_label():
    a, b, c = evaluation([0, 0, 1, 3, 3, 3], [0, 2, 1, 0, 3, 3]).by_class()
    assert (a.label, a.count, a.precision, a.recall, a.f1) == ("a", 2, 0.5, 0.5, 0.5)
    assert (b.precision, b.recall, b.f1) == (1, 1, 1)
    assert (c.count, c.precision, c.recall, c.f1) == (3, 1, pytest.approx(2 / 3), pytest.approx(0.8))


def test_a_label_that_no_digit_has_and_none_is_taken_for_has_no_shares():
    found = evaluation([0, 0], [0, 0])
    b = found.by_class()[1]
    assert (b.count, b.precision, b.recall, b.f1) == (0, None, None, None)
    assert [line.split()[1:3] for line in found.table().splitlines()[1:4]] == [["2", "100.00%"], ["0", "-"], ["0", "-"]]


@pytest.mark.parametrize(
    ("right", "count", "low", "high"),
    [(8, 10, 0.4902, 0.9433), (0, 10, 0, 0.2775), (10, 10, 0.7225, 1), (0, 1, 0, 0.7935)],
)
def test_the_interval_is_wilsons(right, count, low, high):
    assert interval(right, count) == pytest.approx((low, high), abs=1e-4)


@given(st.integers(1, 10_000).flatmap(lambda count: st.tuples(st.integers(0, count), st.just(count))))
def test_the_interval_holds_the_share_and_lies_in_0_to_1(shares):
    low, high = interval(*shares)
    assert 0 <= low <= shares[0] / shares[1] <= high <= 1 and low < high


def test_the_calibration_error_is_the_mean_distance_of_confidence_and_share_right():
    # Two bins: 0.9 sure and half right, 0.6 sure and all right.
    found = evaluation([0, 0, 0, 0, 1, 1], [0, 0, 1, 1, 1, 1], [0.9] * 4 + [0.6] * 2)
    assert found.calibration_error() == pytest.approx((4 * 0.4 + 2 * 0.4) / 6, abs=1e-6)
    filled = [one for one in found.reliability() if one.count]
    assert [one.count for one in filled] == [2, 4]
    assert [one.right for one in filled] == [1, 0.5]
    assert [one.confidence for one in filled] == pytest.approx([0.6, 0.9])


def test_a_model_as_sure_as_it_is_right_has_almost_no_calibration_error():
    rng = np.random.default_rng(4)
    sure = rng.uniform(0.3, 1, 20_000)
    found = evaluation(np.zeros(20_000, int), np.where(rng.random(20_000) < sure, 0, 1), sure)
    assert found.calibration_error() < 0.02
    overconfident = evaluation(found.truth, found.answers, np.minimum(sure + 0.2, 0.999))
    assert overconfident.calibration_error() > 0.1


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 3), st.floats(0.2501, 1)), min_size=1, max_size=60))
def test_every_answer_is_in_one_bin_whose_bounds_hold_it(answers):
    truth, said, sure = zip(*answers, strict=True)
    found = evaluation(truth, np.array(said), np.minimum(sure, 1 - 1e-9))
    bins = found.reliability()
    assert len(bins) == BINS and sum(one.count for one in bins) == len(answers)
    assert bins[0].low == 0 and bins[-1].high == 1
    for one in bins:
        assert (one.confidence is None) == (one.right is None) == (one.count == 0)
        if one.confidence is not None:
            assert one.low - 1e-6 <= one.confidence <= one.high + 1e-6 and 0 <= one.right <= 1
    assert 0 <= found.calibration_error() <= 1


def test_mistakes_come_the_surest_first_and_no_more_than_asked_for():
    found = evaluation([0, 0, 1, 1], [1, 0, 0, 2], [0.5, 0.99, 0.9, 0.7])
    assert found.mistakes(10).tolist() == [2, 3, 0] and found.mistakes(1).tolist() == [2]


def model(labels, answers):
    log_probs = np.log(np.full((len(answers), len(labels)), 0.01))
    log_probs[np.arange(len(answers)), answers] = np.log(0.9)
    return Model("m", labels, lambda crops: log_probs[crops[:, 0, 0]].astype(np.float32))


def numbered(count):
    return np.arange(count, dtype=np.uint8)[:, None, None] * np.ones((1, 28, 28), np.uint8)


def test_labels_are_told_by_their_names_not_by_their_order():
    found = evaluate(
        model(("九", "一", "reject"), [0, 1, 1, 2]), numbered(4), np.array([1, 0, 1, 0]), ("一", "九"), "x"
    )
    assert found.right.tolist() == [True, True, False, False]
    assert [found.labels[i] for i in found.ordered] == ["一", "九", "reject"]
    assert found.table().splitlines()[-1] == "m on x: 2 of 4 right, 50.00%"


def test_a_name_that_the_model_does_not_know_is_refused_with_those_it_knows():
    with pytest.raises(ConfigError, match=r"^m: knows no label '7', which x holds; it knows a, b$"):
        evaluate(model(("a", "b"), [0]), numbered(1), np.array([0]), ("a", "7"), "x")


def test_no_digits_are_refused():
    with pytest.raises(ConfigError, match="x: holds no digits"):
        evaluate(model(("a", "b"), [0]), numbered(0), np.zeros(0, int), ("a",), "x")


@pytest.fixture
def saved(small_network, tmp_path):
    """`saved(labels, temperature)`: the small network as a checkpoint."""
    from training import checkpoint
    from training.recipe import Recipe

    def save(labels=(*"0123456789", "reject"), temperature=1.0):
        recipe = Recipe.model_validate({"name": "small", "network": {"width": 8, "dropout": 0.1}})
        checkpoint.save(tmp_path / "best.pt", small_network, recipe, checkpoint.Facts(1, temperature, {}, (), labels))
        return tmp_path / "best.pt"

    return save


def test_a_checkpoint_is_as_sure_as_its_temperature_says(saved, stroke_digits):
    plain, cooled = (
        evaluate(model_of(saved(temperature=one)), stroke_digits.crops, stroke_digits.labels, DIGITS, "strokes")
        for one in (1.0, 3.0)
    )
    assert (plain.answers == cooled.answers).all() and plain.accuracy > 0.6
    assert cooled.confidences.mean() < plain.confidences.mean() - 0.1
    assert np.exp(cooled.log_probs).sum(1) == pytest.approx(1, abs=1e-4)


def test_a_checkpoint_of_other_labels_answers_in_them(saved, stroke_digits):
    names = tuple("零一二三四五六七八九")
    asked = model_of(saved(labels=(*names, "reject")))
    found = evaluate(asked, stroke_digits.crops, stroke_digits.labels, names, "strokes")
    assert asked.labels[:10] == names and found.accuracy > 0.6
    with pytest.raises(ConfigError, match="knows no label '0'"):
        evaluate(asked, stroke_digits.crops, stroke_digits.labels, DIGITS, "strokes")
