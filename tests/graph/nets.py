"""Random small nets from everything that the registry offers, and numbers to run them on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray
from ops.component_variants import variants

from nnctl.components.activations import Sigmoid, Softmax
from nnctl.components.base import Activation, Cost, Layer
from nnctl.components.layers.dense import ActivationLayer, Dense, DropConnect
from nnctl.components.layers.merge import Add, Concatenate
from nnctl.components.layers.nested import Repeat, Residual
from nnctl.components.layers.noise import Dropout, GaussianNoise
from nnctl.components.layers.reshaping import Flatten, Reshape
from nnctl.components.optimizers.first_order import FirstOrder
from nnctl.components.registry import components
from nnctl.components.signature import DataSignature
from nnctl.graph import network as network_module
from nnctl.graph.network import Network
from nnctl.spec.document import Spec
from nnctl.spec.load import load_text

Array = NDArray[Any]

INPUT = (2, 3)
UNITS = 3

ACTIVATIONS: list[Activation] = [p.values[0] for p in variants("activation") if p.values[0].type != "step"]
COSTS: list[Cost] = [p.values[0] for p in variants("cost") if not getattr(p.values[0], "class_weights", None)]
OPTIMIZERS = [p.values[0] for p in variants("optimizer", FirstOrder)]
REGULARIZERS = [None, *(p.values[0] for p in variants("regularizer"))]
CLIPPINGS = [None, *(p.values[0] for p in variants("clipping"))]


@contextmanager
def without_passes() -> Iterator[None]:
    """Networks made and asked inside give their graphs as they are built, untouched by any pass."""
    forward, final = network_module.FORWARD_PASSES, network_module.FINAL_PASSES
    network_module.FORWARD_PASSES, network_module.FINAL_PASSES = (), ()
    try:
        yield
    finally:
        network_module.FORWARD_PASSES, network_module.FINAL_PASSES = forward, final


def untouched(spec: Spec, signature: DataSignature, graph: str = "unfused_training_step") -> Any:
    """A graph of the net before any pass."""
    with without_passes():
        return getattr(Network(spec, signature), graph)


def net(text: str) -> Spec:
    """A spec from its layers and what else is said; data and cost are filled in."""
    said = text if "cost:" in text else f"{text}\ncost: quadratic"
    return load_text(f"data: digits\n{said}\n").spec


def _block(activation: Activation, other: Activation, width: int, kind: str) -> list[Layer]:
    """Layers that read `width` units and give as many."""
    dense = Dense(units=width, activation=activation)
    match kind:
        case "dense":
            return [dense]
        case "bare":
            return [Dense(units=width, bias=False), ActivationLayer(activation=activation)]
        case "dropout":
            return [dense, Dropout(rate=0.4)]
        case "dropconnect":
            return [DropConnect(units=width, activation=activation, rate=0.3)]
        case "noise":
            return [GaussianNoise(std=0.2), dense]
        case "residual":
            return [Residual(layers=(dense, Dense(units=width, activation=other)))]
        case "repeat":
            return [Repeat(times=2, layers=(dense, Dropout(rate=0.2)))]
        case "reshape":
            return [Reshape(shape=(width, 1)), Dense(units=2, activation=activation), Flatten(), Dense(units=width)]
        case "branches":
            return [
                Dense(name="left", units=width, activation=activation),
                Dense(name="right", units=width, activation=other, inputs=("left",)),
                Add(name="sum", inputs=("left", "right")),
                Concatenate(inputs=("sum", "right", "left")),
                dense,
            ]
    raise ValueError(kind)


def _of_width(activation: Activation, width: int) -> Activation:
    """The activation; in place of softmax, which is refused over one unit, there a sigmoid."""
    return Sigmoid() if isinstance(activation, Softmax) and width == 1 else activation


KINDS = ("dense", "bare", "dropout", "dropconnect", "noise", "residual", "repeat", "reshape", "branches")


@dataclass(frozen=True)
class Case:
    """A spec, its data's signature, and a seed for the numbers."""

    spec: Spec
    signature: DataSignature
    batch: int
    seed: int

    rows = 7

    def sizes(self) -> dict[str, int]:
        return {"batch": self.batch, "rows": self.rows}

    def storage(self, dtype: Any = np.float64) -> dict[str, Array]:
        """Everything a plan of the net stores: parameters of moderate size, fresh memories, data."""
        network, rng = Network(self.spec, self.signature), np.random.default_rng(self.seed)
        stored: dict[str, Array] = {
            name: 0.6 * rng.standard_normal(parameter.shape) for name, parameter in network.structure.parameters.items()
        }
        stored |= {name: np.full(p.shape, first) for name, (p, first) in network.structure.optimizer_state.items()}
        stored["data.inputs"] = _stored_as(self.signature.input_dtype, rng, (self.rows, *self.signature.input_shape))
        if self.signature.classes is not None:
            stored["data.targets"] = rng.integers(0, len(self.signature.classes), self.rows)
        else:
            # Inside (0, 1), where every cost is defined.
            stored["data.targets"] = rng.uniform(0.1, 0.9, (self.rows, *self.signature.target_shape))
        if self.signature.statistics_shape is not None:
            middle, spread = (127.0, 90.0) if self.signature.input_dtype == "uint8" else (0.0, 1.5)
            stored["data.shift"] = middle + rng.standard_normal(self.signature.statistics_shape)
            stored["data.scale"] = rng.uniform(0.5, 1.0, self.signature.statistics_shape) / spread
        stored["examples"] = np.array(20.0)
        stored = {k: v.astype(dtype) if v.dtype.kind == "f" else v for k, v in stored.items()}
        return stored | {"seed": np.array([self.seed, 5])}

    def feeds(self, steps: int, dtype: Any = np.float64) -> dict[str, Array]:
        """What each step is given, (steps, …)."""
        rng = np.random.default_rng(self.seed + 1)
        return {
            "index": rng.integers(0, self.rows, (steps, self.batch)),
            "step": np.arange(steps),
            "learning_rate": np.full(steps, 0.05, dtype),
            "momentum": np.full(steps, 0.9, dtype),
            "beta1": np.full(steps, 0.9, dtype),
        }


def _stored_as(kind: str, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return rng.integers(0, 256, shape, dtype=np.uint8) if kind == "uint8" else rng.standard_normal(shape)


@st.composite
def cases(draw: Any) -> Case:
    """A net of one or two blocks, an output that suits the cost, and how it is trained."""
    pick = {name: st.sampled_from(values) for name, values in _CHOICES.items()}
    cost = draw(pick["cost"])
    labelled = cost.targets == "labels" or draw(st.booleans())
    output = {"log_likelihood": "softmax", "cross_entropy": "sigmoid"}.get(cost.type, "linear")
    width = draw(st.integers(1, 4))
    layers: list[Layer] = [Flatten(), Dense(units=width)]
    for number in range(draw(st.integers(1, 2))):
        inner = [_of_width(draw(pick["activation"]), width) for _ in range(2)]
        block = _block(*inner, width, draw(pick["kind"]))
        layers += [_renamed(layer, number) for layer in block]
    layers.append(Dense(units=UNITS, activation=components("activation")[output]()))
    spec = replace(
        net("layers: [flatten]"),
        layers=tuple(layers),
        cost=cost,
        regularizer=draw(pick["regularizer"]),
        optimizer=replace(draw(pick["optimizer"]), clip=draw(pick["clip"])),
        convention=draw(st.sampled_from(["torch", "keras", "book"])),
    )
    kind = draw(st.sampled_from(["real", "uint8"]))
    statistics = draw(st.sampled_from([(), INPUT])) if kind == "uint8" else draw(st.sampled_from([None, (), INPUT]))
    signature = DataSignature(
        INPUT, kind, ("a", "b", "c") if labelled else None, () if labelled else (UNITS,), statistics
    )
    return Case(spec, signature, draw(st.integers(1, 5)), draw(st.integers(0, 1000)))


_CHOICES: dict[str, list[Any]] = {
    "activation": ACTIVATIONS,
    "cost": COSTS,
    "optimizer": OPTIMIZERS,
    "regularizer": REGULARIZERS,
    "clip": CLIPPINGS,
    "kind": list(KINDS),
}


def _renamed(layer: Layer, number: int) -> Layer:
    """Names made distinct when two blocks have the same."""
    if layer.name is None and layer.inputs is None:
        return layer
    inputs = None if layer.inputs is None else tuple(f"{name}{number}" for name in layer.inputs)
    return replace(layer, name=layer.name and f"{layer.name}{number}", inputs=inputs)
