"""Augmentations that make one example of two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from nnctl.spec.components import Augmentation
from nnctl.spec.fields import PositiveFloat
from nnctl.spec.registry import register

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nnctl.data.streams import Draws


@register("augmentation", "mixup")
class Mixup(Augmentation):
    """Each example mixed with another, and its targets with that one's (Zhang et al. 2018).

    Values are mixed. A label cannot be: the example has its own label with probability λ,
    else the other's, so that the expected cost is λ·C(y_i) + (1 − λ)·C(y_j), that of mixed
    targets. The partners are examples that are augmented together.
    """

    formula = "x' = λ·x_i + (1 − λ)·x_j, λ ~ Beta(α, α)"
    mixes: ClassVar[bool] = True

    alpha: Annotated[PositiveFloat, "α of the beta distribution: small mixes little, 1 in every proportion"] = 0.2

    def apply(self, inputs: NDArray[np.float32], targets: NDArray[Any], draws: Draws) -> Any:
        """See `Augmentation`."""
        import numpy as np
        from scipy.special import betaincinv

        partner = draws.order()
        u = draws.uniform(2)
        share = betaincinv(self.alpha, self.alpha, u[:, 0])

        def like(values: NDArray[Any]) -> NDArray[Any]:
            return share.astype(np.float32).reshape(-1, *(1,) * (values.ndim - 1))

        mixed = like(inputs) * inputs + (1 - like(inputs)) * inputs[partner]
        if targets.dtype.kind == "i":
            return mixed, np.where(u[:, 1] < share, targets, targets[partner])
        return mixed, like(targets) * targets + (1 - like(targets)) * targets[partner]
