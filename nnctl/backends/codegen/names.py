"""Names in generated code: identifiers, and launches in words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from nnctl.plan.plan import Launch, Slot


class Names:
    """Identifiers, each given once. reserved: words of the language and names of its own, which none may take."""

    def __init__(self, reserved: Iterable[str] = ()) -> None:
        self._taken = set(reserved)
        self._counts: dict[str, int] = {}

    def fresh(self, wanted: str) -> str:
        """An identifier like `wanted` that nothing else has."""
        candidate = name = _identifier(wanted)
        while candidate in self._taken:
            self._counts[name] = self._counts.get(name, 1) + 1
            candidate = f"{name}_{self._counts[name]}"
        self._taken.add(candidate)
        return candidate


@lru_cache(4096)
def _identifier(wanted: str) -> str:
    """The identifier that is most like it."""
    readable = wanted.replace("∂C/∂", "d_").replace("⁺", "_new").replace("'", "_")
    # Python reads µ and μ, h₁ and h1 as one identifier: what is compared is what it reads.
    folded = unicodedata.normalize("NFKC", readable)
    name = re.sub(r"\W+", "_", "".join(c if f"_{c}".isidentifier() else "_" for c in folded)).strip("_")
    return name if name.isidentifier() else f"v_{name}"


def label(launch: Launch) -> str:
    """A launch in words: its comment in the code, and its entry in a table of times."""
    outputs = ", ".join(f"{s.name} ({_shape(s)})" for s in launch.outputs)
    return f"{outputs} = {launch.op.name}({', '.join(s.name for s in launch.inputs)})"


def _shape(slot: Slot) -> str:
    dims = [*(["batch"] if slot.batched else []), *map(str, slot.shape[1:] if slot.batched else slot.shape)]
    return "×".join(dims) or "1"
