"""`--from`: an existing study of Optuna, whose results a sampler begins with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from nnctl.cli import main
from nnctl.errors import RunError, UsageError
from nnctl.sweep.search import Search
from nnctl.sweep.stored_sweep import read_sweep
from nnctl.sweep.study import Study, read_study
from nnctl.sweep.trial import Trial
from nnctl.sweep.trial_result import TrialResult

SPEC = """\
data: {type: blobs, examples: 60, centers: 2, validation: 20}
layers:
  - {type: dense, units: 8, activation: relu}
  - {type: dense, units: 2, activation: softmax}
cost: log_likelihood
sweep:
  sampler: {type: tpe, startup: 5}
  space:
    depth: {type: integer, low: 1, high: 2}
    layers.0.units: {type: integer, low: 4, high: 64, step: 4}
    optimizer.learning_rate: {type: log_uniform, low: 1e-4, high: 1}
    layers.0.activation: {type: choice, values: [relu, {type: elu, alpha: 0.5}, tanh]}
  only: {layers.0: depth == 2}
  trials: 8
  monitor: validation_cost
"""
ELU = '{"type": "elu", "alpha": 0.5}'
WIDE = {
    "depth": IntDistribution(0, 9),
    "layers.0.units": IntDistribution(1, 999),
    "optimizer.learning_rate": FloatDistribution(1e-9, 9.0, log=True),
    "layers.0.activation": CategoricalDistribution(["relu", "tanh", "gelu", ELU]),
    "momentum": FloatDistribution(0.0, 1.0),
}


def made(value: float, **params: object) -> FrozenTrial:
    names = {"rate": "optimizer.learning_rate", "units": "layers.0.units", "activation": "layers.0.activation"}
    chosen = {names.get(name, name): each for name, each in params.items()}
    return create_trial(value=value, params=chosen, distributions={name: WIDE[name] for name in chosen})


FIT = [made(abs(units - 40) / 40, depth=2, rate=0.03, units=units, activation=ELU) for units in range(4, 64, 4)]
FIT += [made(1.5, depth=1, rate=rate) for rate in (0.001, 0.1)]
UNFIT = {
    "'momentum' is not searched": made(0.0, depth=1, rate=0.1, momentum=0.9),
    "'optimizer.learning_rate' is outside its range": made(0.0, depth=1, rate=2.0),
    "'layers.0.units' is between two steps": made(0.0, depth=2, rate=0.1, units=9, activation="relu"),
    "'layers.0.activation' is none of the values": made(0.0, depth=2, rate=0.1, units=8, activation="gelu"),
    "'layers.0.activation' is missing": made(0.0, depth=2, rate=0.1, units=8),
    "'layers.0.units' is there against its condition": made(0.0, depth=1, rate=0.1, units=8),
    "it is not complete": create_trial(state=TrialState.FAIL),
}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(SPEC)


def database(
    name: str, trials: list[FrozenTrial], file: str = "study.db", directions: tuple[str, ...] = ("minimize",)
) -> None:
    made = optuna.create_study(study_name=name, storage=f"sqlite:///{file}", directions=directions)  # type: ignore[arg-type]
    made.add_trials(trials)


def study(out: str, *overrides: str, source: str | None = None, name: str | None = None) -> Study:
    found = read_study(Path("net.yaml"), overrides, Path(out), None if source is None else (source, name))
    found.claim()
    return found


def tried(found: Study) -> list[Trial]:
    search, begun = Search(found), []
    while (trial := search.following()) is not None:
        begun.append(trial)
        units = trial.settings.get("layers.0.units", 0)
        assert isinstance(units, int)
        search.tell(TrialResult(trial, "", "finished", "validation_cost", {"validation_cost": abs(units - 40) / 40}))
    return begun


def test_what_is_known_informs_the_first_proposal() -> None:
    database("before", FIT)
    informed, alone = tried(study("informed", source="study.db")), tried(study("alone"))
    assert len(informed) == len(alone) == 8
    assert [trial.settings for trial in informed] != [trial.settings for trial in alone]

    def near(trials: list[Trial]) -> int:
        return sum(abs(trial.settings.get("layers.0.units", 0) - 40) <= 16 for trial in trials[:5])  # type: ignore[operator]

    assert near(informed) > near(alone)


def test_going_on_does_not_need_the_database() -> None:
    database("before", FIT)
    content = Path("study.db").read_bytes()
    whole = tried(study("whole", source="sqlite:///study.db"))
    assert Path("study.db").read_bytes() == content
    assert tried(study("found", "sweep.trials=3", source="study.db")) == whole[:3]
    Path("study.db").unlink()
    assert tried(study("found")) == whole
    kept = read_sweep(Path("found"))
    assert [result.trial for result in kept.results] == whole
    kept.study.require_claimed()
    with pytest.raises(UsageError, match=r"study.db: there is no such file"):
        study("found", source="study.db")
    assert not Path("study.db").exists()


def test_what_was_known_is_a_part_of_the_sweep() -> None:
    database("before", FIT)
    database("other", FIT[1:], "other.db")
    known, other, none = (
        read_study(Path("net.yaml"), [], None, source).folder
        for source in (("study.db", None), ("other.db", None), None)
    )
    assert len({known, other, none}) == 3
    study("found", source="study.db")
    with pytest.raises(RunError, match="holds another sweep"):
        study("found", source="other.db")
    record = Path("found/known.json")
    record.write_text(record.read_text().replace("0.03", "0.04", 1))
    with pytest.raises(RunError, match=r"known\.json: is damaged or was edited"):
        study("found")


def test_what_does_not_fit_is_left_out_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    database("before", [*FIT, *UNFIT.values()])
    with caplog.at_level("INFO"):
        found = study("found", source="study.db")
    assert found.known is not None
    assert len(found.known["trials"]) == len(FIT)
    assert found.known["trials"][0]["chosen"]["layers.0.activation"] == {"type": "elu", "alpha": 0.5}
    (said,) = (message for message in caplog.messages if "are known" in message)
    assert said.startswith(f"{len(FIT)} of {len(FIT) + len(UNFIT)} trials of the study 'before' are known; left out: ")
    assert all(f"1 where {reason}" in said for reason in UNFIT)


def test_an_exported_sweep_can_be_read() -> None:
    from nnctl.sweep.optuna_export import export
    from nnctl.sweep.stored_sweep import StoredSweep

    found = study("found", "sweep.constraints=['parameters < 300']")
    trials = tried(found)
    measured = {"validation_cost": 0.5, "parameters": 200}
    results = [TrialResult(t, f"found/{t.number:04d}", "finished", "validation_cost", measured) for t in trials]
    name = export(StoredSweep(found, results), "study.db")
    again = study("again", "sweep.constraints=['parameters < 300']", source="study.db", name=name)
    assert again.known is not None
    assert [trial["chosen"] for trial in again.known["trials"]] == [dict(trial.settings) for trial in trials]
    assert {tuple(trial["excesses"]) for trial in again.known["trials"]} == {(-100.0,)}


def exported(found: Study, told: dict[int, TrialResult]) -> str:
    """Export a sweep whose trials ended so, by number. Returns the name of the study."""
    from nnctl.sweep.optuna_export import export
    from nnctl.sweep.stored_sweep import StoredSweep

    return export(StoredSweep(found, [told[number] for number in sorted(told)]), "study.db")


def ended(trial: Trial, value: float | None) -> TrialResult:
    """A result that is finished with a value, or diverged without one."""
    folder = f"found/{trial.number:04d}"
    if value is None:
        return TrialResult(trial, folder, "diverged", error="the cost is not finite", exit_code=4)
    return TrialResult(trial, folder, "finished", "validation_cost", {"validation_cost": value, "parameters": 200})


def test_what_diverged_in_an_exported_sweep_is_known_as_the_sweep_itself_knows_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    asked = ("sweep.lag=0", "sweep.constraints=['parameters < 300']")
    found = study("found", *asked, "sweep.trials=6")
    search, told = Search(found), dict[int, TrialResult]()
    values = [None, 2.0, float("nan"), 5.0, None, 1.0]
    while (trial := search.following()) is not None:
        told[trial.number] = ended(trial, values[trial.number])
        search.tell(told[trial.number])
    name = exported(found, told)
    with caplog.at_level("INFO"):
        again = study("again", *asked, "sweep.trials=1", source="study.db", name=name)
    assert f"6 of 6 trials of the study '{name}' are known, 3 of them diverged" in caplog.messages
    assert again.known is not None
    assert [known["values"] for known in again.known["trials"]] == [None, [2.0], None, [5.0], None, [1.0]]
    search = Search(again)
    assert search.following() is not None
    assert search._learner is not None
    trials = search._learner._study.get_trials()[:6]
    assert [trial.values for trial in trials] == [[5.0], [2.0], [5.0], [5.0], [5.0], [1.0]]
    assert [list(trial.constraints.values()) for trial in trials] == [[-100.0]] * 6
    # So it is without the database.
    assert study("again", *asked, "sweep.trials=1").known == again.known


def test_what_was_pruned_in_an_exported_sweep_is_known_by_its_rungs(caplog: pytest.LogCaptureFixture) -> None:
    asked = ("sweep.lag=0", "sweep.pruner={type: median, startup: 1, rungs: [2, 5]}", "schedule.epochs=9")
    found = study("found", *asked, "sweep.trials=3")
    search, told = Search(found), dict[int, TrialResult]()
    while (trial := search.following()) is not None:
        result = ended(trial, 0.5)
        if trial.number == 1:
            result = replace(result, status="pruned", rung=5, epochs=5, reached={2: 0.9, 5: 0.75})
        told[trial.number] = result
        search.tell(result)
    name = exported(found, told)
    with caplog.at_level("INFO"):
        again = study("again", *asked, "sweep.trials=1", source="study.db", name=name)
    assert f"3 of 3 trials of the study '{name}' are known, 1 of them pruned" in caplog.messages
    assert again.known is not None
    assert [known["values"] for known in again.known["trials"]] == [[0.5], None, [0.5]]
    assert [known.get("rungs") for known in again.known["trials"]] == [None, [[2, 0.9], [5, 0.75]], None]
    learned, before = Search(again), search._learner
    assert learned.following() is not None
    assert learned._learner is not None
    assert before is not None
    mine, theirs = (each._study.get_trials()[1] for each in (learned._learner, before))
    assert mine.state == theirs.state == TrialState.PRUNED
    assert mine.intermediate_values == theirs.intermediate_values == {2: 0.9, 5: 0.75}
    assert (mine.params, mine.distributions) == (theirs.params, theirs.distributions)
    # So it is without the database.
    assert study("again", *asked, "sweep.trials=1").known == again.known
    database("pruned", [pruned()], "pruned.db")
    with pytest.raises(UsageError, match=r"none of the 1 trials .* 1 where it was pruned after epochs, not seconds"):
        study("timed", "sweep.pruner={type: median, rungs: [2 seconds, 5 seconds]}", source="pruned.db")


def pruned() -> FrozenTrial:
    """A trial as a stranger's program has it: pruned after the second of its epochs."""
    names = ("depth", "optimizer.learning_rate")
    return create_trial(
        state=TrialState.PRUNED,
        params=dict(zip(names, (1, 0.1), strict=True)),
        distributions={name: WIDE[name] for name in names},
        intermediate_values={0: 0.9, 1: float("nan"), 2: 0.75},
    )


def test_a_stranger_s_pruned_trial_is_known_by_its_steps() -> None:
    database("before", [*FIT, pruned()])
    found = study("found", source="study.db")
    assert found.known is not None
    assert found.known["trials"][-1]["rungs"] == [[0, 0.9], [2, 0.75]]
    assert len(tried(found)) == 8
    database("two", [pruned()], "two.db", ("minimize", "minimize"))
    with pytest.raises(UsageError, match=r"none of the 1 trials .* 1 where it is not complete"):
        study("several", "sweep.monitor=[validation_cost, train_cost]", source="two.db")


def test_a_run_that_diverged_beside_others_and_one_that_the_machine_lost_are_no_results() -> None:
    found = study("found", "sweep.seeds=2", "sweep.trials=3")
    search, told = Search(found), dict[int, TrialResult]()
    while (trial := search.following()) is not None:
        told[trial.number] = ended(trial, None if trial.number in (1, 2, 3) else 0.5)
        search.tell(told[trial.number])
    told[3] = TrialResult(told[3].trial, "found/0003", "failed", error="no", exit_code=2)
    name = exported(found, told)
    again = study("again", source="study.db", name=name)
    assert again.known is not None
    # Of combination 0 a run has finished; of combination 1 one has diverged, and of the other nothing is known.
    assert [known["values"] for known in again.known["trials"]] == [[0.5], None, [0.5], [0.5]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--from", "gone.db"), "--from gone.db: there is no such file"),
        (("--from", "net.yaml"), "holds no studies of Optuna that can be read: file is not a database"),
        (("--from", "empty.db"), "holds no studies of Optuna that can be read: no such table"),
        (("--from", "nix://x"), "no such kind of database"),
        (("--from", "study.db"), "holds several studies: before, two, up, useless\n  --from-study names one"),
        (("--from", "study.db", "--from-study", "befor"), "holds no study 'befor'\n  did you mean 'before'?"),
        (("--from", "study.db", "--from-study", "two"), "has 2 objectives, and the sweep 1: validation_cost"),
        (
            ("--from", "study.db", "--from-study", "up"),
            "is to maximize its objective 0, and of validation_cost lower is",
        ),
        (("--from", "study.db", "--from-study", "useless"), "none of the 1 trials of the study 'useless' is a known"),
        (("--from", "study.db", "--sampler", "random"), "the sampler random learns from no results"),
        (("--from-study", "before"), "--from-study: says nothing to a sweep that begins with no study"),
    ],
)
def test_what_cannot_be_read(options: tuple[str, ...], message: str, capfd: pytest.CaptureFixture[str]) -> None:
    import sqlite3

    sqlite3.connect("empty.db").close()
    if "study.db" in options:
        database("before", FIT[:1])
        database("two", [], directions=("minimize", "minimize"))
        database("up", [], directions=("maximize",))
        database("useless", [UNFIT["it is not complete"]])
    before = sorted(Path().iterdir())
    assert main(("sweep", "net.yaml", *options)) == 2
    assert message in capfd.readouterr().err
    assert sorted(Path().iterdir()) == before
