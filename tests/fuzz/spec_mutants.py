"""Mutated specs: those of `specs/` and random ones, with something replaced, moved, removed, added or misspelt."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

from nnctl.components.registry import components, kinds
from nnctl.data.source import Source
from nnctl.spec.schema.forms import fields_of

SPECS = Path(__file__).parents[2] / "specs"
BASES = tuple(
    path.read_text(encoding="utf-8")
    for path in sorted(SPECS.glob("*.yaml"))
    if "type: mnist" not in path.read_text(encoding="utf-8")
)
COMPONENTS = tuple(
    (kind, name)
    for kind in kinds()
    for name, cls in components(kind).items()
    if not (issubclass(cls, Source) and cls.fetch is not Source.fetch)
)
"""All but data that is downloaded."""

SCALARS: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 3, 7, 255, 1000, 2**31, 2**53 + 1, 2**63, 10**15, 10**40, -(10**18),
    0.0, -0.0, 0.5, 1.0, -0.5, 1e-300, 5e-324, 1e300, 1.7976931348623157e308, float("inf"), float("-inf"), float("nan"),
    "", " ", "relu", "adam", "null", "no", "1e-3", "0x1f", "é", "µ", "ﬁ", "a" * 300, "../..", "/", "~", "a.b", "a\nb",
    "\x1b[31m", "\u202e", "\ud7ff", "%s", "{}", "$(true)", "layers", "input", "0", "2 epochs", "full", "same", "valid",
)  # fmt: skip
CHARACTERS = "{}[]:,#&*!|>'\"%@`?-\t \n\r\\\x00\x1b\x85\u2028\ufeff0e.~<é𝛁"
LINES = (
    "&a [*a, *a]", "<<: *a", "!!python/object:os.system x", "--- ", "...", "%YAML 1.1", "? x", "- - - -", "layers:",
    "layers: &l [*l]", "a: &a [x, x]\nb: &b [*a, *a, *a]\nc: [*b, *b, *b]", "\tx: 1", "seed: 1\nseed: 2", "'", '"',
    "[" * 80,
)  # fmt: skip


def paths(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places of a tree, but for its root."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from paths(value, (*path, key))


def at(tree: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        tree = tree[key]
    return tree


def a_component(rng: random.Random, kind: str | None = None) -> Any:
    kind, name = rng.choice([pair for pair in COMPONENTS if kind in (None, pair[0])])
    fields = {"type": name}
    for field, form in fields_of(components(kind)[name]).items():
        if form.required or rng.random() < 0.1:
            fields[field] = rng.choice((1, 2, 3, 0.5, rng.choice(SCALARS)))
    return rng.choice((name, fields))


def a_value(rng: random.Random, tree: Any) -> Any:
    """A value of any kind: a scalar, a list, a component, or one that stands elsewhere in the spec."""
    every = list(paths(tree))
    return rng.choice(
        (
            lambda: rng.choice(SCALARS),
            lambda: rng.choice(SCALARS),
            lambda: [rng.choice(SCALARS) for _ in range(rng.randrange(4))],
            lambda: {str(rng.choice(SCALARS)): rng.choice(SCALARS)},
            lambda: a_component(rng),
            lambda: copy.deepcopy(at(tree, rng.choice(every))) if every else None,
        )
    )()


def nudge(rng: random.Random, tree: Any, place: Any, key: Any) -> None:
    """Another number, or another component of the same kind: what is most likely to be a spec still."""
    value = place[key]
    kinds_of = [
        kind for kind, name in COMPONENTS if value == name or (isinstance(value, dict) and value.get("type") == name)
    ]
    if isinstance(value, bool):
        place[key] = not value
    elif isinstance(value, int):
        place[key] = rng.choice(
            (value + 1, value - 1, 2 * value, value // 2, 10 * value, 0, 1, 2, 3, -value, 0.5, "full")
        )
    elif isinstance(value, float):
        place[key] = rng.choice((value * 10, value / 10, 1 - value, 0.0, 0.5, 1.0, -value, 1, 2, 1e-30, 1e30))
    elif kinds_of:
        place[key] = a_component(rng, rng.choice(kinds_of))
    elif isinstance(value, list) and rng.random() < 0.5:
        rng.shuffle(value)
    else:
        place[key] = a_value(rng, tree)


def replace(rng: random.Random, tree: Any, place: Any, key: Any) -> None:
    place[key] = a_value(rng, tree)


def remove(rng: random.Random, tree: Any, place: Any, key: Any) -> None:
    del place[key]


def add(rng: random.Random, tree: Any, place: Any, key: Any) -> None:
    if isinstance(place, list):
        place.insert(key, a_value(rng, tree))
    else:
        known = [name for kind, each in COMPONENTS for name in fields_of(components(kind)[each])]
        place[rng.choice((rng.choice(known), str(rng.choice(SCALARS))))] = a_value(rng, tree)


def misspell(rng: random.Random, tree: Any, place: Any, key: Any) -> None:
    if isinstance(place, dict) and str(key):
        letters = list(str(key))
        letters[rng.randrange(len(letters))] = rng.choice("aeiou_é")
        place["".join(letters)] = place.pop(key)


def repeat(rng: random.Random, tree: Any, place: Any, key: Any) -> None:
    if isinstance(place, list):
        place[key:key] = [copy.deepcopy(place[key]) for _ in range(rng.randrange(1, 5))]


def wrap(rng: random.Random, tree: Any, place: Any, key: Any) -> None:
    value = place[key]
    place[key] = rng.choice(
        (
            [value],
            {"type": "residual", "layers": [value]},
            {"type": "repeat", "times": rng.choice((0, 1, 3)), "layers": value if isinstance(value, list) else [value]},
            {"type": "warmup", "duration": 2, "then": value},
            {"x": value},
        )
    )


TREE_CHANGES: tuple[Callable[..., None], ...] = (
    *(nudge,) * 10, *(remove, repeat) * 2, replace, add, misspell, wrap,
)  # fmt: skip


def changed_tree(rng: random.Random, text: str) -> str:
    """A spec with one to three changes to what it says."""
    tree = yaml.safe_load(text)
    for _ in range(rng.choice((1, 1, 2, 3))):
        every = list(paths(tree))
        if not every:
            break
        path = rng.choice(every)
        rng.choice(TREE_CHANGES)(rng, tree, at(tree, path[:-1]), path[-1])
    return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True)


def cut(rng: random.Random, text: str) -> str:
    place = rng.randrange(len(text) + 1)
    return text[:place] + rng.choice((text[place + rng.randrange(1, 4) :], ""))


def insert(rng: random.Random, text: str) -> str:
    place = rng.randrange(len(text) + 1)
    return text[:place] + rng.choice(CHARACTERS) + text[place + rng.randrange(2) :]


def change_lines(rng: random.Random, text: str) -> str:
    lines = text.splitlines(keepends=True) or [""]
    row = rng.randrange(len(lines))
    line = lines[row]
    new = rng.choice(([], [line, line], [rng.choice(LINES) + "\n", line], [" " * rng.randrange(1, 5) + line]))
    return "".join([*lines[:row], *new, *lines[row + 1 :]])


def end_lines(rng: random.Random, text: str) -> str:
    return text.replace("\n", rng.choice(("\r\n", "\r", "\x85")))


TEXT_CHANGES: tuple[Callable[[random.Random, str], str], ...] = (
    cut,
    insert,
    insert,
    change_lines,
    change_lines,
    end_lines,
)


def changed_text(rng: random.Random, text: str) -> str:
    """A spec with one to three changes to its characters and lines."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        text = rng.choice(TEXT_CHANGES)(rng, text)
    return text


def mutants() -> st.SearchStrategy[str]:
    """Mutated specs, each a function of a base, a kind of change and a seed."""

    def mutant(base: str, change: Callable[[random.Random, str], str], seed: int) -> str:
        return change(random.Random(seed), base)

    return st.builds(
        mutant,
        st.sampled_from(BASES),
        st.sampled_from((changed_tree, changed_tree, changed_text)),
        st.integers(0, 2**32 - 1),
    )
