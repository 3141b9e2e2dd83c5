"""`nnctl explain`: every value of a spec, and why it is what it is; or what a component or a key does and takes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nnctl.cli.options import Overrides

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nnctl.spec.catalogue import Entry, FieldEntry, KeyEntry


def explain(
    what: Annotated[
        str | None,
        typer.Argument(
            help="A spec (a YAML file, a run, or - for stdin); a component, as lstm or layer.lstm; a key, as watch.",
            metavar="SPEC|COMPONENT",
            show_default=False,
        ),
    ] = None,
    set_: Overrides = None,
    under: Annotated[
        str, typer.Option("--under", metavar="PATH", help="Only what lies at or under this path, e.g. layers.2.")
    ] = "",
    list_: Annotated[
        bool, typer.Option("--list", help="The components of a kind, as in --list layer; without one, the kinds.")
    ] = False,
) -> None:
    """Explain every value of a spec, or any component or key.

    Of a value: where it came from and what it means. Of a component: its
    formula, its fields with their defaults, an example. Of a key, which may be
    the end of a path as schedule.epochs or dense.units: where it stands, what it
    takes, what it is if absent.
    Text and tables on a terminal, one JSON object a line in a pipe.
    """
    from nnctl.errors import UsageError

    if list_:
        if set_ or under:
            raise UsageError("--list takes the kind of component alone, as in: nnctl explain --list layer")
        _list(what)
        return
    if what is None:
        raise UsageError(
            "give a spec, a component or a key, as in: nnctl explain lstm\n  --list has kinds of components"
        )
    from nnctl.training.specs import names_spec

    if names_spec(what):
        _spec(Path(what), set_ or [], under)
        return
    from nnctl.spec import catalogue

    found = catalogue.explained(what)
    if set_ or under:
        raise UsageError(f"--set and --under are for specs, and {what!r} is none")
    _entries(found)


def _spec(spec: Path, overrides: list[str], under: str) -> None:
    from nnctl.cli.printing import print_rows
    from nnctl.errors import UsageError
    from nnctl.spec.origins import origins
    from nnctl.training.specs import open_spec

    shown = [
        o for o in origins(open_spec(spec, overrides)) if not under or o.path == under or o.path.startswith(f"{under}.")
    ]
    if not shown:
        raise UsageError(f"the spec has nothing at {under!r}")
    print_rows(
        [
            {"path": o.path, "value": o.value, "from": o.words, "about": o.description, "formula": o.formula}
            for o in shown
        ]
    )


def _list(kind: str | None) -> None:
    from nnctl.cli.printing import print_rows
    from nnctl.components.registry import components, kinds, summary
    from nnctl.spec import catalogue

    if kind is None:
        print_rows([{"kind": k, "under": catalogue.under(k), "components": list(components(k))} for k in kinds()])
        return
    named = components(catalogue.known_kind(kind))
    print_rows([{"name": name, "about": summary(cls), "formula": cls.formula} for name, cls in named.items()])


def _entries(entries: Sequence[Entry | KeyEntry]) -> None:
    import sys
    from dataclasses import asdict

    from nnctl.cli.printing import print_json

    if not sys.stdout.isatty():
        for entry in entries:
            print_json(asdict(entry))
        return
    from rich.padding import Padding
    from rich.text import Text

    from nnctl.screen.console import Console, columns_of
    from nnctl.spec.catalogue import KeyEntry
    from nnctl.spec.messages.wording import listing

    console = Console(sys.stdout, columns_of(sys.stdout))

    def show(indent: int, *parts: str | tuple[str, str]) -> None:
        # Text throughout: in plain strings rich takes brackets for markup.
        console.print(Padding(Text.assemble(*parts), (0, 0, 0, indent), expand=False))

    for entry in entries:
        if isinstance(entry, KeyEntry):
            under = f", under {entry.under.rpartition('.')[0]}" if "." in entry.under else ""
            show(0, (entry.name, "bold"), f"  key{under}{f' of {listing(entry.of)}' if entry.of else ''}")
            show(2, f"{entry.name}: {_values(entry)}")
            show(2, entry.about)
            for kind in entry.holds:
                show(2, (f"nnctl explain --list {kind}", "cyan"))
            _fields(entry.fields, show)
            console.print()
            continue
        show(0, (entry.name, "bold"), f"  {entry.kind}, under {entry.under}")
        for paragraph in entry.about.split("\n\n"):
            show(2, " ".join(paragraph.split()))
            console.print()
        if entry.formula:
            show(2, (entry.formula, "cyan"))
            console.print()
        _fields(entry.fields, show)
        if entry.fields:
            console.print()
        show(2, "example  ", (entry.example, "green"))
        console.print()


def _fields(fields: Sequence[FieldEntry], show: Callable[..., None]) -> None:
    for field in fields:
        show(2, (field.name, "bold"), f": {_values(field)}")
        show(6, field.about)


def _values(field: FieldEntry | KeyEntry) -> str:
    """The values that a field accepts, and the one that it has if absent."""
    from nnctl.spec.dump import dump_value
    from nnctl.spec.messages.wording import listing

    if field.required:
        return f"{field.accepts}; required"
    if field.by_convention:
        rules = listing(f"{dump_value(value)} ({name})" for name, value in field.by_convention.items())
        return f"{field.accepts}; if absent {rules}"
    return field.accepts if field.default is None else f"{field.accepts}; {dump_value(field.default)} if absent"
