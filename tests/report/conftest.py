"""Runs to report on, each trained once in a moment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nnctl.cli import main

HOSTILE = (
    "</title></script><script>document.title='owned'</script><img src=x onerror=alert(1)>\x1b[31m\u202e" + "x" * 9_900
)

SPEC = """
name: {name}
data: {{type: moons, examples: 60, validation: 20, test: 10}}
layers:
  - {{type: dense, units: 3, activation: tanh}}
  - {{type: dense, units: 1, activation: sigmoid}}
cost: cross_entropy
optimizer: {{type: sgd, learning_rate: 0.1}}
schedule: {{epochs: 3, batch_size: 10}}
metrics: [f1, weight_norms]
backend: numpy
"""


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with runs `a/1`, `a/2`, which differ by their seed, `b/1` with another rate, and a sweep, `sweep`."""
    path = tmp_path_factory.mktemp("report")
    (path / "a.yaml").write_text(SPEC.format(name="moons"))
    (path / "hostile.yaml").write_text(SPEC.format(name=json.dumps(HOSTILE)), encoding="utf-8")
    for out, spec, more in (
        ("a/1", "a", ("--seed", "1")),
        ("a/2", "a", ("--seed", "2")),
        ("b/1", "a", ("--seed", "1", "--set", "optimizer.learning_rate=0.5")),
        ("hostile", "hostile", ()),
    ):
        assert main(["train", str(path / f"{spec}.yaml"), "-q", "--out", str(path / out), *more]) == 0
    search = ("--space", "optimizer.learning_rate=0.01:1:log", "--space", "layers.0.units=2:6", "--trials", "10")
    monitored = ("--monitor", "validation_cost", "--monitor", "parameters")
    assert main(["sweep", str(path / "a.yaml"), *search, *monitored, "-q", "--out", str(path / "sweep")]) == 0
    return path
