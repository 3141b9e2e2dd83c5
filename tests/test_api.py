"""nnctl from Python: events, runs at work, interruptions, and the page that tells of it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnctl
from nnctl.errors import DataError, SpecError, UsageError
from nnctl.training.events import Event

PAGE = Path(__file__).parents[1] / "docs" / "python.md"
SPEC: dict[str, Any] = {
    "name": "points",
    "backend": "numpy",
    "data": {"type": "blobs", "centers": 3, "examples": 120, "validation": 30, "test": 30},
    "layers": [
        {"type": "dense", "units": 4, "activation": "tanh"},
        {"type": "dense", "units": 3, "activation": "softmax"},
    ],
    "cost": "log_likelihood",
    "schedule": {"epochs": 3, "batch_size": 10},
}  # fmt: skip


@pytest.fixture
def run(tmp_path: Path) -> nnctl.Run:
    for _ in nnctl.train(SPEC, out=tmp_path / "run"):
        pass
    return nnctl.load_run(tmp_path / "run")


@pytest.mark.compile
@pytest.mark.slow
def test_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), flags=re.M | re.S)
    assert len(blocks) == 6
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    assert names["end"].summary["epochs"] == 8
    assert len(names["names"]) == 2
    assert "runs/clouds/001 99" in capsys.readouterr().out


def test_what_type_checkers_are_told_is_there() -> None:
    stub = Path(nnctl.__file__).with_suffix(".pyi").read_text(encoding="utf-8")
    from nnctl import api

    assert re.findall(r"import (\w+) as \1", stub) == api.__all__ == list(nnctl._API)
    assert all(hasattr(nnctl, name) for name in api.__all__)
    assert set(api.__all__) <= set(dir(nnctl))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        nnctl.nothing  # noqa: B018


def test_importing_nnctl_loads_nothing_heavy() -> None:
    program = "import nnctl, sys; print(sorted({'numpy', 'yaml', 'logging', 'cupy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_events_and_nothing_on_stdout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    events = list(nnctl.train(SPEC, out=tmp_path / "run", schedule__epochs=2, **{"layers.0.units": np.int64(5)}))
    assert isinstance(events[0], nnctl.Started)
    assert isinstance(events[-1], nnctl.Finished)
    assert [e.record["epoch"] for e in events if isinstance(e, nnctl.Evaluated)] == [1, 2]
    assert nnctl.load_run(tmp_path / "run").parameters["dense1.weight"].shape == (2, 5)
    assert capsys.readouterr() == ("", "")


def test_a_spec_is_a_file_a_text_or_a_mapping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nnctl.spec.dump import dump_data

    text = dump_data(
        {**SPEC, "data": {"type": "csv", "path": "points.csv", "target": "kind"}, "layers": SPEC["layers"][1:]}
    )
    (tmp_path / "points.csv").write_text("a,kind\n" + "".join(f"{i},k{i % 3}\n" for i in range(40)), encoding="utf-8")
    (tmp_path / "points.yaml").write_text(text, encoding="utf-8")
    results = []
    for number, spec in enumerate([tmp_path / "points.yaml", nnctl.SpecText(text, tmp_path)]):
        *_, end = nnctl.train(spec, out=tmp_path / str(number))
        results.append(end.summary["last"]["train_cost"])
    assert results[0] == results[1]
    with pytest.raises(SpecError, match=r"<spec>:.*dens"):
        nnctl.train({**SPEC, "layers": ["dens"]})
    with pytest.raises(UsageError, match=r"layers\.0: object has no place in a spec"):
        nnctl.train({**SPEC, "layers": [object()]})


def test_a_run_tells_what_it_is(run: nnctl.Run) -> None:
    assert run.state == "finished"
    assert run.spec["layers"][0]["units"] == 4
    assert run.summary is not None
    assert {len(column) for column in run.metrics.values()} == {3}
    assert run.metrics["epoch"] == [1, 2, 3]
    assert {name: array.shape for name, array in run.parameters.items()} == {
        "dense1.weight": (2, 4), "dense1.bias": (4,), "dense2.weight": (4, 3), "dense2.bias": (3,),
    }  # fmt: skip
    pytest.importorskip("polars")
    import polars

    assert polars.DataFrame(run.metrics).shape == (3, len(run.metrics))


def test_predictions_are_those_of_the_parameters(run: nnctl.Run, tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(7, 2))
    p = run.parameters
    statistics = run._net.engine.read(["data.shift", "data.scale"]) if run._net.signature.statistics_shape else None
    scaled = x if statistics is None else (x - statistics["data.shift"]) * statistics["data.scale"]
    z = np.tanh(scaled @ p["dense1.weight"] + p["dense1.bias"]) @ p["dense2.weight"] + p["dense2.bias"]
    expected = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(run.predict(x), expected, atol=1e-6)
    np.save(tmp_path / "x.npy", x)
    assert (run.predict(tmp_path / "x.npy") == run.predict(x)).all()
    assert run.classes is not None
    assert run.predict(x).shape == (7, len(run.classes))
    with pytest.raises(DataError, match=r"inputs: an example has shape \(3,\)"):
        run.predict([[1, 2, 3]])
    with pytest.raises(DataError, match="inputs: the examples are not of one shape"):
        run.predict([[1, 2], [3]])
    assert run.predict(np.zeros((0, 2))).shape == (0, 3)


def test_evaluation(run: nnctl.Run) -> None:
    assert run.summary is not None
    row = run.evaluate()
    assert (row["split"], row["accuracy"]) == ("test", run.summary["test"]["test_accuracy"])
    assert run.evaluate("train")["examples"] == 60
    with pytest.raises(UsageError, match="give one of them"):
        run.evaluate("train", data="new.csv")


@pytest.mark.parametrize("how", ["signal", "break", "thread"])
def test_a_run_that_is_broken_off_goes_on_exactly(tmp_path: Path, how: str) -> None:
    *_, whole = nnctl.train(SPEC, out=tmp_path / "whole")
    handler = signal.getsignal(signal.SIGINT)

    def begin() -> None:
        for event in nnctl.train(SPEC, out=tmp_path / "cut"):
            assert signal.getsignal(signal.SIGINT) == handler
            if isinstance(event, nnctl.Evaluated):
                break

    if how == "thread":
        thread = threading.Thread(target=begin)
        thread.start()
        thread.join()
    elif how == "break":
        begin()
    else:
        interrupted_while_it_computes(tmp_path / "cut")
    assert signal.getsignal(signal.SIGINT) == handler
    assert nnctl.load_run(tmp_path / "cut").state == "unfinished"
    *_, end = nnctl.train(SPEC, out=tmp_path / "cut", resume=True)
    assert end.summary["last"]["train_cost"] == whole.summary["last"]["train_cost"]


def interrupted_while_it_computes(folder: Path) -> None:
    """The signal comes inside a step, where a notebook's button finds it."""
    from nnctl.training.loop import Loop

    step = Loop._train_chunk

    def cut(self: Loop, most: int) -> Iterator[Event]:
        yield from step(self, most)
        if self.step >= 4:
            signal.raise_signal(signal.SIGINT)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Loop, "_train_chunk", cut)
        with pytest.raises(KeyboardInterrupt):
            list(nnctl.train(SPEC, out=folder))
    assert (folder / "checkpoints" / "last.safetensors").is_file()
