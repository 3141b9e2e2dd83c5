"""`nnctl plot` from its line to its files: formats, what is refused, and what stands in a pipe and on a terminal."""

from __future__ import annotations

import io
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nnctl.cli import main
from nnctl.errors import UsageError
from nnctl.figures.drawing import WIDTH
from nnctl.figures.figure import Axis, Chart, Curve, Gallery, Picture
from nnctl.visualization.output import Output
from nnctl.visualization.png import png_of
from tests.visualization.trained import DENSE_DIGITS, DIGITS, trained

LINE = Chart("A line", Axis("x"), Axis("y"), (Curve("a", np.arange(3.0), np.arange(3.0)),))
WHITE = Gallery("White", (Picture(np.ones((4, 4)), "caption"),))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "digits"
    trained(DIGITS, out)
    return out


def test_every_subject_becomes_a_picture(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = tmp_path / "digits.yaml"
    spec.write_text(DENSE_DIGITS)
    for number, words in enumerate(
        (
            ("filters", str(run)),
            ("maps", str(run), "--split", "train", "--example", "3"),
            ("saliency", str(run), "--count", "2"),
            ("landscape", str(run), "--resolution", "3", "--examples", "20", "--backend", "numpy"),
            ("graph", str(spec)),
            ("graph", str(run), "--whole", "--most", "30"),
            ("augment", str(spec), "--examples", "2", "--copies", "2"),
        )
    ):
        file = tmp_path / f"{number}.svg"
        assert main(["plot", *words, "-o", str(file)]) == 0
        assert ElementTree.fromstring(file.read_text()).tag.endswith("svg")
        assert main(["plot", *words]) == 0
        assert capsys.readouterr().out == file.read_text() + "\n"


def test_a_png_is_light_or_dark_and_has_words(tmp_path: Path) -> None:
    levels = {}
    for dark in (False, True):
        picture = Image.open(io.BytesIO(png_of([LINE, WHITE], dark=dark)))
        assert picture.width == 2 * WIDTH
        pixels = np.asarray(picture.convert("L"))
        # The corner is background; the title is in other ink.
        levels[dark] = (int(pixels[0, 0]), int(np.abs(pixels[:40, :200].astype(int) - int(pixels[0, 0])).max()))
    assert levels[False][0] == 255
    assert levels[True][0] < 40
    assert min(contrast for _, contrast in levels.values()) > 150


def test_pixels_of_a_picture_stay_sharp() -> None:
    board = Gallery("", (Picture(np.array([[0.0, 1.0], [1.0, 0.0]])),))
    pixels = np.asarray(Image.open(io.BytesIO(png_of([board]))).convert("L"))
    assert ((pixels > 10) & (pixels < 245)).mean() < 0.01


def test_the_ending_says_the_format_and_nothing_is_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "a.svg"
    Output(file).give([LINE, WHITE])
    first = file.read_bytes()
    assert first.count(b'class="title"') == 2
    with pytest.raises(UsageError, match=r"a\.svg: is there already"):
        Output(file)
    Output(file, force=True).give([LINE])
    assert file.read_bytes() != first
    Output(tmp_path / "A.PNG").give([LINE])
    assert (tmp_path / "A.PNG").read_bytes().startswith(b"\x89PNG")
    for name, reason in (("a.jpg", r"expected \.svg or \.png"), ("no/a.svg", "there is no folder")):
        with pytest.raises(UsageError, match=reason):
            Output(tmp_path / name)
    with pytest.raises(UsageError, match="follows its reader"):
        Output(tmp_path / "b.svg", dark=True)
    with pytest.raises(UsageError, match="there is no --out"):
        Output(force=True)


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = Output(tmp_path / "a.svg")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    # As a folder that is read-only does, which root writes into all the same.
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UsageError, match="cannot be written: Permission denied"):
        output.give([LINE])
    assert list(tmp_path.iterdir()) == []


def test_without_the_extra_a_png_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(UsageError, match=r"pip install 'nnctl\[plot\]'"):
        Output(tmp_path / "a.png")
    Output(tmp_path / "a.svg").give([LINE])


def test_without_a_font_there_is_no_png_that_lacks_its_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import resvg_py

    draw = resvg_py.svg_to_bytes
    monkeypatch.setattr(resvg_py, "svg_to_bytes", lambda **given: draw(**given, skip_system_fonts=True))
    with pytest.raises(UsageError, match="the system has none"):
        Output(tmp_path / "a.png")


def test_a_net_of_another_kind_is_an_error_of_the_command_line(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plot", "boundary", str(run), "-o", str(tmp_path / "a.svg")]) == 2
    assert "a plane is of two numbers" in capsys.readouterr().err
    assert main(["plot", "maps", str(run), "--example", "1000"]) == 2
    assert "the test split has 10 examples" in capsys.readouterr().err
    assert not (tmp_path / "a.svg").exists()
