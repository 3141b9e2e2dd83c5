"""Modules compiled by other processes, for real devices by NVRTC, which needs none."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from backends.cuda.test_compilation import nvrtc  # noqa: F401 — a fixture of every test here
from nnctl.backends.cache import store
from nnctl.backends.cuda import compilation, compiling_beside
from nnctl.backends.cuda.codegen.functions import Unit, generated_unit
from nnctl.backends.cuda.compilation import compiled
from nnctl.backends.cuda.compiling_beside import CompilingBeside
from nnctl.errors import KernelError

GOOD = "KERNEL doubled(Block block, float* x, int count) {\n    if (threadIdx.x < count) x[threadIdx.x] *= 2;\n}"
BAD = "KERNEL doubled(Block block, float* x, int count) {\n    nothing;\n}"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "cache_root", lambda: tmp_path)
    monkeypatch.setattr(compiling_beside, "cache_root", lambda: tmp_path)


def unit(text: str) -> Unit:
    return generated_unit("doubled", [text])


def wait_for(beside: CompilingBeside, what: Unit) -> None:
    end = time.monotonic() + 60.0
    while not beside.ready(what, "sm_90", begin=True):
        assert time.monotonic() < end
        time.sleep(0.02)


def test_what_is_compiled_beside_is_what_is_compiled_here_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    beside = CompilingBeside()
    assert not beside.ready(unit(GOOD), "sm_90", begin=False)
    assert not beside._working
    wait_for(beside, unit(GOOD))
    here = compilation.compile_now(unit(GOOD), "sm_90")[0]
    monkeypatch.setattr(compilation, "compile_now", None)
    assert compiled(unit(GOOD), "sm_90") == here
    # Another process finds it at once.
    assert CompilingBeside().ready(unit(GOOD), "sm_90", begin=False)


def test_what_cannot_be_compiled_beside_says_why_when_it_is_loaded() -> None:
    wait_for(CompilingBeside(), unit(BAD))
    with pytest.raises(KernelError, match="the kernel doubled does not compile"):
        compiled(unit(BAD), "sm_90")


def test_no_more_processes_than_there_are_cores_for_and_none_at_the_end() -> None:
    beside = CompilingBeside(most=1)
    units = [unit(GOOD), unit(GOOD.replace("*= 2", "*= 3"))]
    for each in (*units, *units):
        beside.ready(each, "sm_90", begin=True)
    (first,) = beside._working
    assert len(beside._waiting) == 1
    beside.close()
    assert first.process.returncode is not None
    assert not beside._working


def test_nothing_is_compiled_beside_where_it_cannot_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling_beside, "cache_root", lambda: None)
    beside = CompilingBeside()
    assert not beside.ready(unit(GOOD), "sm_90", begin=True)
    assert not beside._working
