"""The ways to run a plan, and which of them is fastest on this machine: measured, and kept beside compiled code.

Results are equal to the bit in every way; only time differs, and by more from processor to processor than a rule
could know: where cores are far from one another, a second thread may slow a small step down.

What disturbs a measurement makes it longer, never shorter, and may last as long as one. So a plan is measured in a few
sessions, each in another run, and the shortest time of each way counts; after the last the choice is settled.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import TypeAlias

from nnctl.backends.cache.store import forget, found_bytes, keep_bytes
from nnctl.backends.cpu.compiler.objects import target
from nnctl.backends.cpu.schedule import CpuPlan
from nnctl.late import dataclass
from nnctl.plan.plan import Plan
from nnctl.process.cores import cores
from nnctl.process.signals import leave

SESSIONS = 4
"""Sessions of measuring, after which a choice is settled."""
_BUDGET = 0.25
"""Seconds of a session: a small part of a run that is worth it."""
_CHUNK = 0.01
"""Seconds of a chunk: much longer than its threads take to begin."""
_MOST_STEPS = 1000
_ROUNDS = 8
_FLOPS_WORTH_A_THREAD = 400_000
"""Operations of a step for each of its threads, where nothing was measured."""
_NAME = "ways"
_SHARE = 0.8
"""The share of their cores that threads have at least, which spin while they wait for one another, where no other
process takes cores away: what is measured beside others is not kept."""


@dataclass(frozen=True)
class Way:
    """A way to run a plan. owned: whether two threads own the halves of weights where they can."""

    threads: int
    owned: bool = False

    @property
    def words(self) -> str:
        """The way in words."""
        counted = f"{self.threads} thread{'s' if self.threads > 1 else ''}"
        return f"{counted}, each with a half of its own" if self.owned else counted


@dataclass(frozen=True)
class Choice:
    """The way that was chosen, and the seconds a step of each that was measured; none where nothing was.

    sessions: in which they were measured and kept.
    """

    way: Way
    seconds: tuple[tuple[Way, float], ...] = ()
    sessions: int = 0

    @property
    def settled(self) -> bool:
        """True where it is not measured again."""
        return self.sessions >= SESSIONS

    @property
    def fastest(self) -> float | None:
        """Seconds a step of the fastest way, where they were measured."""
        return min((taken for _, taken in self.seconds), default=None)


@dataclass(frozen=True)
class Trial:
    """A chunk that was timed. share: of the time of the cores that its threads could have had."""

    seconds: float
    share: float


Run: TypeAlias = Callable[[Way, int], Trial | None]
"""A run of so many steps in a way; None where they do not come to their end."""


def ways(plan: Plan, most: int) -> list[Way]:
    """The ways that there are to choose from, on at most so many threads."""
    counts, threads = [1], 2
    while threads < most:
        counts.append(threads)
        threads *= 2
    return [_way(plan, n) for n in (*counts, *([most] if most > 1 else []))]


def by_rule(plan: Plan, most: int) -> Choice:
    """The choice by the size of a step, for plans that are not worth a measurement, or not yet."""
    return Choice(_way(plan, max(1, min(most, plan.flops // _FLOPS_WORTH_A_THREAD))))


def owned_from(most: int) -> float:
    """The FLOPs of a step from which the rule has threads own halves of weights, of at most so many threads."""
    return 2 * _FLOPS_WORTH_A_THREAD if most == 2 else inf


def _way(plan: Plan, threads: int) -> Way:
    """The way of so many threads: two own halves of weights where they can, and were never found to lose by it."""
    return Way(threads, owned=threads == 2 and isinstance(plan, CpuPlan) and plan.other is not None)


def kept(plan: Plan, most: int) -> Choice | None:
    """The choice that was kept for a plan on this machine; None where there is none."""
    content = found_bytes(_NAME, _parts(plan, most))
    return None if content is None else _read(content, plan, most)


def by_measurement(plan: Plan, most: int, run: Run, *, again: bool = False) -> Choice:
    """The choice for a plan on this machine, after one more session of running each way unless it is settled.

    Where other processes take cores away meanwhile, the session does not count: what was kept before chooses, or else
    the rule.

    again: whether to forget what was measured before.
    """
    if again:
        forget(_NAME, _parts(plan, most))
    before = kept(plan, most)
    if before is not None and before.settled:
        return before
    trials = leave(lambda: _session(ways(plan, most), run))
    measured = [(way, trial.seconds) for way, trial in trials.items()]
    if _disturbed(trials):
        return before or Choice(by_rule(plan, most).way, tuple(measured))
    shortest = dict(before.seconds) if before is not None else {}
    entries = [(way.threads, way.owned, min(taken, shortest.get(way, taken))) for way, taken in measured]
    sessions = before.sessions + 1 if before is not None else 1
    # Steps that do not come to their end have no figures, in no session.
    content = json.dumps({"sessions": sessions if entries else SESSIONS, "seconds": entries}).encode()
    keep_bytes(_NAME, _parts(plan, most), content)
    return _read(content, plan, most)


def _read(content: bytes, plan: Plan, most: int) -> Choice:
    """The choice by figures that were kept."""
    record = json.loads(content)
    seconds = tuple((Way(threads, owned), taken) for threads, owned, taken in record["seconds"])
    way = min(seconds, key=lambda entry: entry[1])[0] if seconds else by_rule(plan, most).way
    return Choice(way, seconds, record["sessions"])


def _session(candidates: Sequence[Way], run: Run) -> dict[Way, Trial]:
    """The fastest chunk of each way, its seconds those of a step; none where steps do not come to their end."""
    for way in candidates:
        # The first time compiles, and touches memory that nothing has touched.
        if run(way, 1) is None:
            return {}
    return _measured(candidates, run)


def _measured(candidates: Sequence[Way], run: Run) -> dict[Way, Trial]:
    """The fastest chunk of each way, its seconds those of a step; none where steps do not come to their end."""
    ends = time.perf_counter() + _BUDGET
    steps = _steps_of_a_chunk(candidates[0], run)
    best: dict[Way, Trial] = {}
    for turn in range(_ROUNDS):
        if turn > 1 and _disturbed(best):
            break
        for way in candidates:
            if time.perf_counter() > ends and way in best:
                continue
            chunk = run(way, steps)
            if chunk is None:
                return {}
            if way not in best or chunk.seconds / steps < best[way].seconds:
                best[way] = Trial(chunk.seconds / steps, chunk.share)
    return best


def _steps_of_a_chunk(way: Way, run: Run) -> int:
    """Steps that take much longer than threads take to begin."""
    steps = 1
    while steps < _MOST_STEPS:
        chunk = run(way, steps)
        if chunk is None or chunk.seconds >= _CHUNK:
            break
        # A short chunk is mostly the beginning of its thread, and says little.
        steps = min(_MOST_STEPS, max(2 * steps, min(8 * steps, int(steps * _CHUNK / chunk.seconds))))
    return steps


def _disturbed(trials: Mapping[Way, Trial]) -> bool:
    """True where threads of the fastest chunks had but a part of their cores."""
    return any(trial.share < _SHARE for trial in trials.values())


def _parts(plan: Plan, most: int) -> list[str]:
    """The key of a choice: the plan's launches and sizes, the machine, the threads that there may be."""
    # Launches of a form have one text.
    texts: dict[object, str] = {}
    launches: list[str] = []
    for number, launch in enumerate(plan.launches):
        form = number if launch.form is None else launch.form
        if form not in texts:
            texts[form] = f"{launch.op.name} {[slot.shape for slot in (*launch.inputs, *launch.outputs)]}"
        launches.append(texts[form])
    return ["sessions", plan.name, str(dict(plan.sizes)), *launches, str(most), str(cores()), *target()]
