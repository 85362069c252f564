"""The model card as a page for people."""

from dataclasses import replace

import pytest

from edge.engine import read_card
from edge.model_card import Ablation, ModelCard
from edge.recogniser import default_model
from export.card import markdown


@pytest.fixture(scope="module")
def card() -> ModelCard:
    return read_card(default_model())


def test_the_page_says_what_each_source_of_samples_brings(card: ModelCard) -> None:
    right = {"": {"mnist": 0.98, "marks": 0.95}, "marks": {"mnist": 0.981, "marks": 0.2}}
    page = markdown(replace(card, ablation=Ablation(3, right)), 1000).splitlines()
    assert "| without | mnist | marks |" in page
    assert "| nothing: all sources | 98.0% | 95.0% |" in page and "| marks | 98.1% | 20.0% |" in page


def test_the_page_has_no_empty_tables(card: ModelCard) -> None:
    assert "without |" not in markdown(replace(card, ablation=None), 1000)
