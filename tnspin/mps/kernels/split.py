"""Compiled split of a two-site tensor into an isometry and a center.

The tensor is one matrix for each sector of the middle bond; the isometry holds the leading left
singular vectors of these matrices, the center what they leave of the tensor.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from tnspin.mps.kernels.decompose import SVD, select
from tnspin.mps.kernels.layout import find, scatter_columns, set_rows, stacked, starts_of
from tnspin.numerics.eigen import eigh
from tnspin.numerics.lapack import PLAIN, gemm, gram_rows, svd

#: Beyond this ratio of rows to columns the Gram matrix of the rows is mostly empty.
_TALL = 2


class PairLayout(NamedTuple):
    """A two-site tensor as one matrix per middle sector.

    ``row (middle, p)``, ``column (middle, q)``: first row, column of a block, -1 if absent;
    ``left``, ``right``: their sectors; ``rows``, ``cols``, ``start``: shape of each matrix and
    where it begins; ``row_keys``: key of each state of the first site.
    """

    keys: np.ndarray
    row: np.ndarray
    left: np.ndarray
    column: np.ndarray
    right: np.ndarray
    rows: np.ndarray
    cols: np.ndarray
    start: np.ndarray
    row_keys: np.ndarray


@njit(cache=True, nogil=True)
def _middle_keys(left, q1, allowed):
    every = np.empty(left.keys.size * q1.size, dtype=np.int64)
    count = 0
    for k in range(left.keys.size):
        for p in range(q1.size):
            if find(allowed, left.keys[k] + q1[p]) >= 0:
                every[count] = left.keys[k] + q1[p]
                count += 1
    return np.unique(every[:count])


@njit(cache=True, nogil=True)
def matrices(left, right, q1, q2, wide_state, allowed, offset, data):
    """`PairLayout` of a two-site tensor and its matrices.

    ``wide_state (d1 d2, 2)``: states of the first and second site of each state of the pair;
    ``allowed``: ascending keys of the middle bond from which the total charge can be reached.  A
    sector that the right side does not know yet has no columns: it may still be kept, as an
    empty direction.
    """
    keys = _middle_keys(left, q1, allowed)
    n = keys.size
    at_left = np.full((n, q1.size), -1, dtype=np.int64)
    at_right = np.full((n, q2.size), -1, dtype=np.int64)
    for m in range(n):
        for p in range(q1.size):
            at_left[m, p] = find(left.keys, keys[m] - q1[p])
        for r in range(q2.size):
            at_right[m, r] = find(right.keys, keys[m] + q2[r])
    row, rows = stacked(at_left, left.dims)
    column, cols = stacked(at_right, right.dims)
    start = starts_of(rows * cols)
    plan = PairLayout(keys, row, at_left, column, at_right, rows, cols, start, q1)
    theta = np.empty(start[n], dtype=np.complex128)
    for s in range(wide_state.shape[0]):
        p, r = wide_state[s, 0], wide_state[s, 1]
        for m in range(n):
            if row[m, p] < 0 or column[m, r] < 0:
                continue
            high, wide = left.dims[at_left[m, p]], right.dims[at_right[m, r]]
            at = offset[at_left[m, p], s]
            for i in range(high):
                to = start[m] + (row[m, p] + i) * cols[m] + column[m, r]
                theta[to : to + wide] = data[at + i * wide : at + (i + 1) * wide]
    return plan, theta


@njit(cache=True, nogil=True)
def _leading_rows(rows, cols, block, squares, vectors, method):
    """Left singular vectors, one adjoint per row of ``vectors (k, rows)``, squares descending."""
    k = min(rows, cols)
    if k == 0:
        return 0
    if method == SVD or rows > _TALL * cols:
        s = np.empty(k)
        u = np.empty(rows * k, dtype=np.complex128)
        vh = np.empty(k * cols, dtype=np.complex128)
        if svd(rows, cols, block[: rows * cols].copy(), s, u, vh) == 0:
            for j in range(k):
                squares[j] = s[j] * s[j]
                for i in range(rows):
                    vectors[j * rows + i] = u[i * k + j].conjugate()
            return k
    g = np.empty(rows * rows, dtype=np.complex128)
    values = np.empty(rows)
    gram_rows(rows, cols, block, cols, g)
    eigh(rows, g, values)
    for j in range(k):
        squares[j] = max(values[rows - 1 - j], 0.0)
        vectors[j * rows : (j + 1) * rows] = g[(rows - 1 - j) * rows : (rows - j) * rows]
    return k


@njit(cache=True, nogil=True)
def best_rows(plan, theta, cutoff, min_dim, max_dim, method):
    """The row space to keep of each matrix.

    Returns
    -------
    kept, start, vectors, discarded
        Number of states of each middle sector, where its vectors begin, the vectors (their
        adjoints, one per row), and the discarded share.
    """
    n = plan.keys.size
    small = np.minimum(plan.rows, plan.cols)
    base, start = starts_of(small), starts_of(small * plan.rows)
    squares = np.zeros(base[n])
    vectors = np.empty(start[n], dtype=np.complex128)
    count = np.zeros(n, dtype=np.int64)
    for m in range(n):
        count[m] = _leading_rows(plan.rows[m], plan.cols[m], theta[plan.start[m] :],
                                 squares[base[m] :], vectors[start[m] :], method)  # fmt: skip
    total = squares.sum()
    # Round-off directions go even without truncation; they carry no norm.
    kept, discarded = select(squares, count, base, max(cutoff, 1e-30), min_dim, max_dim, total,
                             0.0)  # fmt: skip
    return kept, start, vectors, discarded / total


@njit(cache=True, nogil=True)
def form(plan, theta, dims, start, vectors, certain, left, right):
    """Isometry and center of the split.

    Parameters
    ----------
    dims, start, vectors
        States of each middle sector as `best_rows` gives them.
    certain
        How many of them theta may have a share of; it has none of the rest.

    Returns
    -------
    tuple
        Middle keys and dims, isometry (offset, data), normalized center (offset, data).
    """
    alive = np.flatnonzero(dims)
    a_offset = np.full((left.keys.size, plan.row.shape[1]), -1, dtype=np.int64)
    b_offset = np.full((alive.size, plan.column.shape[1]), -1, dtype=np.int64)
    a_data = np.empty((plan.rows * dims).sum(), dtype=np.complex128)
    b_data = np.zeros((plan.cols * dims).sum(), dtype=np.complex128)
    a_at, b_at, total = 0, 0, 0.0
    for i in range(alive.size):
        m = alive[i]
        k, rows, cols = dims[m], plan.rows[m], plan.cols[m]
        set_rows(plan.row[m], plan.left[m], a_at, k, a_offset)
        block = a_data[a_at : a_at + rows * k]
        for j in range(k):
            for r in range(rows):
                block[r * k + j] = vectors[start[m] + j * rows + r].conjugate()
        a_at += rows * k
        center = np.zeros(k * cols, dtype=np.complex128)
        gemm(PLAIN, PLAIN, certain[m], cols, rows, 1.0, vectors[start[m] :], rows,
             theta[plan.start[m] :], cols, 0.0, center, cols)  # fmt: skip
        b_at = scatter_columns(k, cols, plan.column[m], plan.right[m], right.dims, center,
                               b_offset[i], b_data, b_at)  # fmt: skip
        for j in range(center.size):
            total += center[j].real ** 2 + center[j].imag ** 2
    norm = np.sqrt(total)
    for j in range(b_data.size):
        b_data[j] /= norm
    return plan.keys[alive], dims[alive], a_offset, a_data, b_offset, b_data
