"""Weights of others given to the layers of a net: whose layout it is, which array is whose, and whether all fits."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.components.layers.shapes import show
from nnctl.errors import ShapeError, UsageError
from nnctl.late import dataclass
from nnctl.spec.messages.wording import listing
from nnctl.weights.files import WeightsFile
from nnctl.weights.turning import LAYOUTS, OWN, Wanted, WeightedLayers

_MARKS = {
    "torch": re.compile(r"weight_(ih|hh)_l\d+(_reverse)?|bias_(ih|hh)_l\d+(_reverse)?|running_var|num_batches_tracked"),
    "keras": re.compile(r"kernel|recurrent_kernel|embeddings|moving_mean|moving_variance"),
    OWN: re.compile(r"recurrent_weight|recurrent_bias|running_variance"),
}
"""Names of arrays that one layout alone has."""
_BY_FORMAT = {"pt": "torch"}
"""Layouts by the word `format` that the libraries write into a safetensors file."""


@dataclass(frozen=True)
class Taken:
    """Arrays for a net. layers: each layer's path, and the names in the file that it has its arrays from.

    layout: the word for the file's layout, and `why` it is taken to be that. left: names that no layer has taken.
    """

    arrays: dict[str, NDArray[np.float32]]
    layers: dict[str, list[str]]
    layout: str
    why: str
    left: list[str]


@dataclass(frozen=True)
class Reading:
    """A reading of a file for some layers of a net.

    layers: of the net in a layout. wanted: shapes of the net's arrays. only: names of the root layers that are asked
    for, None for all. rename: names or beginnings of names in the file, and what stands for them here.
    """

    file: WeightsFile
    layers: Callable[[str], WeightedLayers]
    wanted: Wanted
    only: tuple[str, ...] | None
    rename: Mapping[str, str]

    def take(self, layout: str | None) -> Taken:
        """Arrays that the file has for the layers, in the layout of that name or the one that it is recognized by.

        Raises ShapeError, whose path is the place in the spec, and UsageError.
        """
        names = self._renamed()
        if layout is not None:
            return self._taken(names, layout, "asked for")
        found = self._recognized(names)
        if found is not None:
            return self._taken(names, *found)
        readings: dict[str, Taken] = {}
        errors: dict[str, UsageError] = {}
        for word in ("torch", OWN):
            try:
                readings[word] = self._taken(names, word, "the only one that fits")
            except UsageError as error:
                errors[word] = error
        if not readings:
            raise errors["torch"]
        first, *others = readings.values()
        if others and any(not np.array_equal(first.arrays[name], others[0].arrays[name]) for name in first.arrays):
            square = next(n for n in first.arrays if not np.array_equal(first.arrays[n], others[0].arrays[n]))
            raise ShapeError(
                f"{self.file.path}: {square} can be read in two ways, for its shape {show(first.arrays[square].shape)} "
                "is the same transposed, and nothing in the file says whose layout it is",
                f"say layout: torch where PyTorch has written it, or layout: {OWN}",
                path="from",
            )
        return first

    def _recognized(self, names: Mapping[str, str]) -> tuple[str, str] | None:
        """The layout that the file names or shows, and by what."""
        said = self.file.metadata
        if (word := said.get("layout", "")) in LAYOUTS:
            return word, "the file says so"
        marks = {word: [n for n in names.values() if mark.fullmatch(_last(n))] for word, mark in _MARKS.items()}
        shown = [word for word in marks if marks[word]]
        if len(shown) == 1:
            return shown[0], f"it has {marks[shown[0]][0]}"
        if len(shown) > 1:
            several = listing(f"{marks[word][0]} of {word}" for word in shown)
            raise ShapeError(
                f"{self.file.path}: has arrays of several layouts, {several}", "say layout: …", path="from"
            )
        if self.file.numbered:
            return "keras", "it is a file of Keras"
        if (found := _BY_FORMAT.get(said.get("format", ""))) is not None:
            return found, f"the file says format: {said['format']}"
        return None

    def _renamed(self) -> dict[str, str]:
        """Names in the file by what they are called here. Raises ShapeError."""
        used: set[str] = set()
        names: dict[str, str] = {}
        around = self._around()
        for name in sorted(self.file.arrays, key=_natural):
            inner = name.removeprefix(around)
            fitting = [(key, each) for key in self.rename for each in (name, inner) if f"{each}.".startswith(f"{key}.")]
            key, whole = max(fitting, key=lambda pair: len(pair[0]), default=("", inner))
            used.add(key)
            here = self.rename[key] + whole[len(key) :] if key else inner
            if here in names:
                raise ShapeError(f"{self.file.path}: both {names[here]} and {name} would be {here}", path="from.rename")
            names[here] = name
        if unknown := [key for key in self.rename if key not in used]:
            modules = dict.fromkeys(_begin(name) or name for name in sorted(self.file.arrays, key=_natural))
            message = f"{self.file.path} has no '{unknown[0]}' to rename"
            raise ShapeError(message, f"it has {_some(modules)}", path="from.rename")
        return names

    def _around(self) -> str:
        """The name, with its dot, of a module that all others of the file are in; empty where there is none."""
        modules = [_begin(name).split(".") for name in self.file.arrays]
        outer = modules[0][0] if modules else ""
        here = {name.partition(".")[0] for name in self.wanted}
        inside = all(module[0] == outer and len(module) > 1 for module in modules)
        return f"{outer}." if inside and outer not in here else ""

    def _taken(self, names: Mapping[str, str], layout: str, why: str) -> Taken:
        layers = self.layers(layout)
        paths = [p for p in layers.calls if self.only is None or p.partition(".")[0] in self.only]
        lacking = [p for p in paths if not any(name.startswith(f"{p}.") for name in names)]
        if lacking:
            raise self._lacking(lacking, names, layers)
        arrays: dict[str, NDArray[np.float32]] = {}
        sources: dict[str, list[str]] = {}
        for path in paths:
            theirs = self._of_layer(path, names, layers)
            checked = {name: self._number(source) for name, source in theirs.items()}
            arrays |= layers.take(path, checked, self.wanted)
            sources[path] = list(theirs.values())
        used = {name for each in sources.values() for name in each}
        return Taken(
            {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in arrays.items()},
            sources, layout, why, [name for name in names.values() if name not in used and not _ignored(name, layers)],
        )  # fmt: skip

    def _of_layer(self, path: str, names: Mapping[str, str], layers: WeightedLayers) -> dict[str, str]:
        """Names in the file by the layout's names of a layer's arrays. Raises ShapeError where they are others."""
        expected = layers.expected(path, self.wanted)
        there = {n.removeprefix(f"{path}."): source for n, source in names.items() if n.startswith(f"{path}.")}
        if self.file.numbered:
            there = {_by_number(name, list(expected)): source for name, source in there.items()}
        found: dict[str, str] = {}
        of_layer = list(there.values())
        for name, shape in expected.items():
            if _ignored(name, layers):
                continue
            if name not in there:
                raise ShapeError(
                    f"{self.file.path} has no {path}.{name} {show(shape)} for '{path}'",
                    f"of that layer it has {_some(of_layer)}; {_leave_out(self.only, path)}",
                    path="from",
                )
            source = there.pop(name)
            if (other := self.file.arrays[source].shape) != shape:
                raise ShapeError(
                    f"{source} has shape {show(other)} in {self.file.path}, and {path}.{name} {show(shape)} here",
                    self._turned(other, shape, path),
                    path="from",
                )
            found[name] = source
        if more := [source for name, source in there.items() if not _ignored(name, layers)]:
            raise ShapeError(
                f"{self.file.path} has {more[0]}, for which '{path}' has no place",
                f"the layer has {_some(expected)}; as it is there, it would compute something else",
                path="from",
            )
        return found

    def _turned(self, theirs: tuple[int, ...], ours: tuple[int, ...], path: str) -> str:
        words = f"give '{path}' the size that it has there, or {_leave_out(self.only, path)}"
        if sorted(theirs) == sorted(ours):
            return f"the axes are in another order: say whose layout it is, {listing(f'layout: {w}' for w in LAYOUTS)}"
        return words

    def _number(self, source: str) -> NDArray[np.float64]:
        array = self.file.arrays[source]
        if array.dtype.kind not in "fiu":
            raise ShapeError(f"{source} holds {array.dtype} in {self.file.path}, and weights are numbers", path="from")
        if not np.isfinite(array).all():
            raise ShapeError(f"{source} in {self.file.path} holds what is no finite number", path="from")
        return array.astype(np.float64)

    def _lacking(self, lacking: list[str], names: Mapping[str, str], layers: WeightedLayers) -> ShapeError:
        """The error for layers of which the file has nothing, with a renaming that would fit, where there is one."""
        known = [f"{path}." for path in layers.calls]
        free = [name for name in names.values() if not any(name.startswith(begin) for begin in known)]
        modules = [module for module in dict.fromkeys(map(_begin, free)) if module]
        hint = f"rename: {{name in the file: name here}}; the file has {_some(modules or free)}"
        if len(modules) == len(lacking):
            pairs = ", ".join(f"{_quoted(theirs)}: {ours}" for theirs, ours in zip(modules, lacking))
            hint = f"in their order that would be rename: {{{pairs}}}"
        return ShapeError(f"{self.file.path} has no arrays of '{lacking[0]}'", hint, path="from")


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _begin(name: str) -> str:
    """The module that an array belongs to; the layer, of a cell that walks in one direction."""
    module = name.rpartition(".")[0]
    return re.sub(r"\.(forward|backward)$", "", module)


def _natural(name: str) -> list[Any]:
    """A key for names in which numbers count as numbers."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", name)]


def _by_number(name: str, expected: list[str]) -> str:
    """The layout's name of an array that is known by its number in its layer, or in the cell of a direction."""
    direction, _, number = name.rpartition(".")
    own = [each for each in expected if each.rpartition(".")[0] == direction]
    return own[int(number)] if number.isdigit() and int(number) < len(own) else name


def _ignored(name: str, layers: WeightedLayers) -> bool:
    return layers.layout is not None and _last(name) in layers.layout.ignored


def _quoted(name: str) -> str:
    return f"'{name}'" if name.replace(".", "").isdigit() else name


def _some(names: Iterable[str]) -> str:
    return listing(names) or "nothing"


def _leave_out(only: tuple[str, ...] | None, path: str) -> str:
    root = path.partition(".")[0]
    if only is None:
        return f"name the other layers in from.layers: '{root}' then starts at random"
    return f"leave '{root}' out of from.layers: it then starts at random"
