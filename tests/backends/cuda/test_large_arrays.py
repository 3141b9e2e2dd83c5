"""Arrays of more elements than 32 bits count: refused where kernels compute with them, read where they need not."""

from __future__ import annotations

import pytest

from nnctl.backends.cuda.bookkeeping import keep_outputs, take_feeds
from nnctl.backends.cuda.emission import calls_of
from nnctl.backends.cuda.schedule import lowered
from nnctl.errors import DeviceError
from nnctl.graph.builder import GraphBuilder
from nnctl.plan.plan import Plan


def reduced(shape: tuple[int, ...]) -> Plan:
    """The mean of a formula of that shape, which is never stored."""
    builder = GraphBuilder("large")
    x = builder.input("x", shape)
    return lowered(builder.graph({"y": builder.apply("mean", x * x, axes=(0, 1), keepdims=False)}), {})


def test_arrays_that_kernels_cannot_count_are_refused() -> None:
    assert calls_of(reduced((46340, 46338)))
    expected = r"large: .* has an array \(46341, 46341\) of 2,147,488,281 elements.*\n.*smaller batch"
    with pytest.raises(DeviceError, match=expected):
        calls_of(reduced((46341, 46341)))


def test_rows_of_a_data_set_of_any_size_are_read() -> None:
    builder = GraphBuilder("large")
    table = builder.input("table", (1 << 22, 4096), "uint8", "data")
    index = builder.input("index", (64,), "index")
    assert calls_of(lowered(builder.graph({"y": builder.apply("gather", table, index)}), {}))


def test_places_in_a_chunk_are_found_in_64_bits() -> None:
    for text in (take_feeds(["real"]), keep_outputs(["real"])):
        assert "[(long long)(step[0]) * n0 + i]" in text
