"""Words of a model on itself, as texts by name: JSON but for plain words and numbers."""

from __future__ import annotations

import json
from typing import Any

import nnctl
from nnctl.data.tables.fitted import FittedColumns
from nnctl.exchange.onnx.model import Exportable
from nnctl.inference.opened import SavedRun


def describe(made: Exportable, saved: SavedRun) -> None:
    """Enter whose net it is: spec, version, epoch, names of classes, inputs and targets."""
    from onnx import helper

    signature, progress = saved.signature, saved.saved.progress
    words: dict[str, Any] = {
        "nnctl.version": nnctl.__version__,
        "nnctl.spec": saved.folder.read_spec(),
        "nnctl.checkpoint": saved.checkpoint,
        "nnctl.epoch": progress["epoch"],
        "nnctl.step": progress["step"],
        "nnctl.data": progress["data"],
    }
    if signature.classes is not None:
        words["classes"] = list(signature.classes)
    if signature.vocabulary is not None:
        words["vocabulary"] = list(signature.vocabulary)
    columns = FittedColumns.of(progress.get("fitted", {}))
    if columns is not None:
        words["columns"] = list(columns.features)
        words["targets"] = list(columns.targets)
    if made.entrance is not None:
        words["inputs"] = {
            info.name: {"columns": list(made.entrance.columns[info.name]), "holds": info.doc_string}
            for info in made.entrance.inputs
        }
    if fitted := progress.get("fitted", {}):
        words["nnctl.fitted"] = fitted
    if signature.embedded:
        words["embedded"] = {column.name: list(column.rows) for column in signature.embedded}
    texts = {name: word if isinstance(word, str) else json.dumps(word) for name, word in words.items()}
    helper.set_model_props(made.model, texts)
    made.model.producer_name, made.model.producer_version = "nnctl", nnctl.__version__
