"""Answers of a trained net to inputs from files."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from nnctl.backends.registry import reference_name
from nnctl.components.signature import DataSignature
from nnctl.data.paths import IMAGE_SUFFIXES
from nnctl.data.pictures import PictureOptions
from nnctl.data.source import Source
from nnctl.data.sources.arrays import ArraySource
from nnctl.data.sources.steps import SequenceSource, SeriesSource
from nnctl.data.tables.fitted import FittedColumns
from nnctl.errors import DataError, UsageError
from nnctl.graph import interface
from nnctl.inference import inputs
from nnctl.inference.answers import OWN_NAMES, Answer, Answers
from nnctl.inference.inputs import ARRAY_SUFFIXES, Part, part_rows, read_parts
from nnctl.inference.opened import SavedRun, TrainedRun
from nnctl.plan.lower import lower
from nnctl.spec.load import Loaded

if TYPE_CHECKING:
    from nnctl.inference.sequences import SequenceReader
    from nnctl.inference.tables import TableReader

LITTLE_WORK = 300_000_000
"""Operations up to which the reference answers: about the time that it takes to load compiled code."""

T = TypeVar("T")


def answer(
    saved: SavedRun, paths: Sequence[Path], *, top_k: int | None = None, keep: Sequence[str] = ()
) -> Iterator[Answers]:
    """As `predict`, on the run's backend, or where there is little to compute on the reference, which begins at once.

    The two agree but for rounding, within 10⁻⁵ of the largest output.
    """
    _check(saved.loaded, saved.signature, paths, top_k, keep)
    run = saved.start(reference_name())
    parts = _parts(paths, run, keep)
    first = next(parts)
    some = not first.last or len(paths) > 1
    if not first.last or operations(run, len(first.inputs)) * len(paths) > LITTLE_WORK:
        run = saved.start()
    yield from _answers(run, chain([first], _ahead(parts) if some else parts), top_k)


def predict(
    run: TrainedRun, paths: Sequence[Path], *, top_k: int | None = None, keep: Sequence[str] = ()
) -> Iterator[Answer]:
    """One mapping an example, or with a label a step one a step; see `Answers.rows`.

    It begins with the example's file and index, or with the cells of the columns `keep` of its row.
    top_k: only so many classes, the largest outputs first. Where layers keep recurrent state, a file's examples
    are read on as `Engine.outputs` says, each file from its beginning. Raises DataError, UsageError.
    """
    _check(run.loaded, run.signature, paths, top_k, keep)
    for answers in _answers(run, _parts(paths, run, keep), top_k):
        yield from answers.rows()


def scores(run: TrainedRun, path: Path) -> NDArray[np.float64]:
    """The net's outputs for all inputs at a path, as `TrainedRun.scores` has them. Raises DataError, UsageError."""
    _check(run.loaded, run.signature, [path], None, ())
    return np.concatenate([answers.scores for answers in _answers(run, _parts([path], run, ()), None)])


def scores_of(run: TrainedRun, given: Any) -> NDArray[np.float64]:
    """The net's outputs for inputs in memory: an array (n, …), or for a table's columns what `as_file` takes.

    Raises DataError, UsageError.
    """
    _check(run.loaded, run.signature, [], None, ())
    name = "inputs"
    if run.fitted and isinstance(run.loaded.spec.data, SequenceSource):
        raise _no_arrays(name)
    if (columns := FittedColumns.of(run.fitted)) is not None:
        parts = _of_columns(given, columns, run, name)
        return np.concatenate([answers.scores for answers in _answers(run, parts, None)])
    try:
        array = np.asarray(given)
    except ValueError as error:
        raise DataError(f"{name}: the examples are not of one shape") from error
    array = inputs.shaped(array, run.signature, name)
    outputs = run.scores(array)
    run.require_finite(outputs, array, inputs.error_of(array, [name] * len(array), range(len(array))))
    return outputs


def _check(
    loaded: Loaded, signature: DataSignature, paths: Sequence[Path], top_k: int | None, keep: Sequence[str]
) -> None:
    if isinstance(loaded.spec.data, SeriesSource):
        raise UsageError(
            "this net was trained on series, and answers what comes after one\n"
            "  say --forecast N, with a table that ends where the forecast is to begin"
        )
    classes = signature.classes
    if top_k is not None and (classes is None or not 1 <= top_k <= len(classes)):
        there = "the net predicts values" if classes is None else f"there are {len(classes)} classes"
        raise UsageError(f"--top-k {top_k}: {there}")
    if taken := next((name for name in keep if name in OWN_NAMES), None):
        raise UsageError(f"--keep {taken}: answers have a column of that name themselves")
    if signature.vocabulary is not None and (texts := [p for p in paths if p.suffix.lower() == ".txt"]):
        raise UsageError(
            f"{texts[0]}: this net reads text by the numbers of its tokens\n"
            "  it writes on with --generate N --prompt TEXT, and nnctl evaluate measures it"
        )


def left_out(run: SavedRun, paths: Sequence[Path]) -> list[str]:
    """A sentence for each folder of which files are no inputs. Raises DataError."""
    return [sentence for path in paths for sentence in inputs.left_out(path, _pictures(run.loaded))]


def _pictures(loaded: Loaded) -> PictureOptions | None:
    """Options by which a run reads pictures, None where its data is none."""
    source = loaded.spec.data
    return source.picture_options if isinstance(source, Source) else None


def _parts(paths: Sequence[Path], run: TrainedRun, keep: Sequence[str]) -> Iterator[Part]:
    whole, pictures = bool(run.engine.network.structure.recurrent_states), _pictures(run.loaded)
    filling = source.filling if isinstance(source := run.loaded.spec.data, ArraySource) else None
    table = _table_reader(run, keep)
    for path in paths:
        if table is not None and not _holds_arrays(path):
            yield from table.parts(path, None if whole else part_rows(run.signature))
        elif keep:
            why = f"{path} is no table" if table is not None else f"{run.folder.path} was not trained on named columns"
            raise UsageError(f"--keep passes columns of a table through, and {why}")
        elif path.suffix.lower() in ARRAY_SUFFIXES and run.fitted and isinstance(run.loaded.spec.data, SequenceSource):
            raise _no_arrays(str(path))
        elif path.suffix.lower() in ARRAY_SUFFIXES and (columns := FittedColumns.of(run.fitted)) is not None:
            yield from _of_columns(inputs.read_array(path), columns, run, str(path))
        else:
            yield from read_parts(path, run.signature, pictures=pictures, whole=whole, filling=filling)


def _of_columns(given: Any, columns: FittedColumns, run: TrainedRun, name: str) -> Iterator[Part]:
    """The examples of a table's columns in memory, which enter the net as those of a file do; see `as_file`."""
    from nnctl.inference.columns import as_file
    from nnctl.inference.tables import table_reader

    reader = table_reader(run.loaded.spec.data, run.fitted)
    assert reader is not None, "the run has columns"
    whole = bool(run.engine.network.structure.recurrent_states)
    with as_file(given, columns, name) as path:
        yield from reader.parts(path, None if whole else part_rows(run.signature), name)


def _no_arrays(name: str) -> UsageError:
    return UsageError(
        f"{name}: this net was trained on sequences in a table, whose columns are found by name\n"
        "  give a file of such a table"
    )


def _table_reader(run: TrainedRun, keep: Sequence[str]) -> TableReader | SequenceReader | None:
    """The reader of tables by the columns of a run; None where it has none, and then no library is loaded for it."""
    if not run.fitted:
        return None
    if isinstance(source := run.loaded.spec.data, SequenceSource):
        from nnctl.inference.sequences import sequence_reader

        return sequence_reader(source, run.signature, run.fitted, keep)
    from nnctl.inference.tables import table_reader

    return table_reader(run.loaded.spec.data, run.fitted, keep)


def _holds_arrays(path: Path) -> bool:
    return path.suffix.lower() in (*ARRAY_SUFFIXES, *IMAGE_SUFFIXES)


def operations(run: TrainedRun, examples: int) -> int:
    """Floating-point operations of the answers to so many examples."""
    return lower(run.engine.network.prediction, interface.sizes(1, 1)).flops * examples


def _answers(run: TrainedRun, parts: Iterable[Part], top_k: int | None) -> Iterator[Answers]:
    classes, of_steps = run.classes, run.classes is not None and run.signature.target_shape
    steps = math.prod(run.signature.target_shape) if of_steps else 1
    columns = FittedColumns.of(run.fitted)
    values = None if classes is not None or columns is None or columns.numbered else columns.targets
    for part in parts:
        try:
            scores = run.scores(part.inputs)
        except DataError as error:
            raise DataError(f"{part.names[0]}: {error.message}") from error
        run.require_finite(scores, part.inputs, part.error)
        places: dict[str, Sequence[Any]] = dict(part.kept) or {"input": part.names, "index": part.indices}
        if of_steps:
            places = {name: [cell for cell in cells for _ in range(steps)] for name, cells in places.items()}
            places["step"] = [*range(steps)] * len(part.names)
        if of_steps and part.steps is not None:
            there = np.flatnonzero(np.arange(steps) < part.steps[:, None]).tolist()
            places = {name: [cells[i] for i in there] for name, cells in places.items()}
            scores = scores[there]
        # Stable, so that of equal outputs the first class leads, as in argmax.
        ranked = None if top_k is None else np.argsort(-scores, axis=1, kind="stable")[:, :top_k]
        named = values if values is not None and scores.shape[1:] == (len(values),) else None
        yield Answers(places, scores, classes, named, ranked)


def _ahead(items: Iterator[T]) -> Iterator[T]:
    """The items, each made on another thread while the one before it is used."""
    from concurrent.futures import ThreadPoolExecutor

    end: list[T] = []
    with ThreadPoolExecutor(1, "nnctl-reading") as thread:
        made = thread.submit(next, items, end)
        while (item := made.result()) is not end:
            made = thread.submit(next, items, end)
            yield item  # type: ignore[misc]
