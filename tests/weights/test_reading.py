"""Weights of others: whose layout, which array is whose, and what is refused."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from nnctl.components.signature import DataSignature
from nnctl.engine.engine import Engine
from nnctl.errors import SpecError, UsageError
from nnctl.graph.network import Network
from nnctl.spec.dump import dump_data
from nnctl.spec.load import load_text
from nnctl.training.transfer import transfer
from nnctl.weights.layout import Arrays
from nnctl.weights.turning import LAYOUTS, weighted_layers

DENSE = [{"type": "dense", "units": 3, "activation": "tanh"}, {"type": "dense", "units": 3}]
TORCH = {"dense1.weight": (3, 2), "dense1.bias": (3,), "dense2.weight": (3, 3), "dense2.bias": (3,)}


def numbers(shape: tuple[int, ...], seed: int = 0) -> Any:
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(np.float32)


def write(path: Path, shapes: dict[str, tuple[int, ...]], **metadata: str) -> dict[str, Any]:
    arrays = {name: numbers(shape, place) for place, (name, shape) in enumerate(shapes.items())}
    safetensors.numpy.save_file(arrays, path, metadata=metadata or None)
    return arrays


def begun(
    folder: Path, net: list[Any], *, shape: tuple[int, ...] = (2,), convention: str = "torch", **weights: Any
) -> Engine:
    """A net that has begun from weights.safetensors in a folder."""
    asked = {"file": "weights.safetensors", **weights}
    spec = {"data": {"type": "blobs"}, "cost": "mse", "backend": "numpy", "convention": convention, "layers": net}
    loaded = load_text(dump_data({**spec, "from": asked}), folder=folder)
    engine = Engine(loaded.spec, DataSignature(shape, target_shape=(3,)), seed=0, examples=10)
    transfer(loaded, engine)
    return engine


def test_shapes_tell_the_layout_and_it_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    arrays = write(tmp_path / "weights.safetensors", {**TORCH, "head.weight": (2, 2)})
    with caplog.at_level(logging.INFO):
        state = begun(tmp_path, DENSE).state()
    np.testing.assert_array_equal(state["dense2.weight"], arrays["dense2.weight"].T)
    said = caplog.text
    assert "torch layout (the only one that fits)" in said
    assert "dense1 from dense1.weight, dense1.bias; dense2 from" in said
    assert "left: head.weight" in said


def test_square_arrays_are_never_guessed(tmp_path: Path) -> None:
    shapes = {"dense1.weight": (3, 3), "dense1.bias": (3,)}
    arrays = write(tmp_path / "weights.safetensors", shapes)
    with pytest.raises(SpecError, match=r"dense1\.weight can be read in two ways.*\(3, 3\)"):
        begun(tmp_path, DENSE[1:], shape=(3,))
    for word, expected in (("torch", arrays["dense1.weight"].T), ("nnctl", arrays["dense1.weight"])):
        state = begun(tmp_path, DENSE[1:], shape=(3,), layout=word).state()
        np.testing.assert_array_equal(state["dense1.weight"], expected)
    arrays = write(tmp_path / "weights.safetensors", shapes, format="pt")
    np.testing.assert_array_equal(
        begun(tmp_path, DENSE[1:], shape=(3,)).state()["dense1.weight"], arrays["dense1.weight"].T
    )


def test_some_layers_start_at_random_where_the_others_are_named(tmp_path: Path) -> None:
    arrays = write(tmp_path / "weights.safetensors", {"fc.0.weight": (3, 2), "fc.0.bias": (3,)})
    state = begun(tmp_path, DENSE, layers=["dense1"], rename={"fc.0": "dense1"}).state()
    np.testing.assert_array_equal(state["dense1.weight"], arrays["fc.0.weight"].T)
    assert state["dense2.weight"].any()


@pytest.mark.parametrize(
    ("shapes", "weights", "message"),
    [
        ({"fc1.weight": (3, 2), "fc1.bias": (3,), "fc10.weight": (3, 3), "fc10.bias": (3,)}, {},
         r"has no arrays of 'dense1'\n(.*\n)*.*rename: {fc1: dense1, fc10: dense2}"),
        ({"10.weight": (3, 3), "2.weight": (3, 2)}, {}, r"rename: {'2': dense1, '10': dense2}"),
        ({**TORCH, "dense2.weight": (4, 3), "dense2.bias": (4,)}, {"layout": "torch"},
         r"dense2\.weight has shape \(4, 3\) in .*weights\.safetensors, and dense2\.weight \(3, 3\) here"),
        ({**TORCH, "dense1.weight": (2, 3)}, {"layout": "torch"}, r"the axes are in another order: say whose layout"),
        ({n: s for n, s in TORCH.items() if n != "dense2.bias"}, {"layout": "torch"},
         r"has no dense2\.bias \(3,\) for 'dense2'\n(.*\n)*.*it has dense2\.weight"),
        ({**TORCH, "dense2.scale": (3,)}, {"layout": "torch"}, r"has dense2\.scale, for which 'dense2' has no place"),
        (TORCH, {"rename": {"fc": "dense1"}}, r"has no 'fc' to rename\n(.*\n)*.*it has dense1, dense2"),
        (TORCH, {"rename": {"dense1": "dense2"}}, r"both dense1\.bias and dense2\.bias would be dense2\.bias"),
        ({**TORCH, "a.kernel": (2, 3), "b.running_var": (3,)}, {}, r"arrays of several layouts"),
        (TORCH, {"run": "runs/1"}, r"both a run and a file"),
        (TORCH, {"file": None}, r"neither a run nor a file"),
        (TORCH, {"checkpoint": "best"}, r"checkpoint has nothing to act on"),
        (TORCH, {"file": "nowhere.safetensors"}, r"there is no such file"),
        (TORCH, {"file": "net.npz"}, r"there is no such file"),
        (TORCH, {"file": "."}, r": is a folder, and a file is expected\n.*\n.*\n  for a run's weights say run: "),
        (TORCH, {"file": "net.pt"}, r"is a pickle, which runs(.*\n)*.*torch\.load\('net\.pt', weights_only=True\)"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said_with_both_names(
    tmp_path: Path, shapes: dict[str, tuple[int, ...]], weights: dict[str, Any], message: str
) -> None:
    write(tmp_path / "weights.safetensors", shapes)
    with pytest.raises(SpecError, match=message):
        begun(tmp_path, DENSE, **weights)


def test_files_that_are_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "weights.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{broken")
    with pytest.raises(SpecError, match="no safetensors file, or damaged"):
        begun(tmp_path, DENSE)
    safetensors.numpy.save_file({n: np.full(s, np.nan) for n, s in TORCH.items()}, tmp_path / "weights.safetensors")
    with pytest.raises(SpecError, match=r"dense1\.weight .* holds what is no finite number"):
        begun(tmp_path, DENSE)
    (tmp_path / "net.keras").write_bytes(b"no archive")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(SpecError, match=r"need the extra `keras`: pip install 'nnctl\[keras\]'"):
        begun(tmp_path, DENSE, file="net.keras")
    monkeypatch.undo()
    pytest.importorskip("h5py")
    with pytest.raises(SpecError, match="holds no weights of Keras, or is damaged"):
        begun(tmp_path, DENSE, file="net.keras")


@pytest.mark.parametrize("convention", ["torch", "keras"])
def test_one_bias_and_two_say_the_same(tmp_path: Path, convention: str) -> None:
    """A cell of PyTorch has two biases, one of Keras one: whichever the net has, it computes the same."""
    shapes = {"lstm1.weight_ih_l0": (12, 2), "lstm1.weight_hh_l0": (12, 3), "lstm1.bias_ih_l0": (12,)}
    arrays = write(tmp_path / "weights.safetensors", {**shapes, "lstm1.bias_hh_l0": (12,)})
    state = begun(tmp_path, [{"type": "lstm", "units": 3}], shape=(4, 2), convention=convention).state()
    total = state["lstm1.bias"] + state.get("lstm1.recurrent_bias", 0.0)
    assert ("lstm1.recurrent_bias" in state) is (convention == "torch")
    np.testing.assert_allclose(total, arrays["lstm1.bias_ih_l0"] + arrays["lstm1.bias_hh_l0"], rtol=1e-6)


LAYERS: list[tuple[list[Any], tuple[int, ...]]] = [
    ([{"type": "dropconnect", "units": 3, "bias": False}], (2,)),
    ([{"type": "residual", "layers": [{"type": "repeat", "times": 2, "layers": [{"type": "dense", "units": 2}]}]}],
     (2,)),
    ([{"type": "conv2d", "filters": 4, "kernel": 2, "groups": 2}, "flatten", "dropout", {"type": "dense", "units": 3}],
     (3, 3, 2)),
    (["flatten", {"type": "batch_norm", "scale": False}, {"type": "dense", "units": 2}], (2, 2, 3)),
    ([{"type": "conv_transpose1d", "filters": 2, "kernel": 3}], (4, 3)),
    ([{"type": "layer_norm", "axes": [1, 2], "shift": False}], (4, 3)),
    ([{"type": "rnn", "units": 2, "bias": False, "bidirectional": True}], (4, 3)),
    ([{"type": "lstm", "units": 2, "recurrent_bias": False}], (4, 3)),
    ([{"type": "gru", "units": 2, "bidirectional": True}], (4, 3)),
]  # fmt: skip


def net(layers: list[Any], shape: tuple[int, ...], library: str) -> tuple[Any, Arrays]:
    spec = load_text(dump_data({"data": {"type": "blobs"}, "cost": "mse", "backend": "numpy", "layers": layers})).spec
    network = Network(spec, DataSignature(shape))
    arrays = {**network.structure.parameters, **{n: state.value for n, state in network.structure.states.items()}}
    state = {name: numbers(array.shape, place) for place, (name, array) in enumerate(arrays.items())}
    return weighted_layers(network.spec, network.signature, LAYOUTS[library]), state


@pytest.mark.parametrize("library", LAYOUTS)
@pytest.mark.parametrize(("layers", "shape"), LAYERS)
def test_there_and_back(layers: list[Any], shape: tuple[int, ...], library: str) -> None:
    turned, state = net(layers, shape, library)
    wanted = {name: array.shape for name, array in state.items()}
    for path in turned.calls:
        theirs = {name: there.array for name, there in turned.give(path, state).items()}
        assert {name: array.shape for name, array in theirs.items()} == turned.expected(path, wanted)
        back = turned.take(path, theirs, wanted)
        assert back.keys() == {name for name in state if name.startswith(f"{path}.")}
        summed = {n for n in back if n.endswith("bias") and library == "keras" and "recurrent_bias" in " ".join(back)}
        for name in back.keys() - (summed if "gru" not in path else set()):
            np.testing.assert_array_equal(back[name], state[name])


@pytest.mark.parametrize(
    ("layers", "shape", "reading"),
    [
        ([{"type": "conv1d", "filters": 2, "kernel": 1}, "batch_norm", "flatten", {"type": "dense", "units": 3}],
         (4, 2), {"dense1"}),
        ([{"type": "conv1d", "filters": 2, "kernel": 1, "name": "a"},
          {"type": "conv1d", "filters": 3, "kernel": 1, "name": "b", "inputs": ["input"]},
          {"type": "concatenate", "inputs": ["a", "b"]}, "flatten", {"type": "dense", "units": 3}], (4, 2), {"dense1"}),
        (["flatten", {"type": "repeat", "times": 2, "layers": [{"type": "dense", "units": 12}]}], (2, 2, 3),
         {"repeat1", "repeat1.dense1"}),
        (["flatten", "flatten", {"type": "dense", "units": 3}], (2, 2, 3), {"flatten2", "dense1"}),
        (["flatten", {"type": "reshape", "shape": [12]}, {"type": "dense", "units": 3}], (2, 2, 3),
         {"reshape1", "dense1"}),
        # What is no map, and what is one pixel or one channel, lies there as it does here.
        (["flatten", {"type": "dense", "units": 3}], (4, 2), set()),
        (["flatten", {"type": "dense", "units": 3}], (2, 2, 1), set()),
    ],
)  # fmt: skip
def test_what_reads_a_flattened_map_reads_it_in_another_order(
    layers: list[Any], shape: tuple[int, ...], reading: set[str]
) -> None:
    turned, _ = net(layers, shape, "torch")
    assert turned.orders.keys() == reading
    for order in turned.orders.values():
        channels = 5 if "concatenate" in str(layers) else shape[-1]
        np.testing.assert_array_equal(order, np.arange(order.size).reshape(-1, channels).T.ravel())


@pytest.mark.parametrize(
    ("layers", "shape", "library", "message"),
    [
        ([{"type": "echo_state", "units": 3}], (4, 2), "torch", r"'echo_state1': PyTorch has no layer of type echo"),
        ([{"type": "gru", "units": 3, "reset_after": False}], (4, 2), "torch", r"'gru1': PyTorch's GRU"),
        ([{"type": "lstm", "units": 3, "peepholes": True}], (4, 2), "keras", r"'lstm1': Keras's layer has no place"),
        ([{"type": "conv_transpose1d", "filters": 2, "kernel": 2, "groups": 2}], (4, 2), "keras", r"have no groups"),
        ([{"type": "dense", "units": 2, "name": "a"}, {"type": "dense", "units": 2, "tied_to": "a"}], (2,), "keras",
         r"'dense1': its weights are those of 'a', which Keras cannot say"),
        ([{"type": "layer_norm", "axes": [1]}], (4, 2), "keras", r"axes \[1\] has no words in Keras's layout"),
        (["flatten", {"type": "reshape", "shape": [2, 6]}], (2, 2, 3), "torch", r"'reshape1': it gives a flattened"),
        ([{"type": "flatten", "axis": 2}], (2, 2, 3), "torch", r"'flatten1': it gives a flattened"),
        ([{"type": "flatten", "name": "row"}, {"type": "dense", "units": 12},
          {"type": "add", "inputs": ["row", "dense1"]}], (2, 2, 3), "torch", r"'add1': it gives a flattened"),
        (["flatten", {"type": "residual", "layers": [{"type": "dense", "units": 12}]}], (2, 2, 3), "torch",
         r"'residual1': it gives a flattened"),
        ([{"type": "conv1d", "filters": 2, "kernel": 1}, "layer_norm"], (4, 2), "torch", r"maps there have lengths"),
    ],
)  # fmt: skip
def test_what_a_library_cannot_say_is_refused_by_name(
    layers: list[Any], shape: tuple[int, ...], library: str, message: str
) -> None:
    def give() -> None:
        turned, state = net(layers, shape, library)
        for path in turned.calls:
            turned.give(path, state)

    with pytest.raises(UsageError, match=message):
        give()
