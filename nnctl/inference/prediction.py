"""Answers of a trained net to inputs from files."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from nnctl.backends.registry import reference_name
from nnctl.components.signature import DataSignature
from nnctl.data.pictures import PictureOptions
from nnctl.data.source import Source
from nnctl.errors import DataError, UsageError
from nnctl.graph import interface
from nnctl.inference import inputs
from nnctl.inference.inputs import Part, read_parts
from nnctl.inference.opened import SavedRun, TrainedRun
from nnctl.plan.lower import lower
from nnctl.spec.load import Loaded

_LITTLE_WORK = 300_000_000
"""Operations up to which the reference answers: about the time that it takes to load compiled code."""

Answer = dict[str, Any]
"""One example's, or one step's: the columns of a line of output, in order."""


def answer(saved: SavedRun, paths: Sequence[Path], *, top_k: int | None = None) -> Iterator[Answer]:
    """As `predict`, on the run's backend, or where there is little to compute on the reference, which begins at once.

    The two agree but for rounding, within 10⁻⁵ of the largest output.
    """
    _check(saved.signature, paths, top_k)
    run = saved.start(reference_name())
    parts = _parts(paths, run)
    first = next(parts)
    if not first.last or _operations(run, len(first.inputs)) * len(paths) > _LITTLE_WORK:
        run = saved.start()
    yield from _answers(run, chain([first], parts), top_k)


def predict(run: TrainedRun, paths: Sequence[Path], *, top_k: int | None = None) -> Iterator[Answer]:
    """One mapping an example: its file and index, then the answer; with a label a step, one mapping a step.

    With labels: prediction, probability (the net's output for it), probabilities by class,
    or of the top_k classes only; else values. Where layers keep recurrent state, a file's examples
    are read on as `Engine.outputs` says, each file from its beginning. Raises DataError, UsageError.
    """
    _check(run.signature, paths, top_k)
    yield from _answers(run, _parts(paths, run), top_k)


def _check(signature: DataSignature, paths: Sequence[Path], top_k: int | None) -> None:
    classes = signature.classes
    if top_k is not None and (classes is None or not 1 <= top_k <= len(classes)):
        there = "the net predicts values" if classes is None else f"there are {len(classes)} classes"
        raise UsageError(f"--top-k {top_k}: {there}")
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


def _parts(paths: Sequence[Path], run: TrainedRun) -> Iterator[Part]:
    whole, pictures = bool(run.engine.network.structure.recurrent_states), _pictures(run.loaded)
    return chain.from_iterable(read_parts(path, run.signature, pictures=pictures, whole=whole) for path in paths)


def _operations(run: TrainedRun, examples: int) -> int:
    """Floating-point operations of the answers to so many examples."""
    return lower(run.engine.network.prediction, interface.sizes(1, 1)).flops * examples


def _answers(run: TrainedRun, parts: Iterable[Part], top_k: int | None) -> Iterator[Answer]:
    classes = run.classes
    steps = math.prod(run.signature.target_shape) if classes is not None else 1
    for part in parts:
        try:
            scores = run.scores(part.inputs)
        except DataError as error:
            raise DataError(f"{part.places[0][0]}: {error.message}") from error
        # Stable, so that of equal outputs the first class leads, as in argmax.
        ranked = np.argsort(-scores, axis=1, kind="stable") if classes is not None else None
        for row, output in enumerate(scores):
            name, index = part.places[row // steps]
            place: Answer = {"input": name, "index": index}
            if run.signature.target_shape and classes is not None:
                place["step"] = row % steps
            if classes is None or ranked is None:
                yield {**place, "values": output.tolist()}
                continue
            shown = ranked[row, :top_k] if top_k is not None else range(len(output))
            yield {
                **place,
                "prediction": classes[ranked[row, 0]],
                "probability": float(output[ranked[row, 0]]),
                "probabilities": {classes[c]: float(output[c]) for c in shown},
            }


def csv_lines(answers: Iterable[Answer], *, top_k: int | None = None) -> Iterator[str]:
    """Answers as CSV under one header.

    Of values "value.0", …, in the order of an output's numbers; of classes "probability.NAME", or of
    the top_k "class.1", "probability.1", ….
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    begun = False
    for given in answers:
        columns = _flat(given, ranked=top_k is not None)
        if not begun:
            writer.writerow(columns)
            begun = True
        writer.writerow(columns.values())
        yield text.getvalue()
        text.seek(0)
        text.truncate()


def _flat(given: Answer, *, ranked: bool) -> Mapping[str, Any]:
    """An answer's columns by name, each one number or text."""
    columns = {name: value for name, value in given.items() if name not in ("values", "probabilities")}
    if "values" in given:
        return columns | {f"value.{i}": value for i, value in enumerate(np.ravel(given["values"]).tolist())}
    probabilities = given["probabilities"]
    if not ranked:
        return columns | {f"probability.{name}": value for name, value in probabilities.items()}
    for place, (name, value) in enumerate(probabilities.items(), 1):
        columns |= {f"class.{place}": name, f"probability.{place}": value}
    return columns
