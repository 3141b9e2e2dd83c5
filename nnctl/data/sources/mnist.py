"""MNIST: found on this machine, else fetched."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from nnctl.data.source import Description, Examples, Portion, Source, SplitRule
from nnctl.errors import DataError
from nnctl.spec.fields import NonEmptyStr
from nnctl.spec.registry import register

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://raw.githubusercontent.com/fgnt/mnist/master/",
)
CHECKSUMS = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}
"""MD5 of the unpacked files."""


@register("data", "mnist")
class Mnist(Source):
    """70,000 handwritten digits, 28×28 grey pixels, 10,000 of them for the test; fetched once.

    Looked for in `path` if given, else in the folder $NNCTL_DATA or its mnist/, then in
    the user's cache. The defaults give the customary division 50,000 / 10,000 / 10,000.
    Y. LeCun, C. Cortes, C. J. C. Burges.
    """

    path: Annotated[NonEmptyStr | None, "folder of the four IDX files, plain or gzip"] = None
    validation: Annotated[
        Portion | None, "examples held out for validation, a number or a share; of all 60,000 a sixth is 10,000"
    ] = 1 / 6
    split: Annotated[
        SplitRule, "how examples are held out: ordered (the last ones, in the file's order), stratified or random"
    ] = "ordered"

    description: ClassVar[Description] = Description(
        input_shape=(28, 28, 1),
        input_dtype="uint8",
        classes=tuple("0123456789"),
        scale=1 / 255,
        examples=70_000,
    )

    @property
    def own_test_set(self) -> bool:
        """The 10,000 of t10k."""
        return True

    def describe(self, folder: Path) -> Description:
        """Known without a look."""
        return self.description

    def read(self, folder: Path, seed: int) -> Examples:
        """Inputs uint8 (60000, 28, 28, 1); the test set apart. Fetches where nothing is found."""
        import numpy as np

        self.fetch(folder)
        files = self.locate(folder)
        if files is None:
            raise DataError(f"MNIST was fetched to {_cache()} and is no longer there")
        train_images, train_labels, test_images, test_labels = (files[name] for name in CHECKSUMS)
        return Examples(
            self.description,
            _images(train_images),
            _labels(train_labels).astype(np.int64),
            _images(test_images),
            _labels(test_labels).astype(np.int64),
        )

    def where(self, folder: Path) -> str:
        """The folder, or the command that fetches."""
        files = self.locate(folder)
        return str(next(iter(files.values())).parent) if files else "not on this machine: nnctl data fetch mnist"

    def locate(self, folder: Path) -> dict[str, Path] | None:
        """The four files by name, all from one folder; None where no folder has them.

        Raises DataError where `path` is given and lacks one of them.
        """
        if self.path is not None:
            from nnctl.data.paths import existing_folder

            given = existing_folder(self.path, folder)
            files = _files_in(given)
            missing = [name for name in CHECKSUMS if name not in files]
            if missing:
                raise DataError(f"{given} lacks {', '.join(missing)} (with or without .gz)")
            return files
        for place in _places():
            files = _files_in(place)
            if len(files) == len(CHECKSUMS):
                return files
        return None

    def fetch(self, folder: Path) -> None:
        """Download to the user's cache, unless it is found. Raises DataError: what was tried, what can be done."""
        from nnctl.data.download import RemoteFile, fetch

        if self.locate(folder):
            return
        try:
            fetch([RemoteFile(f"{name}.gz", md5) for name, md5 in CHECKSUMS.items()], MIRRORS, _cache(), "MNIST")
        except DataError as error:
            looked = "\n".join(f"  looked in {place}" for place in _places())
            raise DataError(
                f"MNIST is not on this machine: {error}\n{looked}\n"
                f"  with no network, put {', '.join(f'{name}.gz' for name in CHECKSUMS)} in a folder,\n"
                "  and set NNCTL_DATA to it or write data: {type: mnist, path: FOLDER}; "
                "data: digits needs no download"
            ) from error


def _places() -> list[Path]:
    given = os.environ.get("NNCTL_DATA")
    # An empty variable is an unset one, by the shell's custom.
    return [*([Path(given) / "mnist", Path(given)] if given else []), _cache()]


def _cache() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("nnctl") / "mnist"


def _files_in(folder: Path) -> dict[str, Path]:
    """Those of the four that are there; some copies are named train-images.idx3-ubyte."""
    found: dict[str, Path] = {}
    for name in CHECKSUMS:
        for variant in (name, f"{name}.gz", name.replace("-idx", ".idx"), f"{name.replace('-idx', '.idx')}.gz"):
            if (folder / variant).is_file():
                found[name] = folder / variant
                break
    return found


def _images(path: Path) -> NDArray[np.uint8]:
    from nnctl.data.idx import read_idx

    images = read_idx(path)
    if images.ndim != 3 or images.shape[1:] != (28, 28):
        raise DataError(f"{path} holds an array {images.shape}, and images (n, 28, 28) are expected")
    return images[..., None]


def _labels(path: Path) -> NDArray[np.uint8]:
    from nnctl.data.idx import read_idx

    labels = read_idx(path)
    if labels.ndim != 1:
        raise DataError(f"{path} holds an array {labels.shape}, and labels (n,) are expected")
    return labels
