"""Reference bodies as graphs: each line of a body in a loop becomes one node a turn.

A fused op that works through a sequence has a rule for its derivative, itself
a fused op. The derivative of that one is wanted by second-order methods
alone, and there a long graph of plain ops will do. It is not written a second
time: the body runs here with tensors for arrays, and its nodes have rules.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nnctl.ops.primitives import PRIMITIVES


class UnrolledArray:
    """A tensor that can be used as bodies use arrays: arithmetic, `x[:, t]`, `x[:, a:b]`, `x[:, None]`, `.T`."""

    def __init__(self, builder: Any, tensor: Any, *, transposed: bool = False) -> None:
        self.builder = builder
        self.tensor = tensor
        self.transposed = transposed

    @property
    def shape(self) -> tuple[Any, ...]:
        shape: tuple[Any, ...] = self.tensor.shape
        return shape[::-1] if self.transposed else shape

    @property
    def T(self) -> UnrolledArray:  # noqa: N802
        """The transposed matrix, for a product."""
        return UnrolledArray(self.builder, self.tensor, transposed=not self.transposed)

    def __getitem__(self, key: Any) -> UnrolledArray:
        keys = key if isinstance(key, tuple) else (key,)
        tensor, shape, axis = self.tensor, [], 0
        for entry in keys:
            if entry is None:
                shape.append(1)
                continue
            length = tensor.shape[axis]
            if isinstance(entry, int):
                tensor = self.builder.apply("slice", tensor, axis=axis, start=entry, stop=entry + 1)
            elif entry == slice(None):
                shape.append(length)
            else:
                start, stop, _ = entry.indices(length)
                tensor = self.builder.apply("slice", tensor, axis=axis, start=start, stop=stop)
                shape.append(stop - start)
            axis += 1
        return self._like(self.builder.apply("reshape", tensor, shape=(*shape, *tensor.shape[axis:])))

    def __add__(self, other: Any) -> UnrolledArray:
        return self._like(self.tensor + _plain(other))

    def __radd__(self, other: Any) -> UnrolledArray:
        return self._like(_plain(other) + self.tensor)

    def __sub__(self, other: Any) -> UnrolledArray:
        return self._like(self.tensor - _plain(other))

    def __rsub__(self, other: Any) -> UnrolledArray:
        return self._like(_plain(other) - self.tensor)

    def __mul__(self, other: Any) -> UnrolledArray:
        return self._like(self.tensor * _plain(other))

    def __rmul__(self, other: Any) -> UnrolledArray:
        return self._like(_plain(other) * self.tensor)

    def _like(self, tensor: Any) -> UnrolledArray:
        return UnrolledArray(self.builder, tensor)


def _plain(operand: Any) -> Any:
    return operand.tensor if isinstance(operand, UnrolledArray) else operand


class UnrollingNamespace:
    """The functions of `xp` that such bodies use: those of formulas, and a few that move or multiply."""

    def __init__(self, builder: Any) -> None:
        self.builder = builder

    def __getattr__(self, name: str) -> Callable[..., UnrolledArray]:
        if name not in PRIMITIVES:
            raise AttributeError(f"a body that is unrolled cannot call xp.{name}")

        def call(*operands: Any) -> UnrolledArray:
            plain = [_plain(operand) for operand in operands]
            return self._array(self.builder.formula(name, lambda xp, *args: getattr(xp, name)(*args), *plain))

        return call

    def matmul(self, a: UnrolledArray, b: UnrolledArray) -> UnrolledArray:
        """The product of two matrices."""
        transposes = {"transpose_a": a.transposed, "transpose_b": b.transposed}
        return self._array(self.builder.apply("matmul", a.tensor, b.tensor, **transposes))

    def concatenate(self, arrays: Sequence[UnrolledArray], axis: int) -> UnrolledArray:
        """Arrays side by side."""
        return self._array(self.builder.apply("concatenate", *(a.tensor for a in arrays), axis=axis))

    def stack(self, arrays: Sequence[UnrolledArray], axis: int) -> UnrolledArray:
        """Arrays along a new axis."""
        columns = [self.builder.apply("reshape", a.tensor, shape=(*a.shape[:axis], 1, *a.shape[axis:])) for a in arrays]
        return self._array(self.builder.apply("concatenate", *columns, axis=axis))

    def zeros_like(self, array: UnrolledArray) -> UnrolledArray:
        """Zeros of the same shape."""
        return self._array(self.builder.apply("zeros", shape=array.shape))

    def _array(self, tensor: Any) -> UnrolledArray:
        return UnrolledArray(self.builder, tensor)


def unrolled_gradients(
    body: Callable[..., tuple[Any, ...]],
    builder: Any,
    gradients: Sequence[Any],
    inputs: Sequence[Any],
    **attributes: Any,
) -> list[Any]:
    """Gradients of the inputs of `body`, from the rules of the ops that it is made of.

    gradients: of each output, None where there is none. Inputs that are indices get None.
    """
    real = [tensor.dtype == "real" for tensor in inputs]

    def unroll(*leaves: Any) -> list[Any]:
        rest = iter(leaves)
        operands = [next(rest) if r else builder.apply("cast", x) for r, x in zip(real, inputs, strict=True)]
        arrays = [UnrolledArray(builder, x) for x in operands]
        results = body(UnrollingNamespace(builder), *arrays, **attributes)
        return [array.tensor for array in results]

    leaves = [x for r, x in zip(real, inputs, strict=True) if r]
    results = iter(builder.pull_back(unroll, leaves, gradients))
    return [next(results) if r else None for r in real]
