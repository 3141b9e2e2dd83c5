"""The graph of a traced step: the training step's, with every part of the gradients kept apart and nothing dropped."""

from __future__ import annotations

from collections.abc import Mapping

from nnctl.analysis.trace.stages import Phase
from nnctl.graph import interface
from nnctl.graph.differentiate import differentiate
from nnctl.graph.ir import Graph, Node, Value
from nnctl.graph.network import Network
from nnctl.graph.passes import TEXTBOOK_PASSES, run_passes
from nnctl.graph.penalties import penalty_of
from nnctl.graph.tensor import Tensor
from nnctl.graph.updates import updates_of
from nnctl.late import dataclass

COST_PART, PENALTY_PART = "cost part of ", "penalty part of "
"""Outputs of a traced step: the parts of a parameter's gradient, before its name."""


@dataclass(frozen=True, eq=False)
class TracedStep:
    """A step's graph, of one pass forward and back.

    output: of the last layer. gradients: ∂C/∂parameter, penalty included. of_cost, of_penalty: the parts of those that
    have both. phases: what a value is computed for.
    """

    graph: Graph
    output: Value
    gradients: Mapping[str, Value]
    of_cost: Mapping[str, Value]
    of_penalty: Mapping[str, Value]
    phases: Mapping[Value, Phase]


def traced_step(network: Network) -> TracedStep:
    """The graph of a network's training step as it reads in a textbook.

    The gradient of the cost and that of the penalty are built by themselves and together; what they share, which is
    all but the sums, is computed once, so that no number is another than in `Network.unfused_training_step`.
    """
    forward = network.forward("trace", training=True)
    builder = forward.builder
    phases: dict[Value, Phase] = {}

    def mark(phase: Phase) -> None:
        for node in builder.nodes:
            for value in node.outputs:
                phases.setdefault(value, phase)

    for node in builder.nodes:
        phases.update(dict.fromkeys(node.outputs, "cost" if node.layer == "cost" else "forward"))
    penalty = penalty_of(network.spec, builder)
    objective = forward.cost if penalty is None else forward.cost + penalty
    mark("cost")
    parameters = {name: builder.tensor(p.value) for name, p in builder.parameters.items() if not p.frozen}

    def gradients_of(target: Tensor) -> dict[str, Tensor]:
        found = differentiate(builder, target, list(parameters.values()))
        return {name: gradient for name, gradient in zip(parameters, found, strict=True) if gradient is not None}

    of_cost = gradients_of(forward.cost)
    mark("backward")
    of_penalty = {} if penalty is None else gradients_of(penalty)
    total = of_cost if penalty is None else gradients_of(objective)
    mark("regularizer")
    for name in of_cost.keys() & of_penalty.keys():
        of_cost[name].value.name = f"∂C₀/∂{name}"
        of_penalty[name].value.name = f"∂(C − C₀)/∂{name}"
        total[name].value.name = f"∂C/∂{name}"
    updates = dict(forward.new_states)
    outputs = {interface.COST: forward.cost, interface.OBJECTIVE: objective, interface.OUTPUT: forward.output}
    if penalty is not None:
        outputs[interface.PENALTY] = penalty
    outputs |= {interface.gradient(name): gradient for name, gradient in total.items()}
    outputs |= {COST_PART + name: of_cost[name] for name in of_cost.keys() & of_penalty.keys()}
    outputs |= {PENALTY_PART + name: of_penalty[name] for name in of_cost.keys() & of_penalty.keys()}
    if not network.whole_objective:
        before = len(builder.nodes)
        updates |= updates_of(builder, network.spec, total)
        for node in builder.nodes[before:]:
            phases.update(dict.fromkeys(node.outputs, "clipping" if node.layer == "clip" else "update"))
    graph = run_passes(builder.graph(outputs, updates), TEXTBOOK_PASSES)
    return TracedStep(
        graph,
        graph.outputs[interface.OUTPUT],
        {name: graph.outputs[interface.gradient(name)] for name in total},
        {name: graph.outputs[COST_PART + name] for name in of_cost.keys() & of_penalty.keys()},
        {name: graph.outputs[PENALTY_PART + name] for name in of_cost.keys() & of_penalty.keys()},
        phases,
    )


def phase_of(step: TracedStep, node: Node, before: Phase) -> Phase:
    """The phase of a node; a pass may have made it anew, and then it is that of what stands before it."""
    return step.phases.get(node.outputs[0], before)
