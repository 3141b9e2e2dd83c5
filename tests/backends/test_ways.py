"""The ways to run a plan: equal bits, the choice that is kept, and the pace beside neighbours."""

from __future__ import annotations

import json
import signal

import numpy as np
import pytest

from backends.spec_steps import compiled_specs, spec_steps
from nnctl.backends.cpu import backend as module_of_backend
from nnctl.backends.cpu import settling
from nnctl.backends.cpu import ways as module_of_ways
from nnctl.backends.cpu.backend import CpuBackend
from nnctl.backends.cpu.executable import CompiledStep, Trials, changed_by
from nnctl.backends.cpu.pace import Crew, Pace, sharing
from nnctl.backends.cpu.schedule import CpuPlan
from nnctl.backends.cpu.settling import SettlingStep
from nnctl.backends.cpu.ways import SESSIONS, Choice, Trial, Way, by_measurement, by_rule, kept, ways
from nnctl.cli import main
from nnctl.plan.plan import Plan
from nnctl.process.signals import leave, take_over

pytestmark = pytest.mark.compile

DIGITS = next(path for path in compiled_specs() if path.stem == "digits")
DENSE = next(path for path in compiled_specs() if path.stem == "softmax-regression")


@pytest.fixture
def steps():
    return spec_steps(DENSE, 5, 9)


@pytest.fixture
def plan(steps) -> CpuPlan:
    made = CpuBackend(2).plan(steps.network.training_step, steps.sizes)
    assert isinstance(made, CpuPlan)
    return made


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    monkeypatch.setenv("NNCTL_CACHE", str(tmp_path))
    return tmp_path


def plans(plan: CpuPlan) -> dict[bool, Plan]:
    assert plan.owned is not None
    return {False: plan.shared, True: plan.owned}


def test_there_is_one_way_for_one_thread_and_more_for_more(plan):
    assert ways(plan, 1) == [Way(1)]
    assert ways(plan, 2) == [Way(1), Way(2, owned=True)]
    assert ways(plan, 6) == [Way(1), Way(2, owned=True), Way(4), Way(6)]


def test_the_first_weights_of_a_dense_net_can_be_owned(plan):
    assert plan.owned is not None
    divided = [launch for launch in plan.owned.launches if getattr(launch, "division", "") == "halves"]
    assert [launch.op.name for launch in divided] == ["rescale", "half_products", "accumulate_product"]
    # Until the sums of the halves are added no thread waits for another.
    assert {launch.phase for launch in divided[:2]} == {0}


def test_a_large_step_is_planned_at_first_as_two_threads_run_it(tmp_path):
    text = DIGITS.read_text().replace("units: 64", "units: 640")
    (tmp_path / "wide.yaml").write_text(text)
    steps = spec_steps(tmp_path / "wide.yaml", 40, 80)

    def planned(threads: int) -> CpuPlan:
        plan = CpuBackend(threads).plan(steps.network.training_step, steps.sizes)
        assert isinstance(plan, CpuPlan)
        return plan

    two, one = planned(2), planned(1)
    assert (two.owns, one.owns, planned(4).owns) == (True, False, False)
    assert by_rule(two, 2).way == Way(2, owned=True)
    assert ways(two, 2) == ways(one, 2)
    assert two.owned is two
    assert one.shared is one
    assert two.shared == one
    assert one.owned == two


def test_so_can_those_whose_update_is_a_formula(tmp_path):
    text = DENSE.read_text().replace("optimizer: {type: sgd", "optimizer: {type: adam")
    assert "adam" in text
    (tmp_path / "adam.yaml").write_text(text)
    steps = spec_steps(tmp_path / "adam.yaml", 5, 9)
    plan = CpuBackend(2).plan(steps.network.training_step, steps.sizes)
    assert isinstance(plan, CpuPlan)
    assert plan.owned is not None
    divided = [launch for launch in plan.owned.launches if getattr(launch, "division", "") == "halves"]
    assert [launch.op.name for launch in divided] == ["rescale", "half_products", "matmul", "adam"]
    # The gradient is used by the thread that makes it.
    assert divided[2].phase == divided[3].phase


@pytest.mark.parametrize("path", compiled_specs(), ids=lambda path: path.stem)
def test_every_way_gives_the_same_bits(path):
    made = spec_steps(path, 5, 9)
    plan = CpuBackend(3).plan(made.network.training_step, made.sizes)
    results = []
    # Beside neighbours one thread makes what two would own, or three share it, in parts that are not theirs.
    beside = [(Way(2), Crew(2, 5)), (Way(2), Crew(3, 4))]
    if plan.owned:
        beside += [(Way(2, owned=True), crew) for crew in (Crew(1), Crew(3, 4), Crew(2, 7))]
    for way, crew in [*((way, Crew(way.threads)) for way in ways(plan, 3)), *beside]:
        storage = {key: np.array(array, order="C") for key, array in made.storage.items()}
        run_as = plan.owned if way.owned else plan.shared
        outcome = CompiledStep(run_as, storage, Choice(way)).start(made.feeds(3), 3, crew).result()
        results.append([outcome.completed, *outcome.outputs.values(), *(storage[key] for key in changed_by(plan))])
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_the_fastest_way_is_chosen_and_kept(plan):
    times = {Way(1): 3e-5, Way(2, owned=True): 1e-5}
    calls = []

    def run(way, steps):
        calls.append(way)
        return Trial(times[way] * steps, 1.0)

    for number in range(1, SESSIONS + 1):
        made = by_measurement(plan, 2, run)
        assert (made.way, made.sessions) == (Way(2, owned=True), number)
        assert kept(plan, 2) == made
    assert made.settled
    assert dict(made.seconds) == pytest.approx(times)
    assert made.fastest == pytest.approx(1e-5)
    assert set(calls) == set(times)
    calls.clear()
    assert by_measurement(plan, 2, run) == made
    assert calls == []
    times[Way(2, owned=True)] = 1e-3
    anew = by_measurement(plan, 2, run, again=True)
    assert (anew.way, anew.sessions) == (Way(1), 1)
    assert dict(anew.seconds) == pytest.approx(times)


@pytest.mark.parametrize("disturbed", [Way(1), Way(2, owned=True)])
@pytest.mark.parametrize("sessions", [1, SESSIONS - 1])
def test_a_session_without_a_disturbance_rights_the_choice(plan, disturbed, sessions):
    """Threads that had their cores all the time, and were slow for another reason: the shortest times count."""
    times = {Way(1): 3e-5, Way(2, owned=True): 1e-5}
    if disturbed == Way(1):
        times = {Way(1): 1e-5, Way(2, owned=True): 3e-5}
    factor = 5.0

    def run(way, steps):
        return Trial(times[way] * steps * (factor if way == disturbed else 1.0), 1.0)

    for _ in range(sessions):
        assert by_measurement(plan, 2, run).way != disturbed
    factor = 1.0
    assert by_measurement(plan, 2, run).way == disturbed
    # Nor does a disturbance undo it that comes later.
    factor = 5.0
    for _ in range(SESSIONS):
        made = by_measurement(plan, 2, run)
    assert made.settled
    assert dict(made.seconds) == pytest.approx(times)


def test_a_session_beside_neighbours_does_not_count(plan):
    before = by_measurement(plan, 2, lambda way, steps: Trial(steps * 1e-5 / way.threads, 1.0))
    assert by_measurement(plan, 2, lambda way, steps: Trial(steps * 1e-6 * way.threads, 0.5)) == before
    assert kept(plan, 2) == before


def test_what_was_chosen_before_costs_no_other_plan_and_no_copy(plan, steps, monkeypatch):
    for _ in range(SESSIONS):
        by_measurement(plan, 2, lambda way, count: Trial(count * 1e-5 * way.threads, 1.0))
    again = CpuBackend(2).plan(steps.network.training_step, steps.sizes)
    monkeypatch.setattr(Trials, "_storage", None)
    storage = {key: np.array(array, order="C") for key, array in steps.storage.items()}
    loaded = CpuBackend(2).load(again, storage)
    assert isinstance(loaded, CompiledStep)
    assert loaded.threads == 1
    assert "owned" not in vars(again)


def test_the_first_long_runs_measure_until_the_choice_is_settled(plan, steps, monkeypatch):
    monkeypatch.setattr(settling, "_WORTH", 0.0)
    monkeypatch.setattr(Trials, "run", lambda self, way, count: Trial(count * 1e-5 / way.threads, 1.0))
    backend = CpuBackend(2)
    storage = {key: np.array(array, order="C") for key, array in steps.storage.items()}
    for number in range(SESSIONS):
        loaded = backend.load(plan, storage)
        assert isinstance(loaded, SettlingStep)
        for _ in range(3):
            loaded.start(steps.feeds(1), 1).result()
        found = kept(plan, 2)
        assert found is not None
        assert found.sessions == number + 1
    assert isinstance(backend.load(plan, storage), CompiledStep)


def test_a_run_is_measured_once_it_has_gone_on_for_a_while(plan, steps, folder, monkeypatch):
    """Short runs begin by rule and end so; what follows the measurement has the bits of what would have."""
    backend, results = CpuBackend(2), []
    for worth in (1e9, 0.0):
        monkeypatch.setattr(settling, "_WORTH", worth)
        storage = {key: np.array(array, order="C") for key, array in steps.storage.items()}
        loaded = backend.load(plan, storage)
        assert isinstance(loaded, SettlingStep)
        assert not list(folder.rglob("ways-*"))
        results.append([loaded.start(steps.feeds(3), 3).result().outputs["cost"] for _ in range(3)])
    np.testing.assert_array_equal(*results)


def test_a_signal_waits_while_a_run_is_measured(plan, steps, monkeypatch):
    """Steps that are not saved yet would be lost."""
    monkeypatch.setattr(settling, "_WORTH", 0.0)
    storage = {key: np.array(array, order="C") for key, array in steps.storage.items()}
    noted: list[int] = []

    def measured(plan, most, run, *, again=False):
        signal.raise_signal(signal.SIGINT)
        return leave(lambda: by_rule(plan, most))

    monkeypatch.setattr(module_of_backend, "by_measurement", measured)
    with take_over(noted.append):
        assert CpuBackend(2).load(plan, storage).start(steps.feeds(1), 1).result().completed == 1
    assert noted == [signal.SIGINT]


def test_a_choice_is_of_a_plan_and_its_sizes(plan, steps):
    by_measurement(plan, 2, lambda way, count: Trial(count * 1e-5 / way.threads, 1.0))
    larger = CpuBackend(2).plan(steps.network.training_step, {**steps.sizes, "batch": 6})
    asked = []
    by_measurement(larger, 2, lambda way, count: asked.append(way) or Trial(1e-5 * count, 1.0))
    assert asked


def test_what_neighbours_disturbed_is_not_kept(plan):
    """Threads that had but a part of their cores: the rule chooses, the figures are there for the run's pace."""
    made = by_measurement(plan, 2, lambda way, steps: Trial(steps * 1e-5 * way.threads, 1.0 / way.threads))
    assert made.way == by_rule(plan, 2).way
    assert made.fastest is not None
    asked = []
    by_measurement(plan, 2, lambda way, steps: asked.append(way) or Trial(1e-5 * steps, 1.0))
    assert asked


def test_steps_that_do_not_end_leave_the_choice_to_the_rule(plan):
    made = by_measurement(plan, 2, lambda way, count: None)
    assert made.way == by_rule(plan, 2).way
    assert made.seconds == ()
    assert made.settled


def test_a_trial_leaves_the_weights_as_they_are(plan, steps):
    storage = {key: np.array(array, order="C") for key, array in steps.storage.items()}
    before = {key: array.copy() for key, array in storage.items()}
    choice = CpuBackend(2).choice(plan, storage)
    assert {way for way, _ in choice.seconds} == set(ways(plan, 2))
    assert all(seconds > 0.0 for _, seconds in choice.seconds)
    for key, array in before.items():
        np.testing.assert_array_equal(storage[key], array)


def test_bench_says_what_was_chosen_and_measures_again_when_told_to(capsys, folder, monkeypatch):
    monkeypatch.setattr(module_of_ways, "_SHARE", 0.0)  # whoever else uses this machine

    def lines(*more):
        assert main(["bench", str(DENSE), "--steps", "3", "--threads", "2", *more]) == 0
        return [line for line in capsys.readouterr().err.splitlines() if "when measured" in line]

    def record():
        (file,) = folder.rglob("ways-*")
        return json.loads(file.read_bytes()[32:])

    for number in range(SESSIONS):
        said = lines()
        assert len(said) == 2
        assert sum(line.endswith(", chosen") for line in said) == 1
        assert record()["sessions"] == number + 1
    assert lines() == said
    assert [tuple(entry[:2]) for entry in record()["seconds"]] == [(1, False), (2, True)]
    lines("--retune")
    assert record()["sessions"] == 1


# -- the pace ---------------------------------------------------------------------------


ONE, TWO, PAIR, SHARED = Crew(1), Crew(2), Crew(2, 4), Crew(3, 4)
"""Threads with parts of their own, and those that share what two make of an undisturbed step."""


def paced(pace: Pace, seconds: dict[Crew, float], chunks: int) -> list[Crew]:
    """The crews of so many chunks of 1,000 steps, where a step takes each of them so long."""
    taken = []
    for _ in range(chunks):
        crew = pace.crew()
        taken.append(crew)
        pace.took(crew, 1000 * seconds[crew], 1000)
    return taken


def steps_of(two: float, pair: float, shared: float) -> dict[Crew, float]:
    return {TWO: two, PAIR: pair, SHARED: shared}


QUIET = steps_of(1.2e-3, 1.3e-3, 1.4e-3)


def test_an_undisturbed_run_keeps_its_threads():
    for fastest in (1.2e-3, None):
        assert paced(Pace(2, fastest), QUIET, 20) == [TWO] * 20


@pytest.mark.parametrize(
    ("beside", "best"),
    [(steps_of(4e-3, 2e-3, 3e-3), PAIR), (steps_of(4e-3, 3e-3, 2e-3), SHARED), (steps_of(2e-3, 4e-3, 3e-3), TWO)],
)
def test_beside_neighbours_the_fastest_crew_stays_and_that_of_before_comes_back(beside, best):
    pace = Pace(2, 1.2e-3)
    # Threads that take twice as long are looked at half as often.
    again = [best] * (8 if best == TWO else 16)
    twice = [*again, TWO, PAIR, SHARED, *again, *again, TWO, PAIR]
    assert paced(pace, beside, 3 + len(twice)) == [TWO, PAIR, SHARED, *twice]
    # The neighbours leave: at the next look the threads of before are as fast as they were, and stay.
    assert paced(pace, QUIET, 90)[-8:] == [TWO] * 8
    # Those that come then are met as the first ones were.
    assert paced(pace, beside, 4 + len(again)) == [TWO, PAIR, SHARED, *again, TWO]


def test_other_crews_are_tried_when_slow_looks_in_a_row_have_lost_time():
    pace = Pace(2, 1.2e-3)
    for a_step in (1.8e-3, 1.3e-3, 1.8e-3, 1.8e-3):
        assert pace.crew() == TWO
        pace.took(TWO, 150 * a_step, 150)
    assert pace.crew() == PAIR


def test_a_crew_that_has_become_slow_gives_way_at_once():
    pace = Pace(2, 1.2e-3)
    assert paced(pace, steps_of(3e-3, 4e-3, 2e-3), 4) == [TWO, PAIR, SHARED, SHARED]
    assert paced(pace, steps_of(3e-3, 4e-3, 5e-3), 13) == [SHARED, *[TWO] * 11, PAIR]


def test_the_fastest_crew_stays_no_longer_where_that_of_before_is_very_slow():
    pace = Pace(2, 1.2e-3)
    assert paced(pace, steps_of(1.0, 2e-3, 3e-3), 69) == [TWO, PAIR, SHARED, *[PAIR] * 64, TWO, PAIR]


def test_a_run_that_knows_no_figure_compares_with_its_own():
    pace = Pace(2, None)
    assert paced(pace, QUIET, 3) == [TWO] * 3
    assert paced(pace, steps_of(4e-3, 2e-3, 3e-3), 4) == [TWO, PAIR, SHARED, PAIR]


def test_fewer_threads_are_tried_too_where_steps_are_short():
    beside = {TWO: 9e-4, ONE: 3e-4, PAIR: 5e-4, SHARED: 4e-4}
    assert paced(Pace(2, 1e-4), beside, 5) == [TWO, ONE, PAIR, SHARED, ONE]
    beside = {Crew(8): 9e-4, ONE: 8e-4, Crew(7): 7e-4, Crew(8, 16): 4e-4, Crew(9, 16): 5e-4}
    assert paced(Pace(8, 1e-4), beside, 6) == [*beside, Crew(8, 16)]


def test_steps_that_keep_time_are_not_shared_nor_among_more_threads_than_there_are_bits():
    assert paced(Pace(2, 6e-3, shares=False), {ONE: 9e-3, TWO: 8e-3}, 4) == [TWO, ONE, TWO, TWO]
    assert sharing(15) == [Crew(15, 30), Crew(16, 30)]
    assert sharing(16) == []
    beside = {Crew(16): 4e-3, ONE: 8e-3, Crew(15): 2e-3}
    assert paced(Pace(16, 1e-3), beside, 4) == [*beside, Crew(15)]


def test_short_chunks_are_looked_at_together():
    pace = Pace(2, 2e-3)
    for _ in range(20):
        assert pace.crew() == TWO
        pace.took(TWO, 16e-3, 1)
    assert pace.crew() == PAIR
    # What was started with another crew says nothing of this one.
    for _ in range(20):
        pace.took(TWO, 16e-3, 1)
    assert pace.crew() == PAIR


def test_one_thread_stays_one():
    pace = Pace(1, 1e-3)
    for _ in range(5):
        pace.took(ONE, 1.0, 10)
    assert pace.crew() == ONE
