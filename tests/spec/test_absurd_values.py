"""Absurd numbers in every field that takes a number: an error that says so, or a net; never a traceback, never long."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from work import calls

from nnctl.components.registry import components, kinds
from nnctl.engine.memory import require_for_training
from nnctl.errors import NnctlError
from nnctl.graph import interface
from nnctl.graph.network import Network
from nnctl.plan.lower import lower
from nnctl.spec.catalogue import entry
from nnctl.spec.document import Spec
from nnctl.spec.load import Loaded, load_text
from nnctl.spec.schema.forms import Form, Leaf, ListOf, OneOf, Record, fields_of
from nnctl.training.rates import Rates
from nnctl.training.timetable import Timetable

NUMBERS = ["0", "-1", "1", str(10**9), str(2**63 - 1), str(-(2**63)), "1" + "0" * 300, "9" * 399]
REALS = [".nan", ".inf", "-.inf", "1e308", "-1e308", "5e-324", "1e-300", "0.0", "-0.0"]
ABSURD = [*NUMBERS, *REALS]
MOST_CALLS = 500_000
"""Of functions, that a spec of a few lines may take, whatever its numbers."""

AROUND = """\
layers:
  - {type: dense, units: 3}
  - flatten
  - {type: dense, units: 2}
cost: mse
"""
DATA = {
    "points": "{type: blobs, centers: 2, features: 6, validation: 10}",
    "pictures": "{type: digits, classes: [0, 1]}",
    "sequences": "{type: parity_sequence, length: 6}",
    "indices": "{type: copy_memory, symbols: 2, delay: 3, copied: 2}",
}


def numeric(form: Form) -> Iterator[str]:
    """The ways to write a number where a form takes one: … stands for it."""
    match form:
        case Leaf(base) if base in (int, float):
            yield "…"
        case OneOf(forms):
            for each in forms:
                yield from numeric(each)
        case ListOf(item, least, _, fixed):
            if fixed:
                yield f"[{', '.join('…' for _ in fixed)}]"
            else:
                yield from (f"[{', '.join([way] * max(1, least))}]" for way in numeric(item))


def compiled(loaded: Loaded) -> None:
    """The way of a spec to the plan of its step, as far as it goes without numbers."""
    spec = loaded.spec
    with loaded.pointing():
        network = Network(spec, spec.data.signature(loaded.folder))
        lower(network.prediction, interface.sizes(32, 1000))
        require_for_training(network, 32, 1000)
        lower(network.training_step, interface.sizes(32, 1000))
        lower(network.evaluation, interface.sizes(32, 1000))
    timetable = Timetable.of_spec(spec, 1000)
    timetable.next_evaluation(0)
    Rates(network.spec.schedule.learning_rate, network.spec.optimizer, timetable).values(0, 2)


def attempt(data: str, overrides: list[str]) -> None:
    refusals: list[NnctlError] = []

    def compile_it() -> None:
        try:
            compiled(load_text(f"data: {data}\n{AROUND}", overrides=overrides))
        except NnctlError as error:
            refusals.append(error)

    assert calls(compile_it) < MOST_CALLS
    for refused in refusals:
        assert refused.exit_code in (2, 3)
        assert len(str(refused)) < 20_000


EACH = [(kind, name) for kind in kinds() for name in components(kind)]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "name"), EACH)
def test_every_number_of_every_component(kind: str, name: str) -> None:
    found = entry(kind, name)
    _, _, value = found.example.partition(": ")
    path = found.under.replace("N", "0").replace(".PATH", "")
    before: list[str] = []
    inside = path
    if kind == "layer":
        path, value = "layers.0", value.removeprefix("[").removesuffix("]")
        inside = path
    elif kind == "distribution":
        value, before = value.replace("PATH", "layers.0.units"), ["sweep.trials=3"]
        inside = f"{path}.layers.0.units"
    elif value.startswith("["):
        inside = f"{path}.0"
    elif kind == "cost" and (fitting := components("cost")[name].outputs):
        before = [f"layers.2.activation={fitting[0]}"]
    contexts = list(DATA) if kind == "layer" else ["pictures" if kind in ("augmentation", "expansion") else "points"]
    for field in fields_of(components(kind)[name]).values():
        for way in numeric(field.form):
            for absurd in ABSURD:
                written = way.replace("…", absurd)
                change = [f"{path}={value}", f"{inside}.{field.name}={written}"]
                for context in contexts:
                    attempt(DATA[context], [*before, *change])


def records(cls: type, path: str) -> Iterator[tuple[str, str]]:
    """Paths of the numbers of a record and of the records inside it, with the ways to write them."""
    for field in fields_of(cls).values():
        inner = f"{path}.{field.name}" if path else field.name
        yield from ((inner, way) for way in numeric(field.form))
        for form in field.form.forms if isinstance(field.form, OneOf) else (field.form,):
            if isinstance(form, Record):
                yield from records(form.cls, inner)


@pytest.mark.parametrize(("path", "way"), [*records(Spec, "")])
def test_every_number_of_the_spec_itself(path: str, way: str) -> None:
    for absurd in ABSURD:
        attempt(DATA["points"], [f"{path}={way.replace('…', absurd)}"])
