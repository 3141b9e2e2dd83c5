"""Steps of the specs in specs/, ready to run on a backend with random examples."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.analysis.examples import random_examples
from nnctl.backends.cpu.codegen.source import missing
from nnctl.components.signature import DataSignature
from nnctl.engine.initial import initial_state
from nnctl.graph.network import Network
from nnctl.spec.document import Spec
from nnctl.spec.load import load_spec

Array = NDArray[Any]

FOLDER = Path(__file__).parents[2] / "specs"
SPECS = sorted(FOLDER.glob("*.yaml"))


@dataclass(frozen=True)
class SpecSteps:
    """A spec's net, what it stores in float32, and what each step is fed."""

    network: Network
    batch: int
    rows: int
    storage: dict[str, Array]

    @property
    def sizes(self) -> dict[str, int]:
        return {"batch": self.batch, "rows": self.rows}

    def feeds(self, steps: int) -> dict[str, Array]:
        optimizer = self.network.spec.optimizer
        return {
            "index": np.random.default_rng(1).integers(0, self.rows, (steps, self.batch)),
            "step": np.arange(steps),
            **{name: np.full(steps, getattr(optimizer, name), np.float32) for name in optimizer.scheduled},
        }


_RESERVOIR = ("data.length=30", "data.washout=20", "layers.0.washout=20")
BRIEF = {
    "char-lstm": ("data.length=8",),
    "echo-state": _RESERVOIR,
    "gru-copy": ("data.delay=1", "data.copied=2"),
    "lstm-adding": ("data.length=10",),
    "mackey-glass": _RESERVOIR,
}
"""Overrides of the specs of long sequences, where steps are emulated or run as Python."""


def spec_steps(path: Path, batch: int, rows: int, *, brief: bool = False) -> SpecSteps:
    loaded = load_spec(path, BRIEF.get(path.stem, ()) if brief else ())
    return steps_of(loaded.spec, loaded.spec.data.signature(loaded.folder), batch, rows)


def steps_of(spec: Spec, signature: DataSignature, batch: int, rows: int) -> SpecSteps:
    network = Network(spec, signature)
    stored = initial_state(network, 0, batch) | random_examples(signature, rows, 0) | {"seed": np.array([3, 5])}
    narrow = {k: np.asarray(v, np.float32 if np.asarray(v).dtype.kind == "f" else None) for k, v in stored.items()}
    return SpecSteps(network, batch, rows, narrow)


@cache
def compiled_specs() -> tuple[Path, ...]:
    """The specs whose every step the compiled backend has code for."""
    return tuple(filter(_is_compiled, SPECS))


def _is_compiled(path: Path) -> bool:
    loaded = load_spec(path)
    network = Network(loaded.spec, loaded.spec.data.signature(loaded.folder))
    return not any(missing(graph) for graph in (network.training_step, network.evaluation, network.prediction))
