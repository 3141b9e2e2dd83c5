"""One run from its spec to its folder: what `nnctl train` and every trial of a sweep go through."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nnctl import __version__
from nnctl.analysis.overflow import far_example
from nnctl.analysis.remedies import advice_on
from nnctl.analysis.verdict import verdict
from nnctl.data.dataset import Dataset
from nnctl.data.source import Source
from nnctl.data.stored.arrays import LazyRows
from nnctl.engine.engine import Engine, load_engine
from nnctl.errors import DataError, RunThere
from nnctl.graph import interface
from nnctl.late import dataclass
from nnctl.ops.shapes import resolve
from nnctl.process.signals import leavable
from nnctl.process.system import system
from nnctl.process.together import aside
from nnctl.runs.checkpoints import Checkpoint, FolderStore, renew_copy
from nnctl.runs.durable import remove_durably
from nnctl.runs.folder import RunFolder, claim, claim_next, latest, point_latest, require_free
from nnctl.runs.lock import Lock
from nnctl.runs.sealed import sha256, write_record
from nnctl.spec.check.advice import advice
from nnctl.spec.load import Loaded
from nnctl.training.chunk_length import Pace
from nnctl.training.events import NO_ROWS, Event, Finished, Pausing, Saved, Started, computing
from nnctl.training.failing import Failing
from nnctl.training.kept import Kept
from nnctl.training.loop import Loop
from nnctl.training.pretraining.greedy import pretrain
from nnctl.training.resume import (
    is_complete,
    keep_layer_rows,
    keep_rows,
    last_checkpoint,
    refuse_changes,
    require_best,
    require_checkpoints,
    require_fitting,
    require_same,
    seconds_spent,
)
from nnctl.training.saving import Saver
from nnctl.training.signals import StopRequest
from nnctl.training.splits import bind_other_splits, bind_training_set, bind_watched
from nnctl.training.timetable import Timetable
from nnctl.training.transfer import transfer


def begun_folder(name: str, out: Path | None) -> RunFolder | None:
    """The run that resuming goes on with, finished or not: the one in `out`, else the latest of that name."""
    if out is None:
        return latest(name)
    return RunFolder(out) if RunFolder(out).exists() else None


def train(
    loaded: Loaded,
    *,
    out: Path | None = None,
    resume: bool = False,
    stop: StopRequest | None = None,
    threads: int | None = None,
    chunk: int | None = None,
    kept: Kept | None = None,
    pause: Pausing | None = None,
) -> Generator[Event]:
    """Train a spec in the folder `out`, or in the next of runs/<name>/.

    resume: go on with the run in `out`, or with the latest of that name, where there is one.
    stop: a wish to stop, looked at between chunks of steps. threads: of this process at
    most; for its steps, the spec's backend may say another number. chunk: steps in one, for
    tests. kept: from runs before in this process. No result depends on these. pause: where to save and
    end for now, with `Paused`; resumed, the run is the one that never paused.
    Nothing is created before spec and data are known to be sound.
    Raises SpecError, DataError, RunError, DivergedError, and Interrupted after saving.
    """
    session = _Session(loaded, out, stop, threads, chunk, kept or Kept(), pause)
    folder = begun_folder(session.name, out) if resume else None
    if folder is None:
        try:
            yield from session.begin()
        except RunThere:
            if not resume or out is None:
                raise
            folder = RunFolder(out)  # of a process that was faster
    if folder is not None:
        yield from session.go_on(folder)


@dataclass(frozen=True)
class _Session:
    """A spec that is trained, and how: the arguments of `train`."""

    loaded: Loaded
    out: Path | None
    stop: StopRequest | None
    threads: int | None
    chunk: int | None
    kept: Kept
    pause: Pausing | None

    @property
    def name(self) -> str:
        return self.loaded.spec.name or "run"

    def begin(self) -> Iterator[Event]:
        """Train from the first step on, in a folder that has no run."""
        if self.out is not None:
            require_free(self.out)
        data, engine = self._prepare()
        transfer(self.loaded, engine)
        claimed = claim(self.out) if self.out is not None else claim_next(self.name)
        origin = _origin(self.loaded, data, engine)
        with ExitStack() as stack:
            folder, lock = yield from computing(aside(partial(self._claim, stack, claimed, origin)))
            yield from self._train(folder, lock, data, engine)

    def _claim(
        self, stack: ExitStack, claimed: AbstractContextManager[tuple[RunFolder, Lock]], origin: Mapping[str, Any]
    ) -> tuple[RunFolder, Lock]:
        """Make a new folder that of the run; the stack lets it go."""
        folder, lock = stack.enter_context(claimed)
        folder.tidy(begun=False)
        folder.begin(self.loaded.text, origin)
        if self.out is None:
            point_latest(folder)
        return folder, lock

    def go_on(self, folder: RunFolder) -> Iterator[Event]:
        """Train from the last checkpoint on, where steps are left."""
        loaded = self.loaded
        refuse_changes(folder, loaded)
        with folder.lock() as lock:
            folder.tidy(begun=True)
            summary, last = folder.finished(), last_checkpoint(FolderStore(folder))
            if summary is not None:
                folder.require_whole(summary)
                if last is None:
                    require_checkpoints(folder, summary, loaded)
            if summary is not None and (last is None or is_complete(loaded, last)):
                yield Finished(
                    {key: value for key, value in summary.items() if key != "files"}, str(folder.path), before=True
                )
                return
            data, engine = self._prepare()
            require_same(folder, loaded, data, engine)
            if last is None:
                transfer(loaded, engine)
            # The summary first: it knows the spec that it is the result of.
            remove_durably(folder.summary)
            folder.change_spec(loaded.text)
            if self.out is None:
                point_latest(folder)
            yield from self._train(folder, lock, data, engine, last, summary)

    @leavable()
    def _prepare(self) -> tuple[Dataset, Engine]:
        loaded = self.loaded
        with loaded.pointing():
            data = self.kept.dataset(loaded)
        train = data.train.inputs
        engine = load_engine(
            loaded,
            data.signature,
            examples=len(data.train),
            threads=self.threads,
            read_bytes=train.nbytes // len(train) if isinstance(train, LazyRows) else 0,
            kept=self.kept.nets,
        )
        engine.assign({interface.of_data(name): array for name, array in data.statistics.items()})
        _refuse_lone_examples(loaded, engine, len(data.train))
        bind_other_splits(engine.feed, data)
        bind_training_set(engine.feed, loaded.spec, data, self.threads)
        if loaded.spec.watched is not None:
            bind_watched(engine.feed, loaded.spec, data, loaded.spec.watched.examples)
        return data, engine

    def _train(
        self,
        folder: RunFolder,
        lock: Lock,
        data: Dataset,
        engine: Engine,
        last: Checkpoint | None = None,
        finished: Mapping[str, Any] | None = None,
    ) -> Iterator[Event]:
        """Train in a folder that is ours. last: to go on from. finished: the summary that the run had before."""
        loaded = self.loaded
        store = FolderStore(folder, lock.require_in_place)
        loop = Loop(
            engine,
            loaded.spec,
            {name: len(split) for name, split in data.splits.items()},
            saver=Saver(store, _identity(loaded, data, engine)),
            pace=Pace(self.chunk),
            failing=Failing(partial(advice_on, data), _blaming(engine, data, loaded)),
        )
        counted = (0, NO_ROWS) if last is None else (last.progress["rows"], last.progress["rows_sha256"])
        records = keep_rows(folder.metrics, *counted)
        keep_layer_rows(folder, last)
        doubts = [*advice(loaded.spec), *data.advice, *loop.rates.advice, *_lone_examples(engine, loop.timetable)]
        if last is not None:
            require_fitting(store, last, loop)
            require_best(store, last, loop)
            loop.restore(last, records, seconds_spent(folder, finished, records))
            # A process killed right after its last checkpoint has left these as they were before it.
            renew_copy(folder.checkpoint("last"), last)
            _note_time(folder, loop)
            if (jump := loop.rates.jump(last.progress["steps"], loop.step)) is not None:
                doubts.append(jump)
        yield _started(loop, folder, doubts)
        if last is None:
            yield from pretrain(loaded, engine, data, folder, self.stop)
        for event in loop.run(self.stop, self.pause):
            if isinstance(event, Saved) and (self.stop or not loop.done):
                _note_time(folder, loop)
            if isinstance(event, Finished):
                lock.require_in_place()
                yield from computing(aside(partial(folder.finish, event.summary)))
                yield Finished(event.summary, str(folder.path), warnings=_verdict(loop, data, event.summary))
            else:
                yield event


def _identity(loaded: Loaded, data: Dataset, engine: Engine) -> dict[str, Any]:
    """The data, backend and spec that a run is of, as each of its checkpoints says."""
    identity = {
        "data": data.fingerprint,
        "fitted": dict(data.fitted),
        "backend": engine.backend_name,
        "signature": asdict(data.signature),
        "spec": loaded.resolved,
        "spec_sha256": sha256(loaded.text.encode()),
    }
    # Through JSON once, so that what is compared and stored has one form.
    return dict(json.loads(json.dumps(identity)))


def _started(loop: Loop, folder: RunFolder, advice: Sequence[str]) -> Started:
    engine, timetable = loop.engine, loop.timetable
    return Started(
        name=loop.spec.name or folder.path.name,
        folder=str(folder.path),
        metrics=str(folder.metrics),
        columns=loop.columns,
        backend=engine.backend_name,
        backend_reason=engine.backend_reason,
        parameters=sum(math.prod(shape) for shape in engine.parameters.values()),
        examples=timetable.examples,
        batch_size=timetable.batch,
        epochs=timetable.epochs,
        steps=timetable.steps,
        step=loop.step,
        history=tuple(loop.history),
        advice=tuple(advice),
    )


def _refuse_lone_examples(loaded: Loaded, engine: Engine, examples: int) -> None:
    """Raise SpecError where each batch is one example and a layer needs several to take statistics of."""
    layers = engine.network.structure.needing_batches
    if layers and Timetable.of_spec(loaded.spec, examples).batch == 1:
        raise loaded.error(
            "schedule.batch_size",
            f"{layers[0]} takes the mean and variance of a batch, and a batch has one example: "
            "less its own mean that is 0, whatever the input",
            hint="set batch_size to 2 at least; or use layer_norm, which looks at each example by itself",
        )


def _lone_examples(engine: Engine, timetable: Timetable) -> tuple[str, ...]:
    """Advice where the last batch of an epoch has one example and a layer needs several."""
    layers = engine.network.structure.needing_batches
    if not layers or timetable.examples % timetable.batch != 1:
        return ()
    return (
        f"the last batch of an epoch has one example, of which {layers[0]} makes 0: it teaches nothing before it; "
        f"another batch_size than {timetable.batch:,} leaves more, or none",
    )


def _blaming(engine: Engine, data: Dataset, loaded: Loaded) -> Callable[[str], DataError | None]:
    """See `Failing`."""
    source, spec = loaded.spec.data, loaded.spec

    def blame(split: str) -> DataError | None:
        if not isinstance(source, Source):
            return None
        seed = spec.seed if source.seed is None else source.seed
        return far_example(engine, data, split, source, loaded.folder, seed)

    return blame


def _verdict(loop: Loop, data: Dataset, summary: Mapping[str, Any]) -> tuple[str, ...]:
    units = resolve(loop.engine.network.structure.output_shape[-1], {})
    ended = summary["best" if summary["weights"] == "best" else "last"]
    return verdict(loop.spec, data, units, loop.history, ended, summary["test"])


def _note_time(folder: RunFolder, loop: Loop) -> None:
    write_record(folder.progress, {"step": loop.step, "seconds": round(loop.seconds, 6)})


def _origin(loaded: Loaded, data: Dataset, engine: Engine) -> dict[str, Any]:
    return {
        "folder": str(Path(loaded.folder).resolve()),
        "data": data.fingerprint,
        "backend": engine.backend_name,
        "nnctl": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "platform": system(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }
