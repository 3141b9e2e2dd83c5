"""Cores whose time a container or a queue grants."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from nnctl.process import control_groups
from nnctl.process import cores as module
from nnctl.process.cores import cores


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A machine of files with eight cores."""
    monkeypatch.setattr(control_groups, "_GROUPS_OF_PROCESS", tmp_path / "of_process")
    monkeypatch.setattr(control_groups, "_MOUNTED", tmp_path / "cgroup")
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    module._quota.cache_clear()
    yield tmp_path
    module._quota.cache_clear()


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        (None, {}, 8),
        ("0::/", {}, 8),
        ("0::/", {"cpu.max": "max 100000"}, 8),
        ("0::/", {"cpu.max": "200000 100000"}, 2),
        ("0::/", {"cpu.max": "150000 100000"}, 2),
        ("0::/", {"cpu.max": "5000 100000"}, 1),
        ("0::/", {"cpu.max": "3200000 100000"}, 8),
        ("0::/", {"cpu.max": "200000"}, 8),
        ("0::/outer/inner", {"outer/cpu.max": "300000 100000", "outer/inner/cpu.max": "max 100000"}, 3),
        ("0::/outer/inner", {"outer/cpu.max": "300000 100000", "outer/inner/cpu.max": "50000 50000"}, 1),
        # A container that has the host's path, and its own group at the root.
        ("0::/docker/1", {"cpu.max": "400000 100000"}, 4),
        ("3:cpu,cpuacct:/", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 8),
        ("3:cpu,cpuacct:/a", {"cpu/a/cpu.cfs_quota_us": "250000", "cpu/a/cpu.cfs_period_us": "100000"}, 3),
        ("3:cpuset:/a", {"cpu/a/cpu.cfs_quota_us": "100000", "cpu/a/cpu.cfs_period_us": "100000"}, 8),
    ],
)
def test_no_more_cores_than_a_quota_is_worth(
    machine: Path, groups: str | None, files: dict[str, str], expected: int
) -> None:
    if groups is not None:
        (machine / "of_process").write_text(groups + "\n")
    for name, text in files.items():
        path = machine / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    assert cores() == expected
