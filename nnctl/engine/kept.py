"""Nets that a process keeps from one run to the next: graphs and plans, which no number of a run is in."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import field, fields
from typing import Any

from nnctl.backends.contract import Backend
from nnctl.components.signature import DataSignature
from nnctl.graph.ir import Graph
from nnctl.graph.network import Network
from nnctl.late import dataclass
from nnctl.plan.plan import Plan
from nnctl.spec.document import IN_NO_GRAPH, Spec
from nnctl.spec.dump import to_data

_MOST = 4
"""Nets that are kept: of a sweep's trials, those that are alike mostly follow one another."""


@dataclass(frozen=True, eq=False)
class PlannedNet:
    """A net and the plans of its graphs made so far."""

    network: Network
    _plans: dict[tuple[Any, ...], Plan] = field(default_factory=dict)

    def plan(self, backend: Backend, graph: Graph, sizes: Mapping[str, int]) -> Plan:
        """The plan of one of the net's graphs on a backend."""
        key = (backend.name, graph.name, *sorted(sizes.items()))
        if key not in self._plans:
            self._plans[key] = backend.plan(graph, sizes)
        return self._plans[key]


class KeptNets:
    """The nets of the last runs. Runs whose specs differ in what every step is fed, or in first values, share one."""

    def __init__(self) -> None:
        self._nets: OrderedDict[str, PlannedNet] = OrderedDict()

    def of(self, spec: Spec, signature: DataSignature) -> PlannedNet:
        """The net of a spec on data of a signature. Raises ShapeError where layers do not fit."""
        key = key_of(spec, signature)
        net = self._nets.pop(key, None) or PlannedNet(Network(spec, signature))
        self._nets[key] = net
        if len(self._nets) > _MOST:
            self._nets.popitem(last=False)
        return net


def key_of(spec: Spec, signature: DataSignature) -> str:
    """Text that is equal for specs with equal graphs."""
    parts = {f.name: to_data(getattr(spec, f.name)) for f in fields(spec) if f.name not in IN_NO_GRAPH}
    # Of what is fed at every step, graphs know whether it is 0: without momentum there is no velocity.
    parts["optimizer"] |= {name: bool(rate) for name, rate in spec.optimizer.rates().items()}
    return f"{json.dumps(parts)} {signature!r}"
