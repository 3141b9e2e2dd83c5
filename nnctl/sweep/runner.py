"""A study from its trials to their results."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import replace

from nnctl.errors import RunError
from nnctl.runs.endings import forget_ending
from nnctl.runs.folder import RunFolder
from nnctl.runs.records import Clock
from nnctl.runs.sealed import read_record
from nnctl.spec.load import load_variant
from nnctl.sweep.executors.contract import Elsewhere, Executor, Failed, Halted, Outcome, TrialTask
from nnctl.sweep.order import Finding, Ready, net_of
from nnctl.sweep.search import Search
from nnctl.sweep.study import Study
from nnctl.sweep.trial import Trial
from nnctl.sweep.trial_records import record_final, recorded_result, result_of_outcome
from nnctl.sweep.trial_result import TrialResult
from nnctl.training.signals import StopRequest

_LOOK = 0.2
"""Seconds between two looks at the request to stop."""
_LIVES = 5
"""Processes that a trial may lose without getting any further: what kills each of them is its own."""


def run(study: Study, executor: Executor, stop: StopRequest) -> Generator[TrialResult, None, None]:
    """The result of every trial, in the order in which they come: first those that had ended before.

    Trials that a request to stop, or a full disk, left undone have no result. Several processes may
    run the same study at once: each trial is trained by one of them, and all have its result.
    After a request to stop no trial begins, and those under way save. Closing the generator early does the same.
    Where the disk is full no more begin, and those under way go on. Raises RunError, DataError, UsageError.
    """
    with closing(executor):
        study.claim()
        yield from _Dispatch(study, executor, stop).results()


class _Dispatch:
    """The dispatch of one study's trials to an executor, and of their outcomes to the search."""

    def __init__(self, study: Study, executor: Executor, stop: StopRequest) -> None:
        self._study, self._executor, self._stop = study, executor, stop
        self._search = Search(study)
        # A process that trains several at a time is best given those that follow one another: they are alike.
        ahead = executor.together == 1 and not study.learns and study.sweep.pruner is None
        self._ready = Ready(self._following, ahead=ahead)
        self._trials: dict[int, Trial] = {}  # that are ready or under way
        self._nets: Counter[str] = Counter()  # of those that an executor has
        self._again: deque[TrialTask] = deque()  # whose processes have died
        self._elsewhere: deque[TrialTask] = deque()  # that another process trains
        self._deaths: Counter[int] = Counter()  # since the trial got further
        self._reached: dict[int, int] = {}  # the step that it was taken up at
        self._begun = False
        self._full = False

    def results(self) -> Iterator[TrialResult]:
        halted = False
        while True:
            if self._stop and not halted:
                halted = True
                self._executor.halt()
            yield from self._give(open_=not (halted or self._full))
            if not self._executor.busy:
                return
            for task, outcome in self._executor.outcomes(_LOOK):
                result = self._result(task, outcome)
                if result is not None:
                    yield from self._told(result)

    def _give(self, *, open_: bool) -> Iterator[TrialResult]:
        """Give what may begin to workers that are free; the results of trials that were finished before."""
        while open_ and self._executor.free:
            if self._again:
                task = self._again.popleft()
            elif (ready := (yield from self._ready.take(self._nets))) is not None:
                task = ready
            elif self._elsewhere:
                task = self._elsewhere.popleft()
            else:
                return
            self._study.require_there()
            forget_ending(self._study.folder, task.number)
            self._begin(task)
            self._nets[task.net] += 1
            self._executor.give(task)

    def _following(self) -> Finding:
        """The next trial by number that may begin; the results of trials that were finished before."""
        while (trial := self._search.following()) is not None:
            watch = self._search.watch(trial)
            known = recorded_result(self._study, trial, watch)
            if known is None:
                self._trials[trial.number] = trial
                folder, net = self._study.folder_of(trial), net_of(trial, self._study.spec)
                return TrialTask(trial.number, trial.overrides, folder, watch=watch, net=net)
            yield from self._told(known)
        return None

    def _begin(self, task: TrialTask) -> None:
        """Read the data once, before many processes fetch the same file, and before any of them fails for want of it.

        As the first trial reads it: data with folds of its own has no other reading.
        """
        if self._begun:
            return
        if not self._executor.read(task):
            # Here and not above: where a worker reads, nothing else in this process has a use for NumPy.
            from nnctl.data.dataset import load_dataset

            first = load_variant(self._study.base, task.overrides).spec
            load_dataset(first.data, self._study.base.folder, first.seed)
        self._begun = True

    def _result(self, task: TrialTask, outcome: Outcome) -> TrialResult | None:
        """The result of a trial whose outcome this is; None where it has none, or is given again."""
        self._nets[task.net] -= 1
        if not self._nets[task.net]:
            del self._nets[task.net]
        if isinstance(outcome, Elsewhere):
            self._elsewhere.append(replace(task, patient=True, alone=True))
            return None
        if isinstance(outcome, Failed) and outcome.lost and self._lives(task):
            # Alone from now on: if it kills another process, it is the one that does.
            self._again.append(replace(task, alone=True))
            return None
        if isinstance(outcome, Halted) and not self._stop:
            # Somebody else has ended its process, as a queue of jobs does that needs the place.
            self._again.append(task)
            return None
        trial = self._trials.pop(task.number)
        if isinstance(outcome, Halted):
            return None
        self._ready.left(task.net)
        self._full = self._full or (isinstance(outcome, Failed) and outcome.full)
        return result_of_outcome(self._study, trial, task.watch, outcome)

    def _lives(self, task: TrialTask) -> bool:
        """True where a trial whose process has died may have another."""
        step = _step_of(RunFolder(task.folder))
        if step > self._reached.get(task.number, 0):
            self._deaths[task.number] = 0
        self._reached[task.number] = step
        self._deaths[task.number] += 1
        return self._deaths[task.number] < _LIVES

    def _told(self, result: TrialResult) -> Iterator[TrialResult]:
        """The results that are final by this one."""
        for final in self._search.tell(result):
            record_final(self._study, final)
            yield final


def _step_of(folder: RunFolder) -> int:
    """The step that a run was last saved at; 0 where it was not, or where what was saved is damaged."""
    try:
        return int(read_record(folder.progress, Clock)["step"])
    except RunError:
        return 0  # Who takes the run up says what is wrong with it.


def in_order(results: Iterable[TrialResult]) -> Iterator[TrialResult]:
    """The same results by trial number, each as soon as those before it are there.

    Where some are missing, because the sweep was stopped, those after the gap come last.
    """
    early: dict[int, TrialResult] = {}
    following = 0
    for result in results:
        early[result.trial.number] = result
        while following in early:
            yield early.pop(following)
            following += 1
    yield from (early[number] for number in sorted(early))
