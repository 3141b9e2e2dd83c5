"""Writes docs/modules.md: every module of nnctl with the first line of its docstring.

    python scripts/architecture.py            writes it
    python scripts/architecture.py --check    exits with 1 where it is out of date

Packages stand in the order of the import contract in pyproject.toml, so that what a reader meets
first uses what comes later.
"""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "nnctl"
OUTPUT = ROOT / "docs" / "modules.md"
COMMAND = "python scripts/architecture.py"

HEAD = f"""# Modules

Every module with the first line of its docstring, from the command line down: imports point to what stands below.
[ARCHITECTURE.md](../ARCHITECTURE.md) has the page to read first. This one is written by `{COMMAND}`.
"""


def first_line(path: Path) -> str:
    """The first line of a module's docstring. Raises ValueError where there is none."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    if not docstring:
        raise ValueError(f"{path.relative_to(ROOT)} has no docstring")
    return docstring.splitlines()[0]


def packages() -> Iterator[str]:
    """The packages and modules directly under nnctl, in the order of the import contract, then those it leaves out."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contract = next(c for c in project["tool"]["importlinter"]["contracts"] if c["type"] == "layers")
    ordered = [name.strip().rpartition(".")[2] for line in contract["layers"] for name in line.split("|")]
    yield from ordered
    there = {path.stem for path in PACKAGE.glob("*.py")} | {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    yield from sorted(there - set(ordered) - {"__init__", "__main__"})


def entries(folder: Path, prefix: str = "") -> Iterator[str]:
    """A line for each module of a package: its own modules first, then each sub-package and what is in it."""
    for path in sorted(folder.glob("*.py")):
        if path.stem != "__init__":
            yield f"- `{prefix}{path.stem}` – {first_line(path)}"
    for package in sorted(folder.glob("*/__init__.py")):
        name = f"{prefix}{package.parent.name}"
        yield f"- **`{name}`** – {first_line(package)}"
        yield from entries(package.parent, f"{name}.")


def text() -> str:
    """The whole page."""
    lines = [HEAD]
    for name in packages():
        folder = PACKAGE / name
        module = folder / "__init__.py" if folder.is_dir() else PACKAGE / f"{name}.py"
        lines += [f"## nnctl.{name}", "", first_line(module), ""]
        listed = list(entries(folder)) if folder.is_dir() else []
        lines += [*listed, ""] if listed else []
    return "\n".join(lines).rstrip() + "\n"


def main() -> int:
    """Write the page, or with --check compare it; the exit code."""
    wanted = text()
    if sys.argv[1:] == ["--check"]:
        if OUTPUT.is_file() and OUTPUT.read_text(encoding="utf-8") == wanted:
            return 0
        print(f"{OUTPUT.relative_to(ROOT)} is out of date; renew it by: {COMMAND}", file=sys.stderr)
        return 1
    OUTPUT.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
