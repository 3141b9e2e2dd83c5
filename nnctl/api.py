"""nnctl from Python: training as a generator of events, and trained nets at work."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator, Mapping
from contextlib import closing, nullcontext
from functools import cached_property
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nnctl.errors import Interrupted, UsageError
from nnctl.late import dataclass
from nnctl.reporting.follow import RunSink
from nnctl.runs.find import find
from nnctl.runs.history import History, read_history
from nnctl.training import session
from nnctl.training.events import Computing, Evaluated, Event, Finished, Progress, Started, Tested
from nnctl.training.signals import StopRequest, stop_on_signals

if TYPE_CHECKING:
    from nnctl.inference.opened import TrainedRun
    from nnctl.spec.load import Loaded

__all__ = ["Evaluated", "Event", "Finished", "Progress", "Run", "SpecText", "Started", "Tested", "load_run", "train"]


@dataclass(frozen=True)
class SpecText:
    """A spec as YAML text. folder: the base of relative paths in it, the working folder if absent."""

    text: str
    folder: Path = Path()


def train(
    spec: str | PathLike[str] | SpecText | Mapping[str, Any],
    *,
    out: str | PathLike[str] | None = None,
    resume: bool = False,
    **overrides: Any,
) -> Generator[Event]:
    """Events of the training of a spec, which goes on as they are asked for; see `nnctl.training.events`.

    spec: a file or a run's folder, a text, or a mapping of the same keys. out: the run's folder, the next of
    runs/<name>/ if absent. resume: go on with the run in `out`, or with the latest of that name, where there is one.
    overrides: values of the spec by their paths, `__` for each dot: `schedule__epochs=3`; a name that has dots already
    is taken as it stands: `**{"layers.0.units": 30}`.

    Nothing is written to stdout. In the main thread a signal that comes while a step is computed, as Ctrl-C or the
    stop button of a notebook, lets the run save first; then whoever had handled the signal before answers it, for
    Ctrl-C by KeyboardInterrupt. In other threads no handler is touched. Whatever ends the iteration, the run can be
    resumed. Raises SpecError at once; DataError, RunError and DivergedError as the events are asked for.
    """
    loaded = _loaded(spec, [_override(name, value) for name, value in overrides.items()])
    stop = StopRequest()
    events = session.train(loaded, out=None if out is None else Path(out), resume=resume, stop=stop)
    return _heeding(events, stop)


def load_run(path: str | PathLike[str], *, checkpoint: str | None = None, backend: str | None = None) -> Run:
    """The run in a folder: of a folder of numbered runs the latest, of a sweep's the best trial.

    checkpoint: "best" or "last", the weights that the run ended with if None. backend: what runs the net, the spec's
    if None. Neither data nor weights are read before they are asked for. Raises RunError.
    """
    return Run(read_history(find(Path(path))), checkpoint, backend)


class Run:
    """A run as its folder has it, and its net at work; `load_run` gives it."""

    def __init__(self, history: History, checkpoint: str | None, backend: str | None) -> None:
        self._history, self._checkpoint, self._backend = history, checkpoint, backend

    def __repr__(self) -> str:
        return f"<nnctl run {self.path}, {self.state}>"

    @property
    def path(self) -> Path:
        """The run's folder."""
        return self._history.run.path

    @property
    def state(self) -> str:
        """The word for how far it is: finished, training, unfinished, or of a sweep's trial pruned or diverged."""
        return self._history.state

    @property
    def spec(self) -> dict[str, Any]:
        """The resolved spec, every default written out, as plain data."""
        return self._history.spec

    @property
    def summary(self) -> dict[str, Any] | None:
        """The result of a finished run, as `summary.json` has it; None of another."""
        return self._history.summary

    @property
    def metrics(self) -> dict[str, list[Any]]:
        """The columns of its evaluations, equally long, by name; pandas and polars make a frame of them."""
        return {name: [row[name] for row in self._history.rows] for name in self._history.columns}

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Names of the classes, in the order of the outputs; None where the net predicts values."""
        return self._net.classes

    @property
    def parameters(self) -> dict[str, NDArray[np.float32]]:
        """Copies of the trained arrays, by names such as "dense1.weight"."""
        return self._net.engine.read(self._net.engine.parameters)

    def predict(self, inputs: ArrayLike | Mapping[str, ArrayLike] | str | PathLike[str]) -> NDArray[np.float64]:
        """The net's outputs (n, outputs) for raw inputs (n, …), which are rescaled as those of training were.

        inputs: an array of examples, or a file or folder as `nnctl predict` takes it. Of a net for a table's columns a
        mapping of columns or a frame, by their names; an array (n, columns) has them in the table's order. Of a
        classifier one column a class, in the order of `classes`; where each step of a sequence has a label, a row a
        step. Raises DataError where the inputs are not the net's, or it has no finite answer.
        """
        from nnctl.inference.prediction import scores, scores_of

        return scores(self._net, Path(inputs)) if isinstance(inputs, str | PathLike) else scores_of(self._net, inputs)

    def evaluate(self, split: str | None = None, *, data: str | PathLike[str] | None = None) -> dict[str, Any]:
        """The cost and the metrics on a split of the run's data, or on labelled examples of a file or folder.

        split: "train", "validation" or "test"; if None test, or without one validation. Raises DataError, RunError,
        UsageError.
        """
        from nnctl.inference.evaluation import evaluate

        if split is not None and data is not None:
            raise UsageError("split names a part of the run's own data, data other examples: give one of them")
        (result,) = evaluate([self._net], split, data=None if data is None else Path(data))
        return result.row

    @cached_property
    def _net(self) -> TrainedRun:
        from nnctl.inference.opened import open_run

        return open_run(self.path, self._checkpoint, backend=self._backend)


def _heeding(events: Generator[Event], stop: StopRequest) -> Generator[Event]:
    """The events, their rows kept in the run's folder; signals ask for a stop while one is made, and only then."""
    with closing(events), closing(RunSink()) as sink:
        while True:
            try:
                with stop_on_signals(stop) if _in_main_thread() else nullcontext():
                    event = next(events, None)
                    if event is not None:
                        sink.handle(event)
            except Interrupted as interrupted:
                signal.raise_signal(interrupted.signal_number)
                raise  # where its handler does nothing
            if event is None:
                return
            if not isinstance(event, Computing):
                yield event


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _loaded(spec: str | PathLike[str] | SpecText | Mapping[str, Any], overrides: list[str]) -> Loaded:
    from nnctl.spec.dump import dump_data
    from nnctl.spec.load import load_source
    from nnctl.spec.yaml.source_text import SourceText
    from nnctl.training.specs import open_spec

    if isinstance(spec, Mapping):
        spec = SpecText(dump_data(_plain(spec, "spec")))
    if isinstance(spec, SpecText):
        return load_source(SourceText(spec.text, "<spec>"), spec.folder, "run", overrides)
    return open_spec(Path(spec), overrides)


def _override(name: str, value: Any) -> str:
    from nnctl.spec.override_syntax import write_override

    return write_override(name if "." in name else name.replace("__", "."), _plain(value, name))


def _plain(value: Any, name: str) -> Any:
    """A value as YAML has it. Raises UsageError for what it has no word for."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item, f"{name}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, f"{name}.{place}") for place, item in enumerate(value)]
    if isinstance(value, PathLike):
        return fspath(value)
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise UsageError(
        f"{name}: {type(value).__name__} has no place in a spec\n  expected numbers, text, lists, mappings"
    )
