"""The feed: the one way by which an engine reads examples, be they of a split or of a guest.

It owns the buffers on the backend. A split is resident or comes in windows; either way it is a
`nnctl.engine.chunks.Reader`, and so is a guest: inputs that somebody wants answers to.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.backends.contract import Backend, Placed
from nnctl.data.batches import FixedOrder, Order
from nnctl.data.stored.arrays import LazyRows
from nnctl.engine.chunks import Measured, PlacedExamples, PlacedOrder, Reader, Write
from nnctl.engine.evaluate import BATCH
from nnctl.engine.readers import ResidentReader, StoredReader
from nnctl.engine.target_arrays import target_arrays
from nnctl.engine.windows import WindowReader, WindowSource
from nnctl.errors import DataError
from nnctl.graph import interface
from nnctl.graph.network import Network
from nnctl.plan.dtypes import element

_PART_BYTES = 1 << 24
"""Bytes of inputs of a split on disk that are measured at a time, 16 MiB."""


class Feed:
    """The readers of the splits, by name: "train", "validation", "test" or any other."""

    def __init__(self, network: Network, backend: Backend) -> None:
        self._network, self._backend = network, backend
        self._signature = network.signature
        self._readers: dict[str, Reader] = {}
        self._measured: dict[str, Measured] = {}

    def __getitem__(self, split: str) -> Reader:
        """The split's reader. Raises KeyError where none is bound under that name."""
        return self._readers[split]

    def measured(self, split: str) -> Measured:
        """The split, to be read once in order. Raises KeyError where none that can be is bound under that name."""
        return self._measured[split]

    def bind(
        self,
        split: str,
        inputs: NDArray[Any],
        targets: NDArray[Any],
        order: Order | None = None,
        weights: NDArray[Any] | None = None,
    ) -> None:
        """Make a split known under its name and put it on the backend whole; one bound before leaves.

        targets, weights: see `target_arrays`. order: of an epoch; that of `inputs` if None. Raises DataError for an
        index that a layer does not know, and for a label that is no class.
        """
        placed = _examples(self._arrays(inputs, targets, weights), self._backend.to_read)
        reader = ResidentReader(placed, self._order(order or _as_given(inputs)))
        self._replace(split, reader)
        self._measured[split] = reader

    def bind_stored(self, split: str, inputs: LazyRows, targets: NDArray[Any], weights: NDArray[Any] | None) -> None:
        """Make a split known that lies on disk, to be measured; a part of it at a time is put on the backend.

        Raises DataError for a net that reads on from one example to the next.
        """
        if self._network.structure.recurrent_states:
            raise DataError(f"the {split} split does not fit into memory, and stateful layers read it as a whole")

        def read(part: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]:
            return inputs[part], targets[part], None if weights is None else weights[part]

        rows = BATCH * max(1, _PART_BYTES // (BATCH * math.prod(inputs.shape[1:]) * inputs.dtype.itemsize))
        examples, write = self._buffers(min(rows, len(inputs)))
        self._measured[split] = StoredReader(len(inputs), examples, read, write)

    def bind_windows(self, split: str, source: WindowSource, *, epochs: int, ahead: bool) -> None:
        """Make a split known that comes in windows; see `WindowReader`. Buffers for two are put on the backend."""
        examples, write = self._buffers(2 * min(source.size, source.examples))
        numbers = self._order(FixedOrder(np.arange(examples.rows, dtype=np.int64)))
        self._replace(split, WindowReader(examples, source, write, numbers, epochs=epochs, ahead=ahead))

    def guest(self, inputs: NDArray[Any]) -> ResidentReader:
        """Inputs (n, *input_shape) without targets, on the backend for as long as their reader is held.

        Raises DataError where examples have another shape, and as `bind` does.
        """
        expected = self._signature.input_shape
        if inputs.shape[1:] != expected:
            raise DataError(f"the net reads examples of shape {expected}, these have shape {inputs.shape[1:]}")
        examples = _examples({interface.INPUTS: self._input_array(inputs)}, self._backend.to_read)
        return ResidentReader(examples, self._order(_as_given(inputs)))

    def close(self) -> None:
        """End what works ahead; the splits stay."""
        for reader in self._readers.values():
            reader.close()

    def _replace(self, split: str, reader: Reader) -> None:
        """Put a reader under a name; the one before it there ends its work."""
        if split in self._readers:
            self._readers[split].close()
        self._readers[split] = reader

    def _buffers(self, rows: int) -> tuple[PlacedExamples, Write]:
        """Room for so many examples on the backend, and the way to fill it."""
        signature = self._signature
        inputs, targets = (np.zeros((rows, *shape)) for shape in (signature.input_shape, signature.target_shape))
        weights = None if signature.weights_shape is None else np.zeros((rows, *signature.weights_shape))
        examples = _examples(self._arrays(inputs, targets, weights), self._backend.to_device)

        def write(inputs: NDArray[Any], targets: NDArray[Any], weights: NDArray[Any] | None, first: int) -> None:
            for name, array in self._arrays(inputs, targets, weights).items():
                self._backend.copy_into(examples.arrays[name], array, first)

        return examples, write

    def _order(self, order: Order) -> PlacedOrder:
        return PlacedOrder(self._backend, order)

    def _arrays(
        self, inputs: NDArray[Any], targets: NDArray[Any], weights: NDArray[Any] | None
    ) -> dict[str, NDArray[Any]]:
        if self._signature.classes is not None and targets.size:
            self._check_labels(int(targets.min()), int(targets.max()))
        arrays = {interface.INPUTS: self._input_array(inputs)}
        return arrays | target_arrays(self._signature, targets, weights)

    def _input_array(self, inputs: NDArray[Any]) -> NDArray[Any]:
        kind = self._signature.input_dtype
        if kind == "index" and inputs.size:
            self._check_indices(int(inputs.min()), int(inputs.max()))
        for column in self._signature.embedded:
            # Compiled code looks vectors up unchecked.
            indices = inputs[:, column.position]
            if not np.all((indices >= 0) & (indices < len(column.rows)) & (indices == np.floor(indices))):
                raise DataError(
                    f"the inputs of column '{column.name}' are to be the numbers of its {len(column.rows)} categories, "
                    f"0 to {len(column.rows) - 1}"
                )
        return np.asarray(inputs, element(kind).host)

    def _check_labels(self, smallest: int, largest: int) -> None:
        # Compiled code reads a net's output at its label unchecked.
        known = len(self._signature.classes or ())
        if smallest < (-1 if self._signature.ignores else 0) or largest >= known:
            raise DataError(
                f"the targets hold the label {largest if largest >= known else smallest}, "
                f"and the data's {known} classes are 0 to {known - 1}"
            )

    def _check_indices(self, smallest: int, largest: int) -> None:
        # Generated code looks rows up unchecked. How many tokens there are is no field of a layer.
        hint = "" if self._signature.vocabulary else "\n  its field vocabulary is the largest index plus 1"
        for layer, known in self._network.structure.known_indices.items():
            if smallest < 0 or largest >= known:
                raise DataError(
                    f"the inputs hold the index {largest if largest >= known else smallest}, "
                    f"and layer '{layer}' knows 0 to {known - 1}{hint}"
                )


def _examples(arrays: Mapping[str, NDArray[Any]], place: Callable[[NDArray[Any]], Placed]) -> PlacedExamples:
    return PlacedExamples(len(arrays[interface.INPUTS]), {name: place(array) for name, array in arrays.items()})


def _as_given(inputs: NDArray[Any]) -> Order:
    return FixedOrder(np.arange(len(inputs), dtype=np.int64))
