"""Memory that a process may still take."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from nnctl import memory

MEMINFO = "MemTotal: 9000 kB\nMemFree: 10 kB\nMemAvailable:    4000 kB\n"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of files, with 4,000 KiB left and no limits of the process."""
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/meminfo").write_text(MEMINFO)
    monkeypatch.setattr(memory, "_PROC", tmp_path / "proc")
    monkeypatch.setattr(memory, "_CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(memory, "address_space_left", lambda: None)
    return tmp_path


def group(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


def test_the_machine_says_what_it_can_give(machine: Path) -> None:
    assert memory.available() == 4000 * 1024


def test_a_group_above_may_leave_less(machine: Path) -> None:
    (machine / "proc/self/cgroup").write_text("0::/outer/inner\n")
    group(machine / "cgroup/outer", memory__max="3000\n", memory__current="1000\n")
    group(machine / "cgroup/outer/inner", memory__max="max\n", memory__current="500\n")
    assert memory.available() == 2000


def test_a_container_of_version_1_has_its_group_at_the_root(machine: Path) -> None:
    (machine / "proc/self/cgroup").write_text("5:cpu:/docker/1\n4:memory:/docker/1\n")
    group(machine / "cgroup/memory", memory__limit_in_bytes="700", memory__usage_in_bytes="800")
    assert memory.available() == 0


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell the size of a process")
def test_the_limit_of_addresses_counts() -> None:
    program = (
        "import resource; from nnctl import memory\n"
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 30, resource.RLIM_INFINITY))\n"
        "print(memory.available())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert 0 < int(done.stdout) < 1 << 30
