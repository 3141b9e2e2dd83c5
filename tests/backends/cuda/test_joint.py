"""Trials as the rows of one launch: each is to the bit what it is alone, whoever it is launched with."""

from __future__ import annotations

import gc
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from backends.cuda.emulator import AT_ONCE, EmulatedDevice, compiler
from backends.cuda.persistent_ways import persistent_way
from backends.cuda.stream_double import Stream
from backends.spec_steps import FOLDER, SpecSteps, spec_steps, steps_of
from backends.trials import Trial, given, together
from nnctl.backends.cuda.backend import CudaBackend
from nnctl.backends.cuda.codegen.functions import function
from nnctl.backends.cuda.emission import calls_of
from nnctl.backends.cuda.persistent import trial as trial_of_ways
from nnctl.backends.cuda.persistent.choice import Grid, complete
from nnctl.backends.cuda.persistent.kernels import kind_of
from nnctl.backends.cuda.persistent.steps import PersistentSteps, PersistentWay
from nnctl.backends.cuda.persistent.tasks import Pointer, Region, Task
from nnctl.backends.cuda.persistent.text import TABLE, table_of
from nnctl.backends.cuda.shared import Shared
from nnctl.components.signature import DataSignature
from nnctl.errors import DeviceLost
from nnctl.spec.load import load_text

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(compiler() is None, reason="the emulated device needs g++ 12"),
]

CHUNKS = ((5, 3, 4), (4, 4, 4), (7, 5), (6, 2, 4), (5,))
"""Of each trial. The third diverges in its first chunk; the last ends early."""
DIVERGES = 2


def way_of(name: str, grid: Grid) -> tuple[PersistentWay, SpecSteps]:
    spec = spec_steps(FOLDER / f"{name}.yaml", 4, 20)
    plan = CudaBackend(EmulatedDevice()).plan(spec.network.training_step, spec.sizes)
    calls = calls_of(plan)
    assert complete(calls)
    return persistent_way(plan, calls, grid), spec


class TrialOnDevice(Trial):
    """A trial in a stream of its own."""

    def __init__(self, number: int, way: PersistentWay, spec: SpecSteps, device: Stream) -> None:
        host, feeds = given(number, spec, diverges=number == DIVERGES)
        self.device = device
        storage = {key: device.upload(array) for key, array in host.items()}
        super().__init__(way.steps(storage, device), storage, feeds, CHUNKS[number])

    def land(self, pending: Any) -> None:
        result = pending.result()
        super().land(pending)
        assert pending.result() is result

    def stored(self) -> dict[str, Any]:
        return {name: self.device.download(array) for name, array in self.storage.items()}


def trials_of(
    numbers: Sequence[int], way: PersistentWay, spec: SpecSteps, shared: Shared, order: int
) -> list[TrialOnDevice]:
    """Trials of one process."""
    return [TrialOnDevice(number, way, spec, Stream(f"{number}", [], shared, order)) for number in numbers]


@pytest.mark.parametrize(
    ("name", "grid", "order"),
    [
        ("xor", Grid(1), 0),
        ("xor", Grid(3), 5),
        ("dropout", Grid(2), 1),
        ("book/ch1-30", Grid(3), 0),
        ("book/ch1-30", Grid(3, cluster=True), 3),
        ("sine", Grid(5), 1),
    ],
)
def test_rows_of_one_launch_are_to_the_bit_what_each_trial_is_alone(name: str, grid: Grid, order: int) -> None:
    way, spec = way_of(name, grid)
    shared = Shared()
    trials = trials_of(range(len(CHUNKS)), way, spec, shared, order)
    found = together(trials)
    rows = [rows for trial in trials for rows in trial.device.launched]
    assert max(rows) >= min(3, AT_ONCE // grid.blocks)
    assert sum(rows) == sum(len(trial.found) for trial in trials)
    assert found[DIVERGES][0][0][0] == 2
    for number in range(len(CHUNKS)):
        alone = trials_of([number], way, spec, Shared(), 0)
        assert together(alone) == [found[number]], number
        assert set(alone[0].device.launched) == {1}


def test_streams_wait_for_one_another_around_a_launch() -> None:
    """Without it a launch reads what nobody has put there yet, and a result is read before it is made."""
    way, spec = way_of("xor", Grid(1))
    alone = [together(trials_of([number], way, spec, Shared(), 0))[0] for number in (0, 1, 3)]
    for waits in (True, False):
        trials = trials_of((0, 1, 3), way, spec, Shared(), 0)
        for trial in trials:
            trial.device.waits = waits
        assert (together(trials) == alone) == waits


def started(trials: Sequence[TrialOnDevice], *counts: int) -> list[Any]:
    """A chunk of each trial, of so many steps."""
    for trial, count in zip(trials, counts, strict=True):
        trial.chunks[:0] = [count]
    return [trial.start() for trial in trials]


def launches(trials: Sequence[TrialOnDevice]) -> list[int]:
    return sorted(rows for trial in trials for rows in trial.device.launched)


def test_rows_wait_until_half_of_the_trials_have_come_or_a_result_is_asked_for() -> None:
    way, spec = way_of("xor", Grid(1))
    trials = trials_of((0, 1, 3, 4), way, spec, Shared(), 0)
    first = started(trials[:1], 4)
    assert launches(trials) == []
    second = started(trials[1:2], 4)
    assert launches(trials) == [2]
    third = started(trials[2:3], 4)
    assert launches(trials) == [2]
    for each, pending in zip(trials, first + second + third, strict=False):
        each.land(pending)
    assert launches(trials) == [1, 2]
    # Who has ended is waited for no longer.
    del trials[2:], each, pending, first, second, third
    gc.collect()
    for pending in started(trials[:1], 2):
        assert launches(trials) == [1, 2]
        trials[0].land(pending)


def test_a_short_chunk_waits_for_no_long_one() -> None:
    way, spec = way_of("xor", Grid(1))
    trials = trials_of((0, 1, 2, 3, 4), way, spec, Shared(), 0)
    for trial in trials:
        trial.device.shared.joint._by_halves = False
    pending = started(trials, 1, 7, 4, 6, 1)
    for trial, each in zip(trials, pending, strict=True):
        trial.land(each)
    assert launches(trials) == [2, 3]
    # The clock counts pieces of work, of which a launch is one: each row has its share by its steps.
    seconds = [each.result().seconds for each in pending]
    assert seconds == [1.0, 1.0, 4 / 7, 6 / 7, 1.0]


def test_a_launch_that_fails_fails_for_each_of_its_rows_and_for_nobody_else() -> None:
    way, spec = way_of("xor", Grid(1))
    trials = trials_of((0, 1, 3), way, spec, Shared(), 0)

    def lost(*_: Any) -> None:
        raise DeviceLost("the device is lost")

    launch = trials[0].device.launch
    trials[0].device.launch = lost  # type: ignore[method-assign]
    pending = started(trials, 2, 2, 2)
    for trial, each in zip(trials[:2], pending, strict=False):
        with pytest.raises(DeviceLost):
            each.result()
        assert not trial.steps.in_flight
    trials[2].land(pending[2])
    trials[0].device.launch = launch  # type: ignore[method-assign]
    assert trials[2].found[0][0] == 2
    for trial, each in zip(trials, started(trials, 2, 2, 2), strict=True):
        trial.land(each)


def test_a_launch_has_as_many_rows_as_run_at_the_same_time_and_as_a_table_has_room_for() -> None:
    way, _ = way_of("xor", Grid(3))
    device = EmulatedDevice()
    assert way.rows(device) == AT_ONCE // 3
    words = 4 + len(way.alike.kernel.entries)
    assert way_of("xor", Grid(1))[0].rows(device) == way.alike.kernel.most_rows == TABLE // words
    assert len(table_of([[1] * words] * way.alike.kernel.most_rows).tobytes()) == 8 * TABLE
    with pytest.raises(ValueError, match="and a table has 512"):
        table_of([[1] * words] * (way.alike.kernel.most_rows + 1))


def test_trials_that_share_a_plan_share_its_ways_and_the_choice_among_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial_of_ways, "_STEPS", 2)
    spec = spec_steps(FOLDER / "xor.yaml", 4, 20)
    shared, made = Shared(), list[Any]()

    def seconds(way: Any, *_: Any) -> float:
        made.append(way)
        return 0.0 if isinstance(way, PersistentWay) else 1.0

    monkeypatch.setattr(trial_of_ways, "_seconds", seconds)
    devices = [EmulatedDevice(shared=shared) for _ in range(3)]
    plan = CudaBackend(devices[0]).plan(spec.network.training_step, spec.sizes)
    loaded = []
    for device in devices:
        storage = {key: device.upload(array) for key, array in spec.storage.items()}
        loaded.append(CudaBackend(device, persistent=None).load(plan, storage))
        loaded[-1].start(spec.feeds(2), 2).result()
    ways = len(loaded[0].choice.ways(1))
    assert len(made) == ways
    assert len({id(each.choice) for each in loaded}) == 1
    assert all(isinstance(each.chosen, PersistentSteps) for each in loaded)
    # Of many more another way may be the fastest.
    for sharers, times in ((2, 1), (3, 2), (6, 2), (7, 3)):
        for device in devices:
            device.sharers = sharers
        loaded[0].start(spec.feeds(2), 2).result()
        assert len(made) == times * ways
    # Another wish has ways of its own.
    CudaBackend(devices[0], persistent=False).load(plan, storage)
    assert len(shared._choices) == 2


def test_examples_that_nobody_changes_are_on_the_device_once() -> None:
    shared = Shared()
    one, other = (Stream(name, [], shared) for name in "ab")
    examples = np.arange(6, dtype=np.float32)
    placed = CudaBackend(one).to_read(examples)
    assert CudaBackend(other).to_read(examples) is placed
    # The other stream reads them when they are there.
    copy = other.empty((6,), np.float32)
    other.copy(copy, placed)
    np.testing.assert_array_equal(other.download(copy), examples)
    assert CudaBackend(one).to_read(examples + 0) is not placed
    assert CudaBackend(one).to_device(examples) is not placed
    del examples
    gc.collect()
    assert not shared._examples


NUMBERS = """
data: {{type: blobs, examples: 24, validation: 6, test: 6}}
layers:
  - {{type: dense, units: 5, activation: {{type: leaky_relu, slope: {slope}}}}}
  - {{type: dropout, rate: {dropout}}}
  - {{type: dense, units: 3, activation: softmax}}
cost: {{type: log_likelihood, label_smoothing: {smoothing}}}
regularizer: {{type: l2, strength: {strength}}}
optimizer: {{type: adam, learning_rate: 0.05, beta1: {beta1}}}
schedule: {{epochs: 3, batch_size: 4}}
"""
SETTINGS = (
    {"slope": 0.1, "dropout": 0.3, "smoothing": 0.1, "strength": 0.2, "beta1": 0.9},
    {"slope": 0.2, "dropout": 0.5, "smoothing": 0.05, "strength": 3.0, "beta1": 0.8},
    {"slope": 0.01, "dropout": 0.2, "smoothing": 0.3, "strength": 1e-4, "beta1": 0.5},
)


def numbered(settings: Sequence[dict[str, float]], shared: Shared) -> Any:
    """Six steps of nets with these numbers, begun before any is waited for: the rows of each launch, and all bits."""
    devices, pending, storages = [], [], []
    for each in settings:
        spec = load_text(NUMBERS.format(**each), "numbers.yaml").spec
        steps = steps_of(spec, DataSignature((2,), classes=("a", "b", "c")), 4, 24)
        device = Stream("", [], shared)
        backend = CudaBackend(device, persistent=True)
        storages.append({key: device.upload(array) for key, array in steps.storage.items()})
        loaded = backend.load(backend.plan(steps.network.training_step, steps.sizes), storages[-1])
        devices.append(device)
        pending.append((loaded, steps.feeds(6)))
    results = [each.result() for each in [loaded.start(feeds, 6) for loaded, feeds in pending]]
    bits = [
        (
            result.completed,
            {name: array.tobytes() for name, array in result.outputs.items()},
            {key: device.download(array).tobytes() for key, array in storage.items()},
        )
        for result, device, storage in zip(results, devices, storages, strict=True)
    ]
    return [rows for device in devices for rows in device.launched], bits


def test_nets_that_differ_in_strengths_and_probabilities_are_rows_of_one_launch_and_share_a_choice() -> None:
    shared = Shared()
    rows, together_ = numbered(SETTINGS, shared)
    assert rows == [2, 1]
    assert (len(shared._choices), len(shared._kernels)) == (len(SETTINGS), 1)
    assert len(shared._decisions) <= 1
    for each, found in zip(SETTINGS, together_, strict=True):
        assert found[0] == 6
        assert numbered([each], Shared()) == ([1], [found])
    assert len({str(found) for found in together_}) == len(SETTINGS)


def test_kernels_are_for_tasks_that_differ_in_numbers_alone() -> None:
    copy = function("steps.cu", "copy_real")
    region = Region("storage", "w", 4)

    def kind(*operands: Any, blocks: int = 1) -> Any:
        return kind_of("train", [Task(copy, blocks, 0, (Pointer(region, "real"), *operands))])

    assert kind(0.5, 3) == kind(0.25, 3)
    others = [kind(0.5, 4), kind(0.5, 3, blocks=2), kind(0.0, 3), kind(-0.0, 3), kind(1.0, 3), kind(math.inf, 3)]
    assert len({kind(0.5, 3), *others}) == 1 + len(others)
    assert kind(math.nan) == kind(math.nan)
