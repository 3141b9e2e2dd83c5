"""Specs of any size: what is too large is refused before anything is built, and no message floods."""

from __future__ import annotations

import pytest
from work import calls

from nnctl.errors import Diagnostic, Location, SpecError
from nnctl.screen.characters import message
from nnctl.spec.load import load_spec, load_text
from nnctl.spec.yaml.source_text import MAX_BYTES

LAYER = "{type: dense, units: 2}"
AROUND = "data: {type: xor}\nlayers:\n%s\n  - {type: dense, units: 1}\ncost: mse\n%s"


load_text(AROUND % (f"  - {LAYER}", ""))  # what is loaded once a process is no part of the work that is counted


def refused(text: str, overrides: tuple[str, ...] = ()) -> str:
    """The message of a spec that is refused: work in proportion to its length, and no more than a page."""
    refusals: list[SpecError] = []

    def load() -> None:
        with pytest.raises(SpecError) as caught:
            load_text(text, overrides=overrides)
        refusals.append(caught.value)

    assert calls(load) < 10_000 + 50 * (len(text) + sum(map(len, overrides)))
    said = message(str(refusals[0]))
    assert len(said) < 20_000
    return said


def repeated(times: int, inner: str) -> str:
    return f"{{type: repeat, times: {times}, layers: [{inner}]}}"


def ten_deep_of_ten() -> str:
    nested = LAYER
    for _ in range(10):
        nested = repeated(10, nested)
    return nested


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        (f"  - {repeated(10**6, LAYER)}", "spec.yaml:3:27: error: 1,000,000 times 1 layers are 1,000,000"),
        (f"  - {ten_deep_of_ten()}", "10 times 1,111 layers are 11,110"),
        (f"  - {repeated(2**63 - 1, LAYER)}", "error: 9,223,372,036,854,775,807 times 1 layers are"),
        ("\n".join([f"  - {repeated(1000, LAYER)}"] * 5), "error: these are 5,006 layers"),
    ],
)
def test_layers_are_counted_by_multiplication(layers, words):
    assert words in refused(AROUND % (layers, ""))


def test_as_many_layers_as_allowed_are_a_net():
    assert load_text(AROUND % (f"  - {repeated(4094, LAYER)}", "")).spec.layers


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "words"),
    [
        (AROUND % (f"  - {LAYER}", "".join(f"key{i}: 1\n" for i in range(20_000))), "and 19,980 more"),
        (
            AROUND % (f"  - {LAYER}", "".join(f"key{i}: 1\n" for i in range(100_000))),
            "more than 100,000 keys and values",
        ),
        (AROUND % (f"  - {LAYER}", "cost: mse\n" * 20_000), "and 19,980 more"),
        (AROUND % ("\n".join(f"  - {LAYER}" for _ in range(100_000)), ""), f"is longer than {MAX_BYTES:,} bytes"),
        (AROUND % ("\n".join(f"  - {LAYER}" for _ in range(5_000)), ""), "these are 5,001 layers"),
        (f"data: xor\ncost: mse\nlayers: [{'dens, ' * 30_000} dense]", "and 29,981 more"),
        (
            AROUND % ("\n".join(f"  - {{type: dense, units: 2, inputs: [dens{i}]}}" for i in range(3000)), ""),
            "and 2,980 more",
        ),
    ],
    ids=["keys", "very many keys", "equal keys", "very many layers", "layers", "unknown layers", "unknown inputs"],
)
def test_many_mistakes_are_a_number(text, words):
    assert words in refused(text)


def test_a_file_of_any_size_is_not_read(tmp_path):
    path = tmp_path / "large.yaml"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(SpecError, match="is longer than"):
        load_spec(path)


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        ("{type: dense, units: " + "9" * 10_000 + "}", "a number of 10000 digits is too long"),
        ("{type: dense, units: " + "9" * 300 + "}", "is outside the range of a whole number of 64 bits"),
        ("{type: dense, units: 2, ? " + "k" * 100_000 + " : 3}", "unknown key 'kkkkkkkk"),
        ("{type: " + "k" * 100_000 + "}", "there is no layer 'kkkkkkkk"),
        ("{type: dense, units: 2, activation: " + "[" * 10_000 + "]" * 10_000 + "}", "nested deeper than 64 levels"),
        ("{type: dense, units: 2, activation: " + "{a: " * 5_000 + "1" + "}" * 5_000 + "}", "nested deeper than 64"),
        ("{type: dense, units: 2, name: " + "n" * 200_000 + ", unit: 3}", "unknown key 'unit' in layer 'dense'"),
    ],
)
def test_long_and_deep_values(layer, words):
    said = refused(AROUND % (f"  - {layer}", ""))
    assert words in said
    assert max(map(len, said.split("\n"))) < 1000


@pytest.mark.parametrize(
    "override",
    [
        "layers.0.units=" + "9" * 10_000,
        "layers.0.units=" + "9" * 300,
        "layers.0.activation=" + "[" * 10_000,
        "layers.0.activation=" + "[" * 10_000 + "]" * 10_000,
        "layers." + "9" * 5_000 + ".units=3",
        "layers." + "k" * 100_000 + "=3",
        "." * 100_000,
        "sweep.space={layers.0.units: {type: int_uniform, low: 1, high: " + "9" * 500 + "}}",
        "sweep.grid={layers.0.units: " + "[" * 1000 + "]" * 1000 + "}",
    ],
    ids=lambda text: text[:24],
)
def test_overrides(override):
    assert "error: " in refused(AROUND % (f"  - {LAYER}", ""), (override,))


def excerpt(text: str, column: int, width: int) -> tuple[str, str]:
    """The line and the carets below it, as a diagnostic shows them."""
    shown, carets = Diagnostic("wrong", Location("f", 1, column, width, text)).render().split("\n")[1:]
    return shown.removeprefix("  1 | "), carets.removeprefix("    | ")


@pytest.mark.parametrize("before", [0, 30, 59, 60, 61, 400, 100_000])
@pytest.mark.parametrize("after", [0, 10, 99, 100, 101, 100_000])
@pytest.mark.parametrize("filling", ["a", "界", "e\u0301"])
def test_the_caret_stands_below_its_word_in_the_window_of_a_long_line(filling, before, after):
    text = filling * before + "HERE" + filling * after
    shown, carets = excerpt(text, len(filling) * before + 1, 4)
    assert len(shown) <= 162
    place = shown.index("HERE")
    columns = sum(0 if c == "\u0301" else 2 if c == "界" else 1 for c in shown[:place])
    assert carets == " " * columns + "^^^^"


def test_a_mark_longer_than_the_window_ends_with_it():
    shown, carets = excerpt("a" * 1000, 1, 1000)
    assert shown == "a" * 160 + "…"
    assert carets == "^" * 160


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("(" * 10_000 + "x" + ")" * 10_000, "has 20,001 characters"),
        ("-" * 900 + "x", "is nested deeper than 100 levels"),
        ("x" + "+x" * 499, "is nested deeper than 100 levels"),
        ("not " * 240 + "x", "is not arithmetic"),
        ("1" + "0" * 400 + "*x", "has a number outside the range"),
        ("1(x)", "'1(x)' is not arithmetic"),
        ("(" * 250 + "x" + ")" * 250, "cannot be read"),
    ],
)
def test_expressions(expression, words):
    data = f'data.expression="{expression}"'
    assert words in refused(AROUND % (f"  - {LAYER}", ""), ("data=function", data))
