"""The way of a run's events to its sinks."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

from nnctl.process.together import Work, aside, to_its_end
from nnctl.reporting.formats import JsonLines
from nnctl.reporting.sinks import FileSink, Sink
from nnctl.runs.durable import GrowingFile
from nnctl.runs.folder import RunFolder
from nnctl.training.events import Computing, Event, Finished, Paused, Saving, Started, Tested, Watched


class RunSink:
    """The sink of the run's rows, in its folder. It comes before all other sinks: a row is kept before it is shown."""

    def __init__(self) -> None:
        self._rows: FileSink | None = None
        self._layers: LayersSink | None = None

    def handle(self, event: Event) -> None:
        """Open the files when the run starts, and write their rows."""
        if isinstance(event, Started):
            self._rows = FileSink(Path(event.metrics), JsonLines(), resumed=True, own=True)
            self._layers = LayersSink(RunFolder(Path(event.folder)).layers)
        for sink in (self._layers, self._rows):
            if sink is not None:
                sink.handle(event)

    def close(self) -> None:
        """Close the files."""
        for sink in (self._layers, self._rows):
            if sink is not None:
                sink.close()


class LayersSink:
    """The sink of the rows on the layers; there is no file before the first. What it holds is the run's already."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: GrowingFile | None = None

    def handle(self, event: Event) -> None:
        """Write rows; before a checkpoint that counts them, make sure that they are on disk. Raises RunError."""
        if isinstance(event, Watched):
            self._file = self._file or GrowingFile(self._path)
            self._file.write("".join(map(JsonLines().row, event.rows)))
        elif isinstance(event, Saving) and self._file is not None:
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def follow(
    events: Iterable[Event], sinks: Sequence[Sink], *, reader_gone: Callable[[], None] | None = None
) -> Finished | Paused | None:
    """Give every event to every sink, in order, until the run ends or pauses. Returns the event of that.

    A sink whose reader has gone (BrokenPipeError) is left out from then on, and
    `reader_gone` is called; the others still get the event.
    """
    return to_its_end(following(events, sinks, reader_gone=reader_gone))


def following(
    events: Iterable[Event], sinks: Sequence[Sink], *, reader_gone: Callable[[], None] | None = None
) -> Work[Finished | Paused | None]:
    """Do `follow`, and give way while a chunk of steps is under way, or rows are brought to the disk."""
    active = list(sinks)
    ended: Finished | Paused | None = None
    with ExitStack() as stack:
        for sink in reversed(active):
            stack.callback(sink.close)
        if isinstance(events, Generator):
            # Where a sink fails, the run lets go of its folder now, not when the garbage is collected.
            stack.enter_context(closing(events))
        for event in events:
            if isinstance(event, Computing):
                yield event.due
                continue
            for sink in tuple(active):
                try:
                    if isinstance(event, Saving | Tested):
                        yield from aside(partial(sink.handle, event))
                    else:
                        sink.handle(event)
                except BrokenPipeError:
                    if reader_gone is None:
                        raise
                    active.remove(sink)
                    reader_gone()
            if isinstance(event, Finished | Paused):
                ended = event
    return ended
