"""The persistent kernel against the captured launches that it stands for, and its rounds against their meaning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product as pairs
from typing import Any

import numpy as np
import pytest
from graph.nets import Case, cases
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from backends.cuda.emulator import AT_ONCE, EmulatedDevice, compiler
from backends.cuda.persistent_ways import persistent_way
from backends.spec_steps import FOLDER, spec_steps
from nnctl.backends.cuda import product_library
from nnctl.backends.cuda.backend import CudaBackend
from nnctl.backends.cuda.calls import Call
from nnctl.backends.cuda.codegen.functions import DeviceFunction, function
from nnctl.backends.cuda.emission import calls_of
from nnctl.backends.cuda.executable import CapturedWay
from nnctl.backends.cuda.persistent import trial
from nnctl.backends.cuda.persistent.choice import Grid, complete, grids_for, obstacle
from nnctl.backends.cuda.persistent.rounds import Rounds, rounds_of
from nnctl.backends.cuda.persistent.steps import PersistentSteps, PersistentWay
from nnctl.backends.cuda.persistent.tasks import Pointer, Region, Task, tasks_of
from nnctl.backends.cuda.persistent.text import kernel_of, layout_of
from nnctl.backends.cuda.persistent.trial import Choice, FastestSteps, Way
from nnctl.backends.cuda.ways import PlanWays
from nnctl.errors import UsageError
from nnctl.graph.network import Network
from nnctl.plan.plan import Plan

needs_compiler = pytest.mark.skipif(compiler() is None, reason="the emulated device needs g++")

# -- rounds ------------------------------------------------------------------------------


@st.composite
def steps(draw: Any) -> list[Task]:
    """Tasks of any size that read and write a few regions, a check of the guard among them."""
    values = [Region("value", str(n), 4) for n in range(5)]
    stored = [Region("storage", str(n), 4) for n in range(3)]
    copy = function("steps.cu", "copy_real")
    found = []
    checked = draw(st.integers(0, 6))
    for number in range(draw(st.integers(1, 9))):
        if number == checked:
            found.append(Task(None, 1, 0, (Pointer(draw(st.sampled_from(values)), "real"),)))
        reads = draw(st.lists(st.sampled_from(values + stored), max_size=3))
        writes = draw(st.lists(st.sampled_from(values + (stored if number >= checked else [])), min_size=1, max_size=2))
        operands = [*(Pointer(r, "real") for r in reads), *(Pointer(r, "real", written=True) for r in writes)]
        found.append(Task(copy, draw(st.sampled_from([1, 4, 5, 40])), 0, tuple(operands), guarded=number >= checked))
    return found


@dataclass(frozen=True)
class Run:
    """A task in a step. meetings: barriers of the grid before it. waits: barriers of its block before it.

    told: the barriers of the grid before the first one by which others know that it is done.
    """

    step: int
    task: Task
    meetings: int
    waits: int
    told: int


def walk(rounds: Rounds, count: int) -> list[Run]:
    """What a chunk of so many steps runs, in the order of the kernel's text."""
    meetings = waits = 0
    runs = [Run(0, task, 0, 0, 0) for task in rounds.ahead]
    if runs:
        meetings = waits = 1
    for step in range(count):
        for number, levels in enumerate(rounds.levels):
            meets = number < len(rounds.levels) - 1 or rounds.meets
            if number == rounds.ahead_in and step + 1 < count and not rounds.ahead_waits:
                runs += [Run(step + 1, task, meetings, waits, meetings) for task in rounds.ahead]
            for level in levels:
                waiting = rounds.waiting.issuperset(level)
                assert meets or not waiting
                # Between what a round ends with and what is done while others are waited for no thread waits.
                waits -= waiting
                runs += [Run(step, task, meetings, waits, meetings + waiting) for task in level]
                waits += 1
            if number + 1 == rounds.ahead_in and step + 1 < count and rounds.ahead_waits:
                runs += [Run(step + 1, task, meetings, waits - 1, meetings + 1) for task in rounds.ahead]
            meetings += meets
    return runs


def shared_memory(rounds: Rounds, a: Run, b: Run) -> set[Region]:
    """The regions that both use and one writes."""
    used = (a.task.writes & (b.task.reads | b.task.writes)) | (a.task.reads & b.task.writes)
    return {r for r in used if r not in rounds.alternating or a.step % 2 == b.step % 2}


def by_one_block(rounds: Rounds, *tasks: Task) -> bool:
    """Whether it is always the same block of the grid that runs these tasks."""
    numbers = {rounds.placements[task] for task in tasks}
    return len(numbers) == 1 and not isinstance(numbers.pop(), str)


@pytest.mark.parametrize("alone", [False, True])
@settings(max_examples=100)
@given(tasks=steps())
def test_blocks_wait_wherever_one_needs_what_another_has_made(alone: bool, tasks: Sequence[Task]) -> None:
    rounds = rounds_of(tasks, alone)
    runs = walk(rounds, 4)
    assert sorted((run.step, tasks.index(run.task)) for run in runs) == [
        (s, t) for s in range(4) for t in range(len(tasks))
    ]
    for a, b in pairs(runs, runs):
        if (a.step, tasks.index(a.task)) >= (b.step, tasks.index(b.task)):
            continue
        memory = shared_memory(rounds, a, b)
        if memory:
            assert a.waits < b.waits
            if not (alone or memory <= rounds.own or by_one_block(rounds, a.task, b.task)):
                assert a.told < b.meetings
        stored = any(region.place == "storage" for region in b.task.writes)
        if a.step == b.step and a.task.function is None and stored:
            assert a.waits < b.waits


@settings(max_examples=100)
@given(tasks=steps())
def test_what_a_block_keeps_for_itself_is_made_where_it_is_read(tasks: Sequence[Task]) -> None:
    rounds = rounds_of(tasks)
    for writer, reader in pairs(tasks, tasks):
        for region in (writer.writes & (reader.reads | reader.writes)) & rounds.own:
            assert rounds.placements[writer] in ("everywhere", rounds.placements[reader]), region
            assert rounds.placements[writer] != "spread"
    for task in tasks:
        if rounds.placements[task] == "everywhere":
            assert task.writes <= rounds.own


# -- steps -------------------------------------------------------------------------------


def after(executable: Any, device: EmulatedDevice, storage: dict[str, Any], feeds: Any, chunks: Sequence[int]) -> Any:
    """The bits of all outputs and of storage after chunks of so many steps."""
    first, found = 0, []
    for count in chunks:
        result = executable.start({k: v[first : first + count] for k, v in feeds.items()}, count).result()
        found.append((result.completed, {name: array.tobytes() for name, array in result.outputs.items()}))
        first += count
    return found, {name: device.download(array).tobytes() for name, array in storage.items()}


def both_ways(plan: Plan, calls: Sequence[Sequence[Call]], stored: Any, feeds: Any, chunks: Sequence[int]) -> None:
    """Compare grids of several sizes, their threads in several orders, with captured launches."""
    device = EmulatedDevice()
    storage = {name: device.upload(array) for name, array in stored.items()}
    expected = after(CudaBackend(device).load(plan, storage), device, storage, feeds, chunks)
    for blocks, order in ((1, 0), (1, 1), (2, 7), (3, 1), (5, 0), (5, 9)):
        device = EmulatedDevice(order)
        storage = {name: device.upload(array) for name, array in stored.items()}
        found = after(persistent_way(plan, calls, Grid(blocks)).steps(storage, device), device, storage, feeds, chunks)
        assert found == expected, f"{blocks} blocks, order {order}"


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("name", ["sine", "xor", "book/ch1-30"])
def test_specs_train_as_by_captured_launches(name: str) -> None:
    spec = spec_steps(FOLDER / f"{name}.yaml", 4, 20)
    backend = CudaBackend(EmulatedDevice())
    plan = backend.plan(spec.network.training_step, spec.sizes)
    calls = calls_of(plan)
    if not complete(calls):
        pytest.skip(obstacle(plan, calls))
    both_ways(plan, calls, spec.storage, spec.feeds(5), (3, 2))


@needs_compiler
@pytest.mark.slow
@settings(max_examples=4, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(case=cases())
def test_nets_train_as_by_captured_launches(case: Case) -> None:
    plan = CudaBackend(EmulatedDevice()).plan(Network(case.spec, case.signature).training_step, case.sizes())
    calls = calls_of(plan)
    assume(complete(calls))
    both_ways(plan, calls, {k: narrow(v) for k, v in case.storage().items()}, case.feeds(3, np.float32), (2, 1))


def narrow(array: Any) -> Any:
    return array.astype(np.float32) if array.dtype.kind == "f" else array


def test_a_block_reads_the_next_batch_while_it_waits() -> None:
    spec = spec_steps(FOLDER / "book/ch1-100.yaml", 10, 20)
    plan = CudaBackend(EmulatedDevice()).plan(spec.network.training_step, spec.sizes)
    rounds = rounds_of(tasks_of(plan, [calls or [] for calls in calls_of(plan)]))
    assert rounds.ahead
    assert rounds.ahead_waits
    assert {task.function.name for task in rounds.waiting if task.function} >= {"rows_index"}
    text = kernel_of(plan.name, rounds, layout_of(rounds)).function.unit.text
    between = text[text.index("= grid_arrive(gridDim.x") : text.rindex("grid_wait(all, arrived);")]
    assert "rows_index(" in between
    assert "const int next = step + 1;" in between
    # Who has the longest chain has little else to do: there are blocks for chains alone.
    assert grids_for(rounds.tasks, 132)[0].blocks > rounds.widest


def test_the_blocks_of_a_small_net_meet_twice_a_step() -> None:
    """Each barrier costs as much as the arithmetic between two of them."""
    spec = spec_steps(FOLDER / "book/ch1-30.yaml", 10, 20)
    plan = CudaBackend(EmulatedDevice()).plan(spec.network.training_step, spec.sizes)
    tasks = tasks_of(plan, [calls or [] for calls in calls_of(plan)])
    assert rounds_of(tasks).barriers == 2
    assert grids_for(tasks, 132)[0].blocks > 1
    assert grids_for(tasks, 132, 16)[0] == Grid(16, cluster=True)
    assert grids_for(tasks, 1) == [Grid(1)]


def test_where_many_trials_share_the_device_grids_are_tried_that_find_room_together() -> None:
    spec = spec_steps(FOLDER / "book/ch1-30.yaml", 10, 20)
    device = EmulatedDevice()
    device.multiprocessors, device.largest_cluster = 132, 16
    plan = CudaBackend(device).plan(spec.network.training_step, spec.sizes)
    for wanted in (None, True):
        ways = PlanWays(plan, device, "float32", wanted)
        first = ways(1)[0]
        for sharers, cluster in ((1, 16), (8, 16), (16, 8), (33, 4)):
            found = ways(sharers)
            assert found is ways(sharers)
            assert found[0] is first
            grids = [way.grid for way in found[wanted is None :] if isinstance(way, PersistentWay)]
            assert Grid(cluster, cluster=True) in grids
            # What all of them find room for together is the most promising, behind what a wish begins with.
            assert grids[bool(wanted) and cluster < 16] == Grid(cluster, cluster=True)


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("fastest", [0, 1, 2])
def test_a_trial_changes_nothing_and_the_fastest_runs_what_follows(monkeypatch: Any, fastest: int) -> None:
    monkeypatch.setattr(trial, "_STEPS", 2)
    spec = spec_steps(FOLDER / "xor.yaml", 4, 4)
    plan = CudaBackend(EmulatedDevice()).plan(spec.network.training_step, spec.sizes)
    feeds, made = spec.feeds(6), []
    results = []
    for persistent in (False, None):
        device = Clock()
        storage = {name: device.upload(array) for name, array in spec.storage.items()}
        backend = CudaBackend(device, persistent=persistent)
        executable, given = backend.load(plan, storage), feeds
        if isinstance(executable, FastestSteps):
            # Its indices lie on the device, as the order of an epoch does.
            order = feeds["index"]
            given = feeds | {"index": backend.entries(device.upload(order.reshape(-1)), 0, order.shape)}
            ways = [*executable.choice.ways(1), *executable.choice.ways(1)][:3]
            timed = [Timed(way, n != fastest, made) for n, way in enumerate(ways)]
            executable = Choice(lambda sharers, timed=timed: timed).load(storage, device)
        results.append(after(executable, device, storage, given, (1, 3, 2)))
    assert results[0] == results[1]
    # Behind the first each has its trial; if the first is not the fastest, that is made over the true storage, too.
    assert made == [int(fastest != 0), *(int(n != fastest) for n in range(3)), *[0] * (fastest > 0)]


class Clock(EmulatedDevice):
    """A device whose clock goes by what runs. built: whether kernels are compiled. asked: whether to begin that."""

    slow = False
    built = True

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[bool] = []

    def ready(self, function: DeviceFunction, *, begin: bool) -> bool:
        self.asked.append(begin)
        return self.built

    def seconds(self, first: float, last: float) -> float:
        return 2.0 if self.slow else 1.0


@dataclass(frozen=True)
class Timed:
    """A way that is slow or not; enters which it was. blocks: that hold a multiprocessor, 0 where none does."""

    way: Way
    slow: bool
    made: list[int]
    blocks: int = 0

    @property
    def plan(self) -> Plan:
        return self.way.plan

    @property
    def function(self) -> DeviceFunction | None:
        return self.way.function

    @property
    def alike(self) -> Any:
        return self.way.alike

    def rows(self, device: Any) -> int | None:
        return AT_ONCE // self.blocks if self.blocks else None

    def steps(self, storage: Any, device: Any) -> Any:
        return self._timed(self.way.steps(storage, device))

    def steps_apart(self, storages: Any, device: Any) -> Any:
        first, *others = map(self._timed, self.way.steps_apart(storages, device))
        # Those of one way count as one.
        del self.made[len(self.made) - len(others) :]
        return [first, *others]

    def _timed(self, steps: Any) -> Any:
        self.made.append(int(self.slow))
        run = steps.run

        def slowly(count: int) -> Any:
            steps.device.slow = self.slow
            return run(count)

        steps.run = slowly
        return steps


def on_trial(device: Clock, *ways: tuple[bool, int], made: list[int]) -> tuple[FastestSteps, Any]:
    """Steps of a small net by the fastest of ways, each slow or not and of so many blocks, and feeds for them."""
    spec = spec_steps(FOLDER / "xor.yaml", 4, 4)
    backend = CudaBackend(device, persistent=None)
    plan = backend.plan(spec.network.training_step, spec.sizes)
    storage = {name: device.upload(array) for name, array in spec.storage.items()}
    loaded = backend.load(plan, storage)
    assert isinstance(loaded, FastestSteps)
    captured, persistent = loaded.choice.ways(1)[:2]
    given = [captured, *[persistent] * (len(ways) - 1)]
    timed = [Timed(way, slow, made, blocks) for way, (slow, blocks) in zip(given, ways, strict=True)]
    executable = Choice(lambda sharers: timed).load(storage, device)
    assert isinstance(executable, FastestSteps)
    made.clear()
    return executable, spec.feeds(2)


@needs_compiler
@pytest.mark.slow
def test_steps_go_on_while_a_kernel_is_compiled(monkeypatch: Any) -> None:
    monkeypatch.setattr(trial, "_STEPS", 2)
    device, made = Clock(), list[int]()
    executable, feeds = on_trial(device, (True, 0), (False, 1), made=made)
    device.built = False
    assert executable.start(feeds, 2).result().completed == 2
    # It is not worth compiling before steps have taken some time.
    assert device.asked == [False]
    monkeypatch.setattr(trial, "_WORTH", 0.0)
    executable.start(feeds, 2).result()
    assert (device.asked, made) == ([False, True], [])
    device.built = True
    executable.start(feeds, 2).result()
    assert made == [1, 0, 0]


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize(("sharers", "chosen"), [(1, 2), (AT_ONCE, 1)])
def test_where_several_share_the_device_a_grid_of_many_blocks_waits(
    monkeypatch: Any, sharers: int, chosen: int
) -> None:
    monkeypatch.setattr(trial, "_STEPS", 2)
    device, made = Clock(), list[int]()
    device.sharers = sharers
    executable, feeds = on_trial(device, (True, 0), (True, 1), (False, AT_ONCE), made=made)
    executable.start(feeds, 2).result()
    # Of two that take as long the first is taken, which runs already.
    assert made == ([1, 1, 0, 0] if chosen == 2 else [1, 1, 0])


def test_no_trial_chooses_between_a_library_s_sums_and_ours(monkeypatch: Any) -> None:
    spec = spec_steps(FOLDER / "digits.yaml", 32, 40)
    device = EmulatedDevice()
    for library, worth, tried in ((None, 0, True), (object(), product_library._WORTH, True), (object(), 0, False)):
        monkeypatch.setattr(product_library, "_WORTH", worth)
        device.products = library  # type: ignore[assignment]
        plan = CudaBackend(device).plan(spec.network.training_step, spec.sizes)
        captured, *others = PlanWays(plan, device, "float32", None)(1)
        assert isinstance(captured, CapturedWay)
        assert bool(others) == tried
        assert all(isinstance(way, PersistentWay) for way in PlanWays(plan, device, "float32", True)(1))


@needs_compiler
@pytest.mark.slow
def test_a_persistent_kernel_can_be_demanded() -> None:
    spec = spec_steps(FOLDER / "xor.yaml", 4, 4)
    device = EmulatedDevice()
    backend = CudaBackend(device, persistent=True)
    plan = backend.plan(spec.network.training_step, spec.sizes)
    storage = {name: device.upload(array) for name, array in spec.storage.items()}
    demanded = backend.load(plan, storage)
    assert isinstance(demanded, FastestSteps | PersistentSteps)
    assert demanded.start(spec.feeds(2), 2).result().completed == 2
    large = replace(plan, launches=plan.launches * 9, guarded=plan.guarded)
    with pytest.raises(UsageError, match=r"no persistent kernel can run train: a step has \d+ calls"):
        backend.load(large, storage)
