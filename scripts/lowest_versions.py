"""Tests nnctl with the lowest versions that pyproject.toml allows of all that it needs.

    python scripts/lowest_versions.py               a new environment, those versions, and some tests
    python scripts/lowest_versions.py tests/data    these tests instead
    python scripts/lowest_versions.py --print       the versions, one requirement a line, as pip takes them

Its own Python should be the lowest, too. Every lower bound is pinned as it stands: one that no release has, or that the
other bounds rule out, is an error of pip's, and is to be raised to the lowest that works.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
LEFT_OUT = ("gp", "cuda12", "cuda13", "gpu", "test")
"""Extras that are not installed: too large, for a device, or for developers."""
TOOLS = ("hypothesis", "jsonschema", "pexpect", "psutil", "pytest", "pytest-xdist")
"""Requirements of the tests below, from the extra for developers."""
TESTS = (
    "tests/cli/test_groups.py",
    "tests/cli/test_plain.py",
    "tests/cli/test_predict.py",
    "tests/data/tables/test_typed_files.py",
    "tests/data/test_download.py",
    "tests/data/test_pictures.py",
    "tests/backends/test_kernel_language.py",
    "tests/exchange/onnx/test_columns.py",
    "tests/exchange/test_numpy_file.py",
    "tests/reporting",
    "tests/sweep/test_learning.py",
    "tests/sweep/test_optuna_internals.py",
    "tests/sweep/test_optuna_storage.py",
    "tests/visualization/test_output.py",
    "tests/weights/test_reading.py",
)
"""Tests that touch every requirement, and train: under a minute together."""
_REQUIREMENT = re.compile(r"(?P<name>[\w-]+)(?P<extra>\[[\w,]+\])?>=(?P<lowest>[\w.]+)(?:,<[\w.]+)?(?P<marker> *;.*)?")


def pinned(requirement: str) -> str:
    """A requirement with its lowest version alone. Raises ValueError where it states none."""
    found = _REQUIREMENT.fullmatch(requirement)
    if found is None:
        raise ValueError(f"pyproject.toml: {requirement!r} has no lower bound\n  write NAME>=LOWEST, one that works")
    return f"{found['name']}{found['extra'] or ''}=={found['lowest']}{found['marker'] or ''}"


def requirements() -> Iterator[str]:
    """The requirements of a user with all extras but those left out, then the tools of the tests, each once."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    asked = list(project["dependencies"])
    for name, given in extras.items():
        asked += [] if name in LEFT_OUT else given
    asked += [given for given in extras["test"] if re.split(r"\W*[>;]", given)[0] in TOOLS]
    yield from dict.fromkeys(map(pinned, asked))


def run(*command: str) -> None:
    """A command, at the root. Exits with its code where that is not 0."""
    if code := subprocess.run(command, cwd=ROOT, check=False).returncode:
        sys.exit(code)


def main(arguments: list[str]) -> None:
    """See the module."""
    pins = list(requirements())
    if arguments == ["--print"]:
        print(*pins, sep="\n")
        return
    with tempfile.TemporaryDirectory() as folder:
        run(sys.executable, "-m", "venv", folder)
        python = str(Path(folder) / "bin" / "python")
        run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", ".", *pins)
        run(python, "-m", "pytest", "--numprocesses=2", *(arguments or TESTS))


if __name__ == "__main__":
    main(sys.argv[1:])
