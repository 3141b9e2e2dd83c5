"""The definition of a sweep: its trials listed, checked and keyed, at a cost that grows with their number."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from work import calls, grows_evenly

from nnctl.errors import SpecError, UsageError
from nnctl.spec.load import load_spec, load_variant
from nnctl.spec.variants import Variants
from nnctl.sweep.study import read_study
from nnctl.sweep.trial import load_trial

SPEC = """\
name: blobs
data: {type: blobs, examples: 60, centers: 2, validation: 20}
layers: [{type: dense, units: 2, activation: softmax, name: höhe}]
cost: log_likelihood
optimizer: {type: sgd, learning_rate: 0.05}
schedule: {epochs: 2, batch_size: 10}
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(SPEC, encoding="utf-8")


def numbers(count: int) -> str:
    return "[" + ", ".join(f"{(k + 1) * 1e-5:.6f}" for k in range(count)) + "]"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("search", "each"),
    [
        (lambda count: [f"sweep.grid.optimizer.learning_rate={numbers(count)}"], 1),
        (lambda count: [f"sweep.grid.optimizer.learning_rate={numbers(count)}", "sweep.grid.data.noise=[1, 2, 3]"], 3),
        (
            lambda count: [
                "sweep.space.optimizer.learning_rate={type: log_uniform, low: 0.001, high: 1}",
                f"sweep.trials={count}",
            ],
            1,
        ),
    ],
    ids=["one path", "two paths", "random"],
)
def test_a_trial_is_defined_at_one_price_however_many_there_are(search: Callable[[int], list[str]], each: int) -> None:
    """Ten thousand are a matter of three seconds. each: trials by a value more."""

    def define(count: int) -> None:
        assert read_study(Path("net.yaml"), search(count)).count == count * each

    assert grows_evenly(define, 50, 500)
    assert calls(lambda: define(100)) - calls(lambda: define(50)) < 1_100 * 50 * each


@pytest.mark.parametrize(
    "search",
    [
        ("sweep.seeds=1000000000",),
        ("sweep.folds=100001",),
        ("sweep.space.data.noise={type: uniform, low: 0.1, high: 1}", "sweep.trials=1000000"),
        tuple(f"sweep.grid.{path}={numbers(100)}" for path in ("data.noise", "optimizer.learning_rate", "seed")),
    ],
)
def test_more_trials_than_a_sweep_may_have_are_refused_before_any_is_listed(search: tuple[str, ...]) -> None:
    def refuse() -> None:
        with pytest.raises(UsageError, match="trials; a sweep has 100,000 at most"):
            read_study(Path("net.yaml"), search)

    # A call for each trial would be more.
    assert calls(refuse) < 100_000


@pytest.mark.parametrize("values", ["[0.1, 1e-1]", "[1, 0.1, 1.0]", "[0.1, 0.1]"])
def test_a_value_that_is_there_twice_is_refused(values: str) -> None:
    with pytest.raises(SpecError, match=r"has .* twice in the grid"):
        read_study(Path("net.yaml"), [f"sweep.grid.optimizer.learning_rate={values}"])


def test_a_name_and_a_component_of_that_name_are_one_value() -> None:
    with pytest.raises(SpecError, match="twice in the grid"):
        read_study(Path("net.yaml"), ["sweep.grid.optimizer=[adam, {type: adam}]"])


def test_trials_that_have_finished_are_not_checked_again() -> None:
    search = [f"sweep.grid.optimizer.learning_rate={numbers(200)}"]
    read_study(Path("net.yaml"), search)  # What is read once.
    new = calls(lambda: read_study(Path("net.yaml"), search))
    study = read_study(Path("net.yaml"), search)
    for trial in study.samples():
        summary = study.folder_of(trial) / "summary.json"
        summary.parent.mkdir(parents=True)
        summary.touch()
    again = calls(lambda: read_study(Path("net.yaml"), search))
    assert again < new / 2, (again, new)


def test_seeds_and_folds_of_a_combination_are_checked_once() -> None:
    search = [f"sweep.grid.optimizer.learning_rate={numbers(40)}"]
    once = calls(lambda: read_study(Path("net.yaml"), search))
    eight = [*search, "sweep.seeds=4", "sweep.folds=2"]
    study = read_study(Path("net.yaml"), eight)
    assert study.count == 320
    assert calls(lambda: read_study(Path("net.yaml"), eight)) < 3 * once
    for trial in (trial for trial in study.samples() if trial.number % 8):
        summary = study.folder_of(trial) / "summary.json"
        summary.parent.mkdir(parents=True)
        summary.touch()
    assert [trial.number for trial in study.unsure()] == list(range(0, 320, 8))


def test_true_and_one_are_two_values() -> None:
    with pytest.raises(SpecError, match="cannot be 1"):
        read_study(Path("net.yaml"), ["sweep.grid.schedule.shuffle=[true, 1]"])


@pytest.mark.parametrize(
    ("one", "other"),
    [("layers.0.units", "layers[0].units"), ("layers.-1.units", "layers[name=höhe].units"), ("seed", "seed ")],
)
def test_one_place_under_two_names_is_refused(one: str, other: str) -> None:
    Path("net.yaml").write_text(
        SPEC
        + f"sweep: {{grid: {{'{one}': [2]}}, space: {{'{other}': {{type: integer, low: 2, high: 3}}}}, trials: 2}}\n",
        encoding="utf-8",
    )
    with pytest.raises(SpecError, match="are the same value of the spec"):
        read_study(Path("net.yaml"), [])


def test_a_component_is_set_before_its_fields_however_their_paths_are_written() -> None:
    search = ["sweep.grid.layers[0].units=[7]", "sweep.grid.layers.0=[{type: dense, units: 3, activation: softmax}]"]
    study = read_study(Path("net.yaml"), [*search, "data.centers=3"])
    (trial,) = study.samples()
    assert load_trial(study.base, trial.overrides).spec.layers[0].units == 7  # type: ignore[attr-defined]


def test_trials_are_variants_of_what_was_read_not_of_what_the_file_has_become() -> None:
    study = read_study(Path("net.yaml"), ["sweep.grid.layers[name=höhe].activation=[softmax]"])
    Path("net.yaml").write_text("nonsense: true")
    assert load_trial(study.base, next(iter(study.samples())).overrides).spec.schedule.epochs == 2


def test_problems_of_trials_are_those_of_the_specs_that_they_make() -> None:
    """The quick check says what the full one says, with the same places."""
    base = load_spec(Path("net.yaml"))
    for override in (
        "optimizer.learning_rat=0.1",
        "layers.0.units=many",
        "layers.0.activation=relu",
        "layers.1.units=3",
        "schedule.early_stopping={monitor: validation_f1}",
        "data.validation=-1",
    ):
        with pytest.raises(SpecError) as full:
            load_variant(base, [override])
        with pytest.raises(SpecError) as quick:
            Variants(base).check([override])
        assert quick.value.diagnostics == full.value.diagnostics
    Variants(base).check(["layers.0.units=2"])


def test_of_values_that_were_drawn_one_stands_for_all_with_its_problem() -> None:
    search = ["sweep.space.optimizer.learning_rate={type: uniform, low: -1, high: 0.5}", "sweep.trials=20"]
    with pytest.raises(SpecError, match="learning_rate' cannot be -0") as caught:
        read_study(Path("net.yaml"), search)
    assert len(caught.value.diagnostics) == 1


def test_a_mistake_in_every_trial_is_found_without_trying_them_all(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[Iterable[str]] = []
    check = Variants.check
    monkeypatch.setattr(Variants, "check", lambda self, overrides: (tried.append(overrides), check(self, overrides)))
    with pytest.raises(SpecError) as caught:
        read_study(Path("net.yaml"), [f"sweep.grid.optimizer.learning_rat={numbers(200)}"])
    assert (len(caught.value.diagnostics), len(tried)) == (1, 100)


@pytest.mark.parametrize(
    ("asked", "most"),
    [
        (["sweep.sampler=tpe", "sweep.seeds=3"], 15),
        (["sweep.sampler=tpe", "sweep.lag=0"], 1),
        (["sweep.pruner=median", "sweep.lag=2"], 3),
        (["sweep.pruner=wilcoxon", "sweep.seeds=3"], 5),
        (["sweep.pruner=patience"], None),
        (["sweep.sampler=tpe", "sweep.pruner=hyperband"], None),
        (["sweep.seeds=3"], None),
    ],
)
def test_what_waits_for_results_bounds_how_many_are_under_way(asked: list[str], most: int | None) -> None:
    drawn = ["sweep.space.optimizer.learning_rate={type: log_uniform, low: 0.001, high: 1}", "sweep.trials=9"]
    assert read_study(Path("net.yaml"), [*drawn, *asked]).at_once == most
