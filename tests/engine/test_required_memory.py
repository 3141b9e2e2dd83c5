"""Memory is computed from the shapes: what does not fit is an error that names the layer, and nothing is allocated."""

from __future__ import annotations

import pytest

from nnctl.cli import main
from nnctl.components.signature import DataSignature
from nnctl.engine.memory import require_for_plan
from nnctl.errors import SpecError, UsageError
from nnctl.graph import interface
from nnctl.graph.network import Network
from nnctl.plan.lower import lower
from nnctl.process import memory
from nnctl.spec.load import load_text
from nnctl.training import session

SPEC = """\
data: {type: xor}
layers:
  - {type: dense, units: 3}
  - {type: dense, units: 1000}
  - {type: dense, units: 1000}
  - {type: dense, units: 1}
cost: mse
backend: numpy
"""


FIFTY = "{type: repeat, times: 50, layers: [{type: dense, units: 2000}]}"


def trained(tmp_path, *overrides: str) -> None:
    list(session.train(load_text(SPEC, overrides=overrides), out=tmp_path / "run"))


@pytest.fixture
def gibibyte(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with 1 GiB left."""
    monkeypatch.setattr(memory, "available", lambda: 1 << 30)


@pytest.mark.usefixtures("gibibyte")
@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (
            ["layers.1.units=1000000000000000"],
            r"dense3: it has 1,00\d(,\d{3}){5} numbers, most in dense3.weight; .* TiB, and 1.0 GiB",
        ),
        (["layers.2.units=9223372036854775807"], r"spec.yaml:5:5: error: dense3: it has 9,\d{3}"),
        (["layers.1.units=100000000"], r"dense3: it has 100,\d{3},.* numbers, most in dense3.weight; .* TiB, and"),
        (
            [f"layers.0={FIFTY}"],
            r"error: repeat1.dense.*: it has 196,.* GiB are left",
        ),
    ],
)
def test_arrays_that_do_not_fit_name_their_layer(tmp_path, overrides, words):
    with pytest.raises(SpecError, match=words):
        trained(tmp_path, *overrides)
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("gibibyte")
@pytest.mark.parametrize("command", ["bench", "gradcheck", "doctor"])
def test_every_command_that_computes_names_the_layer(command, tmp_path, capsys):
    (tmp_path / "s.yaml").write_text(SPEC)
    assert main([command, str(tmp_path / "s.yaml"), "--set", "layers.1.units=1000000000000000"]) == 2
    assert "s.yaml:5:5: error: dense3: it has 1,0" in capsys.readouterr().err


@pytest.mark.usefixtures("gibibyte")
def test_a_step_that_does_not_fit_names_its_layer(tmp_path):
    # A million examples through a thousand units are 4 GB, whatever the weights take.
    with pytest.raises(SpecError, match=r"dense2: dense2.* \(1000000, 1000\) and what it is made of take"):
        trained(tmp_path, "data.examples=1000000", "schedule.batch_size=full")
    assert not (tmp_path / "run").exists()


def test_scratch_memory_that_does_not_fit_names_its_largest_part(monkeypatch):
    network = Network(load_text(SPEC).spec, DataSignature((2,), "real", ("0", "1")))
    plan = lower(network.training_step, interface.sizes(10_000, 10_000))
    require_for_plan(plan)
    monkeypatch.setattr(memory, "available", lambda: 1 << 24)
    with pytest.raises(UsageError, match=r"10,000 examples takes .* of scratch memory, and 16.0 MiB are left\n.*dense"):
        require_for_plan(plan)


def test_what_fits_is_trained(tmp_path):
    trained(tmp_path, "schedule.epochs=1")
    assert (tmp_path / "run").exists()
