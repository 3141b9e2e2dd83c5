"""Formulas of a graph's nodes as people write them, by the names of their values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nnctl.graph.ir import Node, Value
from nnctl.ops.elementwise import ElementwiseOp
from nnctl.ops.expression import Expression
from nnctl.ops.notation import render
from nnctl.ops.shapes import Symbol, show
from nnctl.ops.table import OPS

LONGEST = 300
"""Characters of a formula; of one that is longer the name of its op is told, and what it reads."""


def formula_of(node: Node, output: int = 0, written: Mapping[Value, str] | None = None) -> str:
    """The right side of the equation of one output. written: what stands in place of an input's name."""
    names = [(written or {}).get(value, _operand(value.name)) for value in node.inputs]
    if isinstance(node.op, ElementwiseOp):
        expression = node.op.expression
        alone = Expression(expression.arity, expression.lines, (expression.results[output],))
        text = render(alone, names).replace(" * ", "·")
        return text if len(text) <= LONGEST else f"{node.op.name}({', '.join(names)})"
    write = _FORMULAS.get(node.op.name)
    if write is not None:
        return write(names, node.attributes)
    said = [f"{name}={_plain(value)}" for name, value in node.attributes.items() if value is not None]
    return f"{node.op.name}({', '.join([*names, *said])})"


def _operand(name: str) -> str:
    """A name within a formula: in parentheses where it is a difference itself, as C − C₀ is."""
    return f"({name})" if " − " in name and "(" not in name else name


def words_on(node: Node) -> str:
    """A sentence on an op whose formula does not tell what it does; "" for the others."""
    if isinstance(node.op, ElementwiseOp) or node.op.name in _FORMULAS or node.op.name not in OPS:
        return ""
    text = OPS[node.op.name].body.__doc__ or ""
    return text.partition("\n")[0].strip()


def _plain(value: Any) -> str:
    if isinstance(value, tuple):
        return show(tuple(each.times if isinstance(each, Symbol) else each for each in value))
    return str(value)


def _product(names: Sequence[str], attributes: Mapping[str, Any]) -> str:
    a, b = names
    return f"{a}{'ᵀ' * bool(attributes.get('transpose_a'))}·{b}{'ᵀ' * bool(attributes.get('transpose_b'))}"


def _scanned(names: Sequence[str], attributes: Mapping[str, Any]) -> str:
    return f"a scan over the steps of {names[0]}, unrolled below"


_FORMULAS: Mapping[str, Callable[[Sequence[str], Mapping[str, Any]], str]] = {
    "matmul": _product,
    "reshape": lambda names, attributes: f"{names[0]} as {_plain(attributes['shape'])}",
    "broadcast_to": lambda names, attributes: f"{names[0]}, repeated",
    "sum_to": lambda names, attributes: f"Σ {names[0]}, over examples and places",
    "sum": lambda names, attributes: f"Σ {names[0]}",
    "mean": lambda names, attributes: f"mean of {names[0]}",
    "norm": lambda names, attributes: f"‖{names[0]}‖",
    "cast": lambda names, attributes: f"{names[0]} as a real number",
    "stop_gradient": lambda names, attributes: f"{names[0]}, a constant to differentiation",
    "zeros": lambda names, attributes: "0",
    "size": lambda names, attributes: "the number of examples, 1" if attributes["shape"] else "∂C/∂C = 1",
    "softmax": lambda names, attributes: f"softmax({names[0]}): exp(z_j)/Σ_k exp(z_k)",
    "one_hot": lambda names, attributes: f"1 at {names[0]}, 0 elsewhere",
    "gather": lambda names, attributes: f"the example's row of {names[0]}",
    "convolution": lambda names, attributes: f"{names[0]} ∗ {names[1]}: Σ x[p·stride + k·dilation, c]·w[k, c, f]",
    "convolution_kernel": lambda names, attributes: (
        f"{names[0]} ∗ {names[1]}: Σ over positions x[p·stride + k·dilation, c]·δ[p, f]"
    ),
    "convolution_transpose": lambda names, attributes: (
        f"{names[0]} ∗ᵀ {names[1]}: Σ over windows that read x, δ[p, f]·w[k, c, f]"
    ),
    "max_pool": lambda names, attributes: f"max over each window of {names[0]}",
    "sum_pool": lambda names, attributes: f"Σ over each window of {names[0]}",
    **dict.fromkeys(("rnn", "leaky_rnn", "lstm", "gru", "rnn_gradient", "lstm_gradient", "gru_gradient"), _scanned),
    "put_into_windows": lambda names, attributes: f"{names[0]} where its window had its maximum, else 0",
}
