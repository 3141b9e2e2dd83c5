"""The metrics of a net: which there are, and the part of a graph that gives their statistics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType

from nnctl.components.base import Metric, StepMetric, Task
from nnctl.components.metrics.accuracy import Accuracy
from nnctl.components.metrics.targets import column as column_of
from nnctl.components.signature import DataSignature
from nnctl.errors import ShapeError
from nnctl.graph import interface
from nnctl.graph.builder import GraphBuilder
from nnctl.graph.ir import Graph
from nnctl.graph.passes import FINAL_PASSES, run_passes
from nnctl.graph.tensor import Tensor
from nnctl.ops.shapes import BATCH
from nnctl.spec.document import Spec


def metrics_of(spec: Spec, signature: DataSignature) -> dict[str, Metric]:
    """The evaluated metrics of a spec by column, accuracy first where the targets are classes."""
    found: dict[str, Metric] = {"accuracy": Accuracy()} if signature.classes is not None else {}
    return found | {m.column: m for m in spec.metrics if not isinstance(m, StepMetric)}


def fitted(metrics: Mapping[str, Metric], spec: Spec, signature: DataSignature, units: int) -> dict[str, Metric]:
    """The same metrics, told what the net is asked. Raises ShapeError where one makes no sense of it.

    units: of the output's last axis.
    """
    task = Task(spec.cost, spec.layers[-1].output_activation, signature.classes, units)
    places = places_of(spec)
    found: dict[str, Metric] = {}
    for column, metric in metrics.items():
        with _pointed(places, column):
            found[column] = metric.fitted(task)
    return found


def places_of(spec: Spec) -> dict[str, str]:
    """The path of each metric in the spec, by column."""
    return {metric.column: f"metrics.{index}" for index, metric in enumerate(spec.metrics)}


@contextmanager
def _pointed(places: Mapping[str, str], column: str) -> Iterator[None]:
    """A block in which a metric's ShapeError gets the metric's place: the metric itself does not know it."""
    try:
        yield
    except ShapeError as error:
        if error.path == "metrics":
            error.path = places.get(column, error.path)
        raise


def statistics(
    builder: GraphBuilder,
    metrics: Mapping[str, Metric],
    output: Tensor,
    truth: Tensor,
    places: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Tensor]:
    """Statistics of a batch by the names of its outputs. truth: labels, or values of the output's shape.

    places: see `places_of`. Where `builder.counted` leaves labels out, also how many are counted, and which. Raises
    ShapeError where a metric cannot leave any out.
    """
    found: dict[str, Tensor] = {}
    each = None if builder.counted is None else column_of(builder, builder.counted)
    for column, metric in metrics.items():
        with builder.on_behalf_of(column), _pointed(places, column):
            built = metric.build(builder, output, truth)
            if each is not None and not metric.leaves_out and any(s.shape[:1] != each.shape for s in built.values()):
                hint = "remove the metric, or data.ignore"
                raise ShapeError(f"{column} cannot leave labels out", hint, path="metrics")
        found |= {interface.statistic(column, name): statistic for name, statistic in built.items()}
    if each is not None:
        dropped = any(statistic.shape[:1] == each.shape for statistic in found.values())
        found[interface.LABELS_COUNTED] = builder.apply("sum", each, axes=(0,))
        found |= {interface.EACH_COUNTED: each} if dropped else {}
    return found


def per_example(graph: Graph) -> frozenset[str]:
    """Names of the outputs that have rows for each example of the batch."""
    return frozenset(name for name, value in graph.outputs.items() if value.batched)


def judging(metrics: Mapping[str, Metric], outputs: Sequence[int], targets: Sequence[int], labelled: bool) -> Graph:
    """A graph of metrics of outputs that are fed, however they came about.

    outputs, targets: shapes of one example's. It is fed `output` and `targets`.
    """
    builder = GraphBuilder("judge")
    output = builder.input(interface.OUTPUT, (BATCH, *outputs), "real", "feed")
    truth = builder.input(interface.GIVEN_TARGETS, (BATCH, *targets), "index" if labelled else "real", "feed")
    return run_passes(builder.graph(statistics(builder, metrics, output, truth)), FINAL_PASSES)
