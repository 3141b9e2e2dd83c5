"""The start of a run from the weights of another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nnctl.engine.engine import Engine
from nnctl.errors import RunError, SpecError
from nnctl.graph import interface
from nnctl.ops.shapes import resolve
from nnctl.runs.checkpoints import FolderStore
from nnctl.runs.find import find
from nnctl.spec.check.wiring import layer_names
from nnctl.spec.document import Transfer
from nnctl.spec.load import Loaded


def transfer(loaded: Loaded, engine: Engine) -> None:
    """Give the engine the weights that the spec's `from` names; nothing where it has none.

    Taken are the parameters of the layers, and what these carry from step to step but for
    what has an entry for each example of a batch. The optimizer starts anew, and the
    statistics of the inputs stay those of this run's data.
    Raises RunError where there is no such run, SpecError where its arrays are not this net's.
    """
    asked = loaded.spec.from_
    if asked is None:
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
    parameters = engine.parameters
    states = engine.network.structure.states
    fixed = {n: resolve(s.value.shape, {}) for n, s in states.items() if not s.value.batched}
    taken = {}
    for array, shape in (parameters | fixed).items():
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
