"""Text without characters that act, of bounded length."""

from __future__ import annotations

import json
import unicodedata

import pytest

from nnctl.errors import Diagnostic, Location
from nnctl.screen.characters import cut, harmless, json_line, message, width_of, word

ACTING = [
    *(chr(code) for code in (*range(0x09), *range(0x0B, 0x20), *range(0x7F, 0xA0))),
    *"\u061c\u200b\u200e\u200f\u2028\u2029\u202a\u202e\u2066\u2069\ufeff\U000e0041\ud800\udcff",
]


@pytest.mark.parametrize("character", ACTING, ids=lambda c: f"{ord(c):04x}")
def test_no_character_that_acts_is_left_and_json_stays_exact(character: str) -> None:
    text = f"a{character}b"
    for shown in (harmless(text), word(text), message(text)):
        assert all(unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in shown)
        assert shown.startswith("a\\")
    line = json_line({text: [text]})
    assert character not in line
    assert json.loads(line) == {text: [text]}


def test_what_only_looks_unusual_stays() -> None:
    text = "café, 数字, σ(z) ∘ ×, é, 👩\u200d🔬, \u200cfarsi"
    assert harmless(text) == word(text) == message(text) == text


def test_newlines_and_tabs_stay_in_a_text_and_not_in_a_word() -> None:
    assert harmless("a\tb\nc") == "a\tb\nc"
    assert word("a\tb\nc") == "a\\tb\\nc"


def test_a_word_and_a_message_are_bounded_and_say_what_is_missing() -> None:
    assert len(word("x" * 10**6)) < 250
    assert len(word("\x1b" * 10**6)) < 1000
    assert "999,800 characters" in word("x" * 10**6)
    long = message("\n".join("\x1b" * 10**5 for _ in range(500)))
    assert len(long) < 1_000_000
    assert long.endswith("… and 300 more lines")
    assert message("a\nb") == "a\nb"
    assert cut("12345", 5) == "12345"


def test_a_number_without_a_finite_value_is_null() -> None:
    assert json_line({"a": float("nan"), "b": [float("inf"), 1.5], "c": {"d": -float("inf")}, "e": True}) == (
        '{"a": null, "b": [null, 1.5], "c": {"d": null}, "e": true}'
    )


def test_json_for_a_stream_that_knows_ascii_alone() -> None:
    assert json_line("é\x7f\x85", ascii_only=True) == '"\\u00e9\\u007f\\u0085"'


@pytest.mark.parametrize(("text", "width"), [("abc", 3), ("数字", 4), ("e\u0301", 1), ("", 0)])
def test_columns(text: str, width: int) -> None:
    assert width_of(text) == width


@pytest.mark.parametrize(
    ("before", "marked"), [("a: ", "x"), ("数字: ", "数"), ("\u202e: ", "relu"), ("e\u0301\t: ", "\x9bx"), ("\t", "y")]
)
def test_the_caret_stands_under_what_it_marks(before: str, marked: str) -> None:
    text = f"{before}{marked} # rest"
    shown = Diagnostic("no", Location("a.yaml", 1, len(before) + 1, len(marked), text)).render().split("\n")
    start, carets = shown[2].partition("^")[0], shown[2].strip(" |\t")
    assert width_of(start.replace("\t", " ")) == width_of(f"  1 | {harmless(before)}".replace("\t", " "))
    assert len(carets) == width_of(harmless(marked))
