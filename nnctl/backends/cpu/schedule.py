"""The schedule of a step on several threads: the division of each launch, and the barriers between phases.

Work on examples is divided by rows of the batch: from the gather to the last
backward product of a dense net a thread needs nothing of the others. Work on
weights is divided by blocks of their first axis; gradients of convolutions' kernels, whose first axis is
short, by strips of all their taps and channels. Between the two, threads wait
at a barrier. So a step of a dense net has two phases, whatever its depth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field, replace
from functools import cached_property, partial
from heapq import heappop, heappush
from math import inf

from nnctl.backends.codegen.inlining import inlined_nodes
from nnctl.backends.cpu.division import DividedNode, Division
from nnctl.backends.cpu.kernels import EMITTERS
from nnctl.backends.cpu.ownership import owning_nodes
from nnctl.backends.cpu.rewriting import rewritten
from nnctl.backends.cpu.rewriting.biased_tables import biased_tables
from nnctl.backends.cpu.rewriting.gradients import gradients_in_halves
from nnctl.backends.cpu.rewriting.halves import HALF_PRODUCTS, in_halves
from nnctl.backends.cpu.step_code import StepCode, code_of
from nnctl.graph.ir import Form, Graph, Node, Value
from nnctl.graph.views import view_sources
from nnctl.late import dataclass
from nnctl.ops.elementwise import ElementwiseOp
from nnctl.ops.shapes import TensorType, resolve
from nnctl.plan.dtypes import Precision
from nnctl.plan.lower import lower
from nnctl.plan.plan import Plan


@dataclass(frozen=True)
class CpuPlan(Plan):
    """A plan of this backend. owns: whether threads own halves of weights, or sums for them. other: makes the same step
    the other way; None where no thread can own any, or would gain by it."""

    owns: bool = False
    other: Callable[[], CpuPlan] | None = field(default=None, compare=False, repr=False)

    @property
    def owned(self) -> CpuPlan | None:
        """The same step with threads that own halves of weights; None where there is none."""
        return self if self.owns else self._other

    @property
    def shared(self) -> CpuPlan:
        """The same step with threads that own none."""
        return self._other if self.owns and self._other is not None else self

    @cached_property
    def _other(self) -> CpuPlan | None:
        """Made when it is asked for: seldom are both run."""
        return None if self.other is None else self.other()

    @cached_property
    def code(self) -> StepCode:
        """Its compiled code, which all that load the plan share; its functions also those that differ in numbers."""
        return code_of(self)


def lowered(
    graph: Graph, sizes: Mapping[str, int], precision: Precision = "float32", *, owned_from: float = inf
) -> CpuPlan:
    """The plan of a graph whose launches know their division.

    owned_from: FLOPs of what threads can own, from which they own it in the plan itself instead of the other one.
    """
    own = gradients_in_halves(in_halves(biased_tables(rewritten(graph), sizes), sizes), sizes)
    made = partial(_lowered, own, sizes, precision)
    if not (nodes := owning_nodes(own)):
        return made(owned=False)
    owned = owned_from < inf and _flops(nodes, sizes) >= owned_from
    return replace(made(owned=owned), other=partial(made, owned=not owned))


def _lowered(graph: Graph, sizes: Mapping[str, int], precision: Precision, *, owned: bool) -> CpuPlan:
    return CpuPlan(**vars(lower(graph, sizes, precision, _OWNED if owned else _SHARED)), owns=owned)


def _flops(nodes: Iterable[Node], sizes: Mapping[str, int]) -> int:
    """The FLOPs of nodes at these sizes."""

    def at(values: Iterable[Value]) -> list[TensorType]:
        return [TensorType(resolve(value.type.shape, sizes), value.type.dtype) for value in values]

    def of(node: Node) -> int:
        attributes = {name: resolve(value, sizes) for name, value in node.attributes.items()}
        return int(node.op.flops(at(node.inputs), at(node.outputs), attributes))

    # Equal layers share a form.
    each = {form: of(node) for form, node in {node.form: node for node in nodes}.items()}
    return sum(each[node.form] for node in nodes)


class CpuStrategy:
    """The strategy of the compiled CPU backend."""

    def __init__(self, *, owned: bool = False) -> None:
        self._owned = owned

    def inlined(self, graph: Graph) -> set[Node]:
        """See `Strategy`."""
        return inlined_nodes(graph)

    def schedule(self, graph: Graph, nodes: Sequence[Node]) -> list[DividedNode]:
        """Greedy: everything that can run without waiting runs first, then comes a barrier.

        What writes a parameter waits for the guard. Nothing else may fail to
        run before it, since it only fills scratch memory.
        """
        owning = owning_nodes(graph) if self._owned else set()
        return _Scheduler(graph, nodes, self.inlined(graph), owning).run()


# Each one object: orders of graphs are known by their strategy.
_SHARED, _OWNED = CpuStrategy(), CpuStrategy(owned=True)


class _Scheduler:
    """The schedule under construction. owning: nodes that are divided by halves."""

    def __init__(self, graph: Graph, nodes: Sequence[Node], inlined: set[Node], owning: set[Node]) -> None:
        self.nodes = nodes
        self.owning = owning
        self.source = view_sources(graph)
        self.inlined = {n.outputs[0]: n for n in inlined}
        self.producers = graph.producers
        self.guard = None if graph.guard is None else self.source.get(graph.guard, graph.guard)
        before = self._needed_for_guard()
        # What the guard needs cannot wait for it: such a new value is copied to storage when the step ends.
        updates = {self.source.get(new, new): old for old, new in graph.updates.items()}
        self.old = {new: old for new, old in updates.items() if new not in before}
        self.stored = _stored_numbers(graph, self.source)
        self.formal: dict[tuple[Form, Division], tuple[bool, ...]] = {}
        """For each input whether it is read in full, by the form of nodes and their division."""
        self.of_forms: dict[Form, Division] = {}
        self.divisions = [self._division(node) for node in nodes]
        self.reads = [self._reads(node, division) for node, division in zip(nodes, self.divisions, strict=True)]
        """Stored values that a launch reads, each with True where a thread reads more of it than its partition."""
        self.phase = 0
        self.done: list[DividedNode] = []
        self.written: dict[Value, Division] = {}
        """Values that this phase has written so far, and their division."""
        self.read_in_full: set[Value] = set()
        """Values of which threads may read one another's partitions in this phase."""

    def run(self) -> list[DividedNode]:
        behind = self._behind()
        # Looked at in turn until none can run, as often as there are phases, nodes would cost the square of the depth.
        missing = [len(others) for others in behind]
        followers: list[list[int]] = [[] for _ in self.nodes]
        for place, others in enumerate(behind):
            for other in others:
                followers[other].append(place)
        ready = [place for place, count in enumerate(missing) if not count]
        while ready:
            later: list[int] = []
            while ready:
                again: list[int] = []
                while ready:
                    place = heappop(ready)
                    if self._must_wait(place):
                        later.append(place)
                        continue
                    self._place(place)
                    for follower in followers[place]:
                        missing[follower] -= 1
                        if not missing[follower]:
                            # The turn of those before this one has passed: theirs is when all others have had one.
                            heappush(ready if follower > place else again, follower)
                ready = again
            if later:
                self._barrier()
            ready = later
        return self.done

    def _behind(self) -> list[set[int]]:
        """For each node, the places of those that it comes behind.

        They make what it reads. Where it changes what is stored, the guard is known before, and earlier nodes have
        read the old value.
        """
        makers = {value: place for place, node in enumerate(self.nodes) for value in node.outputs}
        readers: dict[Value, list[int]] = {old: [] for old in self.old.values()}
        behind: list[set[int]] = []
        for place, node in enumerate(self.nodes):
            found = {makers[value] for value, _ in self.reads[place] if value in makers}
            for value in node.outputs:
                if value in self.old:
                    found.update(readers[self.old[value]])
                    if self.guard in makers:
                        found.add(makers[self.guard])
            for value, _ in self.reads[place]:
                if value in readers:
                    readers[value].append(place)
            behind.append(found)
        return behind

    def _needed_for_guard(self) -> set[Value]:
        """The guard and every value that it is computed from."""
        found: set[Value] = set()
        waiting = [] if self.guard is None else [self.guard]
        while waiting:
            value = waiting.pop()
            if value not in found:
                found.add(value)
                producer = self.producers.get(value)
                waiting += () if producer is None else producer.inputs
        return found

    def _place(self, place: int) -> None:
        node, division, reads = self.nodes[place], self.divisions[place], self.reads[place]
        apart: frozenset[Value] = frozenset()
        if division == "rows":
            apart = frozenset([v for v in node.outputs if v.batched] + [v for v, full in reads if not full])
        self.done.append(DividedNode(node, self.phase, apart, division))
        if division != "private":
            for value in node.outputs:
                self.written[value] = division
                if value in self.old:
                    self.written[self.old[value]] = division
        self.read_in_full.update([v for v, full in reads if full])

    def _barrier(self) -> None:
        self.phase += 1
        self.written.clear()
        self.read_in_full.clear()

    def _must_wait(self, place: int) -> bool:
        """True where a partition that another thread makes in this phase is needed, or would be overwritten."""
        division, written = self.divisions[place], self.written
        for value, full in self.reads[place]:
            if value in written:
                made = written[value]
                alone = made == division == "one"
                if not alone and (full or made != division):
                    return True
        return any(self.old[v] in self.read_in_full for v in self.nodes[place].outputs if v in self.old)

    def _division(self, node: Node) -> Division:
        if node in self.owning:
            return "halves"
        if node.outputs[0] in self.stored:
            return "one"
        known = self.of_forms.get(node.form)
        if known is None:
            known = self.of_forms[node.form] = _division_of(node)
        return known

    def _reads(self, node: Node, division: Division) -> list[tuple[Value, bool]]:
        """See `reads`."""
        inputs, source = node.inputs, self.source
        if division == "halves" or not source.keys().isdisjoint(inputs) or not self.inlined.keys().isdisjoint(inputs):
            return self._looked_up(node, division)
        key = node.form, division
        full = self.formal.get(key)
        if full is None:
            parts = [_reads_partition(node, i, division, value) for i, value in enumerate(inputs)]
            full = self.formal[key] = tuple([not part for part in parts])
        return list(zip(inputs, full, strict=True))

    def _looked_up(self, node: Node, division: Division) -> list[tuple[Value, bool]]:
        """The reads of a node, through views and inlined nodes."""
        found: list[tuple[Value, bool]] = []
        for position, value in enumerate(node.inputs):
            root = self.source.get(value, value)
            inner = self.inlined.get(root)
            if inner is not None:
                reads = self._reads(inner, self._division(inner))
                found += [(v, full or not v.batched) for v, full in reads]
            else:
                owned = division == "halves" and self._reads_half(node, position, self.producers.get(root))
                found.append((root, not owned and not _reads_partition(node, position, division, root)))
        return found

    def _reads_half(self, node: Node, position: int, producer: Node | None) -> bool:
        """True where a thread reads no more of an input than belongs to its half of the weights."""
        return node.inputs[position].shape == _weights_of(node).shape or producer in self.owning


def _weights_of(node: Node) -> Value:
    return node.inputs[1] if node.op is HALF_PRODUCTS else node.outputs[0]


def _division_of(node: Node) -> Division:
    """The division of a node by what it makes."""
    output = node.outputs[0]
    if output.shape == ():
        return "private"
    formula = isinstance(node.op, ElementwiseOp)
    emitter = EMITTERS.get(node.op.name)
    if output.batched:
        # A product that sums over the batch has no rows to divide, whatever the shape of its result.
        across = bool(node.attributes.get("transpose_a"))
        return "rows" if formula or (emitter is not None and emitter.rows and not across) else "one"
    if emitter is not None and emitter.strips:
        return "strips"
    if output.shape[0] == 1:
        return "one"
    return "blocks" if formula or (emitter is not None and emitter.blocks) else "one"


def _reads_partition(node: Node, position: int, division: Division, root: Value) -> bool:
    """True where a thread reads only its partition of an input.

    root: the value whose memory the input shows. Under another first axis it is cut elsewhere.
    """
    value, output = node.inputs[position], node.outputs[0]
    if division == "rows":
        in_full = () if isinstance(node.op, ElementwiseOp) else EMITTERS[node.op.name].full
        return value.batched and root.batched and position not in in_full
    if division == "blocks":
        if value.shape[:1] != root.shape[:1]:
            return False
        if not isinstance(node.op, ElementwiseOp):
            return position in EMITTERS[node.op.name].partition
        return len(value.shape) == len(output.shape) and value.shape[:1] == output.shape[:1] and value.shape != ()
    return False


def _stored_numbers(graph: Graph, roots: dict[Value, Value]) -> set[Value]:
    """Single numbers that need memory: new values of what is stored, and those also seen under another shape."""
    stored = {roots.get(new, new) for new in graph.updates.values()}
    stored |= {root for view, root in roots.items() if view.shape != ()}
    return {v for v in stored if v.shape == ()}
