"""The list of trials: pure, in a fixed order, and refused where it makes no sense."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from listing import trials

from nnctl.components.distributions import Choice, Integer, LogUniform, Uniform
from nnctl.components.registry import components
from nnctl.components.samplers import Grid, Tpe
from nnctl.errors import UsageError
from nnctl.spec.document import Sweep
from nnctl.spec.load import load_text
from nnctl.spec.yaml.flow import flow

GRID = {"optimizer.learning_rate": (0.1, 1.0), "layers.0.units": (3, 4)}
LAWS = {"optimizer.learning_rate": LogUniform(low=1e-4, high=1.0), "layers.0.units": Integer(low=3, high=5)}
shares = st.floats(0, 1, exclude_max=True)


def test_grid_is_the_product_with_the_last_path_fastest() -> None:
    listed = trials(Sweep(grid=GRID), 0)
    assert [tuple(t.settings.values()) for t in listed] == [(0.1, 3), (0.1, 4), (1.0, 3), (1.0, 4)]
    assert [t.number for t in listed] == [0, 1, 2, 3]


def test_seeds_follow_the_spec_s_and_stay_together() -> None:
    listed = trials(Sweep(grid={"layers.0.units": (3, 4)}, seeds=2), 7)
    assert [(t.combination, t.seed) for t in listed] == [(0, 7), (0, 8), (1, 7), (1, 8)]


def test_seeds_alone_are_a_sweep() -> None:
    assert [t.overrides for t in trials(Sweep(seeds=2), 0)] == [("seed=0",), ("seed=1",)]


def test_more_draws_only_add_trials() -> None:
    few, many = (trials(Sweep(space=LAWS, trials=n), 0) for n in (3, 9))
    assert many[:3] == few
    assert len({t.settings["optimizer.learning_rate"] for t in many}) == 9


def test_a_draw_does_not_depend_on_the_other_paths() -> None:
    both = trials(Sweep(space=LAWS, trials=4), 0)
    path = "optimizer.learning_rate"
    alone = trials(Sweep(space={path: LAWS[path]}, trials=4), 0)
    assert [t.settings[path] for t in both] == [t.settings[path] for t in alone]


def test_every_grid_combination_meets_the_same_draws() -> None:
    listed = trials(
        Sweep(grid={"schedule.epochs": (1, 2)}, space={"optimizer.learning_rate": Uniform(low=0, high=1)}, trials=3), 0
    )
    rates = {
        n: [t.settings["optimizer.learning_rate"] for t in listed if t.settings["schedule.epochs"] == n] for n in (1, 2)
    }
    assert rates[1] == rates[2]


def test_draws_are_what_they_were() -> None:
    """Golden: a changed draw would mix two searches in one folder."""
    listed = trials(Sweep(space={"a": Uniform(low=0.0, high=1.0)}, trials=3), 0)
    assert [t.settings["a"] for t in listed] == GOLDEN


GOLDEN = [0.39752299084794296, 0.23325477090769486, 0.4902268035149815]


def test_a_component_is_set_before_its_fields() -> None:
    trial = trials(Sweep(grid={"optimizer.learning_rate": (0.1,), "optimizer": ("adam",)}), 0)[0]
    assert trial.overrides == ('optimizer="adam"', "optimizer.learning_rate=0.1", "seed=0")


@pytest.mark.parametrize(
    ("sweep", "message"),
    [
        (Sweep(), "nothing to sweep"),
        (Sweep(space=LAWS), "how many trials"),
        (Sweep(trials=3), "3 trials of nothing"),
        (Sweep(seeds=2, sampler=Tpe()), "the sampler tpe has nothing to propose"),
        (
            Sweep(grid={"optimizer.learning_rate": (0.1, 1.0)}, sampler=Grid()),
            "the sampler grid has nothing to propose",
        ),
        (
            Sweep(grid={"sweep.lag": (1, 2)}),
            "'sweep.lag' says how the sweep goes, and is the same for all of its trials",
        ),
        (Sweep(grid={"layers.0.units": (1,)}, space=LAWS, trials=1), "'layers.0.units' is searched in two ways"),
        (Sweep(grid={"seed": (1, 2)}, seeds=2), "do one of the two"),
    ],
)
def test_questions_without_sense(sweep: Sweep, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        trials(sweep, 0)


@given(shares)
def test_quantiles_stay_within_bounds(u: float) -> None:
    assert -1.0 <= Uniform(low=-1.0, high=2.0).quantile(u) <= 2.0
    assert 1e-5 * (1 - 1e-12) <= LogUniform(low=1e-5, high=10.0).quantile(u) <= 10.0 * (1 + 1e-12)
    assert Integer(low=-2, high=2).quantile(u) in range(-2, 3)
    assert Integer(low=1, high=1000, log=True).quantile(u) in range(1, 1001)
    assert Choice(values=("a", "b", "c")).quantile(u) in ("a", "b", "c")


def test_quantiles_are_what_they_say() -> None:
    assert math.isclose(LogUniform(low=1e-4, high=1.0).quantile(0.5), 1e-2)
    values = [Integer(low=0, high=3).quantile(i / 400) for i in range(400)]
    assert [values.count(n) for n in range(4)] == [100] * 4
    assert [Choice(values=(1, 2)).quantile(u) for u in (0.0, 0.49, 0.5, 0.99)] == [1, 1, 2, 2]


def test_bounds_the_wrong_way_round() -> None:
    assert [p.hint for p in Uniform(low=2.0, high=1.0).problems()] == ["exchange them: low: 1, high: 2"]
    assert Integer(low=0, high=9, log=True).problems()
    assert not Integer(low=0, high=9).problems()


@pytest.mark.parametrize("name", sorted(components("distribution")))
def test_every_distribution_has_a_sentence(name: str) -> None:
    assert (components("distribution")[name].__doc__ or "").strip()


def test_every_text_can_be_a_setting() -> None:
    text = "".join(map(chr, (*range(0x20), 0x22, 0x5C, *range(0x7F, 0xA0), 0x202E, 0x2028, 0xFFFE, 0x1F600)))
    spec = "data: digits\nlayers: [flatten, {type: dense, units: 10, activation: softmax}]\ncost: log_likelihood\n"
    loaded = load_text(spec, overrides=[f"description={flow(text)}"])
    assert loaded.spec.description == text
