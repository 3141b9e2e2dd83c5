"""Device functions: their signatures, read from the source, and the modules that launch them.

A function is written once, as what one block does:

    KERNEL softmax(Block block, const float* z, float* a, int rows, int columns) { … }

Parameters are pointers to elements, `const` where they are only read, and numbers. A file of functions is one
unit, compiled as a whole, so that it is compiled once for all nets; what is generated for a plan is another.
What several files share is a header `X.cuh` beside them, with a guard, as units may come to stand in one text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Literal, TypeAlias

from nnctl.late import dataclass
from nnctl.ops.shapes import DType

Kind: TypeAlias = Literal["real", "index", "uint8", "flag", "int", "float"]

PRELUDE, UNIT = "prelude.cuh", "unit"
"""The parts of a module, as a compiler's messages name them."""
_FOLDER = Path(__file__).parent.parent / "kernels"
_KINDS: Mapping[str, Kind] = {"float": "real", "long long": "index", "unsigned char": "uint8", "int": "flag"}
_NUMBERS: Mapping[str, Kind] = {"int": "int", "float": "float"}
ELEMENTS: Mapping[DType, str] = {"real": "float", "index": "long long", "uint8": "unsigned char"}
"""The type in CUDA C of a value's elements."""
_SIGNATURE = re.compile(r"^KERNEL (\w+)\(\s*Block block((?:,[^)]*)?)\)", re.MULTILINE)
_INCLUDE = re.compile(r'^#include "(\w+\.cuh)"$', re.MULTILINE)
_DEFINED = re.compile(r"(?:template <[^>]*> )?(?:KERNEL|DEVICE)\b[^(;]*?(\w+)\(")
_LINE = re.compile(r'#line (\d+) "(.*)"')
_PARAMETER = re.compile(r"(const )?(float|int|long long|unsigned char)\s*(\*?)\s*(\w+)")


@dataclass(frozen=True)
class Parameter:
    """A parameter of a device function. pointer: to elements of that kind. written: where they are changed."""

    name: str
    kind: Kind
    pointer: bool
    written: bool
    text: str


@dataclass(frozen=True)
class Unit:
    """A text that is compiled as a whole. name: in messages."""

    name: str
    text: str

    @cached_property
    def module(self) -> str:
        """The text with what it begins with, and a launchable wrapper for each of its functions.

        A compiler's messages count the lines of each part by itself, and call the text `UNIT`: units of one text are
        one module, whatever their names.
        """
        wrappers = "\n".join(map(_wrapper, parsed(self).values()))
        return "\n".join(
            [f'#line 1 "{PRELUDE}"', prelude(), f'#line 1 "{UNIT}"', self.text, '#line 1 "wrappers"', wrappers]
        )

    def function_at(self, part: str, line: int) -> str:
        """The name of the function that a line, counted from 1, of a part of the text belongs to; "" before the first.

        part: `UNIT`, or a header that the text includes.
        """
        found, place = "", (UNIT, 1)
        for text in self.text.splitlines():
            if moved := _LINE.fullmatch(text):
                place = (moved[2], int(moved[1]))
                continue
            if defined := _DEFINED.match(text):
                found = defined[1]
            if place == (part, line):
                return found
            place = (place[0], place[1] + 1)
        return ""


@dataclass(frozen=True)
class DeviceFunction:
    """A device function of a unit. cluster: the blocks that its launch is, where they are launched as a cluster."""

    name: str
    unit: Unit
    parameters: tuple[Parameter, ...]
    cluster: int = 0

    @property
    def entry(self) -> str:
        """The name of its wrapper."""
        return f"launch_{self.name}"


@cache
def prelude() -> str:
    """The text that every module begins with."""
    return (_FOLDER / PRELUDE).read_text(encoding="utf-8")


@cache
def file_unit(name: str) -> Unit:
    """The unit of a file of `kernels/`, as "classification.cu", with the headers that it includes in their places."""
    return Unit(name, _included((_FOLDER / name).read_text(encoding="utf-8")))


def _included(text: str) -> str:
    def header(match: re.Match[str]) -> str:
        included = (_FOLDER / match[1]).read_text(encoding="utf-8")
        behind = text.count("\n", 0, match.start()) + 2
        return f'#line 1 "{match[1]}"\n{included}\n#line {behind} "{UNIT}"'

    return _INCLUDE.sub(header, text)


def function(file: str, name: str) -> DeviceFunction:
    """The function of that name in a file of `kernels/`. Raises KeyError without one."""
    return parsed(file_unit(file))[name]


@cache
def parsed(unit: Unit) -> Mapping[str, DeviceFunction]:
    """The functions of a unit by name, in order. Raises ValueError for a parameter that cannot be given."""
    found: dict[str, DeviceFunction] = {}
    for match in _SIGNATURE.finditer(unit.text):
        name, rest = match.groups()
        texts = [" ".join(p.split()) for p in rest.split(",")[1:]]
        found[name] = DeviceFunction(name, unit, tuple(_parameter(unit, name, t) for t in texts))
    return found


def _parameter(unit: Unit, function: str, text: str) -> Parameter:
    match = _PARAMETER.fullmatch(text)
    if match is None:
        raise ValueError(f"{unit.name}: {function} takes {text!r}, which no launch can give")
    const, base, star, name = match.groups()
    if star:
        return Parameter(name, _KINDS[base], True, const is None, text)
    if base not in _NUMBERS:
        raise ValueError(f"{unit.name}: {function} takes {text!r}: numbers are int or float")
    return Parameter(name, _NUMBERS[base], False, False, text)


def _wrapper(function: DeviceFunction) -> str:
    """The function as a kernel. Where `running` is 0 a guard has stopped the chunk, and nothing may change.

    A file that defines BLOCKS_HELD gives its functions the registers with which a multiprocessor holds so many blocks.
    """
    taken = ", ".join(["const int* running", *(p.text for p in function.parameters)])
    given = ", ".join(["Block{int(blockIdx.x), int(gridDim.x), shared}", *(p.name for p in function.parameters)])
    bounds = "THREADS, BLOCKS_HELD" if "#define BLOCKS_HELD" in function.unit.text else "THREADS"
    return (
        f'extern "C" __global__ void __launch_bounds__({bounds}) {function.entry}({taken}) {{\n'
        "    extern __shared__ __align__(16) float shared[];\n"
        f"    if (*running) {function.name}({given});\n"
        "}"
    )


def generated_unit(name: str, definitions: Sequence[str]) -> Unit:
    """The unit of functions that were written for one plan, and of the headers that they include."""
    return Unit(name, _included("\n\n".join(definitions)))
