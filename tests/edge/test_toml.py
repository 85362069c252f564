"""TOML: where each key stands in a file, and documents written such that they are read back the same."""

import tomllib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.toml import dumps, places


def test_places_are_those_of_the_first_mention() -> None:
    text = 'a.b = 1\na.c = {d = 2}\n\n[x."y z"]\nk = [\n1,\n]\n[[list]]\nl = 1\n'
    assert places(text) == {
        ("a",): 1,
        ("a", "b"): 1,
        ("a", "c"): 2,
        ("a", "c", "d"): 2,
        ("x",): 4,
        ("x", "y z"): 4,
        ("x", "y z", "k"): 5,
        ("list",): 8,
        ("list", "l"): 9,
    }


_values = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=60)
@given(st.dictionaries(st.text(max_size=8), _values | st.dictionaries(st.text(max_size=5), _values, max_size=3)))
def test_what_is_written_as_toml_is_read_back_the_same(document: dict[str, Any]) -> None:
    assert tomllib.loads(dumps(document)) == document
