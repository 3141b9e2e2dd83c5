from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from nnctl.errors import RunError
from nnctl.runs.checkpoints import Checkpoint, encode, load, save

STATE = Checkpoint(
    {"step": 7, "sums": {"cost": 0.1 + 0.2}, "stopped": None},
    {
        "dense1.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
        "dense1.weight.m": np.array(0.5),
        "empty": np.zeros((0, 3), dtype=np.int64),
        "transposed": np.arange(6.0).reshape(2, 3).T,
    },
)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "checkpoints" / "last.safetensors"
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
        with pytest.raises(RunError, match=r"last\.safetensors: the checkpoint is damaged"):
            load(saved)


def test_a_flipped_bit_in_a_weight_is_noticed(saved: Path) -> None:
    content = bytearray(saved.read_bytes())
    content[-10] ^= 1
    saved.write_bytes(content)
    with pytest.raises(RunError, match="do not have the checksum"):
        load(saved)


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

    save_file({"w": np.zeros(2)}, tmp_path / "last.safetensors", metadata={"nnctl": '{"format": 99}'})
    with pytest.raises(RunError, match="its format is not 1"):
        load(tmp_path / "last.safetensors")


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="there is no such checkpoint"):
        load(tmp_path / "last.safetensors")
