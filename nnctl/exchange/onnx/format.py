"""ONNX as a format of `nnctl export`."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from nnctl.data.words import some
from nnctl.errors import UsageError
from nnctl.exchange.formats import Exported, Options
from nnctl.inference.opened import SavedRun


class Onnx:
    """See `Format`."""

    words = "nets with their weights, for runtimes of ONNX"
    options = ("check", "encoded")

    def export(self, saved: SavedRun, options: Options) -> Exported:
        """See `Format`. Raises ExchangeFailed where onnxruntime answers otherwise."""
        checked = options.check is not False
        for package in ("onnx", *(["onnxruntime"] if checked else [])):
            if find_spec(package) is None:
                raise UsageError(
                    f"an export to ONNX needs the package {package}, which is not installed\n"
                    "  pip install 'nnctl[onnx]'"
                )
        import onnx

        from nnctl.exchange.onnx.check import check
        from nnctl.exchange.onnx.metadata import describe
        from nnctl.exchange.onnx.model import build_model
        from nnctl.exchange.raw import raw_inputs
        from nnctl.exchange.rows import words_on_columns

        raw = None if options.encoded else raw_inputs(saved)
        made = build_model(saved.loaded.spec, saved.signature, saved.saved.tensors, raw)
        describe(made, saved)
        onnx.checker.check_model(made.model, full_check=True)
        row: dict[str, Any] = {
            "opset": made.model.opset_import[0].version,
            "nodes": len(made.model.graph.node),
            "inputs": _words(made.model.graph.input),
            "outputs": _words(made.model.graph.output),
        }
        notes = [] if made.why_not is None else [f"sequences keep their length: {made.why_not}"]
        if raw is None:
            notes += [f"{words}; the metadata `nnctl.fitted` say how" for words in words_on_columns(saved)]
        else:
            notes += raw.remarks
            if dates := raw.dates:
                notes.append(
                    f"dates are taken in microseconds since 1970, for ONNX reads none from texts: {some(dates)}"
                )
        if checked:
            split, found = check(made, saved, raw)
            row |= {"split": split, "largest_difference": found.difference, "largest_answer": found.scale}
            if not found.close:
                notes.append(
                    f"rounding to float32 alone moves answers of this net by {found.rounding:.2g}, "
                    f"which accounts for the difference from onnxruntime's, {found.difference:.2g}"
                )
        return Exported(made.model.SerializeToString(), [row], notes)


def _words(values: Any) -> str:
    """Names of inputs or outputs, with their shapes; the first of them where there are many."""
    shapes = {
        value.name: [d.dim_param or str(d.dim_value) for d in value.type.tensor_type.shape.dim] for value in values
    }
    return some([f"{name} ({', '.join(shape)})" for name, shape in shapes.items()])
