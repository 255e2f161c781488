"""Truncated decompositions of one charge block, chosen by size and by the wanted accuracy.

A two-site update has, for each middle charge, the gate-applied tensor without the left
Schmidt values, ``c (rows, cols)``, and the left Schmidt value of each row, ``w (rows)``.
The wave function block is ``theta = diag(w) c``.  Every method here returns its singular
values and right singular vectors; the left tensor is then ``c v^H``, which never divides
by a Schmidt value (Hastings, J. Math. Phys. 50, 095207 (2009)).  `select` then chooses what to
keep of all middle charges together.
"""

import numpy as np
from numba import njit

from tnspin.numerics.eigen import eigh
from tnspin.numerics.lapack import (
    ADJOINT,
    PLAIN,
    cholesky,
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
#: A probe of which less than this share (of the square) is new counts as dependent; what is left
#: of it would be orthonormal to only 1e-16 over this.
_DEPENDENT = 1e-6


@njit(cache=True, nogil=True)
def _scaled(rows, cols, c, w):
    """``theta = diag(w) c`` in a new buffer."""
    theta = np.empty(rows * cols, dtype=np.complex128)
    for i in range(rows):
        x = w[i]
        for j in range(i * cols, (i + 1) * cols):
            theta[j] = x * c[j]
    return theta


@njit(cache=True, nogil=True)
def _normalized_rows(found, floor, squares, n, cols, left, lefts, body, v):
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
def by_svd(rows, cols, c, w, found, v):
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
def by_gram(rows, cols, c, w, found, v):
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
def fill_random(count, out, seed):
    """Reproducible numbers in the unit square; ``seed`` makes them differ between bonds."""
    state = np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(0x1234567)
    flat = out.view(np.float64)
    for i in range(2 * count):
        state ^= state << np.uint64(13)
        state ^= state >> np.uint64(7)
        state ^= state << np.uint64(17)
        flat[i] = np.float64(state >> np.uint64(11)) * 2.0**-52 - 1.0


@njit(cache=True, nogil=True)
def by_range(rows, cols, c, w, seeds, omega, probes, found, v):
    """Leading singular vectors inside the range of ``theta omega^H``.

    ``omega (probes, cols)``: its first ``seeds`` rows are the old right singular vectors, whose
    image under theta nearly spans the wanted space after a short time step; the others are
    random and orthogonal to them, so that they sample only what the gate has moved out of the
    old space.  Then::

        y = theta omega^H           (rows, probes)
        y^H y = L L^H               q = y L^-H has orthonormal columns and is never formed
        b = q^H theta               = L^-1 y^H theta
        b b^H = E^H diag(found) E   v = E b / sqrt(found)

    Returns how many were found, or -1 if already the images of the seeds are numerically
    dependent (the caller then uses `by_gram`).
    """
    y = np.empty(rows * probes, dtype=np.complex128)
    gemm(PLAIN, ADJOINT, rows, probes, cols, 1.0, c, cols, omega, cols, 0.0, y, probes)
    y = _scaled(rows, probes, y, w)
    g = np.empty(probes * probes, dtype=np.complex128)
    gram_columns(rows, probes, y, probes, g)
    norms = np.empty(probes)
    for j in range(probes):
        norms[j] = g[j * probes + j].real
    # Random probes that find nothing new are numerically dependent: use those before them.
    cholesky(probes, g)
    rank = 0
    while rank < probes and g[rank * probes + rank].real ** 2 > _DEPENDENT * norms[rank]:
        rank += 1
    if rank < seeds or rank == 0:
        return -1
    y = _scaled(rows, probes, y, w)
    b = np.empty(rank * cols, dtype=np.complex128)
    gemm(ADJOINT, PLAIN, rank, cols, rows, 1.0, y, probes, c, cols, 0.0, b, cols)
    solve_lower(rank, cols, g, probes, b, cols)
    squares = np.empty(rank)
    gram_rows(rank, cols, b, cols, g)
    eigh(rank, g, squares)
    return _normalized_rows(found, _FLOOR_GRAM, squares, rank, cols, g, rank, b, v)


@njit(cache=True, nogil=True)
def probes_for(seeds, probes, cols, old, column, right, side, r_dims, seed):
    """``omega (probes, cols)`` for `by_range`: old right singular vectors, then random rows.

    ``column``, ``right`` (p) place the blocks of this middle sector, sector ``old`` of ``side``
    (-1: new).
    """
    omega = np.zeros(probes * cols, dtype=np.complex128)
    extra = probes - seeds
    noise = omega[seeds * cols :]
    fill_random(extra * cols, noise, seed)
    if old < 0:
        return omega
    width = side.width[old]
    for p in range(column.size):
        if column[p] >= 0 and side.column[old, p] >= 0:
            size = r_dims[right[p]]
            for i in range(seeds):
                at = side.start[old] + i * width + side.column[old, p]
                to = i * cols + column[p]
                omega[to : to + size] = side.data[at : at + size]
    overlap = np.empty(extra * seeds, dtype=np.complex128)
    gemm(PLAIN, ADJOINT, extra, seeds, cols, 1.0, noise, cols, omega, cols, 0.0, overlap, seeds)
    gemm(PLAIN, PLAIN, extra, cols, seeds, -1.0, overlap, seeds, omega, cols, 1.0, noise, cols)
    return omega


@njit(cache=True, nogil=True)
def select(squares, count, base, cutoff, min_dim, max_dim, total, lost):
    """How many of the descending squares of each sector to keep, and the weight discarded.

    Discards the smallest ones while their sum, with what is lost already, stays below
    ``cutoff * total``; then as many as it takes to keep no more than ``max_dim``.  The first
    ``min_dim`` go only if they are below ``cutoff**2 * total`` each.
    """
    number = count.sum()
    values = np.empty(number)
    owner = np.empty(number, dtype=np.int64)
    k = 0
    for c in range(count.size):
        for j in range(count[c]):
            values[k] = squares[base[c] + j]
            owner[k] = c
            k += 1
    order = np.argsort(values)
    kept = count.copy()
    weight = lost
    for k in range(number - 1):
        value = values[order[k]]
        small = value <= cutoff * cutoff * total or number - k > min_dim
        if number - k <= max_dim and not (small and weight + value <= cutoff * total):
            break
        weight += value
        kept[owner[order[k]]] -= 1
    return kept, weight
