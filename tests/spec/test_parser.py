"""The parser: places, texts that are refused, and the bounds on what is read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnctl.errors import SpecError
from nnctl.spec.yaml.parser import parse
from nnctl.spec.yaml.source_text import SourceText, read_file
from nnctl.spec.yaml.tree import MappingNode, ScalarNode, SequenceNode, plain_data


def read(text):
    return parse(SourceText(text, "spec.yaml"))


def said(location):
    return location.text[location.column - 1 : location.column - 1 + location.width]


def test_every_node_knows_its_place():
    tree = read("a: 1e-3\nb:\n  - {c: 'x y', d: [1, 2]}\n  - e\n")
    assert isinstance(tree, MappingNode)
    assert said(tree.entries["a"].key.location) == "a"
    assert str(tree.get("a").location) == "spec.yaml:1:4"
    assert said(tree.get("a").location) == "1e-3"
    items = tree.get("b")
    assert isinstance(items, SequenceNode)
    first, second = items.items
    assert said(first.location) == "{c: 'x y', d: [1, 2]}"
    assert said(first.get("c").location) == "'x y'"
    assert said(first.get("d").location) == "[1, 2]"
    assert said(second.location) == "e"


def test_place_after_wide_and_crlf_text():
    tree = read("\u00e9\u00e9: x\r\nb: \U0001f600 y\r\nc: 3\r\n")
    assert said(tree.get("\u00e9\u00e9").location) == "x"
    assert said(tree.get("b").location) == "\U0001f600 y"
    assert str(tree.get("c").location) == "spec.yaml:3:4"


def test_quotes_make_strings():
    assert plain_data(read("[1, '1', \"1\", no]")) == [1, "1", "1", "no"]


def test_keys_are_names():
    assert plain_data(read("{1: a, true: b, ~: c}")) == {"1": "a", "true": "b", "~": "c"}


def test_aliases_share_a_value():
    assert plain_data(read("a: &x {b: 1}\nc: [*x, *x]\n")) == {"a": {"b": 1}, "c": [{"b": 1}, {"b": 1}]}


@pytest.mark.parametrize("text", ["%YAML 1.2\n---\na: 1\n", "---\na: 1\n...\n", "\ta: 1".lstrip(), "# c\n\na: 1 # d\n"])
def test_accepted(text):
    assert plain_data(read(text)) == {"a": 1}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("%YAML 1.1\n---\na: 1\n", "a spec is YAML 1.2"),
        ("a: \x01", r"character U\+0001"),
        ("[a]: 1", "a key must be a name"),
        ("*a : 1", "a key must be a name"),
        ("&a [*a]", "contains itself"),
        ("[" * 100 + "]" * 100, "deeper than 64"),
        ("a: @x", "cannot begin with '@'"),
        ('a: "\\q"', "unknown escape"),
        ("a: - 1", "a list cannot begin here"),
        ("a: }", "a value is missing"),
        ("a: {b: 1", "the mapping is not closed"),
    ],
)
def test_refused(text, words):
    with pytest.raises(SpecError, match=words):
        read(text)


def test_aliases_do_not_grow_without_bound():
    lines = ["a0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    with pytest.raises(SpecError, match="unfold to more than"):
        read("\n".join(lines))


def test_all_duplicates_are_reported():
    with pytest.raises(SpecError) as caught:
        read("a: 1\nb: {c: 1, c: 2}\na: 3\n")
    assert [d.location.line for d in caught.value.diagnostics] == [2, 3]


def problems_of(text):
    try:
        read(text)
    except SpecError as error:
        return error.diagnostics
    return ()


@given(st.text(max_size=60))
def test_any_text_reads_or_is_refused_with_a_place(text):
    assert all(problem.location is not None and problem.render() for problem in problems_of(text))


@given(st.text(alphabet=" \n-:[]{},&*!|>'\"%@`#ab1?\t", max_size=40))
def test_any_punctuation_reads_or_is_refused_with_a_place(text):
    assert all(problem.location is not None and problem.render() for problem in problems_of(text))


def test_byte_order_mark(tmp_path):
    path = tmp_path / "bom.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    tree = parse(read_file(path))
    assert plain_data(tree) == {"a": 1}
    assert tree.location.column == 1


def test_scalar_text_is_as_written():
    node = read("0x10")
    assert isinstance(node, ScalarNode)
    assert (node.value, node.text, node.quoted) == (16, "0x10", False)
