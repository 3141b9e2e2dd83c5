"""Steps of second order on nets: products against differences, minima against another solver, resume to the bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize

from nnctl.analysis.gradcheck import GradientCheck
from nnctl.analysis.postmortem import post_mortem
from nnctl.components.optimizers.second_order import Lbfgs
from nnctl.components.signature import DataSignature
from nnctl.engine.chunks import Chunk
from nnctl.engine.engine import Engine
from nnctl.engine.whole_objective import HostObjective, HostTraining
from nnctl.errors import ShapeError, SpecError
from nnctl.spec.load import load_spec, load_text
from nnctl.training import session

SPECS = sorted((Path(__file__).parents[2] / "specs").glob("*.yaml"))
ROWS = 40


def objective_of(spec: Any, signature: DataSignature, batch: int = 8) -> tuple[HostObjective, Any]:
    """The objective of a spec on random examples, and first weights."""
    check = GradientCheck(replace(spec, optimizer=Lbfgs()), signature, batch=batch)
    training = HostTraining(check.network, Lbfgs(), np.array([0, 0]), batch)
    storage = {**check.parameters, **check.states, **check.data, "seed": np.array([0, 0])}
    objective = HostObjective(training, storage, np.arange(batch), 0)
    return objective, objective.flat({name: check.parameters[name] for name in training.shapes})


@pytest.mark.slow
@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_hessian_products_of_every_spec(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against central differences of the gradient. A kink between the two points would show as a gross error."""
    loaded = load_spec(path)
    # What an optimizer cannot train, such as max_norm, has derivatives all the same.
    monkeypatch.setattr(HostTraining, "_refuse", lambda self: None)
    objective, w = objective_of(loaded.spec, loaded.spec.data.signature(loaded.folder), batch=4)
    v = np.random.default_rng(0).standard_normal(len(w))
    v /= np.linalg.norm(v)
    exact = objective.hessian_products(w, v[None])[0]
    eps = 1e-6
    (_, right), (_, left) = (objective.value_and_gradient(w + side * v) for side in (eps, -eps))
    size = float(np.linalg.norm(right)) + float(np.linalg.norm(exact))
    np.testing.assert_allclose(exact, (right - left) / (2 * eps), atol=1e-7 * size, rtol=1e-5)


LINEAR = "layers: [{type: dense, units: 2}]\ncost: quadratic\nregularizer: {type: l2, strength: 0.3}"
DEEP = """
layers: [{type: dense, units: 3, activation: tanh}, {type: dense, units: 2, activation: %s}]
cost: %s
regularizer: {type: l2, strength: 0.3}
"""
POINTS = DataSignature((3,), "real", None, (2,))
CLASSES = DataSignature((3,), "real", ("a", "b"), ())


def spec_of(text: str, optimizer: str = "lbfgs") -> Any:
    return load_text(f"data: xor\noptimizer: {optimizer}\nschedule: {{batch_size: full}}\n{text}").spec


def test_the_two_curvatures_of_a_linear_net_are_one() -> None:
    objective, w = objective_of(spec_of(LINEAR), POINTS)
    v = np.eye(len(w))
    np.testing.assert_allclose(
        objective.gauss_newton_products(w, v), objective.hessian_products(w, v), rtol=1e-12, atol=1e-14
    )


@pytest.mark.parametrize(
    ("output", "cost", "signature"),
    [
        ("softmax", "log_likelihood", CLASSES),
        ("sigmoid", "cross_entropy", POINTS),
        ("sigmoid", "quadratic", POINTS),
        ("linear", "mse", POINTS),
        ("softmax", "quadratic", POINTS),
    ],
)
def test_the_gauss_newton_matrix(output: str, cost: str, signature: DataSignature) -> None:
    """Symmetric, positive definite with a penalty, and not the Hessian, which has the net's own bends."""
    objective, w = objective_of(spec_of(DEEP % (output, cost)), signature)
    whole = objective.gauss_newton_products(w, np.eye(len(w)))
    np.testing.assert_allclose(whole, whole.T, rtol=1e-10, atol=1e-14)
    assert np.linalg.eigvalsh(whole).min() > -1e-12
    assert not np.allclose(whole, objective.hessian_products(w, np.eye(len(w))), atol=1e-6)


def test_the_gauss_newton_matrix_from_the_jacobian() -> None:
    """With cost ½‖y − a‖² it is JᵀJ/batch plus the penalty's λ/n: J by differences of the net's output."""
    spec = spec_of(DEEP % ("linear", "quadratic"))
    objective, w = objective_of(spec, POINTS, batch=5)
    x = objective._storage["data.inputs"]

    def output(flat: Any) -> Any:
        p = objective.by_name(flat)
        hidden = np.tanh(x @ p["dense1.weight"] + p["dense1.bias"])
        return (hidden @ p["dense2.weight"] + p["dense2.bias"]).ravel()

    eps = 1e-6
    jacobian = np.stack([(output(w + eps * e) - output(w - eps * e)) / (2 * eps) for e in np.eye(len(w))], axis=1)
    weights = np.concatenate([np.full(objective.by_name(w)[n].size, "weight" in n) for n in objective.by_name(w)])
    expected = jacobian.T @ jacobian / 5 + np.diag(0.3 / 5 * weights)
    np.testing.assert_allclose(objective.gauss_newton_products(w, np.eye(len(w))), expected, atol=1e-8)


def test_random_layers_keep_their_masks_within_a_step() -> None:
    random = "{type: dropout, rate: 0.5}, {type: dense, units: 2}, {type: gaussian_noise, std: 0.1}"
    objective, w = objective_of(spec_of(f"layers: [{{type: dense, units: 4}}, {random}]\ncost: mse"), POINTS)
    assert objective.value(w) == objective.value_and_gradient(w)[0] == objective.value(w.copy())


# -- engines -----------------------------------------------------------------


def engine_of(text: str, optimizer: str, signature: DataSignature = POINTS) -> Engine:
    engine = Engine(spec_of(text, optimizer), signature, seed=0, examples=ROWS, backend="numpy")
    rng = np.random.default_rng(3)
    inputs = rng.standard_normal((ROWS, 3))
    labels = (inputs @ [1.0, -2.0, 0.5] + 0.5 * rng.standard_normal(ROWS) > 0).astype(np.int64)
    targets = labels if signature.classes is not None else rng.standard_normal((ROWS, 2))
    engine.feed.bind("train", inputs, targets)
    return engine


def steps(engine: Engine, count: int, first: int = 0) -> Any:
    indices = np.tile(np.arange(ROWS), (count, 1))
    return engine.train(Chunk(engine.feed["train"].examples, indices), {"learning_rate": np.ones(count)}, first)


def weights(engine: Engine) -> dict[str, Any]:
    state = engine.state()
    return {name: state[name] for name in engine.parameters}


def test_newton_solves_a_quadratic_bowl_in_one_step() -> None:
    engine = engine_of(LINEAR, "newton")
    steps(engine, 1)
    solved = weights(engine)
    data = engine._host._data if engine._host is not None else {}
    design = np.hstack([data["data.inputs"], np.ones((ROWS, 1))])
    bowl = design.T @ design / ROWS + np.diag([0.3 / ROWS] * 3 + [0.0])
    expected = np.linalg.solve(bowl, design.T @ data["data.targets"] / ROWS)
    np.testing.assert_allclose(solved["dense1.weight"], expected[:3], rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(solved["dense1.bias"], expected[3], rtol=1e-6, atol=1e-7)
    steps(engine, 1, 1)
    np.testing.assert_allclose(weights(engine)["dense1.weight"], solved["dense1.weight"], rtol=1e-6)


@pytest.mark.parametrize(("optimizer", "count"), [("newton", 12), ("hessian_free", 40), ("lbfgs", 40)])
def test_logistic_regression_against_another_solver(optimizer: str, count: int) -> None:
    text = (
        "layers: [{type: dense, units: 2, activation: softmax}]\n"
        "cost: log_likelihood\nregularizer: {type: l2, strength: 1.0}"
    )
    engine = engine_of(text, optimizer, CLASSES)
    steps(engine, count)
    data = engine._host._data if engine._host is not None else {}
    x, y = data["data.inputs"], data["data.targets"]

    def objective(flat: Any) -> float:
        w, b = flat[:6].reshape(3, 2), flat[6:]
        z = x @ w + b
        likelihood = z[np.arange(ROWS), y] - np.log(np.exp(z).sum(axis=1))
        return float(-likelihood.mean() + 0.5 / ROWS * (w**2).sum())

    best = minimize(objective, np.zeros(8), tol=1e-12)
    found = weights(engine)
    np.testing.assert_allclose(found["dense1.weight"], best.x[:6].reshape(3, 2), atol=2e-4)


@pytest.mark.parametrize("optimizer", ["newton", "hessian_free", "lbfgs"])
def test_steps_do_not_depend_on_where_they_are_cut(optimizer: str) -> None:
    """Six at once, or three, a new engine from the state, and three: every byte of the state is the same."""
    text = DEEP % ("sigmoid", "cross_entropy")
    whole = engine_of(text, optimizer)
    measured = steps(whole, 6)
    first = engine_of(text, optimizer)
    steps(first, 3)
    resumed = engine_of(text, optimizer)
    resumed.load_state(first.state())
    rest = steps(resumed, 3, 3)
    assert {n: a.tobytes() for n, a in whole.state().items()} == {n: a.tobytes() for n, a in resumed.state().items()}
    np.testing.assert_array_equal(measured.metrics["cost"][3:], rest.metrics["cost"])
    assert measured.metrics["cost"][-1] < measured.metrics["cost"][0]


def test_a_cost_that_is_not_finite_stops_before_its_step() -> None:
    engine = engine_of(LINEAR, "lbfgs")
    state = engine.state()
    state["dense1.weight"] = np.full_like(state["dense1.weight"], np.inf)
    engine.load_state(state)
    done = steps(engine, 3)
    assert done.completed == 0
    examples = engine.feed["train"].examples
    assert "dense1.weight" in post_mortem(engine, examples, np.arange(ROWS), {"learning_rate": 1.0}, 0)


def test_newton_refuses_large_nets() -> None:
    with pytest.raises(ShapeError, match="newton takes nets of at most 2000 parameters, and this one has 2003") as info:
        engine_of("layers: [{type: dense, units: 400}, {type: dense, units: 1}, {type: dense, units: 1}]\ncost: mse",
                  "newton", DataSignature((3,), "real", None, (1,)))  # fmt: skip
    assert info.value.path == "optimizer"


def test_constraints_are_refused(tmp_path: Path) -> None:
    text = "data: xor\nlayers: [{type: dense, units: 1, activation: sigmoid}]\ncost: cross_entropy\n"
    text += "optimizer: lbfgs\nregularizer: {type: max_norm, limit: 1.0}\nbackend: numpy\n"
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(SpecError, match=r"lbfgs cannot keep dense1\.weight within the bounds of max_norm") as info:
        list(session.train(load_spec(path), out=tmp_path / "run"))
    assert f"{path}:4:12" in str(info.value)
