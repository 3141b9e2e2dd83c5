"""Text as data: tokens, vocabularies, windows, and the order that lets states be carried."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nnctl.data import tokens
from nnctl.data.batches import contiguous_order
from nnctl.data.dataset import load_dataset
from nnctl.data.sources.text import Shakespeare, Text
from nnctl.errors import DataError

REAL = Path(__file__).parents[3] / "shared" / "data"
SAYING = "the cat sat. The cat, the cat!\n"


def source(tmp_path, text=SAYING, **fields):
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    return Text(path="a.txt", validation=None, **fields)


@pytest.mark.parametrize("kind", ["characters", "words"])
def test_tokens_put_together_are_the_text(kind):
    text = "  Ünïcode — words,\n\n\tnumbers 12.5 and_more\n"
    assert "".join(tokens.split(text, kind)) == text


def test_words():
    assert tokens.split("the cat,  sat", "words") == ["the", " ", "cat", ",", "  ", "sat"]


def test_a_vocabulary_keeps_the_frequent():
    parts = tokens.split(SAYING, "words")
    assert tokens.vocabulary_of("banana", None) == ("a", "b", "n")
    assert tokens.vocabulary_of(parts, 3) == (tokens.UNKNOWN, " ", "cat", "the")
    assert tokens.encode(["the", "dog"], (tokens.UNKNOWN, "the")).tolist() == [1, 0]
    with pytest.raises(DataError, match="knows no 'x'"):
        tokens.encode("abx", "ab")


def test_windows_follow_one_another_and_targets_come_next(tmp_path):
    data = load_dataset(source(tmp_path, length=4), tmp_path, 0)
    names = data.signature.vocabulary
    assert names == data.signature.classes == tuple(sorted(set(SAYING)))
    assert data.signature.target_shape == (4,)
    text = "".join(names[i] for i in data.train.inputs.reshape(-1))
    assert SAYING.startswith(text)
    assert "".join(names[i] for i in data.train.targets.reshape(-1)) == SAYING[1 : 1 + len(text)]
    assert len(data.train) == (len(SAYING) - 1) // 4


def test_the_end_of_the_text_is_held_out(tmp_path):
    text = source(tmp_path, length=4)
    held = Text(path=text.path, length=4, validation=2)
    whole, parts = load_dataset(text, tmp_path, 0), load_dataset(held, tmp_path, 0)
    np.testing.assert_array_equal(parts.train.inputs, whole.train.inputs[:-2])
    np.testing.assert_array_equal(parts.validation.inputs, whole.train.inputs[-2:])


def test_a_folder_is_its_files_by_name(tmp_path):
    for name, text in (("b.txt", "second"), ("a.TXT", "first "), ("c.md", "no")):
        (tmp_path / name).write_text(text)
    assert tokens.read_text(tmp_path) == "first second"
    assert load_dataset(Text(path=".", length=3), tmp_path, 0).signature.classes == tuple(sorted(set("first second")))


@pytest.mark.parametrize(
    ("content", "fields", "words"),
    [
        (b"short", {}, "5 characters make no window of 64"),
        (b"\xff\xfe", {}, r"a\.txt:1:1: error: the file is not UTF-8: .*\n.*begins like UTF-16"),
        (b"long enough", {"length": 2, "classes": ("a",)}, "classes is for one label an example"),
        (b"long enough", {"length": 2, "target_type": "values"}, "target_type: values is for one label an example"),
    ],
)
def test_errors(tmp_path, content, fields, words):
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(DataError, match=words):
        load_dataset(Text(path="a.txt", **fields), tmp_path, 0)


@pytest.mark.parametrize("data", [Text(path="input.txt", length=5), Shakespeare(path=".", length=5)])
def test_a_short_text_is_blamed_on_the_length(data, tmp_path):
    (tmp_path / "input.txt").write_text("short")
    with pytest.raises(DataError, match="5 characters make no window of 5") as caught:
        load_dataset(data, tmp_path, 0)
    assert caught.value.field == "length"


def test_shakespeare_without_network_and_copies(monkeypatch, tmp_path):
    def unreachable(files, mirrors, folder, title):
        raise DataError("input.txt could not be fetched")

    monkeypatch.delenv("NNCTL_DATA", raising=False)
    monkeypatch.setattr("nnctl.data.download.published.cache_folder", lambda name: tmp_path / name)
    monkeypatch.setattr("nnctl.data.download.mirrors.fetch", unreachable)
    with pytest.raises(
        DataError, match=r"put input\.txt in a folder,\n.*data: \{type: text, path: FILE\} needs no download"
    ):
        load_dataset(Shakespeare(), tmp_path, 0)


def test_missing(tmp_path):
    (tmp_path / "story.txt").write_text("x")
    with pytest.raises(DataError, match=r"did you mean 'story\.txt'"):
        load_dataset(Text(path="stroy.txt"), tmp_path, 0)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"the folder has no \.txt file"):
        load_dataset(Text(path="empty"), tmp_path, 0)


def test_each_row_of_the_batches_reads_on():
    assert contiguous_order(6, 2).tolist() == [0, 3, 1, 4, 2, 5]
    rows = contiguous_order(12, 3).reshape(-1, 3)
    assert (np.diff(rows, axis=0) == 1).all()


@pytest.mark.skipif(not (REAL / "text").is_dir(), reason="no text of Shakespeare beside the checkout")
def test_shakespeare_is_as_it_is_described(monkeypatch, tmp_path):
    monkeypatch.setenv("NNCTL_DATA", str(REAL))
    assert Shakespeare().where(tmp_path) == str(REAL / "text")
    data = load_dataset(Shakespeare(length=50), tmp_path, 0)
    assert data.signature == Shakespeare(length=50).signature(tmp_path)
    assert sum(len(split) for split in data.splits.values()) == Shakespeare.size // 50
    assert "".join(Shakespeare.characters[i] for i in data.train.inputs[0][:14]) == "First Citizen:"


@pytest.mark.parametrize("name", ["input.txt", "tinyshakespeare.txt", "shakespeare/input.txt"])
def test_shakespeare_is_found_where_copies_lie(name, monkeypatch, tmp_path):
    monkeypatch.setenv("NNCTL_DATA", str(tmp_path))
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("Before we proceed")
    data = load_dataset(Shakespeare(length=4, validation=None), tmp_path, 0)
    assert "".join(Shakespeare.characters[i] for i in data.train.inputs[0]) == "Befo"


def test_shakespeare_with_other_characters_is_refused(tmp_path):
    (tmp_path / "input.txt").write_text("ÆÆÆÆÆÆÆÆ", encoding="utf-8")
    with pytest.raises(DataError, match=r"input.txt: holds 'Æ', which the text of Shakespeare does not"):
        load_dataset(Shakespeare(path=".", length=4), tmp_path, 0)
