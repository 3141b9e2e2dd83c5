"""Milliseconds a training step on a device: ours beside the fastest forms that users of PyTorch and JAX write.

Figures are medians by events in the device's stream, around a round of steps. The host's clock around the same round
is kept beside them: it has what the host does before the first step and after the last, too. JAX gives no events away:
its figure is the host's clock around one call of many steps, and its ratio is to ours by that clock.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from benchmarks.arena import TOLERANCE, DisagreementError, check_agreement
from benchmarks.gpu.budget import Budget
from benchmarks.gpu.contest import DeviceContestant, Figures, Row, Seat, figures_of, leave, seated
from benchmarks.record import cores
from benchmarks.workloads import GPU

OURS = "nnctl"
CONTESTANTS = {
    OURS: DeviceContestant("nnctl", "benchmarks.ours", "nnctl_on_device", compiles=True),
    "torch eager": DeviceContestant("torch", "benchmarks.peer_torch", "torch_eager_on_device"),
    "torch graph": DeviceContestant("torch", "benchmarks.peer_torch", "torch_graph_on_device"),
    "JAX scan": DeviceContestant("jax", "benchmarks.peer_jax", "jax_on_device", compiles=True),
    "torch compile": DeviceContestant("torch", "benchmarks.peer_torch", "torch_compile_on_device", compiles=True),
}
_TOLERANCES = {"float32": TOLERANCE, "tf32": 2e-3}
"""Relative, of first costs. Factors of 10 bits moved those of seven nets by 3e-4 at most."""
GOALS = {
    "MLP 784-30-10, batch 10": 4.0,
    "MLP 784-100-10, batch 10": 4.0,
    "MLP 784-100-10, batch 128": 2.0,
    "MLP 784-2048-2048-10, batch 1024, Adam": 1.0,
    "CNN 5×5×20-P-5×5×40-P-100-10, batch 128": 1.5,
    "VGG-BN 32-32-P-64-64-P-128-128-GAP-10, batch 128": 0.8,
    "char LSTM 256, time 64, batch 64": 1.2,
}
"""The ratio to the best of the others that is asked for."""
_SMALL = 3
"""The first workloads, whose products are too small for tensor cores: their rows in tf32 come last."""
GROUPS = (
    tuple(Row(workload, "float32") for workload in GPU),
    tuple(Row(workload, "tf32") for workload in GPU[_SMALL:]),
    tuple(Row(workload, "tf32") for workload in GPU[:_SMALL]),
)
"""Rows whose contestants begin together."""
_BEGINNING, _SHARE = 60.0, 0.4
"""Seconds that a group has to begin, and its share of the time that is left: whoever compiles longer is left out."""
_LEAST = 5.0
"""Seconds without which no row is begun."""


def timings(budget: Budget, without: Collection[str] = ()) -> Iterator[dict[str, Any]]:
    """A row a workload and precision, group by group, until the time is over. without: names of who takes no part."""
    absent = {name: "not installed" for name, of in CONTESTANTS.items() if not of.installed}
    absent |= dict.fromkeys(without, "was to take no part")
    for group in GROUPS:
        if budget.left < _LEAST:
            return
        contestants = {name: of for name, of in CONTESTANTS.items() if name not in absent}
        seats = seated(group, contestants, min(_BEGINNING, _SHARE * budget.left), max(2, cores()))
        failed = {name for name in contestants if all(of_row[name].failed for of_row in seats.values())}
        try:
            for row in group:
                if budget.left < _LEAST:
                    return
                if seats[row][OURS].failed is not None:
                    # Without ours a row says nothing: it is tried again by itself.
                    leave([seats[row][OURS]])
                    seats[row][OURS] = Seat(CONTESTANTS[OURS], row)
                figures = figures_of(seats[row], lambda: budget.left)
                yield row_of(row, seats[row], figures, absent)
                leave(seats.pop(row).values())
        finally:
            leave(seat for of_row in seats.values() for seat in of_row.values())
        # They would only take time from others in the next ones.
        absent |= dict.fromkeys(failed - {OURS}, "was ready for none of the rows before")


def row_of(
    row: Row, seats: Mapping[str, Seat], figures: Mapping[str, Figures], absent: Mapping[str, str]
) -> dict[str, Any]:
    """A row of the table, as it is kept. Who does not do our work has no figures there. absent: why others are."""
    left_out = dict(absent) | {name: seat.failed for name, seat in seats.items() if seat.failed is not None}
    costs = {name: seat.costs for name, seat in seats.items() if seat.costs is not None}
    counted = dict(figures)
    if OURS in costs:
        for name, first in costs.items():
            try:
                check_agreement(row.workload, {OURS: costs[OURS], name: first}, _TOLERANCES[row.precision])
            except DisagreementError as error:
                left_out[name] = " ".join(str(error).split())
                counted.pop(name, None)
    ours = counted.get(OURS)
    ratios = {name: _ratio(ours, of) for name, of in counted.items() if name != OURS} if ours else {}
    best = min(ratios, key=lambda name: ratios[name], default=None)
    seconds = None if ours is None else ours.host if ours.events is None else ours.events
    return {
        "workload": row.workload.name,
        "precision": row.precision,
        "median_ms": {name: 1e3 * of.events for name, of in counted.items() if of.events is not None},
        "host_ms": {name: 1e3 * of.host for name, of in counted.items()},
        "steps": {name: of.steps for name, of in counted.items()},
        "way": ours.way if ours else "",
        "costs": costs,
        "left_out": left_out,
        "best_peer": best,
        "ratio": ratios.get(best or ""),
        "goal": GOALS.get(row.workload.name),
        "teraflops": row.workload.flops / seconds / 1e12 if seconds else None,
    }


def _ratio(ours: Figures, theirs: Figures) -> float:
    """Their time over ours, both by events, or both by the host's clock where one has no events."""
    if ours.events is None or theirs.events is None:
        return theirs.host / ours.host
    return theirs.events / ours.events
