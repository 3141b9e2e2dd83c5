"""Every kernel compiled for real devices by NVRTC, which needs none: what it takes, its registers, nothing spilt."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

import nnctl.backends.cuda.kernels as kernels
from backends.spec_steps import SPECS
from nnctl.backends.cuda.bookkeeping import keep_outputs, keep_outputs_and_count, take_feeds
from nnctl.backends.cuda.codegen.functions import Unit, file_unit, generated_unit
from nnctl.backends.cuda.compilation import architecture_for, compile_now, compiled
from nnctl.backends.cuda.emission import calls_of
from nnctl.backends.cuda.schedule import lowered
from nnctl.errors import KernelError
from nnctl.graph import interface
from nnctl.graph.network import Network
from nnctl.plan.plan import Plan
from nnctl.spec.load import load_spec

FILES = sorted(path.name for path in Path(kernels.__file__).parent.glob("*.cu"))
ARCHITECTURES = ("sm_80", "sm_90", "sm_100")
REGISTERS = 128
"""That a thread may have: two blocks of 256 threads fill a multiprocessor then."""
OF_TILES = 255
"""That a thread of these may have: what it computes is a tile in registers."""
TILES = {"convolution.cu", "gru.cu", "lstm.cu", "picture_convolution.cu", "products.cu", "recurrence.cu"}
_RESOURCES = re.compile(
    r"entry function '(\w+)' for .*?(\d+) bytes spill stores, (\d+) bytes spill loads.*?Used (\d+) registers", re.DOTALL
)


@cache
def missing() -> str | None:
    """The reason why nothing can be compiled here; None if it can."""
    try:
        from cupy.cuda import nvrtc

        nvrtc.getVersion()
    except ImportError:
        return "CuPy is not installed"
    except RuntimeError:
        return "NVRTC is not installed"
    return None


@pytest.fixture(autouse=True)
def nvrtc() -> None:
    if (reason := missing()) is not None:
        pytest.skip(reason)


@dataclass(frozen=True)
class Used:
    """A wrapper of a kernel, as it is compiled."""

    name: str
    registers: int
    spilt: int


def used(unit: Unit, architecture: str) -> list[Used]:
    """What the kernels of a unit take."""
    _, said = compile_now(unit, architecture, "--ptxas-options=-v")
    found = [Used(name, int(n), int(stores) + int(loads)) for name, stores, loads, n in _RESOURCES.findall(said)]
    assert {each.name for each in found} == set(re.findall(r"void __launch_bounds__\([^)]*\) (\w+)\(", unit.module))
    return found


def require_within(unit: Unit, architecture: str, registers: int) -> None:
    over = [each for each in used(unit, architecture) if each.registers > registers or each.spilt]
    assert over == [], f"{unit.name} on {architecture}"


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("file", FILES)
def test_files_of_kernels(file: str, architecture: str) -> None:
    require_within(file_unit(file), architecture, OF_TILES if file in TILES else REGISTERS)


def plans(path: Path) -> Iterator[Plan]:
    loaded = load_spec(path)
    network = Network(loaded.spec, loaded.spec.data.signature(loaded.folder))
    for graph in (network.training_step, network.evaluation, network.prediction):
        yield lowered(graph, interface.sizes(8, 40))


@cache
def generated() -> tuple[Unit, ...]:
    """What is written for the specs' plans, each text once."""
    units: dict[str, Unit] = {}
    for path in SPECS:
        for plan in plans(path):
            called = [call.function.unit for calls in calls_of(plan, joined=True) for call in calls or ()]
            fed = {slot.key: slot.dtype for slot in plan.slots if slot.place == "feed"}
            kept = [slot.dtype for slot in plan.outputs.values()]
            texts = (take_feeds([*fed.values()]), keep_outputs(kept), keep_outputs_and_count(kept))
            ends = [generated_unit("the ends", [text]) for text in texts]
            for unit in (*called, *ends):
                if unit.name not in FILES:
                    units.setdefault(unit.text, Unit(f"{unit.name} of {path.stem}", unit.text))
    return tuple(units.values())


@pytest.mark.slow
def test_what_is_generated_for_the_specs() -> None:
    """For the oldest architecture, which has the fewest instructions; newer ones take up to a third more registers."""
    units = generated()
    assert len(units) > len(SPECS)
    for unit in units:
        require_within(unit, ARCHITECTURES[0], REGISTERS * 3 // 4)


# -- that the checks can fail ---------------------------------------------------------------

FORMULA = "KERNEL formula0(Block block, const float* x, float* y, int count) {{\n    {}\n}}"


def unit_of(*lines: str) -> Unit:
    return generated_unit("the formulas of 'train'", [FORMULA.format(line) for line in lines])


def test_a_kernel_that_calls_what_there_is_not_is_refused_with_its_line() -> None:
    compile_now(unit_of("y[0] = expf(x[0]);"), "sm_90")
    where = "the kernel formula0 does not compile: the formulas of 'train', line 2"
    with pytest.raises(KernelError, match=f'^{where}: identifier "expff" is undefined$'):
        compile_now(unit_of("y[0] = expff(x[0]);"), "sm_90")


def test_the_kernel_is_the_one_around_the_line_and_further_problems_are_counted() -> None:
    helper = "DEVICE float twice(float x) {\n    return 2.0f * z + q;\n}"
    first = "KERNEL first(Block block, float* y, int count) {\n    y[0] = 1.0f;\n}"
    with pytest.raises(KernelError, match=r"^the kernel twice .*, line 6: .*\"z\" is undefined \(and 1 more\)$"):
        compile_now(generated_unit("two", [first, helper]), "sm_90")


def test_a_line_of_a_header_and_one_behind_it_keep_their_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nnctl.backends.cuda.codegen import functions

    (tmp_path / functions.PRELUDE).write_text(functions.prelude())
    (tmp_path / "tiles.cuh").write_text("// a header\nDEVICE float tile(float x) {\n    return x;\n}\n")
    body = '// a file\n#include "tiles.cuh"\n\nKERNEL spread(Block block, float* y) {\n    y[0] = tile(1.0f) + zz;\n}\n'
    (tmp_path / "spread.cu").write_text(body)
    monkeypatch.setattr(functions, "_FOLDER", tmp_path)
    functions.file_unit.cache_clear()
    with pytest.raises(KernelError, match=r"^the kernel spread does not compile: spread.cu, line 5: .*\"zz\""):
        compile_now(functions.file_unit("spread.cu"), "sm_90")
    (tmp_path / "tiles.cuh").write_text("// a header\nDEVICE float tile(float x) {\n    return xx;\n}\n")
    functions.file_unit.cache_clear()
    with pytest.raises(KernelError, match=r"^the kernel tile does not compile: tiles.cuh, line 3: .*\"xx\""):
        compile_now(functions.file_unit("spread.cu"), "sm_90")
    functions.file_unit.cache_clear()


def test_registers_and_what_is_spilt_are_seen() -> None:
    # Eight blocks of 256 threads leave 32 registers to each, and the sums below live all at once.
    each = "\n#pragma unroll\n    for (int k = 0; k < 64; ++k)"
    body = (
        f"float s[64];{each} s[k] = x[k * count + threadIdx.x];\n    __syncthreads();\n"
        f"    for (int j = 0; j < count; ++j) {{{each} s[k] = s[k] * s[(k * 7 + 3) % 64] + x[k]; __syncthreads(); }}"
        f"{each} y[k + threadIdx.x] = s[k];"
    )
    crowded = generated_unit("crowded", ["#define BLOCKS_HELD 8", FORMULA.format(body)])
    (wrapper,) = used(crowded, "sm_90")
    assert wrapper.name == "launch_formula0"
    assert wrapper.spilt > 0
    with pytest.raises(AssertionError, match="crowded on sm_90"):
        require_within(crowded, "sm_90", REGISTERS)
    with pytest.raises(AssertionError, match=r"'train'.* on sm_90"):
        require_within(unit_of("y[0] = expf(x[0]);"), "sm_90", 4)


# -- what is compiled for, and kept ---------------------------------------------------------


def test_a_device_newer_than_the_compiler_runs_its_generations_code() -> None:
    assert architecture_for(90) == "sm_90"
    assert architecture_for(80) == "sm_80"
    assert architecture_for(99) == "sm_90"
    with pytest.raises(KernelError, match=r"compute capability 3\.5, for which NVRTC \d+\.\d+ does not compile\n  pip"):
        architecture_for(35)


def test_what_was_compiled_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NNCTL_CACHE", str(tmp_path))
    unit = unit_of("y[0] = 3.0f * x[0];")
    first = compiled(unit, "sm_90")
    assert first.startswith(b"\x7fELF")
    monkeypatch.setattr("nnctl.backends.cuda.compilation.compile_now", lambda *_: pytest.fail("compiled again"))
    assert compiled(unit, "sm_90") == first
    assert compiled(Unit("another name", unit.text), "sm_90") == first
