"""Formulas whose threads make several elements each, against those whose threads make one."""

from __future__ import annotations

from typing import Any

import pytest

from backends.cuda.emulator import EmulatedDevice, compiler
from backends.spec_steps import FOLDER, spec_steps
from nnctl.backends.cuda.backend import CudaBackend
from nnctl.backends.cuda.codegen import formulas
from nnctl.backends.cuda.emission import calls_of


def steps_of(name: str) -> tuple[list[str], dict[str, bytes]]:
    """The text of a net's formulas, and the bits of its storage after some steps."""
    spec = spec_steps(FOLDER / f"{name}.yaml", 4, 20)
    device = EmulatedDevice()
    backend = CudaBackend(device)
    plan = backend.plan(spec.network.training_step, spec.sizes)
    texts = [call.function.unit.text for calls in calls_of(plan, joined=True) if calls for call in calls]
    storage = {key: device.upload(array) for key, array in spec.storage.items()}
    completed = backend.load(plan, storage).start(spec.feeds(3), 3).result().completed
    assert completed == 3
    return texts, {key: device.download(array).tobytes() for key, array in storage.items()}


@pytest.mark.skipif(compiler() is None, reason="the emulated device needs g++")
@pytest.mark.slow
@pytest.mark.parametrize("name", ["digits", "norms", "lstm-adding", "dropout"])
def test_several_elements_a_thread_are_those_of_one(monkeypatch: Any, name: str) -> None:
    one, expected = steps_of(name)
    monkeypatch.setattr(formulas, "LARGE", 1)
    several, found = steps_of(name)
    assert found == expected
    assert not any("_[turn]" in text for text in one)
    assert any("_[turn]" in text for text in several)
