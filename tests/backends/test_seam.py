"""The seam: a backend of a stranger's needs no edit anywhere, and nothing outside a backend's folder names it."""

from __future__ import annotations

import _thread
import ast
import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from graph.nets import net

from backends import toy
from nnctl.backends.cpu import executable as executables
from nnctl.backends.cpu.backend import CpuBackend
from nnctl.backends.cpu.layouts import address_of
from nnctl.backends.registry import by_rank, choose_backend, planner, reference_backend
from nnctl.cli import main
from nnctl.components.backends import Auto
from nnctl.components.registry import components
from nnctl.components.signature import DataSignature
from nnctl.errors import UsageError
from nnctl.graph.network import Network
from nnctl.spec.load import load_spec

SOURCE = Path(__file__).parents[2] / "nnctl"
SPECS = Path(__file__).parents[2] / "specs"
TEXT = "layers: [{type: dense, units: 3, activation: softmax}]\ncost: log_likelihood"
POINTS = DataSignature((4,), "real", ("a", "b", "c"), (), ())
OURS = tuple(cls.type for cls in by_rank())


@pytest.fixture
def stranger() -> Iterator[list[str]]:
    toy.LOG.clear()
    with toy.registered():
        yield toy.LOG


# -- a stranger's backend -----------------------------------------------------------------


def test_a_run_on_a_strangers_backend_is_a_run_like_any_other(stranger, tmp_path, capsys):
    runs = {}
    for name in ("toy", "numpy"):
        assert main(["train", str(SPECS / "xor.yaml"), "--backend", name, "--out", str(tmp_path / name)]) == 0
        runs[name] = json.loads((tmp_path / name / "summary.json").read_text())
    capsys.readouterr()
    assert runs["toy"]["backend"] == "toy"
    assert {"matmul"} < set(stranger)
    same = ("train_cost", "steps", "threads")
    assert {key: runs["toy"].get(key) for key in same} == {key: runs["numpy"].get(key) for key in same}


def test_commands_know_it(stranger, capsys):
    assert main(["bench", str(SPECS / "xor.yaml"), "--backend", "toy", "--steps", "3"]) == 0
    assert capsys.readouterr().err.startswith("backend toy, one abacus, batch ")
    assert main(["inspect", str(SPECS / "xor.yaml"), "--show", "code", "--backend", "toy"]) == 0
    assert "matmul" in capsys.readouterr().out.splitlines()
    assert main(["complete", "backend", "t"]) == 0
    assert "toy" in capsys.readouterr().out


def test_doctor_shows_what_it_says_of_itself(stranger, capsys, monkeypatch):
    from nnctl.backends import limits

    monkeypatch.setattr(limits, "_SIZE", 64)
    monkeypatch.setattr(limits, "_COPIED", 1 << 12)
    assert main(["doctor"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"what": "abacus", "value": "ten rods", "words": "a toy"} in rows


def test_one_that_cannot_be_opened_is_a_row_with_the_reason(stranger, capsys, monkeypatch):
    from nnctl.backends import report

    monkeypatch.setattr(toy.Toy, "obstacle", lambda self: "the abacus is lent out")
    assert report.Finding("backend toy", "absent", "the abacus is lent out") in report._backends()
    with pytest.raises(UsageError, match="the toy backend cannot run this net: the abacus is lent out\n"):
        choose_backend(toy.Toy(), ())


def test_messages_list_it(stranger):
    with pytest.raises(UsageError, match="there is no backend 'abacus': choose auto, cpu, cuda, cupy, numpy or toy"):
        choose_backend(Auto(), (), name="abacus")


# -- choosing -----------------------------------------------------------------------------


@pytest.fixture
def graphs():
    return (Network(net(TEXT), POINTS).training_step,)


def test_auto_takes_the_best_and_says_so(graphs):
    chosen = choose_backend(Auto(), graphs, workers=2)
    assert (chosen.backend.name, chosen.reason) == ("cpu", "the fastest on this machine, 2 threads at most")


def test_auto_says_why_it_did_not_take_the_best(graphs, monkeypatch):
    monkeypatch.setattr(components("backend")["cpu"], "obstacle", lambda self: "llvmlite is not installed")
    chosen = choose_backend(Auto(), graphs)
    assert (chosen.backend.name, chosen.reason) == (
        "numpy",
        "the fastest that can run here; not cpu: llvmlite is not installed",
    )
    with pytest.raises(UsageError) as raised:
        choose_backend(Auto(), graphs, name="cpu")
    assert str(raised.value) == (
        "the cpu backend cannot run this net: llvmlite is not installed\n"
        "  --backend auto takes the fastest that can, or name numpy"
    )


def test_ops_without_a_kernel_are_refused_or_run_their_reference_bodies(graphs, monkeypatch):
    monkeypatch.setattr(CpuBackend, "missing", lambda self, graph: ("softmax", "matmul"))
    assert choose_backend(Auto(), graphs).reason.endswith("; not cpu: no compiled code for matmul, softmax")
    with pytest.raises(UsageError, match="cannot run this net: no compiled code for matmul, softmax\n"):
        choose_backend(components("backend")["cpu"](), graphs)
    assert "softmax_log_likelihood" in reference_backend().missing(graphs[0])
    assert choose_backend(components("backend")["numpy"](), graphs).reason == "as asked for"


@pytest.mark.parametrize(
    ("asked", "name", "workers", "words"),
    [
        ({"threads": 3}, None, 2, "as asked for, 3 threads at most"),
        ({"threads": 3}, "auto", None, "the fastest on this machine, 3 threads at most"),
        ({}, None, 1, "as asked for, 1 thread at most"),
    ],
)
def test_the_specs_threads_go_before_the_callers(graphs, asked, name, workers, words):
    assert choose_backend(components("backend")["cpu"](**asked), graphs, name=name, workers=workers).reason == words


def test_there_is_one_reference():
    assert [cls.type for cls in by_rank() if cls.reference] == [reference_backend().name]
    assert all(cls().sharing(2).type == cls.type for cls in by_rank())


# -- a chunk on threads -------------------------------------------------------------------


@pytest.fixture
def threads_of_its_own(monkeypatch):
    """No chunk is so brief that it runs on the calling thread."""
    monkeypatch.setattr(executables, "_BRIEF", 0.0)


@pytest.mark.usefixtures("threads_of_its_own")
def test_what_a_thread_raises_comes_out_of_the_result(backend, monkeypatch):
    if not isinstance(backend, CpuBackend):
        pytest.skip("it has no threads of its own")
    executable = backend.load(backend.plan(net_of_one_sum(), {}), {})

    def broken(*arguments):
        raise ZeroDivisionError("in a thread")

    monkeypatch.setattr(executable, "_walk", broken)
    pending = executable.start({"row": np.ones((2, 3), np.float32)}, 2)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError, match="in a thread"):
            pending.result()
    monkeypatch.undo()
    assert executable.start({"row": np.ones((2, 3), np.float32)}, 2).result().completed == 2


@pytest.mark.usefixtures("threads_of_its_own")
@pytest.mark.parametrize("last", [0, 1])
def test_threads_that_cannot_all_begin_let_the_others_go(backend, monkeypatch, last):
    """At a barrier these would wait for ever."""
    if not isinstance(backend, CpuBackend) or backend.threads == last:
        pytest.skip("it has no thread of that number")
    executable = backend.load(backend.plan(net_of_one_sum(), {}), {})
    monkeypatch.setattr(executable, "threads", 2)
    begin, begun = threading.Thread.start, []

    def start(thread):
        if len(begun) == last:
            raise RuntimeError("can't start new thread")
        begun.append(thread)
        begin(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(RuntimeError, match="new thread"):
        executable.start({"row": np.ones((2, 3), np.float32)}, 2)
    for thread in begun:
        thread.join()
    monkeypatch.undo()
    assert executable.start({"row": np.ones((2, 3), np.float32)}, 2).result().completed == 2


@pytest.mark.usefixtures("threads_of_its_own")
def test_an_interrupt_waits_for_the_chunk(backend, monkeypatch):
    if not isinstance(backend, CpuBackend):
        pytest.skip("it has no threads of its own")
    executable = backend.load(backend.plan(net_of_one_sum(), {}), {})
    waiting, ended = threading.Event(), []

    def slow(records, *arguments):
        waiting.wait(60)
        time.sleep(0.3)
        if records == address_of(executable._tables_of(executable.threads)[0].records):
            _thread.interrupt_main()
        time.sleep(0.1)
        ended.append(records)
        return 2

    monkeypatch.setattr(executable, "_walk", slow)
    pending = executable.start({"row": np.ones((2, 3), np.float32)}, 2)
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012 — it comes while the result is waited for
        waiting.set()
        pending.result()
    assert len(ended) == executable.threads
    monkeypatch.undo()
    assert executable.start({"row": np.ones((2, 3), np.float32)}, 2).result().completed == 2


def net_of_one_sum():
    from nnctl.graph.builder import GraphBuilder

    builder = GraphBuilder("one")
    return builder.graph({"sum": builder.apply("sum", builder.input("row", (3,)), axes=(0,))})


# -- nobody names a backend ---------------------------------------------------------------


def outside(folder: str) -> list[Path]:
    return [path for path in SOURCE.rglob("*.py") if SOURCE / "backends" / folder not in path.parents]


@pytest.mark.parametrize("name", OURS)
def test_no_module_outside_its_folder_names_a_backends_modules(name):
    named = re.compile(rf"backends\.{name}\b|backends import .*\b{name}\b|backends/{name}/")
    assert [str(path) for path in outside(name) if named.search(path.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize("name", OURS)
def test_nothing_outside_its_folder_compares_with_a_backends_name(name):
    """But for the name of a module like NumPy."""
    found = []
    for path in outside(name):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Compare) or "__name__" in ast.unparse(node):
                continue
            words = [c.value for c in ast.walk(node) if isinstance(c, ast.Constant)]
            if name in words:
                found.append(f"{path}:{node.lineno}")
    assert found == []


# -- what needs no machine ----------------------------------------------------------------


@pytest.mark.parametrize("name", OURS)
def test_a_plan_is_shown_on_any_machine(name, capsys):
    assert main(["inspect", str(SPECS / "digits.yaml"), "--show", "plan", "--backend", name]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("plan train: batch 32")
    # NumPy's reference bodies are its way to run most ops; what compiles has a kernel for every spec's.
    assert ("by its reference body" in shown) == (name == "numpy")


def test_code_for_a_device_is_shown_without_one(capsys):
    assert main(["inspect", str(SPECS / "digits.yaml"), "--show", "code", "--backend", "cuda"]) == 0
    shown = capsys.readouterr().out
    assert "// dense1.a (batch×64) = matmul+add+relu(flatten1.reshape, dense1.weight, dense1.bias)" in shown
    assert "KERNEL formula0(Block block" in shown
    # The strength of the penalty belongs to the call, and to no kernel.
    line = ("inspect", str(SPECS / "digits.yaml"), "--show", "code", "--backend", "cuda", "--set")
    texts = []
    for strength in ("0.125", "0.375"):
        assert main([*line, f"regularizer={{type: l2, strength: {strength}}}"]) == 0
        texts.append(capsys.readouterr().out)
        assert f" = {strength}" in texts[-1]
    assert texts[0] == texts[1].replace(" = 0.375", " = 0.125")


def test_no_spec_needs_a_reference_body_on_a_device():
    for path in sorted(SPECS.glob("*.yaml")):
        loaded = load_spec(path)
        network = Network(loaded.spec, loaded.spec.data.signature(loaded.folder))
        of_cuda = planner(loaded.spec.backend, "cuda")
        for graph in (network.training_step, network.evaluation, network.prediction):
            assert of_cuda.missing(graph) == (), path.stem
