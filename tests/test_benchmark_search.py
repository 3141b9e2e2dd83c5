"""The suite that compares samplers runs every contender, and its tables say what was found."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

pytest.importorskip("benchmarks", reason="benchmarks/ lies beside a checkout's tests, not beside an sdist's")

from benchmarks import search
from benchmarks.problems import PROBLEMS, Problem
from benchmarks.search import CONTENDERS, RANDOM, Contender, found, interval, lines_of, measure, ratio

TINY = Problem(
    "tiny",
    """
data: {type: blobs, examples: 24, validation: 6}
layers: [{type: dense, units: 3, activation: softmax}]
cost: log_likelihood
schedule: {epochs: 1, batch_size: 12}
backend: numpy
sweep:
  space:
    optimizer.learning_rate: {type: log_uniform, low: 0.01, high: 100.0}
""",
)


def contender(name: str) -> Contender:
    return next(each for each in CONTENDERS if each.name == name)


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.name)
@pytest.mark.compile
def test_a_problem_is_searched(problem: Problem) -> None:
    (value,) = found(problem, contender(RANDOM), 0, 1)
    assert value > 0.0


def test_a_search_is_by_its_seed_and_its_lag() -> None:
    tpe, late = (found(TINY, contender(name), 0, 13) for name in ("tpe, lag 0", "tpe, lag 4"))
    assert found(TINY, contender("tpe, lag 0"), 0, 11) == tpe[:11]
    assert found(TINY, contender("tpe, lag 0"), 1, 1) != tpe[:1]
    # Ten trials are random; those after them know less with a lag.
    assert late[:10] == tpe[:10]
    assert late[10:] != tpe[10:]


def test_optuna_alone_searches_the_same_space_by_the_same_training() -> None:
    import optuna

    seen: list[float] = []

    class Fixed(optuna.samplers.RandomSampler):
        """A sampler that chooses what the sweep chose."""

        def __init__(self, seed: int) -> None:
            super().__init__(seed)

        def sample_independent(self, study, trial, param_name, param_distribution):
            seen.append(super().sample_independent(study, trial, param_name, param_distribution))
            return 0.1

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(optuna.samplers, "TPESampler", Fixed)
        alone = found(TINY, contender("Optuna's TPE"), 3, 2)
    assert len(seen) == 2
    law = "type: log_uniform, low: 0.01, high: 100.0"
    fixed = Problem("fixed", TINY.spec.replace(law, "type: choice, values: [0.1]"))
    assert alone == found(fixed, contender(RANDOM), 3, 1) * 2


def test_what_diverges_is_the_worst_there_is() -> None:
    wild = Problem("wild", TINY.spec.replace("low: 0.01, high: 100.0", "low: 1e37, high: 1e38"))
    assert found(wild, contender(RANDOM), 0, 1) == [math.inf]
    assert found(wild, contender("Optuna's TPE"), 0, 1) == [math.inf]


def test_searches_that_were_made_are_not_made_again(tmp_path: Path) -> None:
    done = tmp_path / "done.jsonl"
    done.write_text("".join(json.dumps(["tiny", RANDOM, seed, 2, [2.0, 1.0 + seed]]) + "\n" for seed in (0, 1)))
    (row,) = measure([TINY], {contender(RANDOM): 2}, 2, 1, done)
    assert row == {"problem": "tiny", "values": {RANDOM: [[2.0, 1.0], [2.0, 2.0]]}}
    assert len(done.read_text().splitlines()) == 2


def test_figures_have_intervals() -> None:
    mean, half = interval([1.0, 2.0, 3.0])
    assert mean == 2.0
    assert half == pytest.approx(4.3027 / math.sqrt(3), rel=1e-4)
    assert interval([1.0])[1] == math.inf
    assert ratio([1.0, 2.0], [2.0, 4.0]) == pytest.approx((0.5, 0.5, 0.5))
    middle, low, high = ratio([1.0, 8.0, 5.0], [2.0, 2.0])
    assert middle == pytest.approx(math.sqrt(2))
    assert low < 0.1 < 10 < high


def test_a_ratio_is_bold_where_its_interval_is_without_one() -> None:
    values = {RANDOM: [[3.0, 2.0], [4.0, 5.0]], "tpe, lag 0": [[1.0], [2.01]], "tpe, lag 4": [[1.9], [4.1]]}
    *_, line = lines_of([{"problem": "tiny", "values": values}])
    cells = line.split(" | ")
    assert cells[1].startswith("**0.50** (")
    assert cells[2].startswith("0.99 (")
    assert cells[3] == "–"


@pytest.mark.compile
def test_the_suite_runs_and_says_who_could_not_take_part(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "find_spec", lambda name: None)
    search.main(["--quick", "--only", "moons"])
    lines = capsys.readouterr().out.splitlines()
    cells = next(line for line in lines if line.startswith("| moons")).strip("| ").split(" | ")
    assert ["±" in cell for cell in cells[1:5]] == [True] * 4
    assert cells[5:] == ["–"] * 3
