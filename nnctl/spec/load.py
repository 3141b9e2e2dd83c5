"""Loading: a file, or a text, to a checked spec with the place of every value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from nnctl.errors import DataError, Diagnostic, Location, ShapeError, SpecError
from nnctl.late import dataclass
from nnctl.spec.check.consistency import check
from nnctl.spec.check.validate import Place, Validated, in_order, validate
from nnctl.spec.document import Spec
from nnctl.spec.dump import dump_resolved, dump_spec, spec_to_dict
from nnctl.spec.overrides import apply
from nnctl.spec.yaml.parser import compose
from nnctl.spec.yaml.source_text import SourceText, read_file
from nnctl.spec.yaml.tree import Node

__all__ = ["Loaded", "dump_spec", "load_source", "load_spec", "load_text", "load_tree", "load_variant", "spec_to_dict"]


@dataclass(frozen=True)
class Loaded:
    """A spec with the places of its values.

    places: of every value that the file or an override says, by path ("layers.2.units").
    folder: the base of relative paths in the spec.
    source: the file's name in messages.
    tree: what the spec was validated from, overrides applied.
    """

    spec: Spec
    places: Mapping[str, Place]
    folder: Path
    source: str
    tree: Node

    @cached_property
    def resolved(self) -> Mapping[str, Any]:
        """The resolved spec as plain data, every default among it."""
        return spec_to_dict(self.spec)

    @cached_property
    def text(self) -> str:
        """The resolved spec as YAML, every default written out."""
        return dump_resolved(self.resolved)

    def locate(self, path: str) -> Location | None:
        """The location of the value at a path, or of the nearest part of the spec around it."""
        while path and path not in self.places:
            path = path.rpartition(".")[0]
        place = self.places.get(path)
        return place.value if place else None

    def error(self, path: str, message: str, expected: str = "", hint: str = "") -> SpecError:
        """The error for a problem after loading, pointed at the value it comes from."""
        return SpecError([Diagnostic(message, self.locate(path), expected, hint)])

    @contextmanager
    def pointing(self) -> Iterator[None]:
        """A block in which what does not fit the data or another layer is a SpecError at its place in the file."""
        try:
            yield
        except ShapeError as error:
            raise self.shape_error(error) from error
        except DataError as error:
            if not error.field:
                raise
            message, _, hint = error.message.partition("\n")
            raise self.error(f"data.{error.field}", message, hint=hint.strip()) from error

    def shape_error(self, error: ShapeError) -> SpecError:
        """A shape error of the graph, pointed at the layer in the file."""
        message = f"{error.layer}: {error.message}" if error.layer else error.message
        return self.error(error.path, message, hint=error.hint)


def load_spec(path: str | Path, overrides: Iterable[str] = ()) -> Loaded:
    """The spec in a file, with `path=value` overrides applied.

    Raises SpecError with every problem, each at its place in the file or in an override.
    """
    file = Path(path)
    return load_source(read_file(file), file.parent, file.stem, overrides)


def load_text(text: str, name: str = "spec.yaml", overrides: Iterable[str] = (), folder: Path | None = None) -> Loaded:
    """The spec in a text that messages call `name`. Raises SpecError."""
    return load_source(SourceText(text, name), folder or Path(), Path(name).stem, overrides)


def load_variant(base: Loaded, overrides: Iterable[str]) -> Loaded:
    """The spec of `base` with more overrides applied; its file is not read again. Raises SpecError."""
    return load_tree(apply(base.tree, overrides), base)


def load_tree(tree: Node, base: Loaded) -> Loaded:
    """The spec in a tree that was made from that of `base`. Raises SpecError."""
    return load_validated(validate(tree), tree, base)


def load_validated(validated: Validated, tree: Node, base: Loaded) -> Loaded:
    """The same of what the tree was validated to."""
    return _checked(validated, tree, base.folder, base.spec.name, base.source)


def load_source(source: SourceText, folder: Path, name: str, overrides: Iterable[str]) -> Loaded:
    """The spec in a text.

    folder: the base of relative paths in it. name: of a spec that gives none. Raises SpecError.
    """
    tree, problems = compose(source)
    try:
        tree = apply(tree, overrides)
        validated = validate(tree)
    except SpecError as error:
        # An unusable number is no value of its field either: one message a place.
        seen = {problem.location for problem in problems}
        problems += [problem for problem in error.diagnostics if problem.location not in seen]
        raise SpecError(in_order(problems, source.name)) from None
    if problems:
        raise SpecError(in_order(problems, source.name))
    return _checked(validated, tree, folder, name, source.name)


def _checked(validated: Validated, tree: Node, folder: Path, name: str | None, source: str) -> Loaded:
    """Validated parts as a spec; `name`: where it says none. Raises SpecError where they contradict each other."""
    spec = validated.spec
    if spec.name is None:
        spec = replace(spec, name=name)
    spec, places = _with_amounts(spec, validated.places)
    if contradictions := check(spec, places, folder):
        raise SpecError(contradictions)
    return Loaded(spec, places, folder, source, tree)


def _with_amounts(spec: Spec, places: Mapping[str, Place]) -> tuple[Spec, Mapping[str, Place]]:
    """Let a cost of amounts, on outputs that are no probabilities, say what the data does not: targets are amounts.

    The cost's place is then the place of `target_type`, where the data says none.
    """
    activation = spec.layers[-1].output_activation
    if not spec.cost.measures_amounts or (activation is not None and activation.probabilities):
        return spec, places
    data = spec.data.with_amounts()
    if data is spec.data:
        return spec, places
    return replace(spec, data=data), {**places, "data.target_type": places["cost"]}
