"""The rows of `nnctl data`: the sources there are, and the numbers of a loaded set. Plain data, ready for JSON."""

from __future__ import annotations

from dataclasses import MISSING, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnctl.components.registry import components, not_loaded, summary
from nnctl.data.source import Source
from nnctl.errors import UsageError

if TYPE_CHECKING:
    from nnctl.data.dataset import Dataset, Split


def rows_of_sources(folder: Path) -> list[dict[str, Any]]:
    """Rows, one a source type: name, description, shape, classes, examples, place.

    Of a type that reads the user's files, shape and classes are None. Nothing is fetched or loaded.
    """
    rows: list[dict[str, Any]] = []
    for name, cls in components("data").items():
        row: dict[str, Any] = {"name": name, "about": summary(cls)}
        needed = required_fields(cls)
        if needed or not issubclass(cls, Source):
            row |= {"input_shape": None, "classes": None, "examples": None}
            row["where"] = f"your files: give {', '.join(needed)}" if needed else ""
        else:
            source = cls()
            description = source.describe(folder)
            row |= {
                "input_shape": list(description.input_shape),
                "classes": None if description.classes is None else len(description.classes),
                "examples": description.examples,
                "where": source.where(folder),
            }
        rows.append(row)
    return rows


def source_named(name: str) -> Source:
    """The source of that type with its defaults. Raises UsageError where it is unknown or needs fields."""
    from difflib import get_close_matches

    known = components("data")
    cls = known.get(name)
    if cls is None or not issubclass(cls, Source):
        close = get_close_matches(name, known, 1)
        hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(known)}"
        raise UsageError("\n  ".join((f"{name!r} is neither a spec nor a type of data", hint, *not_loaded())))
    needed = required_fields(cls)
    if needed:
        raise UsageError(f"data of type {name!r} needs {', '.join(needed)}: write a spec, and give its name")
    return cls()


def required_fields(cls: type[Any]) -> list[str]:
    """Names of the fields without a default."""
    return [f.name for f in fields(cls) if f.default is MISSING and f.default_factory is MISSING]


def summarize(dataset: Dataset) -> list[dict[str, Any]]:
    """Rows, one a split: name, examples, input and target shape, then the numbers.

    min, max, mean, std: of the inputs as the net receives them. Labels: examples of
    each class by name, and of those that are left out, where some may be; values: their least, greatest and mean.
    """
    return [_summary(name, split, dataset) for name, split in dataset.splits.items()]


def _summary(name: str, split: Split, dataset: Dataset) -> dict[str, Any]:
    import numpy as np

    from nnctl.data.statistics import measure

    statistics = measure(split.inputs)
    if dataset.shift is not None and dataset.scale is not None:
        statistics = statistics.after(dataset.shift.astype(np.float64), dataset.scale.astype(np.float64))
    pooled = statistics.pooled()
    row: dict[str, Any] = {
        "split": name,
        "examples": len(split),
        "input_shape": list(split.inputs.shape[1:]),
        "target_shape": list(split.targets.shape[1:]),
        "min": float(pooled.minimum),
        "max": float(pooled.maximum),
        "mean": float(pooled.mean),
        "std": float(pooled.std),
    }
    classes = dataset.signature.classes
    if classes is not None:
        labels = split.targets.reshape(-1)
        counts = np.bincount(labels[labels >= 0], minlength=len(classes)).tolist()
        left_out = {"left_out": int((labels < 0).sum())} if dataset.signature.ignores else {}
        return row | {"classes": dict(zip(classes, counts))} | left_out
    targets = measure(split.targets).pooled()
    return row | {
        "target_min": float(targets.minimum),
        "target_max": float(targets.maximum),
        "target_mean": float(targets.mean),
    }
