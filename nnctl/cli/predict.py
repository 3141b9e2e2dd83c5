"""`nnctl predict`: a trained net's answers for new inputs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nnctl.cli.options import BackendOfRun, Checkpoint, Force, RunArgument

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nnctl.inference.answers import Answers
    from nnctl.inference.opened import SavedRun, TrainedRun


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
    top_k: Annotated[
        int | None, typer.Option("--top-k", metavar="K", help="Only the K largest outputs of each example.")
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option("--keep", metavar="COLUMN", help="Of a table, pass this column through; repeatable."),
    ] = None,
    checkpoint: Checkpoint = None,
    backend: BackendOfRun = None,
    generate: Annotated[
        int | None,
        typer.Option(
            "--generate", metavar="N", min=1, help="Write N tokens of text instead, with a net trained on text."
        ),
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option("--temperature", metavar="T", help="1 draws as the net says, 0 always takes the likeliest."),
    ] = None,
    prompt: Annotated[str | None, typer.Option("--prompt", metavar="TEXT", help="How the text begins.")] = None,
    sample: Annotated[
        int | None,
        typer.Option("--sample", metavar="N", min=1, help="Draw N new examples instead, with a net with pretraining."),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps",
            metavar="N",
            min=1,
            help="Forecast N steps of a series, on from the end of a table or of the run's own; with --sample, Gibbs "
            "steps of each chain, 100 if absent.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="Where answers go, or samples: as an array, .npy, or as a picture, .png.",
        ),
    ] = None,
    format_: Annotated[
        str | None, typer.Option("--format", metavar="jsonl|csv", help="Of the answers; by --out's suffix if absent.")
    ] = None,
    force: Force = False,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", min=0, help="Of what is drawn; the spec's if absent.")
    ] = None,
) -> None:
    """Predict with a trained net.

    One line an example: JSON in a pipe, the most probable answers on a terminal.
    Where layers are stateful, the examples of a file follow one another, in at most 16 passages.
    With --steps, a line a step of each series. With --generate, text. With --sample, an example a line, or all in the
    file --out.
    """
    from nnctl.errors import UsageError
    from nnctl.inference.opened import open_run, read_run

    if force and out is None:
        raise UsageError("--force lets --out FILE overwrite a file, and there is no --out")
    if sample is not None:
        given = (top_k, keep, generate, temperature, prompt, checkpoint, format_)
        if inputs or any(option is not None for option in given):
            raise UsageError(
                "--sample draws from the run alone: it goes with --backend, --steps, --seed and --out, nothing else"
            )
        _sample(open_run(run, backend=backend), sample, steps or 100, seed, out, force)
        return
    if steps is not None:
        others = (top_k, keep, generate, temperature, prompt, seed)
        if len(inputs or ()) > 1 or any(option is not None for option in others):
            raise UsageError(
                "--steps forecasts a series: it goes with one table or none, --checkpoint, --backend, --out "
                "and --format"
            )
        _forecast(read_run(run, checkpoint, backend=backend), steps, inputs[0] if inputs else None, out, format_, force)
        return
    if generate is not None:
        if inputs or keep or top_k is not None or out is not None or format_ is not None:
            raise UsageError(
                "--generate writes text to stdout: it takes no input files, no --top-k, --keep, --out or --format\n"
                "  --prompt is how the text begins"
            )
        opened = open_run(run, checkpoint, backend=backend)
        _write(opened, generate, 1.0 if temperature is None else temperature, prompt or "", seed)
        return
    if temperature is not None or prompt is not None or seed is not None:
        raise UsageError("--temperature and --prompt are for --generate N, --seed for that or --sample N")
    if not inputs:
        raise UsageError(
            "give the files to predict; or --steps N for a net of series, --generate N for one of text, --sample N for "
            "a deep belief net"
        )
    _answer(read_run(run, checkpoint, backend=backend), inputs, top_k, keep or [], out, format_, force)


def _forecast(
    saved: SavedRun, steps: int, table: Path | None, out: Path | None, format_: str | None, force: bool
) -> None:
    """Print forecasts, or write them to a file."""
    from nnctl.inference.forecasting import forecast

    _check_format(out, format_)
    _show(iter([forecast(saved, steps, table)]), 3, out, format_, force)


def _answer(
    saved: SavedRun,
    inputs: list[Path],
    top_k: int | None,
    keep: list[str],
    out: Path | None,
    format_: str | None,
    force: bool,
) -> None:
    """Print the answers, or write them to a file."""
    import sys

    from nnctl.inference.prediction import answer, left_out

    _check_format(out, format_)
    for sentence in left_out(saved, inputs):
        print(f"note: {sentence}", file=sys.stderr)
    _show(answer(saved, inputs, top_k=top_k, keep=keep), top_k or 3, out, format_, force)


def _check_format(out: Path | None, format_: str | None) -> None:
    """Refuse a form that answers do not have."""
    if format_ is not None:
        from nnctl.reporting.formats import format_named

        format_named(format_)
    elif out is not None and out.suffix.lower() in (".npy", ".npz", ".png"):
        from nnctl.errors import UsageError

        raise UsageError(f"--out {out}: answers are JSON Lines or CSV\n  name the file .jsonl or .csv")


def _show(answers: Iterator[Answers], most: int, out: Path | None, format_: str | None, force: bool) -> None:
    """Print answers, on a terminal the `most` probable of each, or write them to a file."""
    import sys

    from nnctl.inference.answers import csv_lines, json_lines
    from nnctl.screen.guard import is_unicode

    if out is not None:
        from nnctl.reporting.new_file import new_file

        as_csv = format_ == "csv" if format_ is not None else out.suffix.lower() == ".csv"
        with new_file(out, "--out", force=force) as file:
            for text in csv_lines(answers) if as_csv else json_lines(answers):
                # Names of files may be any bytes.
                file.write(text.encode("utf-8", "surrogateescape"))
    elif sys.stdout.isatty() and format_ is None:
        for part in answers:
            for row in part.rows():
                print(_sentence(row, most))
    else:
        as_csv = format_ == "csv"
        for text in csv_lines(answers) if as_csv else json_lines(answers, ascii_only=not is_unicode(sys.stdout)):
            # Names of files may be no text at all, and stdout of a narrow encoding.
            encoding = sys.stdout.encoding or "utf-8"
            sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
            # Its reader may be waiting.
            sys.stdout.flush()


def _sentence(row: dict[str, Any], count: int) -> str:
    """An answer in a line: its values, or the most probable classes."""
    from nnctl.cli.tables import joined
    from nnctl.inference.answers import OWN_NAMES
    from nnctl.reporting.terminal import show
    from nnctl.screen.characters import word

    if "input" in row:
        where = f"{word(row['input'])}[{row['index']}]"
    else:
        where = "  ".join(word(str(row[name])) for name in row if name not in OWN_NAMES)
    if "values" in row:
        values = row["values"]
        if isinstance(values, dict):
            return f"{where}  {joined('  ', [*values.items()], lambda item: word(f'{item[0]} {show(item[1])}'))}"
        return f"{where}  {joined('  ', values, lambda value: word(str(value)))}"
    ranked = sorted(row["probabilities"].items(), key=lambda item: -item[1])[:count]
    rest = "  ".join(f"{word(name)} {show(value)}" for name, value in ranked)
    return f"{where}  {word(str(row['prediction']))}  ({rest})"


def _write(run: TrainedRun, count: int, temperature: float, prompt: str, seed: int | None) -> None:
    """Write each token as soon as it is drawn."""
    import sys

    from nnctl.inference.generation import generate

    for token in generate(run, count, temperature=temperature, prompt=prompt, seed=seed):
        sys.stdout.write(token)
        sys.stdout.flush()
    sys.stdout.write("\n")


def _sample(run: TrainedRun, count: int, steps: int, seed: int | None, out: Path | None, force: bool) -> None:
    """Draw samples into a file, or as JSON Lines."""
    import numpy as np

    from nnctl.cli.printing import print_json
    from nnctl.data.formats.images import write_png
    from nnctl.errors import UsageError
    from nnctl.inference.sampling import as_stored, picture, sample
    from nnctl.reporting.new_file import new_file, require_new

    if out is not None and out.suffix.lower() not in (".npy", ".png"):
        raise UsageError(f"--out {out}: samples are written as an array, .npy, or as a picture, .png")
    if out is not None:
        require_new(out, "--out", force=force)
    samples = sample(run, count, steps=steps, seed=seed)
    if out is None:
        for index, values in enumerate(as_stored(run, samples)):
            print_json({"sample": index, "values": values.tolist()})
        return
    with new_file(out, "--out", force=force) as file:
        if out.suffix.lower() == ".npy":
            np.save(file, as_stored(run, samples).astype(np.float32))
        else:
            write_png(file, picture(run, samples))
