"""Proposals for arrays: .npz, .npy and idx files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.data.formats.idx import read_idx
from nnctl.data.formats.numpy_files import array_names, read_npy, read_npz
from nnctl.data.labels import encode
from nnctl.data.words import some
from nnctl.errors import DataError
from nnctl.proposals import nets
from nnctl.proposals.proposal import Answer, Called, Proposal
from nnctl.proposals.targets import MOST_CLASSES, are_classes
from nnctl.spec.noted import Noted

_INPUTS = ("inputs", "x", "x_train", "train_x", "images", "train_images", "data", "features")
_TARGETS = ("targets", "target", "y", "y_train", "train_y", "labels", "label", "train_labels", "classes")
_TEST_INPUTS = ("test_inputs", "x_test", "test_x", "test_images")
_TEST_TARGETS = ("test_targets", "y_test", "test_y", "test_labels")
_BYTES = {"type": "min_max", "per": "dataset"}


def of_npz(file: Path, called: Called, target: str | None) -> Proposal:
    """A proposal for an archive of arrays. target: the name of the array of targets. Raises DataError."""
    names = array_names(file)
    roles = {
        "inputs": _one_of(names, _INPUTS),
        "targets": target or _one_of(names, _TARGETS),
        "test_inputs": _one_of(names, _TEST_INPUTS),
        "test_targets": _one_of(names, _TEST_TARGETS),
    }
    if roles["inputs"] is None and roles["targets"] is not None and len(names) == 2:
        roles["inputs"] = next((name for name in names if name != roles["targets"]), None)
    for role, option in (("targets", "say --target NAME"), ("inputs", "call the array of inputs 'inputs'")):
        if roles[role] is None:
            raise DataError(f"{file}: which of the arrays are the {role}? There are {some(names)}\n  {option}")
    if None in (roles["test_inputs"], roles["test_targets"]):
        roles["test_inputs"] = roles["test_targets"] = None
    chosen = {role: name for role, name in roles.items() if name is not None}
    arrays = read_npz(file, {role: chosen[role] for role in ("inputs", "targets")}, ("inputs",))
    said = {role: name for role, name in chosen.items() if name != role or role.startswith("test")}
    left = [name for name in names if name not in chosen.values()]
    data: dict[str, object] = {"type": "npz", "path": called(file), **said}
    advice = [f"arrays that are left out: {some(left)}"] if left else []
    return _proposed(data, arrays["inputs"], arrays["targets"], "test_inputs" in said, advice)


def of_npy(file: Path, called: Called, target: str | None) -> Proposal:
    """A proposal for a file of inputs. target: the file of targets, found beside it if None. Raises DataError."""
    inputs = read_npy(file, outline=True)

    def fits(other: Path) -> bool:
        found = read_npy(other, outline=True)
        return found.shape[:1] == inputs.shape[:1] and found.ndim <= 2

    other = Path(target) if target else _beside(file, (".npy",), fits)
    data: dict[str, object] = {"type": "npy", "path": called(file), "targets": called(other)}
    return _proposed(data, inputs, read_npy(other), own_test=False, advice=[])


def of_idx(file: Path, called: Called, target: str | None) -> Proposal:
    """A proposal for a file of images. target: the file of labels, found beside it if None. Raises DataError."""
    inputs = read_idx(file, outline=True)
    named = file.with_name(file.name.replace("images", "labels").replace("idx3", "idx1"))

    def fits(other: Path) -> bool:
        found = read_idx(other, outline=True)
        return found.shape[:1] == inputs.shape[:1] and found.ndim <= 2

    if target:
        other = Path(target)
    elif named != file and named.exists():
        other = named
    else:
        other = _beside(file, (".idx", ".idx1", "ubyte", ".gz"), fits)
    data: dict[str, object] = {"type": "idx", "images": called(file), "labels": called(other)}
    own = [Path(str(name).replace("train", "t10k")) for name in (file, other)]
    own_test = all(mine.exists() and mine not in (file, other) for mine in own)
    if own_test:
        data |= {"test_images": called(own[0]), "test_labels": called(own[1])}
    images = inputs[..., None] if inputs.ndim == 3 else inputs
    return _proposed(data, images, read_idx(other), own_test, advice=[])


def _proposed(
    data: dict[str, object], inputs: NDArray[Any], targets: NDArray[Any], own_test: bool, advice: list[str]
) -> Proposal:
    """The proposal for inputs, of which shape and type are known, and targets."""
    file = str(data.get("path", data.get("images")))
    for what, array in (("inputs", inputs), ("targets", targets)):
        if array.ndim == 0 or not array.size:
            raise DataError(f"{file}: the {what} are empty, or a single number: one row an example is expected")
    if len(inputs) != len(targets):
        raise DataError(
            f"{file}: {len(inputs):,} inputs and {len(targets):,} targets\n  one row an example is expected"
        )
    if len(inputs) < nets.LEAST_EXAMPLES:
        raise DataError(f"{file}: {len(inputs)} examples, and {nets.LEAST_EXAMPLES} are few already")
    answer, why = _answer_of(targets, file)
    shape = inputs.shape[1:] or (1,)
    data |= nets.shares(len(inputs), test=not own_test)
    if answer.sizes is None:
        data["target_type"] = Noted("values", why)
        data["target_transforms"] = Noted(["standardize"], "the cost is in units of their spread, answers in their own")
    else:
        data["target_type"] = Noted("labels", why)
    if data["type"] != "idx" or inputs.dtype != np.uint8:
        bytes_ = inputs.dtype == np.uint8
        data["transforms"] = [_BYTES] if bytes_ else ["standardize"]
    layers = _layers(len(inputs), shape, answer)
    schedule = nets.training(nets.training_examples(len(inputs), test=not own_test))
    heading = [f"Proposed for {len(inputs):,} examples of shape {_shown(shape)}, {inputs.dtype}."]
    return Proposal(nets.whole(data, layers, answer, schedule), heading, advice)


def _answer_of(targets: NDArray[Any], file: str) -> tuple[Answer, str]:
    """(what is to be answered, why it is taken for that)."""
    column = targets.ndim == 1 or targets.shape[1:] == (1,)
    flat = targets.reshape(-1) if column else targets
    if flat.dtype.kind == "U" or (column and are_classes(flat)):
        labels, names = encode(flat)
        if len(names) < 2:
            raise DataError(f"{file}: every target is {names[0]!r}: there is nothing to tell apart")
        return Answer(np.bincount(labels).tolist()), f"{len(names):,} classes"
    if flat.dtype.kind == "f" and not np.isfinite(flat).all():
        row = int(np.argwhere(~np.isfinite(flat))[0][0])
        raise DataError(
            f"{file}: target {row} (counted from 0) is no finite number\n  remove the example, or fill the gap"
        )
    if (flat == flat[0]).all():
        raise DataError(f"{file}: every target is {flat[0]}: there is nothing to learn")
    if flat.ndim > 2:
        raise DataError(f"{file}: targets of shape {_shown(flat.shape[1:])} an example\n  write the spec by hand")
    more = f"more different whole numbers than {MOST_CLASSES}" if flat.dtype.kind in "iu" else "real numbers"
    return Answer(None, 1 if column else flat.shape[1]), more


def _layers(examples: int, shape: tuple[int, ...], answer: Answer) -> list[object]:
    if len(shape) == 3 and min(shape[:2]) >= 4:
        return nets.convolutional(examples, shape, answer)
    if len(shape) == 2 and shape[1] <= 4 * shape[0]:
        return nets.recurrent(examples, shape, answer)
    first: list[object] = [] if len(shape) == 1 else ["flatten"]
    return [*first, *nets.dense(examples, int(np.prod(shape)), answer)]


def _one_of(names: list[str], usual: tuple[str, ...]) -> str | None:
    by_small = {name.lower(): name for name in reversed(names)}
    return next((by_small[name] for name in usual if name in by_small), None)


def _beside(file: Path, endings: tuple[str, ...], fits: Callable[[Path], bool]) -> Path:
    """The one file beside another that has as many rows. Raises DataError where there is none, or several."""
    found = []
    for name in sorted(os.listdir(file.parent)):
        other = file.parent / name
        if other != file and name.lower().endswith(endings) and other.is_file():
            try:
                if fits(other):
                    found.append(other)
            except DataError:
                continue  # a file of another kind, which nobody asked for
    if len(found) == 1:
        return found[0]
    names = some([path.name for path in found])
    what = f"several files beside it have as many rows: {names}" if found else "no file beside it has as many rows"
    raise DataError(f"{file}: where are its targets? {what}\n  say --target FILE")


def _shown(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))
