"""Text of an LLVM function, written line by line."""

from __future__ import annotations


class IrText:
    """Lines of a function, with fresh names."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._count = 0

    def fresh(self, name: str) -> str:
        self._count += 1
        return f"%{name}.{self._count}"

    def let(self, name: str, text: str) -> str:
        """Bind a new register to an instruction."""
        register = self.fresh(name)
        self.lines.append(f"  {register} = {text}")
        return register

    def say(self, text: str) -> None:
        self.lines.append(f"  {text}")

    def label(self, name: str) -> None:
        self.lines.append(f"{name}:")
