"""The syntax trees of kernels: those of their files, with their lines."""

from __future__ import annotations

import ast
import gc
import os
import threading
from collections.abc import Callable
from typing import Any

import pytest

from nnctl.backends.cpu.compiler.marks import apart, compiled, intrinsic
from nnctl.backends.cpu.compiler.sources import assigned_names, has_loops, parsed, tree_of


@apart
def sums(x: Any, n: Any) -> Any:
    """Ends with brackets of its own."""
    total, (first, last) = 0.0, (0, n)
    for i in range(first, last):
        if i > 1:
            x[i], kept = total, x[i]
        else:
            kept = x[i]
        total += kept
    return (
        total
        + 1.0
    )  # fmt: skip


@intrinsic(
    lambda emission, arguments: arguments[0],
    pure=True,
)
def given(x: Any) -> Any:
    return x


def within() -> Callable[..., Any]:
    if True:

        @compiled
        def inner(x: Any) -> Any:
            while x > 1.0:
                x = 0.5 * x
            return x

    return inner


@pytest.mark.parametrize(("function", "loops"), [(sums, True), (given, False), (within(), True)])
def test_a_function_is_found_under_its_decorators(function: Callable[..., Any], loops: bool) -> None:
    tree = tree_of(function)
    assert tree.name == function.__name__
    assert isinstance(tree.body[-1], ast.Return)
    assert max(line for *_, line in function.__code__.co_lines() if line) == max(
        node.lineno for node in ast.walk(tree.body[-1]) if isinstance(node, (ast.expr, ast.stmt))
    )
    assert has_loops(tree) == loops


def test_names_are_assigned_to_within_loops_choices_and_tuples() -> None:
    assert assigned_names(tree_of(sums)) == {"total", "first", "last", "i", "kept"}
    assert assigned_names(tree_of(given)) == set()
    assert assigned_names(tree_of(within())) == {"x"}


def test_a_function_without_a_file_says_so() -> None:
    names: dict[str, Any] = {}
    exec(compile("def lost(x):\n    return x\n", "nowhere.py", "exec"), names)
    with pytest.raises(OSError, match=r"nowhere\.py cannot be read, which has the text of lost"):
        tree_of(names["lost"])


def test_threads_parse_one_at_a_time() -> None:
    """Where garbage is collected within a parse and another thread has its turn, Python 3.11 mixes up their depths."""
    text = "def f(a, b):\n" + "".join(f"    x{i} = (a + {i}) * (b - (a / ({i} + b)))\n" for i in range(60))
    raised: list[SystemError] = []

    def parse() -> None:
        try:
            for _ in range(20):
                parsed(text)
        except SystemError as error:
            raised.append(error)

    def give_way(phase: str, info: dict[str, int]) -> None:
        os.stat(__file__)  # lets another thread have its turn

    before = gc.get_threshold()
    gc.callbacks.append(give_way)
    gc.set_threshold(50)
    try:
        threads = [threading.Thread(target=parse) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        gc.set_threshold(*before)
        gc.callbacks.remove(give_way)
    assert not raised
