"""Random formulas over the primitives of the dialect: compiled, each line is what NumPy makes of the lines before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from backends.compiled_calls import Arguments, launch_once
from backends.test_mathematics import SPECIAL
from nnctl.backends.codegen.dialect import COMPARISONS
from nnctl.backends.cpu.codegen.dialect import KERNEL
from nnctl.backends.cpu.codegen.mathematics import BOUNDS_ULP
from nnctl.ops.namespaces import numpy_namespace
from nnctl.ops.primitives import PRIMITIVES

pytestmark = [
    pytest.mark.compile,
    pytest.mark.skipif(np.finfo(np.longdouble).nmant < 63, reason="long double is no wider than float64"),
]

Real = NDArray[np.float32]
SIZE = 67
"""Elements of each operand: whole vectors and a rest."""
# A power is scalar and of no negative number; the difference of nearly equal logarithms has another bound.
NAMES = sorted(set(PRIMITIVES) - {"power", "logaddexp"})


@dataclass(frozen=True)
class Line:
    """A primitive of operands by their numbers: first those that are given, then the lines before."""

    name: str
    operands: tuple[int, ...]


@st.composite
def programs(draw) -> list[Line]:
    lines: list[Line] = []
    for _ in range(draw(st.integers(4, 16))):
        # Half of them sums and products, which meet in all orders.
        names = draw(st.sampled_from((("add", "subtract", "multiply", "square"), NAMES)))
        name = draw(st.sampled_from(names))
        before = st.integers(0, 2 + len(lines))
        lines.append(Line(name, tuple(draw(before) for _ in range(PRIMITIVES[name].arity))))
    return lines


def text_of(line: Line) -> str:
    """A line's primitive in the dialect, over t0, t1, …; conditions as numbers."""
    terms = [f"t{operand}" for operand in line.operands]
    if line.name == "where":
        terms[0] = KERNEL.to_condition.format(terms[0])
    text = KERNEL.primitives[line.name].format(*terms)
    return KERNEL.from_condition.format(f"({text})") if line.name in COMPARISONS else text


def compiled(program: list[Line], given: list[Real]) -> list[Real]:
    """The given operands, and what each line makes."""
    values = [*given, *(np.empty(SIZE, np.float32) for _ in program)]
    arguments = Arguments()
    names = [arguments.text(array) for array in values]
    reads = [f"    t{i} = {name}[i]" for i, name in enumerate(names[:3])]
    body = [f"    t{i} = {text_of(line)}" for i, line in enumerate(program, 3)]
    stores = [f"    {name}[i] = t{i}" for i, name in enumerate(names[3:], 3)]
    launch_once([f"for i in range({names[0]}.size):", *reads, *body, *stores], arguments)
    return values


def fused(name: str, a: int, b: int, factors: dict[int, tuple[Real, Real]], values: list[Real]) -> Real:
    """A sum or difference of two lines; a product among them, the second first, is not rounded before."""
    x, y = (np.longdouble(values[i]) for i in (a, b))
    if b in factors:
        y = np.multiply(*(np.longdouble(factor) for factor in factors[b]))
    elif a in factors:
        x = np.multiply(*(np.longdouble(factor) for factor in factors[a]))
    return (x + y if name == "add" else x - y).astype(np.float32)


def check(program: list[Line], values: list[Real]) -> None:
    """Assert that each line is the primitive of the lines before: to the bit, or within the function's bound."""
    factors: dict[int, tuple[Real, Real]] = {}
    for number, line in enumerate(program, 3):
        found, operands = values[number], [values[i] for i in line.operands]
        if line.name in ("multiply", "square"):
            factors[number] = operands[0], operands[-1]
        if line.name in ("add", "subtract"):
            exact = fused(line.name, *line.operands, factors, values)
        else:
            taken = [operands[0] != 0.0, *operands[1:]] if line.name == "where" else operands
            wide = [x.astype(np.float64) if line.name in BOUNDS_ULP else x for x in taken]
            exact = np.asarray(getattr(numpy_namespace(), line.name)(*wide))
        with np.errstate(invalid="ignore"):
            bound = BOUNDS_ULP.get(line.name, 0.0) * np.spacing(np.abs(exact.astype(np.float32)))
            near = np.abs(found - exact) <= np.where(np.isfinite(bound), bound, 0.0) + 3e-45 * (line.name in BOUNDS_ULP)
        same = (found == exact.astype(np.float32)) | (np.isnan(found) & np.isnan(exact))
        assert np.all(near | same), (line, found[~(near | same)], exact[~(near | same)])


@given(programs(), st.integers(0, 2**32 - 1))
@settings(max_examples=40)
def test_each_line_is_what_numpy_makes_of_the_lines_before(program, seed):
    rng = np.random.default_rng(seed)
    sizes = rng.choice([1e-3, 1.0, 30.0, 1e20], (3, SIZE))
    given_values = list((rng.standard_normal((3, SIZE)) * sizes).astype(np.float32))
    for values in given_values:
        values[: len(SPECIAL)] = rng.permutation(SPECIAL)
    with np.errstate(all="ignore"):
        check(program, compiled(program, given_values))
