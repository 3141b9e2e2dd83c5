"""Seconds of each launch of a step, on random examples of the right shapes."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nnctl.analysis.examples import random_examples
from nnctl.backends.contract import Alternative, Executable, TimedExecutable
from nnctl.backends.registry import choose_backend, likely
from nnctl.components.signature import DataSignature
from nnctl.engine.initial import initial_state
from nnctl.engine.memory import require_for_training
from nnctl.errors import RunError, UsageError
from nnctl.graph import interface
from nnctl.graph.network import Network
from nnctl.late import dataclass
from nnctl.plan.dtypes import INDEX, REAL
from nnctl.plan.plan import Launch
from nnctl.spec.document import Spec

Step: TypeAlias = Literal["train", "evaluate"]

_ROWS = 4096
"""Examples that the steps gather from: enough that they are not all in the nearest cache."""
_REPEATS = 5
"""Chunks of steps, of which the fastest counts."""
_TOGETHER = 8
"""Trials of a sweep that are timed together in one process."""
_SECONDS_TOGETHER = 2.0
"""Seconds of that, about, where so few steps are enough for one."""
_TURNS = 20
"""Chunks of each, of which the fastest counts."""


@dataclass(frozen=True)
class Timing:
    """One launch, or the whole step in the last row of a bench. One that another makes has its time there.

    microseconds: of one step, on the first thread. percent: of the step. gflops and gbytes:
    arithmetic operations and bytes in 10⁹ a second. limit: gflops as a percentage of what
    matrix products reach on this machine with as many threads; None where there is no arithmetic.
    """

    launch: str
    layer: str
    op: str
    microseconds: float
    percent: float
    gflops: float
    gbytes: float
    limit: float | None


@dataclass(frozen=True)
class Bench:
    """timings: a row a launch, one for what threads wait and calls cost, one for the whole step.

    workers and resources: those that share the step, their number and in words. ways: those to run
    the step that this machine was measured for. together: trials of a sweep that one process trains there at a time,
    1 where a process each is faster, or evaluation was timed. beside: those that were timed in one process, each by
    one worker of its backend. gain: the steps that they make in the time of one of a trial alone; None where none were
    timed, for want of memory or of anything to share.
    """

    backend: str
    workers: int
    resources: str
    batch: int
    steps: int
    timings: tuple[Timing, ...]
    ways: tuple[Alternative, ...] = ()
    together: int = 1
    beside: int = _TOGETHER
    gain: float | None = None


def bench(
    spec: Spec,
    signature: DataSignature,
    *,
    step: Step = "train",
    batch: int | None = None,
    steps: int = 200,
    threads: int | None = None,
    backend: str | None = None,
    retune: bool = False,
) -> Bench:
    """Time one step of a spec.

    retune: whether to forget what was measured for choices on this machine, and measure anew.
    batch: the spec's if None. steps: in each of several chunks, the fastest of which counts.
    threads: at most; the spec's, or one a core, if None. Raises UsageError where the
    backend cannot run the net, and RunError where the cost of random examples is not finite.
    """
    component = likely(spec.backend, backend)
    if threads is not None and component.sharing(threads) is component:
        raise UsageError(
            f"--threads: says nothing to the backend {component.type}, which divides no step among threads"
        )
    if retune and not component.measures:
        raise UsageError(f"--retune: says nothing to the backend {component.type}, which measures no choices")
    network = Network(spec, signature)
    given = spec.schedule.batch_size
    size = batch or (given if isinstance(given, int) else 32)
    specified = spec.backend if threads is None else spec.backend.sharing(threads)
    graph = network.training_step if step == "train" else network.evaluation
    chosen = choose_backend(specified, [graph], name=backend, workers=threads).backend
    rows = max(_ROWS, size)
    require_for_training(network, size, rows)
    plan = chosen.plan(graph, interface.sizes(size, rows))
    examples = random_examples(network.signature, rows, 0)
    stored = _storage(network, size, examples)
    storage = {name: chosen.to_device(array) for name, array in stored.items()}
    feeds = _feeds(spec, size, rows, steps)
    timed = chosen.load_timed(plan, storage, retune=retune)
    whole = _seconds_a_step(chosen.load(plan, storage), feeds, steps)
    launches = _seconds_a_launch(timed, feeds, steps)
    limit = timed.limit()
    # The order of launches is a choice, too.
    launched = timed.plan.launches
    names = [_name(launch) for launch in launched]
    for number in timed.elsewhere():
        names[number] += " (within another)"
    timings = [
        _timing(launch, name, took, whole, limit) for launch, name, took in zip(launched, names, launches, strict=True)
    ]
    rest = max(0.0, whole - sum(launches))
    timings.append(Timing("(waiting, calls)", "", "", 1e6 * rest, 100.0 * rest / whole, 0.0, 0.0, None))
    total = replace(launched[0], flops=timed.plan.flops, bytes=sum(x.bytes for x in launched), layer="")
    timings.append(replace(_timing(total, "(step)", whole, whole, limit), op=""))
    workers, words = timed.resources.workers, timed.resources.words
    ways = tuple(timed.chosen_from())
    here = likely(spec.backend, chosen.name)
    together = here.together(_TOGETHER) if step == "train" else 1
    beside = together if together > 1 else _TOGETHER
    # Twice: ways to run a step are tried on copies.
    room = chosen.memory_left() // (2 * (plan.arena_bytes + sum(array.nbytes for array in stored.values())))
    gain = None
    if step == "train" and here.shares and beside <= room:
        # As the trials of a sweep are loaded, which share the cores among them.
        of_trials = spec.backend.sharing(1)

        def loaded() -> Executable:
            own = choose_backend(of_trials, [graph], name=backend, workers=1).backend
            # They read the same examples.
            placed = {n: (own.to_read if n in examples else own.to_device)(array) for n, array in stored.items()}
            return own.load(plan, placed)

        gain = _gain([loaded() for _ in range(beside)], loaded(), feeds, steps, whole)
    return Bench(chosen.name, workers, words, size, steps, tuple(timings), ways, together, beside, gain)


def _timing(launch: Launch, name: str, seconds: float, whole: float, limit: float) -> Timing:
    # A launch too short for the clock has no rate.
    flops, moved = (amount / seconds if seconds > 0.0 else 0.0 for amount in (launch.flops, launch.bytes))
    return Timing(
        launch=name,
        layer=launch.layer,
        op=launch.op.name,
        microseconds=1e6 * seconds,
        percent=100.0 * seconds / whole,
        gflops=flops / 1e9,
        gbytes=moved / 1e9,
        limit=100.0 * flops / limit if launch.flops else None,
    )


def _name(launch: Launch) -> str:
    return ", ".join(slot.name for slot in launch.outputs)


def _seconds_a_step(executable: Executable, feeds: Mapping[str, NDArray[Any]], steps: int) -> float:
    fastest = float("inf")
    for _ in range(_REPEATS):
        began = time.perf_counter()
        completed = executable.start(feeds, steps).result().completed
        fastest = min(fastest, (time.perf_counter() - began) / steps)
        if completed < steps:
            raise RunError(f"the cost of random examples is not finite in step {completed}: nothing to time")
    return fastest


def _gain(
    several: Sequence[Executable], one: Executable, feeds: Mapping[str, NDArray[Any]], steps: int, seconds: float
) -> float:
    """The steps that several make in the time of one of one, their chunks under way at the same time.

    seconds: of a step, about. Whoever comes between makes a chunk longer, never shorter: they are timed in turn, often.
    """
    steps = max(1, min(steps, int(_SECONDS_TOGETHER / (seconds * len(several) * _TURNS))))
    few = {name: array[:steps] for name, array in feeds.items()}
    fastest = {1: float("inf"), len(several): float("inf")}
    for turn in range(_TURNS + 1):
        for executables in ((one,), several):
            began = time.perf_counter()
            for pending in [executable.start(few, steps) for executable in executables]:
                pending.result()
            # What is compiled or tried at the first chunk is no part of a step.
            if turn:
                fastest[len(executables)] = min(fastest[len(executables)], time.perf_counter() - began)
    return len(several) * fastest[1] / fastest[len(several)]


def _seconds_a_launch(executable: TimedExecutable, feeds: Mapping[str, NDArray[Any]], steps: int) -> list[float]:
    """Of each launch, a step, in the fastest chunk."""
    chunks = []
    for _ in range(_REPEATS):
        executable.start(feeds, steps).result()
        chunks.append(executable.spent())
    best = min(chunks, key=lambda spent: float(spent.sum()))
    return [float(seconds) / steps for seconds in best]


def _storage(network: Network, batch: int, examples: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """All that a step reads and changes, by name."""
    stored = {**initial_state(network, 0, batch), **examples}
    narrow = {k: np.asarray(v, REAL if np.asarray(v).dtype.kind == "f" else None) for k, v in stored.items()}
    return narrow | {interface.SEED: np.zeros(2, INDEX)}


def _feeds(spec: Spec, batch: int, rows: int, steps: int) -> dict[str, NDArray[Any]]:
    """A rate of 0 keeps the weights as they are: random targets cannot make them diverge."""
    rates = spec.optimizer.rates() | {"learning_rate": 0.0}
    return {
        interface.INDEX: np.random.default_rng(0).integers(0, rows, (steps, batch)),
        interface.STEP: np.arange(steps, dtype=INDEX),
        **{name: np.full(steps, rate, REAL) for name, rate in rates.items()},
    }
