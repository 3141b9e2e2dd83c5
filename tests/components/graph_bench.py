"""What the tests of components share: the reference namespaces, and a way to run what a component builds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.graph.builder import GraphBuilder
from nnctl.graph.tensor import Tensor
from nnctl.ops.namespaces import numpy_namespace
from nnctl.ops.shapes import Symbol

XP = numpy_namespace()
COMPLEX = numpy_namespace(complex_step=True)


class Bench:
    """A graph under construction whose inputs have values, so that what a component builds can be computed."""

    def __init__(self, *, training: bool = False, batch: int = 2) -> None:
        self.builder = GraphBuilder("test", training=training)
        self.batch = batch
        self.values: dict[Any, NDArray[Any]] = {}

    def tensor(self, name: str, array: Any, *, batched: bool = True) -> Tensor:
        """An input; with `batched` its first axis is the symbolic one."""
        value = np.asarray(array)
        dtype = "index" if value.dtype.kind == "i" else "real"
        shape: tuple[Any, ...] = (Symbol("batch"), *value.shape[1:]) if batched else value.shape
        tensor = self.builder.input(name, shape, dtype)  # type: ignore[arg-type]
        self.values[tensor.value] = value
        return tensor

    def run(self, *results: Tensor, parameters: Mapping[str, Any] | None = None, step: int = 0) -> list[NDArray[Any]]:
        """The values of tensors, by the ops' reference bodies in float64."""
        values = dict(self.values)
        for name, array in (parameters or {}).items():
            values[self.builder.inputs[name]] = np.asarray(array, np.float64)
        for name, array in {"seed": np.array([1, 2]), "step": np.array(step)}.items():
            if name in self.builder.inputs:
                values[self.builder.inputs[name]] = array
        for node in self.builder.nodes:
            attributes = {key: self._sized(value) for key, value in node.attributes.items()}
            outputs = node.op.run(XP, [values[v] for v in node.inputs], attributes)
            values.update(zip(node.outputs, outputs, strict=True))
        return [np.asarray(values[t.value]) for t in results]

    def _sized(self, value: Any) -> Any:
        if isinstance(value, Symbol):
            return value.times * self.batch
        return tuple(self._sized(v) for v in value) if isinstance(value, tuple) else value
