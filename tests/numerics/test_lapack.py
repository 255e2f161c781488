"""Every BLAS and LAPACK wrapper against numpy; matrices inside larger buffers included."""

from __future__ import annotations

import numpy as np
import pytest

from tnspin.numerics import lapack
from tnspin.numerics.lapack import ADJOINT, PLAIN

EPS = np.finfo(float).eps
SIZES = [1, 2, 3, 5, 8, 12, 13, 25, 31, 32, 33, 40, 41, 64, 97, 130]
SHAPES = [(1, 1), (1, 9), (9, 1), (3, 2), (2, 3), (7, 7), (12, 30), (30, 12), (41, 40), (40, 41),
          (64, 130), (130, 64), (130, 130)]  # fmt: skip


def random(rng, *shape):
    return rng.normal(size=shape) + 1j * rng.normal(size=shape)


def graded(rng, m, n, decades=14):
    """Random matrix with singular values falling over ``decades`` powers of ten."""
    k = min(m, n)
    u, v = np.linalg.qr(random(rng, m, k))[0], np.linalg.qr(random(rng, n, k))[0]
    return (u * np.logspace(0, -decades, k)) @ v.conj().T


def deficient(rng, m, n):
    """Random matrix of half the possible rank."""
    rank = max(1, min(m, n) // 2)
    return random(rng, m, rank) @ random(rng, rank, n)


def kinds(rng, m, n):
    """Matrices of every kind that a truncation meets."""
    degenerate = np.eye(m, n, dtype=complex) @ np.linalg.qr(random(rng, n, n))[0]
    return {
        "random": random(rng, m, n),
        "graded": graded(rng, m, n),
        "rank-deficient": deficient(rng, m, n),
        "degenerate": degenerate,
        "zero": np.zeros((m, n), dtype=complex),
    }


def close(a, b, scale=1.0, n=1):
    """Backward error of n dependent operations."""
    assert np.abs(a - b).max(initial=0.0) <= 20 * EPS * max(n, 1) * max(scale, 1e-300)


@pytest.mark.parametrize("op_a", [PLAIN, ADJOINT])
@pytest.mark.parametrize("op_b", [PLAIN, ADJOINT])
@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 4, 3), (1, 7, 2), (33, 12, 64), (130, 97, 41)])
def test_gemm(op_a, op_b, shape):
    rng = np.random.default_rng(1)
    m, n, k = shape
    a = random(rng, *((m, k + 2) if op_a == PLAIN else (k, m + 2)))
    b = random(rng, *((k, n + 3) if op_b == PLAIN else (n, k + 3)))
    c = random(rng, m, n + 1)
    x = a[:, :k] if op_a == PLAIN else a[:, :m].conj().T
    y = b[:, :n] if op_b == PLAIN else b[:, :k].conj().T
    alpha, beta = 0.7 - 0.2j, -1.3 + 0.1j
    wanted = c.copy()
    wanted[:, :n] = alpha * (x @ y) + beta * c[:, :n]
    lapack.gemm(op_a, op_b, m, n, k, alpha, a.ravel(), a.shape[1], b.ravel(), b.shape[1], beta,
                c.ravel(), c.shape[1])  # fmt: skip
    close(c, wanted, scale=np.abs(wanted).max(), n=k)


def test_gemm_ignores_what_beta_zero_overwrites():
    c = np.full(6, np.nan, dtype=complex)
    one = np.ones(6, dtype=complex)
    lapack.gemm(PLAIN, PLAIN, 2, 3, 2, 1.0, one, 2, one, 3, 0.0, c, 3)
    assert np.array_equal(c, np.full(6, 2.0))


def test_gemm_without_rows_or_columns():
    c = np.full(4, 5.0 + 0j)
    empty = np.empty(0, dtype=complex)
    lapack.gemm(PLAIN, PLAIN, 0, 4, 1, 1.0, empty, 1, np.ones(4, dtype=complex), 4, 0.0, c, 4)
    lapack.gemm(PLAIN, PLAIN, 4, 0, 1, 1.0, np.ones(4, dtype=complex), 1, empty, 1, 0.0, c, 1)
    assert np.array_equal(c, np.full(4, 5.0))


@pytest.mark.parametrize("n", SIZES)
def test_gemm_real(n):
    rng = np.random.default_rng(n)
    m, k = max(1, n // 2), n + 1
    a, b, c = rng.normal(size=(m, k)), rng.normal(size=(k, n)), np.full((m, n), np.nan)
    lapack.gemm_real(m, n, k, a.ravel(), b.ravel(), c.ravel())
    close(c, a @ b, scale=np.abs(c).max(), n=k)


@pytest.mark.parametrize("shape", SHAPES)
def test_gram_matrices(shape):
    rng = np.random.default_rng(2)
    m, k = shape
    wide = random(rng, m, k + 3)
    a = wide[:, :k]
    rows, columns = np.zeros((m, m), dtype=complex), np.zeros((k, k), dtype=complex)
    lapack.gram_rows(m, k, wide.ravel(), k + 3, rows.ravel())
    lapack.gram_columns(m, k, wide.ravel(), k + 3, columns.ravel())
    close(np.tril(rows), np.tril(a @ a.conj().T), scale=np.linalg.norm(a) ** 2)
    close(np.tril(columns), np.tril(a.conj().T @ a), scale=np.linalg.norm(a) ** 2)


@pytest.mark.parametrize("n", SIZES)
def test_cholesky_and_solve(n):
    rng = np.random.default_rng(n)
    a = random(rng, n, 2 * n + 1)
    g = np.zeros((n, n), dtype=complex)
    lapack.gram_rows(n, 2 * n + 1, a.ravel(), 2 * n + 1, g.ravel())
    full = a @ a.conj().T
    assert lapack.cholesky(n, g.ravel()) == 0
    low = np.tril(g)
    close(low @ low.conj().T, full, scale=np.linalg.norm(full, 2), n=n)
    lapack.solve_lower(n, 2 * n + 1, g.ravel(), n, a.ravel(), 2 * n + 1)
    assert np.abs(a @ a.conj().T - np.eye(n)).max() < 1e-12 * max(1.0, np.linalg.cond(full))


def test_solve_with_the_leading_rows_only():
    """The range finder drops dependent probes: a leading part of the factor and of the rows."""
    rng = np.random.default_rng(3)
    low = np.tril(random(rng, 6, 6)) + 5 * np.eye(6)
    b = random(rng, 6, 9)
    x = b.copy()
    lapack.solve_lower(4, 7, low.ravel(), 6, x.ravel(), 9)
    close(x[:4, :7], np.linalg.solve(low[:4, :4], b[:4, :7]), scale=1.0, n=6)
    assert np.array_equal(x[4:], b[4:])
    assert np.array_equal(x[:, 7:], b[:, 7:])


def test_cholesky_reports_the_first_dependent_row():
    rng = np.random.default_rng(4)
    a = random(rng, 5, 8)
    a[3] = a[0] - 2 * a[1]
    g = a @ a.conj().T
    g[3, 3] -= 1e-3
    assert lapack.cholesky(5, g.ravel()) == 4


@pytest.mark.parametrize("n", [n for n in SIZES if n > 1])
def test_tridiagonalize(n):
    rng = np.random.default_rng(n)
    for a in kinds(rng, n, n).values():
        full = a + a.conj().T
        g, d, e = np.tril(full), np.empty(n), np.empty(n)
        lapack.tridiagonalize(n, g.ravel(), d, e)
        t = np.diag(d) + np.diag(e[:-1], 1) + np.diag(e[:-1], -1)
        close(g @ g.conj().T, np.eye(n), n=n)
        close(g.conj().T @ t @ g, full, scale=np.linalg.norm(full, 2), n=n)


@pytest.mark.parametrize("n", SIZES)
def test_divide_and_conquer(n):
    rng = np.random.default_rng(n)
    for a in kinds(rng, n, n).values():
        full = a + a.conj().T
        g, w = np.tril(full), np.empty(n)
        g[np.triu_indices(n, 1)] = np.nan
        assert lapack.divide_and_conquer(n, g.ravel(), w) == 0
        scale = np.linalg.norm(full, 2)
        close(w, np.linalg.eigvalsh(full), scale=scale, n=n)
        close(g @ g.conj().T, np.eye(n), n=n)
        close(g @ full @ g.conj().T, np.diag(w), scale=scale, n=n)


@pytest.mark.parametrize("shape", SHAPES)
def test_svd(shape):
    rng = np.random.default_rng(5)
    m, n = shape
    k = min(shape)
    for a in kinds(rng, m, n).values():
        s, u, v = np.empty(k), np.empty((m, k), dtype=complex), np.empty((k, n), dtype=complex)
        assert lapack.svd(m, n, a.copy().ravel(), s, u.ravel(), v.ravel()) == 0
        scale = np.linalg.norm(a, 2)
        close(s, np.linalg.svd(a, compute_uv=False), scale=scale, n=max(shape))
        assert np.all(np.diff(s) <= 0)
        close((u * s) @ v, a, scale=scale, n=max(shape))
        close(u.conj().T @ u, np.eye(k), n=max(shape))
        close(v @ v.conj().T, np.eye(k), n=max(shape))


@pytest.mark.parametrize("shape", SHAPES)
def test_qr(shape):
    rng = np.random.default_rng(6)
    m, n = shape
    k = min(shape)
    for a in kinds(rng, m, n).values():
        flat, r = a.copy().ravel(), np.full((k, n), np.nan, dtype=complex)
        assert lapack.qr(m, n, flat, r.ravel()) == k
        q = flat[: m * k].reshape(m, k)
        close(q @ r, a, scale=np.linalg.norm(a, 2), n=max(shape))
        close(q.conj().T @ q, np.eye(k), n=max(shape))
        assert np.array_equal(r, np.triu(r))


@pytest.mark.parametrize("shape", SHAPES)
def test_lq(shape):
    rng = np.random.default_rng(7)
    m, n = shape
    k = min(shape)
    for a in kinds(rng, m, n).values():
        flat, low = a.copy().ravel(), np.full((m, k), np.nan, dtype=complex)
        assert lapack.lq(m, n, flat, low.ravel()) == k
        q = flat[: k * n].reshape(k, n)
        close(low @ q, a, scale=np.linalg.norm(a, 2), n=max(shape))
        close(q @ q.conj().T, np.eye(k), n=max(shape))
        assert np.array_equal(low, np.tril(low))
