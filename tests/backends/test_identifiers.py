"""Identifiers of generated code: what Python reads as one name is never two arrays."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnctl.backends.codegen.names import Names

WORDS = st.lists(
    st.text(st.characters(categories=("L", "N", "M", "Pd", "Sm"), include_characters="_-.µμ²₁"), max_size=6)
)


@given(WORDS)
def test_identifiers_are_identifiers_and_differ_as_python_reads_them(words):
    names = Names(["if"])
    given_names = [names.fresh(word) for word in words]
    assert all(name.isidentifier() for name in given_names)
    read = [unicodedata.normalize("NFKC", name) for name in given_names]
    assert len(set(read)) == len(words)
    assert "if" not in read


@pytest.mark.parametrize(
    ("words", "identifiers"),
    [
        (["µ.weight", "μ.weight"], ["μ_weight", "μ_weight_2"]),
        (["h₁", "h1", "a²"], ["h1", "h1_2", "a2"]),
        (["dense1.weight⁺", "∂C/∂dense1.z", "dense1.z'", "1"], ["dense1_weight_new", "d_dense1_z", "dense1_z", "v_1"]),
        (["x", "x", "x_2", "x"], ["x", "x_2", "x_2_2", "x_3"]),
    ],
)
def test_names_as_people_know_them(words, identifiers):
    names = Names()
    assert [names.fresh(word) for word in words] == identifiers
