"""What is not of the kernel language: an error that names the line, and what is wrong with it."""

# ruff: noqa: F821, F841, RUF059, PLW0120 - what a linter finds here is meant
from __future__ import annotations

import inspect
import math
import re

import numpy as np
import pytest

from backends.compiled_calls import launch, run
from nnctl.backends.cpu.codegen.intrinsics import symbol, window2
from nnctl.backends.cpu.compiler.marks import compiled
from nnctl.errors import KernelError

F = np.float32
WRONG = {}


def wrong(message):
    """Keep a kernel with what is said of it."""

    def decorate(function):
        WRONG[function.__name__] = compiled(function), message
        return function

    return decorate


@wrong("nothing is not known here")
def unknown(x, n):
    x[0] = nothing  # wrong


@wrong("float32 and int64 stand in one expression: one of them has to be converted")
def mixed(x, n):
    x[0] = x[0] + n  # wrong


@wrong("a number with a fraction beside a float32: F(…)?")
def literal_beside_float(x, n):
    x[0] = x[0] * 0.5  # wrong


@wrong("makes y, float32, int64 in a loop or a branch")
def changed_in_a_branch(x, n):
    y = x[0]
    if n > 0:
        y = n  # wrong
    x[0] = F(y)


@wrong("makes y, int64, int32 in a loop or a branch")
def changed_in_a_loop(x, n):
    y = n
    for i in range(n):
        y = np.int32(i)  # wrong
    x[0] = F(y)


@wrong("makes flag, bool, int64 in a loop or a branch")
def condition_becomes_number(x, n):
    flag = n > 0
    if flag:
        flag = 2  # wrong
    x[0] = F(flag)


@wrong("one of two is chosen: float32 or an array of float32 with 1 axis")
def one_of_two_kinds(x, n):
    y = x[0] if n > 0 else x  # wrong


@wrong("float32 and int64 stand in one expression: one of them has to be converted")
def one_of_two_types(x, n):
    x[0] = F(x[0] if n > 0 else n)  # wrong


@wrong("t[i]: which item of a tuple has to be known")
def item_not_known(x, n):
    t = (n, n)
    for i in range(2):
        x[i] = F(t[i])  # wrong


@wrong("tuple index out of range")
def no_such_item(x, n):
    x[0] = x.shape[1]  # wrong


@wrong("a int64 is put into an array of float32")
def of_another_type(x, n):
    x[0] = n  # wrong


@wrong("a float64 is put into an array of float32")
def of_another_width(x, n):
    x[0] = np.float64(n)  # wrong


@wrong("2 indices of an array of float32 with 1 axis")
def too_many_indices(x, n):
    x[0] = x[n, n]  # wrong


@wrong("1 indices of an array of float32 with 2 axes, where a number is put")
def too_few_indices(x, n):
    window2(x, 0, 2, 2)[1] = F(0.0)  # wrong


@wrong("indices count from the front")
def from_the_end(x, n):
    x[0] = x[-1]  # wrong


@wrong("a whole number is needed: np.int64(…)?")
def index_with_a_fraction(x, n):
    x[0] = x[np.floor(x[0])]  # wrong


@wrong("a condition is no index")
def condition_as_index(x, n):
    x[n > 0] = F(0.0)  # wrong


@wrong("0:n is no expression of the kernel language")
def sliced(x, n):
    x[0] = x[0:n][0]  # wrong


@wrong("the lengths of all axes are given")
def shape_not_given(x, n):
    y = x.reshape(-1, 2)  # wrong


@wrong("x.T is no attribute of the kernel language")
def attribute(x, n):
    y = x.T  # wrong


@wrong("math.cosinus is nothing that a kernel names")
def not_in_module(x, n):
    x[0] = F(math.cosinus(x[0]))  # wrong


@wrong("whole numbers are divided by //, or converted first")
def divided(x, n):
    x[0] = F(n / 2)  # wrong


@wrong("FloorDiv of float32 is no operation of the kernel language")
def floor_of_floats(x, n):
    x[0] = x[0] // x[1]  # wrong


@wrong("Pow of int64 is no operation of the kernel language")
def power(x, n):
    x[0] = F(n**2)  # wrong


@wrong("2.5 is no whole number")
def fraction(x, n):
    x[0] = F(np.int64(2.5))  # wrong


@wrong("4294967296 is no int32")
def too_large(x, n):
    x[0] = F(np.int32(4294967296))  # wrong


@wrong("integer division or modulo by zero")
def by_zero(x, n):
    x[0] = F(1 // 0)  # wrong


@wrong("None is no value of the kernel language")
def nothing_stored(x, n):
    x[0] = None  # wrong


@wrong("`and` and `or` join conditions: compare first")
def or_of_numbers(x, n):
    x[0] = F(n or 1)  # wrong


@wrong("`is` asks for None alone")
def identity(x, n):
    x[0] = F(n is n)  # wrong


@wrong("In is no comparison of the kernel language")
def member(x, n):
    x[0] = F(n in n)  # wrong


@wrong("inner is no kernel")
def no_kernel(x, n):
    x[0] = inner(x, n)  # wrong


def inner(x, n):
    return x[n]


@wrong("two takes 2 arguments, not 1")
def missing_argument(x, n):
    x[0] = two(x[0])  # wrong


@compiled
def two(a, b):
    return a + b


@wrong("window2 takes 4 arguments, not 3")
def missing_argument_of_a_window(x, n):
    y = window2(x, 0, n)  # wrong


@wrong("2 arguments are taken, 3 given")
def most_of_three(x, n):
    x[0] = max(x[0], x[1], x[2])  # wrong


@wrong("arguments have no keywords")
def keyword(x, n):
    x[0] = two(a=x[0], b=x[1])  # wrong


@wrong("int64, which has to be converted")
def root_of_whole(x, n):
    x[0] = F(math.sqrt(n))  # wrong


@wrong("recursive calls itself")
def recursive(x, n):
    recursive(x, n - 1)  # wrong


@wrong("returns int64, and float32 elsewhere")
def two_results(x, n):
    if n > 0:
        return x[0]
    return n  # wrong


@wrong("sometimes returns float32, and ends without")
def calls_sometimes(x, n):
    x[0] = sometimes(x, n)


@compiled
def sometimes(x, n):  # wrong
    if n > 0:
        return x[0]


@wrong("unpacks int64 into 2")
def unpacked(x, n):
    a, b = n  # wrong


@wrong("runs over something else than range")
def over_an_array(x, n):
    for y in x:  # wrong
        x[0] = y


@wrong("has a step of 0")
def standing(x, n):
    for i in range(0, n, 0):  # wrong
        x[0] = F(i)


@wrong("a whole number is needed: np.int64(…)?")
def so_many_and_a_half(x, n):
    for i in range(x[0]):  # wrong
        x[0] = F(i)


@wrong("is no statement of the kernel language")
def otherwise(x, n):
    for i in range(n):  # wrong
        x[0] = F(i)
    else:
        x[1] = F(0.0)


@wrong("is no statement of the kernel language")
def raised(x, n):
    raise ValueError  # wrong


@wrong("y is read before it is assigned to")
def before(x, n):
    x[0] = y  # wrong
    y = x[1]


@wrong("gives f what is no number, array or tuple")
def function_in_a_branch(x, n):
    f = math.exp
    if n > 0:
        f = math.log  # wrong
    x[0] = F(f(x[0]))


@symbol("nobody", lambda: None)
def nobody(a):
    """A symbol that nothing binds."""


@wrong("nobody is called with other types elsewhere")
def other_types(x, n):
    nobody(x[0])
    nobody(n)  # wrong


@wrong("inf is no whole number")
def infinite(x, n):
    x[0] = F(np.int64(np.inf))  # wrong


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said_with_its_line(name):
    function, message = WRONG[name]
    with pytest.raises(KernelError) as raised:
        run(function, np.zeros(8, F), 3)
    lines, first = inspect.getsourcelines(sometimes if name == "calls_sometimes" else function)
    (line,) = (first + i for i, text in enumerate(lines) if text.rstrip().endswith("wrong"))
    said = str(raised.value)
    assert re.match(rf"test_kernel_errors\.py, line {line}\b", said), said
    assert said.endswith(message), said


@compiled
def many(*x):
    x[0][0] = F(0.0)


def test_parameters_are_plain():
    with pytest.raises(KernelError, match="many has other parameters than plain ones"):
        run(many, np.zeros(8, F))


@pytest.mark.compile
def test_generated_code_is_named_as_such():
    with pytest.raises(KernelError, match=r"^generated code, line 2, x = y: y is not known here$"):
        launch(["x = y"], [], [])
