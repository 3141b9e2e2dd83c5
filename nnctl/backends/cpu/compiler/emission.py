"""Choices between values, elements of arrays: the rest of what a function's text is written with."""

from __future__ import annotations

from collections.abc import Sequence

from nnctl.backends.cpu.compiler.arithmetic import Arithmetic, common
from nnctl.backends.cpu.compiler.blocks import Module
from nnctl.backends.cpu.compiler.literals import literal
from nnctl.backends.cpu.compiler.types import (
    BOOL,
    I64,
    Array,
    Known,
    Number,
    Scalar,
    Type,
    Value,
    flattened,
    leaves,
    named,
    rebuilt,
    type_of,
)


class Emission(Arithmetic):
    """The instructions of one function, as the translation of expressions and statements writes them."""

    def __init__(self, module: Module) -> None:
        super().__init__(module)
        self.groups: list[str] = []
        """Access groups of the loops around whose turns are independent."""

    # -- choices ---------------------------------------------------------------------

    def shared(self, a: Value, b: Value) -> Type:
        """The type of what is one of two values. Raises TypeError where they have none."""
        kinds = type_of(a), type_of(b)
        if all(isinstance(kind, Number) for kind in kinds):
            return common(a, b)
        if kinds[0] != kinds[1]:
            raise TypeError(f"one of two is chosen: {named(kinds[0])} or {named(kinds[1])}")
        return kinds[0]

    def chosen(self, condition: Scalar, yes: Value, no: Value) -> Value:
        """One of two values, both of which exist."""
        kind = self.shared(yes, no)
        if isinstance(kind, Number):
            yes, no = self.converted(yes, kind), self.converted(no, kind)
        both = zip(leaves(kind), flattened(yes, literal), flattened(no, literal), strict=True)
        return rebuilt(kind, [self.select(condition, ir, a, b) for ir, a, b in both])

    # -- arrays ----------------------------------------------------------------------

    def element(self, array: Array, indices: Sequence[Value]) -> str:
        """The address of an element, or of what the first indices choose."""
        if len(indices) > len(array.lengths):
            raise TypeError(f"{len(indices)} indices of {named(array.type)}")
        position: Value = Known(0)
        for axis, length in enumerate(array.lengths):
            if axis:
                position = self.binary("Mult", position, Scalar(I64, length))
            if axis < len(indices):
                position = self.binary("Add", position, self._index(indices[axis]))
        return self.offset(array, position)

    def _index(self, index: Value) -> Scalar:
        if isinstance(index, Known) and isinstance(index.value, int) and index.value < 0:
            raise TypeError("indices count from the front")
        if isinstance(index, (Scalar, Known)) and type_of(index) is BOOL:
            raise TypeError("a condition is no index")
        return self.whole(index)

    def offset(self, array: Array, position: Value) -> str:
        """The address of an element by its position in the flat array."""
        at = self.whole(position).text
        return self.let(f"getelementptr inbounds {array.element.stored}, ptr {array.pointer}, i64 {at}")

    def shaped(self, array: Array, pointer: str, lengths: Sequence[Value]) -> Array:
        """The elements of an array from an address on, with axes of these lengths. Raises TypeError for none."""
        if not lengths or any(isinstance(n, Known) and isinstance(n.value, int) and n.value < 0 for n in lengths):
            raise TypeError("the lengths of all axes are given")
        return Array(array.element, pointer, tuple(self.whole(n).text for n in lengths))

    def loaded(self, array: Array, indices: Sequence[Value]) -> Value:
        """An element, or the array that fewer indices than axes choose."""
        address = self.element(array, indices)
        if len(indices) < len(array.lengths):
            return Array(array.element, address, array.lengths[len(indices) :])
        kind = array.element
        register = self.let(f"load {kind.stored}, ptr {address}, align {_alignment(kind)}{self._access()}")
        if kind.memory:
            register = self.let(f"zext {kind.memory} {register} to {kind.ir}")
        return Scalar(I64 if kind.memory else kind, register)

    def stored(self, array: Array, indices: Sequence[Value], value: Value) -> None:
        """Put a number into an array. Raises TypeError for one of another type."""
        kind = array.element
        if len(indices) < len(array.lengths):
            raise TypeError(f"{len(indices)} indices of {named(array.type)}, where a number is put")
        if isinstance(value, Scalar) and (value.type.floating or kind.floating) and value.type != kind:
            raise TypeError(f"a {value.type.name} is put into an array of {kind.name}")
        x = self.converted(value, I64 if kind.memory else kind)
        text = self.let(f"trunc {kind.ir} {x.text} to {kind.memory}") if kind.memory else x.text
        address = self.element(array, indices)
        self.say(f"store {kind.stored} {text}, ptr {address}, align {_alignment(kind)}{self._access()}")

    def _access(self) -> str:
        return f", !llvm.access.group {self.groups[-1]}" if self.groups else ""


def _alignment(kind: Number) -> int:
    return 1 if kind.memory else kind.bits // 8
