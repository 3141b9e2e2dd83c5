"""`nnctl predict`: a trained net's answers for new inputs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nnctl.cli.groups import grouped
from nnctl.cli.options import BackendOfRun, Checkpoint, Force, RunArgument, require_file
from nnctl.late import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nnctl.cli.answers import Destination
    from nnctl.inference.opened import TrainedRun


@dataclass(frozen=True)
class TextOptions:
    """Text that a net writes."""

    generate: Annotated[
        int | None,
        typer.Option(
            "--generate", metavar="N", min=1, help="Write N tokens of text instead, with a net trained on text."
        ),
    ] = None
    temperature: Annotated[
        float | None,
        typer.Option("--temperature", metavar="T", help="1 draws as the net says, 0 always takes the likeliest."),
    ] = None
    prompt: Annotated[str | None, typer.Option("--prompt", metavar="TEXT", help="How the text begins.")] = None


@dataclass(frozen=True)
class SampleOptions:
    """Examples that a net draws."""

    sample: Annotated[
        int | None,
        typer.Option("--sample", metavar="N", min=1, help="Draw N new examples instead, with a net with pretraining."),
    ] = None
    gibbs_steps: Annotated[
        int | None,
        typer.Option("--gibbs-steps", metavar="N", min=1, help="Of --sample, of each chain; 100 if absent."),
    ] = None


@dataclass(frozen=True)
class AnswerOptions:
    """The place that answers go to, and their form."""

    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="Where answers go, or samples: as an array, .npy, or as a picture, .png.",
        ),
    ] = None
    format_: Annotated[
        str | None, typer.Option("--format", metavar="jsonl|csv", help="Of the answers; by --out's suffix if absent.")
    ] = None
    force: Force = False

    def destination(self) -> Destination:
        """The place for answers. Raises UsageError for a form that they do not have."""
        from nnctl.cli.answers import Destination

        return Destination(self.out, self.format_, self.force)


@grouped
def predict(
    run: RunArgument,
    inputs: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Files: tables, .npy, .npz, images, folders of these; - is CSV or JSON Lines on stdin.",
            metavar="[INPUT...]",
            show_default=False,
        ),
    ] = None,
    *,
    top_k: Annotated[
        int | None, typer.Option("--top-k", metavar="K", help="Only the K largest outputs of each example.")
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option("--keep", metavar="COLUMN", help="Of a table, pass this column through; repeatable."),
    ] = None,
    checkpoint: Checkpoint = None,
    backend: BackendOfRun = None,
    text: TextOptions,
    samples: SampleOptions,
    forecast: Annotated[
        int | None,
        typer.Option(
            "--forecast",
            metavar="N",
            min=1,
            help="Forecast N steps of a series instead, on from the end of a table or of the run's own.",
        ),
    ] = None,
    answers: AnswerOptions,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", min=0, help="Of what is drawn; the spec's if absent.")
    ] = None,
) -> None:
    """Predict with a trained net.

    One line an example: JSON in a pipe, the most probable answers on a terminal.
    Where layers are stateful, the examples of a file follow one another, in at most 16 passages.
    With --forecast, a line a step of each series. With --generate, text. With --sample, an example a line, or all in
    the file --out.
    """
    import sys

    from nnctl.errors import UsageError
    from nnctl.inference.opened import open_run, read_run

    require_file(answers.out, "--out", force=answers.force)
    mode = _mode(
        {
            "INPUT": inputs,
            "--top-k": top_k,
            "--keep": keep,
            "--checkpoint": checkpoint,
            "--generate": text.generate,
            "--temperature": text.temperature,
            "--prompt": text.prompt,
            "--sample": samples.sample,
            "--gibbs-steps": samples.gibbs_steps,
            "--forecast": forecast,
            "--out": answers.out,
            "--format": answers.format_,
            "--seed": seed,
        }
    )
    if samples.sample is not None:
        _sample(open_run(run, backend=backend), samples.sample, samples.gibbs_steps or 100, seed, answers)
        return
    if forecast is not None:
        if len(inputs or ()) > 1:
            raise UsageError(f"{mode} goes on from one table, or from the run's own, and there are {len(inputs or ())}")
        from nnctl.inference.forecasting import forecast as foreseen

        destination = answers.destination()
        saved, table = read_run(run, checkpoint, backend=backend), inputs[0] if inputs else None
        destination.give(iter([foreseen(saved, forecast, table)]), 3)
        return
    if text.generate is not None:
        opened = open_run(run, checkpoint, backend=backend)
        _write(opened, text.generate, 1.0 if text.temperature is None else text.temperature, text.prompt or "", seed)
        return
    if not inputs:
        raise UsageError(
            "give the files to predict; or --forecast N for a net of series, --generate N for one of text, --sample N "
            "for a deep belief net"
        )
    from nnctl.inference.prediction import answer, left_out

    destination = answers.destination()
    saved = read_run(run, checkpoint, backend=backend)
    for sentence in left_out(saved, inputs):
        print(f"note: {sentence}", file=sys.stderr)
    destination.give(answer(saved, inputs, top_k=top_k, keep=keep or []), top_k or 3)


_READ = {
    "--sample": ("--gibbs-steps", "--seed", "--out"),
    "--forecast": ("INPUT", "--checkpoint", "--out", "--format"),
    "--generate": ("--temperature", "--prompt", "--seed", "--checkpoint"),
    "": ("INPUT", "--top-k", "--keep", "--checkpoint", "--out", "--format"),
}
"""Options that each mode reads, besides --backend and --force: those that name it, or "" for answers to inputs."""


def _mode(given: Mapping[str, object]) -> str:
    """The mode that the options name. Raises UsageError for one that it does not read."""
    from nnctl.cli.modes import refuse

    mode = next((name for name in _READ if given.get(name) is not None), "")
    strangers = {option: value for option, value in given.items() if option not in (mode, *_READ[mode])}
    if mode:
        refuse(mode, strangers, f"it goes with {', '.join(_READ[mode])} and --backend")
    refuse("answers to INPUT", strangers, "it is for --sample N or --generate N")
    return mode


def _write(run: TrainedRun, count: int, temperature: float, prompt: str, seed: int | None) -> None:
    """Write each token as soon as it is drawn."""
    import sys

    from nnctl.inference.generation import generate

    for token in generate(run, count, temperature=temperature, prompt=prompt, seed=seed):
        sys.stdout.write(token)
        sys.stdout.flush()
    sys.stdout.write("\n")


def _sample(run: TrainedRun, count: int, steps: int, seed: int | None, answers: AnswerOptions) -> None:
    """Draw samples into a file, or as JSON Lines."""
    import numpy as np

    from nnctl.cli.printing import print_json
    from nnctl.data.formats.images import write_png
    from nnctl.errors import UsageError
    from nnctl.inference.sampling import as_stored, picture, sample
    from nnctl.reporting.new_file import new_file, require_new

    out = answers.out
    if out is not None and out.suffix.lower() not in (".npy", ".png"):
        raise UsageError(f"--out {out}: samples are written as an array, .npy, or as a picture, .png")
    if out is not None:
        require_new(out, "--out", force=answers.force)
    samples = sample(run, count, steps=steps, seed=seed)
    if out is None:
        for index, values in enumerate(as_stored(run, samples)):
            print_json({"sample": index, "values": values.tolist()})
        return
    with new_file(out, "--out", force=answers.force) as file:
        if out.suffix.lower() == ".npy":
            np.save(file, as_stored(run, samples).astype(np.float32))
        else:
            write_png(file, picture(run, samples))
