"""MNIST: files of this machine, else downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from nnctl.components.fields import NonEmptyStr
from nnctl.components.registry import register
from nnctl.data.download.published import PublishedFiles
from nnctl.data.examples import Description, Examples
from nnctl.data.source import Portion, Source, SplitRule
from nnctl.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FILES = PublishedFiles(
    "MNIST",
    "mnist",
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "https://raw.githubusercontent.com/fgnt/mnist/master/",
    ),
    checksums={
        "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
        "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    },
    instead="digits",
    packed=True,
    # Some copies are named train-images.idx3-ubyte.
    variants=lambda name: (name, name.replace("-idx", ".idx")),
)


@register("data", "mnist")
class Mnist(Source):
    """70,000 handwritten digits, 28×28 grey pixels, 10,000 of them for the test; fetched once.

    Looked for in `path` if given, else in the folder $NNCTL_DATA or its mnist/, then in
    the user's cache. The defaults give the customary division 50,000 / 10,000 / 10,000.
    Y. LeCun, C. Cortes, C. J. C. Burges.
    """

    seeded = False
    example = "{type: mnist, validation: 10000}"

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
        """The description, known without reading."""
        return self.description

    def read(self, folder: Path, seed: int) -> Examples:
        """Inputs uint8 (60000, 28, 28, 1); the test set apart. Downloads where there is none."""
        import numpy as np

        files = FILES.fetch(self.path, folder)
        train_images, train_labels, test_images, test_labels = (files[name] for name in FILES.checksums)
        return Examples(
            self.description,
            _images(train_images),
            _labels(train_labels).astype(np.int64),
            _images(test_images),
            _labels(test_labels).astype(np.int64),
        )

    def where(self, folder: Path) -> str:
        """The folder, or the command that fetches."""
        return FILES.where(self.path, folder)

    def fetch(self, folder: Path) -> None:
        """Download to the user's cache, unless it is there. Raises DataError: what was tried, what can be done."""
        FILES.fetch(self.path, folder)


def _images(path: Path) -> NDArray[np.uint8]:
    from nnctl.data.formats.idx import read_idx

    images = read_idx(path)
    _require_bytes(images, path)
    if images.ndim != 3 or images.shape[1:] != (28, 28):
        raise DataError(f"{path} holds an array {images.shape}, and images (n, 28, 28) are expected")
    return images[..., None]


def _labels(path: Path) -> NDArray[np.uint8]:
    from nnctl.data.formats.idx import read_idx

    labels = read_idx(path)
    _require_bytes(labels, path)
    if labels.ndim != 1:
        raise DataError(f"{path} holds an array {labels.shape}, and labels (n,) are expected")
    return labels


def _require_bytes(array: NDArray[Any], path: Path) -> None:
    if array.dtype.name != "uint8":
        raise DataError(f"{path} holds numbers of type {array.dtype}, and MNIST's are bytes\n  use data of type idx")
