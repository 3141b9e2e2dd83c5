"""Control groups of this process on Linux, whose limits a container, a queue of jobs or systemd has set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

_GROUPS_OF_PROCESS = Path("/proc/self/cgroup")
_MOUNTED = Path("/sys/fs/cgroup")


def folders(controller: str) -> Iterator[tuple[Path, bool]]:
    """The folders of the process's groups, and of those above: each with whether it is of version 2.

    Of version 1 those of the controller's hierarchy. None where the system has no control groups.
    """
    try:
        entries = [line.split(":", 2) for line in _GROUPS_OF_PROCESS.read_text().splitlines()]
    except (OSError, ValueError):
        return
    for _, controllers, path in (entry for entry in entries if len(entry) == 3):
        if controllers and controller not in controllers.split(","):
            continue
        root = _MOUNTED / controller if controllers else _MOUNTED
        # In a container the path may be the host's, and its own group lies at the root.
        group = root / path.lstrip("/")
        for folder in dict.fromkeys([group, *group.parents, root]):
            if folder == root or root in folder.parents:
                yield folder, not controllers


def numbers(path: Path, count: int = 1) -> list[int | None]:
    """The first numbers of a file of a group; None in place of those that are not there, or "max"."""
    try:
        words = path.read_text(encoding="ascii").split()
    except (OSError, ValueError):
        words = []
    return [int(word) if word.removeprefix("-").isdigit() else None for word in [*words, *[""] * count][:count]]
