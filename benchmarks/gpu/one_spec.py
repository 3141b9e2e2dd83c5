"""The parity of one spec, in a process of its own: `python -m benchmarks.gpu.one_spec SPEC SECONDS [BACKEND]`.

What a kernel spoils ends with it. It prints a line of JSON.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from nnctl.analysis.parity import Parity
from nnctl.errors import NnctlError
from nnctl.spec.load import load_spec

_STEPS = 100
"""Steps that are compared, where time allows."""
_FEWEST = 2


def compared(path: Path, seconds: float, backend: str = "cuda") -> dict[str, Any]:
    """As many steps as fit into that time on a backend against the reference."""
    try:
        loaded = load_spec(path)
        parity = Parity(loaded.spec, loaded.spec.data.signature(loaded.folder), backend=backend)
        begun = time.monotonic()
        # The first one compiles.
        parity.run(1)
        began = time.monotonic()
        result, ran = parity.run(_FEWEST), _FEWEST
        now = time.monotonic()
        steps = min(_STEPS, int((seconds - (now - begun)) / max(1e-9, (now - began) / _FEWEST)))
        if result.left is None and steps > _FEWEST:
            result, ran = parity.run(steps), steps
    except NnctlError as error:
        return {"spec": path.stem, "steps": 0, "worst": None, "left": None, "said": str(error)}
    return {
        "spec": path.stem,
        "steps": ran,
        "worst": max(tensor.relative for tensor in result.tensors),
        "left": result.left,
        "said": "" if result.origin is None else f"{result.origin.value} ({result.origin.op})",
    }


if __name__ == "__main__":
    print(json.dumps(compared(Path(sys.argv[1]), float(sys.argv[2]), *sys.argv[3:])))
