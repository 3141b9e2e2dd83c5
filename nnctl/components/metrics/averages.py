"""The fields of metrics that are measured class by class and averaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Literal, Self

from nnctl.components.base import Metric, Task
from nnctl.components.fields import NonEmptyStr, NonNegativeInt
from nnctl.components.registry import Problem
from nnctl.errors import ShapeError
from nnctl.late import dataclass

CLASS_WORDS = "of this class alone, against all others: its name or index; of independent labels the index"


@dataclass(frozen=True, kw_only=True)
class PerClass(Metric):
    """A metric of each class. Of two classes the second counts, which is the positive one; of more their mean."""

    average: Annotated[
        Literal["macro", "micro", "weighted"] | None, "over the classes; of two the second alone if absent, else macro"
    ] = None
    class_: Annotated[NonNegativeInt | NonEmptyStr | None, CLASS_WORDS] = None

    @property
    def column(self) -> str:
        if self.class_ is not None:
            return f"{self.type}_of_{self.class_}"
        return self.type if self.average is None else f"{self.type}_{self.average}"

    def problems(self) -> Sequence[Problem]:
        if self.class_ is None or self.average is None:
            return ()
        return [Problem("average", "of one class there is nothing to average", "remove 'average', or 'class'")]

    def fitted(self, task: Task) -> Self:
        if not task.decides:
            raise ShapeError(
                f"{self.type} needs targets that are labels, or yes or no; these are numbers",
                "for numbers use mse, mae or r2",
                path="metrics",
            )
        return self if self.class_ is None else replace(self, class_=self._index(task.classes))

    def _index(self, classes: Sequence[str] | None) -> int:
        if classes is None:
            if isinstance(self.class_, int):
                return self.class_
            raise ShapeError(
                f"{self.type}: these labels have no names, and '{self.class_}' is none of them",
                "give the index of the output unit as 'class'",
                path="metrics",
            )
        if str(self.class_) in classes:
            return classes.index(str(self.class_))
        if isinstance(self.class_, int) and self.class_ < len(classes):
            return self.class_
        raise ShapeError(
            f"{self.type}: there is no class '{self.class_}'", f"the classes are {', '.join(classes)}", path="metrics"
        )

    def position(self, units: int) -> int:
        """The index of the class. Raises ShapeError where there are not so many units, or a lone one."""
        if not isinstance(self.class_, int):
            raise TypeError(f"{self.type} does not know its classes; call fitted first")
        if self.class_ >= units:
            raise ShapeError(
                f"{self.type} of unit {self.class_}: there are {units}", "indices count from 0", path="metrics"
            )
        return self.class_
