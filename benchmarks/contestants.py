"""The contestants: each writes a workload down as its own users would write the fast version."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

from benchmarks.trainer import Trainer
from benchmarks.workloads import Workload


@dataclass(frozen=True)
class Contestant:
    """A contestant by its module; nothing of it is imported before `prepare`.

    package: the one that must be installed. module, function: a `prepare(workload, threads)`, which gives
    a Trainer. kinds: of workloads that it takes on.
    """

    package: str
    module: str
    function: str
    kinds: tuple[str, ...] = ("dense", "convolutional", "recurrent")

    @property
    def installed(self) -> bool:
        """True where it can take part here."""
        return find_spec(self.package) is not None

    def prepare(self, workload: Workload, threads: int) -> Trainer:
        """The workload, ready to be trained."""
        prepare: Callable[[Workload, int], Trainer] = getattr(import_module(self.module), self.function)
        return prepare(workload, threads)


OURS = "nnctl"
CONTESTANTS = {
    OURS: Contestant("nnctl", "benchmarks.ours", "nnctl"),
    "torch eager": Contestant("torch", "benchmarks.peer_torch", "torch_eager"),
    "torch channels_last": Contestant(
        "torch", "benchmarks.peer_torch", "torch_channels_last", kinds=("convolutional",)
    ),
    "torch.compile": Contestant("torch", "benchmarks.peer_torch", "torch_compile"),
    "JAX jit": Contestant("jax", "benchmarks.peer_jax", "jax_jit"),
    "JAX scan": Contestant("jax", "benchmarks.peer_jax", "jax_scan"),
    "scikit-learn": Contestant("sklearn", "benchmarks.peer_sklearn", "scikit_learn", kinds=("dense",)),
}
