"""Packages of others: what is wrong with one is told with its name, and costs nobody else anything."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nnctl.cli import explain_defect, main
from nnctl.components import registry
from nnctl.components.activations import Relu
from nnctl.components.packages import EntryPoint
from nnctl.components.signature import DataSignature
from nnctl.errors import SpecError, UsageError
from nnctl.graph.network import Network
from nnctl.spec.load import load_text

HEAD = """
from nnctl.components.base import ElementwiseActivation
from nnctl.components.registry import register
"""
CUBIC = """
@register("activation", "cubic")
class Cubic(ElementwiseActivation):
    '''A cube.'''
    formula = "a = z³"
    def body(self, xp, z):
        return {body}
    def derivative(self, xp, z, a):
        return {derivative}
"""
Install = Callable[[str, str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Makes a module of some text, and loads it as the package nnctl-NAME."""
    registry.components("layer")
    monkeypatch.setattr(registry, "_registry", {kind: dict(known) for kind, known in registry._registry.items()})
    monkeypatch.setattr(registry, "_plugins", dict(registry._plugins))
    monkeypatch.setattr(registry, "_not_loaded", [])
    monkeypatch.syspath_prepend(tmp_path)
    modules: list[str] = []

    def load(name: str, text: str) -> None:
        module = f"nnctl_{name}"
        modules.append(module)
        (tmp_path / f"{module}.py").write_text(HEAD + text)
        registry._load_plugin(EntryPoint(name, module, f"nnctl-{name}"))

    yield load
    for module in modules:
        sys.modules.pop(module, None)


def spec(activation: str) -> str:
    return f"data: digits\nlayers: [flatten, {{type: dense, units: 2, activation: {activation}}}]\ncost: mse\n"


def test_a_broken_import_is_a_notice_and_told_where_a_component_is_missing(
    install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "nnctl.plugins")
    install("cubic", CUBIC.format(body="z", derivative="1.0") + "import no_such_module\n")
    sentence = "the plugin nnctl-cubic is not loaded: ModuleNotFoundError: No module named 'no_such_module'"
    assert [record.getMessage() for record in caplog.records] == [sentence]
    load_text(spec("relu"), "s.yaml")
    with pytest.raises(SpecError) as caught:
        load_text(spec("cubic"), "s.yaml")
    assert "there is no activation 'cubic'" in str(caught.value)
    assert str(caught.value).endswith(sentence)


@pytest.mark.parametrize("text", ["raise SystemExit(3)", "1 / 0", "this is no Python", "raise RuntimeError"])
def test_whatever_its_module_raises(install: Install, text: str) -> None:
    install("odd", f"\n{text}\n")
    (sentence,) = registry.not_loaded()
    assert sentence.startswith("the plugin nnctl-odd is not loaded: ")


@pytest.mark.parametrize("name", ["Mine", "Relu"])
def test_a_name_of_ours_is_not_given_away(install: Install, name: str) -> None:
    """Not even to a class that is called as ours is; and nothing else of the package stays."""
    text = CUBIC.format(body="z", derivative="1.0")
    install("thief", text + text.replace('"cubic"', '"relu"').replace("Cubic", name))
    (sentence,) = registry.not_loaded()
    assert sentence == (
        f"the plugin nnctl-thief is not loaded: it calls {name} the activation 'relu', "
        "which is the name of Relu of nnctl"
    )
    assert registry.components("activation")["relu"] is Relu
    assert "cubic" not in registry.components("activation")


def test_of_two_packages_with_one_name_the_second_is_refused(install: Install) -> None:
    text = CUBIC.format(body="z", derivative="1.0")
    install("one", text)
    install("two", text)
    (sentence,) = registry.not_loaded()
    assert sentence.endswith("nnctl-two is not loaded: it calls Cubic the activation 'cubic', which is the name of "
                             "Cubic of nnctl-one")  # fmt: skip
    assert registry.components("activation")["cubic"].__module__ == "nnctl_one"


@pytest.mark.parametrize(
    ("body", "derivative", "words"),
    [
        ("xp.cube(z)", "1.0", "calls xp.cube, which formulas have not\n  there are add, subtract, "),
        ("z", "xp.cube(z)", "calls xp.cube, which formulas have not\n  there are add, subtract, "),
        ("z if z > 0 else 0.0", "1.0", "branches on an array or compares one\n  use xp.where, "),
        ("xp.maximum(z)", "1.0", "calls xp.maximum with 1 arguments: it takes 2"),
    ],
)
def test_a_formula_that_is_none_names_component_and_package(
    install: Install, body: str, derivative: str, words: str
) -> None:
    install("cubic", CUBIC.format(body=body, derivative=derivative))
    loaded = load_text(spec("cubic"), "s.yaml")
    with pytest.raises(UsageError) as caught:
        _ = Network(loaded.spec, DataSignature((4,), "real", None, (2,))).training_step
    assert str(caught.value).startswith(f"the activation 'cubic' of the plugin nnctl-cubic {words}")


def test_a_defect_of_a_plugin_is_called_its(install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    install("cubic", CUBIC.format(body="z.oops", derivative="1.0"))
    loaded = load_text(spec("cubic"), "s.yaml")
    with pytest.raises(AttributeError) as caught:
        _ = Network(loaded.spec, DataSignature((4,), "real", None, (2,))).training_step
    explain_defect(caught.type, caught.value, caught.tb)
    assert "nnctl: this is a defect of the plugin nnctl-cubic, not of your spec" in capsys.readouterr().err


def test_explain_tells_of_packages_that_add_nothing(install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    install("broken", "import no_such_module")
    for word in ("cubic", "activation.cubic"):
        assert main(["explain", word]) == 2
        assert "the plugin nnctl-broken is not loaded: ModuleNotFoundError" in capsys.readouterr().err
    install("cubes", CUBIC.format(body="z * z * z", derivative="3.0 * z * z"))
    assert main(["explain", "cubic"]) == 0
    assert json.loads(capsys.readouterr().out)["package"] == "nnctl-cubes"
