"""A run's net, opened from its folder: its outputs, and the spec's metrics of outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.components.signature import DataSignature, EmbeddedColumn
from nnctl.data.stored.arrays import LazyRows, Rows, pieces_of
from nnctl.engine.engine import Engine, load_engine
from nnctl.engine.evaluate import BATCH
from nnctl.errors import Diagnostic, SpecError, require_choice
from nnctl.graph import interface
from nnctl.inference.finite import not_finite, words_on
from nnctl.inference.inputs import ErrorOf
from nnctl.inference.judging import counted, judge
from nnctl.late import dataclass
from nnctl.runs.checkpoints import Checkpoint, FolderStore
from nnctl.runs.find import find
from nnctl.runs.folder import CHECKPOINTS, RunFolder
from nnctl.spec.load import Loaded, load_text


@dataclass(frozen=True)
class TrainedRun:
    """A run's net with the weights of one of its checkpoints."""

    folder: RunFolder
    loaded: Loaded
    engine: Engine
    signature: DataSignature
    checkpoint: str
    epoch: float
    step: int
    fingerprint: str
    fitted: Mapping[str, Any]
    """Data fitted to the run's training examples; see `nnctl.data.examples.FittedInputs`."""

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Names of the classes, None where the net predicts values."""
        return self.signature.classes

    def scores(self, inputs: Rows) -> NDArray[np.float64]:
        """The net's output for raw inputs, (n, outputs); with labels (n, classes), the largest being the answer.

        With a label a step, a row a step: (n·time, classes).
        A net of two classes and one output unit answers the second class above the cost's threshold.
        """
        parts = pieces_of(inputs, BATCH) if isinstance(inputs, LazyRows) else [inputs]
        outputs = np.concatenate([self.engine.outputs(part) for part in parts], dtype=np.float64)
        if self.classes is None:
            return outputs
        outputs = outputs.reshape(-1, outputs.shape[-1])
        if outputs.shape[1] == 1 and len(self.classes) == 2:
            return np.concatenate([2 * self.loaded.spec.cost.threshold - outputs, outputs], axis=1)
        return outputs

    def rescaled(self, inputs: NDArray[Any]) -> NDArray[np.float64]:
        """Raw inputs (n, …) as they enter the net."""
        if self.signature.statistics_shape is None:
            return np.asarray(inputs, dtype=np.float64)
        statistics = self.engine.read((interface.SHIFT, interface.SCALE))
        return np.asarray((inputs - statistics[interface.SHIFT].astype(np.float64)) * statistics[interface.SCALE])

    def require_finite(self, scores: NDArray[np.float64], inputs: Rows, error: ErrorOf) -> None:
        """Raise `error`, a DataError, for the first example to which there is no finite answer."""
        if (row := not_finite(scores)) is not None:
            index = row // (len(scores) // len(inputs))
            raise error(self.rescaled(inputs[index : index + 1])[0], index, words_on(scores[row]))

    @property
    def one_unit(self) -> bool:
        """True where the net has one output unit, which answers the second of two classes."""
        return bool(self.engine.network.structure.output_shape[-1] == 1)

    def judge(self, scores: NDArray[np.float64], targets: NDArray[Any]) -> dict[str, float | None]:
        """The spec's metrics of outputs that are not the net's own. scores: as `scores` gives them."""
        metrics = self.engine.network.fitted_metrics
        if self.classes is None:
            return judge(metrics, scores, targets.reshape(scores.shape), labelled=False)
        scores, labels = counted(scores, targets)
        return judge(metrics, scores[:, 1:] if self.one_unit else scores, labels, labelled=True)

    def judge_vote(
        self, outputs: Sequence[NDArray[np.float64]], winner: NDArray[np.int64], targets: NDArray[Any]
    ) -> dict[str, float | None]:
        """The metrics of a vote that hang on the answers alone; the others are None.

        outputs: of each net, (n, classes), as `scores` gives them. winner: the class that most of them answer, (n,).
        Where a metric has a threshold, a net says yes above it, and most nets decide; of as many the mean output.
        """
        metrics = self.engine.network.fitted_metrics
        stacked, labels = counted(np.stack(outputs, axis=1), targets)
        units = stacked[:, :, 1:] if self.one_unit else stacked
        sure = np.eye(len(self.classes or ()))[counted(winner, targets)[0]]
        judged: dict[str, float | None] = dict.fromkeys(metrics)
        for column, metric in metrics.items():
            if not metric.of_answers:
                continue
            given = sure if metric.yes_above is None else _by_most(units, metric.yes_above)
            judged |= judge({column: metric}, given, labels, labelled=True)
        return judged


def _by_most(units: NDArray[np.float64], border: float) -> NDArray[np.float64]:
    """Outputs (n, units) that are above a border where most nets' are, and else below it. units: (n, nets, units)."""
    share, mean = (units > border).mean(axis=1), units.mean(axis=1)
    yes = np.where(share == 0.5, mean > border, share > 0.5)
    return np.where(yes, border + 1.0, border - 1.0)


@dataclass(frozen=True)
class SavedRun:
    """A run as it lies in its folder: its spec, and one of its checkpoints, which no backend has yet."""

    folder: RunFolder
    loaded: Loaded
    signature: DataSignature
    checkpoint: str
    saved: Checkpoint

    def start(self, backend: str | None = None) -> TrainedRun:
        """The net on a backend, the spec's if None. Raises SpecError, UsageError, RunError."""
        progress = self.saved.progress
        engine = load_engine(self.loaded, self.signature, examples=progress["examples"], backend=backend)
        engine.load_state(self.saved.tensors)
        return TrainedRun(
            self.folder,
            self.loaded,
            engine,
            self.signature,
            self.checkpoint,
            progress["epoch"],
            progress["step"],
            fingerprint=progress["data"],
            fitted=progress.get("fitted", {}),
        )


def open_run(
    path: Path,
    checkpoint: str | None = None,
    augment: Sequence[str] | None = None,
    backend: str | None = None,
) -> TrainedRun:
    """The net of a run on its backend; see `read_run`."""
    return read_run(path, checkpoint, augment, backend).start()


def read_run(
    path: Path,
    checkpoint: str | None = None,
    augment: Sequence[str] | None = None,
    backend: str | None = None,
) -> SavedRun:
    """The run at `path` (as `find` takes it).

    checkpoint: "best" or "last"; if None the weights that the run ended with, or the
    last of an unfinished run. augment: augmentations as a spec writes them, in place of
    the run's own. backend: the name of one in place of the spec's. The data is not read.
    Raises RunError, UsageError, SpecError.
    """
    if checkpoint is not None:
        require_choice("--checkpoint", checkpoint, CHECKPOINTS)
    folder = find(path)
    name = folder.choose_checkpoint(checkpoint)
    saved = FolderStore(folder).load(name)
    return SavedRun(folder, _load(folder, augment, backend), _signature(saved.progress["signature"]), name, saved)


def _load(folder: RunFolder, augment: Sequence[str] | None, backend: str | None) -> Loaded:
    given: dict[str, str] = {}
    if augment is not None:
        given[f"data.augment=[{', '.join(augment)}]"] = "--with"
    if backend is not None:
        given[f"backend={backend}"] = "--backend"
    try:
        return load_text(folder.read_spec(), str(folder.spec), list(given), Path(folder.read_origin()["folder"]))
    except SpecError as error:
        # With the place of what was given called after the option that gave it.
        raise SpecError([_placed(diagnostic, given) for diagnostic in error.diagnostics]) from None


def _placed(diagnostic: Diagnostic, given: Mapping[str, str]) -> Diagnostic:
    location = diagnostic.location
    if location is None or location.text not in given:
        return diagnostic
    return replace(diagnostic, location=replace(location, path=given[location.text]))


def _signature(saved: dict[str, Any]) -> DataSignature:
    tuples: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in saved.items()}
    embedded = (EmbeddedColumn(**column | {"rows": tuple(column["rows"])}) for column in saved.get("embedded", ()))
    return DataSignature(**tuples | {"embedded": tuple(embedded)})
