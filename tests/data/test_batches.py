"""The order of an epoch: a pure function of the seed and the epoch, and never a different one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnctl.data.batches import SeededOrder, _KeptOrders, batches, epoch_order, reading_batches
from nnctl.data.streams import Purpose, generator
from nnctl.errors import UsageError

GOLDEN = [
    (0, 0, [0, 8, 6, 9, 5, 2, 3, 1, 7, 4]),
    (0, 1, [3, 9, 6, 4, 0, 5, 7, 1, 2, 8]),
    (1, 0, [8, 2, 7, 0, 6, 3, 4, 9, 1, 5]),
    (18446744073709551615, 2147483648, [9, 2, 5, 7, 0, 8, 4, 3, 6, 1]),
]


@pytest.mark.parametrize(("seed", "epoch", "order"), GOLDEN)
def test_golden_orders(seed, epoch, order):
    assert epoch_order(seed, epoch, 10, True).tolist() == order


@given(st.integers(0, 2**64 - 1), st.integers(0, 10_000), st.integers(0, 300))
def test_order_is_a_permutation(seed, epoch, n):
    order = epoch_order(seed, epoch, n, True)
    assert order.dtype == np.int64
    assert sorted(order) == list(range(n))
    assert np.array_equal(order, epoch_order(seed, epoch, n, True))


def test_unshuffled_order_is_the_data_s():
    assert epoch_order(5, 3, 4, False).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("n", [3, 40_000, 200_000])
def test_orders_that_runs_share_are_those_of_their_seed_and_nobody_changes_them(n):
    for seed in (1, 2, 1):
        order = SeededOrder(seed, n, True)
        for epoch in range(20 if n < 100_000 else 2):
            found = order.of(epoch)
            assert not found.flags.writeable
            assert np.array_equal(found, epoch_order(seed, epoch, n, True))


def test_orders_are_kept_up_to_a_number_of_indices():
    kept = _KeptOrders(1000)
    first = kept.of(0, 0, 10)
    assert kept.of(0, 0, 10) is first
    assert kept.of(0, 0, 500) is not kept.of(0, 0, 500)
    assert kept.of(0, 0, 10) is first
    for epoch in range(1, 40):
        kept.of(0, epoch, 10)
    assert kept.of(0, 0, 10) is not first


def test_epochs_and_seeds_differ():
    orders = {tuple(epoch_order(seed, epoch, 50, True)) for seed in range(5) for epoch in range(5)}
    assert len(orders) == 25


def test_first_place_is_uniform():
    firsts = np.bincount([epoch_order(0, epoch, 8, True)[0] for epoch in range(4000)], minlength=8)
    # 500 expected, standard deviation 21.
    assert np.all(np.abs(firsts - 500) < 100)


@given(st.integers(0, 100), st.integers(1, 30))
def test_batches_cover_the_order(n, size):
    order = epoch_order(0, 0, n, True)
    cut = batches(order, size)
    assert all(len(batch) == size for batch in cut[:-1])
    assert all(len(batch) > 0 for batch in cut)
    assert [i for batch in cut for i in batch] == order.tolist()


def test_batch_size_must_be_positive():
    with pytest.raises(ValueError, match="batch_size must be at least 1, not 0"):
        batches(np.arange(3), 0)


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_seed_out_of_range(seed):
    with pytest.raises(UsageError, match="the seed must be at least 0"):
        generator(seed, Purpose.GENERATE)


def test_a_text_is_read_on():
    whole, left = reading_batches(35)
    assert whole[:2].tolist() == [[0, 18], [1, 19]]
    assert whole[-1].tolist() == [16, 34]
    assert left.tolist() == [[17]]
    assert reading_batches(0) == []


@given(st.integers(1, 3000))
def test_each_piece_is_read_once_and_after_the_one_before(n):
    parts = reading_batches(n)
    assert sorted(np.concatenate([part.reshape(-1) for part in parts])) == list(range(n))
    rows = parts[0].shape[1]
    assert rows == max(1, min(16, n // 16))
    for row in range(rows):
        read = np.concatenate([part[:, row] for part in parts if row < part.shape[1]])
        assert np.all(np.diff(read) == 1)
