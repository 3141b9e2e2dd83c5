"""Epochs of one batch each: a chunk reads several of them, and every chunk gives the same run."""

from __future__ import annotations

from pathlib import Path

import pytest
from run_contents import contents

from nnctl.data import batches
from nnctl.engine.engine import Engine
from nnctl.reporting.follow import RunSink, follow
from nnctl.spec.load import load_text
from nnctl.training import session

SPEC = """
name: whole
data: {type: blobs, examples: 24, validation: 4}
layers:
  - {type: dense, units: 4, activation: tanh}
  - {type: dropout, rate: 0.2}
  - {type: dense, units: 3, activation: softmax}
cost: log_likelihood
optimizer: {type: adam, learning_rate: 0.05}
schedule: {epochs: 23, batch_size: full, evaluate_every: 7 epochs, learning_rate: {type: cosine}}
backend: numpy
"""


@pytest.mark.parametrize("options", [(), ("schedule.shuffle=false",), ("schedule.batch_size=100",)])
def test_no_result_depends_on_the_epochs_of_a_chunk(
    options: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    begin = Engine.begin

    def noted(self, chunk, scheduled, first_step):  # type: ignore[no-untyped-def]
        sizes.append(chunk.steps)
        return begin(self, chunk, scheduled, first_step)

    monkeypatch.setattr(Engine, "begin", noted)
    spec = load_text(SPEC, overrides=options)
    for chunk in (1, 3, 50):
        follow(session.train(spec, out=tmp_path / str(chunk), chunk=chunk), [RunSink()])
    assert sizes == [1] * 23 + [3, 3, 1] * 3 + [2] + [7, 7, 7, 2]
    monkeypatch.setattr(batches, "_INDICES", 45)
    sizes.clear()
    follow(session.train(spec, out=tmp_path / "few", chunk=50), [RunSink()])
    assert max(sizes) == 2
    alone = contents(tmp_path / "1")
    assert all(contents(tmp_path / each) == alone for each in ("3", "50", "few"))


def test_a_pause_is_asked_about_at_the_end_of_every_epoch(tmp_path: Path) -> None:
    asked: list[int] = []
    events = session.train(
        load_text(SPEC), out=tmp_path / "run", chunk=50, pause=lambda epoch, rows: bool(asked.append(epoch))
    )
    follow(events, [RunSink()])
    assert asked == list(range(1, 23))
