"""The matrix product in LLVM IR, for every width of vectors that this processor has."""

from __future__ import annotations

import ctypes
import itertools
from functools import cache

import numpy as np
import pytest

from backends.vector_widths import WIDTHS, engine
from nnctl.backends.cpu.gemm import kernel_ir as gemm_ir
from nnctl.backends.cpu.gemm import product as gemm
from nnctl.backends.cpu.gemm.packed_ir import PACK_SYMBOL, PACKED_SYMBOL
from nnctl.backends.machine import vector_bits

pytestmark = pytest.mark.compile

GUARD = 64
"""Elements around C and behind the scratch that must stay as they are."""


@cache
def compiled(bits: int):
    """The function of `module_text(bits)`."""
    made = engine(bits, gemm_ir.module_text(bits))
    i, f, p = ctypes.c_int64, ctypes.c_float, ctypes.c_void_p
    kind = ctypes.CFUNCTYPE(None, i, i, i, i, i, f, p, i, p, i, f, p, i, p)
    return kind(made.get_function_address(gemm_ir.SYMBOL)), made


def product(bits, m, n, k, ta=False, tb=False, alpha=1.0, beta=0.0, padding=0, seed=0, poison=True):
    """(found, expected) of one product on random matrices with `padding` elements between rows."""
    function, _ = compiled(bits)
    rng = np.random.default_rng([seed, m, n, k, ta, tb])
    a_shape, b_shape = ((k, m) if ta else (m, k)), ((n, k) if tb else (k, n))
    a, b = (_padded(rng, shape, padding) for shape in (a_shape, b_shape))
    packed = (m + gemm_ir.TILE[bits][0]) * k if ta else 0
    scratch = np.full(k * gemm_ir.widest_panel(bits) + packed + GUARD, -7.0, np.float32)
    ldc = n + padding
    memory = np.full(2 * GUARD + m * ldc, -3.0, np.float32)
    c = memory[GUARD : GUARD + m * ldc].reshape(m, ldc)[:, :n]
    old = rng.standard_normal((m, n)).astype(np.float32)
    c[...] = np.nan if beta == 0.0 and poison else old
    before = memory.copy()
    function(
        ta, tb, m, n, k, alpha, a.ctypes.data, a.strides[0] // 4, b.ctypes.data, b.strides[0] // 4, beta,
        memory[GUARD:].ctypes.data, ldc, scratch.ctypes.data,
    )  # fmt: skip
    exact = alpha * ((a.T if ta else a).astype(float) @ (b.T if tb else b).astype(float))
    if beta:
        exact += beta * old
    outside = np.ones(memory.shape, bool)
    outside[GUARD : GUARD + m * ldc].reshape(m, ldc)[:, :n] = False
    np.testing.assert_array_equal(memory[outside], before[outside])
    assert np.all(scratch[-GUARD:] == -7.0), "more scratch was used than there is"
    return c, exact


def _padded(rng, shape, padding):
    """A matrix whose rows lie `padding` elements apart, NaN between them."""
    whole = np.full((shape[0], shape[1] + padding), np.nan, np.float32)
    whole[:, : shape[1]] = rng.standard_normal(shape)
    return whole[:, : shape[1]]


def check(bits, m, n, k, **rest):
    found, exact = product(bits, m, n, k, **rest)
    # Rounding of k products, each below about 10, and of the sum.
    np.testing.assert_allclose(found, exact, rtol=1e-5, atol=1e-6 * (k + 10) ** 0.5 * 4.0)


widths = pytest.mark.parametrize("bits", WIDTHS)
transposes = pytest.mark.parametrize(("ta", "tb"), list(itertools.product([False, True], repeat=2)))


@widths
@transposes
def test_every_shape_of_tile(bits, ta, tb):
    """All rests of rows and columns that a tile leaves, each with a full tile before it."""
    rows, vectors = gemm_ir.TILE[bits]
    lanes = bits // 32
    width = vectors * lanes
    for m in range(1, 2 * rows + 1):
        for n in (*range(1, width + 1, 1 if lanes < 16 else 3), width + 1, 2 * width - 1):
            check(bits, m, n, 5, ta=ta, tb=tb)


@widths
@transposes
@pytest.mark.parametrize("alpha", [1.0, -0.25])
@pytest.mark.parametrize("beta", [0.0, 1.0, 0.75])
def test_scaled_products_added_to_what_is_there(bits, ta, tb, alpha, beta):
    for m, n, k in [(1, 1, 1), (7, 10, 3), (33, 50, 20), (10, 30, 784)]:
        check(bits, m, n, k, ta=ta, tb=tb, alpha=alpha, beta=beta)


@widths
@transposes
def test_matrices_whose_rows_lie_apart(bits, ta, tb):
    for m, n, k in [(3, 5, 2), (9, 49, 17), (210, 33, 19)]:
        check(bits, m, n, k, ta=ta, tb=tb, padding=3, beta=0.5)


@widths
@transposes
def test_many_rows_have_their_panels_packed(bits, ta, tb):
    """Their first tile puts B aside; a last panel of one vector more is wider, whole or not."""
    width = gemm_ir.TILE[bits][1] * bits // 32
    widest = gemm_ir.widest_panel(bits)
    for m in (gemm_ir.PACK_B_FROM[bits] + more for more in (-1, 0, 3)):
        for n in {71, width, widest, 2 * width + 1, width + widest - 1, width + widest}:
            check(bits, m, n, 37, ta=ta, tb=tb, beta=0.5)
    for m in (gemm_ir.PACK_FAR_B_FROM - 1, gemm_ir.PACK_FAR_B_FROM):
        check(bits, m, gemm_ir.FAR + 5, 7, ta=ta, tb=tb)


@widths
def test_bits_do_not_depend_on_which_tile_an_element_is_in(bits):
    """A row and a column alone are what they are among others: each is one sum, term after term."""
    function, _ = compiled(bits)
    m, k = gemm_ir.PACK_B_FROM[bits] + 1, 37
    n = gemm_ir.widest_panel(bits) * 2 + 3
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal(shape).astype(np.float32) for shape in ((m, k), (k, n)))
    scratch = np.zeros(k * gemm_ir.widest_panel(bits), np.float32)

    def made(left, right):
        c = np.zeros((len(left), right.shape[1]), np.float32)
        function(
            0, 0, len(left), right.shape[1], k, 0.5, left.ctypes.data, k, right.ctypes.data, right.shape[1], 0.0,
            c.ctypes.data, right.shape[1], scratch.ctypes.data,
        )  # fmt: skip
        return c

    whole = made(a, b)
    for i in (0, m // 2, m - 1):
        np.testing.assert_array_equal(whole[i : i + 1], made(a[i : i + 1], b))
    for j in range(n):
        np.testing.assert_array_equal(whole[:, j : j + 1], made(a, np.ascontiguousarray(b[:, j : j + 1])))


@widths
@pytest.mark.parametrize("tb", [False, True])
@pytest.mark.parametrize("beta", [0.0, 0.5])
def test_long_sums_are_added_up_in_blocks(bits, tb, beta):
    for k in (gemm_ir.LONG, gemm_ir.LONG + 1, 3 * gemm_ir.BLOCK + 1):
        check(bits, 9, 50, k, ta=True, tb=tb, beta=beta, alpha=-0.5, padding=2)


@widths
@pytest.mark.parametrize("tb", [False, True])
def test_a_large_transposed_matrix_is_packed(bits, tb):
    rows = gemm_ir.TILE[bits][0]
    k = gemm_ir.PACK_A_FROM // 512 + 1
    for m in (512, 512 + rows - 1):
        check(bits, m, 20, k, ta=True, tb=tb, beta=1.0)


@widths
def test_thin_products(bits):
    for m, n, k in [(1, 1, 1000), (1, 100, 1), (100, 1, 1), (1, 1, 1), (300, 1, 300), (5, 300, 2)]:
        for ta, tb in itertools.product([False, True], repeat=2):
            check(bits, m, n, k, ta=ta, tb=tb)


@widths
@pytest.mark.parametrize(("m", "n"), [(0, 5), (5, 0), (0, 0)])
def test_nothing_to_do(bits, m, n):
    check(bits, m, n, 4)


@widths
def test_what_is_not_finite_spreads_as_it_should(bits):
    function, _ = compiled(bits)
    a, b = np.zeros((3, 2), np.float32), np.zeros((2, 5), np.float32)
    a[1, 0], c, scratch = np.inf, np.zeros((3, 5), np.float32), np.zeros(4096, np.float32)
    function(0, 0, 3, 5, 2, 1.0, a.ctypes.data, 2, b.ctypes.data, 5, 0.0, c.ctypes.data, 5, scratch.ctypes.data)
    assert np.all(np.isnan(c[1]))
    assert np.all(c[[0, 2]] == 0.0)


def test_the_scratch_that_is_asked_for_is_enough():
    """`product_scratch` is what generated code allocates; the checks above leave the guard behind it alone."""
    bits = vector_bits()
    rows, _ = gemm_ir.TILE[bits]
    for m, k in [(1, 1), (512, 513), (519, 700)]:
        needed = k * gemm_ir.widest_panel(bits) + (k * -(-m // rows) * rows if m * k >= gemm_ir.PACK_A_FROM else 0)
        assert gemm.product_scratch(m, k, transposed=True) >= needed


@widths
@pytest.mark.parametrize("tb", [False, True])
@pytest.mark.parametrize("beta", [0.0, 1.0])
def test_a_packed_product_has_the_same_bits(bits, tb, beta):
    """B packed once, rows of A and C apart, columns of every rest of a panel and of a vector."""
    plain, made = compiled(bits)
    i, p = ctypes.c_int64, ctypes.c_void_p
    pack = ctypes.CFUNCTYPE(None, i, i, i, p, i, p)(made.get_function_address(PACK_SYMBOL))
    kind = ctypes.CFUNCTYPE(None, i, i, i, p, i, p, ctypes.c_float, p, i)
    packed_product = kind(made.get_function_address(PACKED_SYMBOL))
    rows, vectors = gemm_ir.TILE[bits]
    width = vectors * bits // 32
    for m, n, k in itertools.product((1, rows, rows + 3), (1, width - 1, width, width + 1, 3 * width + 5), (1, 37)):
        rng = np.random.default_rng([m, n, k])
        a, b = _padded(rng, (m, k), 3), _padded(rng, (n, k) if tb else (k, n), 2)
        size = -(-n // width) * width * k
        packed = np.full(size + GUARD, -7.0, np.float32)
        pack(tb, n, k, b.ctypes.data, b.strides[0] // 4, packed.ctypes.data)
        assert np.all(packed[size:] == -7.0), "more was packed than there is room for"
        found, expected = (np.full((m, n + 1), 0.5, np.float32) for _ in range(2))
        packed_product(
            m, n, k, a.ctypes.data, k + 3, packed.ctypes.data, beta, found.ctypes.data, n + 1,
        )  # fmt: skip
        scratch = np.zeros(k * gemm_ir.widest_panel(bits), np.float32)
        plain(
            0, tb, m, n, k, 1.0, a.ctypes.data, k + 3, b.ctypes.data, b.strides[0] // 4, beta, expected.ctypes.data,
            n + 1, scratch.ctypes.data,
        )  # fmt: skip
        np.testing.assert_array_equal(found, expected)


def test_the_size_of_what_is_packed_is_known():
    for n, k in [(1, 1), (gemm.panel_width(), 3), (gemm.panel_width() + 1, 3)]:
        assert gemm.packed_size(n, k) == -(-n // gemm.panel_width()) * gemm.panel_width() * k
