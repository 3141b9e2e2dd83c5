"""From a spec to its graphs: the training step, evaluation, the outputs, the objective with its gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from nnctl.components.base import Clipping, Metric, Optimizer, StepMetric
from nnctl.components.builder import Carrying
from nnctl.components.optimizers.whole_objective import WholeObjectiveOptimizer
from nnctl.components.signature import DataSignature
from nnctl.errors import ShapeError
from nnctl.graph import interface, measuring
from nnctl.graph.builder import GraphBuilder, Parameter, State, Tensor
from nnctl.graph.differentiate import differentiate
from nnctl.graph.ir import Graph, Value
from nnctl.graph.passes import FINAL_PASSES, FORWARD_PASSES, TEXTBOOK_PASSES, run_passes
from nnctl.graph.targets import Targets
from nnctl.ops.shapes import BATCH, ROWS, Symbol
from nnctl.spec.document import Spec, settled


@dataclass(frozen=True, eq=False)
class Forward:
    """What the forward pass leaves for the rest of the step: the cost a mean over the batch, metrics' statistics."""

    builder: GraphBuilder
    output: Tensor
    cost: Tensor
    weight: Tensor
    metrics: dict[str, Tensor]
    remembered: dict[Value, Tensor]


class Network:
    """The graphs of a spec on data of a given signature.

    The n in λ/n, the size of the training set, is an input called `examples`.
    Every graph is built when first asked for. Raises ShapeError where layers do not fit.
    """

    def __init__(self, spec: Spec, signature: DataSignature) -> None:
        self.spec = settled(spec)
        self.signature = signature
        self.targets = Targets(self.spec, signature)
        self.metrics = measuring.metrics_of(self.spec, signature)

    # -- graphs --------------------------------------------------------------

    @cached_property
    def training_step(self) -> Graph:
        """Gather, forward, cost, metrics, backward, clip, update: one graph, fused."""
        return run_passes(self.unfused_training_step, FINAL_PASSES)

    @cached_property
    def unfused_training_step(self) -> Graph:
        """The training step as it reads in a textbook: one node a formula.

        For an optimizer that looks at the whole objective it is what that is driven by: no
        updates, but the outputs `objective`, `gradient.<parameter>` and `state.<state>`.
        """
        forward = self.forward("train", training=True)
        builder = forward.builder
        gradients = self._gradients(forward)
        observed = self._observed(builder, gradients)
        if self.whole_objective:
            return run_passes(builder.graph(self._measured(forward, gradients) | observed), TEXTBOOK_PASSES)
        trained = [builder.parameters[name] for name in gradients]
        clipped = self._clip(builder, list(gradients.values()))
        updates: dict[Value, Tensor] = dict(forward.remembered)
        for parameter, gradient in zip(trained, clipped, strict=True):
            with builder.on_behalf_of(parameter.layer):
                updates.update(self._update(builder, parameter, gradient))
        outputs = {interface.COST: forward.cost, interface.WEIGHT: forward.weight, **forward.metrics, **observed}
        return run_passes(builder.graph(outputs, updates, guard=forward.cost), TEXTBOOK_PASSES)

    @cached_property
    def evaluation(self) -> Graph:
        """Cost (no penalty), weight, metrics' statistics of a batch; stateful layers go on from the one before."""
        forward = self.forward("evaluate", training=False, carrying="stateful")
        outputs = {interface.COST: forward.cost, interface.WEIGHT: forward.weight, **forward.metrics}
        return run_passes(forward.builder.graph(outputs, forward.remembered), FINAL_PASSES)

    @cached_property
    def prediction(self) -> Graph:
        """The net's output for a batch, without targets; stateful layers go on from the one before."""
        return self._reading("predict", "stateful")

    @cached_property
    def continuation(self) -> Graph:
        """The net's output for one more piece of each sequence; recurrent layers go on from the piece before."""
        return self._reading("continue", "all")

    def _reading(self, name: str, carrying: Carrying) -> Graph:
        builder = self._builder(name, training=False, carrying=carrying)
        output = self._net(builder, self._inputs(builder))
        updates = {old: builder.tensor(new) for old, new in builder.remembered.items()}
        return run_passes(builder.graph({interface.OUTPUT: output}, updates), FINAL_PASSES)

    @cached_property
    def penalty(self) -> Graph | None:
        """The regularizers' part of the objective; None where there is none."""
        builder = self._builder("penalty", training=False)
        self._net(builder, self._inputs(builder))
        penalty = self.penalty_of(builder)
        return None if penalty is None else run_passes(builder.graph({interface.PENALTY: penalty}), FINAL_PASSES)

    @cached_property
    def objective(self) -> Graph:
        """Cost plus penalty with random layers active, and its gradient for each parameter, as outputs."""
        forward = self.forward("objective", training=True)
        outputs = {interface.OBJECTIVE: self.objective_of(forward), **self._gradients(forward)}
        return run_passes(forward.builder.graph(outputs), FINAL_PASSES)

    @cached_property
    def step_metrics(self) -> tuple[str, ...]:
        """Columns of what is measured of parameters in each training step, e.g. "gradient_norm.dense1.bias"."""
        outputs = self.training_step.outputs
        return tuple(
            metric.column_of(name)
            for metric in self.spec.metrics
            if isinstance(metric, StepMetric)
            for name, parameter in self.parameters.items()
            if metric.measures(parameter.kind) and metric.column_of(name) in outputs
        )

    @cached_property
    def fitted_metrics(self) -> dict[str, Metric]:
        """The metrics as they are built. Raises ShapeError where one makes no sense of what the net is asked."""
        return measuring.fitted(self.metrics, self.spec, self.signature)

    @property
    def whole_objective(self) -> bool:
        """Whether the optimizer runs on the host and looks at all parameters at once."""
        return isinstance(self.spec.optimizer, WholeObjectiveOptimizer)

    @cached_property
    def parameters(self) -> dict[str, Parameter]:
        """Every trained array by name, in the order of the layers."""
        builder = self._builder("parameters", training=False)
        self._net(builder, self._inputs(builder))
        return builder.parameters

    @cached_property
    def states(self) -> dict[str, State]:
        """What layers carry from step to step, by name."""
        return self.forward("states", training=True).builder.states

    @property
    def carried(self) -> dict[str, State]:
        """Of the states those with an entry for each example of a batch: where sequences go on."""
        return {n: s for n, s in self.states.items() if s.value.shape and isinstance(s.value.shape[0], Symbol)}

    @cached_property
    def layer_shapes(self) -> list[tuple[str, str, tuple[Any, ...], tuple[Any, ...]]]:
        """(path, type, input shape, output shape) of each layer of the list."""
        builder = self._builder("shapes", training=False)
        rows: list[tuple[str, str, tuple[Any, ...], tuple[Any, ...]]] = []
        self._net(builder, self._inputs(builder), lambda *row: rows.append(row))
        return rows

    @property
    def slots(self) -> dict[str, tuple[Parameter, float]]:
        """The optimizer's memories by name, each with its parameter and first value."""
        return {
            interface.optimizer_state(slot, name): (parameter, first)
            for name, parameter in self.parameters.items()
            if not parameter.frozen
            for slot, first in self.spec.optimizer.slots()
        }

    @cached_property
    def known_indices(self) -> dict[str, int]:
        """How many different indices each layer knows that reads some."""
        builder = self._builder("indices", training=False)
        self._net(builder, self._inputs(builder))
        known: dict[str, int] = {}
        for node in builder.nodes:
            if node.op.name == "one_hot":
                known[node.layer] = node.attributes["classes"]
            elif node.op.name == "lookup" and isinstance(rows := node.inputs[0].shape[0], int):
                known[node.layer] = rows
        return known

    # -- the forward pass ----------------------------------------------------

    def _builder(self, name: str, *, training: bool, carrying: Carrying | None = None) -> GraphBuilder:
        words = self.signature.vocabulary
        return GraphBuilder(
            name,
            training=training,
            carrying=carrying,
            convention=self.spec.convention,
            vocabulary=None if words is None else len(words),
        )

    def _inputs(self, builder: GraphBuilder) -> Tensor:
        """Rows of the data set, as real numbers, rescaled."""
        signature = self.signature
        data = builder.input(interface.INPUTS, (ROWS, *signature.input_shape), signature.input_dtype, "data")
        index = builder.input(interface.INDEX, (BATCH,), "index", "feed")
        with builder.on_behalf_of("data"):
            x = builder.apply("gather", data, index)
            if signature.input_dtype == "uint8":
                x = builder.apply("cast", x)
            if signature.statistics_shape is None:
                return x
            shift = builder.input(interface.SHIFT, signature.statistics_shape, role="statistic")
            scale = builder.input(interface.SCALE, signature.statistics_shape, role="statistic")
            rescaled: Tensor = builder.formula(
                "rescale", lambda xp, x, shift, scale: (x - shift) * scale, x, shift, scale
            )
            return rescaled

    def _net(self, builder: GraphBuilder, x: Tensor, observe: Callable[..., None] = lambda *_: None) -> Tensor:
        """The output of the last layer. `observe` is told of each layer's path, type and shapes."""
        known = {"input": x}
        current = x
        for position, layer in enumerate(self.spec.layers):
            inputs = [current] if layer.inputs is None else [known[name] for name in layer.inputs]
            path = layer.name or builder.fresh_layer(layer.type)
            try:
                with builder.scope(path):
                    current = builder.build_here(layer, *inputs)
            except ShapeError as error:
                error.path = f"layers.{position}"
                raise
            known[path] = current
            observe(path, layer.type, inputs[0].shape, current.shape)
        return current

    def forward(self, name: str, *, training: bool, carrying: Carrying | None = None) -> Forward:
        """A graph begun by the forward pass, cost and metrics included, cost and output in their stable form."""
        builder = self._builder(name, training=training, carrying=carrying)
        output = self._net(builder, self._inputs(builder))
        with builder.on_behalf_of("cost"):
            target = self.targets.of(builder, output)
            terms, weights = self.spec.cost.build(builder, output, target)
            # Of sequences with a label a step, every step counts alike.
            axes = tuple(range(len(terms.shape)))
            if weights is None:
                cost, weight = builder.apply("mean", terms, axes=axes), builder.apply("size", shape=(BATCH,))
            else:
                weight = builder.apply("sum", weights, axes=axes)
                cost = builder.apply("sum", terms, axes=axes) / weight
        metrics: dict[str, Tensor] = {}
        if self.metrics:
            truth = target if self.signature.classes is None else self.targets.labels(builder)
            metrics = measuring.statistics(builder, self.fitted_metrics, output, truth)
        remembered = {interface.new_state(old.name): builder.tensor(new) for old, new in builder.remembered.items()}
        outputs = {
            **remembered,
            interface.OUTPUT: output,
            interface.COST: cost,
            interface.WEIGHT: weight,
            **{f"metric.{k}": v for k, v in metrics.items()},
        }
        paired = run_passes(builder.graph(outputs), FORWARD_PASSES)
        extended = GraphBuilder.extending(paired, training=training, convention=self.spec.convention)
        extended.parameters = builder.parameters
        extended.states = builder.states
        tensors = {key: extended.tensor(value) for key, value in paired.outputs.items()}
        return Forward(
            extended, tensors[interface.OUTPUT], tensors[interface.COST], tensors[interface.WEIGHT],
            {key: tensors[f"metric.{key}"] for key in metrics},
            {old: tensors[interface.new_state(old.name)] for old in builder.remembered},
        )  # fmt: skip

    # -- the backward pass ---------------------------------------------------

    def penalty_of(self, builder: GraphBuilder) -> Tensor | None:
        """1/n · Σ over the regularized parameters."""
        total: Tensor | None = None
        for parameter in builder.parameters.values():
            regularizer = self.regularizer_of(parameter)
            if regularizer is None or not regularizer.penalizes:
                continue
            with builder.on_behalf_of(parameter.layer):
                terms = builder.elementwise(regularizer, builder.tensor(parameter.value))
                part = builder.apply("sum", terms, axes=tuple(range(len(terms.shape))))
                part = part / builder.input(interface.EXAMPLES, (), role="statistic")
            total = part if total is None else total + part
        return total

    def regularizer_of(self, parameter: Parameter) -> Any:
        """Its own regularizer, or the spec's where it is a weight; None where there is none."""
        if parameter.regularizer is not None or parameter.kind == "bias":
            return parameter.regularizer
        return self.spec.regularizer

    def objective_of(self, forward: Forward) -> Tensor:
        """Cost plus penalty."""
        penalty = self.penalty_of(forward.builder)
        return forward.cost if penalty is None else forward.cost + penalty

    def _gradients(self, forward: Forward) -> dict[str, Tensor]:
        """∂objective/∂parameter by parameter name; frozen ones, and those that it ignores, are left out."""
        builder = forward.builder
        objective = self.objective_of(forward)
        parameters = {name: p for name, p in builder.parameters.items() if not p.frozen}
        if not parameters and builder.parameters:
            raise ShapeError("every layer with parameters is frozen: nothing is left to train",
                             "train at least one of them", path="layers")  # fmt: skip
        gradients = differentiate(builder, objective, [builder.tensor(p.value) for p in parameters.values()])
        return {name: g for name, g in zip(parameters, gradients, strict=True) if g is not None}

    def trained(self, forward: Forward) -> dict[str, Tensor]:
        """The parameters that the objective depends on, by name."""
        builder = forward.builder
        return {name: builder.tensor(builder.parameters[name].value) for name in self._gradients(forward)}

    def _observed(self, builder: GraphBuilder, gradients: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The step metrics by column; parameters without a gradient have none."""
        found: dict[str, Tensor] = {}
        for metric in self.spec.metrics:
            if not isinstance(metric, StepMetric):
                continue
            for name, gradient in gradients.items():
                parameter = builder.parameters[name]
                if metric.measures(parameter.kind):
                    with builder.on_behalf_of(parameter.layer):
                        measured = metric.measure(builder, builder.tensor(parameter.value), gradient)
                    found[metric.column_of(name)] = measured
        return found

    def _measured(self, forward: Forward, gradients: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What an optimizer on the host reads of one evaluation."""
        return {
            interface.COST: forward.cost,
            interface.WEIGHT: forward.weight,
            **forward.metrics,
            interface.OBJECTIVE: self.objective_of(forward),
            **{interface.gradient(name): gradient for name, gradient in gradients.items()},
            **{interface.new_state(old.name): new for old, new in forward.remembered.items()},
        }

    def _clip(self, builder: GraphBuilder, gradients: list[Tensor]) -> list[Tensor]:
        clip: Clipping | None = getattr(self.spec.optimizer, "clip", None)
        if clip is None:
            return gradients
        with builder.on_behalf_of("clip"):
            return clip.build(builder, gradients)

    def _update(self, builder: GraphBuilder, parameter: Parameter, gradient: Tensor) -> Mapping[Value, Tensor]:
        """New value of the parameter and of its slots."""
        optimizer: Optimizer = self.spec.optimizer
        if parameter.kind == "bias":
            optimizer = optimizer.for_bias()
        step = builder.input(interface.STEP, (), "index", "feed")
        t = builder.apply("cast", step) + 1.0
        scheduled = [builder.input(name, (), role="feed") for name in optimizer.scheduled]
        slots = [
            builder.input(interface.optimizer_state(name, parameter.name), parameter.shape, role="optimizer state")
            for name, _ in optimizer.slots()
        ]
        rates = len(scheduled)

        def update(xp: Any, w: Any, g: Any, t: Any, *rest: Any) -> Any:
            return optimizer.update(xp, w, g, t, dict(zip(optimizer.scheduled, rest[:rates])), *rest[rates:])

        w = builder.tensor(parameter.value)
        result = builder.formula(optimizer.type, update, w, gradient, t, *scheduled, *slots)
        new = list(result) if isinstance(result, tuple) else [result]
        regularizer = self.regularizer_of(parameter)
        if regularizer is not None and regularizer.projects:
            new[0] = regularizer.project(builder, new[0])
        changed = [parameter.value, *(s.value for s in slots)]
        for old, tensor in zip(changed, new, strict=True):
            tensor.value.name = f"{old.name}⁺"
        return dict(zip(changed, new, strict=True))
