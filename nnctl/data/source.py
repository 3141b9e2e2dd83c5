"""The base of every data source: its fields in a spec, and its methods.

No array library is imported here: a spec is validated, completed and explained
without loading a number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from annotated_types import Gt, Lt, MinLen

from nnctl.components.base import Augmentation, DataSource, Expansion, Transform
from nnctl.components.fields import NonEmptyStr, NonNegativeInt, PositiveInt
from nnctl.components.signature import DataSignature
from nnctl.data.examples import Description, Examples
from nnctl.data.pictures import PictureOptions
from nnctl.data.words import cut, nearest, some
from nnctl.errors import DataError
from nnctl.late import dataclass

SPLITS = ("train", "validation", "test")
"""Names of splits, in the order of the numbers by which data assign examples to them."""
Portion = NonNegativeInt | Annotated[float, Gt(0), Lt(1)]
"""A number of examples, or a share of them between 0 and 1."""
InMemory = Annotated[
    bool | None,
    "whether examples are held in memory, or read from disk as they are used; if absent, in memory where they take "
    "at most half of what is left",
]
SplitRule = Literal["stratified", "random", "ordered"]
TargetType = Literal["labels", "values"]
BALANCED = "balanced"
"""The `weights` that give every class the same share of the cost."""


@dataclass(frozen=True, kw_only=True)
class Source(DataSource):
    """A source of examples, and their division into splits.

    The order of things: the class filter, then the test split, the validation
    split (or fold), the subset of what is left for training, its expansion, and last
    the transforms, from the statistics of that training set. A split keeps the source's
    order. Augmentations change training batches as they are used.
    """

    undecided_targets: ClassVar[bool] = False
    """True where whole numbers among the targets may be classes or amounts: a file does not say which."""
    seeded: ClassVar[bool] = True
    """True where the seed decides what its examples are, and not only which of them are held out."""
    weighs_rows: ClassVar[bool] = False
    """True where `weights` may name what the data has of each example."""

    validation: Annotated[
        Portion | None, "examples held out for validation, a number or a share; none if absent or 0"
    ] = None
    test: Annotated[
        Portion | None,
        "examples held out for the test, a number or a share; of the source's own test set where it has one",
    ] = None
    split: Annotated[
        SplitRule,
        "how examples are held out: stratified (each class in proportion; random where targets are values), "
        "random, or ordered (training first, then validation, then test, as they lie in the file)",
    ] = "stratified"
    subset: Annotated[Portion | None, "train on this many examples only, drawn by the same rule"] = None
    classes: Annotated[
        Annotated[tuple[str | int, ...], MinLen(1)] | None,
        "keep these classes only, numbered in this order; all if absent",
    ] = None
    target_type: Annotated[
        TargetType | None,
        "labels (class indices) or values (numbers; of labels, 0 or 1 for two classes and one-hot rows for more); "
        "as the data is if absent",
    ] = None
    reconstruct: Annotated[
        bool, "let the targets be the inputs, rescaled as the net sees them: what an autoencoder learns"
    ] = False
    transforms: Annotated[tuple[Transform, ...], "rescalings of the inputs, in this order"] = ()
    target_transforms: Annotated[
        tuple[Transform, ...],
        "rescalings of the targets for the cost, each column (the last axis) by itself; answers and metrics "
        "stay in the targets' own units",
    ] = ()
    fold: Annotated[
        tuple[NonNegativeInt, PositiveInt] | None,
        "[k, K]: instead of `validation`, hold out part k, from 0, of K equal ones; `nnctl sweep --folds` sets it",
    ] = None
    expand: Annotated[tuple[Expansion, ...], "changed copies that enlarge the training set, made once"] = ()
    augment: Annotated[
        tuple[Augmentation, ...], "random changes of the training examples, new each epoch, in this order"
    ] = ()
    weights: Annotated[
        NonEmptyStr | None,
        "what each example counts in the cost: balanced, by class, n/(K·n_c) for n training labels of K classes, or "
        "in npz and table the name of an array or a column, whose mean is scaled to 1 over the training set; metrics "
        "count all alike",
    ] = None
    seed: Annotated[NonNegativeInt | None, "of the splits and of generated data; the spec's if absent"] = None

    @property
    def ignored(self) -> int | None:
        """The label that the cost and every metric leave out; None where there is none."""
        return None

    @property
    def picture_options(self) -> PictureOptions | None:
        """Options by which its picture files are read; None where the data is none."""
        return None

    @property
    def own_test_set(self) -> bool:
        """True where the source comes with a test set; `test` then takes from that."""
        return False

    @property
    def ordered(self) -> bool:
        """True where examples are held out as they lie."""
        return self.sampling == "ordered"

    @property
    def sampling(self) -> SplitRule:
        """The rule by which examples are drawn where the data does not say their split."""
        return self.split

    def portion(self, split: Literal["validation", "test"]) -> Portion | None:
        """The part of the examples that is to be held out for a split."""
        return self.validation if split == "validation" else self.test

    @property
    def drawn(self) -> bool:
        """True where another seed may make another data set of it."""
        held_out = (self.validation, self.test, self.subset)
        divided = self.fold is not None or (self.split != "ordered" and any(held_out))
        return self.seeded or divided or bool(self.expand)

    @property
    def augmentations(self) -> tuple[Augmentation, ...]:
        """Random changes of the training examples, as the spec lists them."""
        return self.augment

    def with_amounts(self) -> Self:
        """The same source with `target_type: values`, unless it or its fields know what the targets are."""
        of_classes = self.classes is not None or self.ignored is not None or self.weights == BALANCED
        said = self.target_type is not None or of_classes or self.reconstruct
        return self if said or not self.undecided_targets else replace(self, target_type="values")

    def without_subset(self) -> Self | None:
        """The same source without its subset; None where it has none."""
        return None if self.subset is None else replace(self, subset=None)

    def describe(self, folder: Path) -> Description:
        """The description of its examples, from as little reading as its type allows. Raises DataError."""
        raise NotImplementedError

    def read(self, folder: Path, seed: int) -> Examples:
        """All of its examples. `folder`: the base of relative paths. Raises DataError."""
        raise NotImplementedError

    def elsewhere(self, path: Path, signature: DataSignature, fitted: Mapping[str, Any]) -> Self | None:
        """The same source of another file or folder, whose examples have a run's signature; None where it is of none.

        fitted: the run's, see `FittedInputs`. Tables have none either: columns are found by what a run keeps of them.
        """
        return None

    def example_error(self, folder: Path, seed: int, index: int, column: str, message: str) -> DataError:
        """The error for one of its examples, by its index. column: of a table, where the fault is."""
        return DataError(f"{self.where(folder)}: example {index} (counted from 0): {message}")

    def fetch(self, folder: Path) -> None:
        """Bring the data to this machine; nothing to do for a type that is not downloaded. Raises DataError."""

    def where(self, folder: Path) -> str:
        """The place of its data, or the way to get it, in a few words; its type if it does not say."""
        return self.type

    def signature(self, folder: Path, seed: int = 0) -> DataSignature:
        """The signature of what training with this seed reads. Raises DataError where a file is needed and bad."""
        return self.signature_of(self.describe(folder))

    def signature_of(self, description: Description) -> DataSignature:
        """The signature of described data after the class filter, `target_type` and the transforms."""
        self._check_counting(description)
        classes, target_shape = self._targets_of(description)
        statistics_shape = self._statistics_shape(description)
        self._check_changes(description)
        self._check_embedded(description)
        return DataSignature(
            input_shape=description.input_shape,
            input_dtype=description.input_dtype,
            classes=classes,
            target_shape=target_shape,
            statistics_shape=statistics_shape,
            vocabulary=description.vocabulary,
            reconstructs=self.reconstruct,
            target_statistics_shape=self._target_statistics_shape(classes, target_shape),
            weights_shape=None if self.weights is None else target_shape if self.weights == BALANCED else (),
            ignores=self.ignored is not None,
            embedded=description.embedded,
        )

    def _targets_of(self, description: Description) -> tuple[tuple[str, ...] | None, tuple[int, ...]]:
        """The classes, None of values, and the shape of an example's target. Raises DataError for fields of others."""
        classes, target_shape = self.counted(description.classes), description.target_shape
        if classes is not None and target_shape and (self.classes is not None or self.target_type == "values"):
            key = "classes" if self.classes is not None else "target_type: values"
            raise DataError(f"{key} is for one label an example, and this {self.type} data has one a step")
        if classes is not None:
            classes = select_classes(classes, self.classes)
            if not self.reconstruct:
                self._refuse_one_class(classes)
            if self.target_type == "values":
                target_shape = (1,) if len(classes) == 2 else (len(classes),)
                classes = None
        elif self.classes is not None:
            raise DataError(f"no class can be selected: the targets of this {self.type} data are values", "classes")
        elif self.target_type == "labels":
            raise DataError(f"labels is impossible: the targets of this {self.type} data are values", "target_type")
        if not self.reconstruct:
            return classes, target_shape
        if self.target_type is not None:
            raise DataError("the targets are the inputs: remove target_type, or reconstruct", "target_type")
        if description.input_dtype == "index":
            raise DataError(f"the inputs of this {self.type} data are indices, not numbers to learn", "reconstruct")
        return None, description.input_shape

    def _statistics_shape(self, description: Description) -> tuple[int, ...] | None:
        """The shape of what rescales the inputs, None where nothing does. Raises DataError for indices."""
        if not self.transforms and description.scale is None:
            return None
        if description.input_dtype == "index":
            raise DataError(
                f"numbers can be rescaled, and the inputs of this {self.type} data are indices", "transforms"
            )
        return description.input_shape if any(transform.per_feature for transform in self.transforms) else ()

    def _target_statistics_shape(
        self, classes: tuple[str, ...] | None, target_shape: tuple[int, ...]
    ) -> tuple[int, ...] | None:
        """The same of the targets."""
        if not self.target_transforms:
            return None
        if classes is not None or self.reconstruct:
            what = "the inputs as they enter the net" if self.reconstruct else "labels, and labels have no scale"
            raise DataError(f"the targets of this {self.type} data are {what}", "target_transforms")
        return target_shape[-1:] if any(transform.per_feature for transform in self.target_transforms) else ()

    def counted(self, classes: tuple[str, ...] | None) -> tuple[str, ...] | None:
        """The classes without the label that is left out."""
        if classes is None or self.ignored is None:
            return classes
        return tuple(name for name in classes if name != str(self.ignored))

    def _check_counting(self, description: Description) -> None:
        """Raise DataError where `weights` or `ignore` make no sense of these targets."""
        labelled = description.classes is not None and self.target_type != "values" and not self.reconstruct
        if self.ignored is not None and not labelled:
            raise DataError("labels can be left out, and these targets are values", "ignore")
        if self.weights == BALANCED and not labelled:
            raise DataError("balanced is of classes, and these targets are values", "weights")
        if self.weights in (None, BALANCED):
            return
        if not self.weighs_rows:
            name = cut(str(self.weights))
            raise DataError(
                f"{self.type} data has no weights called {name!r}\n  npz and table may; say balanced", "weights"
            )
        mixing = [part.type for part in self.augment if part.mixes] + [part.type for part in self.expand if part.mixes]
        if mixing and not labelled:
            raise DataError(f"{mixing[0]} mixes values, and they have weights\n  remove one of the two", "weights")

    def _refuse_one_class(self, classes: tuple[str, ...]) -> None:
        """Raise DataError where there is nothing to tell apart: whatever a net answers would be right."""
        if len(classes) > 1:
            return
        if self.classes is not None:
            hint = "keep two classes at least"
            raise DataError(f"{classes[0]!r} alone leaves nothing to tell apart\n  {hint}", "classes")
        raise DataError(
            f"every example of this {self.type} data is of the class {classes[0]!r}: there is nothing to tell apart\n"
            "  give it examples of another class; where the targets are amounts, say target_type: values"
        )

    def _check_embedded(self, description: Description) -> None:
        """Raise DataError where inputs that are indices of vectors would be changed as numbers, or learned."""
        if not description.embedded:
            return
        what = f"column {cut(description.embedded[0].name)!r} enters the net as the index of a trained vector"
        for key in ("transforms", "augment", "expand", "reconstruct"):
            if getattr(self, key):
                raise DataError(f"{what}, and {key} is of numbers\n  leave out its embedding, or {key}", key)

    def _check_changes(self, description: Description) -> None:
        """Raise DataError where the inputs are not what an augmentation or expansion changes."""
        changes = [("augment", part.type, part.images) for part in self.augment]
        changes += [("expand", part.type, part.needs_images) for part in self.expand]
        for key, name, images in changes:
            if description.input_dtype == "index":
                raise DataError(f"{name} changes numbers, and the inputs of this {self.type} data are indices", key)
            if images and len(description.input_shape) != 3:
                raise DataError(
                    f"{name} needs images of shape (height, width, channels), and the inputs of this "
                    f"{self.type} data have shape {description.input_shape}\n"
                    "  noise and mixup work on inputs of any shape",
                    key,
                )

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits there will be."""
        validation = ("validation",) if self.portion("validation") or self.fold else ()
        test = ("test",) if self.portion("test") or (self.own_test_set and self.portion("test") is None) else ()
        return ("train", *validation, *test)


@dataclass(frozen=True, kw_only=True)
class IgnoringSource(Source):
    """A source whose labels have numbers, of which one may stand for none."""

    ignore: Annotated[
        int | None,
        "the label, such as -100, of examples, or of steps of sequences, that the cost and every metric leave out; "
        "it is no class",
    ] = None

    @property
    def ignored(self) -> int | None:
        """The label, as the spec says it."""
        return self.ignore


def select_classes(names: Sequence[str], chosen: Sequence[str | int] | None) -> tuple[str, ...]:
    """The chosen class names, in the order chosen; all where `chosen` is None.

    Raises DataError where a chosen class is unknown or chosen twice.
    """
    if chosen is None:
        return tuple(names)
    known = frozenset(names)
    selected: dict[str, None] = {}
    for place, name in enumerate(map(str, chosen)):
        if name not in known:
            near = nearest(name, names)
            hint = f"did you mean {near!r}?" if near else f"the classes are {some(names)}"
            raise DataError(f"there is no class {cut(name)!r} in the data\n  {hint}", f"classes.{place}")
        if name in selected:
            raise DataError(f"{name!r} is listed twice", f"classes.{place}")
        selected[name] = None
    return tuple(selected)
