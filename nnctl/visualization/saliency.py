"""Saliency: how much each input moves the score of a class, by the derivative of the one by the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.components.base import ElementwiseActivation
from nnctl.data.dataset import Dataset
from nnctl.data.words import some
from nnctl.errors import UsageError
from nnctl.figures.figure import Axis, BarList, Figure, Gallery, HeatMap, Picture
from nnctl.figures.scales import number
from nnctl.graph.builder import GraphBuilder
from nnctl.graph.differentiate import differentiate
from nnctl.graph.layers import build_layers, builder_of
from nnctl.graph.tensor import Tensor
from nnctl.inference.opened import TrainedRun
from nnctl.late import dataclass
from nnctl.ops.elementwise import ElementwiseOp
from nnctl.ops.shapes import BATCH, resolve
from nnctl.visualization.boundary import input_names
from nnctl.visualization.examples import Chosen, chosen, told
from nnctl.visualization.layers import computed
from nnctl.visualization.pictures import is_picture, photographs, tones

COUNT = 5
"""Examples that are drawn where nobody says how many."""
_MOST_BARS = 60
"""Inputs of which each has a bar; of more, those that move the score most."""
_GIVEN = "given.units"


@dataclass(frozen=True, eq=False)
class Slopes:
    """Derivatives of the score of one output unit a row, (n, …) of the shape of the examples as they enter the net.

    units: the output unit of each row. scores: of all units, (n, units). Where inputs are indices, the slopes are of
    the vectors that are looked up, the largest of each.
    """

    values: NDArray[np.float64]
    units: NDArray[np.int64]
    scores: NDArray[np.float64]


def saliency(
    run: TrainedRun,
    data: Dataset,
    split: str | None = None,
    example: int = 0,
    count: int | None = None,
    of: str | None = None,
) -> list[Figure]:
    """|∂ score / ∂ input| of some examples (Simonyan et al. 2014), beside the picture or as bars over the inputs.

    count: of images, `COUNT` if None. of: the class, or the number of an output; if None what the net answers. The
    score is the weighted input of the last activation; the input is as it enters the net, rescaled. Of three colours
    the one counts that moves it most.
    Raises UsageError.
    """
    pictures = is_picture(run.signature.input_shape)
    if count is not None and not pictures:
        raise UsageError(f"--count {count}: says nothing to examples that are no images: of these one is drawn")
    some_of = chosen(data, split, example, (count or COUNT) if pictures else 1)
    found = slopes(run, some_of.inputs, None if of is None else _unit(run, of))
    names = _outputs(run)
    if pictures:
        return [_pictures(run, data, some_of, found, names)]
    sizes = np.abs(found.values[0])
    subject = f"{some_of.names[0]}: how much each input moves {names[found.units[0]]}"
    if sizes.ndim == 2:
        return [HeatMap(subject, Axis("step"), Axis("input"), sizes.T)]
    return [_bars(run, some_of, sizes.reshape(-1), subject)]


def slopes(run: TrainedRun, inputs: NDArray[Any], unit: int | None = None) -> Slopes:
    """The derivatives of a score by raw inputs (n, …); of the largest output of each example where no unit is said."""
    network = run.engine.network
    builder = builder_of(network.spec, network.signature, "saliency", training=False)
    seen: list[tuple[Tensor, Tensor]] = []
    output = build_layers(builder, network.spec, network.signature, lambda path, kind, x, y: seen.append((x, y)))
    score = _before_activation(builder, output)
    source = seen[0][0] if seen[0][0].dtype == "real" else seen[0][1]
    axes = tuple(range(1, len(score.shape) - 1))
    whole = builder.apply("sum", score, axes=axes) if axes else score
    units = len(_outputs(run))
    wanted = builder.input(_GIVEN, (BATCH, units))
    (slope,) = differentiate(builder, builder.apply("sum", whole * wanted, axes=(0, 1)), [source])
    outputs = {"score": whole} if slope is None else {"score": whole, "slope": slope}
    graph = builder.graph(outputs)
    scores = computed(run, graph, inputs, {_GIVEN: np.zeros((len(inputs), units))})["score"]
    rows = scores.argmax(axis=1) if unit is None else np.full(len(inputs), unit)
    if slope is None:
        raise UsageError(f"{run.folder.path}: its answer does not hang on its inputs by any derivative")
    values = computed(run, graph, inputs, {_GIVEN: np.eye(units)[rows]})["slope"]
    if seen[0][0].dtype != "real":
        values = np.abs(values).max(axis=-1)
    return Slopes(values, rows.astype(np.int64), scores)


def _before_activation(builder: GraphBuilder, output: Tensor) -> Tensor:
    """The weighted input of the last activation; the output itself where none ends the net."""
    node = next((node for node in reversed(builder.nodes) if output.value in node.outputs), None)
    if node is None:
        return output
    component = node.op.component if isinstance(node.op, ElementwiseOp) else None
    ends = node.op.name == "softmax" or isinstance(component, ElementwiseActivation)
    return builder.tensor(node.inputs[0]) if ends else output


def _outputs(run: TrainedRun) -> tuple[str, ...]:
    """The names of the output units."""
    units = resolve(run.engine.network.structure.output_shape[-1], {})
    if run.classes is not None:
        names = run.classes[1:] if run.one_unit and len(run.classes) == 2 else run.classes
        if len(names) == units:
            return tuple(f"class {name}" for name in names)
    return tuple(f"output {unit}" for unit in range(units))


def _unit(run: TrainedRun, of: str) -> int:
    classes = run.classes or ()
    names = _outputs(run)
    for wanted in (f"class {of}", f"output {of}"):
        if wanted in names:
            return names.index(wanted)
    if of in classes:
        # One unit for two classes: what moves it toward the one moves it from the other.
        return 0
    known = f"classes {some(list(classes))}" if classes else f"outputs 0 to {len(names) - 1}"
    raise UsageError(f"--of {of}: the net has no such output\n  it has {known}")


def _pictures(run: TrainedRun, data: Dataset, examples: Chosen, found: Slopes, names: Sequence[str]) -> Gallery:
    sizes = np.abs(found.values)
    flat = sizes.max(axis=-1) if sizes.ndim == 4 else sizes
    pictures: list[Picture] = []
    for row, pixels in enumerate(photographs(examples.inputs, data.unit)):
        word = told(run.signature, examples.targets[row])
        pictures.append(Picture(pixels, word or examples.names[row]))
        # Each on a scale of its own: scores of other examples have other slopes.
        pictures.append(Picture(tones(flat[row : row + 1])[0], f"what moves {names[found.units[row]]}"))
    title = f"|∂ score / ∂ input|, dark where it is large: {examples.names[0]} and on"
    return Gallery(title, tuple(pictures), columns=4)


def _bars(run: TrainedRun, examples: Chosen, sizes: NDArray[np.float64], subject: str) -> BarList:
    names = _inputs(run, examples, len(sizes))
    order, label = np.arange(len(sizes)), "|∂ score / ∂ input|"
    if len(sizes) > _MOST_BARS:
        order = np.sort(np.argsort(-sizes, kind="stable")[:_MOST_BARS])
        label += f", the largest {_MOST_BARS} of {len(sizes):,}"
    return BarList(subject, label, tuple(names[place] for place in order), sizes[order])


def _inputs(run: TrainedRun, examples: Chosen, count: int) -> list[str]:
    """A name of each number that enters the net."""
    signature = run.signature
    if signature.input_dtype == "index":
        words = signature.vocabulary
        indices = examples.inputs[0].reshape(-1)
        return [f"{place} {words[index]!r}" if words else f"{place}: {index}" for place, index in enumerate(indices)]
    if len(signature.input_shape) != 1:
        return [number(place) for place in range(count)]
    widths = {column.position: column.width for column in signature.embedded}
    named: list[str] = []
    for place, name in enumerate(input_names(run)):
        width = widths.get(place, 1)
        named += [name] if width == 1 else [f"{name} {part}" for part in range(width)]
    return named
