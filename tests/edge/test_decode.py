"""The best way through a row's candidates, and what is not read rather than guessed."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.decode import LEAST_CONFIDENCE, Spelling, decode, spell
from edge.imaging.candidates import Candidate
from edge.row import UNREADABLE

LABELS = (*"0123456789", "reject")
REJECT = 10
HEIGHT = 50.0


def candidate(start, end, *, box=None, cut_ends=0, whole=True):
    return Candidate(start, end, (), box or (start * 40, 10, (end - start) * 40 - 8, 50), cut_ends, whole)


def probabilities(**shares):
    """float32 [11], logarithms: `probabilities(d4=0.9)`; what is missing to 1 is spread over the others."""
    given_ = {REJECT if key == "reject" else int(key[1:]): share for key, share in shares.items()}
    rest = (1 - sum(given_.values())) / (11 - len(given_))
    return np.log(np.array([given_.get(i, rest) for i in range(11)]) + 1e-9).astype(np.float32)


def read(candidates, *log_probs, height=HEIGHT):
    return decode(candidates, np.array(log_probs, np.float32).reshape(-1, 11), LABELS, REJECT, height)


@st.composite
def lattices(draw):
    """(nodes, candidates, log_probs): spans that are no whole strokes, so that none may be left out."""
    nodes = draw(st.integers(1, 6))
    spans = [(i, j) for i in range(nodes) for j in range(i + 1, min(nodes, i + 4) + 1)]
    kept = draw(st.lists(st.sampled_from(spans), unique=True, min_size=1, max_size=len(spans)))
    if draw(st.booleans()):
        kept = sorted({*kept, *((i, i + 1) for i in range(nodes))})
    kept = draw(st.permutations(kept))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    scores = rng.normal(0, draw(st.floats(0.2, 5)), (len(kept), 11))
    log_probs = (scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)).astype(np.float32)
    # Nodes are counted by the furthest end.
    return max(j for _, j in kept), [candidate(i, j, whole=False) for i, j in kept], log_probs


def all_paths(nodes, candidates, at=0):
    if at == nodes:
        yield []
    for index, edge in enumerate(candidates):
        if edge.start == at:
            for rest in all_paths(nodes, candidates, edge.end):
                yield [index, *rest]


@given(lattices())
@settings(max_examples=150)
def test_the_reading_is_the_most_probable_of_all_paths(lattice):
    nodes, candidates, log_probs = lattice
    decoded = decode(candidates, log_probs, LABELS, REJECT, HEIGHT)
    best = log_probs[:, :REJECT].max(1)
    readable = [
        path
        for path in all_paths(nodes, candidates)
        if all(np.exp(np.float64(best[i])) >= LEAST_CONFIDENCE for i in path)
    ]
    if not readable:
        assert decoded.digits == () and decoded.confidence == 0
        return
    score = max(float(best[path].sum()) for path in readable)
    # Of equally good paths any will do: the one taken must be one of the best.
    taken = [
        path
        for path in readable
        if [candidates[i].box for i in path] == [digit.box for digit in decoded.digits]
        and [LABELS[log_probs[i, :REJECT].argmax()] for i in path] == [digit.text for digit in decoded.digits]
    ]
    assert any(float(best[path].sum()) == pytest.approx(score, abs=1e-5) for path in taken)
    assert decoded.confidence == pytest.approx(np.exp(score), rel=1e-4)


@st.composite
def real_rows(draw):
    """Candidates as a row has them: each stroke whole, some cut into pieces, runs of pieces, boxes of any size."""
    cuts = draw(st.lists(st.integers(1, 3), min_size=1, max_size=4))
    ends = np.cumsum([0, *cuts]).tolist()
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    found = []
    for i in range(ends[-1]):
        for j in range(i + 1, min(ends[-1], i + 4) + 1):
            h = int(rng.integers(1, 80))
            box = (i * 30, int(rng.integers(0, 40)), int(rng.integers(1, 40)) * (j - i), h)
            found.append(
                candidate(
                    i, j, box=box, cut_ends=(i not in ends) + (j not in ends), whole=(i, j) in set(pairwise(ends))
                )
            )
    scores = rng.normal(0, draw(st.floats(0.1, 6)), (len(found), 11))
    log_probs = (scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)).astype(np.float32)
    return found, log_probs


@given(real_rows(), st.booleans())
@settings(max_examples=100)
def test_confidences_are_probabilities_and_nothing_is_guessed(row, with_reject):
    candidates, log_probs = row
    labels, reject = (LABELS, REJECT) if with_reject else (tuple("0123456789x"), None)
    decoded = decode(candidates, log_probs, labels, reject, HEIGHT)
    assert 0 <= decoded.confidence <= 1
    boxes = [c.box for c in candidates]
    for digit in decoded.digits:
        assert digit.box in boxes
        if digit.text == UNREADABLE:
            assert digit.confidence == 0
        else:
            assert digit.text in labels and digit.text != "reject"
            assert LEAST_CONFIDENCE <= digit.confidence <= 1 + 1e-6
    assert decoded.confidence <= min((digit.confidence for digit in decoded.digits), default=0) + 1e-6


@given(real_rows())
@settings(max_examples=60)
def test_the_order_of_candidates_does_not_matter(row):
    candidates, log_probs = row
    order = np.random.default_rng(0).permutation(len(candidates))
    here = decode(candidates, log_probs, LABELS, REJECT, HEIGHT)
    assert decode([candidates[i] for i in order], log_probs[order], LABELS, REJECT, HEIGHT) == here


def test_clear_digits_are_read_with_their_confidences_and_boxes():
    row = read([candidate(0, 1), candidate(1, 2)], probabilities(d4=0.9), probabilities(d0=0.8))
    assert [digit.text for digit in row.digits] == ["4", "0"]
    assert [digit.confidence for digit in row.digits] == pytest.approx([0.9, 0.8], rel=1e-3)
    assert [digit.box for digit in row.digits] == [(0, 10, 32, 50), (40, 10, 32, 50)]
    assert row.confidence == pytest.approx(0.72, rel=1e-3)


def test_something_digit_sized_that_is_no_digit_is_a_question_mark():
    row = read([candidate(0, 1), candidate(1, 2)], probabilities(d4=0.9), probabilities(reject=0.98))
    assert [digit.text for digit in row.digits] == ["4", UNREADABLE]
    assert row.digits[1].confidence == 0 and row.confidence == 0
    assert row.digits[1].box == (40, 10, 32, 50)


@pytest.mark.parametrize("share", [LEAST_CONFIDENCE - 0.02, LEAST_CONFIDENCE + 0.05])
def test_a_digit_less_sure_than_the_least_is_not_guessed(share):
    row = read([candidate(0, 1)], probabilities(d4=share))
    sure = share >= LEAST_CONFIDENCE
    assert [digit.text for digit in row.digits] == (["4"] if sure else [UNREADABLE])
    assert (row.confidence > 0) == sure


def test_halves_of_a_broken_digit_are_joined():
    pieces = [candidate(0, 1), candidate(1, 2), candidate(0, 2, whole=False)]
    row = read(pieces, probabilities(reject=0.9), probabilities(reject=0.9), probabilities(d5=0.97))
    assert [(digit.text, digit.box) for digit in row.digits] == [("5", pieces[2].box)]


def test_two_digits_that_touch_are_parted_only_where_the_whole_is_none():
    stroke = [
        candidate(0, 1, cut_ends=1, whole=False),
        candidate(1, 2, cut_ends=1, whole=False),
        candidate(0, 2),
    ]
    halves = probabilities(d3=0.97), probabilities(d7=0.97)
    assert [d.text for d in read(stroke, *halves, probabilities(reject=0.97)).digits] == ["3", "7"]
    # A whole that is a little less sure than its halves is still one digit: most strokes are.
    assert [d.text for d in read(stroke, *halves, probabilities(d8=0.85)).digits] == ["8"]


@pytest.mark.parametrize("box", [(45, 54, 6, 6), (45, 30, 20, 5), (45, 50, 9, 14)], ids=["dot", "dash", "comma"])
def test_what_is_lower_than_a_digit_is_left_out_whatever_it_looks_like(box):
    candidates = [candidate(0, 1), candidate(1, 2, box=box), candidate(2, 3)]
    row = read(candidates, probabilities(d4=0.9), probabilities(d1=0.99), probabilities(d2=0.9))
    assert "".join(digit.text for digit in row.digits) == "42"
    assert row.confidence == pytest.approx(0.81, rel=1e-3)


def test_a_low_piece_may_still_belong_to_a_digit():
    candidates = [candidate(0, 1), candidate(1, 2, box=(30, 12, 20, 6)), candidate(0, 2, whole=False)]
    row = read(candidates, probabilities(reject=0.9), probabilities(reject=0.9), probabilities(d5=0.95))
    assert [digit.text for digit in row.digits] == ["5"]


def test_a_flat_stroke_beside_digits_is_no_digit_of_the_row():
    candidates = [candidate(0, 1), candidate(1, 2, box=(50, 20, 200, 27))]
    row = read(candidates, probabilities(d4=0.9), probabilities(reject=0.99))
    assert [digit.text for digit in row.digits] == ["4"]


def test_no_candidates_give_no_digits_and_no_confidence():
    row = decode([], np.zeros((0, 11), np.float32), LABELS, REJECT, HEIGHT)
    assert row.digits == () and row.confidence == 0


def test_labels_need_not_be_in_order_of_their_digits():
    labels = ("reject", *"9876543210")
    log_probs = np.log(np.array([[0.01, 0.9, *[0.01] * 9]], np.float32))
    assert [d.text for d in decode([candidate(0, 1)], log_probs, labels, 0, HEIGHT).digits] == ["9"]


@given(lattices(), st.lists(st.text("0123456789", max_size=5), min_size=1, max_size=3), st.data())
@settings(max_examples=150)
def test_a_text_is_spelt_by_the_best_of_all_paths_as_long_as_it_whatever_else_is_asked(lattice, texts, data):
    nodes, candidates, log_probs = lattice
    k = data.draw(st.integers(0, len(texts) - 1))
    text, spelling = texts[k], spell(candidates, log_probs, LABELS, REJECT, HEIGHT, texts)[k]
    score, digits = spelling.score, spelling.digits
    paths = [path for path in all_paths(nodes, candidates) if len(path) == len(text)]
    if not paths:
        assert spelling == Spelling(-np.inf, (), ())
        return
    scores = [
        sum(max(float(log_probs[i, int(label)]), -8.0) for i, label in zip(path, text, strict=True)) for path in paths
    ]
    assert score == pytest.approx(max(scores), abs=1e-4)
    assert "".join(digit.text for digit in digits) == text
    boxes = [digit.box for digit in digits]
    assert boxes in [[candidates[i].box for i in path] for path in paths]


def spelt(candidates, log_probs, text):
    return spell(candidates, np.stack(log_probs), LABELS, REJECT, HEIGHT, [text])[0]


def test_what_a_row_is_read_as_is_spelt_at_no_worse_a_score_than_any_other_text():
    candidates = [candidate(0, 1), candidate(1, 2), candidate(2, 3)]
    log_probs = [probabilities(d4=0.9), probabilities(d0=0.8), probabilities(d7=0.7)]
    best = spelt(candidates, log_probs, "407")
    assert [digit.box for digit in best.digits] == [c.box for c in candidates] and best.unread == ()
    for other in ("401", "47", "4077", "", "999"):
        assert spelt(candidates, log_probs, other).score < best.score


def test_a_text_may_leave_marks_and_strokes_out_at_a_price():
    dot = candidate(1, 2, box=(45, 55, 6, 6))
    candidates = [candidate(0, 1), dot, candidate(2, 3)]
    log_probs = [probabilities(d4=0.9), probabilities(d1=0.5), probabilities(d7=0.9)]
    whole = spelt(candidates, log_probs, "47")
    assert [digit.text for digit in whole.digits] == ["4", "7"] and whole.score > -1
    without = spelt(candidates, log_probs, "4")
    assert [digit.text for digit in without.digits] == ["4"] and without.score < whole.score - 2
    assert spelt(candidates, log_probs, "417").score == -np.inf  # a dot is no digit


def test_a_letter_between_digits_is_told_of_and_one_beside_them_is_not():
    candidates = [candidate(i, i + 1) for i in range(3)]
    digit, letter = probabilities(d4=0.9), probabilities(reject=0.9)
    assert spelt(candidates, [digit, letter, digit], "44").unread == ((1, candidates[1].box),)
    assert spelt(candidates, [letter, digit, digit], "44").unread == ()
    assert spelt(candidates, [digit, digit, letter], "44").unread == ()
    low = [candidates[0], candidate(1, 2, box=(40, 30, 25, 30)), candidates[2]]
    assert spelt(low, [digit, letter, digit], "44").unread == ((1, low[1].box),)
    thin = [candidates[0], candidate(1, 2, box=(50, 10, 8, 50)), candidates[2]]
    assert spelt(thin, [digit, letter, digit], "44").unread == ()
