"""The base class of each kind of component.

Components describe; the compiler builds. A component that takes part in the
graph has a `build` method that receives a `Builder`, or a formula: a method
written once in array-API idiom against a namespace `xp` (`body(xp, z)`), from
which every backend gets its code.

A formula obeys four rules, so that it runs on NumPy in float32, float64 and
complex128, on CuPy, and under the tracer:
  - functions come from `xp`, and only those in `nnctl.ops.primitives`;
  - comparisons are `xp.greater(a, b)`, `xp.less`, `xp.equal`, never operators;
  - no Python branch on an array, no loop over one, no in-place assignment;
  - constants are Python floats.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, TypeAlias

from nnctl.components.builder import Builder
from nnctl.components.fields import NonEmptyStr, Unit
from nnctl.components.registry import Component
from nnctl.components.signature import DataSignature

if TYPE_CHECKING:
    from nnctl.components.accumulators import Accumulator

Array: TypeAlias = Any
"""Whatever `xp` computes with: a NumPy or CuPy array, or a tracer."""
Namespace: TypeAlias = Any
"""The functions of `nnctl.ops.primitives` for one kind of `Array`."""


class Activation(Component):
    """f in a = f(z). `learns`: False where its slope is 0 everywhere, so that nothing below it learns."""

    kind: ClassVar[str] = "activation"
    learns: ClassVar[bool] = True
    probabilities: ClassVar[bool] = False
    """True where its values are probabilities: each by itself, or all of the last axis together."""

    def build(self, builder: Builder, z: Any) -> Any:
        raise NotImplementedError


class ElementwiseActivation(Activation):
    """An activation given by its formula and its derivative."""

    def build(self, builder: Builder, z: Any) -> Any:
        return builder.elementwise(self, z)

    def body(self, xp: Namespace, z: Array) -> Array:
        """a = f(z)."""
        raise NotImplementedError

    def derivative(self, xp: Namespace, z: Array, a: Array) -> Array:
        """f'(z), from whichever of z and a is cheaper."""
        raise NotImplementedError


class Cost(Component):
    """C of one example; the objective is its mean over the batch, plus the penalties.

    `targets`: what it compares with: "labels" (class indices) or "values"
    (numbers, or one-hot rows made from labels).
    `outputs`: names of the output activations it makes sense with, empty for
    any; `wrong_outputs` maps an activation to the sentence that corrects it.
    """

    kind: ClassVar[str] = "cost"
    targets: ClassVar[str] = "values"
    outputs: ClassVar[tuple[str, ...]] = ()
    wrong_outputs: ClassVar[Mapping[str, str]] = {}
    decides: ClassVar[bool] = False
    """True where a target that is a value is a yes or a no."""
    least_squares: ClassVar[bool] = False
    """True of a multiple of the squared distance between output and target, whose minimum a linear system gives."""
    threshold: ClassVar[float] = 0.5
    """Above it a unit that answers yes or no says yes; accuracy asks."""

    def build(self, builder: Builder, output: Any, target: Any) -> tuple[Any, Any | None]:
        """(cost of each example (batch,), weight of each example (batch,) or None for 1).

        The cost holds the weight already: the batch's mean is Σ cost / Σ weight.
        """
        raise NotImplementedError

    def of_even_guess(self, classes: int, units: int) -> float | None:
        """The cost of the same answer for each of so many classes; None where that is no measure of a fresh net.

        units: of the output; 1 may stand for two classes.
        """
        return None


class ElementwiseCost(Cost):
    """A cost that is a sum (or mean) over the output units of a formula."""

    mean: ClassVar[bool] = False
    """True: the mean over a row's elements; False: their sum."""

    def build(self, builder: Builder, output: Any, target: Any) -> tuple[Any, Any | None]:
        terms = builder.elementwise(self, output, target)
        axes = tuple(range(1, len(terms.shape)))
        return builder.apply("mean" if self.mean else "sum", terms, axes=axes), None

    def body(self, xp: Namespace, a: Array, y: Array) -> Array:
        """The cost of one unit with activation a and target y."""
        raise NotImplementedError

    def derivative(self, xp: Namespace, a: Array, y: Array) -> Array:
        """∂body/∂a."""
        raise NotImplementedError

    paired_activation: ClassVar[str] = ""
    """The activation f with which the cost has a stable form of z, a = f(z): the compiler uses the two below."""

    def paired_body(self, xp: Namespace, z: Array, y: Array) -> Array:
        """body(f(z), y), without overflow."""
        raise NotImplementedError

    def paired_derivative(self, xp: Namespace, z: Array, y: Array) -> Array:
        """∂paired_body/∂z."""
        raise NotImplementedError


class Initializer(Component):
    """First values of a parameter."""

    kind: ClassVar[str] = "initializer"

    def draw(self, rng: Any, shape: tuple[int, ...], fan_in: int, fan_out: int) -> Any:
        """float64 array of `shape`, from a `numpy.random.Generator`."""
        raise NotImplementedError


class Regularizer(Component):
    """A penalty on weights, or a constraint on them, or both.

    The objective gains 1/n · Σ body(w), n the number of training examples; the
    body holds the strength λ. `project` moves the updated weights back into the allowed set.
    """

    kind: ClassVar[str] = "regularizer"
    penalizes: ClassVar[bool] = True
    projects: ClassVar[bool] = False

    def body(self, xp: Namespace, w: Array) -> Array:
        """The penalty of one weight, before the division by n."""
        raise NotImplementedError

    def derivative(self, xp: Namespace, w: Array) -> Array:
        """d body/dw."""
        raise NotImplementedError

    def project(self, builder: Builder, w: Any) -> Any:
        """The nearest allowed weights (w has shape (..., units))."""
        raise NotImplementedError


class Clipping(Component):
    """A bound on the gradients, applied before the update."""

    kind: ClassVar[str] = "clipping"

    def build(self, builder: Builder, gradients: Sequence[Any]) -> list[Any]:
        """The bounded gradients, in the same order."""
        raise NotImplementedError


class Optimizer(Component):
    """A first-order rule w ← w − …, written once for one weight.

    `state` is what it keeps of each weight from step to step. `scheduled`
    names the fields that vary from step to step and so reach `update` as
    arguments (0-d arrays) and not as constants.
    """

    kind: ClassVar[str] = "optimizer"
    scheduled: ClassVar[tuple[str, ...]] = ("learning_rate",)

    def state(self) -> tuple[tuple[str, float], ...]:
        """Names and first values of what it keeps of each weight, e.g. (("m", 0.0), ("v", 0.0))."""
        return ()

    def update(
        self, xp: Namespace, w: Array, g: Array, t: Array, scheduled: dict[str, Array], *state: Array
    ) -> tuple[Array, ...]:
        """(new w, its new state…). t: the step, counted from 1."""
        raise NotImplementedError

    @property
    def clipping(self) -> Clipping | None:
        """The bound on all gradients before the update; None for none."""
        return None

    def rates(self) -> dict[str, float]:
        """Values of the scheduled fields as the spec has them, which a schedule starts from."""
        return {name: float(getattr(self, name)) for name in self.scheduled}

    def for_bias(self) -> Optimizer:
        """The rule for biases, where weight decay may not hold."""
        return self


class Schedule(Component):
    """The learning rate as a factor of the optimizer's, a pure function of time counted from 0."""

    kind: ClassVar[str] = "schedule"

    @property
    def unit(self) -> Unit:
        """Unit of time, of t and of total."""
        return "epoch"

    def factor_at(self, t: int, total: int) -> float:
        """The factor at time t of a run of `total` units."""
        raise NotImplementedError

    def momentum_at(self, t: int, total: int) -> float | None:
        """The momentum at time t, None to leave the optimizer's own."""
        return None


class MonitoredSchedule(Schedule):
    """A schedule that answers to a metric. Its memory is a JSON mapping, kept in the checkpoint.

    `memory["factor"]` multiplies the learning rate; `memory["stop"]` true asks training to end.
    """

    @property
    def monitored(self) -> str | None:
        """The column that it answers to; None for what early stopping monitors."""
        return None

    def initial(self) -> dict[str, Any]:
        """The memory before the first evaluation; holds at least {"factor": 1.0, "stop": False}."""
        raise NotImplementedError

    def observe(self, memory: Mapping[str, Any], value: float, higher_is_better: bool) -> dict[str, Any]:
        """The memory after an evaluation that measured `value`."""
        raise NotImplementedError


class DataSource(Component):
    """A source of examples."""

    kind: ClassVar[str] = "data"

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits there will be: "train", then "validation" and "test" where they exist."""
        return ("train",)

    @property
    def contiguous(self) -> bool:
        """True where row b of each batch goes on where row b of the batch before ended, so that recurrent state fits.

        Such data is read in its own order, in whole batches; what does not fill one is left out.
        """
        return False

    @property
    def predicts_next(self) -> bool:
        """True where the target of each step is the input of the step after it."""
        return False

    @property
    def ordered(self) -> bool:
        """True where each split is one piece of the data, in its own order."""
        return True

    @property
    def augmentations(self) -> tuple[Augmentation, ...]:
        """Random changes of the training examples, in the order in which they are made."""
        return ()

    def without_subset(self) -> Self | None:
        """The same source with the training examples that it leaves out; None where it leaves out none."""
        return None

    def tokens_of(self, text: str) -> Sequence[str] | None:
        """A text cut into what the net reads one by one; None where the data is no text."""
        return None

    def signature(self, folder: Path) -> DataSignature:
        """Shapes and kinds, without a download; `folder` is what paths are relative to.

        Raises DataError where a file has to be looked at and is missing or broken.
        """
        raise NotImplementedError


class Transform(Component):
    """A rescaling of the inputs by statistics of the training set."""

    kind: ClassVar[str] = "transform"

    @property
    def per_feature(self) -> bool:
        """True where shift and scale have the shape of one input, False where it is ()."""
        raise NotImplementedError

    def affine(self, statistics: Any) -> tuple[Any, Any]:
        """(shift, scale) in x ← (x − shift)·scale, from the training inputs' `nnctl.data.statistics.Statistics`."""
        raise NotImplementedError


class Augmentation(Component):
    """A random change of training examples that leaves them what they are, drawn anew each epoch.

    Inputs are float32 in the units of the unit range (a grey level of 255 is 1).
    `images`: it moves or covers pixels, and so needs inputs (height, width, channels).
    `mixes`: it changes targets too, and has no part in test-time augmentation.
    """

    kind: ClassVar[str] = "augmentation"
    images: ClassVar[bool] = False
    mixes: ClassVar[bool] = False

    def apply(self, inputs: Array, targets: Array, draws: Any) -> tuple[Array, Array]:
        """(inputs (n, *input_shape), targets (n, …)) changed; the arguments stay as they are.

        draws: `nnctl.data.streams.Draws` for these n examples.
        """
        raise NotImplementedError


class Expansion(Component):
    """Changed copies of the training examples, made once, that train beside them."""

    kind: ClassVar[str] = "expansion"

    @property
    def number(self) -> int:
        """Number of copies of each example that it adds."""
        raise NotImplementedError

    @property
    def needs_images(self) -> bool:
        """True where inputs must be (height, width, channels)."""
        raise NotImplementedError

    def copy(self, which: int, inputs: Array, targets: Array, scale: float, seed: int, place: int) -> Any:
        """(inputs, targets) of copy `which`, from 0, stored as the originals are.

        scale: brings stored inputs to the unit range. place: of the component in its list.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class Task:
    """The question that a net's outputs answer, as far as metrics must know it.

    activation: of the output; None where it is not one activation. classes: names of the labels'
        classes; None where targets are values.
    """

    cost: Cost
    activation: Activation | None
    classes: tuple[str, ...] | None

    @property
    def decides(self) -> bool:
        """True where targets are labels, or a yes or a no for each unit; False where they are any numbers."""
        return (
            self.classes is not None
            or self.cost.decides
            or (self.activation is not None and self.activation.probabilities)
        )


class Metric(Component):
    """A number reported beside the cost: the graph gives statistics of each batch, an accumulator joins them.

    `of_answers`: True where only the answers count, and not how large the outputs are, so
    that a vote has the metric, too.
    """

    kind: ClassVar[str] = "metric"
    higher_is_better: ClassVar[bool] = True
    of_answers: ClassVar[bool] = False

    @property
    def column(self) -> str:
        """Its name in records, after "train_" and the like: another one for other settings."""
        return self.type

    def fitted(self, task: Task) -> Self:
        """The metric with what its settings leave to the task. Raises ShapeError where it makes no sense of it."""
        return self

    def build(self, builder: Builder, output: Any, target: Any) -> Mapping[str, Any]:
        """Statistics of a batch by name; "" is a good name for the only one.

        Those of a batch have any shape without the batch's axis; those of its examples begin
        with that axis, or with a multiple of it. target: labels (batch, …) or values (batch, …).
        """
        raise NotImplementedError

    def start(self) -> Accumulator:
        """An accumulator of these statistics that has seen nothing."""
        raise NotImplementedError


class MeanMetric(Metric):
    """The mean over the examples of a number of each."""

    def of_each(self, builder: Builder, output: Any, target: Any) -> Any:
        """The number of each example, (batch,), or (batch, …) where its mean counts."""
        raise NotImplementedError

    def build(self, builder: Builder, output: Any, target: Any) -> Mapping[str, Any]:
        values = self.of_each(builder, output, target)
        if len(values.shape) > 1:
            values = builder.apply("mean", values, axes=tuple(range(1, len(values.shape))))
        # Sums, not means: counts of right answers stay whole numbers, exact in float32.
        return {"": builder.apply("sum", values, axes=(0,))}

    def start(self) -> Accumulator:
        from nnctl.components.accumulators import Mean

        return Mean()


class StepMetric(Metric):
    """A number of each training step for each parameter, in a column of its own; nothing that is evaluated.

    Rows hold the mean over the steps since the row before, by their examples.
    """

    def column_of(self, parameter: str) -> str:
        """Its name in records for one parameter, e.g. "gradient_norm.dense1.bias"."""
        return f"{self.type.removesuffix('s')}.{parameter}"

    def measures(self, kind: str) -> bool:
        """True where parameters of a kind ("weight" or "bias") are measured."""
        raise NotImplementedError

    def measure(self, builder: Builder, parameter: Any, gradient: Any) -> Any:
        """The number, (), of one parameter and the objective's gradient in it."""
        raise NotImplementedError


class Distribution(Component):
    """A distribution that a random sweep draws a value from."""

    kind: ClassVar[str] = "distribution"

    def quantile(self, u: float) -> object:
        """The value below which a share u of the draws lies, 0 ≤ u < 1."""
        raise NotImplementedError


class Backend(Component):
    """An executor of plans."""

    kind: ClassVar[str] = "backend"


@dataclass(frozen=True, kw_only=True)
class Layer(Component):
    """A part of the net. `inputs` names the layers it reads; None: the one before it."""

    kind: ClassVar[str] = "layer"
    name: Annotated[NonEmptyStr | None, "what other layers, errors and metrics call it"] = None
    inputs: Annotated[tuple[NonEmptyStr, ...] | None, "names of the layers it reads; the one before it if absent"] = (
        None
    )

    frozen: Annotated[bool, "keep its parameters as they are: no gradient, no update"] = False
    transparent: ClassVar[bool] = False
    """True where every value outside of training is an input's, in the same order."""

    @property
    def children(self) -> Mapping[str, tuple[Layer, ...]]:
        """Layers inside it, by the field that names them: each field a chain from input to output."""
        return {}

    @property
    def output_activation(self) -> Activation | None:
        """The activation whose values it gives as they are; None where there is not one."""
        return None

    @property
    def keeps_state(self) -> bool:
        """True where recurrent state lives on from one batch to the next, so that batches must follow one another."""
        return False

    @property
    def reads_ahead(self) -> bool:
        """True where its output at a step hangs on later steps of the sequence."""
        return False

    @property
    def linear(self) -> bool:
        """True where its output is x·weight + bias, or x·weight, with parameters of its own and by one `matmul`."""
        return False

    def unfit_for_pretraining(self, name: str) -> tuple[str, str] | None:
        """The reason why it cannot learn as a restricted Boltzmann machine, and the fix; None where it can.

        name: what messages call it. A layer that can has `weight` (visible, hidden) and
        `bias` (hidden,), and gives the hidden units' probabilities.
        """
        return f"'{name}' is of type {self.type}; a Boltzmann machine is a dense layer", "leave it out"

    def build(self, builder: Builder, *inputs: Any) -> Any:
        """The output, from the inputs, each (batch, …)."""
        raise NotImplementedError
