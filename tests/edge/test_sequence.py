"""What a row's steps spell, and how probable a text is; a model file of rows is opened only if it is one."""

from itertools import groupby, pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge import providers
from edge.engine import EngineConfig
from edge.errors import ModelError
from edge.sequence import (
    BLANK,
    RowModel,
    agreed,
    align,
    best_path,
    default_row_model,
    likeliest,
    log_likelihood,
    log_likelihoods,
    shipped_row_model,
)

CPU = EngineConfig("cpu", threads=1)


def steps_of(seed, count, labels=3, spread=1.5):
    scores = np.random.default_rng(seed).normal(0, spread, (count, labels))
    return (scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)).astype(np.float32)


def joined(path):
    return tuple(label for label, _ in groupby(path) if label)


@given(st.integers(0, 10**6), st.integers(1, 6))
@settings(max_examples=60)
def test_a_texts_likelihood_is_the_sum_over_all_paths_that_spell_it(seed, count):
    steps = steps_of(seed, count)
    sums = {}
    for path in product(range(3), repeat=count):
        text = joined(path)
        sums[text] = sums.get(text, 0.0) + np.exp(sum(float(steps[t, label]) for t, label in enumerate(path)))
    assert sum(sums.values()) == pytest.approx(1, abs=1e-4)
    for text, share in sums.items():
        assert np.exp(log_likelihood(steps, text)) == pytest.approx(share, rel=1e-4)


@given(
    st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 12)), min_size=1, max_size=3),
    st.lists(st.lists(st.integers(1, 2), max_size=4), min_size=1, max_size=4),
)
def test_texts_are_as_likely_together_as_one_by_one_by_looks_of_any_length(sizes, texts):
    looks = [steps_of(*size) for size in sizes]
    alone = [[log_likelihood(steps, text) for text in texts] for steps in looks]
    assert log_likelihoods(looks, texts) == pytest.approx(np.array(alone))


def test_two_looks_agree_on_what_neither_rules_out():
    either = np.log(np.array([[0.1, 0.6, 0.3], [0.1, 0.3, 0.6]], np.float32))
    looks = [either[:1], either[1:]]
    assert agreed(looks, [[1], [2]]) == pytest.approx([np.log(0.6 * 0.3) / 2] * 2)
    missed = np.log(np.array([[1 - 2e-30, 1e-30, 1e-30]], np.float32))
    assert agreed([either[:1], missed], [[1]])[0] > -7  # a look that misses the row does not decide alone
    assert agreed(looks, [[1, 2]])[0] == -np.inf  # one step has no room for two digits


def test_a_text_longer_than_the_strip_is_impossible():
    assert log_likelihood(steps_of(0, 3), [1, 2, 1, 2]) == -np.inf
    assert log_likelihood(steps_of(0, 3), [1, 1, 1]) == -np.inf  # three equal ones want two blanks between
    assert log_likelihood(np.zeros((0, 3), np.float32), []) == 0
    assert log_likelihood(np.zeros((0, 3), np.float32), [1]) == -np.inf


@given(st.lists(st.integers(0, 10), min_size=1, max_size=60), st.integers(0, 10**6))
@settings(max_examples=100)
def test_the_best_path_is_what_its_steps_spell_and_says_where(path, seed):
    steps = steps_of(seed, len(path), 11, spread=0.5)
    steps[np.arange(len(path)), path] = 9.0
    spelt = best_path(steps)
    assert spelt.labels == joined(path)
    covered = []
    for label, (start, end) in zip(spelt.labels, spelt.spans, strict=True):
        assert all(path[t] == label for t in range(start, end + 1))
        covered += range(start, end + 1)
    assert covered == [t for t, label in enumerate(path) if label]


@pytest.mark.parametrize("name", ["rows.onnx", "rows-int8.onnx"])
def test_strips_of_different_widths_come_back_in_their_order(name):
    model = RowModel(default_row_model().with_name(name), CPU)
    rng = np.random.default_rng(1)
    strips = [rng.integers(0, 256, (32, 4 * int(width)), np.uint8) for width in rng.integers(2, 60, 40)]
    out = model.log_probs(strips)
    assert [len(steps) for steps in out] == [strip.shape[1] // 4 for strip in strips]
    for strip, steps in zip(strips[:6], out, strict=False):
        alone = model.log_probs([strip])[0]
        assert np.exp(steps.astype(float)).sum(1) == pytest.approx(np.ones(len(steps)), abs=1e-4)
        # Beside a wider one a strip ends in paper, alone in nothing: as far as a step sees the last ones may differ.
        assert steps[:-13] == pytest.approx(alone[:-13], abs=1e-4)
    assert model.log_probs([]) == []


def test_the_file_that_comes_with_the_package_is_one_of_rows():
    card = RowModel(None, CPU).card
    assert card.labels == (BLANK, *"0123456789") and card.name == "rows-noughts"
    assert card.precision == "int8" and RowModel(default_row_model(), CPU).card.precision == "packed"
    assert default_row_model().stat().st_size < 1_500_000 and shipped_row_model("cpu").stat().st_size < 1_500_000
    assert shipped_row_model("cuda") == default_row_model()
    assert (shipped_row_model("auto") == default_row_model()) == (providers.missing("cuda") is None)


def test_a_model_of_single_digits_is_refused(model_file):
    path = model_file()
    with pytest.raises(ModelError, match="strips uint8") as caught:
        RowModel(path, CPU)
    assert str(caught.value).startswith(f"{path}: ") and "digitd export" in str(caught.value)


@given(st.integers(0, 10**6), st.integers(1, 6), st.floats(0.3, 4))
@settings(max_examples=60)
def test_a_wide_beam_finds_the_likeliest_text_and_ranks_the_others(seed, count, spread):
    steps = steps_of(seed, count, spread=spread)
    texts = {joined(path) for path in product(range(3), repeat=count)}
    ranked = sorted(texts, key=lambda text: -log_likelihood(steps, text))
    found = likeliest(steps, 200)
    assert log_likelihood(steps, found[0]) == pytest.approx(log_likelihood(steps, ranked[0]), abs=0.05)
    scores = [log_likelihood(steps, text) for text in found]
    assert len(set(found)) == len(found)
    assert all(one >= other - 0.05 for one, other in pairwise(scores) if one > -4)


def test_a_strip_of_a_thousand_steps_does_not_underflow():
    steps = steps_of(3, 1000, 11)
    assert len(likeliest(steps, 3)) == 3


@given(st.integers(0, 10**6), st.integers(0, 7), st.lists(st.integers(1, 2), max_size=4))
@settings(max_examples=100)
def test_the_alignment_is_the_likeliest_path_of_the_text(seed, count, text):
    steps = steps_of(seed, count)
    paths = [path for path in product(range(3), repeat=count) if joined(path) == tuple(text)]
    if not paths:
        with pytest.raises(ValueError, match="cannot spell"):
            align(steps, text)
        return
    best = max(sum(float(steps[t, label]) for t, label in enumerate(path)) for path in paths)
    found = align(steps, text)
    path = [0] * count
    for label, (first, last) in zip(found.labels, found.spans, strict=True):
        path[first : last + 1] = [label] * (last - first + 1)
    assert joined(path) == tuple(text)
    assert sum(float(steps[t, label]) for t, label in enumerate(path)) == pytest.approx(best, abs=1e-4)
