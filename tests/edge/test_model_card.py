"""A model file's card survives its way through JSON; what is no card is refused."""

import json
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import ModelError
from edge.model_card import Ablation, Data, ModelCard


def test_a_card_comes_back_from_json_as_it_was(card: ModelCard) -> None:
    assert ModelCard.from_json(card.to_json()) == card
    assert hash(ModelCard.from_json(card.to_json()).labels)


texts = st.text('ab0 "\\\n/é漢😀\x00', max_size=12)
one_label = st.text('ab0"\\/é漢😀', min_size=1, max_size=12)


@given(
    name=texts,
    labels=st.lists(one_label, min_size=2, max_size=12, unique=True),
    temperature=st.floats(0.01, 100),
    accuracies=st.dictionaries(texts, st.floats(0, 1), max_size=4),
    data=st.lists(st.builds(Data, texts, st.integers(0, 10**9), texts, texts), max_size=3),
    ablation=st.none()
    | st.builds(
        Ablation,
        st.integers(1, 99),
        st.dictionaries(texts, st.dictionaries(texts, st.floats(0, 1), max_size=2), max_size=2),
    ),
)
def test_any_card_comes_back_from_json_as_it_was(name, labels, temperature, accuracies, data, ablation):
    made = ModelCard(
        name, tuple(labels), 1, temperature, "r", "s", 1, 0, 5, tuple(data), accuracies, "commit", "licence"
    )
    made = replace(made, ablation=ablation)
    assert ModelCard.from_json(made.to_json()) == made


def test_the_json_is_the_same_whatever_the_order_of_accuracies(card: ModelCard) -> None:
    one = replace(card, accuracies={"a": 0.1, "b": 0.2})
    other = replace(card, accuracies={"b": 0.2, "a": 0.1})
    assert one.to_json() == other.to_json()


def changed(card: ModelCard, **fields: object) -> str:
    return json.dumps({**asdict(card), **fields})


@pytest.mark.parametrize(
    "fields",
    [
        {"ablation": {"epochs": 3}},
        {"ablation": {"epochs": 3, "right": {"": {"mnist": 1.5}}}},
        {"ablation": {"epochs": 3, "right": [0.5]}},
        {"labels": ["0"]},
        {"labels": ["0", "0"]},
        {"labels": ["0", ""]},
        {"labels": ["0", 1]},
        {"labels": 7},
        {"labels": None},
        {"temperature": 0},
        {"temperature": -1.5},
        {"temperature": "warm"},
        {"temperature": float("nan")},
        {"temperature": None},
        {"data": [{"name": "without the rest"}]},
        {"data": 3},
        {"unheard_of": 1},
    ],
    ids=str,
)
def test_a_card_with_an_unusable_field_is_refused_in_one_line(card: ModelCard, fields: dict[str, object]) -> None:
    with pytest.raises(ModelError) as caught:
        ModelCard.from_json(changed(card, **fields))
    assert "\n" not in str(caught.value) and "metadata" in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "null", "[]", "7", '"text"', "{}", "[1, 2]", "\x00\xff"])
def test_what_is_no_card_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ModelError) as caught:
        ModelCard.from_json(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("field", ["name", "labels", "preprocessing", "temperature", "data", "licence"])
def test_a_card_without_one_of_its_fields_is_refused(card: ModelCard, field: str) -> None:
    fields = asdict(card)
    del fields[field]
    with pytest.raises(ModelError, match=field):
        ModelCard.from_json(json.dumps(fields))
