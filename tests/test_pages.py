"""Pages whose examples are there to be typed: every spec and every command of theirs runs, in the order of the page."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nnctl.cli import main
from nnctl.data.sources.digits import Digits

ROOT = Path(__file__).parents[1]


def blocks(page: str) -> Iterator[tuple[str, str]]:
    """(language, text) of each block of code of a page."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    for match in re.finditer(r"^```(\w+)\n(.*?)^```$", text, flags=re.M | re.S):
        yield match[1], match[2]


def file_of(block: str) -> str | None:
    """The name of the file that a block is, which its first line says; None of a piece of a file."""
    named = re.match(r"# ([\w-]+\.\w+)$", block, flags=re.M)
    return named[1] if named else None


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


@pytest.mark.compile
@pytest.mark.slow
@pytest.mark.parametrize("page", ["from-the-book.md"])
def test_every_command_of_a_page_runs(
    page: str, mnist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one folder, in the order of the page; the specs of the repository lie beside it, as in a clone."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NNCTL_DATA", str(mnist))
    (tmp_path / "specs").symlink_to(ROOT / "specs")
    (tmp_path / "digit.png").symlink_to(mnist / "digit.png")
    ran = 0
    for language, block in blocks(page):
        if name := file_of(block):
            (tmp_path / name).write_text(block, encoding="utf-8")
        if language == "sh":
            for line in block.splitlines():
                if words := shlex.split(line, comments=True):
                    assert words[0] == "nnctl", f"{page}: only nnctl can be run here: {line}"
                    assert main(words[1:]) == 0, f"{page}: {line}\n{capsys.readouterr().err}"
                    ran += 1
    assert ran >= 4


def test_the_book_page_has_every_spec_of_the_book() -> None:
    page = (ROOT / "docs" / "from-the-book.md").read_text(encoding="utf-8")
    named = set(re.findall(r"\(\.\./specs/(book/[\w-]+\.yaml)\)", page))
    assert named == {f"book/{path.name}" for path in (ROOT / "specs" / "book").glob("*.yaml")}
