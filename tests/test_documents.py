"""What is written for people holds: lists are current, links lead somewhere, recipes run."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from nnctl.spec.load import load_text

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")),
         *sorted(ROOT.glob("benchmarks/*.md")), *sorted(ROOT.glob("examples/*/README.md"))]  # fmt: skip
README_LINES = 230
SOURCES = ("nnctl", "tests", "benchmarks", "scripts", "examples")


def prose(page: Path) -> str:
    """A page without its code."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    return re.sub(r"`[^`\n]*`(?!\])", "", text)


def links(page: Path) -> Iterator[str]:
    """The targets of a page's links and pictures."""
    yield from re.findall(r"\]\(([^)\s]+)\)", prose(page))


def anchors(page: Path) -> set[str]:
    """The names of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in links(page):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        there = (page.parent / name).resolve() if name else page
        assert there.exists(), f"{page.name} links to {target}, which is not there"
        assert not anchor or anchor in anchors(there), f"{page.name} links to {target}: {name} has no such heading"


def test_a_dead_link_is_found() -> None:
    assert "specs" in set(links(ROOT / "README.md"))
    assert "sweeps" in anchors(ROOT / "README.md")


WITH_SPECS = ("spec", "sweeps", "series", "from-the-book", "from-keras", "from-pytorch", "teachers")
PIECES = [
    pytest.param(page, block, id=f"{page.name}-{number}")
    for page in [ROOT / "README.md", *(ROOT / "docs" / f"{name}.md" for name in WITH_SPECS)]
    for number, block in enumerate(re.findall(r"^```yaml\n(.*?)^```$", page.read_text("utf-8"), flags=re.M | re.S), 1)
]
REST = {
    "data": "{type: digits, validation: 0.1}",
    "layers": "[{type: dense, units: 10, name: strokes, activation: sigmoid}, "
    "{type: dense, units: 10, name: shapes, activation: sigmoid}]",
    "cost": "mse",
}


@pytest.mark.parametrize(("page", "block"), PIECES)
def test_every_piece_of_a_spec_is_part_of_one(page: Path, block: str) -> None:
    """What a page shows of the spec language loads, with the rest of a spec around it; a key may stand there twice."""
    parts = re.split(r"^(?=\w+:)", block, flags=re.M)
    texts = {part.partition(":")[0]: part for part in parts if re.match(r"\w+:", part)}
    for part in parts:
        given = {**texts, part.partition(":")[0]: part} if re.match(r"\w+:", part) else texts
        rest = "".join(f"{key}: {value}\n" for key, value in REST.items() if key not in given)
        assert load_text("".join(given.values()) + rest, page.name).spec


def test_the_tests_that_are_promised_are_there() -> None:
    """`file.py::name`, or `::name` of the file before."""
    named = re.findall(r"`([\w/]*?(?:\.py)?)::(\w+)`", (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8"))
    assert len(named) > 40
    file = ""
    for given, name in named:
        file = given or file
        assert f"def {name}(" in (ROOT / "tests" / file).read_text(encoding="utf-8"), f"{file} has no test {name}"


def test_the_readme_keeps_to_what_one_reads() -> None:
    lines = len((ROOT / "README.md").read_text(encoding="utf-8").splitlines())
    assert lines <= README_LINES, f"README.md has {lines} lines: what need not be read first belongs in docs/"


def test_the_list_of_modules_is_current() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "architecture.py"), "--check"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_the_architecture_has_the_layers_of_the_import_contract() -> None:
    """The same packages, line by line from the top."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    section = text.partition("## Who may import whom")[2].partition("\n## ")[0]
    first_cells = re.findall(r"^\| (`[^|]+) \|", section, flags=re.M)
    assert [set(re.findall(r"`(\w+)`", cell)) for cell in first_cells] == [
        {name.strip().rpartition(".")[2] for name in layer.split("|")} for layer in layers
    ]


@pytest.mark.parametrize("page", ["ARCHITECTURE.md", "CONTRIBUTING.md", "docs/kernels.md", "benchmarks/findings.md"])
def test_the_files_that_a_page_names_are_there(page: str) -> None:
    """Those of Python, by the end of their path."""
    files = [f"/{path.relative_to(ROOT).as_posix()}" for folder in SOURCES for path in (ROOT / folder).rglob("*.py")]
    text = re.sub(r"^```.*?^```$", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.M | re.S)
    named = set(re.findall(r"`([\w/.]+\.py)`", text))
    assert named
    assert [name for name in sorted(named) if not any(file.endswith(f"/{name}") for file in files)] == []
