"""Text from a net that was trained to predict the next token: each one drawn is read in turn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.backends.contract import Executable
from nnctl.backends.registry import choose_backend
from nnctl.data import tokens
from nnctl.data.streams import Purpose, generator
from nnctl.errors import ShapeError, UsageError
from nnctl.graph import interface
from nnctl.graph.network import Network
from nnctl.inference.opened import TrainedRun
from nnctl.ops.shapes import resolve
from nnctl.plan.dtypes import INDEX, REAL


def generate(
    run: TrainedRun, count: int, *, temperature: float = 1.0, prompt: str = "", seed: int | None = None
) -> Iterator[str]:
    """The prompt, then `count` tokens, one by one.

    A token is drawn with probabilities in proportion to a^(1/temperature), a the net's
    outputs: below 1 the likely ones become likelier, at 0 the likeliest is always taken.
    Without a prompt the net begins as after a line's end. seed: the spec's if None.
    Raises UsageError where the net is not made for it, DataError where the prompt has
    tokens that it does not know.
    """
    source, names = run.loaded.spec.data, run.classes
    prompted = source.tokens_of(prompt)
    if prompted is None or names is None:
        raise UsageError(
            f"{run.folder.path}: only nets trained on text generate text, not on data of type {source.type}"
        )
    if not temperature >= 0.0:
        raise UsageError(f"--temperature must be 0 or above, got {temperature:g}")
    rng = generator(run.loaded.spec.seed if seed is None else seed, Purpose.WRITE)
    read = _reader(run)
    if prompt:
        first = tokens.encode(prompted, names)
    else:
        first = np.array([names.index("\n") if "\n" in names else rng.integers(len(names))], np.int64)
    yield prompt
    # What the net writes is text: the word that stands for all unknown ones is none.
    allowed = np.array([name != tokens.UNKNOWN for name in names])
    scores = read(first)
    for _ in range(count):
        token = int(rng.choice(len(names), p=probabilities(scores * allowed, temperature)))
        yield names[token]
        scores = read(np.array([token], np.int64))


def probabilities(scores: NDArray[Any], temperature: float) -> NDArray[np.float64]:
    """Scores (n,), not negative, as probabilities in proportion to score^(1/temperature)."""
    if temperature == 0.0:
        return np.asarray(np.arange(len(scores)) == np.argmax(scores), np.float64)
    with np.errstate(divide="ignore"):
        logits = np.log(np.asarray(scores, np.float64)) / temperature
    weights = np.exp(logits - logits.max())
    return np.asarray(weights / weights.sum())


def _reader(run: TrainedRun) -> Any:
    """A function that lets the net read tokens (n,) after all that it has read, and gives its last output (tokens,)."""
    names = run.classes or ()
    piece = replace(run.signature, input_shape=(1,), target_shape=(1,))
    try:
        graph = Network(run.loaded.spec, piece).continuation
    except ShapeError as error:
        raise UsageError(f"{run.folder.path}: this net cannot generate: layer {error.layer}: {error.message}") from None
    backend = choose_backend(run.loaded.spec.backend, [graph]).backend
    recurrent = [value for value in graph.inputs if value.role == "state" and value.batched]
    trained = [value for value in graph.inputs if value.role in ("parameter", "state") and not value.batched]
    arrays = run.engine.read(value.name for value in trained)
    # Reading begins with the one sequence that is written.
    arrays |= {value.name: np.zeros(resolve(value.shape, interface.sizes(1)), REAL) for value in recurrent}
    # Each token is an example of one step: its index is its row.
    arrays[interface.INPUTS] = np.arange(len(names), dtype=INDEX)[:, None]
    storage = {name: backend.to_device(array) for name, array in arrays.items()}
    executable: Executable = backend.load(backend.plan(graph, interface.sizes(1, len(names))), storage)

    def read(indices: NDArray[np.int64]) -> NDArray[Any]:
        outputs = executable.start({interface.INDEX: indices[:, None]}, len(indices)).result().outputs[interface.OUTPUT]
        return np.asarray(outputs[-1].reshape(-1))

    return read
