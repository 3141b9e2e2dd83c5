"""The way of a run's events to its sinks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

from nnctl.metrics.formats import JsonLines
from nnctl.metrics.sink import FileSink, Sink
from nnctl.training.events import Event, Finished


def rows_of_run(path: Path) -> FileSink:
    """The sink of a run folder's own `metrics.jsonl`; it belongs before all others."""
    return FileSink(path, JsonLines(), resumed=True)


def follow(
    events: Iterable[Event], sinks: Sequence[Sink], *, reader_gone: Callable[[], None] | None = None
) -> Finished | None:
    """Give every event to every sink, in order, until the run ends. Returns its last event.

    A sink whose reader has gone (BrokenPipeError) is left out from then on, and
    `reader_gone` is called; the others still get the event.
    """
    active = list(sinks)
    finished = None
    with ExitStack() as stack:
        for sink in reversed(active):
            stack.callback(sink.close)
        for event in events:
            for sink in tuple(active):
                try:
                    sink.handle(event)
                except BrokenPipeError:
                    if reader_gone is None:
                        raise
                    active.remove(sink)
                    reader_gone()
            if isinstance(event, Finished):
                finished = event
    return finished
