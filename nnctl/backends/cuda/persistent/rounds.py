"""Rounds of a step: which blocks run a task, and where they have to wait for one another.

To wait at a barrier of the whole grid costs a small net more than all its arithmetic. So what little there is
to do between two large tasks every block does for itself, into memory of its own: then nobody waits for anybody.
What only the end of a step needs one block does alone, a chain of tasks. The blocks of large tasks are spread
over the grid. A round ends where a block needs what another one has made; within a round the threads of a block
wait for each other alone, from level to level. What a step's first round makes of the data alone, as the
examples of a batch, may be made in a round of the step before, into memory of its own: then it is there. That, and
whatever else is made of data alone and not needed in its round, a block does while it waits for others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal, TypeAlias

from nnctl.backends.cuda.persistent.tasks import Region, Task
from nnctl.late import dataclass

Placement: TypeAlias = Literal["everywhere", "spread"] | int
"""The blocks that run a task: each of them for itself, all together, or the one that has the chain of a number."""

_SMALL = 4
"""Blocks of a task that one block of the grid runs one after the other in less time than a barrier takes."""


@dataclass(frozen=True)
class Rounds:
    """The tasks of a step by rounds and levels.

    own: regions of which each block has its own. meets: whether the blocks wait for each other between the last
    round of a step and the first of the next one, too. ahead: tasks of the next step, which are none of the levels';
    their results have two places, for steps of even and of odd numbers. ahead_in: the round that they are run in.
    ahead_waits: whether a block runs them already while it waits for that round. waiting: tasks that are a last level
    of their round, which a block runs while it waits for the next one.
    """

    levels: tuple[tuple[tuple[Task, ...], ...], ...]
    placements: dict[Task, Placement]
    own: frozenset[Region]
    meets: bool
    ahead: tuple[Task, ...] = ()
    ahead_in: int = 0
    ahead_waits: bool = False
    waiting: frozenset[Task] = frozenset()

    @property
    def tasks(self) -> tuple[Task, ...]:
        """All tasks."""
        return (*self.ahead, *(task for of_round in self.levels for level in of_round for task in level))

    @property
    def alternating(self) -> frozenset[Region]:
        """The regions that have two places."""
        return frozenset(region for task in self.ahead for region in task.writes)

    @property
    def widest(self) -> int:
        """Blocks of work in the level that has most of it; 1 where nothing is spread."""
        levels = [self.ahead, *(level for of_round in self.levels for level in of_round)]
        return max(1, *(sum(t.blocks for t in level if self.placements[t] == "spread") for level in levels))

    @property
    def chains(self) -> int:
        """Blocks that have a chain each, where there are so many."""
        return len({placement for placement in self.placements.values() if isinstance(placement, int)})

    @property
    def barriers(self) -> int:
        """Barriers of the grid in a step."""
        return len(self.levels) - 1 + self.meets


def rounds_of(tasks: Sequence[Task], alone: bool = False) -> Rounds:
    """The rounds of a step. alone: on a grid of one block, which has nobody to wait for."""
    own = _own_regions(tasks, alone)
    placements = _placements(tasks, own, alone)
    plain = _in_rounds(tasks, placements, own)
    ahead = tuple(_of_data_alone(tasks, placements))
    if not ahead:
        return _while_waiting(plain)
    rest = _in_rounds([task for task in tasks if task not in ahead], placements, own)
    last = len(rest.levels) - 1
    found = replace(rest, ahead=ahead, ahead_in=last if rest.meets else last - 1)
    # Between the step before the last one, which had the same place, and this one there must be a barrier.
    late = any(task.reads & found.alternating for level in rest.levels[last] for task in level)
    possible = found.ahead_in >= 1 or rest.meets or (found.ahead_in == 0 and not late)
    if not possible or found.barriers >= plain.barriers:
        return _while_waiting(plain)
    # A block that waits for round 1 knows of others that they have come to the last round of the step before.
    waits = found.ahead_in > 1 or (found.ahead_in == 1 and (rest.meets or not late))
    return _while_waiting(replace(found, ahead_waits=waits))


def _in_rounds(tasks: Sequence[Task], placements: dict[Task, Placement], own: frozenset[Region]) -> Rounds:
    """The rounds of tasks, each as early as those before it allow."""

    def apart(a: Task, b: Task) -> bool:
        """True where different blocks may use memory that one of the two writes."""
        same = placements[a] == placements[b] != "spread"
        return not same and not _common(a, b) <= own

    places: dict[Task, tuple[int, int]] = {}
    for task, before in _orders(tasks):
        earliest = [(places[b][0] + 1, 0) if apart(b, task) else (places[b][0], places[b][1] + 1) for b in before]
        places[task] = max(earliest, default=(0, 0))
    by_place: dict[tuple[int, int], list[Task]] = {}
    for task in tasks:
        by_place.setdefault(places[task], []).append(task)
    rounds: list[list[tuple[Task, ...]]] = [[]]
    for (number, _), of_level in sorted(by_place.items(), key=lambda item: item[0]):
        if number == len(rounds):
            rounds.append([])
        rounds[number].append(tuple(of_level))
    ends = [task for level in rounds[-1] for task in level]
    starts = [task for level in rounds[0] for task in level]
    meets = any(apart(a, b) for a in ends for b in starts)
    return Rounds(tuple(map(tuple, rounds)), placements, own, meets)


def _while_waiting(rounds: Rounds) -> Rounds:
    """The same rounds; what every block makes for itself of data alone, and needs in none of its round, comes last."""
    written = [region for task in rounds.tasks for region in task.writes]
    waiting: set[Task] = set()
    found: list[tuple[tuple[Task, ...], ...]] = []
    for number, levels in enumerate(rounds.levels):
        tasks = [task for level in levels for task in level]
        late = [
            task
            for task in tasks
            if rounds.placements[task] == "everywhere"
            and task.function is not None
            and not task.reads.intersection(written)
            and all(written.count(region) == 1 for region in task.writes)
            and not any(task.writes & other.reads for other in tasks)
        ]
        if not late or len(late) == len(tasks) or number + (not rounds.meets) == len(rounds.levels):
            found.append(levels)
            continue
        kept = (tuple(task for task in level if task not in late) for level in levels)
        found.append((*(level for level in kept if level), tuple(late)))
        waiting.update(late)
    return replace(rounds, levels=tuple(found), waiting=frozenset(waiting))


def _of_data_alone(tasks: Sequence[Task], placements: dict[Task, Placement]) -> Iterator[Task]:
    """The spread tasks that read nothing which a step changes, and write values that are read behind them alone."""
    written = [region for task in tasks for region in task.writes]
    read: set[Region] = set()
    for task in tasks:
        alone = all(r.place == "value" and written.count(r) == 1 and r not in read for r in task.writes)
        if placements[task] == "spread" and alone and not task.reads.intersection(written):
            yield task
        read |= task.reads


def _common(a: Task, b: Task) -> frozenset[Region]:
    """The regions that one of two tasks writes and the other uses."""
    return (a.writes & (b.reads | b.writes)) | (a.reads & b.writes)


def _orders(tasks: Sequence[Task]) -> Iterator[tuple[Task, set[Task]]]:
    """Each task with those that have to come before it: what uses its memory, and the check of the guard."""
    writers: dict[Region, list[Task]] = {}
    readers: dict[Region, list[Task]] = {}
    check: Task | None = None
    for task in tasks:
        before = {p for region in task.reads | task.writes for p in writers.get(region, ())}
        before |= {p for region in task.writes for p in readers.get(region, ())}
        if check is not None and task.guarded and any(region.place != "value" for region in task.writes):
            before.add(check)
        yield task, before
        check = task if task.function is None else check
        for region in task.writes:
            writers.setdefault(region, []).append(task)
        for region in task.reads:
            readers.setdefault(region, []).append(task)


def _own_regions(tasks: Sequence[Task], alone: bool) -> frozenset[Region]:
    """The values that small tasks make, and no others."""
    small = {t for t in tasks if (alone or t.blocks <= _SMALL) and all(r.place == "value" for r in t.writes)}
    while True:
        others = {region for t in tasks if t not in small for region in t.writes}
        outside = {t for t in small if t.writes & others}
        if not outside:
            return frozenset(region for t in small for region in t.writes)
        small -= outside


def _placements(tasks: Sequence[Task], own: frozenset[Region], alone: bool) -> dict[Task, Placement]:
    if alone:
        return dict.fromkeys(tasks, "everywhere")
    wanted: frozenset[Region] = frozenset()
    while True:
        placements, found, chained = _placed(tasks, own, wanted)
        if found == wanted:
            return placements | _chains(chained, own - wanted)
        # What is written once more after some have read it is known only now to be wanted by all.
        wanted = found


def _placed(
    tasks: Sequence[Task], own: frozenset[Region], wanted: frozenset[Region]
) -> tuple[dict[Task, Placement], frozenset[Region], list[Task]]:
    """The placements that hang on what all blocks want, each its own; what they want by these; the rest."""
    placements: dict[Task, Placement] = {}
    chained: list[Task] = []
    for task in reversed(tasks):
        if task.function is None or task.writes & wanted:
            placements[task] = "everywhere"
        elif task.writes <= own or (task.blocks <= _SMALL and not any(r.place == "value" for r in task.writes)):
            chained.append(task)
            continue
        else:
            placements[task] = "spread"
        wanted |= (task.reads | task.writes) & own
    return placements, wanted, chained


def _chains(tasks: Sequence[Task], own: frozenset[Region]) -> dict[Task, Placement]:
    """The numbers of chains: tasks are of one where one writes what the other uses and only they have.

    The longest is the first, which shares its block with the least of spread tasks. A task that is alone waits for
    none of its blocks: they are spread.
    """
    chains: list[tuple[set[Task], set[Region]]] = []
    for task in tasks:
        regions = {r for r in task.reads | task.writes if r in own} | {r for r in task.writes if r.place != "value"}
        joined = [chain for chain in chains if chain[1] & regions]
        chains = [chain for chain in chains if chain not in joined]
        chains.append(({task}.union(*(c[0] for c in joined)), regions.union(*(c[1] for c in joined))))
    found: dict[Task, Placement] = {}
    longest = sorted((of_chain for of_chain, _ in chains), key=lambda each: -sum(task.blocks for task in each))
    for number, of_chain in enumerate(longest):
        for task in of_chain:
            alone = len(of_chain) == 1 and task.blocks > 1 and not task.writes & own
            found[task] = "spread" if alone else number
    return found
