"""Files of events for TensorBoard, read back by a decoder of their formats that shares nothing with what wrote them."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from nnctl.cli import main
from nnctl.errors import RunError
from nnctl.reporting.follow import RunSink, follow
from nnctl.reporting.sinks import Sink
from nnctl.reporting.tensorboard import NAME, TensorBoardSink, export, tag_of
from nnctl.reporting.tfevents import masked_crc, scalars_record, version_record
from nnctl.runs.folder import RunFolder
from nnctl.runs.history import read_history
from nnctl.spec.load import load_text
from nnctl.training.events import Evaluated
from nnctl.training.session import train

SPEC = """
data: {type: blobs, examples: 60, validation: 20, test: 20}
layers: [{type: dense, units: 3, activation: softmax}]
cost: log_likelihood
schedule: {epochs: 4}
backend: numpy
"""


def crc32c(data: bytes) -> int:
    """CRC-32C bit by bit, as the long division that it is: no table."""
    crc = 0xFFFFFFFF
    for byte in data:
        for bit in range(8):
            carry = (crc ^ byte >> bit) & 1
            crc = crc >> 1 ^ 0x82F63B78 * carry
    return crc ^ 0xFFFFFFFF


def records(content: bytes) -> Iterator[bytes]:
    """The data of the records of a file, whose checksums have to be right."""
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        data = content[12 : 12 + length]
        for part, stored in ((content[:8], content[8:12]), (data, content[12 + length : 16 + length])):
            rotated = (struct.unpack("<I", stored)[0] - 0xA282EAD8) & 0xFFFFFFFF
            assert (rotated >> 17 | rotated << 15) & 0xFFFFFFFF == crc32c(part)
        yield data
        content = content[16 + length :]


def fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of a message of protocol buffers: numbers, or bytes by their wire type."""

    def varint() -> int:
        nonlocal message
        value = 0
        for place, byte in enumerate(message):
            value |= (byte & 0x7F) << 7 * place
            if byte < 0x80:
                message = message[place + 1 :]
                return value
        raise ValueError("a number without an end")

    while message:
        key = varint()
        match key & 7:
            case 0:
                yield key >> 3, varint()
            case 1:
                yield key >> 3, struct.unpack("<d", message[:8])[0]
                message = message[8:]
            case 2:
                length = varint()
                yield key >> 3, message[:length]
                message = message[length:]
            case 5:
                yield key >> 3, struct.unpack("<f", message[:4])[0]
                message = message[4:]


def read(path: Path) -> list[tuple[float, int, dict[str, float]]]:
    """The time, the step and the scalars of each event of a file but the first, which says the version."""
    first, *others = (dict(fields(data)) for data in records(path.read_bytes()))
    assert first[3] == b"brain.Event:2"
    events = []
    for data in list(records(path.read_bytes()))[1:]:
        event = dict(fields(data))
        values = [dict(fields(value)) for number, value in fields(event[5]) if number == 1]
        events.append((event[1], event[2], {value[1].decode(): value[2] for value in values}))
    assert len(events) == len(others)
    return events


def run_at(path: Path, *settings: str, sinks: list[Sink] | None = None, resume: bool = False) -> RunFolder:
    events = train(load_text(SPEC, "n.yaml", settings, path.parent), out=path, resume=resume)
    follow(events, [RunSink(), *(sinks or [])])
    return RunFolder(path)


def test_checksums_of_the_standard() -> None:
    # RFC 3720, B.4: 32 bytes of zeros, of ones, ascending.
    for data, crc in ((bytes(32), 0x8A9136AA), (b"\xff" * 32, 0x62A8AB43), (bytes(range(32)), 0x46DD794E)):
        assert crc32c(data) == crc
        assert masked_crc(data) == ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def test_events_have_every_number_of_every_row(tmp_path: Path) -> None:
    run = run_at(tmp_path / "a", sinks=[TensorBoardSink()])
    history = read_history(run)
    began = datetime.fromisoformat(history.origin["started"]).timestamp()
    assert history.summary is not None
    rows = [*history.rows, history.summary["test"]]
    events = read(run.path / NAME)
    assert [step for _, step, _ in events] == [row["step"] for row in rows]
    assert [time for time, _, _ in events] == [began + row["seconds"] for row in rows]
    for row, (_, _, scalars) in zip(rows, events):
        wanted = {tag_of(name): value for name, value in row.items() if value is not None}
        del wanted["event"], wanted["step"]
        assert scalars == {name: pytest.approx(value, rel=1e-6) for name, value in wanted.items()}
    assert events[0][2].keys() >= {"cost/train", "cost/validation", "accuracy/validation", "learning_rate", "epoch"}
    assert events[-1][2].keys() >= {"cost/test", "accuracy/test"}


def test_a_resumed_run_has_no_row_twice_and_the_digests_are_right(tmp_path: Path) -> None:
    sinks: list[Sink] = [RunSink(), TensorBoardSink()]
    events = train(load_text(SPEC, "n.yaml", (), tmp_path), out=tmp_path / "a")
    count = 0
    for event in events:
        for sink in sinks:
            sink.handle(event)
        count += isinstance(event, Evaluated)
        if count == 2:
            break  # Killed: two rows are written, and no checkpoint counts the second.
    events.close()
    for sink in sinks:
        sink.close()
    with (tmp_path / "a" / NAME).open("ab") as file:
        file.write(b"\x18\x00\x00")  # Half a record.
    run = run_at(tmp_path / "a", sinks=[TensorBoardSink()], resume=True)
    assert [step for _, step, _ in read(run.path / NAME)] == [row["step"] for row in read_history(run).rows] + [4]
    assert run.summary.is_file()
    summary = run.finished()
    assert summary is not None
    run.require_whole(summary)
    assert NAME not in summary["files"]
    # Longer, and then written anew where it was lost.
    run_at(tmp_path / "a", "schedule.epochs=6", sinks=[TensorBoardSink()], resume=True)
    kept = (run.path / NAME).read_bytes()
    assert [scalars["epoch"] for _, _, scalars in read(run.path / NAME)] == [1, 2, 3, 4, 5, 6, 6]
    (run.path / NAME).unlink()
    run_at(tmp_path / "a", "schedule.epochs=6", sinks=[TensorBoardSink()], resume=True)
    assert (run.path / NAME).read_bytes() == kept


def test_another_file_of_that_name_is_not_written_over(tmp_path: Path) -> None:
    run = run_at(tmp_path / "a")
    (run.path / NAME).write_bytes(b"of somebody else")
    with pytest.raises(RunError, match="is not the file of this run's events"):
        run_at(tmp_path / "a", sinks=[TensorBoardSink()], resume=True)
    assert (run.path / NAME).read_bytes() == b"of somebody else"


def test_runs_are_exported_below_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = run_at(tmp_path / "runs" / "a", sinks=[TensorBoardSink()])
    own = (run.path / NAME).read_bytes()
    assert export(RunFolder(Path("runs/a")), tmp_path / "board").read_bytes() == own
    assert main(["runs", "--where", "schedule.epochs=4", "--tensorboard-dir", "out", "--quiet"]) == 0
    assert (tmp_path / "out" / "runs" / "a" / NAME).read_bytes() == own
    assert main(["runs", "--tensorboard-dir", "out/runs/a/" + NAME, "--quiet"]) == 2


def test_the_command_writes_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "n.yaml").write_text(SPEC)
    assert main(["train", "n.yaml", "--tensorboard", "--quiet"]) == 0
    assert len(read(tmp_path / "runs" / "n" / "001" / NAME)) == 5
    assert main(["evaluate", "runs/n"]) == 0


def test_what_is_watched_of_layers_is_there_and_resumed_alike(tmp_path: Path) -> None:
    watched = ("watch={every: 2}", "schedule.epochs=5")
    run = run_at(tmp_path / "a", *watched, sinks=[TensorBoardSink()])
    rows = read_history(run).layers()
    assert [row["epoch"] for row in rows] == [0, 2, 4]
    told = [(step, scalars) for _, step, scalars in read(run.path / NAME) if any("layers/" in tag for tag in scalars)]
    names = [name for name in rows[0] if name not in ("epoch", "step", "layer")]
    assert [step for step, _ in told] == [row["step"] for row in rows]
    for row, (_, scalars) in zip(rows, told):
        wanted = {f"layers/{row['layer']}/{name}": row[name] for name in names if row[name] is not None}
        assert scalars == {tag: pytest.approx(value, rel=1e-6) for tag, value in wanted.items()}
    assert told[0][1].keys() >= {"layers/dense1/weight_norm", "layers/dense1/gradient_norm"}
    # In the order of steps, and at the time of the row that follows.
    events = read(run.path / NAME)
    assert [step for _, step, _ in events] == sorted(step for _, step, _ in events)
    assert [time for time, _, _ in events] == sorted(time for time, _, _ in events)
    written = (run.path / NAME).read_bytes()
    assert export(run, tmp_path / "board").read_bytes() == written
    # Made anew from rows, and written as they come: the same to the bit.
    (run.path / NAME).unlink()
    run_at(tmp_path / "a", *watched, sinks=[TensorBoardSink()], resume=True)
    assert (run.path / NAME).read_bytes() == written
    run_at(tmp_path / "a", watched[0], "schedule.epochs=7", sinks=[TensorBoardSink()], resume=True)
    longer = (run.path / NAME).read_bytes()
    assert export(run, tmp_path / "board").read_bytes() == longer
    assert len([tag for _, _, scalars in read(run.path / NAME) for tag in scalars if tag.endswith("weight_norm")]) == 4


def test_any_number_has_a_record() -> None:
    data = next(records(scalars_record(1.5, 2**40, {"数": 1e300, "\udc80": -0.5})))
    event = dict(fields(data))
    assert event[2] == 2**40
    values = [dict(fields(value)) for _, value in fields(event[5])]
    assert [(value[1].decode(), value[2]) for value in values] == [("数", math.inf), ("\\udc80", -0.5)]
    assert next(records(version_record(0.0)))
