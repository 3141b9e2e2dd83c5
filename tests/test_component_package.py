"""The example of a third party's package: installed as any package is, and then its components are like nnctl's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "examples" / "component-package"
SPEC = PACKAGE / "digits.yaml"


def install(package: Path, target: Path) -> Path:
    """A folder with the installed package and its metadata; no network is asked."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps",
         "--no-build-isolation", "--target", str(target), str(package)],
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return target


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(PACKAGE, tmp_path_factory.mktemp("site"))


def nnctl(installed: Path | None, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command of nnctl, with the package where it is given."""
    path = [str(installed)] if installed else []
    path += [p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p]
    return subprocess.run(
        [sys.executable, "-m", "nnctl", *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *path])},
        capture_output=True,
        text=True,
        check=False,
    )


def rows(done: subprocess.CompletedProcess[str]) -> list[dict[str, object]]:
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.slow
def test_without_the_package_its_names_are_unknown() -> None:
    done = nnctl(None, "inspect", str(SPEC))
    assert done.returncode == 2
    assert "there is no activation 'mish'" in done.stderr
    assert "there is no layer 'highway'" in done.stderr


@pytest.mark.slow
def test_every_gradient_is_right(installed: Path) -> None:
    found = rows(nnctl(installed, "gradcheck", str(SPEC)))
    assert {row["verdict"] for row in found} == {"PASS"}
    layer = {f"first.{part}.{name}" for part in ("gate", "transform") for name in ("weight", "bias")}
    assert layer <= {row["parameter"] for row in found}


def train(installed: Path, out: Path, backend: str) -> dict[str, object]:
    """The last row of a training."""
    return rows(nnctl(installed, "train", str(SPEC), "--out", str(out), "--set", f"backend={backend}"))[-1]


@pytest.mark.slow
def test_it_trains(installed: Path, tmp_path: Path) -> None:
    last = train(installed, tmp_path / "run", "numpy")
    assert last["event"] == "test"
    assert float(str(last["test_accuracy"])) > 0.9
    again = rows(nnctl(installed, "evaluate", str(tmp_path / "run")))
    assert again[0]["accuracy"] == last["test_accuracy"]


@pytest.mark.compile
def test_the_compiled_backend_has_code_for_it(installed: Path, tmp_path: Path) -> None:
    assert float(str(train(installed, tmp_path / "run", "cpu")["test_accuracy"])) > 0.9


@pytest.mark.slow
def test_the_schema_knows_its_fields(installed: Path) -> None:
    schema = nnctl(installed, "schema").stdout
    assert '"highway"' in schema
    assert "first value of b_g; below 0 the layer begins nearly open" in schema


@pytest.mark.slow
def test_a_misspelt_name_is_recognised(installed: Path) -> None:
    done = nnctl(installed, "inspect", str(SPEC), "--set", "layers.2.type=higway", "--set", "layers.1.activation=mihs")
    assert done.returncode == 2
    assert "did you mean 'highway'?" in done.stderr
    assert "did you mean 'mish'?" in done.stderr


@pytest.mark.slow
def test_a_wrong_field_is_refused(installed: Path) -> None:
    done = nnctl(installed, "inspect", str(SPEC), "--set", "layers.2.gate_bais=0")
    assert done.returncode == 2
    assert "did you mean 'gate_bias'?" in done.stderr


@pytest.mark.slow
def test_its_layer_explains_itself(installed: Path) -> None:
    (entry,) = rows(nnctl(installed, "explain", "highway"))
    assert entry["package"] == "nnctl-highway"
    assert entry["example"] == "layers: [{type: highway, activation: tanh, gate_bias: -2.0}]"
    example = f"layers=[flatten, {str(entry['example'])[9:-1]}, {{type: dense, units: 10, activation: softmax}}]"
    assert nnctl(installed, "inspect", str(SPEC), "--set", example).returncode == 0
