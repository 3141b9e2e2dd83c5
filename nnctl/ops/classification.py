"""Softmax, the costs and the counts that work on class labels."""

from __future__ import annotations

from typing import Any

from nnctl.ops.shapes import TensorType, product, show
from nnctl.ops.table import Sample, op


def _softmax_derivative(builder: Any, g: Any, a: Any, z: Any) -> list[Any]:
    inner = builder.apply("sum", g * a, axes=(len(a.shape) - 1,), keepdims=True)
    return [a * (g - inner)]


def _logits(rng: Any) -> Any:
    return 3.0 * rng.standard_normal(tuple(int(v) for v in rng.integers(1, 7, size=2)))


@op(
    "softmax",
    type_rule=lambda z: z,
    derivative=_softmax_derivative,
    cost=lambda z: product(z.shape) * 4,
    sample=lambda rng: ([_logits(rng)], {}),
)
def softmax(xp: Any, z: Any) -> Any:
    """e^(z_j) / Σ_k e^(z_k) over the last axis, shifted by the maximum so that nothing overflows."""
    e = xp.exp(z - xp.max(z, axis=-1, keepdims=True))
    return e / xp.sum(e, axis=-1, keepdims=True)


def _labels_type(scores: TensorType, labels: TensorType, **_: Any) -> TensorType:
    if scores.shape[:-1] != labels.shape:
        raise ValueError(f"outputs {show(scores.shape)} and labels {show(labels.shape)} do not belong together")
    return TensorType(labels.shape)


def _target_type(labels: TensorType, *, classes: int, **_: Any) -> TensorType:
    return TensorType((*labels.shape, classes))


def _target_sample(rng: Any) -> Sample:
    classes = int(rng.integers(1, 6))
    weights = tuple(float(w) for w in rng.uniform(0.5, 2.0, size=classes)) if rng.integers(2) else None
    attributes = {"classes": classes, "label_smoothing": [0.0, 0.1][rng.integers(2)], "class_weights": weights}
    return [rng.integers(0, classes, size=5)], attributes


@op("target_distribution", type_rule=_target_type, sample=_target_sample)
def target_distribution(
    xp: Any, labels: Any, *, classes: int, label_smoothing: float = 0.0, class_weights: tuple[float, ...] | None = None
) -> Any:
    """Weights of −ln a_k in the log-likelihood: w_y·(1 − ε) at the label plus w_k·ε/K everywhere."""
    weights = xp.asarray(class_weights if class_weights is not None else (1.0,) * classes)
    hot = labels[..., None] == xp.arange(classes)
    return weights * (hot * (1.0 - label_smoothing) + label_smoothing / classes)


@op(
    "one_hot",
    type_rule=_target_type,
    sample=lambda rng: ([rng.integers(0, 4, size=5)], {"classes": 4}),
)
def one_hot(xp: Any, labels: Any, *, classes: int) -> Any:
    """1 at the label, 0 elsewhere."""
    return (labels[..., None] == xp.arange(classes)) * 1.0


def _likelihood_attributes(rng: Any, classes: int) -> dict[str, Any]:
    weights = tuple(float(w) for w in rng.uniform(0.5, 2.0, size=classes)) if rng.integers(2) else None
    return {"label_smoothing": [0.0, 0.1][rng.integers(2)], "class_weights": weights}


def _likelihood_sample(rng: Any) -> Sample:
    z = _logits(rng)
    e = abs(z) + 0.1
    a = e / e.sum(axis=-1, keepdims=True)
    return [a, rng.integers(0, z.shape[1], size=z.shape[0])], _likelihood_attributes(rng, z.shape[1])


def _column(builder: Any, g: Any) -> Any:
    return builder.apply("reshape", g, shape=(*g.shape, 1))


def _likelihood_derivative(builder: Any, g: Any, cost: Any, a: Any, labels: Any, **smoothing: Any) -> list[Any]:
    q = builder.apply("target_distribution", labels, classes=a.shape[-1], **smoothing)
    return [builder.formula("log_likelihood'", _likelihood_slope, _column(builder, g), q, a), None]


def _likelihood_slope(xp: Any, g: Any, q: Any, a: Any) -> Any:
    # As in the cost itself: where q is 0 there is no term, also where a underflowed to 0.
    absent = xp.equal(q, 0.0)
    return -g * xp.where(absent, 0.0, q / xp.where(absent, 1.0, a))


@op("log_likelihood", type_rule=_labels_type, derivative=_likelihood_derivative, sample=_likelihood_sample)
def log_likelihood(
    xp: Any, a: Any, labels: Any, *, label_smoothing: float = 0.0, class_weights: tuple[float, ...] | None = None
) -> Any:
    """−Σ_k q_k ln a_k of each example, q from `target_distribution`: −ln a_y without smoothing and weights."""
    q = target_distribution(
        xp, labels, classes=a.shape[-1], label_smoothing=label_smoothing, class_weights=class_weights
    )
    # Where q is 0 its term is 0, also where a underflowed to 0.
    return -xp.sum(q * xp.log(xp.where(q == 0.0, 1.0, a)), axis=-1)


def _paired_sample(rng: Any) -> Sample:
    z = _logits(rng)
    return [z, rng.integers(0, z.shape[1], size=z.shape[0])], _likelihood_attributes(rng, z.shape[1])


def _paired_derivative(builder: Any, g: Any, cost: Any, z: Any, labels: Any, **smoothing: Any) -> list[Any]:
    classes = z.shape[-1]
    a = builder.apply("softmax", z)
    if smoothing.get("class_weights") is None:
        if not smoothing.get("label_smoothing"):
            return [_column(builder, g) * (a - builder.apply("one_hot", labels, classes=classes)), None]
        q = builder.apply("target_distribution", labels, classes=classes, **smoothing)
        return [_column(builder, g) * (a - q), None]
    q = builder.apply("target_distribution", labels, classes=classes, **smoothing)
    total = builder.apply("sum", q, axes=(len(z.shape) - 1,), keepdims=True)
    return [_column(builder, g) * (a * total - q), None]


@op("softmax_log_likelihood", type_rule=_labels_type, derivative=_paired_derivative, sample=_paired_sample)
def softmax_log_likelihood(
    xp: Any, z: Any, labels: Any, *, label_smoothing: float = 0.0, class_weights: tuple[float, ...] | None = None
) -> Any:
    """The log-likelihood cost of softmax(z), from the logits: ln Σ_k e^(z_k) − z_y, which never meets ln 0."""
    shifted = z - xp.max(z, axis=-1, keepdims=True)
    log_a = shifted - xp.log(xp.sum(xp.exp(shifted), axis=-1, keepdims=True))
    q = target_distribution(
        xp, labels, classes=z.shape[-1], label_smoothing=label_smoothing, class_weights=class_weights
    )
    return -xp.sum(q * log_a, axis=-1)


@op(
    "label_weight",
    type_rule=lambda labels, *, weights: TensorType(labels.shape),
    sample=lambda rng: ([rng.integers(0, 3, size=5)], {"weights": (0.5, 1.0, 2.0)}),
)
def label_weight(xp: Any, labels: Any, *, weights: tuple[float, ...]) -> Any:
    """The weight of each example's class."""
    return xp.asarray(weights)[labels]


@op(
    "argmax",
    type_rule=lambda x: TensorType(x.shape[:-1], "index"),
    sample=lambda rng: ([_logits(rng)], {}),
)
def argmax(xp: Any, x: Any) -> Any:
    """Position of the largest element of the last axis, the first of several."""
    return xp.argmax(x, axis=-1)


@op(
    "same",
    type_rule=lambda a, b: TensorType(a.shape),
    sample=lambda rng: ([rng.integers(0, 3, size=7), rng.integers(0, 3, size=7)], {}),
)
def same(xp: Any, a: Any, b: Any) -> Any:
    """1 where two indices are equal, else 0."""
    return (a == b) * 1.0


def _top_k_sample(rng: Any) -> Sample:
    scores = rng.integers(0, 3, size=(6, 5)).astype(float)
    return [scores, rng.integers(0, 5, size=6)], {"k": int(rng.integers(1, 6))}


@op("in_top_k", type_rule=_labels_type, sample=_top_k_sample)
def in_top_k(xp: Any, scores: Any, labels: Any, *, k: int) -> Any:
    """1 where the label is among the k largest scores, else 0; of equal scores the first counts as larger."""
    own = xp.take_along_axis(scores, labels[..., None], axis=-1)
    earlier = xp.arange(scores.shape[-1]) < labels[..., None]
    ahead = (scores > own) | ((scores == own) & earlier)
    return (xp.sum(ahead, axis=-1) < k) * 1.0
