"""Truncated decompositions of one charge block, chosen by size and by the wanted accuracy.

A two-site update has, for each middle charge, the gate-applied tensor without the left
Schmidt values, ``c (rows, cols)``, and the left Schmidt value of each row, ``w (rows)``.
The wave function block is ``theta = diag(w) c``.  Every method here returns its singular
values and right singular vectors; the left tensor is then ``c v^H``, which never divides
by a Schmidt value (Hastings, J. Math. Phys. 50, 095207 (2009)).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .lapack import (
    ADJOINT,
    PLAIN,
    cholesky,
    eigh,
    gemm,
    gram_columns,
    gram_rows,
    solve_lower,
    svd,
)

AUTO, SVD, GRAM, RANGE = 0, 1, 2, 3
METHODS = {"auto": AUTO, "svd": SVD, "gram": GRAM, "range": RANGE}

#: Squared singular values below this share of the largest in their block are round-off.
_FLOOR_SVD = 1e-30
_FLOOR_GRAM = 1e-15


@njit(cache=True, nogil=True)
def _scaled(rows, cols, c, w):  # type: ignore[no-untyped-def]
    """``theta = diag(w) c`` in a new buffer."""
    theta = np.empty(rows * cols, dtype=np.complex128)
    for i in range(rows):
        x = w[i]
        for j in range(i * cols, (i + 1) * cols):
            theta[j] = x * c[j]
    return theta


@njit(cache=True, nogil=True)
def _normalized_rows(found, floor, squares, n, cols, left, lefts, body, v):  # type: ignore[no-untyped-def]
    """Rows ``v_j = left_j @ body / s_j`` for the eigenvalues above ``floor`` times the largest.

    ``squares`` ascend (LAPACK's order) and ``left`` holds one eigenvector per row; the result
    descends.  Returns how many were written and their squares.
    """
    top = max(squares[n - 1], 0.0)
    count = 0
    while count < n and squares[n - 1 - count] > floor * top:
        count += 1
    ordered = np.empty(count * lefts, dtype=np.complex128)
    for j in range(count):
        found[j] = squares[n - 1 - j]
        scale = 1.0 / np.sqrt(found[j])
        for a in range(lefts):
            ordered[j * lefts + a] = left[(n - 1 - j) * lefts + a] * scale
    gemm(PLAIN, PLAIN, count, cols, lefts, 1.0, ordered, lefts, body, cols, 0.0, v, cols)
    return count


@njit(cache=True, nogil=True)
def by_svd(rows, cols, c, w, found, v):  # type: ignore[no-untyped-def]
    """All singular triplets by LAPACK's divide and conquer: accurate to round-off."""
    k = min(rows, cols)
    theta = _scaled(rows, cols, c, w)
    s = np.empty(k)
    u = np.empty(rows * k, dtype=np.complex128)
    info = svd(rows, cols, theta, s, u, v)
    if info != 0:
        return by_gram(rows, cols, c, w, found, v)
    count = 0
    while count < k and s[count] * s[count] > _FLOOR_SVD * s[0] * s[0]:
        found[count] = s[count] * s[count]
        count += 1
    return count


@njit(cache=True, nogil=True)
def by_gram(rows, cols, c, w, found, v):  # type: ignore[no-untyped-def]
    """All singular values down to 1e-7 of the largest, from the smaller Gram matrix."""
    theta = _scaled(rows, cols, c, w)
    if rows <= cols:
        g = np.empty(rows * rows, dtype=np.complex128)
        squares = np.empty(rows)
        gram_rows(rows, cols, theta, cols, g)
        eigh(rows, g, squares)
        return _normalized_rows(found, _FLOOR_GRAM, squares, rows, cols, g, rows, theta, v)
    g = np.empty(cols * cols, dtype=np.complex128)
    squares = np.empty(cols)
    gram_columns(rows, cols, theta, cols, g)
    eigh(cols, g, squares)
    top = max(squares[cols - 1], 0.0)
    count = 0
    while count < cols and squares[cols - 1 - count] > _FLOOR_GRAM * top:
        j = cols - 1 - count
        found[count] = squares[j]
        v[count * cols : (count + 1) * cols] = g[j * cols : (j + 1) * cols]
        count += 1
    return count


@njit(cache=True, nogil=True)
def fill_random(count, out, seed):  # type: ignore[no-untyped-def]
    """Reproducible numbers in the unit square; ``seed`` makes them differ between bonds."""
    state = np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(0x1234567)
    for i in range(count):
        x = np.zeros(2)
        for part in range(2):
            state ^= state << np.uint64(13)
            state ^= state >> np.uint64(7)
            state ^= state << np.uint64(17)
            x[part] = np.float64(state >> np.uint64(11)) * 2.0**-52 - 1.0
        out[i] = complex(x[0], x[1])


@njit(cache=True, nogil=True)
def by_range(rows, cols, c, w, seed_rows, omega, probes, found, v):  # type: ignore[no-untyped-def]
    """Leading singular vectors inside ``range(theta omega^H)``.

    ``omega (probes, cols)``: its first ``seed_rows`` rows are the old right tensor, which is
    orthonormal and, after a short time step, nearly spans the wanted space; the remaining
    rows are random and are projected out of the old span here, so they sample only what
    the gate has moved out of it.  Steps: y = theta omega^H; Cholesky of y^H y makes an
    orthonormal basis q of its range without forming it; b = q^H theta; Gram matrix of b.
    Returns -1 if already the old rows are numerically dependent (the caller then uses `by_gram`).
    """
    extra = probes - seed_rows
    if extra > 0 and seed_rows > 0:
        tail = omega[seed_rows * cols :]
        overlap = np.empty(extra * seed_rows, dtype=np.complex128)
        gemm(PLAIN, ADJOINT, extra, seed_rows, cols, 1.0, tail, cols, omega, cols, 0.0, overlap,
             seed_rows)  # fmt: skip
        gemm(PLAIN, PLAIN, extra, cols, seed_rows, -1.0, overlap, seed_rows, omega, cols, 1.0,
             tail, cols)  # fmt: skip
    y = np.empty(rows * probes, dtype=np.complex128)
    gemm(PLAIN, ADJOINT, rows, probes, cols, 1.0, c, cols, omega, cols, 0.0, y, probes)
    for i in range(rows):
        for j in range(i * probes, (i + 1) * probes):
            y[j] *= w[i]
    g = np.empty(probes * probes, dtype=np.complex128)
    gram_columns(rows, probes, y, probes, g)
    norms = np.empty(probes)
    for j in range(probes):
        norms[j] = g[j * probes + j].real
    # Random probes that find nothing new are numerically dependent: use those before them.
    cholesky(probes, g)
    rank = 0
    while rank < probes and g[rank * probes + rank].real ** 2 > 1e-11 * norms[rank]:
        rank += 1
    if rank < seed_rows:
        return -1
    for i in range(rows):
        for j in range(i * probes, (i + 1) * probes):
            y[j] *= w[i]
    b = np.empty(rank * cols, dtype=np.complex128)
    gemm(ADJOINT, PLAIN, rank, cols, rows, 1.0, y, probes, c, cols, 0.0, b, cols)
    solve_lower(rank, cols, g, probes, b, cols)
    squares = np.empty(rank)
    gram_rows(rank, cols, b, cols, g)
    eigh(rank, g, squares)
    return _normalized_rows(found, _FLOOR_GRAM, squares, rank, cols, g, rank, b, v)
