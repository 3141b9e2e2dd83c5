"""The builders of sections, in the order of the page: the one place where they are registered.

A builder gives no section, rather than an empty one, where it has nothing to say.
"""

from __future__ import annotations

from nnctl.report.curves import curves
from nnctl.report.layers import layers_over_time
from nnctl.report.net import trained_net
from nnctl.report.origins import machines, repetition
from nnctl.report.parameters import parameters_over_time
from nnctl.report.results import results
from nnctl.report.search import course, curves_of_the_best, pareto, ranking, spec_of_sweep
from nnctl.report.section import AboutANet, AboutARun, AboutASweep, AboutRuns
from nnctl.report.settings import contours, importances, parallel, slices
from nnctl.report.specs import differences_of_specs, resolved_specs

RUNS: tuple[AboutRuns, ...] = (results, differences_of_specs, curves)
RUN: tuple[AboutARun, ...] = (layers_over_time, parameters_over_time)
NET: tuple[AboutANet, ...] = (trained_net,)
ORIGINS: tuple[AboutRuns, ...] = (resolved_specs, machines, repetition)
SWEEP: tuple[AboutASweep, ...] = (
    ranking,
    course,
    pareto,
    importances,
    parallel,
    slices,
    contours,
    curves_of_the_best,
    spec_of_sweep,
)
