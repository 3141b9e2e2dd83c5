"""Lowering: a graph and its sizes become a plan."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple, cast

from nnctl.errors import ShapeError
from nnctl.graph.ir import Form, Graph, Node, Value
from nnctl.graph.views import VIEWS, view_sources
from nnctl.ops.elementwise import ElementwiseOp
from nnctl.ops.shapes import TensorType, resolve, show
from nnctl.plan.arena import assign_offsets
from nnctl.plan.dtypes import Precision, element
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
    lowering = _Lowering(graph, sizes, precision, strategy)
    return lowering.plan()


class _Work(NamedTuple):
    """The work of launches of one form. bytes: of all that they read and write."""

    attributes: Mapping[str, Any]
    flops: int
    bytes: int


class _Lowering:
    def __init__(self, graph: Graph, sizes: Mapping[str, int], precision: Precision, strategy: Strategy) -> None:
        self.graph = graph
        self.sizes = sizes
        self.precision = precision
        self.slots: dict[Value, Slot] = {}
        self.resolved: dict[TensorType, tuple[TensorType, int]] = {}
        self.works: dict[Form, _Work] = {}
        self.source = view_sources(graph)
        launched = [n for n in graph.nodes if n.op.name not in VIEWS]
        constant = set(constant_nodes(graph))
        self.setup = [n for n in launched if n in constant]
        inlined = strategy.inlined(graph) - constant
        self.inlined = {n.outputs[0]: n for n in launched if n in inlined}
        self.scheduled = strategy.schedule(graph, [n for n in launched if n not in constant and n not in inlined])
        self.nodes = [s.node for s in self.scheduled]
        # Names are for people and may repeat; a number tells constants apart.
        self.constants = {v: str(i) for i, v in enumerate(v for n in self.setup for v in n.outputs)}
        self.inline_keys = {v: str(i) for i, v in enumerate(self.inlined)}
        self.position = {v: i for i, n in enumerate(self.nodes) for v in n.outputs}
        self.rank = {v: i for i, v in enumerate(self.position)}
        """Numbers of values in the order in which they are made."""
        self.guarded = self._guarded()
        self.reads = [self._reads(node) for node in self.nodes]
        self.read = {v: i for i, values in enumerate(self.reads) for v in values}
        """Index of the last launch that reads each value, or a view of it."""
        self.last_read = self._last_reads()
        self.in_place = self._in_place()
        self.offsets, self.arena_bytes = self._arena()

    def plan(self) -> Plan:
        launches = tuple([self._launch(s) for s in self.scheduled])
        guard = self.graph.guard
        copies = tuple(
            (self._slot(new), self._slot(old))
            for old, new in self.graph.updates.items()
            if self.in_place.get(new) is not old
        )
        return Plan(
            name=self.graph.name,
            precision=self.precision,
            sizes=dict(self.sizes),
            setup=tuple(self._launch(Scheduled(n, 0)) for n in self.setup),
            launches=launches,
            inlined={self.inline_keys[v]: self._launch(Scheduled(n, 0)) for v, n in self.inlined.items()},
            outputs={name: self._slot(v) for name, v in self.graph.outputs.items()},
            guard=None if guard is None else self._slot(guard),
            guarded=self.guarded,
            copies=copies,
            arena_bytes=self.arena_bytes,
        )

    def _root(self, value: Value) -> Value:
        return self.source.get(value, value)

    def _reads(self, node: Node) -> set[Value]:
        """The stored values that a launch reads, through views and inlined nodes."""
        inputs = node.inputs
        if self.source.keys().isdisjoint(inputs) and self.inlined.keys().isdisjoint(inputs):
            return set(inputs)
        found: set[Value] = set()
        for value in map(self._root, inputs):
            found |= self._reads(self.inlined[value]) if value in self.inlined else {value}
        return found

    def _guarded(self) -> int:
        """Index of the first launch after the guard is known."""
        if self.graph.guard is None:
            return len(self.nodes)
        return self.position.get(self._root(self.graph.guard), -1) + 1

    def _last_reads(self) -> dict[Value, int]:
        """Index of the last launch that needs each value; results live to the end."""
        end = len(self.nodes)
        updated = {self._root(new) for new in self.graph.updates.values()}
        outputs = {self._root(v) for v in self.graph.outputs.values()}
        guard = {self._root(self.graph.guard)} if self.graph.guard is not None else set()
        return self.read | dict.fromkeys(updated | outputs | guard, end)

    def _in_place(self) -> dict[Value, Value]:
        """New value → the parameter or state whose memory it may take over."""
        elsewhere = {self._root(v) for v in self.graph.outputs.values()}
        # What is computed before the guard is known must not yet touch storage.
        first = 0 if self.graph.guard is None else self.guarded
        found: dict[Value, Value] = {}
        for old, new in self.graph.updates.items():
            written = self.position.get(new)
            if written is None or written < first or new in found or new in elsewhere or old in elsewhere:
                continue
            # Most ops need their input whole to the end; some may write over it.
            last = written if self._may_overwrite(self.nodes[written], old) else written - 1
            if self.read.get(old, -1) <= last:
                found[new] = old
        return found

    def _may_overwrite(self, node: Node, old: Value) -> bool:
        """True where a node may write its output over `old` while it computes."""
        if isinstance(node.op, ElementwiseOp):
            return True
        elsewhere = {self._root(value) for value in node.inputs[1:]}
        return node.op.overwrites and self._root(node.inputs[0]) is old and old not in elsewhere

    def _arena(self) -> tuple[dict[Value, int], int]:
        lifetimes: dict[Value, tuple[int, int]] = {}
        sizes: dict[Value, int] = {}
        heirs = self._heirs()
        phases = [scheduled.phase for scheduled in self.scheduled]
        # After the last launch is a phase of its own.
        phases.append(phases[-1] + 1 if phases else 0)
        for value, written in self.position.items():
            if value in self.in_place:
                continue
            last = phases[self.last_read.get(value, written)]
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
                layer=self.nodes[self.position[largest]].layer,
            )
        offsets, total = assign_offsets(lifetimes, sizes)
        return offsets | {value: offsets[owner] for value, owner in heirs.items()}, total

    def _heirs(self) -> dict[Value, Value]:
        """Value → the first owner of the memory that it takes over within a phase.

        Both are of one size, so that each thread has the same bytes of both.
        """
        found: dict[Value, Value] = {}
        for _, group in groupby(zip(self.scheduled, self.reads), lambda one: one[0].phase):
            phase = list(group)
            if len(phase) > 1:
                self._inherit(phase, found)
        return found

    def _inherit(self, phase: Sequence[tuple[Scheduled, set[Value]]], found: dict[Value, Value]) -> None:
        """Add the heirs of a phase, whose launches are given with what they read, to those found."""
        crossed: set[Value] = set()
        for scheduled, reads in phase:
            apart = scheduled.apart
            crossed.update(reads - apart, [v for v in scheduled.node.outputs if v not in apart])
        left: dict[int, list[Value]] = {}
        """Owners of memory that no launch behind needs, by its bytes."""
        position, last_read = self.position, self.last_read
        for scheduled, reads in phase:
            if not scheduled.apart:
                continue
            outputs = scheduled.node.outputs
            made = [v for v in outputs if v not in crossed and v not in self.in_place]
            for value in made:
                owners = left.get(self._resolved(value.type)[1])
                if owners:
                    found[value] = owners.pop()
            place = position[outputs[0]]
            done = [v for v in reads if v in position and v not in crossed and last_read[v] == place]
            done.sort(key=self.rank.__getitem__)
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
        shape = cast("tuple[int, ...]", self._resolved(value.type)[0].shape)
        dtype, batched = value.type.dtype, value.batched
        root = self._root(value)
        home = self.in_place.get(root, root)
        if home.role == "feed":
            return Slot(value.name, "feed", shape, dtype, home.name, 0, batched)
        if home.role != "computed":
            return Slot(value.name, "storage", shape, dtype, home.name, 0, batched)
        if root in self.offsets:
            return Slot(value.name, "arena", shape, dtype, "", self.offsets[root], batched)
        if root in self.inline_keys:
            return Slot(value.name, "inline", shape, dtype, self.inline_keys[root], 0, batched)
        return Slot(value.name, "constant", shape, dtype, self.constants[root], 0, batched)

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


def constant_nodes(graph: Graph) -> list[Node]:
    """Nodes that compute the same in every step: those that read only statistics and one another."""
    constant: set[Value] = set()
    found = []
    for node in graph.nodes:
        for value in node.inputs:
            if value not in constant and value.role != "statistic":
                break
        else:
            constant.update(node.outputs)
            found.append(node)
    return found
