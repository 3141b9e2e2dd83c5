"""Nets train as PyTorch trains them: costs of each step, from the same weights, by the same spec.

The numbers are PyTorch's in float64; `scripts/golden_training.py` made them and says what the cases are.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file

import nnctl

GOLDEN = json.loads((Path(__file__).parent / "golden" / "torch.json").read_text(encoding="utf-8"))


def wave(shape: list[int], phase: float) -> NDArray[np.float64]:
    """Numbers between −1 and 1 that no two axes share."""
    return np.sin(np.arange(int(np.prod(shape))) * 0.7 + phase).reshape(shape)


def named(case: dict[str, Any]) -> str:
    spec = case["spec"]
    first = spec["layers"][0]["type"]
    clip = spec["optimizer"].get("clip", {}).get("type", "unclipped")
    return "-".join(
        [first, spec["cost"]["type"], spec["optimizer"]["type"], spec["schedule"]["learning_rate"]["type"], clip]
    )


@pytest.mark.parametrize(
    "backend", [pytest.param("numpy", id="numpy"), pytest.param("cpu", marks=pytest.mark.compile, id="cpu")]
)
@pytest.mark.parametrize("case", GOLDEN["cases"], ids=named)
def test_costs_are_those_of_pytorch(
    case: dict[str, Any], backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez("data.npz", inputs=(2.0 * wave(case["input"], 0.5)), targets=np.array(GOLDEN["labels"]))
    first = {
        name: (0.5 * wave(shape, place) + name.endswith("gamma")).astype(np.float32)
        for place, (name, shape) in enumerate(case["parameters"].items())
    }
    for name in [name for name in first if name.endswith("gamma")]:
        first[name.replace("gamma", "running_mean")] = np.zeros_like(first[name])
        first[name.replace("gamma", "running_variance")] = np.ones_like(first[name])
    save_file(first, "first.safetensors")
    spec = case["spec"] | {
        "data": {"type": "npz", "path": "data.npz", "target_type": "labels"},
        "from": {"file": "first.safetensors", "layout": "nnctl"},
        "metrics": [],
        "backend": backend,
    }
    for _ in nnctl.train(spec, out="run"):
        pass
    run = nnctl.load_run("run")
    costs = [*run.metrics["train_cost"], run.evaluate("train")["cost"]]
    assert costs == pytest.approx(case["costs"], rel=2e-5)
