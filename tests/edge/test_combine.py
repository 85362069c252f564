"""What two models read in one row becomes one reading, its doubt told digit by digit."""

import numpy as np
import pytest

from edge.combine import LEAST_CONFIDENCE, Evidence, combine
from edge.decode import decode
from edge.imaging.candidates import Candidate
from edge.row import UNREADABLE
from edge.sequence import BLANK

LABELS = (*"0123456789", "reject")
SPELLING = (BLANK, *"0123456789")
HEIGHT = 50.0


def judged(*shares):
    """float32 [n, 11], logarithms, of candidates: each a dict of label -> probability, the rest spread."""
    rows = []
    for share in shares:
        rest = (1 - sum(share.values())) / (11 - len(share))
        rows.append([share.get(label, rest) for label in LABELS])
    return np.log(np.array(rows) + 1e-6).astype(np.float32)


def steps_of(*shares, each=4):
    """float32 [T, 11]: each digit's step between blank ones; a str is as good as sure."""
    rows = []
    for share in shares:
        share = {share: 0.98} if isinstance(share, str) else share
        blank = {BLANK: 0.98}
        for one in (blank, share, *[blank] * (each - 2)):
            rest = (1 - sum(one.values())) / (11 - len(one))
            rows.append([one.get(label, rest) for label in SPELLING])
    return np.log(np.array(rows) + 1e-6).astype(np.float32)


def read(log_probs, steps, candidates=None, on_plate=False):
    candidates = candidates or [Candidate(i, i + 1, (), (i * 40, 10, 32, 50), 0, True) for i in range(len(log_probs))]
    columns = np.linspace(0, 40 * max(1, len(log_probs)), len(steps) + 1)
    seen = Evidence(candidates, log_probs, LABELS, 10, [steps], SPELLING, columns, 10.0, HEIGHT, on_plate)
    return combine(seen, decode(candidates, log_probs, LABELS, 10, HEIGHT))


def text_of(decoded):
    return "".join(digit.text for digit in decoded.digits)


def test_where_both_agree_the_row_is_sure_and_its_boxes_are_the_candidates():
    decoded = read(judged({"4": 0.97}, {"0": 0.98}, {"7": 0.97}), steps_of("4", "0", "7"))
    assert text_of(decoded) == "407" and decoded.confidence > 0.7
    assert [digit.box for digit in decoded.digits] == [(0, 10, 32, 50), (40, 10, 32, 50), (80, 10, 32, 50)]


def test_the_surer_model_decides_a_digit_and_the_row_is_less_sure():
    both = read(judged({"4": 0.97}, {"1": 0.97}), steps_of("4", "1"))
    by_steps = read(judged({"4": 0.97}, {"1": 0.5, "7": 0.4}), steps_of("4", {"7": 0.9, "1": 0.02}))
    by_candidates = read(judged({"4": 0.97}, {"1": 0.98}), steps_of("4", {"7": 0.5, "1": 0.4}))
    assert text_of(by_steps) == "47" and text_of(by_candidates) == "41"
    assert by_steps.confidence < both.confidence and by_candidates.confidence < both.confidence


def test_digits_that_were_cut_nowhere_are_read_by_the_steps_and_placed_by_them():
    whole = [Candidate(0, 1, (), (0, 10, 90, 50), 0, True)]
    decoded = read(judged({"reject": 0.95}), steps_of("4", "7"), whole)
    assert text_of(decoded) == "47"
    left, right = (digit.box for digit in decoded.digits)
    assert left[0] < right[0] and all(box[2] > 0 and box[3] == 50 for box in (left, right))


def apart(*places):
    """Candidates at these places, each 40 pixels broad."""
    return [Candidate(i, i + 1, (), (place * 40, 10, 32, 50), 0, True) for i, place in enumerate(places)]


@pytest.mark.parametrize(
    ("text", "places"), [("41087", (0, 4)), ("41087", (0, 3, 4)), ("41087", (3, 4)), ("41087", (0, 1))]
)
def test_digits_without_a_stroke_are_told_by_the_steps_and_the_candidates_have_no_say(text, places):
    """Ink too pale to be found; what there is of the row is spelt by the strokes that are there, none of them cut."""
    seen = judged(*({text[place]: 0.97} for place in places))
    steps = steps_of(*text)
    columns = np.linspace(0, 200, len(steps) + 1)
    # As the steps have it: each digit's middle.
    columns += 20 - (columns[1] + columns[2]) / 2
    row = Evidence(apart(*places), seen, LABELS, 10, [steps], SPELLING, columns, 10.0, HEIGHT)
    decoded = combine(row, decode(row.candidates, seen, LABELS, 10, HEIGHT))
    assert text_of(decoded) == text and decoded.confidence > 0.5
    boxes = [digit.box for digit in decoded.digits]
    assert [boxes[place] for place in places] == [(place * 40, 10, 32, 50) for place in places]
    middles = [x + w / 2 for x, _, w, _ in boxes]
    assert middles == pytest.approx([20 + 40 * i for i in range(5)], abs=5)


def test_where_nothing_is_seen_between_far_strokes_no_digit_is_looked_for_there(monkeypatch):
    seen = judged({"4": 0.97}, {"5": 0.97})
    steps = steps_of("4", BLANK, BLANK, "5")
    columns = np.linspace(0, 160, len(steps) + 1)
    row = Evidence(apart(0, 3), seen, LABELS, 10, [steps], SPELLING, columns, 10.0, HEIGHT)
    monkeypatch.setattr("edge.combine._pale", None)
    assert text_of(combine(row, decode(row.candidates, seen, LABELS, 10, HEIGHT))) == "45"


def test_a_letter_stands_in_its_place_behind_digits_without_a_stroke():
    places = (0, 4, 5, 6)
    seen = judged({"4": 0.97}, {"7": 0.97}, {"reject": 0.97}, {"5": 0.97})
    steps = steps_of("4", "1", "0", "8", "7", BLANK, "5")
    columns = np.linspace(0, 280, len(steps) + 1)
    columns += 20 - (columns[1] + columns[2]) / 2
    row = Evidence(apart(*places), seen, LABELS, 10, [steps], SPELLING, columns, 10.0, HEIGHT)
    decoded = combine(row, decode(row.candidates, seen, LABELS, 10, HEIGHT))
    assert text_of(decoded) == "41087?5"
    assert [digit.box[0] for digit in decoded.digits][4:] == [160, 200, 240]


def test_the_doubt_is_told_where_it_is_and_adds_up():
    decoded = read(judged({"4": 0.98}, {"7": 0.6, "1": 0.3}, {"7": 0.98}), steps_of("4", {"7": 0.7, "1": 0.2}, "7"))
    assert text_of(decoded) == "477"
    confidences = [digit.confidence for digit in decoded.digits]
    assert min(confidences) == confidences[1]
    assert np.prod(confidences) == pytest.approx(decoded.confidence)
    assert all(LEAST_CONFIDENCE <= confidence <= 1 for confidence in confidences)


def test_a_letter_between_digits_is_asked_about():
    decoded = read(judged({"4": 0.97}, {"reject": 0.97}, {"7": 0.97}), steps_of("4", BLANK, "7"))
    assert text_of(decoded) == "4?7" and decoded.confidence == 0
    assert decoded.digits[1].text == UNREADABLE and decoded.digits[1].box == (40, 10, 32, 50)


def test_a_stroke_in_which_a_digit_is_seen_is_no_letter_and_the_digit_stands_there():
    """As in a meter's window joined with its frame: the frame beside it is spelt as the digit, for want of better."""
    decoded = read(judged({"4": 0.97}, {"reject": 0.97}, {"7": 0.9}), steps_of("4", "7", BLANK))
    assert text_of(decoded) == "47" and decoded.confidence > 0
    (first, second) = (digit.box for digit in decoded.digits)
    assert first == (0, 10, 32, 50)
    assert 40 <= second[0] + second[2] / 2 <= 72


def test_a_stroke_in_which_a_digit_is_hardly_seen_may_be_a_letter():
    decoded = read(judged({"4": 0.97}, {"reject": 0.97}, {"7": 0.9}), steps_of("4", {"7": 0.7, "1": 0.2}, BLANK))
    assert text_of(decoded) == "4?7"


def test_a_digit_seen_a_little_beside_its_candidate_stands_where_that_is():
    columns = np.linspace(0, 80, 9) + 10
    candidates = apart(0, 1)
    seen = judged({"4": 0.97}, {"reject": 0.6, "7": 0.35})
    row = Evidence(candidates, seen, LABELS, 10, [steps_of("4", "7")], SPELLING, columns, 10.0, HEIGHT)
    decoded = combine(row, decode(candidates, seen, LABELS, 10, HEIGHT))
    assert [digit.box for digit in decoded.digits] == [candidate.box for candidate in candidates]


def test_candidates_that_like_no_text_do_not_decide():
    """Frames joined with digits look like none, whatever else they look like more or less."""
    steps = steps_of("4", "2", {"1": 0.6, "7": 0.3}, "4")
    last = [{"7": 0.5, "1": 0.05, "reject": 0.4}, {"4": 0.97}]
    assert text_of(read(judged({"4": 0.97}, {"2": 0.97}, *last), steps)) == "4274"
    assert text_of(read(judged({"reject": 0.99}, {"reject": 0.99}, *last), steps)) == "4214"


def test_parts_of_a_plate_are_no_letters():
    """As between a meter's windows."""
    shares = judged({"4": 0.97}, *[{"reject": 0.95}] * 2, {"7": 0.97}, *[{"reject": 0.95}] * 2)
    steps = steps_of("4", BLANK, BLANK, "7", BLANK, BLANK)
    assert text_of(read(shares, steps)) == "4??7"
    on_plate = read(shares, steps, on_plate=True)
    assert text_of(on_plate) == "47" and on_plate.confidence > 0


def test_what_both_see_no_digits_in_is_no_row():
    decoded = read(judged({"reject": 0.97}, {"reject": 0.9}), steps_of(BLANK, BLANK))
    assert decoded.digits == () and decoded.confidence == 0
