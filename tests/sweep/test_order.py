"""The order in which trials begin: alike nets in one process, as far as it is allowed, and every trial once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from nnctl.spec.load import load_text
from nnctl.sweep.executors.contract import TrialTask
from nnctl.sweep.order import Finding, Ready, net_of
from nnctl.sweep.trial import Trial
from nnctl.sweep.trial_result import TrialResult


def ready(nets: Iterable[str], *, ahead: bool = True, results: Sequence[TrialResult] = ()) -> Ready:
    tasks = iter([TrialTask(number, (), Path(), net=net) for number, net in enumerate(nets)])

    def following() -> Finding:
        yield from results
        return next(tasks, None)

    return Ready(following, ahead=ahead)


def taken(trials: Ready, under_way: Sequence[str] = ()) -> int | None:
    """The number of the trial that is next."""
    finding = trials.take(under_way)
    while True:
        try:
            next(finding)
        except StopIteration as stop:
            return None if stop.value is None else int(stop.value.number)


def test_processes_begin_with_nets_of_their_own_and_stay_with_them() -> None:
    trials = ready("aaabbbccc")
    assert taken(trials) == 0
    assert taken(trials, ["a"]) == 3
    trials.left("b")
    assert taken(trials, ["a"]) == 4
    trials.left("a")
    assert taken(trials, ["b"]) == 1


def test_a_process_whose_net_has_no_trials_left_takes_one_that_nobody_has_and_at_last_helps() -> None:
    trials = ready("abbcc")
    assert [taken(trials), taken(trials, "a")] == [0, 1]
    trials.left("a")
    assert taken(trials, "b") == 3
    trials.left("b")
    assert taken(trials, "c") == 2
    trials.left("b")
    assert taken(trials, "c") == 4


def test_every_trial_is_taken_once() -> None:
    trials = ready("abcd" * 100)
    numbers = []
    while (number := taken(trials, "ab")) is not None:
        numbers.append(number)
        trials.left("abcd"[number % 4])
    assert sorted(numbers) == list(range(400))


def test_others_are_no_further_ahead_than_so_many() -> None:
    trials = ready("a" * 1000 + "b")
    assert taken(trials) == 0
    trials.left("b")
    assert taken(trials, "a") == 1


def test_where_results_matter_trials_begin_by_number() -> None:
    trials = ready("abab", ahead=False)
    order = []
    for net in "abab":
        order.append(taken(trials, net))
        trials.left(net)
    assert order == [0, 1, 2, 3]
    assert taken(trials) is None


def test_results_on_the_way_are_passed_on() -> None:
    known = TrialResult(Trial(0, 0, {}, 0), "0000", "finished")
    finding = ready("a", results=[known]).take(())
    assert next(finding) is known


@pytest.mark.parametrize(
    ("settings", "same"),
    [
        ({"optimizer.learning_rate": 0.2, "schedule.epochs": 3, "seed": 4, "data.seed": 2}, True),
        ({"layers.0.units": 3}, False),
        ({"layers[name=dense1].units": 3}, False),
        ({"optimizer.momentum": 0.9}, True),
        ({"optimizer": {"type": "adam"}}, False),
        ({"optimizer.nesterov": True}, False),
    ],
)
def test_what_is_fed_at_every_step_makes_no_other_net(settings: dict[str, object], same: bool) -> None:
    spec = load_text("data: xor\nlayers: [{type: dense, units: 1, activation: sigmoid}]\ncost: cross_entropy\n").spec
    assert (net_of(Trial(1, 1, settings, 0), spec) == net_of(Trial(0, 0, {}, 0), spec)) == same
