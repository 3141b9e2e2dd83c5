"""Every barrier is needed, and its absence is seen: each one taken out, some launch fails or gives other bits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from backends.cuda import agreement
from backends.cuda.emulator import compiler
from backends.cuda.recording import Barrier, Record, Recorded, RecordingDevice, barriers
from nnctl.backends.cuda.codegen.functions import file_unit
from nnctl.backends.cuda.kernels import EMITTERS
from nnctl.ops import OPS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(compiler() is None, reason="the emulated device needs g++ 12"),
]


def cases() -> Iterator[tuple[str, Any, Any]]:
    for name in sorted(EMITTERS):
        rng = np.random.default_rng([*name.encode()])
        for _ in range(6):
            yield (name, *OPS[name].sample(rng))


def unnoticed(launches: list[Recorded]) -> list[str]:
    """The barriers of the launches' texts that can be taken out with nobody the wiser, and those that none comes to."""
    by_text: dict[str, list[Recorded]] = defaultdict(list)
    for launch in launches:
        by_text[launch.loaded.text].append(launch)
    noticed: dict[tuple[str, int], bool] = {}
    reached: dict[tuple[str, int], bool] = {}
    for text, of_text in by_text.items():
        for barrier in barriers(text):
            key = (barrier.owner, barrier.place)
            if noticed.get(key):
                continue
            coming = [launch for launch in of_text if barrier.number in launch.met]
            reached[key] = reached.get(key, False) or bool(coming)
            noticed[key] = any(launch.notices(barrier) for launch in coming)
    return [
        f"barrier {place} of {owner} is {'not noticed' if reached[owner, place] else 'not reached'}"
        for (owner, place), seen in noticed.items()
        if not seen
    ]


def test_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    record = Record()
    monkeypatch.setattr(agreement, "EmulatedDevice", lambda *way: RecordingDevice(record, *way))
    for name, inputs, attributes in cases():
        agreement.outputs(name, inputs, attributes, 0)
    print(len(record.launches), record.kept)
    print("\n".join(unnoticed(record.launches)))
    assert 0
