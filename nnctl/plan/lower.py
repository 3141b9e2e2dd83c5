"""Lowering: a graph and its sizes become a plan."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple, cast

from nnctl.errors import ShapeError
from nnctl.graph.ir import Form, Graph, Node, Value
from nnctl.ops.shapes import TensorType, resolve, show
from nnctl.plan.arena import assign_offsets
from nnctl.plan.dtypes import Precision, element
from nnctl.plan.order import Order, order_of
from nnctl.plan.plan import Launch, Plan, Slot
from nnctl.plan.strategy import Scheduled, Sequential, Strategy
from nnctl.process.memory import in_bytes

_SEQUENTIAL = Sequential()
_ADDRESSABLE = 1 << 60
"""Bytes of an arena, at most."""


def lower(
    graph: Graph, sizes: Mapping[str, int], precision: Precision = "float32", strategy: Strategy = _SEQUENTIAL
) -> Plan:
    """The plan of `graph` for the given sizes ({"batch": 32, "rows": 50000}).

    An update is made in place where its node comes after every other reader of
    the old value; otherwise the new value is copied at the end of the step.
    """
    return _Lowering(order_of(graph, strategy), sizes, precision).plan()


class _Work(NamedTuple):
    """The work of launches of one form. bytes: of all that they read and write."""

    attributes: Mapping[str, Any]
    flops: int
    bytes: int


class _Lowering:
    def __init__(self, order: Order, sizes: Mapping[str, int], precision: Precision) -> None:
        self.order = order
        self.sizes = sizes
        self.precision = precision
        self.slots: dict[Value, Slot] = {}
        self.resolved: dict[TensorType, tuple[TensorType, int]] = {}
        self.works: dict[Form, _Work] = {}
        self.offsets, self.arena_bytes = self._arena()

    def plan(self) -> Plan:
        order = self.order
        launches = tuple([self._launch(s) for s in order.scheduled])
        guard = order.graph.guard
        copies = tuple(
            (self._slot(new), self._slot(old))
            for old, new in order.graph.updates.items()
            if order.in_place.get(new) is not old
        )
        return Plan(
            name=order.graph.name,
            precision=self.precision,
            sizes=dict(self.sizes),
            setup=tuple(self._launch(Scheduled(n, 0)) for n in order.setup),
            launches=launches,
            inlined={order.inline_keys[v]: self._launch(Scheduled(n, 0)) for v, n in order.inlined.items()},
            outputs={name: self._slot(v) for name, v in order.graph.outputs.items()},
            guard=None if guard is None else self._slot(guard),
            guarded=order.guarded,
            copies=copies,
            arena_bytes=self.arena_bytes,
        )

    def _arena(self) -> tuple[dict[Value, int], int]:
        order = self.order
        lifetimes: dict[Value, tuple[int, int]] = {}
        sizes: dict[Value, int] = {}
        heirs = self._heirs()
        phases = [scheduled.phase for scheduled in order.scheduled]
        # After the last launch is a phase of its own.
        phases.append(phases[-1] + 1 if phases else 0)
        for value, written in order.position.items():
            if value in order.in_place:
                continue
            last = phases[order.last_read.get(value, written)]
            owner = heirs.get(value)
            if owner is None:
                lifetimes[value] = phases[written], last
                sizes[value] = self._resolved(value.type)[1]
            elif last > lifetimes[owner][1]:
                lifetimes[owner] = lifetimes[owner][0], last
        if sum(sizes.values()) > _ADDRESSABLE:
            largest = max(sizes, key=lambda value: sizes[value])
            raise ShapeError(
                f"{largest.name} {show(resolve(largest.shape, self.sizes))} takes {in_bytes(sizes[largest])}: "
                "no machine has so much memory",
                layer=order.nodes[order.position[largest]].layer,
            )
        offsets, total = assign_offsets(lifetimes, sizes)
        return offsets | {value: offsets[owner] for value, owner in heirs.items()}, total

    def _heirs(self) -> dict[Value, Value]:
        """Value → the first owner of the memory that it takes over within a phase.

        Both are of one size, so that each thread has the same bytes of both.
        """
        found: dict[Value, Value] = {}
        for _, group in groupby(zip(self.order.scheduled, self.order.reads), lambda one: one[0].phase):
            phase = list(group)
            if len(phase) > 1:
                self._inherit(phase, found)
        return found

    def _inherit(self, phase: Sequence[tuple[Scheduled, set[Value]]], found: dict[Value, Value]) -> None:
        """Add the heirs of a phase, whose launches are given with what they read, to those found."""
        order = self.order
        crossed: set[Value] = set()
        for scheduled, reads in phase:
            apart = scheduled.apart
            crossed.update(reads - apart, [v for v in scheduled.node.outputs if v not in apart])
        left: dict[int, list[Value]] = {}
        """Owners of memory that no launch behind needs, by its bytes."""
        position, last_read = order.position, order.last_read
        for scheduled, reads in phase:
            if not scheduled.apart:
                continue
            outputs = scheduled.node.outputs
            made = [v for v in outputs if v not in crossed and v not in order.in_place]
            for value in made:
                owners = left.get(self._resolved(value.type)[1])
                if owners:
                    found[value] = owners.pop()
            place = position[outputs[0]]
            done = [v for v in reads if v in position and v not in crossed and last_read[v] == place]
            done.sort(key=order.rank.__getitem__)
            done += [v for v in made if v not in last_read]
            for value in done:
                left.setdefault(self._resolved(value.type)[1], []).append(found.get(value, value))

    def _resolved(self, type: TensorType) -> tuple[TensorType, int]:
        """A type with numbers for symbols, and the bytes of its values."""
        known = self.resolved.get(type)
        if known is None:
            shape: tuple[int, ...] = resolve(type.shape, self.sizes)
            size = math.prod(shape) * element(type.dtype, self.precision).bytes
            known = self.resolved[type] = TensorType(shape, type.dtype), size
        return known

    def _slot(self, value: Value) -> Slot:
        known = self.slots.get(value)
        if known is None:
            known = self.slots[value] = self._made_slot(value)
        return known

    def _made_slot(self, value: Value) -> Slot:
        order = self.order
        shape = cast("tuple[int, ...]", self._resolved(value.type)[0].shape)
        dtype, batched = value.type.dtype, value.batched
        root = order.root(value)
        home = order.in_place.get(root, root)
        if home.role == "feed":
            return Slot(value.name, "feed", shape, dtype, home.name, 0, batched)
        if home.role != "computed":
            return Slot(value.name, "storage", shape, dtype, home.name, 0, batched)
        if root in self.offsets:
            return Slot(value.name, "arena", shape, dtype, "", self.offsets[root], batched)
        if root in order.inline_keys:
            return Slot(value.name, "inline", shape, dtype, order.inline_keys[root], 0, batched)
        return Slot(value.name, "constant", shape, dtype, order.constants[root], 0, batched)

    def _launch(self, scheduled: Scheduled) -> Launch:
        node = scheduled.node
        form = node.form
        work = self.works.get(form)
        if work is None:
            work = self.works[form] = self._work(node)
        slots = self.slots
        inputs = tuple([slots.get(v) or self._slot(v) for v in node.inputs])
        outputs = tuple([slots.get(v) or self._slot(v) for v in node.outputs])
        moved = work.bytes
        for value in node.inputs:
            if value.role == "data":
                # A gather reads as many rows of its table as it writes.
                rows = TensorType(outputs[0].shape, value.type.dtype)
                moved += self._resolved(rows)[1] - self._resolved(value.type)[1]
        return scheduled.launch(inputs, outputs, work.attributes, work.flops, moved)

    def _work(self, node: Node) -> _Work:
        """The numbers of launches of a node's form."""
        inputs = [self._resolved(v.type) for v in node.inputs]
        outputs = [self._resolved(v.type) for v in node.outputs]
        attributes = {k: resolve(v, self.sizes) for k, v in node.attributes.items()}
        flops = int(node.op.flops([t for t, _ in inputs], [t for t, _ in outputs], attributes))
        return _Work(attributes, flops, sum(size for _, size in (*inputs, *outputs)))
