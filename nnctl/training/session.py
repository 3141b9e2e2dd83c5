"""One run from its spec to its folder: what `nnctl train` and every trial of a sweep go through."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Callable, Generator, Iterator, Mapping
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
from nnctl.ops.shapes import resolve
from nnctl.process.signals import leavable
from nnctl.runs.checkpoints import Checkpoint, FolderStore, renew_copy
from nnctl.runs.durable import remove_durably
from nnctl.runs.folder import RunFolder, claim, claim_next, latest, point_latest, require_free
from nnctl.runs.lock import Lock
from nnctl.runs.sealed import sha256, write_record
from nnctl.spec.check.advice import advice
from nnctl.spec.load import Loaded, spec_to_dict
from nnctl.training.events import NO_ROWS, Event, Finished, Pausing, Saved, Started
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
    name = loaded.spec.name or "run"
    kept = kept or Kept()
    folder = begun_folder(name, out) if resume else None
    if folder is None:
        try:
            yield from _begin(loaded, name, out, stop, threads, chunk, kept, pause)
        except RunThere:
            if not resume or out is None:
                raise
            folder = RunFolder(out)  # of a process that was faster
    if folder is not None:
        yield from _go_on(loaded, folder, out, stop, threads, chunk, kept, pause)


def _begin(
    loaded: Loaded,
    name: str,
    out: Path | None,
    stop: StopRequest | None,
    threads: int | None,
    chunk: int | None,
    kept: Kept,
    pause: Pausing | None,
) -> Iterator[Event]:
    if out is not None:
        require_free(out)
    data, engine = _prepare(loaded, threads, kept)
    transfer(loaded, engine)
    with claim(out) if out is not None else claim_next(name) as (folder, lock):
        folder.tidy(begun=False)
        folder.begin(loaded.text, _origin(loaded, data, engine))
        if out is None:
            point_latest(folder)
        yield from _train(loaded, folder, lock, data, engine, None, None, stop, threads, chunk, pause)


def _go_on(
    loaded: Loaded,
    folder: RunFolder,
    out: Path | None,
    stop: StopRequest | None,
    threads: int | None,
    chunk: int | None,
    kept: Kept,
    pause: Pausing | None,
) -> Iterator[Event]:
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
        data, engine = _prepare(loaded, threads, kept)
        require_same(folder, loaded, data, engine)
        if last is None:
            transfer(loaded, engine)
        # The summary first: it knows the spec that it is the result of.
        remove_durably(folder.summary)
        folder.change_spec(loaded.text)
        if out is None:
            point_latest(folder)
        yield from _train(loaded, folder, lock, data, engine, last, summary, stop, threads, chunk, pause)


@leavable()
def _prepare(loaded: Loaded, threads: int | None, kept: Kept) -> tuple[Dataset, Engine]:
    with loaded.pointing():
        data = kept.dataset(loaded)
    train = data.train.inputs
    read_bytes = train.nbytes // len(train) if isinstance(train, LazyRows) else 0
    engine = load_engine(loaded, data.signature, examples=len(data.train), threads=threads, read_bytes=read_bytes,
                         kept=kept.nets)  # fmt: skip
    engine.assign({interface.of_data(name): array for name, array in data.statistics.items()})
    _refuse_lone_examples(loaded, engine, len(data.train))
    bind_other_splits(engine.feed, data)
    return data, engine


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


def _train(
    loaded: Loaded,
    folder: RunFolder,
    lock: Lock,
    data: Dataset,
    engine: Engine,
    last: Checkpoint | None,
    finished: Mapping[str, Any] | None,
    stop: StopRequest | None,
    threads: int | None,
    chunk: int | None,
    pause: Pausing | None,
) -> Iterator[Event]:
    spec = loaded.spec
    identity = {
        "data": data.fingerprint,
        "fitted": dict(data.fitted),
        "backend": engine.backend_name,
        "signature": asdict(data.signature),
        "spec": spec_to_dict(spec),
        "spec_sha256": sha256(loaded.text.encode()),
    }
    # Through JSON once, so that what is compared and stored has one form.
    identity = json.loads(json.dumps(identity))
    sizes = {name: len(split) for name, split in data.splits.items()}
    bind_training_set(engine.feed, spec, data, threads)
    if spec.watched is not None:
        bind_watched(engine.feed, spec, data, spec.watched.examples)
    store = FolderStore(folder, lock.require_in_place)
    advise = partial(advice_on, data)
    loop = Loop(
        engine,
        spec,
        sizes,
        store=store,
        identity=identity,
        chunk=chunk,
        advise=advise,
        blame=_blaming(engine, data, loaded),
    )
    counted = (0, NO_ROWS) if last is None else (last.progress["rows"], last.progress["rows_sha256"])
    records = keep_rows(folder.metrics, *counted)
    keep_layer_rows(folder, last)
    if last is not None:
        require_fitting(store, last, loop)
        require_best(store, last, loop)
        loop.restore(last, records, seconds_spent(folder, finished, records))
        # A process killed right after its last checkpoint has left these as they were before it.
        renew_copy(folder.checkpoint("last"), last)
        _note_time(folder, loop)
    doubts = [*advice(spec), *data.advice, *loop.rates.advice, *_lone_examples(engine, loop.timetable)]
    if last is not None and (jump := loop.rates.jump(last.progress["steps"], loop.step)) is not None:
        doubts.append(jump)
    yield Started(
        name=spec.name or folder.path.name,
        folder=str(folder.path),
        metrics=str(folder.metrics),
        columns=loop.columns,
        backend=engine.backend_name,
        backend_reason=engine.backend_reason,
        parameters=sum(math.prod(shape) for shape in engine.parameters.values()),
        examples=loop.timetable.examples,
        batch_size=loop.timetable.batch,
        epochs=loop.timetable.epochs,
        steps=loop.timetable.steps,
        step=loop.step,
        history=tuple(loop.history),
        advice=tuple(doubts),
    )
    if last is None:
        yield from pretrain(loaded, engine, data, folder, stop)
    for event in loop.run(stop, pause):
        if isinstance(event, Saved) and (stop or not loop.done):
            _note_time(folder, loop)
        if isinstance(event, Finished):
            lock.require_in_place()
            folder.finish(event.summary)
            yield Finished(event.summary, str(folder.path), warnings=_verdict(loop, data, event.summary))
        else:
            yield event


def _blaming(engine: Engine, data: Dataset, loaded: Loaded) -> Callable[[str], DataError | None]:
    """See `Loop`."""
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
        "platform": platform.platform(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }
