"""`nnctl data` as a process: streams, exit codes, and what is not imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

SPEC = """
data: {type: digits, classes: [3, 8], test: null}
layers: [flatten, {type: dense, units: 2, activation: softmax}]
cost: log_likelihood
"""


def nnctl_data(*arguments, **environment):
    environment = {k: v for k, v in os.environ.items() if k != "NNCTL_DATA"} | environment
    command = [sys.executable, "-m", "nnctl", "data", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def lines(result):
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_list(tmp_path):
    rows = {row["name"]: row for row in lines(nnctl_data("list", XDG_CACHE_HOME=str(tmp_path)))}
    assert rows["digits"]["input_shape"] == [8, 8, 1]
    assert rows["digits"]["examples"] == 1797
    assert rows["csv"]["where"] == "your files: give path, target"
    assert all(row["about"] for row in rows.values())


@pytest.mark.slow
def test_show_name():
    rows = lines(nnctl_data("show", "digits"))
    assert [(row["split"], row["examples"]) for row in rows] == [("train", 1257), ("validation", 270), ("test", 270)]
    assert sum(rows[0]["classes"].values()) == 1257
    assert (rows[0]["min"], rows[0]["max"]) == (0, 1)
    (sine,) = lines(nnctl_data("show", "sine"))
    assert sine["target_max"] <= 1


def test_show_spec(tmp_path):
    (tmp_path / "s.yaml").write_text(SPEC)
    rows = lines(nnctl_data("show", tmp_path / "s.yaml", "--set", "data.validation=57"))
    assert [(row["split"], row["examples"]) for row in rows] == [("train", 300), ("validation", 57)]
    assert list(rows[0]["classes"]) == ["3", "8"]


def test_fetch_of_what_needs_no_fetching():
    result = nnctl_data("fetch", "digits")
    assert (result.returncode, result.stdout) == (0, "part of nnctl\n")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("show", "digitz"), 2, "'digitz' is neither a spec nor a type of data\n  did you mean 'digits'?"),
        (("show", "csv"), 2, "data of type 'csv' needs path, target: write a spec, and give its name"),
        (("show", "digits", "--set", "a=1"), 2, "--set overrides values of a spec, and this is none"),
        (("show", "none.yaml"), 2, "none.yaml"),
    ],
)
def test_errors(arguments, code, message):
    result = nnctl_data(*arguments)
    assert result.returncode == code
    assert result.stdout == ""
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_sources_are_known_without_an_array_library():
    heavy = "numpy scipy pydantic PIL pooch requests rich"
    code = f"import sys, nnctl.data.sources\nprint([m for m in '{heavy}'.split() if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"
