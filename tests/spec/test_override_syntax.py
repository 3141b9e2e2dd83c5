"""The syntax of `--set path=value`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnctl.errors import SpecError
from nnctl.spec.override_syntax import parse_override, write_override
from nnctl.spec.yaml.tree import plain_data


@pytest.mark.parametrize(
    "value", [1, 1e-5, True, None, "no", "a b", "[x", "a: b", " x ", "", [1, "a,b"], {"type": "adam", "beta1": 0.5}]
)
def test_written_arguments_read_back(value):
    assert plain_data(parse_override(write_override("optimizer.x", value)).value) == value


@given(st.text(max_size=30))
def test_any_argument_reads_or_is_refused_with_a_place(text):
    try:
        parse_override(text)
    except SpecError as error:
        locations = [problem.location for problem in error.diagnostics]
    else:
        locations = []
    assert all(location is not None and location.path == "--set" for location in locations)
