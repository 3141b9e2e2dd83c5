"""Texts of specs: files that are missing or no text, and locations in a text."""

from __future__ import annotations

import pytest

from nnctl.errors import SpecError
from nnctl.spec.yaml.source_text import SourceText, read_file


def test_missing_file(tmp_path):
    (tmp_path / "digits.yaml").write_text("a: 1")
    with pytest.raises(SpecError, match=r"no such file\n  did you mean .*digits\.yaml\?"):
        read_file(tmp_path / "digit.yaml")
    with pytest.raises(SpecError, match="there is no folder"):
        read_file(tmp_path / "specs" / "digits.yaml")


def test_folder(tmp_path):
    (tmp_path / "digits.yaml").write_text("a: 1")
    with pytest.raises(SpecError, match=r"is a folder\n  expected a YAML file\n  in it: digits\.yaml"):
        read_file(tmp_path)


def test_not_utf8(tmp_path):
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"a: 1\nname: caf\xe9\n")
    with pytest.raises(SpecError) as caught:
        read_file(path, "latin.yaml")
    assert str(caught.value).startswith("latin.yaml:2:10: error: byte 0xe9 is not UTF-8 text\n")


def test_characters_have_lines_and_columns():
    text = SourceText("a: 1\r\nb: 2\u2028c: 3", "spec.yaml")
    assert [str(text.at_character(i)) for i in (0, 3, 6, 11)] == [
        "spec.yaml:1:1",
        "spec.yaml:1:4",
        "spec.yaml:2:1",
        "spec.yaml:3:1",
    ]
