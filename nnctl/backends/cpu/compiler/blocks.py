"""The text of an LLVM function while it is written: instructions, blocks, slots of variables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from nnctl.backends.cpu.compiler.literals import literal
from nnctl.backends.cpu.compiler.types import Scalar, Type, Value, flattened, leaves, rebuilt, type_of


class Module:
    """The functions and declarations of a module of IR, each once."""

    def __init__(self) -> None:
        self.functions: list[str] = []
        self.metadata: list[str] = []
        self._declared: dict[str, str] = {}

    def declare(self, name: str, result: str, arguments: Sequence[str], attributes: str) -> None:
        """An external function. Raises TypeError where it was declared with other types."""
        text = f"declare {result} @{name}({', '.join(arguments)}){attributes}"
        if self._declared.setdefault(name, text) != text:
            raise TypeError(f"{name} is called with other types elsewhere")

    def node(self, text: str) -> str:
        """A node of metadata."""
        name = f"!{len(self.metadata)}"
        self.metadata.append(f"{name} = {text}")
        return name

    def loop(self, properties: str) -> str:
        """The node of a loop, which begins with itself."""
        return self.node(f"distinct !{{!{len(self.metadata)}, {properties}}}")

    def text(self) -> str:
        """The module."""
        return "\n".join([*self._declared.values(), *self.functions, *self.metadata])


class Blocks:
    """The instructions of one function. Slots lie in its entry block, so that no loop grows the stack."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.entry: list[str] = []
        self.lines: list[str] = []
        self.ended = False
        """True where the present block has its last instruction."""
        self.stretch = 0
        """The number of the present stretch of text that is run from its beginning to its end."""
        self._count = 0

    def let(self, text: str) -> str:
        """A register for an instruction's result."""
        self._count += 1
        register = f"%r{self._count}"
        self.say(f"{register} = {text}")
        return register

    def say(self, text: str) -> None:
        """An instruction without a result."""
        if not self.ended:
            self.lines.append(f"  {text}")

    def block(self, name: str) -> str:
        """A fresh name of a block."""
        self._count += 1
        return f"{name}.{self._count}"

    def begin(self, block: str) -> None:
        """Begin a block; the one before goes on to it where it has no other end."""
        if not self.ended:
            self.say(f"br label %{block}")
        self.lines.append(f"{block}:")
        self.ended = False
        self.divide()

    def divide(self) -> None:
        """Begin another stretch, where a condition that is not known would have begun a block."""
        self.stretch += 1

    def jump(self, block: str, metadata: str = "") -> None:
        """End the present block."""
        self.say(f"br label %{block}{metadata}")
        self.ended = True

    def branch(self, condition: Scalar, yes: str, no: str) -> None:
        """End the present block, going on by a condition."""
        self.say(f"br i1 {condition.text}, label %{yes}, label %{no}")
        self.ended = True

    @contextmanager
    def at(self, place: int) -> Iterator[None]:
        """Instructions inside are written before the line of that number, the last of its block."""
        behind, ended = self.lines[place:], self.ended
        del self.lines[place:]
        self.ended = False
        yield
        self.lines += behind
        self.ended = ended

    def slot(self, ir: str) -> str:
        """A variable on the stack."""
        self._count += 1
        register = f"%s{self._count}"
        self.entry.append(f"  {register} = alloca {ir}, align 8")
        return register

    def slots(self, kind: Type) -> list[str]:
        """Variables for each register of a type."""
        return [self.slot(ir) for ir in leaves(kind)]

    def put(self, slots: Sequence[str], value: Value) -> None:
        """Store a value in variables."""
        for slot, ir, text in zip(slots, leaves(type_of(value)), flattened(value, literal), strict=True):
            self.say(f"store {ir} {text}, ptr {slot}, align 8")

    def get(self, slots: Sequence[str], kind: Type) -> Value:
        """The value that variables hold."""
        return rebuilt(kind, [self.let(f"load {ir}, ptr {slot}, align 8") for slot, ir in zip(slots, leaves(kind))])

    def call(self, name: str, result: str, arguments: Sequence[tuple[str, str]], attributes: str = "") -> str:
        """A call of an external function, which is declared by it; the register of its result."""
        self.module.declare(name, result, [ir for ir, _ in arguments], attributes)
        text = f"call {result} @{name}({', '.join(f'{ir} {text}' for ir, text in arguments)})"
        if result == "void":
            self.say(text)
            return ""
        return self.let(text)
