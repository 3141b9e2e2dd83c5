"""The report on runs and sweeps: chapters of all sections that their builders give."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from nnctl import __version__
from nnctl.errors import NnctlError, RunError
from nnctl.report import builders
from nnctl.report.gathering import Gathered, gather
from nnctl.report.groups import short_names
from nnctl.report.page import page
from nnctl.report.section import Chapter, Section, Text
from nnctl.runs.folder import RunFolder
from nnctl.runs.history import History, read_history
from nnctl.sweep.stored_sweep import StoredSweep

MOST_NETS = 3
"""Runs whose nets are opened and looked into; of more the first."""


def report_on(paths: Sequence[Path]) -> str:
    """The page on the runs and sweeps at some paths, as HTML.

    What is damaged is named on it. Raises RunError where there is nothing to report.
    """
    gathered = gather(paths)
    chapters = [chapter for chapter in _chapters(gathered) if chapter.sections]
    return page(_title(gathered), _lead(gathered), chapters)


def _title(gathered: Gathered) -> str:
    names = dict.fromkeys(
        [str(run.spec.get("name") or Path(run.name).parent.name or run.name) for run in gathered.runs]
        + [stored.study.spec.name or stored.study.folder.name for stored in gathered.sweeps]
    )
    first = list(names)[:3]
    return ", ".join(first) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _lead(gathered: Gathered) -> str:
    counts = [(len(gathered.runs), "run"), (len(gathered.sweeps), "sweep"), (len(gathered.broken), "damaged folder")]
    parts = [f"{n} {what}{'' if n == 1 else 's'}" for n, what in counts if n]
    if gathered.left_out:
        parts.append(f"{gathered.left_out:,} more that began earlier are left out")
    began = sorted(str(run.origin["started"])[:10] for run in gathered.runs)
    when = "" if not began else f" · begun {began[0]}" + (f" to {began[-1]}" if began[-1] != began[0] else "")
    return f"{', '.join(parts)}{when} · nnctl {__version__}"


def _chapters(gathered: Gathered) -> Iterator[Chapter]:
    if gathered.broken:
        errors = tuple(Text(path, error) for path, error in gathered.broken)
        yield Chapter("Damaged", (Section("Folders that cannot be read", errors),))
    for stored in gathered.sweeps:
        sections = [section for build in builders.SWEEP for section in build(stored)]
        name = "The sweep" if len(gathered.sweeps) == 1 else f"Sweep {stored.study.folder.name}"
        yield Chapter(name, tuple(sections))
    runs = gathered.runs
    inside = list(runs)
    if runs:
        title = "The run" if len(runs) == 1 else f"{len(runs)} runs"
        yield Chapter(title, tuple(section for build in builders.RUNS for section in build(runs)))
    else:
        inside = [best for stored in gathered.sweeps if (best := _best(stored)) is not None]
    for run, name in list(zip(inside, short_names(inside)))[:MOST_NETS]:
        title = f"Inside {name}"
        yield Chapter(title, tuple(_inside(run)))
    if inside:
        yield Chapter("How it was made", tuple(section for build in builders.ORIGINS for section in build(inside)))


def _best(stored: StoredSweep) -> History | None:
    """The history of a trial of the combination that ranks first; None where none has finished, or it is damaged."""
    for standing in stored.ranking[:1]:
        for result in stored.results:
            if result.trial.number in standing.trials and result.status == "finished":
                with suppress(RunError):
                    return read_history(RunFolder(Path(result.folder)))
    return None


def _inside(run: History) -> Iterator[Section]:
    """The sections on one run: of its folder, and of its trained net, if it can be opened."""
    from nnctl.inference.opened import open_run

    yield from _told(partial(build, run) for build in builders.RUN)
    try:
        net = open_run(run.run.path)
    except NnctlError as error:
        yield _untold("The net cannot be opened", error)
        return
    yield from _told(partial(build, net) for build in builders.NET)


def _told(builds: Iterable[Callable[[], Iterable[Section]]]) -> Iterator[Section]:
    """The sections of builders; in place of those that cannot be made, why."""
    for build in builds:
        try:
            yield from build()
        except NnctlError as error:
            yield _untold("What is missing here", error)


def _untold(title: str, error: NnctlError) -> Section:
    return Section(title, (Text("Why", str(error)),))
