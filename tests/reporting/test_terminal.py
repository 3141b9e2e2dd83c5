"""What people see."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from nnctl.reporting.terminal import MessageSink, TableSink, show, terminal_sinks
from nnctl.training.events import Evaluated, Finished, Started, Stopped
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
    return Console(file=text, width=100), text


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
