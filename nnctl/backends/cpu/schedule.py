"""The schedule of a step on several threads: the division of each launch, and the barriers between phases.

Work on examples is divided by rows of the batch: from the gather to the last
backward product of a dense net a thread needs nothing of the others. Work on
weights is divided by blocks of their first axis; gradients of convolutions' kernels, whose first axis is
short, by strips of all their taps and channels. Between the two, threads wait
at a barrier. So a step of a dense net has two phases, whatever its depth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, fields, replace
from functools import cached_property, partial
from heapq import heappop, heappush

from nnctl.backends.codegen.inlining import inlined_nodes
from nnctl.backends.cpu.division import DividedLaunch, Division
from nnctl.backends.cpu.kernels import EMITTERS
from nnctl.backends.cpu.ownership import owning_nodes
from nnctl.backends.cpu.rewriting import rewritten
from nnctl.backends.cpu.rewriting.biased_tables import biased_tables
from nnctl.backends.cpu.rewriting.gradients import gradients_in_halves
from nnctl.backends.cpu.rewriting.halves import HALF_PRODUCTS, in_halves
from nnctl.backends.cpu.step_code import StepCode
from nnctl.graph.ir import Graph, Node, Value
from nnctl.graph.views import view_sources
from nnctl.late import dataclass
from nnctl.ops.elementwise import ElementwiseOp
from nnctl.plan.dtypes import Precision
from nnctl.plan.lower import lower
from nnctl.plan.plan import Launch, Plan
from nnctl.plan.strategy import Scheduled

_OF_LAUNCH = tuple(f.name for f in fields(Launch))
"""Fields. Not `vars` of launches, which lets each have a dictionary, to be read more slowly ever after."""


@dataclass(frozen=True)
class CpuPlan(Plan):
    """A plan of this backend. owning: makes `owned`; None where no thread can own weights, or would gain by it."""

    owning: Callable[[], CpuPlan] | None = field(default=None, compare=False, repr=False)

    @cached_property
    def owned(self) -> CpuPlan | None:
        """The same step with threads that own halves of weights. Made when asked for: seldom is it run."""
        return None if self.owning is None else self.owning()

    @cached_property
    def code(self) -> StepCode:
        """Its compiled code, which all that load the plan share."""
        return StepCode(self)


def lowered(graph: Graph, sizes: Mapping[str, int], precision: Precision = "float32") -> CpuPlan:
    """The plan of a graph whose launches know their division."""
    own = gradients_in_halves(in_halves(biased_tables(rewritten(graph), sizes), sizes), sizes)
    plan = _lowered(own, sizes, precision, owned=False)
    owning = partial(_lowered, own, sizes, precision, owned=True) if owning_nodes(own) else None
    return replace(plan, owning=owning)


def _lowered(graph: Graph, sizes: Mapping[str, int], precision: Precision, *, owned: bool) -> CpuPlan:
    strategy = CpuStrategy(owned=owned)
    plan = lower(graph, sizes, precision, strategy)
    divided = (
        DividedLaunch(**{name: getattr(launch, name) for name in _OF_LAUNCH}, division=division)
        for launch, division in zip(plan.launches, strategy.divisions, strict=True)
    )
    return CpuPlan(**{**vars(plan), "launches": tuple(divided)})


class CpuStrategy:
    """The strategy of the compiled CPU backend.

    divisions: of the launches that `schedule` gave last, in their order.
    """

    def __init__(self, *, owned: bool = False) -> None:
        self._owned = owned
        self.divisions: list[Division] = []

    def inlined(self, graph: Graph) -> set[Node]:
        """See `Strategy`."""
        return inlined_nodes(graph)

    def schedule(self, graph: Graph, nodes: Sequence[Node]) -> list[Scheduled]:
        """Greedy: everything that can run without waiting runs first, then comes a barrier.

        What writes a parameter waits for the guard. Nothing else may fail to
        run before it, since it only fills scratch memory.
        """
        scheduler = _Scheduler(graph, nodes, self.inlined(graph), owning_nodes(graph) if self._owned else set())
        done = scheduler.run()
        self.divisions = scheduler.divisions
        return done


@dataclass
class _Scheduler:
    graph: Graph
    nodes: Sequence[Node]
    inlined: set[Node]
    owning: set[Node]
    """Nodes that are divided by halves."""
    phase: int = 0
    done: list[Scheduled] = field(default_factory=list)
    divisions: list[Division] = field(default_factory=list)
    """Of the launches done, in their order."""
    written: dict[Value, Division] = field(default_factory=dict)
    """Values that this phase has written so far, and their division."""
    read_in_full: set[Value] = field(default_factory=set)
    """Values of which threads may read one another's partitions in this phase."""
    divided: dict[Node, Division] = field(default_factory=dict)
    """The divisions of nodes that were looked at."""
    known: dict[Node, list[tuple[Value, bool]]] = field(default_factory=dict)
    """The reads of nodes that were looked at."""

    def run(self) -> list[Scheduled]:
        source = view_sources(self.graph)
        self.source = source
        self.producer = {v: n for n in self.graph.nodes for v in n.outputs}
        guard = None if self.graph.guard is None else source.get(self.graph.guard, self.graph.guard)
        before = self._needed_for(guard)
        # What the guard needs cannot wait for it: such a new value is copied to storage when the step ends.
        updates = {source.get(new, new): old for old, new in self.graph.updates.items()}
        self.old = {new: old for new, old in updates.items() if new not in before}
        self.stored = _stored_numbers(self.graph, source)
        behind = self._behind(guard)
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
                    node = self.nodes[place]
                    if self._must_wait(node):
                        later.append(place)
                        continue
                    self._place(node)
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

    def _behind(self, guard: Value | None) -> list[set[int]]:
        """For each node, the places of those that it comes behind.

        They make what it reads. Where it changes what is stored, the guard is known before, and earlier nodes have
        read the old value.
        """
        makers = {value: place for place, node in enumerate(self.nodes) for value in node.outputs}
        readers: dict[Value, list[int]] = {}
        behind: list[set[int]] = []
        for place, node in enumerate(self.nodes):
            reads = [value for value, _ in self._reads(node)]
            changed = [self.old[value] for value in node.outputs if value in self.old]
            found = {makers[value] for value in reads if value in makers}
            found.update(reader for value in changed for reader in readers.get(value, ()))
            if changed and guard in makers:
                found.add(makers[guard])
            for value in reads:
                readers.setdefault(value, []).append(place)
            behind.append(found)
        return behind

    def _needed_for(self, guard: Value | None) -> set[Value]:
        """The guard and every value that it is computed from."""
        found: set[Value] = set()
        waiting = [] if guard is None else [guard]
        while waiting:
            value = waiting.pop()
            if value not in found:
                found.add(value)
                producer = self.producer.get(value)
                waiting += () if producer is None else producer.inputs
        return found

    def _place(self, node: Node) -> None:
        division = self._division(node)
        self.done.append(Scheduled(node, self.phase, self._apart(node) if division == "rows" else frozenset()))
        self.divisions.append(division)
        for value in node.outputs:
            if division != "private":
                self.written[value] = division
                if value in self.old:
                    self.written[self.old[value]] = division
        self.read_in_full.update(v for v, full in self._reads(node) if full)

    def _apart(self, node: Node) -> frozenset[Value]:
        """See `Scheduled`, of a node that is divided by rows."""
        made = [value for value in node.outputs if value.batched]
        return frozenset([*made, *(value for value, full in self._reads(node) if not full)])

    def _barrier(self) -> None:
        self.phase += 1
        self.written.clear()
        self.read_in_full.clear()

    def _must_wait(self, node: Node) -> bool:
        """True where a partition that another thread makes in this phase is needed, or would be overwritten."""
        division = self._division(node)
        for value, full in self._reads(node):
            made = self.written.get(value)
            alone = made == division == "one"
            if made is not None and not alone and (full or made != division):
                return True
        return any(self.old[v] in self.read_in_full for v in node.outputs if v in self.old)

    def _division(self, node: Node) -> Division:
        known = self.divided.get(node)
        if known is None:
            alone = node.outputs[0] in self.stored
            known = self.divided[node] = "halves" if node in self.owning else "one" if alone else _division_of(node)
        return known

    def _reads(self, node: Node) -> list[tuple[Value, bool]]:
        """Stored values that a launch reads, each with True where a thread reads more of it than its partition."""
        if node not in self.known:
            self.known[node] = self._looked_up(node)
        return self.known[node]

    def _looked_up(self, node: Node) -> list[tuple[Value, bool]]:
        division = self._division(node)
        found: list[tuple[Value, bool]] = []
        for position, value in enumerate(node.inputs):
            root = self.source.get(value, value)
            producer = self.producer.get(root)
            if producer is not None and producer in self.inlined:
                found += [(v, full or not v.batched) for v, full in self._reads(producer)]
            else:
                owned = division == "halves" and self._reads_half(node, position, producer)
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
