"""What people see."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest

from nnctl.reporting.pace import Pace
from nnctl.reporting.terminal import MessageSink, TableSink, show, terminal_sinks
from nnctl.screen.console import Console
from nnctl.training.events import Evaluated, Finished, Pretrained, Started, Stopped
from nnctl.training.events import Tested as FinalRow  # pytest collects what is called Test…

COLUMNS = ("event", "epoch", "step", "seconds", "learning_rate", "train_cost", "validation_accuracy", "test_accuracy")
STARTED = Started(
    name="xor",
    folder="runs/xor/001",
    metrics="",
    columns=COLUMNS,
    backend="numpy",
    backend_reason="the only one",
    parameters=4810,
    examples=1200,
    batch_size=32,
    epochs=1,
    steps=38,
)
ROW = dict(zip(COLUMNS, ("evaluation", 1, 38, 12.34, 0.003, 1.5, 0.97, None)))
TEST = dict(zip(COLUMNS, ("test", 1, 38, 12.5, None, None, None, 0.96)))
SUMMARY = {"epochs": 1, "seconds": 3700.0, "weights": "best", "test": TEST, "last": ROW}


def console() -> tuple[Console, io.StringIO]:
    text = io.StringIO()
    return Console(text, width=100), text


def test_the_table() -> None:
    screen, text = console()
    table = TableSink(screen)
    for event in (STARTED, Evaluated(ROW, improved=True), FinalRow(TEST)):
        table.handle(event)
    assert text.getvalue().splitlines() == [
        "                  learning    train  validation",
        "  epoch  seconds      rate     cost    accuracy",
        "      1     12.3     0.003   1.5000      0.9700 *",
        "test, with the weights of epoch 1: accuracy 0.9600",
    ]


class Clock:
    """A clock that goes on when it is told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def fast_run(rows: int, best: int, seconds: float) -> list[str]:
    """The lines of a run with a row a step, which is `seconds` long."""
    screen, text = console()
    clock = Clock()
    table = TableSink(screen, Pace(clock))
    table.handle(replace(STARTED, metrics="runs/xor/001/metrics.jsonl"))
    for step in range(1, rows + 1):
        clock.now += seconds / rows
        table.handle(Evaluated(ROW | {"epoch": step, "train_cost": 0.125}, improved=step in (1, best)))
    table.handle(Finished(SUMMARY, "runs/xor/001"))
    table.close()
    return text.getvalue().splitlines()


def test_rows_that_come_faster_than_one_reads_are_left_out_but_for_the_best_and_the_last() -> None:
    lines = fast_run(rows=100_000, best=55_555, seconds=10.0)
    epochs = [line.split()[0] for line in lines[2:-1]]
    assert 60 < len(epochs) < 100
    assert epochs == sorted(epochs, key=int)
    assert epochs[:3] == ["1", "2", "3"]
    assert epochs[-1] == "100000"
    (starred,) = [line for line in lines[3:] if line.endswith(" *")]
    assert starred.split()[0] == "55555"
    assert lines[-1] == (
        f"{100_000 - len(epochs):,} more rows, which came faster than one reads, in runs/xor/001/metrics.jsonl"
    )


@pytest.mark.parametrize(("rows", "seconds"), [(40, 0.01), (400, 120.0)])
def test_a_run_that_can_be_followed_is_shown_in_full(rows: int, seconds: float) -> None:
    assert len(fast_run(rows, 2, seconds)) == 2 + rows


@pytest.mark.parametrize("width", [20, 40, 80])
def test_a_wide_row_takes_several_lines_and_every_number_is_there(width: int) -> None:
    text = io.StringIO()
    table = TableSink(Console(text, width=width))
    names = tuple(f"validation_metric{i:02d}" for i in range(30))
    table.handle(replace(STARTED, columns=("epoch", *names)))
    table.handle(Evaluated({"epoch": 7, **{name: 0.5 + i / 1000 for i, name in enumerate(names)}}))
    lines = text.getvalue().splitlines()
    words = text.getvalue().split()
    assert all(f"metric{i:02d}" in words and f"{0.5 + i / 1000:.4f}" in words for i in range(30))
    assert max(map(len, lines)) <= width


def test_of_very_many_columns_the_first_are_shown_and_the_rest_counted() -> None:
    screen, text = console()
    table = TableSink(screen)
    names = tuple(f"gradient_norm_{i}" for i in range(10_000))
    table.handle(replace(STARTED, columns=names, metrics="metrics.jsonl"))
    table.handle(Evaluated(dict.fromkeys(names, 0.5)))
    assert len(text.getvalue()) < 5_000
    assert "and 9,960 more columns in metrics.jsonl" in text.getvalue()


def test_pretraining_has_a_pace_too_and_its_last_epoch_is_shown() -> None:
    screen, text = console()
    messages = MessageSink(screen, Pace(Clock()))
    for epoch in range(1, 1001):
        messages.handle(Pretrained("hidden", epoch, 1000, 0.5, 1.0))
    lines = text.getvalue().splitlines()
    assert len(lines) == 41
    assert lines[-1] == "pretraining hidden: epoch 1000/1000, reconstruction error 0.5000"


def test_names_of_strangers_do_not_act() -> None:
    screen, text = console()
    evil = "\x1b]0;owned\x07[red]\u202e\r\n"
    table, messages = TableSink(screen), MessageSink(screen)
    started = replace(STARTED, name=evil, folder=evil, columns=("epoch", evil), advice=(evil,), backend_reason=evil)
    for event in (started, Evaluated({"epoch": 1, evil: 0.5}), Stopped(evil), Pretrained(evil, 1, 1, 0.5, 1.0)):
        table.handle(event)
        messages.handle(event)
    assert not set(text.getvalue()) & set("\x1b\x07\u202e\r")
    assert "[red]" in text.getvalue()


def test_the_notices() -> None:
    screen, text = console()
    messages = MessageSink(screen)
    for event in (
        replace(STARTED, advice=("[step] has no slope",)),
        Stopped("patience is at its end"),
        Finished(SUMMARY, "runs/xor/001"),
    ):
        messages.handle(event)
    assert text.getvalue().splitlines() == [
        "xor: 4,810 parameters, 1,200 training examples, batches of 32, 1 epoch",
        "backend numpy: the only one",
        "note: [step] has no slope",
        "run runs/xor/001",
        "stopped early: patience is at its end",
        "1 epoch in 1 h 01 min; test accuracy 0.9600; best weights, of epoch 1",
    ]


def test_the_last_words_are_of_what_was_measured() -> None:
    screen, text = console()
    row = {"epoch": 1, "train_cost": 0.5, "validation_cost": None}
    MessageSink(screen).handle(Finished({**SUMMARY, "test": None, "last": row}, "out"))
    MessageSink(screen).handle(Finished({**SUMMARY, "test": None, "last": row | {"validation_cost": 0.75}}, "out"))
    ends = [line.split("; ")[1] for line in text.getvalue().splitlines()]
    assert ends == ["train cost 0.5000", "validation cost 0.7500"]


def test_quiet_is_quiet_and_a_pipe_gets_no_bar() -> None:
    assert terminal_sinks(io.StringIO(), io.StringIO(), rows=False, quiet=True) == []
    (only,) = terminal_sinks(io.StringIO(), io.StringIO(), rows=False, quiet=False)
    assert isinstance(only, MessageSink)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (3, "3"),
        (0.0, "0.0000"),
        (0.5, "0.5000"),
        (123.456, "123.5"),
        (1e-7, "1.00e-07"),
        (2e9, "2.00e+09"),
    ],
)
def test_show(value: float | None, text: str) -> None:
    assert show(value) == text
