"""The trials of a sweep section over a small spec, as a study lists them."""

from __future__ import annotations

from nnctl.spec.document import Sweep
from nnctl.spec.load import load_text
from nnctl.sweep.combinations import listed, runs
from nnctl.sweep.section_checks import require_sense
from nnctl.sweep.space import Space
from nnctl.sweep.trial import Trial

BASE = load_text("data: xor\nlayers: [{type: dense, units: 2, activation: softmax}]\ncost: log_likelihood\n")


def trials(sweep: Sweep, seed: int) -> tuple[Trial, ...]:
    require_sense(sweep)
    space = Space(BASE, sweep)
    points = enumerate(listed(space, sweep, seed))
    return tuple(trial for k, point in points for trial in runs(sweep, seed, k, point, space.variables))
