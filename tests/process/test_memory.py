"""Memory that a process may still take."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from nnctl.process import control_groups, memory
from nnctl.process.refusals import shortage_of

MEMINFO = "MemTotal: 9000 kB\nMemFree: 10 kB\nMemAvailable:    4000 kB\n"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of files, with 4,000 KiB left and no limits of the process."""
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/meminfo").write_text(MEMINFO)
    monkeypatch.setattr(memory, "_PROC", tmp_path / "proc")
    monkeypatch.setattr(control_groups, "_GROUPS_OF_PROCESS", tmp_path / "proc/self/cgroup")
    monkeypatch.setattr(control_groups, "_MOUNTED", tmp_path / "cgroup")
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
        "import resource; from nnctl.process import memory\n"
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 30, resource.RLIM_INFINITY))\n"
        "print(memory.available())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert 0 < int(done.stdout) < 1 << 30


@pytest.mark.parametrize(("left", "enough"), [(None, True), (1 << 30, True), (100 << 20, False)])
def test_the_libraries_are_not_loaded_where_they_do_not_fit(
    monkeypatch: pytest.MonkeyPatch, left: int | None, enough: bool
) -> None:
    monkeypatch.setattr(memory, "address_space_left", lambda: left)
    if enough:
        memory.require_address_space()
        return
    with pytest.raises(MemoryError, match=r"ulimit -v leaves 100\.0 MiB"):
        memory.require_address_space()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS is kept by Linux")
@pytest.mark.parametrize("mebibytes", [150, 300, 450])
def test_little_memory_is_a_sentence(mebibytes: int) -> None:
    program = (
        f"import resource; resource.setrlimit(resource.RLIMIT_AS, ({mebibytes} << 20, {mebibytes} << 20))\n"
        "from nnctl.cli import main; import sys; sys.exit(main(['doctor']))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("nnctl: there is not enough memory: ulimit -v leaves ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (MemoryError(), "there is not enough memory"),
        (MemoryError("Unable to allocate 10.9 TiB"), "there is not enough memory: Unable to allocate 10.9 TiB"),
        (RuntimeError("can't start new thread"), "there is not enough memory: can't start new thread"),
        (RuntimeError("a defect"), None),
    ],
)
def test_a_shortage_is_told_from_a_defect(error: Exception, sentence: str | None) -> None:
    assert shortage_of(error) == sentence
