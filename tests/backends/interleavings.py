"""All interleavings of threads that run a function of LLVM IR: an interpreter that forks at what other threads see.

It reads the text itself that is compiled, so far as the walks of the CPU engine use the language. Memory is
sequentially consistent; what a processor may reorder beyond that, the orderings in the text have to forbid, which
nothing here judges. Loads of constants and arithmetic are a thread's own; loads and stores of shared memory, exchanges,
calls of launches and a futex's wait and wake are where another thread may go first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

SHARED = 1 << 40
"""The address of shared memory; the constants lie below."""
FUTEX_WAIT = 128
_BITS = {"i1": 1, "i32": 32, "i64": 64, "ptr": 64}
_REGISTER = re.compile(r"%[\w.]+")
_ARITHMETIC: dict[str, Callable[[int, int], int]] = {
    "add": int.__add__, "sub": int.__sub__, "mul": int.__mul__, "udiv": int.__floordiv__, "urem": int.__mod__,
    "and": int.__and__, "or": int.__or__, "xor": int.__xor__, "shl": int.__lshift__, "lshr": int.__rshift__,
}  # fmt: skip
_COMPARED: dict[str, Callable[[int, int], bool]] = {
    "eq": int.__eq__, "ne": int.__ne__, "ugt": int.__gt__, "uge": int.__ge__, "sgt": int.__gt__, "slt": int.__lt__,
}  # fmt: skip


class Thread(NamedTuple):
    """A thread before an instruction that others see. asleep: on a futex. result: what it has returned, if it has."""

    block: str
    index: int
    registers: tuple[tuple[str, int], ...]
    asleep: bool = False
    result: int | None = None


class State(NamedTuple):
    """Threads, the bytes that they share, and what the launches have noted."""

    threads: tuple[Thread, ...]
    memory: bytes
    notes: Any


Launched = Callable[[int, Any], tuple[int, Any]]
"""What a launch does: its arguments' address and the notes before it (None at first) give its status and new notes."""


@dataclass(frozen=True)
class Function:
    """A function of a module of IR. blocks: its instructions by label."""

    parameters: tuple[str, ...]
    blocks: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, module: str, name: str) -> Function:
        """The function of that name, without its comments."""
        found = re.search(rf"define [\w ]*@{name}\((.*?)\)[^\n]*{{\n(.*?)\n}}", module, flags=re.S)
        assert found is not None
        text = re.sub(r";.*", "", found[2])
        blocks: dict[str, list[str]] = {}
        for line in filter(None, map(str.strip, text.splitlines())):
            if line.endswith(":"):
                blocks[line[:-1]] = []
            else:
                blocks[list(blocks)[-1]].append(line)
        return cls(tuple(_REGISTER.findall(found[1])), {label: tuple(lines) for label, lines in blocks.items()})

    @cached_property
    def live(self) -> Mapping[tuple[str, int], frozenset[str]]:
        """The registers that are read behind a place before they are written: the rest of a thread's is forgotten."""
        live: dict[tuple[str, int], frozenset[str]] = {}
        entered = dict.fromkeys(self.blocks, frozenset[str]())
        while True:
            before = dict(entered)
            for label, lines in self.blocks.items():
                after = frozenset[str]()
                for index in reversed(range(len(lines))):
                    line = lines[index]
                    for target in re.findall(r"label %([\w.]+)", line):
                        after |= entered[target] | self._into(target, label)
                    result, _, rest = line.rpartition(" = ") if " = " in line else ("", "", line)
                    reads = (
                        frozenset()
                        if " phi " in line
                        else frozenset(_REGISTER.findall(re.sub(r"label %[\w.]+", "", rest)))
                    )
                    after = (after - {result}) | reads
                    live[label, index] = after
                entered[label] = after
            if entered == before:
                return live

    def _into(self, target: str, source: str) -> frozenset[str]:
        """The registers that the phis of a block read when it is entered from another."""
        found = (
            re.search(rf"\[([^,\]]+), %{re.escape(source)}\]", line) for line in self.blocks[target] if " phi " in line
        )
        return frozenset(each[1] for each in found if each is not None and each[1].startswith("%"))


@dataclass(frozen=True)
class Machine:
    """Threads that run a function. constants: words of eight bytes from address 0 on that nobody writes."""

    function: Function
    constants: Sequence[int]
    launched: Launched = lambda arguments, notes: (0, notes)

    def started(self, arguments: Sequence[Sequence[int]], memory: bytes) -> State:
        """The state in which threads begin, each with its arguments."""
        threads = []
        for given in arguments:
            registers = dict(zip(self.function.parameters, given, strict=True))
            threads.append(self._run_on("entry", 0, registers))
        return State(tuple(threads), memory, None)

    def ends(self, first: State, most: int = 400_000) -> Iterator[State]:
        """The states in which no thread can go on, of all that follow from the first."""
        seen, waiting = {first}, [first]
        while waiting:
            state = waiting.pop()
            able = [n for n, thread in enumerate(state.threads) if not thread.asleep and thread.result is None]
            if not able:
                yield state
            for number in able:
                then = self._after(state, number)
                if then not in seen:
                    seen.add(then)
                    waiting.append(then)
            if len(seen) > most:
                raise RuntimeError("too many states")

    def _after(self, state: State, number: int) -> State:
        """The state after one thread's next instruction, and all of its own behind it."""
        thread, memory = state.threads[number], bytearray(state.memory)
        line, registers = self.function.blocks[thread.block][thread.index], dict(thread.registers)
        threads, notes = list(state.threads), state.notes
        result, _, rest = line.rpartition(" = ") if " = " in line else ("", "", line)
        value: int | None = None
        asleep = False

        def operand(text: str) -> int:
            return _operand(text, registers)

        def old(address: int, kind: str) -> int:
            place = address - SHARED
            return int.from_bytes(memory[place : place + _BITS[kind] // 8], "little")

        def store(address: int, kind: str, stored: int) -> None:
            place, size = address - SHARED, _BITS[kind] // 8
            memory[place : place + size] = (stored % (1 << _BITS[kind])).to_bytes(size, "little")

        if found := re.match(r"load (?:atomic )?(\w+), ptr (\S+?)[, ]", rest):
            value = old(operand(found[2]), found[1])
        elif found := re.match(r"store (?:atomic )?(\w+) (\S+), ptr (\S+?)[, ]", rest):
            store(operand(found[3]), found[1], operand(found[2]))
        elif found := re.match(r"atomicrmw (add|sub|xchg) ptr (\S+), (\w+) (\S+) ", rest):
            address, kind = operand(found[2]), found[3]
            value, other = old(address, kind), operand(found[4])
            store(address, kind, other if found[1] == "xchg" else _ARITHMETIC[found[1]](value, other))
        elif found := re.match(r"cmpxchg ptr (\S+), (\w+) (\S+), \w+ (\S+) ", rest):
            address, kind = operand(found[1]), found[2]
            value = old(address, kind) << 1
            if value >> 1 == operand(found[3]):
                store(address, kind, operand(found[4]))
                value |= 1
        elif found := re.match(
            r"call i64 \(i64, \.\.\.\) @syscall\(i64 \d+, ptr (\S+), i32 (\d+), i32 (\S+?)[,)]", rest
        ):
            address, waits, value = operand(found[1]), int(found[2]) == FUTEX_WAIT, 0
            asleep = waits and old(address, "i32") == operand(found[3]) % (1 << 32)
            if not waits:
                threads = [other._replace(asleep=False) for other in threads]
        elif found := re.match(r"call i64 %\S+\(ptr (\S+)\)", rest):
            value, notes = self.launched(operand(found[1]), notes)
        else:
            raise NotImplementedError(line)
        if result and value is not None:
            registers[result] = value
        threads[number] = self._run_on(thread.block, thread.index + 1, registers)._replace(asleep=asleep)
        return State(tuple(threads), bytes(memory), notes)

    def _run_on(self, block: str, index: int, registers: dict[str, int]) -> Thread:
        """A thread once it has done what is its own, from a place on."""
        while True:
            line = self.function.blocks[block][index]
            if found := re.match(r"ret i64 (\S+)", line):
                return Thread("", 0, (), result=_operand(found[1], registers))
            if line.startswith("br "):
                source, block, index = block, self._target(line, registers), 0
                index = self._enter(block, source, registers)
            elif self._own(line, registers):
                index += 1
            else:
                live = self.function.live[block, index]
                return Thread(block, index, tuple(sorted((r, v) for r, v in registers.items() if r in live)))

    def _target(self, line: str, registers: Mapping[str, int]) -> str:
        targets = re.findall(r"label %([\w.]+)", line)
        if len(targets) == 1:
            return str(targets[0])
        condition = line.split()[2].rstrip(",")
        return str(targets[0 if registers[condition] else 1])

    def _enter(self, block: str, source: str, registers: dict[str, int]) -> int:
        """The first instruction behind a block's phis, whose values depend on the block before."""
        lines = self.function.blocks[block]
        phis = [line for line in lines if " phi " in line]
        values = {}
        for line in phis:
            found = re.search(rf"\[([^,\]]+), %{re.escape(source)}\]", line)
            assert found is not None, line
            values[line.split(" = ")[0]] = _operand(found[1], registers)
        registers.update(values)
        return len(phis)

    def _own(self, line: str, registers: dict[str, int]) -> bool:
        """Whether an instruction is seen by nobody else; it is done then."""
        result, _, rest = line.rpartition(" = ") if " = " in line else ("", "", line)

        def operand(text: str) -> int:
            return _operand(text, registers)

        if found := re.match(r"(\w+) (i\d+) (\S+), (\S+)$", rest):
            name, kind = found[1], found[2]
            value = _ARITHMETIC[name](operand(found[3]) % (1 << _BITS[kind]), operand(found[4]) % (1 << _BITS[kind]))
        elif found := re.match(r"icmp (\w+) (\w+) (\S+), (\S+)$", rest):
            value, kind = (
                int(_COMPARED[found[1]](*(_signed(operand(t), found[2], found[1]) for t in found.group(3, 4)))),
                "i1",
            )
        elif found := re.match(r"select i1 (\S+), (\w+) (\S+), \w+ (\S+)$", rest):
            value, kind = operand(found[3] if operand(found[1]) else found[4]), found[2]
        elif found := re.match(r"(?:trunc|zext) \w+ (\S+) to (\w+)$", rest):
            value, kind = operand(found[1]), found[2]
        elif found := re.match(r"getelementptr (i8|i64), ptr (\S+), i64 (\S+)$", rest):
            value, kind = operand(found[2]) + operand(found[3]) * (8 if found[1] == "i64" else 1), "i64"
        elif found := re.match(r"extractvalue {.*} (\S+), 1$", rest):
            value, kind = operand(found[1]) & 1, "i1"
        elif found := re.match(r"call i32 @llvm.cttz.i32\(i32 (\S+), ", rest):
            value, kind = (operand(found[1]) & -operand(found[1])).bit_length() - 1, "i32"
        elif re.match(r"call (i64 @nnctl_now|i32 @sched_yield|void @llvm.x86.sse2.pause)\(\)", rest):
            value, kind = 0, "i64"
        elif (found := re.match(r"load (\w+), ptr (\S+), ", rest)) and operand(found[2]) < SHARED:
            value, kind = self.constants[operand(found[2]) // 8], "i64"
        else:
            return False
        if result:
            registers[result] = value % (1 << _BITS[kind])
        return True


def _operand(text: str, registers: Mapping[str, int]) -> int:
    return registers[text] if text.startswith("%") else 0 if text == "null" else int(text)


def _signed(value: int, kind: str, comparison: str) -> int:
    """A value as a comparison sees it."""
    bits = _BITS[kind]
    value %= 1 << bits
    return value - (1 << bits) if comparison.startswith("s") and value >> (bits - 1) else value
