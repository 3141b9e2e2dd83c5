import json
import math

import pytest

from nnctl.errors import UsageError
from nnctl.spec.document import EarlyStopping
from nnctl.training.monitor import Monitor, metric_of, require_column, stem_and_part


def observed(values: list[float], **stopping: object) -> Monitor:
    monitor = Monitor.of("validation_accuracy", True, EarlyStopping(monitor="validation_accuracy", **stopping))
    for step, value in enumerate(values, start=1):
        monitor = monitor.observe(value, step)
    return monitor


def test_patience_counts_evaluations_without_improvement() -> None:
    assert not observed([0.5, 0.6, 0.6], patience=2).exhausted
    monitor = observed([0.5, 0.6, 0.6, 0.59], patience=2)
    assert monitor.exhausted
    assert (monitor.best, monitor.best_step) == (0.6, 2)
    assert monitor.reason == "validation_accuracy has not improved in 2 evaluations"


def test_an_equal_value_is_no_improvement() -> None:
    assert observed([0.5, 0.5], patience=1).exhausted


def test_min_delta_rules_patience_but_not_which_weights_are_best() -> None:
    monitor = observed([0.50, 0.51, 0.52], patience=2, min_delta=0.05)
    assert monitor.exhausted
    assert monitor.best_step == 3


def test_small_steps_add_up_to_an_improvement() -> None:
    assert observed([0.50, 0.54, 0.58], patience=2, min_delta=0.05).waited == 0


def test_not_a_number_is_never_best() -> None:
    monitor = observed([math.nan, math.inf, 0.1, math.nan], patience=9)
    assert (monitor.best, monitor.best_step) == (0.1, 3)


def test_the_memory_survives_json() -> None:
    monitor = observed([0.1, 0.7, 0.3], patience=5)
    fresh = Monitor.of("validation_accuracy", True, EarlyStopping(monitor="validation_accuracy", patience=5))
    assert fresh.restored(json.loads(json.dumps(monitor.memory()))) == monitor


def test_a_cost_is_better_when_lower() -> None:
    monitor = Monitor("validation_cost", False).observe(2.0, 1).observe(1.0, 2).observe(1.5, 3)
    assert monitor.best_step == 2
    assert not monitor.exhausted


def test_metric_of() -> None:
    assert metric_of("validation_top_3") == "top_3"
    assert metric_of("penalty") == "penalty"


def test_an_unknown_column_is_named_with_the_likely_one() -> None:
    columns = ("epoch", "train_cost", "validation_cost", "validation_accuracy")
    with pytest.raises(UsageError, match="did you mean 'validation_accuracy'"):
        require_column("validation_acuracy", columns, "early stopping")
    with pytest.raises(UsageError, match="has no validation split"):
        require_column("validation_cost", columns[:2], "early stopping")


@pytest.mark.parametrize(
    ("column", "stem", "part"),
    [
        ("weight_norm.hidden.weight", "weight_norm", "hidden.weight"),
        ("validation_recall_at_0.2", "validation_recall_at_0.2", ""),
        ("norm_at_0.5.hidden.bias", "norm_at_0.5", "hidden.bias"),
        ("train_cost", "train_cost", ""),
    ],
)
def test_a_threshold_in_a_column_is_no_part_of_the_net(column: str, stem: str, part: str) -> None:
    assert stem_and_part(column) == (stem, part)
