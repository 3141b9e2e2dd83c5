"""The start of a run from the weights of another, or of a file."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.engine.engine import Engine
from nnctl.errors import RunError, ShapeError, SpecError, UsageError
from nnctl.graph import interface
from nnctl.ops.shapes import resolve
from nnctl.runs.checkpoints import FolderStore
from nnctl.runs.find import find
from nnctl.spec.check.wiring import layer_names
from nnctl.spec.document import Transfer
from nnctl.spec.load import Loaded

log = logging.getLogger(__name__)


def transfer(loaded: Loaded, engine: Engine) -> None:
    """Give the engine the weights that the spec's `from` names; nothing where it has none.

    Taken are the parameters of the layers, and what these carry from step to step but for
    what has an entry for each example of a batch. The optimizer starts anew, and the
    statistics of the inputs stay those of this run's data. Of a file, which layers it gave is logged.
    Raises SpecError where there is no such run or file, or its arrays are not this net's.
    """
    asked = loaded.spec.from_
    if asked is not None and asked.file is not None:
        engine.assign(_of_file(loaded, engine, asked, asked.file))
    if asked is None or asked.run is None:
        return
    try:
        folder = find(loaded.folder / asked.run)
        name = folder.choose_checkpoint(asked.checkpoint)
        checkpoint = FolderStore(folder).load(name)
    except RunError as error:
        message, _, hint = str(error).partition("\n")
        raise loaded.error("from.run", message, hint=hint.strip()) from error
    saved = checkpoint.tensors
    _check_tokens(loaded, engine, asked, checkpoint.progress["signature"]["vocabulary"], str(folder.path))
    _check_columns(loaded, engine, asked, checkpoint.progress["signature"].get("embedded", ()), str(folder.path))
    taken = {}
    for array, shape in _shapes(engine).items():
        layer = array.partition(".")[0]
        if asked.layers is not None and layer not in asked.layers:
            continue
        if array not in saved:
            raise _missing(loaded, asked, array, str(folder.path), [n for n in saved if "." in n])
        if saved[array].shape != shape:
            raise loaded.error(
                _place(asked),
                f"{array} has shape {saved[array].shape} in {folder.path}, and {shape} in this net",
                hint=f"give '{layer}' the shape that it has in that run, or {_leave_out(asked, layer)}",
            )
        taken[array] = saved[array]
    engine.assign(taken)


def _shapes(engine: Engine) -> dict[str, tuple[int, ...]]:
    """Shapes of what a net starts with: parameters, and what layers keep but for an entry for each example."""
    states = engine.network.structure.states
    return engine.parameters | {n: resolve(s.value.shape, {}) for n, s in states.items() if not s.value.batched}


def _of_file(loaded: Loaded, engine: Engine, asked: Transfer, name: str) -> dict[str, NDArray[np.float32]]:
    """Arrays of the net from a file of weights."""
    from nnctl.weights.files import read_weights
    from nnctl.weights.reading import Reading
    from nnctl.weights.turning import LAYOUTS, WeightedLayers, weighted_layers

    def layers(layout: str) -> WeightedLayers:
        return weighted_layers(engine.network.spec, engine.network.signature, LAYOUTS[layout])

    try:
        file = read_weights(loaded.folder / name)
        taken = Reading(file, layers, _shapes(engine), asked.layers, asked.rename).take(asked.layout)
    except ShapeError as error:
        raise loaded.error(error.path or "from", error.message, hint=error.hint) from error
    except UsageError as error:
        message, _, hint = str(error).partition("\n")
        raise loaded.error("from.file", message, hint=hint.strip()) from error
    log.info("%s: %s layout (%s)", file.path, taken.layout, taken.why)
    log.info("  taken: %s", "; ".join(f"{layer} from {', '.join(names)}" for layer, names in taken.layers.items()))
    if taken.left:
        log.info("  left: %s", ", ".join(taken.left))
    return taken.arrays


def _check_tokens(loaded: Loaded, engine: Engine, asked: Transfer, theirs: Sequence[str] | None, run: str) -> None:
    """Raise SpecError where a layer with a row of weights for each token is taken from a net of other tokens.

    Layers without parameters, as dropout or flatten, hand one-hot rows on to the next.
    """
    ours = engine.network.signature.vocabulary
    if ours is None or theirs is None or ours == tuple(theirs):
        return
    names = layer_names(loaded.spec.layers)
    with_parameters = {array.partition(".")[0] for array in engine.parameters}
    readers = {layer.partition(".")[0] for layer in engine.network.structure.known_indices}
    one_hot: set[str] = set()
    for layer, name, before in zip(loaded.spec.layers, names, ("input", *names)):
        reads_tokens = name in readers or not one_hot.isdisjoint(layer.inputs or (before,))
        if reads_tokens and name not in with_parameters:
            one_hot.add(name)
        elif reads_tokens and (asked.layers is None or name in asked.layers):
            message = f"'{name}' has weights for each token, and those of {run} are others"
            if differing := sorted({*ours}.symmetric_difference(theirs)):
                message += f": {differing[0]!r} is in one vocabulary alone"
            raise loaded.error(_place(asked), message, hint=_leave_out(asked, name))


def _check_columns(loaded: Loaded, engine: Engine, asked: Transfer, theirs: Sequence[Any], run: str) -> None:
    """Raise SpecError where the vectors of an embedded column would be taken for other categories."""
    if asked.layers is not None:
        return
    rows = {column["name"]: tuple(column["rows"]) for column in theirs}
    for column in engine.network.signature.embedded:
        if column.name in rows and rows[column.name] != column.rows:
            differing = sorted({*column.rows}.symmetric_difference(rows[column.name]))
            message = f"column '{column.name}' has a vector for each category, and those of {run} are others"
            message += f": {differing[0]!r} is in one of the two alone" if differing else ""
            raise loaded.error("from", message, hint=_leave_out(asked, interface.COLUMNS))


def _place(asked: Transfer) -> str:
    return "from" if asked.layers is None else "from.layers"


def _leave_out(asked: Transfer, layer: str) -> str:
    if asked.layers is None:
        return f"name the other layers in from.layers: '{layer}' then starts at random"
    return f"leave '{layer}' out of from.layers: it then starts at random"


def _missing(loaded: Loaded, asked: Transfer, array: str, run: str, arrays: list[str]) -> SpecError:
    there = dict.fromkeys(layer for name in arrays if (layer := interface.layer_of(name)) is not None)
    layer = array.partition(".")[0]
    return loaded.error(
        _place(asked),
        f"{run} has no array '{array}': its layers with parameters are {', '.join(there) or 'none'}",
        hint=f"layers are known by their names: give '{layer}' the name that it has there, or "
        f"{_leave_out(asked, layer)}",
    )
