"""Plain data with reasons as comments: the same data again, whatever the names."""

from __future__ import annotations

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from nnctl.spec.noted import Noted, dump_noted

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(), st.floats(allow_nan=False, allow_infinity=False)
)
NAMES = st.text(min_size=1)


def bare(value: object) -> object:
    """The data without their reasons."""
    if isinstance(value, Noted):
        return bare(value.value)
    if isinstance(value, dict):
        return {key: bare(item) for key, item in value.items()}
    return [bare(item) for item in value] if isinstance(value, list) else value


noted = st.builds(Noted, st.one_of(SCALARS, st.lists(SCALARS, max_size=2)), st.text())


VALUES = st.one_of(
    SCALARS,
    noted,
    st.lists(noted, min_size=1, max_size=2),
    st.dictionaries(NAMES, noted, min_size=1, max_size=3),
)


@settings(max_examples=150)
@given(st.dictionaries(NAMES, VALUES, min_size=1, max_size=4))
def test_what_is_read_is_what_was_written(data: dict[str, object]) -> None:
    assert yaml.safe_load(dump_noted(data)) == bare(data)


def test_a_name_longer_than_yaml_reads_before_a_colon() -> None:
    data = {"columns": {"x" * 5000: Noted("ignore", "long"), "b": Noted("number")}}
    assert yaml.safe_load(dump_noted(data)) == bare(data)


def test_reasons_stand_under_each_other_and_within_their_line() -> None:
    text = dump_noted({"data": {"a": Noted(1, "one"), "longer": Noted([2, 3], "two\n# b: 4"), "c": {"d": 5}}})
    assert text == "data:\n  a: 1            # one\n  longer: [2, 3]  # two\\n# b: 4\n  c: {d: 5}\n"
