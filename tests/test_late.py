import copy
import dataclasses
import inspect
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import field
from typing import Any, ClassVar

import pytest

from nnctl.late import dataclass as late


def _classes(made: Callable[..., Any]) -> dict[str, type[Any]]:
    """The same classes, made by one decorator or the other."""

    @made(frozen=True)
    class Base:
        """A base."""

        first: int
        second: "str" = "two"
        kind: ClassVar[str] = "base"

    @made(frozen=True, kw_only=True)
    class Named(Base):
        """Fields by keyword, one that the base has."""

        second: str
        third: list[int] = field(default_factory=list)

    @made(frozen=True, eq=False)
    class Alone(Base):
        """Compared by identity."""

    @made
    class Mutable:
        """May be changed."""

        items: list[int] = field(default_factory=list)
        hidden: float = field(default=1.0, repr=False, compare=False)
        count: int = 0

    @made(frozen=True)
    class Empty:
        """Nothing."""

    @made(frozen=True)
    class Own:
        """Methods of its own."""

        value: int

        def __repr__(self) -> str:
            return f"<{self.value}>"

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Own) and self.value % 2 == other.value % 2

        def __hash__(self) -> int:
            return self.value % 2

        def __post_init__(self) -> None:
            if self.value < 0:
                raise ValueError("below 0")

    class Heir(Base):
        """Not decorated."""

    return {cls.__name__: cls for cls in (Base, Named, Alone, Mutable, Empty, Own, Heir)}


LATE, USUAL = _classes(late), _classes(dataclasses.dataclass)
CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("Base", (1,), {}),
    ("Base", (), {"second": "b", "first": 2}),
    ("Named", (1,), {}),
    ("Named", (1,), {"second": "b", "third": [3]}),
    ("Alone", (1, "b"), {}),
    ("Mutable", (), {}),
    ("Mutable", ([1], 2.0), {"count": 3}),
    ("Empty", (), {}),
    ("Own", (3,), {}),
    ("Heir", (1,), {}),
]


@pytest.mark.parametrize(("name", "arguments", "named"), CALLS)
def test_instances_are_those_of_the_standard_library(
    name: str, arguments: tuple[Any, ...], named: dict[str, Any]
) -> None:
    ours, theirs = (classes[name](*arguments, **named) for classes in (LATE, USUAL))
    assert repr(ours) == repr(theirs)
    assert dataclasses.asdict(ours) == dataclasses.asdict(theirs)
    assert vars(ours) == vars(theirs)
    assert (ours == copy.copy(ours)) is (theirs == copy.copy(theirs))
    assert ours.__match_args__ == theirs.__match_args__
    assert [(f.name, f.default, f.kw_only) for f in dataclasses.fields(ours)] == [
        (f.name, f.default, f.kw_only) for f in dataclasses.fields(theirs)
    ]
    assert dataclasses.replace(ours) == ours or name == "Alone"
    parameters = [
        [(p.name, p.kind, p.annotation) for p in inspect.signature(classes[name]).parameters.values()]
        for classes in (LATE, USUAL)
    ]
    assert parameters[0] == parameters[1]
    if name not in ("Mutable", "Named", "Alone"):
        assert hash(ours) == hash(theirs) == hash(copy.copy(ours))


def test_what_is_frozen_cannot_be_changed() -> None:
    one = LATE["Base"](1)
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'first'"):
        one.first = 2
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot delete field 'first'"):
        del one.first
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.other = 2
    heir = LATE["Heir"](1)
    heir.other = 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        heir.first = 2
    changed = LATE["Mutable"]()
    changed.count = 4
    assert changed.count == 4


def test_wrong_arguments_are_named_from_the_first_call_on() -> None:
    cls = _classes(late)["Base"]
    for _ in range(2):
        with pytest.raises(TypeError, match=r"Base\.__init__\(\) missing 1 required positional argument: 'first'"):
            cls()
        with pytest.raises(TypeError, match="unexpected keyword argument 'third'"):
            cls(1, third=3)
    with pytest.raises(ValueError, match="below 0"):
        LATE["Own"](-1)


def test_what_is_mutable_has_no_hash_and_its_own_defaults() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(LATE["Mutable"]())
    assert LATE["Mutable"]().items is not LATE["Mutable"]().items


@pytest.mark.parametrize("below", [late, dataclasses.dataclass])
@pytest.mark.parametrize("above", [late, dataclasses.dataclass])
def test_classes_of_both_derive_from_each_other(below: Any, above: Any) -> None:
    @below(frozen=True)
    class Base:
        first: int

    @above(frozen=True)
    class Derived(Base):
        second: int = 2

    assert repr(Derived(1)).endswith("Derived(first=1, second=2)")
    assert Derived(1) == Derived(1, 2) != Base(1)
    with pytest.raises(TypeError, match="frozen"):

        @above
        class Loose(Base):
            pass


def test_instances_are_pickled() -> None:
    assert pickle.loads(pickle.dumps(Pickled(1))) == Pickled(1)


@late(frozen=True)
class Pickled:
    value: int


def test_patterns_match_by_position() -> None:
    match LATE["Base"](1, "b"):
        case object(first=first, second=second):
            assert (first, second) == (1, "b")
    match Pickled(3):
        case Pickled(value):
            assert value == 3


def test_a_command_loads_no_class_of_the_standard_librarys() -> None:
    """Each costs half a millisecond of every start."""
    program = (
        "import dataclasses, sys\n"
        "made = []\n"
        "process = dataclasses._process_class\n"
        "def noted(cls, *rest):\n"
        "    made.append((cls, *rest))\n"
        "    return process(cls, *rest)\n"
        "dataclasses._process_class = noted\n"
        "import nnctl.training.session, nnctl.cli.train, nnctl.inference.prediction, nnctl.components.registry as r\n"
        "r.kinds()\n"
        "names = [f'{c.__module__}.{c.__qualname__}' for c, init, *_ in made if init]\n"
        "print([n for n in names if n.startswith('nnctl.') and not n.startswith('nnctl.late.')])"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"
