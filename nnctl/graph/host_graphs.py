"""The graphs that only optimizers on the host ask for: products with second derivatives, and the readout."""

from __future__ import annotations

from functools import cached_property

from nnctl.errors import ShapeError
from nnctl.graph import curvature, interface
from nnctl.graph.ir import Graph
from nnctl.graph.network import Network
from nnctl.graph.passes import FINAL_PASSES, run_passes
from nnctl.graph.penalties import penalty_of


class HostGraphs:
    """More graphs of a network; each is built when first asked for."""

    def __init__(self, network: Network) -> None:
        self.network = network

    @cached_property
    def hessian_product(self) -> Graph:
        """∇²objective·v by parameter name, v fed as `direction.<parameter>`; no output where it is 0 by structure."""
        forward = self.network.forward("hessian_product", training=True)
        trained = self.network.trained(forward)
        v = curvature.directions(forward.builder, trained)
        products = curvature.hessian_product(forward.builder, self.network.objective_of(forward), trained, v)
        return run_passes(forward.builder.graph(products), FINAL_PASSES)

    @cached_property
    def gauss_newton_product(self) -> Graph:
        """The same with the Gauss-Newton matrix of the cost; the penalty's second derivatives are its own."""
        forward = self.network.forward("gauss_newton_product", training=True)
        builder, trained = forward.builder, self.network.trained(forward)
        v = curvature.directions(builder, trained)
        products = curvature.gauss_newton_product(builder, forward.output, forward.cost, trained, v)
        penalty = penalty_of(self.network.spec, builder)
        if penalty is not None:
            for name, product in curvature.hessian_product(builder, penalty, trained, v).items():
                products[name] = products[name] + product if name in products else product
        return run_passes(builder.graph(products), FINAL_PASSES)

    @cached_property
    def readout(self) -> Graph:
        """`features` (rows, fan_in) that the last layer reads, and its `targets` (rows, units).

        Raises ShapeError, at the optimizer, where more than a linear last layer would have to be solved for.
        """
        spec = self.network.spec
        forward = self.network.forward("readout", training=False)
        builder, last = forward.builder, self.network.structure.layers[-1].path
        wanted = [name for name in (f"{last}.weight", f"{last}.bias") if name in builder.parameters]
        layer = spec.layers[-1]
        if not layer.linear:
            raise self._unsolvable("the last layer is to be dense and linear", "give it no activation")
        others = [name for name in self.network.trained(forward) if name not in wanted]
        if others:
            raise self._unsolvable(
                f"it would have to train {', '.join(others)} too", "freeze the layers before the last"
            )
        if self.network.signature.weights_shape is not None or self.network.signature.ignores:
            raise self._unsolvable("every example counts alike for it", "remove data.weights and data.ignore")
        if not spec.cost.least_squares or self.network.structure.penalized:
            raise self._unsolvable(
                "it solves for least squares with a penalty of its own",
                "use cost: quadratic or mse, and no regularizer",
            )
        product = next(n for n in builder.nodes if n.layer == last and n.op.name == "matmul")
        features = builder.tensor(product.inputs[0])
        targets = self.network.targets.of(builder, forward.output)
        flat = builder.apply("reshape", targets, shape=product.outputs[0].shape)
        return run_passes(builder.graph({interface.FEATURES: features, interface.READOUT_TARGETS: flat}), FINAL_PASSES)

    def _unsolvable(self, message: str, hint: str) -> ShapeError:
        return ShapeError(
            f"{self.network.spec.optimizer.type} cannot solve this net: {message}", hint, path="optimizer"
        )
