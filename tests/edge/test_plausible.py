"""What a field's rules make of readings, one after the other."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.config import FieldConfig
from edge.pattern import LONGEST, bounded
from edge.plausible import FieldRules, Verdict

HOUR = 3600.0


def rules(**config):
    return FieldRules(FieldConfig(**config))


def judged(field, *texts, step=1.0):
    """What becomes of readings that come `step` seconds after each other: "ok" or the name of the rule broken."""
    verdicts = [field.judge(text, i * step) for i, text in enumerate(texts)]
    for verdict, text in zip(verdicts, texts, strict=True):
        assert verdict == Verdict(text, "ok") or (verdict.text == "" and "\n" not in verdict.why)
    return [verdict.why.split(":")[0] if verdict.why else "ok" for verdict in verdicts]


def test_without_rules_all_that_can_be_read_is_true():
    assert judged(rules(), "1", "99999999", "0", "5" * 64) == ["ok"] * 4


@pytest.mark.parametrize("text", ["12?4", "?", ""])
def test_what_cannot_be_read_is_never_true(text):
    field = rules(confirm=1)
    assert judged(field, *[text] * 5) == ["unreadable"] * 5


@pytest.mark.parametrize(
    ("config", "text", "why"),
    [
        ({"length": 5}, "1234", "length: 5 digits wanted, 1234 has 4"),
        ({"pattern": "4[0-9]+"}, "1234", "pattern: 1234 does not match '4[0-9]+'"),
        ({"pattern": "1"}, "12", "pattern: 12 does not match '1'"),
        ({"minimum": 100}, "0042", "minimum: 0042 is less than 100"),
        ({"maximum": 41.5}, "42", "maximum: 42 is more than 41.5"),
        ({"minimum": 1}, "٣", "number: '٣' is none"),
        ({}, "1" * 65, "length: at most 64 digits can be judged, 65 were read"),
    ],
)
def test_the_rule_the_bound_and_the_value_are_named(config, text, why):
    assert rules(**config).judge(text, 0) == Verdict("", "implausible", why)


def test_a_value_at_a_bound_is_within_it():
    assert judged(rules(minimum=42, maximum=42), "42", "41", "43") == ["ok", "minimum", "maximum"]


def test_a_rising_field_may_stand_still_but_not_fall():
    field = rules(rising=True)
    assert judged(field, "100", "100", "099", "101") == ["ok", "ok", "rising", "ok"]
    assert field.judge("007", 9).why == "rising: 007 is less than 101 before"


def test_a_rate_is_held_against_the_last_true_value_and_its_time():
    field = rules(max_rate=10)
    assert field.judge("100", 0).status == "ok"
    assert field.judge("112", HOUR).why == "max_rate: 112 is 12 from 100 before, at most 11 in 3600 s at 10 an hour"
    assert field.judge("112", 1.2 * HOUR).status == "ok"
    assert field.judge("090", 1.2 * HOUR + 1).status == "implausible"
    assert field.judge("102", 2.2 * HOUR).status == "ok"  # where a field may fall, it may as fast as it may rise


def test_a_counter_may_move_by_one_at_any_moment():
    assert judged(rules(max_rate=1), "100", "101", "103", step=0.1) == ["ok", "ok", "max_rate"]


def test_a_clock_that_was_set_back_leaves_time_standing():
    field = rules(max_rate=10)
    field.judge("100", 5 * HOUR)
    assert field.judge("101", HOUR).status == "ok"
    assert field.judge("150", 2 * HOUR).status == "implausible"


def test_a_counter_that_rolls_over_rises():
    field = rules(rising=True, roll_over=True, length=5, max_rate=36_000)
    assert field.judge("99998", 0).status == "ok"
    assert field.judge("00003", 0.4).status == "ok"  # by 5, in which 5 are possible
    assert judged(rules(rising=True, length=5), "99998", "00003") == ["ok", "rising"]
    fast = rules(rising=True, roll_over=True, length=5, max_rate=36_000)
    fast.judge("99998", 0)
    assert fast.judge("00003", 0.3).why.startswith("max_rate: 00003 is 5 from 99998 before, at most 4")


def test_a_misreading_that_is_too_low_is_no_roll_over():
    assert judged(rules(rising=True, roll_over=True, length=5), "61234", "61134", "01234") == ["ok", "rising", "rising"]


def test_a_field_that_falls_too_rolls_over_backward():
    assert judged(rules(roll_over=True, length=3, max_rate=7200), "002", "999", "002") == ["ok"] * 3


@given(st.integers(1, 9), st.data())
def test_a_counter_that_goes_on_by_little_is_always_plausible(length, data):
    size = 10**length
    value = data.draw(st.integers(0, size - 1))
    step = data.draw(st.integers(0, size // 10))
    field = rules(rising=True, roll_over=True, length=length, max_rate=max(step, 1))
    texts = [str(one % size).zfill(length) for one in (value, value + step)]
    assert [field.judge(text, i * HOUR).status for i, text in enumerate(texts)] == ["ok", "ok"]
    back = str((value + step - step // 2 - 2) % size).zfill(length)  # by 2 at least
    if size > 100:
        assert field.judge(back, HOUR).status == "implausible"


def test_a_new_value_is_taken_once_it_has_been_confirmed():
    field = rules(rising=True, confirm=3)
    assert judged(field, "500", "120", "120", "121", "122", "121") == ["ok"] + ["rising"] * 3 + ["ok", "rising"]
    assert field.last == ("122", 4.0)


def test_readings_that_do_not_go_with_each_other_confirm_nothing():
    field = rules(rising=True, confirm=2)
    assert judged(field, "500", "120", "119", "118", "117", "116") == ["ok"] + ["rising"] * 5


def test_a_true_reading_between_ends_the_doubt():
    field = rules(rising=True, confirm=2)
    assert judged(field, "500", "120", "120", "500", "120", "120", "120") == [
        *["ok", "rising", "rising", "ok"],
        *["rising", "rising", "ok"],
    ]


def test_an_unreadable_look_neither_confirms_nor_ends_a_confirmation():
    field = rules(rising=True, confirm=2, length=3)
    assert judged(field, "500", "120", "12?", "12", "120", "120") == [
        *["ok", "rising", "unreadable", "length"],
        *["rising", "ok"],
    ]


def test_rules_about_the_value_itself_are_never_overridden():
    field = rules(length=3, minimum=100, pattern="[0-8]+", confirm=1)
    assert "ok" not in judged(field, *["12"] * 5, *["099"] * 5, *["119"] * 5)


def test_what_was_true_before_a_restart_is_what_the_next_reading_is_held_against():
    field = rules(rising=True, max_rate=10, length=3)
    assert field.last is None
    field.restore("100", 0)
    assert field.last == ("100", 0)
    assert field.judge("099", HOUR).status == "implausible"
    assert field.judge("120", HOUR).status == "implausible"
    assert field.judge("110", HOUR).status == "ok"


def test_what_the_rules_forbid_by_now_is_not_restored():
    field = rules(rising=True, length=3)
    for text in ("1234", "", "12?", "abc"):
        field.restore(text, 0)
    assert field.last is None and field.judge("001", 1).status == "ok"


@given(st.data())
def test_a_counter_misread_now_and_then_is_never_taken_to_fall_and_never_locks(data):
    """Misreadings: any one digit is another; never more in sequence than two, where three confirm."""
    field = rules(rising=True, max_rate=360, length=5, confirm=3)
    value, now, bad, taken = data.draw(st.integers(0, 50_000)), 0.0, 2, []
    for _ in range(data.draw(st.integers(1, 60))):
        now += 10.0
        value += data.draw(st.integers(0, 1))
        text = str(value).zfill(5)
        if bad < 2 and data.draw(st.booleans()):
            at, digit = data.draw(st.integers(0, 3)), data.draw(st.sampled_from("0123456789"))
            text = text[:at] + digit + text[at + 1 :]
        bad = 0 if text == str(value).zfill(5) else bad + 1
        verdict = field.judge(text, now)
        if verdict.status == "ok":
            taken.append(int(verdict.text))
        if bad == 0:
            assert verdict.status == "ok"
    assert taken == sorted(taken)


@given(st.integers(0, 99_999), st.integers(0, 99_999), st.integers(1, 8), st.booleans())
def test_no_value_however_wrong_locks_a_field(wrong, true, confirm, roll_over):
    field = rules(rising=True, max_rate=1, length=5, confirm=confirm, roll_over=roll_over)
    field.restore(f"{wrong:05}", 0)
    statuses = [field.judge(f"{true:05}", float(i)).status for i in range(confirm + 1)]
    assert statuses[-1] == "ok"
    assert statuses[0] == "ok" or statuses[:-1] == ["implausible"] * confirm


@given(st.lists(st.text("0123456789?", max_size=6), max_size=40), st.integers(1, 3))
def test_a_field_never_takes_what_breaks_a_rule_about_the_value_itself(texts, confirm):
    field = rules(length=3, pattern="[0-7]+", minimum=5, maximum=700, rising=True, confirm=confirm)
    for i, text in enumerate(texts):
        if field.judge(text, float(i)).status == "ok":
            assert re.fullmatch("[0-7]{3}", text) and 5 <= int(text) <= 700


@pytest.mark.parametrize(
    "pattern",
    [r"(\d+)+x", r"(\d|\d\d)+x", r"(?:\d?){64}x", r"\d?" * 30 + "x", r"\d*\d*\d*\d*x", r"((\d)\2*)*x", r"(?i:\d+)+x"],
)
def test_a_pattern_that_might_take_years_is_refused_in_a_line(pattern):
    with pytest.raises(ValueError, match="may take very long") as caught:
        bounded(pattern)
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="may take very long"):
        rules(pattern=pattern)


@pytest.mark.parametrize("pattern", ["(", "[", r"\d{99999999999}", "(" * 3000 + ")" * 3000, "*"])
def test_what_is_no_pattern_is_refused_in_a_line(pattern):
    with pytest.raises(ValueError, match="is no regular expression") as caught:
        bounded(pattern)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "pattern",
    [r"\d{5}", r"[1-9]\d*", r"0*\d+", r"(12|345)\d?", r"(\d{3})+", r"(?!000)\d{3,6}", r"(?P<a>\d{2})(\d{2})?"],
)
def test_patterns_as_people_write_them_are_taken(pattern):
    assert bounded(pattern).pattern == pattern


_PARTS = st.recursive(
    st.sampled_from([r"\d", "1", "[0-5]", "12", r"\d{2}"]),
    lambda part: st.one_of(
        st.tuples(part, st.sampled_from(["*", "+", "?", "{2,9}", "*?"])).map(lambda two: f"(?:{two[0]}){two[1]}"),
        st.tuples(part, part).map("".join),
        st.tuples(part, part).map(lambda two: f"({two[0]}|{two[1]})"),
    ),
    max_leaves=8,
)


@settings(max_examples=60)
@given(_PARTS, st.sampled_from(["1", "12", "0"]))
def test_a_pattern_that_is_taken_is_quick_for_any_text(pattern, digits):
    try:
        compiled = bounded(pattern + "x")
    except ValueError:
        return
    start = time.process_time()
    compiled.fullmatch((digits * LONGEST)[:LONGEST])
    assert time.process_time() - start < 2
