"""Calls: what a function takes is what it is given, and sizes that kernels and emitters share are the same."""

from __future__ import annotations

import re
from typing import Any

import pytest

from nnctl.backends.cuda.calls import (
    ACROSS_BLOCK,
    THREADS,
    WARP,
    Call,
    Scratch,
    Table,
    emits,
    pack_of,
    threads_a_row,
)
from nnctl.backends.cuda.codegen.functions import generated_unit, parsed, prelude
from nnctl.backends.cuda.kernels import EMITTERS

SCALED = parsed(generated_unit("test", ["KERNEL scaled(Block block, const float* x, float* y, int n, float by) {}"]))


@pytest.mark.parametrize(("arguments", "problem"), [
    ((Scratch(4), Scratch(4), 4), "scaled takes 4 arguments, 3 are given"),
    ((Scratch(4, "index"), Scratch(4), 4, 1.0), r"scaled takes 'const float\* x', Scratch"),
    ((Scratch(4), Table((1.0,)), 4, 1.0), r"scaled takes 'float\* y', Table"),
    ((Scratch(4), 5, 4, 1.0), r"scaled takes 'float\* y', 5 is given"),
    ((Scratch(4), Scratch(4), 4, 1), "scaled takes 'float by', 1 is given"),
    ((Scratch(4), Scratch(4), True, 1.0), "scaled takes 'int n', True is given"),
    ((Scratch(4), Scratch(4), 2**31, 1.0), "scaled takes 'int n', which cannot hold 2147483648"),
])  # fmt: skip
def test_a_call_takes_what_its_function_takes(arguments: tuple[Any, ...], problem: str) -> None:
    assert Call(SCALED["scaled"], 1, (Table((1.0,)), Scratch(4), 2**31 - 1, 1.0))
    with pytest.raises(TypeError, match=problem):
        Call(SCALED["scaled"], 1, arguments)


def test_an_op_has_one_emitter() -> None:
    known = dict(EMITTERS)
    with pytest.raises(ValueError, match="op 'softmax' has two emitters"):
        emits("softmax")(lambda launch: [])
    assert known == EMITTERS


def test_kernels_know_the_same_sizes() -> None:
    defined = dict(re.findall(r"^#define (\w+) (\d+)$", prelude(), re.MULTILINE))
    assert (defined["THREADS"], defined["WARP"]) == (str(THREADS), str(WARP))
    assert "#define ACROSS_BLOCK ((THREADS / WARP) * 4)" in prelude()
    assert ACROSS_BLOCK == 4 * (THREADS // WARP)


def test_threads_share_rows_within_a_warp_or_a_block() -> None:
    assert [threads_a_row(n) for n in (0, 1, 3, 32, 255, 256, 1000)] == [1, 1, 4, 32, 32, 256, 256]
    assert [pack_of(n, 8) for n in (0, 1, 4, 6)] == [4, 1, 4, 1]
