"""Pages whose examples are there to be typed: every spec and every command of theirs runs, in the order of the page."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from nnctl import load_run
from nnctl.cli import main
from nnctl.components.registry import components, kinds
from nnctl.data.sources.digits import Digits

ROOT = Path(__file__).parents[1]
PAGES = ("from-the-book.md", "from-keras.md", "from-pytorch.md", "teachers.md")


def blocks(page: str) -> Iterator[tuple[str, str, str | None]]:
    """(language, text, file) of each block of code of a page.

    The name of the file that a block is stands in its first line, as a comment, or in the sentence above;
    a block without is a piece of a file, or commands.
    """
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    for match in re.finditer(
        r"(?:`([\w-]+\.\w+)`:\n\n)?^```(\w+)\n(?:# ([\w-]+\.\w+)\n)?(.*?)^```$", text, re.M | re.S
    ):
        yield match[2], match[4], match[1] or match[3]


def idx(array: np.ndarray) -> bytes:
    """Bytes as a file of MNIST's format."""
    shape = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + shape + array.astype(np.uint8).tobytes()


@pytest.fixture(scope="module")
def mnist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with few images in MNIST's form: 300 beyond the 10,000 that specs validate on, 300 to test on."""
    folder = tmp_path_factory.mktemp("mnist")
    small = Digits().read(folder, 0)
    images = np.kron(np.asarray(small.inputs)[..., 0] * 15, np.ones((3, 3), np.uint8))
    images = np.pad(images, ((0, 0), (2, 2), (2, 2)))
    for name, count in (("train", 10_300), ("t10k", 300)):
        rows = np.arange(count) % len(images)
        (folder / f"{name}-images-idx3-ubyte").write_bytes(idx(images[rows]))
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(idx(np.asarray(small.targets)[rows]))
    Image.fromarray(images[7]).save(folder / "digit.png")
    return folder


def lessons() -> None:
    """What the page for teachers says that the class sees, of the runs in the working folder."""
    runs = {name: load_run(Path("runs") / name) for name in (
        "neuron/001", "neuron/002", "xor/001", "xor/002", "slow/001", "slow/002", "saturated/001", "saturated/002",
        "moons/001", "moons/002", "moons/003", "conv/001", "dense/001", "deep/001", "deep/002", "deep/003",
    )}  # fmt: skip
    ends = {name: {column: values[-1] for column, values in run.metrics.items()} for name, run in runs.items()}
    tested = {name: run.summary["test"]["test_accuracy"] for name, run in runs.items() if (run.summary or {})["test"]}
    assert ends["neuron/001"]["train_accuracy"] == 1.0
    assert 0.69 < ends["neuron/002"]["train_cost"] < 0.71
    assert ends["xor/001"]["train_accuracy"] > 0.95
    assert ends["xor/002"]["train_accuracy"] < 0.8

    quadratic, entropy = (runs[f"slow/00{n}"].metrics["gradient_norm.dense1.bias"] for n in (1, 2))
    assert quadratic[0] < 0.02
    assert 200 <= 10 * (1 + int(np.argmax(quadratic))) <= 240
    assert entropy == sorted(entropy, reverse=True)
    assert entropy[0] > 0.9
    assert tested["saturated/001"] < 0.94 < 0.95 < tested["saturated/002"]

    by_heart = runs["moons/001"].metrics["validation_cost"]
    assert by_heart[-1] > 4 * min(by_heart)
    assert ends["moons/001"]["train_accuracy"] == 1.0
    assert ends["moons/002"]["validation_cost"] < 0.4
    assert runs["moons/003"].summary["epochs"] < 60
    assert tested["conv/001"] > 0.97 > tested["dense/001"]

    assert tested["deep/001"] < 0.2
    assert tested["deep/002"] > 0.9
    assert tested["deep/003"] > 0.8
    first = [
        json.loads(line) for line in Path("runs/deep/001/layers.jsonl").read_text().splitlines() if '"step": 0,' in line
    ]
    assert first[-1]["gradient_norm"] > 1000 * first[0]["gradient_norm"]


def run_where_possible(program: str) -> None:
    """A program of another library: run where all that it imports is there, and compiled where not."""
    code = compile(program, "<page>", "exec")
    wanted = re.findall(r"^(?:import|from) (\w+)", program, flags=re.M)
    if all(importlib.util.find_spec(name) for name in wanted):
        exec(code, {})


CLAIMS = {"teachers.md": lessons}


def churn() -> None:
    """The table that a page begins with, and rows that came later, with and without what is asked."""
    head, *rows = (ROOT / "specs" / "data" / "churn.csv").read_text(encoding="utf-8").splitlines()
    Path("churn.csv").write_text("\n".join([head, *rows]), encoding="utf-8")
    Path("labelled.csv").write_text("\n".join([head, *rows[:40]]), encoding="utf-8")
    Path("new.csv").write_text("\n".join(line.rpartition(",")[0] for line in [head, *rows[:40]]), encoding="utf-8")


def some_runs() -> None:
    """Runs of the names that the page on runs has, each of a moment."""
    digits = str(ROOT / "specs" / "digits.yaml")
    for settings in (
        (),
        ("optimizer=adam",),
        ("name=deep", "metrics=[gradient_norms]"),
        ("name=book", "data={type: mnist, subset: 200, validation: 100}"),
    ):
        more = [word for setting in settings for word in ("--set", setting)]
        assert main(["train", digits, "--backend", "numpy", "-q", "--epochs", "1", *more]) == 0


def specs() -> None:
    """The specs of a checkout, and a run of one."""
    Path("specs").symlink_to(ROOT / "specs")
    assert main(["train", "specs/xor.yaml", "--backend", "numpy", "-q", "--epochs", "2"]) == 0


PREPARED = {"init.md": churn, "runs.md": some_runs, "tables.md": churn, "trace.md": specs}
"""Pages whose commands begin with what a reader has already."""
NOT_RUN = {
    "nnctl trace specs/xor.yaml --stepwise": "it waits for keys: tests/cli/test_trace_command.py",
}
"""Commands of these pages that are not run here, and why."""
ELSEWHERE = {
    "gpu.md": "installs packages for a GPU",
    "plugins.md": "tests/test_plugins_guide.py installs its package and runs them",
    "reliability.md": "hours of other tests",
    "results.md": "trains on MNIST itself, a published file: from-the-book.md runs such a spec on a small one",
}
"""Pages with commands that are not run here, and why."""


@pytest.mark.compile
@pytest.mark.slow
@pytest.mark.parametrize("page", [*PAGES, *PREPARED])
def test_every_command_of_a_page_runs(
    page: str, mnist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one folder, in the order of the page."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NNCTL_DATA", str(mnist))
    (tmp_path / "digit.png").symlink_to(mnist / "digit.png")
    PREPARED.get(page, lambda: None)()
    ran = 0
    for language, block, name in blocks(page):
        if name:
            (tmp_path / name).write_text(block, encoding="utf-8")
        if language == "python":
            run_where_possible(block)
        if language == "sh":
            for line in block.splitlines():
                words = shlex.split(line, comments=True)
                if words and shlex.join(words) not in NOT_RUN:
                    assert words[0] == "nnctl", f"{page}: only nnctl can be run here: {line}"
                    *words, file = [*words[1:-2], words[-1]] if words[-2] == ">" else [*words[1:], ""]
                    capsys.readouterr()
                    with monkeypatch.context() as terminal:
                        if words[0] == "show":
                            # Curves are drawn nowhere else.
                            terminal.setattr(sys.stdout, "isatty", lambda: True)
                        code = main(words)
                    out, err = capsys.readouterr()
                    assert code == 0, f"{page}: {line}\n{err}"
                    if file:
                        (tmp_path / file).write_text(out, encoding="utf-8")
                    ran += 1
    assert ran
    CLAIMS.get(page, lambda: None)()


def test_no_page_has_commands_that_nobody_runs() -> None:
    with_commands = {
        path.name for path in (ROOT / "docs").glob("*.md") if any(each[0] == "sh" for each in blocks(path.name))
    }
    assert with_commands == {*PAGES, *PREPARED, *ELSEWHERE}
    lines = {
        shlex.join(shlex.split(line, comments=True))
        for page in (*PAGES, *PREPARED)
        for language, block, _ in blocks(page)
        for line in block.splitlines()
        if language == "sh"
    }
    assert set(NOT_RUN) <= lines


def test_the_book_page_has_every_spec_of_the_book() -> None:
    page = (ROOT / "docs" / "from-the-book.md").read_text(encoding="utf-8")
    named = set(re.findall(r"\(\.\./specs/(book/[\w-]+\.yaml)\)", page))
    assert named == {f"book/{path.name}" for path in (ROOT / "specs" / "book").glob("*.yaml")}


def pieces(page: str) -> Iterator[dict[str, Any]]:
    """The mappings with a type in a page's running text and tables."""
    prose = re.sub(r"^```.*?^```$", "", (ROOT / "docs" / page).read_text(encoding="utf-8"), flags=re.M | re.S)
    for code in re.findall(r"`([^`\n]+)`", prose):
        for mapping in re.findall(r"\{type: [^{}]*\}", code):
            yield yaml.safe_load(mapping)


@pytest.mark.parametrize("page", PAGES)
def test_components_named_in_a_page_have_the_fields_that_it_gives_them(page: str) -> None:
    found = list(pieces(page))
    assert found
    for piece in found:
        named = [components(kind)[piece["type"]] for kind in kinds() if piece["type"] in components(kind)]
        assert any({field.name for field in dataclasses.fields(each)} >= set(piece) - {"type"} for each in named), piece
