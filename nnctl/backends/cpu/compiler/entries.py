"""The entry of compiled code: a function that takes words, as tables hold them, around one of the kernel language."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from nnctl.backends.cpu.compiler.functions import Translator
from nnctl.backends.cpu.compiler.sources import parsed
from nnctl.backends.cpu.compiler.types import I64, Array, NoneType, Number, Scalar, leaves, named
from nnctl.errors import KernelError


def module_of(text: str, types: Sequence[tuple[Number, int]], name: str, names: Mapping[str, Any]) -> str:
    """The IR of i64 name(ptr arguments): a number is a word, an array its address and lengths.

    text: a function of the kernel language. types: of its parameters, as (type of elements, number of axes), no axes
    for a number. names: what free names mean. Raises KernelError.
    """
    tree = parsed(text).body[0]
    assert isinstance(tree, ast.FunctionDef)
    values = _parameters(types)
    translator = Translator()
    function, result = translator.define("launch", tree, names, values, file="generated code")
    if result not in (NoneType(), I64):
        raise KernelError(f"generated code returns {named(result)}: a status is an int64")
    kinds = [ir for value in values for ir in leaves(value.type)]
    lines = []
    for place, ir in enumerate(kinds):
        lines.append(f"  %at{place} = getelementptr i64, ptr %arguments, i64 {place}")
        lines.append(f"  %w{place} = load {ir}, ptr %at{place}, align 8")
    given = ", ".join(f"{ir} %w{place}" for place, ir in enumerate(kinds))
    if result == I64:
        end = [f"  %status = call i64 @{function}({given})", "  ret i64 %status"]
    else:
        end = [f"  call void @{function}({given})", "  ret i64 0"]
    entry = "\n".join([f"define i64 @{name}(ptr %arguments) nounwind {{", *lines, *end, "}"])
    return f"{translator.module.text()}\n{entry}\n"


def _parameters(types: Sequence[tuple[Number, int]]) -> list[Scalar | Array]:
    """Values of these types in registers %w0, %w1, …"""
    values: list[Scalar | Array] = []
    place = 0
    for number, axes in types:
        if axes:
            values.append(Array(number, f"%w{place}", tuple(f"%w{place + 1 + axis}" for axis in range(axes))))
            place += 1 + axes
        else:
            values.append(Scalar(number, f"%w{place}"))
            place += 1
    return values
