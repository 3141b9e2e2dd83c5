"""Streams and files of rows: what a resumed run leaves in them."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from nnctl.errors import RunError
from nnctl.reporting.follow import RunSink, follow
from nnctl.reporting.formats import CsvLines, Format, JsonLines
from nnctl.reporting.sinks import FileSink, StreamSink
from nnctl.training.events import Evaluated, Event, Finished, Record, Saving, Started

COLUMNS = ("event", "epoch", "train_cost")


def record(epoch: int) -> Record:
    return {"event": "evaluation", "epoch": epoch, "train_cost": 1 / epoch}


def started(history: int = 0, metrics: str = "") -> Started:
    return Started(
        name="x",
        folder="",
        metrics=metrics,
        columns=COLUMNS,
        backend="numpy",
        backend_reason="",
        parameters=1,
        examples=1,
        batch_size=1,
        epochs=9,
        steps=9,
        step=history,
        history=tuple(record(e) for e in range(1, history + 1)),
    )


def events(first: int, last: int, *, metrics: str = "") -> Iterator[Event]:
    """A run that has written rows up to `first` and writes those after it up to `last`."""
    yield started(first, metrics)
    for epoch in range(first + 1, last + 1):
        yield Evaluated(record(epoch))
        yield Saving(epoch)
    yield Finished({})


def whole(form: Format, last: int) -> str:
    return form.header(COLUMNS) + "".join(form.row(record(e)) for e in range(1, last + 1))


FORMS = [JsonLines(), CsvLines()]


@pytest.mark.parametrize("form", FORMS)
def test_a_stream_gets_the_new_rows_only(form: Format) -> None:
    stream = io.StringIO()
    follow(events(2, 4), [StreamSink(stream, form)])
    assert stream.getvalue() == form.header(COLUMNS) + form.row(record(3)) + form.row(record(4))
    assert not stream.closed


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("had", [0, 1, 2, 3, 5])
def test_a_resumed_file_has_every_row_once(form: Format, had: int, tmp_path: Path) -> None:
    path = tmp_path / "metrics"
    path.write_text(whole(form, had))
    follow(events(2, 6), [FileSink(path, form, resumed=True)])
    assert path.read_text() == whole(form, 6)


@pytest.mark.parametrize("form", FORMS)
def test_a_torn_last_line_is_written_again(form: Format, tmp_path: Path) -> None:
    path = tmp_path / "metrics"
    path.write_text(whole(form, 3)[:-5])
    follow(events(2, 4), [FileSink(path, form, resumed=True)])
    assert path.read_text() == whole(form, 4)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "text", ["# notes of last week\n", '{"event": "evaluation", "epoch": 7}\n', "a,b,c,d\n1,2,3,4\n"]
)
def test_a_file_of_something_else_is_never_touched(form: Format, text: str, tmp_path: Path) -> None:
    path = tmp_path / "metrics"
    path.write_text(text)
    for history in (0, 2):
        with pytest.raises(RunError, match="holds lines that are not of this run"):
            follow(events(history, 4), [FileSink(path, form, resumed=True)])
    with pytest.raises(RunError, match="is there already and not empty"):
        FileSink(path, form, resumed=False)
    assert path.read_text() == text


def test_rows_are_in_the_file_as_they_come(tmp_path: Path) -> None:
    path = tmp_path / "metrics"
    sink = FileSink(path, JsonLines(), resumed=False)
    sink.handle(started())
    sink.handle(Evaluated(record(1)))
    assert json.loads(path.read_text()) == record(1)
    sink.close()


def test_a_file_that_cannot_be_made_is_an_error_of_the_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="cannot be written: there is no folder"):
        FileSink(tmp_path / "no" / "file", JsonLines(), resumed=False)
    with pytest.raises(RunError, match="cannot be written: Is a directory"):
        follow(events(0, 1), [FileSink(tmp_path, JsonLines(), resumed=False)])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_device_gets_the_new_rows() -> None:
    follow(events(1, 3), [FileSink(Path(os.devnull), JsonLines(), resumed=True)])


def test_the_runs_own_file_is_where_the_run_says(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    assert follow(events(0, 2, metrics=str(path)), [RunSink()]) == Finished({})
    assert path.read_text() == whole(JsonLines(), 2)


class Gone(io.StringIO):
    """A pipe whose reader has gone."""

    def flush(self) -> None:
        raise BrokenPipeError


def test_a_reader_that_has_gone_is_left_out_and_the_run_is_told(tmp_path: Path) -> None:
    told = []
    rows = FileSink(tmp_path / "rows", JsonLines(), resumed=False)
    follow(events(0, 3), [rows, StreamSink(Gone(), JsonLines())], reader_gone=lambda: told.append(True))
    assert told == [True]
    assert (tmp_path / "rows").read_text() == whole(JsonLines(), 3)
    with pytest.raises(BrokenPipeError):
        follow(events(0, 3), [StreamSink(Gone(), JsonLines())])


def test_sinks_are_closed_when_a_run_fails(tmp_path: Path) -> None:
    def failing() -> Iterator[Event]:
        yield started()
        raise RunError("no")

    rows = FileSink(tmp_path / "rows", JsonLines(), resumed=False)
    with pytest.raises(RunError, match="no"):
        follow(failing(), [rows])
    assert rows._file is None
