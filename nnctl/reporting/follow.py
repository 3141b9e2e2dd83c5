"""The way of a run's events to its sinks."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from nnctl.reporting.formats import JsonLines
from nnctl.reporting.sinks import FileSink, Sink
from nnctl.training.events import Event, Finished, Paused, Started


class RunSink:
    """The sink of the run's `metrics.jsonl`. It comes before all other sinks: a row is kept before it is shown."""

    def __init__(self) -> None:
        self._rows: FileSink | None = None

    def handle(self, event: Event) -> None:
        """Open the file when the run starts, and write its rows."""
        if isinstance(event, Started):
            self._rows = FileSink(Path(event.metrics), JsonLines(), resumed=True, own=True)
        if self._rows is not None:
            self._rows.handle(event)

    def close(self) -> None:
        """Close the file."""
        if self._rows is not None:
            self._rows.close()


def follow(
    events: Iterable[Event], sinks: Sequence[Sink], *, reader_gone: Callable[[], None] | None = None
) -> Finished | Paused | None:
    """Give every event to every sink, in order, until the run ends or pauses. Returns the event of that.

    A sink whose reader has gone (BrokenPipeError) is left out from then on, and
    `reader_gone` is called; the others still get the event.
    """
    active = list(sinks)
    ended: Finished | Paused | None = None
    with ExitStack() as stack:
        for sink in reversed(active):
            stack.callback(sink.close)
        if isinstance(events, Generator):
            # Where a sink fails, the run lets go of its folder now, not when the garbage is collected.
            stack.enter_context(closing(events))
        for event in events:
            for sink in tuple(active):
                try:
                    sink.handle(event)
                except BrokenPipeError:
                    if reader_gone is None:
                        raise
                    active.remove(sink)
                    reader_gone()
            if isinstance(event, Finished | Paused):
                ended = event
    return ended
