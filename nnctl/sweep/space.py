"""The space of a sweep: which paths a point of it sets, in which order, and to what.

A path may be there only where a condition holds, and a value may follow from
others: both are formulas over the values chosen before them, and over the spec.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from graphlib import CycleError, TopologicalSorter
from itertools import islice
from typing import Any

from nnctl.components.base import Distribution
from nnctl.errors import SpecError, UsageError
from nnctl.late import dataclass
from nnctl.spec.document import Sweep
from nnctl.spec.load import Loaded
from nnctl.spec.overrides import place_of
from nnctl.spec.schema.forms import fields_of
from nnctl.spec.yaml.tree import MappingNode, Node, SequenceNode, plain_data, text_of
from nnctl.sweep.formula import Formula, read

Choose = Callable[[str, Distribution], object]
"""A choice of a value for a path of the space."""


@dataclass(frozen=True)
class Point:
    """A point of the space. left_out: parts of the spec whose condition does not hold."""

    settings: Mapping[str, object]
    left_out: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Text that is equal for equal points."""
        return json.dumps([self.settings, self.left_out], sort_keys=True)


class Space:
    """The space of a sweep over a spec."""

    def __init__(self, base: Loaded, sweep: Sweep) -> None:
        """Read the formulas and find the order in which values are chosen.

        Raises SpecError where a formula cannot be read, or where values follow from one another in a circle.
        """
        self._base, self._sweep = base, sweep
        self.distributions = sweep.space
        self._only = {path: self._read(f"only.{path}", text) for path, text in sweep.only.items()}
        self._derived = {path: self._read(f"derived.{path}", text) for path, text in sweep.derived.items()}
        self._places = {path: self._place(path) for path in self._names()}
        self._meant = {name: self._meaning(name) for formula in self._formulas() for name in formula.names}
        self._known = {
            name: self._value_in_spec(name)
            for formula in (*self._only.values(), *self._derived.values())
            for name in formula.names
            if self._meant[name] is None
        }
        self._order = self._ordered()
        self._refuse_unused()

    @property
    def conditional(self) -> bool:
        """True where not every point has every path."""
        return bool(self._only)

    @cached_property
    def variables(self) -> frozenset[str]:
        """Names that are chosen for other values to follow from, and are no part of the spec."""
        used = {name for formula in self._formulas() for name in formula.names}
        paths = (*self._sweep.grid, *self.distributions, *self._derived)
        return frozenset(path for path in paths if path in used and self._is_variable(path))

    def derives(self, path: str) -> bool:
        """True for a path whose value follows from others."""
        return path in self._derived

    def where(self, path: str, settings: Mapping[str, object]) -> str:
        """The words " where …" for what the formula of a derived path, or else its condition, was worked out from.

        Empty where a value that it names is not there.
        """
        formula = self._derived.get(path) or self._only[path]
        values = self._values(formula, settings)
        return "" if values is None else formula.where(values)

    def point(self, choose: Choose, given: Mapping[str, object] | None = None) -> Point:
        """A point whose values `choose` chooses, one after the other. given: values that are settled before.

        Raises SpecError where a formula has no value for them.
        """
        settings: dict[str, object] = dict(given or {})
        left_out: list[str] = []
        for path in self._order:
            if left_out and any(self._within(path, part) for part in left_out):
                continue
            if path in self._only and not self._holds(f"only.{path}", self._only[path], settings):
                if path not in self.distributions and path not in self._derived:
                    left_out.append(path)
                continue
            if path in self.distributions:
                settings[path] = choose(path, self.distributions[path])
            elif path in self._derived:
                self._derive(path, settings)
        # A path that was chosen before the part around it was left out goes with it.
        for part in left_out:
            settings = {path: value for path, value in settings.items() if not self._within(path, part)}
        return Point(settings, tuple(left_out))

    def most_points(self, most: int) -> int | None:
        """The number of points, without a grid's; `most` where there are more. None where nobody can list them."""
        listed = [distribution.support().values() for distribution in self.distributions.values()]
        if not listed or any(values is None for values in listed):
            return None
        if not self.conditional:
            count = 1
            for values in listed:
                count = min(most, count * len(values[:most] if values is not None else ()))
            return count
        return len({point.key for point in islice(self.points({}), most)})

    def points(self, given: Mapping[str, object]) -> Iterator[Point]:
        """Every point of a space whose values are finite in number, the last path fastest.

        Raises SpecError where a path has more values than can be listed.
        """
        yield from (point for point, _ in self.choices(given))

    def choices(self, given: Mapping[str, object]) -> Iterator[tuple[Point, Mapping[str, object]]]:
        """The same, each with what is chosen for it, by path."""
        digits: list[int] = []
        while True:
            radices: list[int] = []
            chosen: dict[str, object] = {}
            yield self.point(partial(self._counted, digits, radices, chosen), given), chosen
            digits += [0] * (len(radices) - len(digits))
            # The next number of a count whose digits each have a radix of their own.
            while digits and digits[-1] + 1 == radices[len(digits) - 1]:
                digits.pop()
            if not digits:
                return
            digits[-1] += 1

    def _counted(
        self,
        digits: Sequence[int],
        radices: list[int],
        chosen: dict[str, object],
        path: str,
        distribution: Distribution,
    ) -> object:
        """The value that the next digit stands for, the first where there is none; it and its radix are added."""
        values = self._listed(path, distribution)
        index = digits[len(radices)] if len(radices) < len(digits) else 0
        radices.append(len(values))
        chosen[path] = values[index]
        return values[index]

    def _listed(self, path: str, distribution: Distribution) -> Sequence[object]:
        values = distribution.support().values()
        if values is None:
            raise self._base.error(
                f"sweep.space.{path}",
                f"'{path}' has no finite number of values, and the sampler grid tries every one",
                hint="give it a step, or name its values: {type: choice, values: […]}",
            )
        return values

    def _names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self._sweep.grid, *self.distributions, *self._derived, *self._only)))

    def _formulas(self) -> tuple[Formula, ...]:
        return (*self._only.values(), *self._derived.values())

    def _read(self, where: str, text: str) -> Formula:
        try:
            return read(text)
        except UsageError as error:
            message, _, hint = str(error).partition("\n")
            raise self._base.error(f"sweep.{where}", message, hint=hint.strip()) from None

    def _place(self, path: str) -> tuple[str, ...]:
        try:
            return place_of(self._base.tree, path)
        except SpecError:
            return (path,)  # A variable; or what loading will refuse.

    def _within(self, path: str, part: str) -> bool:
        outer = self._places[part]
        return path != part and self._places.get(path, ())[: len(outer)] == outer

    def _is_variable(self, path: str) -> bool:
        return "." not in path and "[" not in path and path not in fields_of(type(self._base.spec))

    def _meaning(self, name: str) -> tuple[str, tuple[str, ...]] | None:
        """(the path that is chosen and that a name in a formula means, the steps from there), None where none is.

        `optimizer` and `type` for `optimizer.type`, however each is written: `layers.0.units` is
        `layers[name=dense1].units`.
        """
        place = self._place(name)
        paths = (*self._sweep.grid, *self.distributions, *self._derived)
        around = [path for path in paths if place[: len(self._places[path])] == self._places[path]]
        if not around:
            return None
        path = max(around, key=lambda path: len(self._places[path]))
        return path, place[len(self._places[path]) :]

    def _value_in_spec(self, name: str) -> object:
        """The value of a path that the search leaves as the spec has it."""
        node: Node | None = self._base.tree
        for step in name.split("."):
            if isinstance(node, MappingNode):
                node = node.get(step)
            elif isinstance(node, SequenceNode) and step.lstrip("-").isdigit() and abs(int(step)) < len(node.items):
                node = node.items[int(step)]
            elif step != "type" or text_of(node) is None:  # The bare name of a component is its type.
                node = None
        if node is not None:
            return _told(plain_data(node))
        where = next(
            f"{kind}.{path}"
            for kind, formulas in (("only", self._only), ("derived", self._derived))
            for path, formula in formulas.items()
            if name in formula.names
        )
        raise self._base.error(
            f"sweep.{where}",
            f"'{name}' is neither searched nor said in the spec",
            hint=f"'{name}' in quotes is a word" if "." not in name else "",
        )

    def _ordered(self) -> tuple[str, ...]:
        """The paths, each behind those that its formula names and behind the part of the spec that it lies in."""
        sorter: TopologicalSorter[str] = TopologicalSorter()
        for path in (*self.distributions, *self._derived, *self._only):
            formulas = [f[path] for f in (self._only, self._derived) if path in f]
            before = [meant[0] for formula in formulas for n in formula.names if (meant := self._meant[n]) is not None]
            around = [part for part in self._only if self._within(path, part)]
            sorter.add(path, *(b for b in (*before, *around) if b not in self._sweep.grid))
        try:
            return tuple(sorter.static_order())
        except CycleError as error:
            circle = list(dict.fromkeys(error.args[1]))
            kind = next(kind for kind in ("derived", "only") for p in circle if p in getattr(self._sweep, kind))
            path = next(p for p in circle if p in getattr(self._sweep, kind))
            raise self._base.error(
                f"sweep.{kind}.{path}", f"values follow from one another in a circle: {' → '.join(error.args[1])}"
            ) from None

    def _refuse_unused(self) -> None:
        """Raise SpecError where a condition is on what is neither searched nor a part of the spec."""
        for path in self._only:
            if path in self.distributions or path in self._derived:
                continue
            try:
                place_of(self._base.tree, path)
            except SpecError as error:
                raise self._base.error(
                    f"sweep.only.{path}", f"'{path}' is neither searched nor a part of the spec"
                ) from error

    def _derive(self, path: str, settings: dict[str, object]) -> None:
        formula = self._derived[path]
        values = self._values(formula, settings)
        if values is not None:
            settings[path] = self._said(f"derived.{path}", formula, values)

    def _holds(self, where: str, formula: Formula, settings: Mapping[str, object]) -> bool:
        values = self._values(formula, settings)
        return values is not None and bool(self._said(where, formula, values))

    def _said(self, where: str, formula: Formula, values: Mapping[str, Any]) -> object:
        try:
            result: object = formula.value(values)
        except UsageError as error:
            raise self._base.error(f"sweep.{where}", str(error)) from None
        return result

    def _values(self, formula: Formula, settings: Mapping[str, object]) -> dict[str, Any] | None:
        """The values of a formula's names; None where one of them is not there in this point."""
        values: dict[str, Any] = {}
        for name in formula.names:
            meant = self._meant[name]
            if meant is None:
                values[name] = self._known[name]
                continue
            path, steps = meant
            if path not in settings:
                return None
            value = settings[path]
            for step in steps:
                if step == "type" and isinstance(value, str):
                    continue  # The bare name of a component is its type.
                if not isinstance(value, Mapping) or step not in value:
                    return None
                value = value[step]
            values[name] = _told(value)
        return values


def _told(value: object) -> object:
    """A value as formulas see it: of a component its type."""
    return value["type"] if isinstance(value, Mapping) and "type" in value else value
