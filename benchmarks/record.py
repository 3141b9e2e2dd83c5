"""The record of a run of a suite: on what it was measured, and the files that keep it."""

from __future__ import annotations

import datetime
import json
import os
import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
"""The folder with a folder of each machine's results."""


def machine() -> dict[str, Any]:
    """Facts of this machine and moment: date, processor, cores, the load of other work, Python."""
    from nnctl.backends.machine import instruction_limit, processor

    name = "-".join(filter(None, (processor(), instruction_limit())))
    return {
        "date": datetime.date.today().isoformat(),
        "machine": f"{name} ({platform.system()} {platform.machine()})",
        "cores": cores(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
    }


def cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Versions of those that are installed, by name."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def words_of(result: Mapping[str, Any]) -> str:
    """The machine of a result in words: its processor, as LLVM calls it, a limit of its instructions, its cores."""
    count = result.get("cores", result.get("threads"))
    return f"{result['machine'].partition(' (')[0]}, {count} core{'' if count == 1 else 's'}"


def keep(suite: str, result: Mapping[str, Any], table: str, device: str | None = None) -> None:
    """Write a result and its table in Markdown under their machine's name, or the device's, and their suite's.

    What that machine gave before is replaced: versions of these files are what the repository keeps.
    """
    folder = RESULTS / (device or words_of(result)).replace(",", "").replace(" ", "-")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{suite}.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / f"{suite}.md").write_text(table + "\n", encoding="utf-8")
