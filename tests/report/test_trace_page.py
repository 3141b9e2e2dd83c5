"""Traces as pages: whole, harmless, with ways from stage to stage, and the net drawn where it is small."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nnctl.analysis.trace.stages import Trace
from nnctl.cli import main
from nnctl.inference.tracing import traced
from nnctl.report.trace import trace_page

FOLDER = Path(__file__).parents[2] / "specs"
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'" + "x" * 10_000


@pytest.fixture(scope="module")
def xor() -> Trace:
    return traced(FOLDER / "xor.yaml", 1)


def test_every_stage_has_a_section_and_a_way_on(xor: Trace) -> None:
    page = trace_page(xor)
    names = re.findall(r'<section id="([^"]+)"', page)
    assert len(names) == len(set(names)) == 2 + len(xor.stages)
    assert set(re.findall(r'href="#([^"]+)"', page)) <= {*names, *re.findall(r'class="chapter" id="([^"]+)"', page)}
    assert page.count(" →</a>") == page.count(">← ") + 1 == len(xor.stages)
    for stage in xor.stages:
        assert all(line.numbers.split("<")[0] in page for q in stage.quantities for line in q.lines)
    assert page.count("BP2: δˡ") == 1
    assert "<script>" in page
    assert not re.search(r"<(?!/?svg)[^>]*\b(on\w+|style)=", page)


def test_a_small_net_is_drawn_with_what_is_known(xor: Trace) -> None:
    drawings = re.findall(r"<svg.*?</svg>", trace_page(xor), flags=re.S)
    # Example, two layers forward, two deltas, two updates.
    assert len(drawings) == 7
    a, delta = float(xor.array("dense2.a")[0, 0]), float(xor.array("∂C/∂dense2.z")[0, 0])
    assert f"{a:.4g}" not in drawings[1]
    assert f">{a:.4g}<" in drawings[2]
    assert f"δ {delta:.4g}" in drawings[3]
    (update,) = [q for stage in xor.stages for q in stage.quantities if q.name == "dense1.weight"]
    assert update.before is not None
    old, new = (float(array[1, 0]) for array in (update.before, update.array))
    assert f">{old:.4g}<" in drawings[4]
    assert f">{new:.4g}<" in drawings[-1]


def test_a_large_net_is_not_drawn_and_a_picture_is_shown() -> None:
    page = trace_page(traced(FOLDER / "digits.yaml"))
    assert page.count("<svg") == page.count("<image") == 1
    assert len(page) < 100_000


def test_names_of_classes_are_harmless(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [f'{i % 7},{i % 5},"{(HOSTILE, "plain")[i % 2].replace(chr(34), chr(34) * 2)}"' for i in range(40)]
    (tmp_path / "table.csv").write_text("\n".join(["a,b,class", *lines]) + "\n", encoding="utf-8")
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        "data: {type: csv, path: table.csv, target: class}\n"
        "layers: [{type: dense, units: 2, activation: softmax}]\ncost: log_likelihood\nschedule: {epochs: 1}\n"
    )
    for example in range(2):
        out = tmp_path / f"{example}.html"
        assert main(["trace", str(spec), "--example", str(example), "-o", str(out)]) == 0
        page = out.read_text(encoding="utf-8")
        assert page.count("<script>") == 1
        assert "<img src=x" not in page
        assert len(page) < 100_000
    assert main(["trace", str(spec), "-o", str(out)]) == 2
    assert "--force" in capsys.readouterr().err
    assert main(["trace", str(spec), "-o", str(out), "--format", "json"]) == 2
