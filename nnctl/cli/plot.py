"""`nnctl plot`: what a net has learned and how it answers, as pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nnctl.cli.groups import grouped
from nnctl.cli.options import BackendOfRun, Checkpoint, Example, Force, Overrides, RunArgument, SpecArgument, Split
from nnctl.late import dataclass

if TYPE_CHECKING:
    from nnctl.visualization.output import Output

app = typer.Typer(no_args_is_help=True, help="Draw a trained net, its answers, or its spec.")


@dataclass(frozen=True)
class FigureOptions:
    """The place that a figure goes to, and its look there."""

    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="FILE", help="An .svg or .png file; if absent, drawn in the terminal, SVG in a pipe."
        ),
    ] = None
    force: Force = False
    dark: Annotated[bool, typer.Option("--dark", help="Of a .png: light ink on dark.")] = False

    def output(self) -> Output:
        """The place for figures. Raises UsageError for one that cannot be written, before anything is computed."""
        from nnctl.visualization.output import Output

        return Output(self.out, self.force, self.dark)


@app.command("boundary")
@grouped
def boundary(
    run: RunArgument,
    *,
    inputs: Annotated[
        str | None,
        typer.Option("--inputs", metavar="A,B", help="Two inputs of several; the others stay at their mean."),
    ] = None,
    figure: FigureOptions,
    checkpoint: Checkpoint = None,
    backend: BackendOfRun = None,
) -> None:
    """Draw what a net answers over the plane of two inputs, with the training examples on it."""
    from nnctl.inference.evaluation import data_of
    from nnctl.inference.opened import open_run
    from nnctl.visualization import boundary as drawn

    output = figure.output()
    opened = open_run(run, checkpoint, backend=backend)
    output.give([drawn.boundary(opened, data_of(opened), drawn.two_inputs(opened, inputs))])


@app.command("landscape")
@grouped
def landscape(
    run: RunArgument,
    *,
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Of the two directions.")] = 0,
    resolution: Annotated[
        int,
        typer.Option("--resolution", metavar="N", min=3, max=201, help="Places along each direction, an odd number."),
    ] = 25,
    reach: Annotated[
        float, typer.Option("--reach", metavar="X", help="How far to go, in lengths of the weights.")
    ] = 1.0,
    examples: Annotated[
        int, typer.Option("--examples", metavar="N", min=1, help="Examples at most that the cost is measured on.")
    ] = 2000,
    split: Annotated[str, typer.Option("--split", metavar="train|validation|test", help="Whose examples.")] = "train",
    figure: FigureOptions,
    checkpoint: Checkpoint = None,
    backend: BackendOfRun = None,
) -> None:
    """Draw the cost around a run's weights, along two random directions.

    Each filter of a direction is as long as that of the weights (Li et al. 2018); biases stay as they are.
    """
    from nnctl.inference.evaluation import data_of
    from nnctl.inference.opened import open_run
    from nnctl.visualization import landscape as drawn

    output = figure.output()
    opened = open_run(run, checkpoint, backend=backend)
    data = data_of(opened)
    output.give([drawn.landscape(opened, data, split, seed=seed, resolution=resolution, reach=reach, most=examples)])


@app.command("filters")
@grouped
def filters(
    run: RunArgument,
    *,
    most: Annotated[int, typer.Option("--most", metavar="N", min=1, help="Filters of a layer at most.")] = 64,
    shape: Annotated[
        str | None,
        typer.Option("--shape", metavar="HEIGHTxWIDTH", help="Of flat rows of pixels: their picture, as 28x28."),
    ] = None,
    figure: FigureOptions,
    checkpoint: Checkpoint = None,
) -> None:
    """Draw the kernels of every convolution, and the weights of a first layer that reads images."""
    from nnctl.inference.opened import open_run
    from nnctl.visualization import filters as drawn

    output = figure.output()
    picture = drawn.read_shape(shape)
    output.give(drawn.filters(open_run(run, checkpoint), most, picture))


@app.command("maps")
@grouped
def maps(
    run: RunArgument,
    *,
    split: Split = None,
    example: Example = 0,
    most: Annotated[int, typer.Option("--most", metavar="N", min=1, help="Maps of a layer at most.")] = 32,
    figure: FigureOptions,
    checkpoint: Checkpoint = None,
) -> None:
    """Draw what every layer makes of an example."""
    from nnctl.inference.evaluation import data_of
    from nnctl.inference.opened import open_run
    from nnctl.visualization import maps as drawn

    output = figure.output()
    opened = open_run(run, checkpoint)
    output.give(drawn.maps(opened, data_of(opened), split, example, most))


@app.command("saliency")
@grouped
def saliency(
    run: RunArgument,
    *,
    split: Split = None,
    example: Example = 0,
    count: Annotated[
        int | None,
        typer.Option("--count", metavar="N", min=1, max=100, help="Images from that one on; 5 if absent."),
    ] = None,
    of: Annotated[
        str | None, typer.Option("--of", metavar="CLASS", help="Whose score; of what the net answers if absent.")
    ] = None,
    figure: FigureOptions,
    checkpoint: Checkpoint = None,
) -> None:
    """Draw how much each input moves the score of a class.

    That is |∂ score / ∂ input| (Simonyan et al. 2014), beside an image, or as bars over the inputs.
    """
    from nnctl.inference.evaluation import data_of
    from nnctl.inference.opened import open_run
    from nnctl.visualization import saliency as drawn

    output = figure.output()
    opened = open_run(run, checkpoint)
    output.give(drawn.saliency(opened, data_of(opened), split, example, count, of))


@app.command("augment")
@grouped
def augment(
    spec: SpecArgument,
    *,
    set_: Overrides = None,
    examples: Annotated[int, typer.Option("--examples", metavar="N", min=1, max=100, help="How many.")] = 10,
    copies: Annotated[
        int, typer.Option("--copies", metavar="N", min=1, max=19, help="Changed copies of each, of as many epochs.")
    ] = 9,
    figure: FigureOptions,
) -> None:
    """Draw what the spec's augmentation makes of training examples, as training will see them."""
    from nnctl.data.dataset import load_dataset
    from nnctl.training.specs import open_spec
    from nnctl.visualization.augmented import augmented

    output = figure.output()
    loaded = open_spec(spec, set_ or ())
    with loaded.pointing():
        data = load_dataset(loaded.spec.data, loaded.folder, loaded.spec.seed)
    output.give(augmented(loaded.spec, data, examples, copies))


@app.command("graph")
@grouped
def graph(
    spec: SpecArgument,
    *,
    set_: Overrides = None,
    whole: Annotated[bool, typer.Option("--whole", help="Every node of a step, with gradients and updates.")] = False,
    step: Annotated[
        str, typer.Option("--step", metavar="train|evaluate|predict", help="Of --whole: whose graph.")
    ] = "train",
    most: Annotated[int, typer.Option("--most", metavar="N", min=2, max=2000, help="Boxes at most.")] = 250,
    figure: FigureOptions,
) -> None:
    """Draw a net: its layers with their shapes and parameters, or every node of its differentiated graph."""
    from nnctl.cli.modes import refuse
    from nnctl.errors import require_choice
    from nnctl.graph.network import STEPS, Network
    from nnctl.training.specs import open_spec
    from nnctl.visualization import graphs

    require_choice("--step", step, STEPS)
    if not whole:
        refuse("the layers", {f"--step {step}": step != "train"}, "--whole draws every node of a step")
    output = figure.output()
    loaded = open_spec(spec, set_ or ())
    with loaded.pointing():
        network = Network(loaded.spec, loaded.spec.data.signature(loaded.folder, loaded.spec.seed))
        drawn = graphs.whole(network, step, most) if whole else graphs.layers(network, most)
    output.give([drawn])
