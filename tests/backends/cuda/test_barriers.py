"""Every barrier is needed, and its absence is seen: with each one taken out, some launch fails or gives other bits."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from backends.cuda import agreement
from backends.cuda.emulator import EmulatedError, compiler
from backends.cuda.persistent_ways import persistent_way
from backends.cuda.recording import Barrier, Record, Recorded, RecordingDevice, barriers
from backends.cuda.test_recurrence import sample
from backends.spec_steps import FOLDER, spec_steps
from nnctl.backends.cuda import kernels
from nnctl.backends.cuda.codegen.functions import file_unit
from nnctl.backends.cuda.emission import calls_of
from nnctl.backends.cuda.kernels import EMITTERS, picture_convolution, products, scan
from nnctl.backends.cuda.persistent import kernels as persistent_kernels
from nnctl.backends.cuda.persistent import text as persistent_text
from nnctl.backends.cuda.persistent.choice import Grid, complete
from nnctl.backends.cuda.schedule import lowered
from nnctl.ops import OPS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(compiler() is None, reason="the emulated device needs g++ 12"),
]

SAMPLES = 6
NETS = ("xor", "sine", "book/ch1-30", "rbm")
"""Specs whose persistent kernels are looked at."""
OF_GRIDS = ("grid_arrive", "grid_wait", "grid_barrier")
MEETING = "(grid|cluster)_(barrier|wait)"
FILES = sorted(path.name for path in Path(next(iter(kernels.__path__))).glob("*.cu"))
_RNG = np.random.default_rng(0)
_WINDOW = {"stride": (1, 1), "dilation": (1, 1), "padding": ((0, 0), (0, 0)), "groups": 1}
LARGER: list[tuple[Any, ...]] = [
    # Rows that a whole block shares, and sums that several warps do.
    ("softmax", [_RNG.standard_normal((3, 1500))], {}),
    (
        "softmax_log_likelihood",
        [_RNG.standard_normal((2, 1500)), np.array([3, 700])],
        {"label_smoothing": 0.1, "class_weights": None},
    ),
    ("matmul", [_RNG.standard_normal((40, 70)), _RNG.standard_normal((70, 50))], {}, "tf32"),
    # Sums of many panels, by every kind of tile; and so long ones that they are split into many parts.
    ("convolution", [_RNG.standard_normal((1, 6, 6, 16)), _RNG.standard_normal((3, 3, 16, 8))], _WINDOW),
    ("convolution", [_RNG.standard_normal((1, 6, 6, 40)), _RNG.standard_normal((3, 3, 40, 8))], _WINDOW, "tf32"),
    (
        "convolution_kernel",
        [_RNG.standard_normal((1, 50, 18, 24)), _RNG.standard_normal((1, 48, 16, 32))],
        _WINDOW | {"kernel": (3, 3)},
        "tf32",
    ),
    (
        "convolution_kernel",
        [_RNG.standard_normal((1, 60, 60, 1)), _RNG.standard_normal((1, 58, 58, 4))],
        _WINDOW | {"kernel": (3, 3)},
    ),
]
"""What samples do not come to: the op, its inputs and attributes, the precision of products where it matters."""


def cases() -> Iterator[tuple[Any, ...]]:
    for name in sorted(EMITTERS):
        rng = np.random.default_rng([*name.encode()])
        for _ in range(SAMPLES):
            yield (name, *OPS[name].sample(rng))
    yield from LARGER


@pytest.fixture(scope="module")
def launches() -> list[Recorded]:
    """Launches of all kernels that have barriers."""
    record = Record()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(agreement, "EmulatedDevice", lambda *way: RecordingDevice(record, *way))
        # Small ones, too, by tensor cores.
        rounding = tuple(tile for tile in products.TILES["tf32"] if tile.precision == "tf32")
        patched.setattr(products, "TILES", {**products.TILES, "tf32": rounding})
        patched.setattr(picture_convolution, "_FEWEST_BLOCKS", 0)
        patched.setattr(picture_convolution, "MULTIPROCESSORS", 1)
        for name, inputs, attributes, *precision in cases():
            agreement.outputs(name, inputs, attributes, 0, *precision)
        # Cells whose blocks wait for one another; then weights that do not fit into shared memory.
        for way, found in (("alone", lambda *_: None), ("together", lambda *_: None), ("WEIGHTS", 4096)):
            patched.setattr(scan, way, found)
            for cell in ("rnn", "lstm", "gru"):
                inputs, _, attributes = sample(cell, (5, 3, 65), 3)
                agreement.outputs(cell, inputs, attributes, 0)
    return record.launches


def noticed(launches: Sequence[Recorded], barrier: Barrier) -> bool:
    coming = [n for n in launches if n.loaded.text == barrier.text and barrier.number in n.met]
    return any(launch.notices(barrier) for launch in coming)


def test_launches_give_the_same_bits_in_every_order_of_threads(launches: list[Recorded]) -> None:
    for launch in launches:
        for order in (1, 2):
            assert launch.repeats(order), (launch.loaded.name, launch.way, order)


def test_every_barrier_of_the_kernels_is_needed(launches: list[Recorded]) -> None:
    """Those of what several files share by some file's kernels; those of grids by the persistent kernel, below."""
    wanted = {b.before: b for file in FILES for b in barriers(file_unit(file).module) if b.function not in OF_GRIDS}
    seen: set[str] = set()
    for text in dict.fromkeys(launch.loaded.text for launch in launches):
        seen |= {b.before for b in barriers(text) if b.before not in seen and noticed(launches, b)}
    assert [str(b) for before, b in wanted.items() if before not in seen] == []


# -- the persistent kernel -----------------------------------------------------------------


def persistent(name: str, record: Record, grid: Grid = Grid(3), rows: int = 1) -> None:  # noqa: B008
    """Write down the persistent kernel of a spec at work: two steps of some trials by several blocks each."""
    steps = spec_steps(FOLDER / f"{name}.yaml", 5, 11)
    plan = lowered(steps.network.training_step, steps.sizes)
    calls = calls_of(plan)
    assert complete(calls)
    device = RecordingDevice(record)
    storages = [{key: device.upload(array) for key, array in steps.storage.items()} for _ in range(rows)]
    trials = persistent_way(plan, calls, grid).steps_apart(storages, device)
    for pending in [trial.start(steps.feeds(2), 2) for trial in trials]:
        pending.result()


@pytest.mark.parametrize(("grid", "rows"), [(Grid(3), 1), (Grid(3), 2), (Grid(4, cluster=True), 2)])
def test_every_barrier_of_a_grid_is_needed(grid: Grid, rows: int) -> None:
    """Each place where blocks meet, of each net by itself; and by some net what they meet by."""
    record = Record()
    for name in NETS:
        persistent(name, record, grid, rows)
    assert [launch.rows for launch in record.launches] == [rows] * len(NETS)
    inside: dict[str, bool] = {}
    for launch in record.launches:
        found = barriers(launch.loaded.text)
        by_steps = [b for b in found if b.function not in (*OF_GRIDS, "cluster_barrier")]
        meetings = [b for b in by_steps if re.search(MEETING, b.before.splitlines()[-1])]
        assert meetings
        assert [str(b) for b in meetings if not launch.notices(b)] == []
        for barrier in (b for b in found if b.function in OF_GRIDS):
            inside[barrier.before] = inside.get(barrier.before) or launch.notices(barrier)
    # What a cluster meets by is the device's own.
    assert list(inside.values()) == [not grid.cluster] * 3


SOURCE = inspect.getsource(persistent_text)
SITES = [match.span() for match in re.finditer(r'" *(__syncthreads\(\)|grid_(?:barrier|wait)\([^)]*\));"', SOURCE)]


def changed(site: tuple[int, int] | None, name: str, monkeypatch: pytest.MonkeyPatch) -> bool:
    """True where a net does not run, or runs to other bits, when that part of the generator gives no barrier."""
    source = SOURCE if site is None else f'{SOURCE[: site[0]]}";"{SOURCE[site[1] :]}'
    generator = ModuleType(persistent_text.__name__)
    exec(compile(source, "text.py", "exec"), generator.__dict__)
    record, other = Record(), Record()
    persistent(name, record)
    (expected,) = record.launches
    monkeypatch.setattr(persistent_kernels, "kernel_of", generator.kernel_of)
    try:
        persistent(name, other)
    except EmulatedError:
        return True
    return not all(map(np.array_equal, expected.after, other.launches[0].after))


@pytest.mark.parametrize("site", range(len(SITES)))
def test_every_barrier_that_is_generated_is_needed(site: int) -> None:
    """Each place of the generator that writes barriers, by some net."""
    for name in NETS:
        with pytest.MonkeyPatch.context() as patched:
            if changed(SITES[site], name, patched):
                return
    raise AssertionError(f"no net needs the barrier of {SOURCE[: SITES[site][0]].splitlines()[-1].strip()}")


def test_the_generator_by_itself_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not changed(None, "xor", monkeypatch)
