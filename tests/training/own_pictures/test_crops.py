"""Of each label some examples are held out, some are not, and what is on one picture stays together."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import UsageError
from tests.training.own_pictures.pictures import DIGITS, made, one_line
from training.own_pictures import Crops, Origin, split


@settings(max_examples=30)
@given(
    st.lists(st.integers(2, 30), min_size=1, max_size=10),
    st.integers(1, 3),
    st.floats(0.05, 0.6),
    st.integers(0, 9),
)
def test_of_each_label_some_are_held_out_and_some_are_not_and_pictures_stay_whole(
    pictures: list[int], per_picture: int, share: float, seed: int
) -> None:
    crops = made({str(i): count * per_picture for i, count in enumerate(pictures)}, per_picture)
    rest, held = split(crops, share, seed)
    assert (rest.counts > 0).all() and (held.counts > 0).all()
    assert (rest.counts + held.counts == crops.counts).all()
    assert not {o.file for o in rest.origins} & {o.file for o in held.origins}
    assert (np.abs(held.counts - share * crops.counts) <= per_picture + 0.5).all()
    again = split(crops, share, seed)[1]
    assert again.origins == held.origins


def test_rows_are_held_out_whole_with_every_digit_on_either_side() -> None:
    labels, origins = [], []
    for row in range(12):
        for digit in range(5):
            labels.append((row + digit) % 10)
            origins.append(Origin(Path(f"ROW_{row}.jpg"), (0, 0, 1, 1)))
    crops = Crops(np.zeros((60, 28, 28), np.uint8), np.array(labels), tuple(DIGITS), tuple(origins))
    rest, held = split(crops)
    assert (rest.counts > 0).all() and (held.counts > 0).all() and len(held) <= 30
    assert not {o.file for o in rest.origins} & {o.file for o in held.origins}


def test_too_few_examples_and_labels_without_any_get_a_line_that_says_how_many_are_needed() -> None:
    with pytest.raises(UsageError) as missing:
        split(made({"0": 5, "1": 0, "2": 0}))
    one_line(missing, "no example of 1, 2", "at least 2")
    rest, held = split(made({"0": 5, "1": 0}), every_label=False)
    assert (len(rest), len(held)) == (4, 1)
    with pytest.raises(UsageError) as few:
        split(made({"0": 5, "1": 1}))
    one_line(few, "1 has 1", "at least 2", "20%")
    with pytest.raises(UsageError) as same:
        split(made({"0": 9}, per_picture=9))
    one_line(same, "0 has 9 on 1 picture", "on 2 pictures")
