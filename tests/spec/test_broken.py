"""Each broken spec in `broken/` says exactly what its `.txt` holds.

In a `.txt`, `<layer>` stands for the names of all layers, and so on for each
kind, so that a new component edits no test.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nnctl.components.registry import components, kinds
from nnctl.errors import SpecError
from nnctl.spec.load import load_spec

FOLDER = Path(__file__).parent / "broken"
SPECS = sorted(FOLDER.glob("*.yaml"))


def test_every_spec_has_its_message_and_the_other_way_round():
    assert [p.stem for p in SPECS] == sorted(p.stem for p in FOLDER.glob("*.txt"))
    assert len(SPECS) >= 45


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_message(path, monkeypatch):
    monkeypatch.chdir(FOLDER)
    expected = path.with_suffix(".txt").read_text(encoding="utf-8")
    names = {kind: ", ".join(components(kind)) for kind in kinds()}
    expected = re.sub(r"<(\w+)>", lambda match: names[match[1]], expected)
    with pytest.raises(SpecError) as caught:
        load_spec(path.name)
    assert f"{caught.value}\n" == expected
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_every_caret_is_under_text(path):
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    for problem in caught.value.diagnostics:
        location = problem.location
        assert location is not None
        assert 1 <= location.column <= len(location.text) + 1
        assert location.column - 1 + location.width <= len(location.text) + 1
