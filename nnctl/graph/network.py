"""From a spec to its graphs: the training step, evaluation, the outputs, the objective with its gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property

from nnctl.components.base import Metric, StepMetric
from nnctl.components.builder import Resuming
from nnctl.components.optimizers.whole_objective import WholeObjectiveOptimizer
from nnctl.components.signature import DataSignature
from nnctl.errors import ShapeError
from nnctl.graph import interface, measuring, watching
from nnctl.graph.builder import GraphBuilder
from nnctl.graph.differentiate import differentiate
from nnctl.graph.ir import Graph, Value
from nnctl.graph.layers import BuiltNet, built_net
from nnctl.graph.passes import FINAL_PASSES, FORWARD_PASSES, TEXTBOOK_PASSES, run_passes
from nnctl.graph.penalties import penalty_of
from nnctl.graph.structure import Structure, structure_of
from nnctl.graph.targets import Targets
from nnctl.graph.tensor import Tensor
from nnctl.graph.updates import updates_of
from nnctl.graph.weighing import mean_cost
from nnctl.late import dataclass
from nnctl.spec.document import Spec, settled

STEPS = ("train", "evaluate", "predict")
"""Names of the steps that have a graph: see `Network.fused` and `Network.textbook`."""


@dataclass(frozen=True, eq=False)
class Forward:
    """The forward pass, for the rest of the step: the cost a mean over the batch, metrics' statistics.

    seen: what was asked for of the layers.
    """

    builder: GraphBuilder
    output: Tensor
    cost: Tensor
    weight: Tensor
    metrics: dict[str, Tensor]
    new_states: dict[Value, Tensor]
    seen: dict[str, Tensor]


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

    @cached_property
    def structure(self) -> Structure:
        """Parameters, states, layers and their shapes."""
        return structure_of(self.spec, self._training)

    # -- graphs --------------------------------------------------------------

    def fused(self, step: str) -> Graph:
        """The graph that a plan is made of. step: one of `STEPS`."""
        found: Graph = {
            "train": lambda: self.training_step,
            "evaluate": lambda: self.evaluation,
            "predict": lambda: self.prediction,
        }[step]()
        return found

    def textbook(self, step: str) -> Graph:
        """The same before fusion: one node a formula."""
        found: Graph = {
            "train": lambda: self.unfused_training_step,
            "evaluate": lambda: self.unfused_evaluation,
            "predict": lambda: self.unfused_prediction,
        }[step]()
        return found

    @cached_property
    def training_step(self) -> Graph:
        """Gather, forward, cost, metrics, backward, clip, update: one graph, fused."""
        return run_passes(self._step, FINAL_PASSES)

    @cached_property
    def unfused_training_step(self) -> Graph:
        """The training step as it reads in a textbook: one node a formula.

        For an optimizer that looks at the whole objective it is what that is driven by: no
        updates, but the outputs `objective`, `gradient.<parameter>` and `state.<state>`.
        """
        return run_passes(self._step, TEXTBOOK_PASSES)

    @cached_property
    def _step(self) -> Graph:
        """The training step as it is built."""
        forward = self.forward("train", training=True)
        builder = forward.builder
        gradients = self._gradients(forward)
        observed = self._observed(builder, gradients)
        if self.whole_objective:
            return builder.graph(self._measured(forward, gradients) | observed)
        updates = forward.new_states | updates_of(builder, self.spec, gradients)
        outputs = {interface.COST: forward.cost, interface.WEIGHT: forward.weight, **forward.metrics, **observed}
        return builder.graph(outputs, updates, guard=forward.cost)

    @cached_property
    def evaluation(self) -> Graph:
        """Cost (no penalty), weight, metrics' statistics of a batch; stateful layers resume."""
        return run_passes(self._evaluating(), FINAL_PASSES)

    @cached_property
    def unfused_evaluation(self) -> Graph:
        """The evaluation as it reads in a textbook: one node a formula."""
        return run_passes(self._evaluating(), TEXTBOOK_PASSES)

    @cached_property
    def prediction(self) -> Graph:
        """The net's output for a batch, without targets; stateful layers resume."""
        return run_passes(self.raw_prediction, FINAL_PASSES)

    @cached_property
    def unfused_prediction(self) -> Graph:
        """The prediction as it reads in a textbook: one node a formula."""
        return run_passes(self.raw_prediction, TEXTBOOK_PASSES)

    @cached_property
    def raw_prediction(self) -> Graph:
        """The prediction before any pass: its ops are asked for by runs that only train and never predict."""
        return self._reading("predict", "stateful")

    @cached_property
    def continuation(self) -> Graph:
        """The net's output for one more piece of each sequence; recurrent layers resume."""
        return run_passes(self._reading("continue", "all"), FINAL_PASSES)

    def _evaluating(self) -> Graph:
        forward = self.forward("evaluate", training=False, resuming="stateful")
        outputs = {interface.COST: forward.cost, interface.WEIGHT: forward.weight, **forward.metrics}
        return forward.builder.graph(outputs, forward.new_states)

    def _reading(self, name: str, resuming: Resuming) -> Graph:
        builder, last = self._begun(name, training=False, resuming=resuming)
        output = self.targets.answers(builder, last)
        updates = {old: builder.tensor(new) for old, new in builder.new_states.items()}
        return builder.graph({interface.OUTPUT: output}, updates)

    @cached_property
    def penalty(self) -> Graph | None:
        """The regularizers' part of the objective; None where there is none."""
        if not self.structure.penalized:
            return None
        builder, _ = self._begun("penalty", training=True)
        penalty = penalty_of(self.spec, builder)
        return None if penalty is None else run_passes(builder.graph({interface.PENALTY: penalty}), FINAL_PASSES)

    @cached_property
    def objective(self) -> Graph:
        """Cost plus penalty with random layers active, and its gradient for each parameter, as outputs."""
        forward = self.forward("objective", training=True)
        outputs = {interface.OBJECTIVE: self.objective_of(forward), **self._gradients(forward)}
        return run_passes(forward.builder.graph(outputs), FINAL_PASSES)

    @cached_property
    def watched(self) -> Graph:
        """Measures of each layer on a batch, as the net predicts; see `nnctl.graph.watching`. Sequences begin."""
        forward = self.forward("watch", training=False, see=watching.of_activations)
        weights = watching.of_weights(forward.builder, self._gradients(forward))
        return run_passes(forward.builder.graph(forward.seen | weights), FINAL_PASSES)

    @cached_property
    def step_metrics(self) -> tuple[str, ...]:
        """Columns of what is measured of parameters in each training step, e.g. "gradient_norm.dense1.bias"."""
        columns = {
            metric.column_of(name)
            for metric in self.spec.metrics
            if isinstance(metric, StepMetric)
            for name in self.structure.parameters
        }
        return tuple(name for name in self.training_step.outputs if name in columns)

    @cached_property
    def fitted_metrics(self) -> dict[str, Metric]:
        """The metrics as they are built. Raises ShapeError where one makes no sense of what the net is asked."""
        units = self.structure.output_shape[-1]
        return measuring.fitted(self.metrics, self.spec, self.signature, units if isinstance(units, int) else 1)

    @property
    def whole_objective(self) -> bool:
        """True where the optimizer runs on the host and looks at all parameters at once."""
        return isinstance(self.spec.optimizer, WholeObjectiveOptimizer)

    # -- the forward pass ----------------------------------------------------

    @cached_property
    def _training(self) -> BuiltNet:
        """The net as it trains."""
        return built_net(self.spec, self.signature, training=True)

    @cached_property
    def _answering(self) -> BuiltNet:
        """The net as it is evaluated and predicts."""
        return built_net(self.spec, self.signature, training=False, resuming="stateful")

    def _begun(self, name: str, *, training: bool, resuming: Resuming | None = None) -> tuple[GraphBuilder, Tensor]:
        """A builder for a graph called `name` that begins with the net, and the net's output."""
        if training and resuming is None:
            return self._training.branch(name)
        if not training and resuming == "stateful":
            return self._answering.branch(name)
        return built_net(self.spec, self.signature, training=training, resuming=resuming).branch(name)

    def forward(
        self,
        name: str,
        *,
        training: bool,
        resuming: Resuming | None = None,
        see: Callable[[GraphBuilder], dict[str, Tensor]] = lambda builder: {},
    ) -> Forward:
        """A graph begun by the forward pass, cost and metrics included, cost and output in their stable form.

        see: gives what is asked of the layers, before passes move or pair them.
        """
        builder, output = self._begun(name, training=training, resuming=resuming)
        seen = see(builder)
        with builder.on_behalf_of("cost"):
            target = self.targets.of(builder, output)
            builder.counted = self.targets.counted(builder)
            terms, shares = self.spec.cost.build(builder, output, target)
            cost, weight = mean_cost(builder, terms, shares, self.targets.weights(builder))
        metrics: dict[str, Tensor] = {}
        if self.metrics:
            answers, truth = self.targets.answers(builder, output), self.targets.truth(builder, target)
            metrics = measuring.statistics(builder, self.fitted_metrics, answers, truth, measuring.places_of(self.spec))
        new_states = {interface.new_state(old.name): builder.tensor(new) for old, new in builder.new_states.items()}
        outputs = {
            **new_states,
            interface.OUTPUT: output,
            interface.COST: cost,
            interface.WEIGHT: weight,
            **{f"metric.{k}": v for k, v in metrics.items()},
            **{f"seen.{k}": v for k, v in seen.items()},
        }
        paired = run_passes(builder.graph(outputs), FORWARD_PASSES)
        extended = GraphBuilder.extending(paired, training=training, convention=self.spec.convention)
        extended.parameters = builder.parameters
        extended.states = builder.states
        tensors = {key: extended.tensor(value) for key, value in paired.outputs.items()}
        return Forward(
            extended, tensors[interface.OUTPUT], tensors[interface.COST], tensors[interface.WEIGHT],
            {key: tensors[f"metric.{key}"] for key in metrics},
            {old: tensors[interface.new_state(old.name)] for old in builder.new_states},
            {key: tensors[f"seen.{key}"] for key in seen},
        )  # fmt: skip

    # -- the backward pass ---------------------------------------------------

    def objective_of(self, forward: Forward) -> Tensor:
        """Cost plus penalty."""
        penalty = penalty_of(self.spec, forward.builder)
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
        """The step metrics by column; parameters without a gradient have none. Raises ShapeError where none has one."""
        parameters = {name: builder.parameters[name] for name in gradients}
        kinds = sorted({parameter.kind for parameter in parameters.values()})
        measured: dict[str, Tensor] = {}
        for index, metric in enumerate(self.spec.metrics):
            if not isinstance(metric, StepMetric):
                continue
            fitted = metric.among(kinds)
            chosen = {name: p for name, p in parameters.items() if fitted.measures(p.kind)}
            if not chosen:
                there_are = " and ".join(f"{kind}s" for kind in kinds)
                raise ShapeError(f"{metric.column}: the net trains no such parameter", f"it trains {there_are}",
                                 path=f"metrics.{index}")  # fmt: skip
            for name, parameter in chosen.items():
                with builder.on_behalf_of(parameter.layer):
                    measure = fitted.measure(builder, builder.tensor(parameter.value), gradients[name])
                measured[fitted.column_of(name)] = measure
        return measured

    def _measured(self, forward: Forward, gradients: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Outputs that an optimizer on the host reads of one evaluation."""
        return {
            interface.COST: forward.cost,
            interface.WEIGHT: forward.weight,
            **forward.metrics,
            interface.OBJECTIVE: self.objective_of(forward),
            **{interface.gradient(name): gradient for name, gradient in gradients.items()},
            **{interface.new_state(old.name): new for old, new in forward.new_states.items()},
        }
