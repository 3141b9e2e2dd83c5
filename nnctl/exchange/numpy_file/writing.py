"""The text of a net's file: the functions that it calls, then its layers one after another."""

from __future__ import annotations

import inspect
import keyword
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from nnctl.errors import UsageError
from nnctl.exchange.numpy_file import columns, functions
from nnctl.exchange.numpy_file.formulas import lines_of
from nnctl.exchange.numpy_file.inputs import read_call, write_inputs
from nnctl.exchange.raw import RawInputs, RawTable
from nnctl.graph import interface
from nnctl.graph.ir import Node, Value
from nnctl.graph.network import Network
from nnctl.ops.elementwise import ElementwiseOp
from nnctl.ops.shapes import Shape, Symbol
from nnctl.screen.characters import harmless
from nnctl.spec.check.wiring import layer_names

_DTYPES = {"real": "np.float32", "uint8": "np.uint8", "index": "np.int64"}

_Say: TypeAlias = Callable[..., str]
_SAYINGS: Mapping[str, _Say] = {
    "cast": lambda x, **_: f"{x}.astype(np.float32)",
    "as_index": lambda x, **_: f"{x}.astype(int)",
    "reshape": lambda x, shape: f"{x}.reshape({_shape(shape)[1:-1].rstrip(',')})",
    "matmul": lambda a, b, transpose_a=False, transpose_b=False: (
        f"{a}{'.T' if transpose_a else ''} @ {b}{'.T' if transpose_b else ''}"
    ),
    "concatenate": lambda *xs, axis: f"np.concatenate([{', '.join(xs)}], axis={axis})",
    "slice": lambda x, axis, start, stop: f"{x}[{':, ' * axis}{start}:{stop}]",
    "mean": lambda x, axes, keepdims=False: f"{x}.mean(axis={axes}{', keepdims=True' if keepdims else ''})",
    "sum": lambda x, axes, keepdims=False: f"{x}.sum(axis={axes}{', keepdims=True' if keepdims else ''})",
    "broadcast_to": lambda x, shape: f"np.broadcast_to({x}, {_shape(shape)})",
    "zeros": lambda shape: f"np.zeros({_shape(shape)}, np.float32)",
    "lookup": lambda table, index: f"{table}[{index}]",
    "one_hot": lambda x, classes: f"np.eye({classes}, dtype=np.float32)[{x}]",
}
"""Ops that are a word of NumPy: what stands for one, from its inputs and its attributes."""
_CALLED = (
    "convolution", "convolution_transpose", "max_pool", "sum_pool", "window_counts", "spread_pool", "interpolate",
    "pad", "differs",
    "softmax", "rnn", "leaky_rnn", "lstm", "gru",
)  # fmt: skip
"""Ops that are functions of `functions`, called with the op's attributes."""


def write_net(network: Network, raw: RawInputs | None = None, named: Sequence[str] = ()) -> str:
    """The text of a file for a net; it reads its arrays by their names here from an .npz beside it.

    raw: what the file makes inputs of; None where it is given them as they enter the net. named: names of the inputs,
    where they are numbers that are made of columns before they enter the net.
    Raises UsageError where a layer has an op for which there are no words, or keeps its state between calls.
    """
    if states := list(network.structure.recurrent_states):
        raise UsageError(f"'{states[0].rpartition('.')[0]}': it is stateful, and a file of functions keeps no state")
    graph = network.unfused_prediction
    names = _Names()
    body: list[str] = []
    section = ""
    heads = _heads(network)
    for node in graph.nodes:
        if node.op.name == "gather" and node.inputs[0].name == interface.INPUTS:
            names.known[node.outputs[0]] = "x"
            continue
        root = node.layer.partition(".")[0]
        if root != section:
            section = root
            body += ["", f"# {heads.get(root, root)}"]
        body += _node(node, names)
    output = names.of(graph.outputs[interface.OUTPUT])
    shape, dtype = network.signature.input_shape, _DTYPES[network.signature.input_dtype]
    inputs = (
        "inputs x ({}), the numbers that training made of columns: COLUMNS"
        if named
        else "raw inputs x ({}), as the data has them"
        if raw is None
        else "what `inputs` takes"
    )
    lines = [
        *([] if raw is None else write_inputs(raw, shape)),
        "def outputs(x):",
        f'    """The net\'s outputs for {inputs.format(", ".join(map(str, ("n", *shape))))}."""',
        f"    x = np.asarray({'x' if raw is None else 'inputs(x)'}, {dtype})",
        "    n = len(x)",
        *(f"    {line}".rstrip() for line in body),
        "",
        f"    return {output}",
    ]
    reads = read_call(raw, "sys.argv[1]")
    end = _end(network, reads)
    functions_called = _functions("\n".join([*lines, end]))
    more = {word: line if f"{word}." in functions_called else "" for word, line in _IMPORTS.items()}
    head = _HEAD.format(given="table.csv" if isinstance(raw, RawTable) else "inputs.npy", **more)
    head += _classes(network) + (f"COLUMNS = {list(named)!r}\n" if named else "")
    return head + functions_called + "\n".join(lines) + "\n" + end


_HEAD = '''"""A trained net in NumPy alone, its forward pass: written by `nnctl export`.

    python THIS_FILE {given}

prints the answer to each example. Arrays of the net are in the .npz of the same name, by layer and name.
"""

{csv}import math
import os
import sys
{datetime}from pathlib import Path

import numpy as np

W = dict(np.load(Path(__file__).with_suffix(".npz")))
'''


_IMPORTS = {"csv": "import csv\n", "datetime": "from datetime import UTC, datetime\n"}
"""Lines of imports by the name whose members only some files call."""


def _classes(network: Network) -> str:
    names = network.signature.classes
    return "" if names is None else f"CLASSES = {list(names)!r}\n"


def _end(network: Network, reads: str) -> str:
    """Answers of the outputs, and what the file does as a program. reads: what reads the file that it is given."""
    if network.signature.classes is None:
        answer = ""
    else:
        if network.structure.output_shape[-1] == 1:
            best = f"(outputs(x)[..., 0] > {network.spec.cost.threshold!r}).astype(int)"
        else:
            best = "outputs(x).argmax(axis=-1)"
        answer = f'''

def classify(x):
    """The name of the class of each example; of sequences with a label a step, of each step."""
    return np.array(CLASSES, dtype=object)[{best}]
'''
    asked = "outputs" if network.signature.classes is None else "classify"
    return f"""{answer}

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.stdout.reconfigure(errors="backslashreplace")
    try:
        for row in {asked}({reads}):
            print(*np.ravel(row).tolist())
        sys.stdout.flush()
    except BrokenPipeError:  # Whoever read the answers has gone, as head does; so must what is not written yet.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
"""


def _heads(network: Network) -> dict[str, str]:
    """A line on each layer of the spec: its name, its type, its formula."""
    layers = network.spec.layers
    heads = {}
    for name, layer in zip(layer_names(layers), layers):
        formula = str(getattr(layer, "formula", "")).splitlines()
        words = f"{name}: {layer.type}" + (f", {formula[0]}" if formula else "")
        heads[name] = re.sub(r"[\r\n\x85\u2028\u2029\f\v]", " ", harmless(words))
    return heads | {"data": "inputs as the net reads them"}


class _Names:
    """Names of values in the file, all different."""

    def __init__(self) -> None:
        self.known: dict[Value, str] = {}
        self._taken = {"x", "n", "np", "math", "os", "sys", "W", "CLASSES", "COLUMNS", "outputs", "classify", "inputs"}
        self._taken |= {*dir(functions), *dir(columns)}

    def of(self, value: Value) -> str:
        """The name of a value; arrays of the net are read from W."""
        if value not in self.known:
            if value.role != "computed":
                self.known[value] = f"W[{value.name!r}]"
            else:
                self.known[value] = self._new(value.name)
        return self.known[value]

    def _new(self, name: str) -> str:
        begin = re.sub(r"\W", "_", name)
        begin = f"_{begin}" if not begin.isidentifier() or keyword.iskeyword(begin) else begin
        found, count = begin, 1
        while found in self._taken:
            count += 1
            found = f"{begin}_{count}"
        self._taken.add(found)
        return found


def _node(node: Node, names: _Names) -> list[str]:
    """The lines of a node."""
    inputs = [names.of(value) for value in node.inputs]
    output = names.of(node.outputs[0])
    if isinstance(node.op, ElementwiseOp):
        return lines_of(node.op.expression, inputs, output)
    op = node.op.name
    if op in _SAYINGS:
        return [f"{output} = {_SAYINGS[op](*inputs, **node.attributes)}"]
    if op not in _CALLED or not _takes(getattr(functions, op), node):
        raise UsageError(f"'{node.layer}': its op {op} has no words in a file of NumPy")
    given = [f"{name}={value!r}" for name, value in node.attributes.items()]
    return [f"{output} = {op}({', '.join([*inputs, *given])})"]


def _takes(function: Callable[..., Any], node: Node) -> bool:
    """True where a function takes the inputs and the attributes of a node."""
    try:
        inspect.signature(function).bind(*node.inputs, **node.attributes)
    except TypeError:
        return False
    return True


def _shape(shape: Shape) -> str:
    """A shape as Python has it, n for the examples."""
    dims = [(f"n * {d.times}" if d.times > 1 else "n") if isinstance(d, Symbol) else str(d) for d in shape]
    return f"({', '.join(dims)}{',' if len(dims) == 1 else ''})"


def _functions(text: str) -> str:
    """The functions that a text calls, and those that they call, in the order of their module."""
    members = {**vars(columns), **vars(functions)}
    known = {name: inspect.getsource(f) for name, f in members.items() if inspect.isfunction(f)}
    needed: set[str] = set()
    looked = [text]
    while looked:
        words = set(re.findall(r"\b(\w+)\(", looked.pop())) & known.keys() - needed
        needed |= words
        looked += [known[word] for word in words]
    return "".join(f"\n\n{source}" for name, source in known.items() if name in needed) + "\n\n"
