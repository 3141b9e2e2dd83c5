"""NumPy files: one .npz with named arrays, or one .npy for inputs and one for targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from nnctl.components.base import Transform
from nnctl.components.fields import NonEmptyStr
from nnctl.components.registry import Problem, register
from nnctl.components.signature import DataSignature
from nnctl.data.examples import Description, Examples
from nnctl.data.source import BALANCED, IgnoringSource, InMemory, TargetType
from nnctl.errors import DataError
from nnctl.late import dataclass

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nnctl.data.stored.arrays import Rows, StoredArray


@dataclass(frozen=True, kw_only=True)
class ArraySource(IgnoringSource):
    """Inputs (n, …) and targets (n,) or (n, k), in memory or, where they do not fit, read from disk in windows.

    uint8 inputs stay uint8 and enter the net as 0…255, other numbers become float32; vectors (n,)
    are taken as (n, 1).
    Integer or text targets are labels, other numbers values, unless `target_type` says otherwise. Labels a step,
    (n, time) for inputs (n, time, …), are told by `target_type: labels` or by `ignore`.
    """

    seeded = False
    undecided_targets = True

    path: Annotated[NonEmptyStr, "the file, relative to the spec"]
    indices: Annotated[bool, "the inputs are indices, for an embedding"] = False
    in_memory: InMemory = None
    transforms: Annotated[
        tuple[Transform, ...],
        "rescalings of the inputs, in this order; without one, bytes (uint8) enter the net as 0…255, "
        "and not as 0…1, as those of images and mnist do",
    ] = ()
    padding: Annotated[
        Literal["nan"] | float | None,
        "what fills sequences (n, time, …) up behind their end: steps of it alone become 0, and one more input is 1 at "
        "every other step, so that the layer mask knows them",
    ] = None

    def problems(self) -> Sequence[Problem]:
        """Fields that padding does not go with."""
        if self.padding is None:
            return ()
        others = {
            "indices": (self.indices, "let the layer mask read the index that fills sequences up"),
            "transforms": (bool(self.transforms), "it would rescale what is filled up; rescale the file's numbers"),
            "in_memory": (self.in_memory is False, "padding is made in memory"),
        }
        return [Problem(name, f"{name} beside padding", why) for name, (said, why) in others.items() if said]

    @property
    def fills_up(self) -> bool:
        """True where the file says by what."""
        return self.padding is not None

    @property
    def filling(self) -> float | None:
        """The number that fills sequences up, which may be NaN; None where none does."""
        return None if self.padding is None else float(self.padding)

    def arrays(self, folder: Path) -> dict[str, NDArray[Any]]:
        """Arrays by role: inputs, targets, weights where these are asked for, and test_inputs, … of a test set.

        Of the inputs, shape and type alone. Raises DataError.
        """
        raise NotImplementedError

    def held(self, folder: Path, role: str) -> NDArray[Any]:
        """The array of inputs in this role, in memory. Raises DataError."""
        raise NotImplementedError

    def stored(self, folder: Path, role: str) -> StoredArray:
        """The array of inputs in this role, on disk. Raises DataError."""
        raise NotImplementedError

    def describe(self, folder: Path) -> Description:
        """Shapes from the file's headers; targets are read, to know the classes."""
        from nnctl.data.formats.array_examples import describe

        described = describe(self.arrays(folder), **self._reading)
        if self.padding is None:
            return described
        from nnctl.data.series.ends import ended

        return replace(described, input_shape=ended(described.input_shape), input_dtype="real")

    def read(self, folder: Path, seed: int) -> Examples:
        """Inputs uint8, float32, or int64 where they are indices."""
        from nnctl.data.formats.array_examples import assemble
        from nnctl.data.stored.folder import on_disk

        arrays: dict[str, Rows] = dict(self.arrays(folder))
        roles = [role for role in ("inputs", "test_inputs") if role in arrays]
        disk = self.padding is None and on_disk(self.in_memory, sum(arrays[role].nbytes for role in roles))
        arrays |= {role: self.stored(folder, role) if disk else self.held(folder, role) for role in roles}
        if self.filling is not None:
            from nnctl.data.series.ends import with_ends

            arrays |= {role: with_ends(arrays[role][:], self.filling, f"{self.path}, {role}") for role in roles}
        return assemble(arrays, **self._reading)

    @property
    def _reading(self) -> dict[str, Any]:
        return {
            "indices": self.indices, "target_type": self.target_type, "path": self.path, "ignored": self.ignored,
        }  # fmt: skip

    def where(self, folder: Path) -> str:
        """The file."""
        from nnctl.data.paths import resolve

        return str(resolve(self.path, folder))


@register("data", "npz")
class Npz(ArraySource):
    """A .npz archive that holds inputs and targets, and perhaps a test set, under names."""

    example = "{type: npz, path: arrays.npz, validation: 0.1}"
    of_files = (".npz",)

    inputs: Annotated[NonEmptyStr, "name of the array of inputs"] = "inputs"
    targets: Annotated[NonEmptyStr, "name of the array of targets"] = "targets"
    test_inputs: Annotated[NonEmptyStr | None, "name of the array of test inputs"] = None
    test_targets: Annotated[NonEmptyStr | None, "name of the array of test targets"] = None
    test_weights: Annotated[NonEmptyStr | None, "name of the array of the test set's weights; 1 each if absent"] = None

    weighs_rows = True

    def problems(self) -> Sequence[Problem]:
        """Those of all arrays, and a test set without one of its two."""
        return [*super().problems(), *self._of_test_set()]

    def _of_test_set(self) -> Sequence[Problem]:
        if self.test_weights is not None and (self.test_inputs is None or self.weights in (None, BALANCED)):
            return (Problem("test_weights", "test_weights without a test set and weights", "remove it"),)
        if (self.test_inputs is None) == (self.test_targets is None):
            return ()
        given, lacking = (
            ("test_inputs", "test_targets") if self.test_targets is None else ("test_targets", "test_inputs")
        )
        return (Problem(given, f"{given} without {lacking}", "a test set needs both"),)

    @property
    def own_test_set(self) -> bool:
        """True where its arrays are named."""
        return self.test_inputs is not None

    def elsewhere(self, path: Path, signature: DataSignature, fitted: Mapping[str, Any]) -> Self:
        """The arrays `inputs` and `targets` of another archive."""
        kind: TargetType = "values" if signature.classes is None else "labels"
        return replace(self, path=str(path), test_inputs=None, test_targets=None, classes=None, target_type=kind)

    def arrays(self, folder: Path) -> dict[str, NDArray[Any]]:
        """The named arrays."""
        from nnctl.data.formats.numpy_files import read_npz
        from nnctl.data.paths import existing_file

        names = {"inputs": self.inputs, "targets": self.targets}
        if self.test_inputs is not None and self.test_targets is not None:
            names |= {"test_inputs": self.test_inputs, "test_targets": self.test_targets}
        if self.weights not in (None, BALANCED):
            names |= {"weights": str(self.weights)}
            names |= {} if self.test_weights is None else {"test_weights": self.test_weights}
        return read_npz(existing_file(self.path, folder), names, ("inputs", "test_inputs"))

    def held(self, folder: Path, role: str) -> NDArray[Any]:
        """The named array."""
        from nnctl.data.formats.numpy_files import read_npz
        from nnctl.data.paths import existing_file

        return read_npz(existing_file(self.path, folder), {role: getattr(self, role)})[role]

    def stored(self, folder: Path, role: str) -> StoredArray:
        """The named array."""
        from nnctl.data.formats.array_inputs import stored_inputs
        from nnctl.data.paths import existing_file

        return stored_inputs(existing_file(self.path, folder), getattr(self, role), self.indices)


@register("data", "npy")
class Npy(ArraySource):
    """Inputs in one .npy file, targets in another."""

    example = "{type: npy, path: inputs.npy, targets: labels.npy, validation: 0.1}"
    of_files = (".npy",)

    targets: Annotated[NonEmptyStr, "the file of targets, relative to the spec"]

    def arrays(self, folder: Path) -> dict[str, NDArray[Any]]:
        """Both files, the targets mapped into memory."""
        from nnctl.data.formats.numpy_files import read_npy
        from nnctl.data.paths import existing_file

        if self.path == self.targets:
            raise DataError(f"npy: path and targets are the same file {self.path}")
        return {
            "inputs": read_npy(existing_file(self.path, folder), outline=True),
            "targets": read_npy(existing_file(self.targets, folder)),
        }

    def held(self, folder: Path, role: str) -> NDArray[Any]:
        """The file of inputs, mapped into memory."""
        from nnctl.data.formats.numpy_files import read_npy
        from nnctl.data.paths import existing_file

        return read_npy(existing_file(self.path, folder))

    def stored(self, folder: Path, role: str) -> StoredArray:
        """The file of inputs."""
        from nnctl.data.formats.array_inputs import stored_inputs
        from nnctl.data.paths import existing_file

        return stored_inputs(existing_file(self.path, folder), None, self.indices)
