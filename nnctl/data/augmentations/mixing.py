"""Augmentations that make one example of two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from annotated_types import Ge, Le

from nnctl.components.base import Augmentation
from nnctl.components.registry import register

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nnctl.data.streams import Draws


Evenness = Annotated[float, Ge(1e-6), Le(1e6)]
"""Beyond, shares are 0 and 1 alone, or a half. Of a subnormal α the inverse would be that of another distribution."""


@register("augmentation", "mixup")
class Mixup(Augmentation):
    """Each example mixed with another, and its targets with that one's (Zhang et al. 2018).

    Values are mixed. A label cannot be: the example has its own label with probability λ,
    else the other's, so that the expected cost is λ·C(y_i) + (1 − λ)·C(y_j), that of mixed
    targets. The partners are examples that are augmented together.
    """

    formula = "x' = λ·x_i + (1 − λ)·x_j, λ ~ Beta(α, α)"
    example = "{type: mixup, alpha: 0.2}"
    mixes: ClassVar[bool] = True

    alpha: Annotated[Evenness, "α of the beta distribution: small mixes little, 1 in every proportion"] = 0.2

    def apply(self, inputs: NDArray[np.float32], targets: NDArray[Any], draws: Draws) -> Any:
        """Mixed inputs, and targets that are mixed (values) or chosen (labels)."""
        import numpy as np
        from scipy.special import betaincinv

        partner = draws.order()
        u, choice = draws.uniform(2).T
        share = betaincinv(self.alpha, self.alpha, u).astype(np.float32)

        def mixed(values: NDArray[Any], shares: NDArray[Any]) -> NDArray[Any]:
            each = shares.reshape(-1, *(1,) * (values.ndim - 1))
            blend: NDArray[Any] = each * values + (1 - each) * values[partner]
            return blend

        if targets.dtype.kind == "i":
            return mixed(inputs, share), mixed(targets, (choice < share).astype(targets.dtype))
        return mixed(inputs, share), mixed(targets, share)
