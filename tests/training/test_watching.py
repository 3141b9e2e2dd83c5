"""Layers that are watched while a net trains: the rows, and that they are exact however the run is cut."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cut_runs import cut_after
from run_contents import contents
from small_nets import NET

from nnctl.errors import RunError
from nnctl.reporting.follow import RunSink, follow
from nnctl.runs.folder import RunFolder
from nnctl.runs.history import read_history
from nnctl.spec.load import Loaded, load_text
from nnctl.training import session
from nnctl.training.events import Record

SPEC = (
    NET
    + """\
optimizer: {type: adam, learning_rate: 0.05}
schedule: {epochs: 5, batch_size: 16, evaluate_every: 25}
watch: {examples: 20, every: 2}
backend: numpy
"""
)


def loaded(text: str, folder: Path) -> Loaded:
    return load_text(text, "small.yaml", [], folder)


def run(text: str, out: Path, until: int | None = None) -> RunFolder:
    def pause(epoch: int, rows: Sequence[Record]) -> bool:
        return until is not None and epoch >= until

    follow(session.train(loaded(text, out.parent), out=out, resume=True, pause=pause), [RunSink()])
    return RunFolder(out)


def rows(folder: RunFolder) -> list[dict[str, Any]]:
    return [json.loads(line) for line in folder.layers.read_text().splitlines()]


def test_rows_before_the_first_step_and_at_every_second_evaluation(tmp_path: Path) -> None:
    folder = run(SPEC, tmp_path / "a")
    found = rows(folder)
    evaluated = [row["step"] for row in read_history(folder).rows]
    assert [row["step"] for row in found] == [0, 0, *(step for step in evaluated[1::2] for _ in range(2))]
    assert [row["layer"] for row in found[:2]] == ["dense1", "dense2"]
    measures = ["weight_norm", "gradient_norm", "activation_mean", "activation_deviation", "saturated", "dead"]
    assert list(found[0]) == ["epoch", "step", "layer", *measures]
    assert found[0]["weight_norm"] != found[2]["weight_norm"]
    assert read_history(folder).layers() == found
    assert "layers.jsonl" in json.loads(folder.summary.read_text())["files"]


def test_what_is_watched_changes_nothing_else(tmp_path: Path) -> None:
    watched = contents(run(SPEC, tmp_path / "a").path)
    plain = contents(run(SPEC.replace("watch: {examples: 20, every: 2}\n", ""), tmp_path / "b").path)
    assert "layers.jsonl" in watched
    assert "layers.jsonl" not in plain
    assert watched["metrics.jsonl"] == plain["metrics.jsonl"]


def test_cut_at_any_step_and_resumed_the_rows_are_the_same(tmp_path: Path) -> None:
    whole = contents(run(SPEC, tmp_path / "whole").path)
    for step in (1, 4, 9):
        out = tmp_path / f"cut-{step}"
        cut_after(step, loaded(SPEC, tmp_path), out)
        # What a process writes after its last checkpoint, and does not finish.
        with RunFolder(out).layers.open("a") as file:
            file.write(json.dumps({"epoch": 9.0, "step": 99, "layer": "dense1"}) + '\n{"epoch"')
        assert contents(run(SPEC, out).path) == whole
    assert run(SPEC, tmp_path / "paused", 2).finished() is None
    assert contents(run(SPEC, tmp_path / "paused").path) == whole


def test_rows_that_are_gone_or_edited_are_refused(tmp_path: Path) -> None:
    folder = run(SPEC, tmp_path / "a", 3)
    lines = folder.layers.read_text().splitlines(keepends=True)
    folder.layers.write_text("".join(lines[:1]))
    with pytest.raises(RunError, match=r"layers\.jsonl: has 1 whole rows, the last checkpoint counts"):
        run(SPEC, tmp_path / "a")
    folder.layers.write_text("".join([lines[1], lines[0], *lines[2:]]))
    with pytest.raises(RunError, match=r"layers\.jsonl: its rows are not those"):
        run(SPEC, tmp_path / "a")


def test_rows_of_a_finished_run_that_were_edited_are_refused(tmp_path: Path) -> None:
    folder = run(SPEC, tmp_path / "a")
    folder.layers.write_text(folder.layers.read_text().replace("dense1", "dense9"))
    with pytest.raises(RunError, match=r"layers\.jsonl: is not the file that"):
        read_history(folder).layers()


OTHERS = {
    "text": ("[one_hot, {type: lstm, units: 3, stateful: true, return_sequence: true}, "
             "{type: dense, units: 8, activation: softmax}]",
             "text, path: words.txt, contiguous: true, length: 6, validation: 0.2", "log_likelihood", "adam"),
    "whole": ("[{type: residual, layers: [{type: dense, units: 2, activation: sigmoid}]}, {type: dense, units: 3}]",
              "blobs, centers: 3, examples: 60", "mse", "lbfgs"),
}  # fmt: skip


@pytest.mark.parametrize("kind", OTHERS)
def test_nets_that_read_on_and_nets_trained_on_the_host(kind: str, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("how much wood " * 40)
    layers, data, cost, optimizer = OTHERS[kind]
    text = f"""
data: {{type: {data}}}
layers: {layers}
cost: {cost}
optimizer: {optimizer}
schedule: {{epochs: 2, batch_size: {"full" if optimizer == "lbfgs" else 4}}}
watch: layers
backend: numpy
"""
    found = rows(run(text, tmp_path / "a"))
    assert len(found) == 3 * len({row["layer"] for row in found})
    assert all(np.isfinite(row["gradient_norm"]) for row in found)
