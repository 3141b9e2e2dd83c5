"""Proposals for texts: nets that predict the next character."""

from __future__ import annotations

from pathlib import Path

from nnctl.data import tokens
from nnctl.errors import DataError
from nnctl.proposals import nets
from nnctl.proposals.proposal import Answer, Called, Proposal
from nnctl.spec.noted import Noted

_LEAST = 200
"""Characters of a text that anything can be learned from."""
_MOST_CHARACTERS = 512
"""Different characters that are kept."""
_ROWS = 16
"""Passages that are read side by side."""


def of_text(path: Path, called: Called) -> Proposal:
    """A proposal for a text, or a folder of .txt files. Raises DataError."""
    text = tokens.read_text(path)
    if len(text) < _LEAST:
        raise DataError(f"{path}: {len(text):,} characters teach nothing\n  a text has {_LEAST} at least")
    found = len(set(text))
    if found == 1:
        raise DataError(f"{path}: every character is {text[0]!r}: there is nothing to tell apart")
    length = max(8, min(64, len(text) // (_ROWS * 8)))
    data: dict[str, object] = {
        "type": "text",
        "path": called(path),
        "length": Noted(length, "characters that gradients reach back"),
        "validation": Noted(0.1, "the end of the text"),
    }
    units = found
    if found > _MOST_CHARACTERS:
        data["vocabulary"] = Noted(_MOST_CHARACTERS, f"of {found:,} different characters, the frequent ones")
        units = _MOST_CHARACTERS
    cells = 64 if len(text) < 100_000 else 128 if len(text) < 1_000_000 else 256
    answer = Answer([1] * units, every_step=True)
    layers: list[object] = [
        "one_hot",
        Noted({"type": "lstm", "units": cells, "stateful": True, "return_sequence": True},
              f"reads on from window to window; units by {len(text):,} characters"),
        Noted(nets.last(answer), "one for each character that occurs"),
    ]  # fmt: skip
    windows = (len(text) - 1) // length
    rest = {
        "optimizer": {"type": "adam", "learning_rate": 0.005, "clip": {"type": "global_norm", "limit": 1.0}},
        "schedule": {
            "epochs": max(5, min(40, 20_000_000 // len(text))),
            "batch_size": Noted(max(1, min(_ROWS, windows // 4)), "passages that are read side by side"),
            "early_stopping": {"patience": 5},
        },
    }
    heading = [f"Proposed for {len(text):,} characters, {found:,} different ones.",
               "Once it is trained, nnctl predict RUN --generate 300 --temperature 0.7 writes."]  # fmt: skip
    return Proposal(nets.whole(data, layers, answer, rest), heading)
