"""What the stabiliser makes of rows, look by look. Rows are made up here; `benchmarks.shaky` has real ones."""

import math
import random
from collections import Counter
from itertools import permutations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from edge.assignment import assign
from edge.config import StabiliserConfig
from edge.fusion import Evidence
from edge.row import Digit, Row
from edge.stabilise import MOST, Left, Settled, Stabiliser

STEP = 0.1
"""Seconds between looks."""


def row(text, confidence=0.9, at=(300, 300), height=50, others=(), turn=0.0):
    """A row whose middle is `at`, of digits 30 pixels wide each to 50 of height; others: texts and log-probabilities
    that it is told with.
    """
    wide = 0.6 * height
    left, top = at[0] - wide * len(text) / 2, at[1] - height / 2
    digits = tuple(
        Digit(
            label, 0.0 if label == "?" else confidence ** (1 / len(text)), (round(left + i * wide), round(top), 28, 50)
        )
        for i, label in enumerate(text)
    )
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [wide * len(text) / 2, height / 2]
    cos, sin = math.cos(turn), math.sin(turn)
    quad = tuple((float(x), float(y)) for x, y in corners @ np.array([[cos, sin], [-sin, cos]]) + at)
    own = () if "?" in text else ((text, math.log(max(confidence, 1e-12))),)
    told = sorted([*own, *((one, math.log(share)) for one, share in others)], key=lambda one: -one[1])
    return Row(text, 0.0 if "?" in text else confidence, digits, quad, alternatives=tuple(told) if others else ())


def run(stabiliser, looks, start=0.0):
    """What each look brings to light: looks, lists of rows, come every `STEP` seconds."""
    return [stabiliser.update(look, start + i * STEP) for i, look in enumerate(looks)]


def said(events):
    """The events of several looks in short: (look, text) for a row that settled, (look, "left") for one that left."""
    return [
        (i, event.row.text if isinstance(event, Settled) else "left")
        for i, of_look in enumerate(events)
        for event in of_look
    ]


@pytest.fixture
def stabiliser():
    return Stabiliser(StabiliserConfig())


def test_a_row_settles_when_three_looks_agree_and_only_then(stabiliser):
    events = run(stabiliser, [[row("4071")]] * 20)
    assert said(events) == [(2, "4071")]
    assert events[2][0].first


def test_a_sure_row_settles_at_its_second_look(stabiliser):
    assert said(run(stabiliser, [[row("4071", 0.9999)]] * 5)) == [(1, "4071")]


def test_as_many_looks_as_are_asked_for_have_to_agree():
    looks = [[row("4071", 0.7)]] * 9
    assert said(run(Stabiliser(StabiliserConfig(agree=5)), looks)) == [(4, "4071")]
    assert said(run(Stabiliser(StabiliserConfig(agree=1)), looks)) == [(0, "4071")]


def test_what_is_seen_once_is_never_reported(stabiliser):
    looks = [[row("4071", 0.9999)], *[[]] * 30]
    assert said(run(stabiliser, looks)) == []


def test_a_settled_row_carries_the_newest_place_and_how_sure_all_looks_are(stabiliser):
    looks = [[row("4071", 0.9, at=(300 + 4 * i, 300))] for i in range(3)]
    ((settled,),) = [events for events in run(stabiliser, looks) if events]
    assert settled.row.quad == looks[2][0].quad
    assert [digit.box for digit in settled.row.digits] == [digit.box for digit in looks[2][0].digits]
    assert 0.9 < settled.row.confidence < 1
    assert math.prod(digit.confidence for digit in settled.row.digits) == pytest.approx(settled.row.confidence)
    assert settled.row.alternatives[0] == ("4071", pytest.approx(math.log(settled.row.confidence)))


def test_one_outlier_neither_delays_nor_changes_a_reading_for_good(stabiliser):
    good, bad = [row("4071", 0.9)], [row("4077", 0.99)]
    assert said(run(stabiliser, [good, bad, good, good, good, *[good] * 5, bad, *[good] * 5])) == [(3, "4071")]


def test_a_changed_display_is_reported_once_within_a_second(stabiliser):
    events = run(stabiliser, [*[[row("4071")]] * 30, *[[row("4072")]] * 30])
    (_, first), (look, second) = said(events)
    assert (first, second) == ("4071", "4072") and look - 30 < 10
    one, other = [event for of_look in events for event in of_look]
    assert one.track == other.track and one.first and not other.first


def test_what_goes_back_to_what_it_was_is_reported_again(stabiliser):
    looks = [*[[row("4071")]] * 20, *[[row("4072")]] * 20, *[[row("4071")]] * 20]
    assert [text for _, text in said(run(stabiliser, looks))] == ["4071", "4072", "4071"]


def test_texts_that_single_looks_never_find_likeliest_long_enough_are_found_by_all_together(stabiliser):
    """Each look prefers another wrong text a little; the right one is each look's second."""
    wrong = ["4077", "1071", "4011", "4871", "4171", "9071"]
    looks = [[row(text, 0.5, others=[("4071", 0.45)])] for text in wrong]
    evidence = Evidence()
    for (look,) in looks:
        evidence.add(look)
    assert evidence.texts()[0][0] == "4071"
    assert [text for _, text in said(run(stabiliser, [*looks, *[[row("4071", 0.6)]] * 3]))] == ["4071"]


def test_a_row_that_left_is_said_to_have_once_and_reported_anew_when_it_comes_back(stabiliser):
    events = run(stabiliser, [*[[row("4071")]] * 5, *[[]] * 40, *[[row("4071")]] * 5])
    assert said(events) == [(2, "4071"), (19, "left"), (47, "4071")]
    first, left, again = [event for of_look in events for event in of_look]
    assert isinstance(left, Left) and left.track == first.track != again.track
    assert left.row.text == "4071" and again.first


def test_a_row_that_never_settled_leaves_without_a_word(stabiliser):
    assert said(run(stabiliser, [[row("4071", 0.7)], [row("4071", 0.7)], *[[]] * 40])) == []


def test_a_row_that_is_missed_for_a_moment_is_still_the_same(stabiliser):
    looks = [*[[row("4071")]] * 5, *[[]] * 10, *[[row("4071")]] * 5]
    assert said(run(stabiliser, looks)) == [(2, "4071")]


def test_frames_with_nothing_new_keep_rows_but_are_no_looks(stabiliser):
    stabiliser.update([row("4071")], 0.0)
    assert stabiliser.waiting
    assert [stabiliser.same(0.1 * i) for i in range(1, 100)] == [[]] * 99
    assert said(run(stabiliser, [[row("4071")]] * 3, start=10.0)) == [(1, "4071")]
    assert not stabiliser.waiting
    assert stabiliser.same(20.0) == []
    assert stabiliser.update([], 20.1) == []
    assert stabiliser.same(21.0) == []
    (left,) = stabiliser.same(22.0)
    assert left.row.text == "4071"
    assert stabiliser.same(23.0) == []


def test_a_row_that_never_settles_is_not_waited_for_for_ever(stabiliser):
    for i in range(40):
        stabiliser.update([row("4071", 0.6), row(f"{i}7{i}", 0.3, at=(300, 600))], i * STEP)
        assert stabiliser.waiting == (i < 14)


def test_standing_rows_are_those_that_the_last_frame_read_as_they_had_settled(stabiliser):
    other = row("55", at=(900, 600))
    run(stabiliser, [[row("4071"), other]] * 3)
    assert {row.text for row in stabiliser.standing.values()} == {"4071", "55"}
    stabiliser.update([row("4077"), other], 0.4)
    assert [row.text for row in stabiliser.standing.values()] == ["55"]
    stabiliser.update([], 0.5)
    assert stabiliser.standing == {}


def test_two_rows_of_the_same_text_side_by_side_stay_two(stabiliser):
    looks = []
    for i in range(30):
        x = 300 + 60 * math.sin(i)
        pair = [row("4071", at=(x, 300)), row("4071", at=(x + 160, 300))]
        looks.append(pair[:: 1 if i % 2 else -1])
    events = run(stabiliser, looks)
    assert said(events) == [(2, "4071"), (2, "4071")]
    places = sorted((event.track, event.row.quad[0][0]) for event in events[2])
    assert abs(places[0][1] - places[1][1]) == pytest.approx(160)


def test_of_two_alike_rows_the_one_that_left_is_said_to_have(stabiliser):
    left, right = row("4071", at=(300, 300)), row("4071", at=(460, 300))
    events = run(stabiliser, [*[[left, right]] * 5, *[[right]] * 30])
    tracks = {event.row.quad: event.track for event in events[2]}
    gone = [event for of_look in events for event in of_look if isinstance(event, Left)]
    assert [event.track for event in gone] == [tracks[left.quad]]


def test_lines_of_a_list_that_moves_by_a_line_are_not_taken_for_each_other(stabiliser):
    def page(y):
        return [row(text, at=(400, y + 70 * i)) for i, text in enumerate(("4071", "2236", "5580"))]

    events = run(stabiliser, [page(300), page(300), page(300), *[page(300 + 70 * i) for i in (1, 0, 1, 2, 1, 0)]])
    assert said(events) == [(2, "4071"), (2, "2236"), (2, "5580")]


@settings(max_examples=25)
@given(st.integers(0, 10_000))
def test_rows_before_a_camera_in_a_hand_are_reported_once_each(seed):
    random_ = random.Random(seed)
    texts = ["4071", "4071", "2236", "88123"]
    home = [(200, 200), (480, 200), (200, 320), (560, 420)]
    stabiliser, x, y, turn, scale = Stabiliser(StabiliserConfig()), 0.0, 0.0, 0.0, 1.0
    events, shows = [], [Counter() for _ in home]
    for i in range(40):
        x, y = x + random_.gauss(0, 12), y + random_.gauss(0, 12)
        turn, scale = turn + random_.gauss(0, 0.01), scale * math.exp(random_.gauss(0, 0.01))
        look = []
        for text, (left, top), seen in zip(texts, home, shows, strict=True):
            at = (
                640 + scale * ((left - 640) * math.cos(turn) - (top - 360) * math.sin(turn)) + x,
                360 + scale * ((left - 640) * math.sin(turn) + (top - 360) * math.cos(turn)) + y,
            )
            shown = text
            if random_.random() < 0.1:
                shown = text[:-1] + random_.choice("0123456789?")
            if i < 3 or random_.random() > 0.1:
                seen[shown] += 1
                assume(shown == text or seen[shown] < 3 or seen[shown] <= seen[text])  # or else it is what stands there
                look.append(row(shown, random_.uniform(0.5, 0.8), at, 50 * scale, turn=turn))
        random_.shuffle(look)
        events.append(stabiliser.update(look, i * STEP))
    assert sorted(text for _, text in said(events)) == sorted(texts)


def test_a_row_does_not_settle_while_as_many_looks_read_another_text(stabiliser):
    looks = [row("4077", 0.8)] * 2 + [row("4071", 0.55)] * 3 + [row("4077", 0.8)] * 2
    assert said(run(stabiliser, [[look] for look in looks])) == [(6, "4077")]


def test_of_two_rows_alike_the_one_misread_so_far_is_not_taken_for_the_other_that_is_missed(stabiliser):
    left, right, still = row("4071", at=(200, 200)), row("4071", at=(480, 200)), row("2236", at=(200, 320))
    misread = row("4075", at=(480, 200))
    events = run(stabiliser, [*[[left, misread, still]] * 2, [right, still], *[[left, right, still]] * 15])
    assert said(events) == [(2, "2236"), (3, "4071"), (4, "4071")]
    assert {row.quad for row in stabiliser.standing.values()} == {left.quad, right.quad, still.quad}


def test_a_row_that_jumps_is_known_again_by_its_text(stabiliser):
    stays = row("2236", at=(700, 100))
    looks = [[stays, row("4071", at=(300, 300))]] * 5 + [[stays, row("4071", at=(900, 600))]] * 5
    assert said(run(stabiliser, looks)) == [(2, "2236"), (2, "4071")]


def test_a_row_that_is_missed_while_the_picture_moves_is_looked_for_where_it_must_be(stabiliser):
    def look(i, *texts):
        return [row(text, at=(200 + 40 * i, 200 + 150 * k)) for k, text in enumerate(texts) if text]

    looks = [look(i, "4071", "2236") for i in range(4)] + [look(i, "4071", "") for i in range(4, 12)]
    looks += [look(i, "4071", "2296") for i in range(12, 14)] + [look(i, "4071", "2236") for i in range(14, 20)]
    assert said(run(stabiliser, looks)) == [(2, "4071"), (2, "2236")]


def test_another_row_at_another_place_is_another_row(stabiliser):
    events = run(stabiliser, [*[[row("4071", at=(300, 300))]] * 5, *[[row("2236", at=(900, 600))]] * 30])
    assert [text for _, text in said(events)] == ["4071", "2236", "left"]
    assert events[2][0].track != events[7][0].track


def test_a_digit_that_a_look_cannot_read_is_no_evidence(stabiliser):
    hidden, good = [row("40?1", others=[("4091", 0.9)])], [row("4071", 0.9)]
    events = run(stabiliser, [good, hidden, good, hidden, good, *[hidden] * 50])
    assert said(events) == [(4, "4071")]
    evidence = Evidence()
    evidence.add(good[0])
    before = evidence.texts()
    evidence.add(hidden[0])
    assert evidence.texts() == before


def test_a_row_that_no_look_can_read_wholly_is_reported_with_its_gap_and_no_confidence(stabiliser):
    events = run(stabiliser, [*[[row("40?1")]] * 10, *[[row("4071")]] * 10])
    assert [text for _, text in said(events)] == ["40?1", "4071"]
    assert events[2][0].row.confidence == 0


def test_a_display_that_changes_to_one_that_cannot_be_read_is_not_left_standing(stabiliser):
    assert [text for _, text in said(run(stabiliser, [*[[row("4071")]] * 10, *[[row("98?2")]] * 40]))] == [
        "4071",
        "98?2",
    ]


def test_looks_that_err_alike_do_not_make_a_doubtful_text_certain():
    evidence = Evidence()
    for _ in range(1000):
        evidence.add(row("4071", 0.6, others=[("4077", 0.4)]))
    text, likelihood = evidence.texts()[0]
    assert text == "4071" and 0.6 < math.exp(likelihood) < 0.9


def test_one_look_is_as_sure_as_its_row():
    for confidence in (0.2, 0.6, 0.99):
        evidence = Evidence()
        evidence.add(row("4071", confidence))
        assert math.exp(evidence.texts()[0][1]) == pytest.approx(confidence, abs=0.01)


@pytest.mark.parametrize("confidence", [0.0, 1e-12, 0.3, 1.0])
def test_evidence_stays_within_bounds_however_long_a_row_is_looked_at(confidence):
    evidence = Evidence()
    for _ in range(3000):
        evidence.add(row("4071", confidence))
    assert 0 <= math.exp(evidence.texts()[0][1]) <= 1


def test_a_hundred_texts_of_one_row_do_not_pile_up():
    evidence = Evidence()
    for i in range(100):
        evidence.add(row(str(1000 + i), 0.9))
    assert evidence.texts()[0][0] == "1099" and len(evidence.texts(1000)) <= 32


_LOOKS = st.lists(
    st.lists(
        st.builds(
            row,
            st.text("012?", min_size=1, max_size=4),
            st.floats(0.01, 1),
            st.tuples(st.integers(0, 1280), st.integers(0, 720)),
            st.integers(1, 100),
            st.lists(st.tuples(st.text("012?", min_size=1, max_size=4), st.floats(0.001, 1)), max_size=3),
        ),
        max_size=5,
    ),
    max_size=12,
)


@settings(max_examples=60)
@given(_LOOKS, st.integers(1, 3))
def test_whatever_is_seen_events_make_sense_and_come_the_same_again(looks, agree):
    config = StabiliserConfig(agree=agree)
    events = run(Stabiliser(config), looks)
    assert run(Stabiliser(config), looks) == events
    standing = {}
    for event in (event for of_look in events for event in of_look):
        if isinstance(event, Left):
            assert standing.pop(event.track) == event.row.text
            continue
        assert event.first == (event.track not in standing)
        assert standing.get(event.track) != event.row.text
        assert 0 <= event.row.confidence <= 1
        assert "".join(digit.text for digit in event.row.digits) == event.row.text
        standing[event.track] = event.row.text


def test_a_busy_picture_is_followed_within_bounds_and_its_rows_stay_known(stabiliser):
    random_ = random.Random(0)
    real = [row("407122", at=(640, 360))]
    for i in range(60):
        junk = [
            row(random_.choice("17") * random_.randint(1, 3), 0.4, (random_.uniform(0, 1280), random_.uniform(0, 720)))
            for _ in range(100)
        ]
        events = stabiliser.update([*junk, *real], i * STEP)
        assert ("407122" in [event.row.text for event in events]) == (i == 2)
    assert len(stabiliser._tracks) <= MOST


@given(st.integers(0, 5), st.integers(0, 5), st.integers(0, 10_000))
def test_assignment_is_the_cheapest_of_all(n, m, seed):
    rng = np.random.default_rng(seed)
    costs = np.where(rng.uniform(size=(n, m)) < 0.3, np.inf, rng.uniform(0, 2, (n, m)))
    pairs = assign(costs, 1.0)
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)

    def total(pairs):
        return sum(costs[pair] for pair in pairs) + 1.0 * (n - len(pairs))

    columns = [*range(m), *[None] * n]
    every = ([(i, j) for i, j in enumerate(chosen) if j is not None] for chosen in set(permutations(columns, n)))
    assert total(pairs) == pytest.approx(min(total(way) for way in every))
