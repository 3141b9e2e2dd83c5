"""What every component owes its users, checked by walking the registry."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import pytest

from nnctl.components.activations import LeakyRelu
from nnctl.components.clipping import ClipByGlobalNorm
from nnctl.components.layers.dense import Dense
from nnctl.components.layers.nested import Repeat
from nnctl.components.optimizers.first_order import Adam, Sgd
from nnctl.components.registry import Component, components, kinds
from nnctl.components.schedules import Piecewise, Warmup

WITHOUT_FORMULA = {
    "backend": "runs what others compute",
    "data": "reads files; what is generated has one where there is one",
    "expansion": "lists what augmentations compute",
}
EACH = [pytest.param(c, id=f"{kind}-{name}") for kind in kinds() for name, c in components(kind).items()]
ALL = [parameter for parameter in EACH if parameter.values[0].kind not in WITHOUT_FORMULA]


@pytest.mark.parametrize("component", ALL)
def test_has_a_formula(component: type[Component]) -> None:
    assert component.formula
    assert "\n" not in component.formula


@pytest.mark.parametrize("component", EACH)
def test_has_a_sentence(component: type[Component]) -> None:
    # A dataclass without docstring gets its signature for one.
    assert component.__doc__ is not None
    assert not component.__doc__.startswith(f"{component.__name__}(")
    assert component.__doc__.split("\n\n")[0].strip().endswith(".")


@pytest.mark.parametrize("component", EACH)
def test_every_field_is_described(component: type[Component]) -> None:
    hints = get_type_hints(component, include_extras=True)
    for field in fields(component):  # type: ignore[arg-type]
        hint = hints[field.name]
        assert get_origin(hint) is Annotated, field.name
        assert isinstance(get_args(hint)[-1], str), field.name


@pytest.mark.parametrize("component", [p for p in EACH if p.values[0].kind == "column" and p.values[0].used])
def test_a_column_says_its_encoding(component: type[Component]) -> None:
    """Exported files follow it; a kind for which there are no words says so, and returns None."""
    assert "encoding" in vars(component), "exported files need Column.encoding"


@pytest.mark.parametrize("component", EACH)
def test_conventions_fill_fields_that_are_empty(component: type[Component]) -> None:
    defaults = {f.name: f.default for f in fields(component)}  # type: ignore[arg-type]
    assert not component.by_convention or "convention" in defaults
    for name, rules in component.by_convention.items():
        assert defaults[name] is None
        assert "torch" in rules
        assert set(rules) <= {"torch", "keras", "book"}


def test_the_field_is_covered() -> None:
    """The names that the field's texts use."""
    expected = {
        "activation": "step linear sigmoid tanh relu leaky_relu elu gelu silu softplus softmax",
        "cost": "quadratic mse cross_entropy log_likelihood mae huber hinge",
        "optimizer": "sgd momentum nesterov adagrad rmsprop adam adamw adadelta",
        "schedule": "constant step exponential polynomial cosine cosine_restarts warmup piecewise one_cycle plateau",
        "initializer": "zeros constant normal scaled_normal lecun_normal lecun_uniform glorot_normal glorot_uniform "
        "he_normal he_uniform orthogonal truncated_normal",
        "regularizer": "l1 l2 elastic max_norm",
        "clipping": "value norm global_norm",
        "layer": "dense dropout dropconnect gaussian_noise flatten reshape add concatenate repeat residual activation",
        "metric": "accuracy top_k mse mae",
    }
    for kind, names in expected.items():
        assert set(names.split()) <= set(components(kind)), kind


def test_a_convention_fills_what_waits_for_it() -> None:
    assert LeakyRelu().for_convention("torch").slope == 0.01
    assert LeakyRelu().for_convention("keras").slope == 0.3
    assert LeakyRelu().for_convention("book").slope == 0.01
    assert LeakyRelu(slope=0.2).for_convention("keras").slope == 0.2


def test_a_convention_of_its_own_goes_first() -> None:
    adam = Adam(convention="keras").for_convention("torch")
    assert (adam.convention, adam.epsilon) == ("keras", 1e-7)


def test_a_convention_reaches_nested_components() -> None:
    layers: Any = Repeat(times=2, layers=(Dense(units=3, activation=LeakyRelu()),)).for_convention("keras").layers
    assert layers[0].activation.slope == 0.3
    warmup: Any = Warmup(duration=2, then=Piecewise(boundaries=(1,), values=(1.0, 0.5))).for_convention("keras")
    assert warmup.then.convention == "keras"


def test_what_needs_no_convention_stays_the_same_object() -> None:
    clip = ClipByGlobalNorm(limit=1.0)
    assert clip.for_convention("keras") is clip


def test_an_unsettled_field_is_not_used() -> None:
    with pytest.raises(TypeError, match="activation leaky_relu: slope hangs on the convention"):
        LeakyRelu().settled("slope")


def test_plain_biases_decay_and_the_books_do_not() -> None:
    sgd = Sgd(weight_decay=0.1)
    assert sgd.for_convention("torch").for_bias().weight_decay == 0.1
    assert sgd.for_convention("book").for_bias().weight_decay == 0.0
