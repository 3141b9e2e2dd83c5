from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from nnctl.components.signature import DataSignature
from nnctl.errors import RunError
from nnctl.runs.checkpoints import Checkpoint, encode, load, renew_copy, save
from nnctl.runs.records import Signature

PROGRESS = {
    "spec": {"seed": 0},
    "spec_sha256": "a" * 64,
    "data": "b" * 64,
    "backend": "numpy",
    "signature": {
        "input_shape": [2],
        "input_dtype": "real",
        "classes": ["3", "7"],
        "target_shape": [],
        "statistics_shape": None,
        "vocabulary": None,
        "reconstructs": False,
    },
    "seed": 0,
    "examples": 20,
    "step": 7,
    "steps": 40,
    "epoch": 1.75,
    "rows": 0,
    "rows_sha256": "",
    "sums": {"cost": 0.1 + 0.2, "accuracy": None},
    "schedule": None,
    "monitor": None,
    "stopped": None,
}
STATE = Checkpoint(
    PROGRESS,
    {
        "dense1.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
        "dense1.weight.m": np.array(0.5),
        "empty": np.zeros((0, 3), dtype=np.int64),
        "transposed": np.arange(6.0).reshape(2, 3).T,
    },
)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "last.safetensors"
    save(path, STATE)
    return path


def test_what_is_saved_comes_back_bit_by_bit(saved: Path) -> None:
    back = load(saved)
    assert back.progress == STATE.progress
    assert set(back.tensors) == set(STATE.tensors)
    for name, array in STATE.tensors.items():
        assert back.tensors[name].dtype == array.dtype
        assert back.tensors[name].shape == array.shape
        assert back.tensors[name].tobytes() == array.tobytes()


def test_equal_states_give_equal_bytes() -> None:
    turned = Checkpoint(dict(reversed(STATE.progress.items())), dict(reversed(STATE.tensors.items())))
    assert encode(turned) == encode(STATE)


def test_the_json_copy_names_the_file_it_describes(saved: Path) -> None:
    import hashlib

    copy = json.loads(saved.with_suffix(".json").read_text())
    assert copy["step"] == 7
    assert copy["sha256"] == hashlib.sha256(saved.read_bytes()).hexdigest()
    assert sorted(p.name for p in saved.parent.iterdir()) == ["last.json", "last.safetensors"]


def test_every_cut_is_noticed(saved: Path) -> None:
    content = saved.read_bytes()
    for length in (0, 4, 8, len(content) // 2, len(content) - 1):
        saved.write_bytes(content[:length])
        with pytest.raises(RunError, match=r"last\.safetensors: is damaged or was edited"):
            load(saved)


def test_every_flipped_bit_is_noticed(saved: Path) -> None:
    """One of each byte, wherever it is: length, header, padding, arrays."""
    content = saved.read_bytes()
    for position in range(len(content)):
        changed = bytearray(content)
        changed[position] ^= 1 << position % 8
        saved.write_bytes(changed)
        with pytest.raises(
            RunError, match=r"last\.safetensors: (is damaged or was edited|not a checkpoint|was written by an older)"
        ):
            load(saved)


def test_an_edited_header_is_noticed(saved: Path) -> None:
    saved.write_bytes(saved.read_bytes().replace(rb"[\"3\",\"7\"]", rb"[\"7\",\"3\"]"))
    with pytest.raises(RunError, match="its checksum is not that of its content"):
        load(saved)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"step": "7"}, "step: input should be a valid integer"),
        ({"epoch": None}, "epoch: input should be a valid number"),
        ({"monitor": {"column": "train_cost"}}, "monitor.best: field required"),
        ({"later": 1}, "later: unexpected keyword argument"),
        ({"examples": 0}, "examples: input should be greater than 0"),
    ],
)
def test_a_header_with_another_field_or_type_is_refused(tmp_path: Path, change: dict[str, object], words: str) -> None:
    path = tmp_path / "last.safetensors"
    path.write_bytes(encode(Checkpoint(PROGRESS | change, STATE.tensors)))
    with pytest.raises(RunError, match=words):
        load(path)


def test_a_damaged_checkpoint_says_what_to_do(saved: Path) -> None:
    saved.with_name("best.safetensors").write_bytes(saved.read_bytes())
    saved.write_bytes(b"")
    with pytest.raises(RunError) as caught:
        load(saved)
    assert "resumes from its first step" in str(caught.value)
    assert "best.safetensors may still be whole" in str(caught.value)


def test_a_safetensors_file_of_someone_else_is_refused(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"w": np.zeros(2)}, tmp_path / "last.safetensors")
    with pytest.raises(RunError, match="not a checkpoint of nnctl"):
        load(tmp_path / "last.safetensors")


def test_another_format_is_refused(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"w": np.zeros(2)}, tmp_path / "last.safetensors", metadata={"nnctl": '{"format": 1}'})
    with pytest.raises(RunError, match="was written by an older version of nnctl: this one reads format 2 alone"):
        load(tmp_path / "last.safetensors")


def test_the_record_of_a_signature_is_the_signature() -> None:
    assert [field.name for field in fields(Signature)] == [field.name for field in fields(DataSignature)]


def test_a_stale_copy_is_renewed_and_a_right_one_stays(saved: Path) -> None:
    copy = saved.with_suffix(".json")
    right, inode = copy.read_bytes(), copy.stat().st_ino
    renew_copy(saved, load(saved))
    assert (copy.read_bytes(), copy.stat().st_ino) == (right, inode)
    for change in (lambda: copy.write_text("{}"), copy.unlink):
        change()
        renew_copy(saved, load(saved))
        assert copy.read_bytes() == right


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="there is no such checkpoint"):
        load(tmp_path / "last.safetensors")
