"""Compiled canonicalization of one site at a time: orthonormalize, pass the rest on.

A sweep is a loop over sites in `state`; these kernels do the work of one site for all its
charge sectors: decompose its tensor, and multiply the factor that is left over into the tensor
of the next site (`absorb`).  No step divides by a Schmidt value.
"""

import numpy as np
from numba import njit

from tnspin.mps.kernels.decompose import select
from tnspin.mps.kernels.layout import (
    find,
    gather_columns,
    gather_rows,
    scatter_columns,
    set_rows,
    starts_of,
)
from tnspin.numerics.eigen import eigh
from tnspin.numerics.lapack import (
    ADJOINT,
    PLAIN,
    cholesky,
    gemm,
    gram_columns,
    gram_rows,
    lq,
    qr,
    solve_lower,
    svd,
)

#: Rows whose independent part (of the square) falls below this are orthonormalized by Householder
#: reflections; above it a Cholesky factor leaves them orthonormal to 1e-13.
_INDEPENDENT = 0.1


@njit(cache=True, nogil=True)
def orthonormalize_left(l_keys, l_dims, r_keys, r_dims, q, offset, data):
    """QR of a site, grouped by right sector.

    Returns the new right dimensions (0 for sectors that cannot be reached), the
    left-orthonormal tensor and, flat per right sector, the factors R (new, old).
    """
    stack = gather_rows(r_keys, r_dims, l_keys, l_dims, q, offset, data)
    dims = np.minimum(stack.height, r_dims)
    r_start = starts_of(dims * r_dims)
    start = starts_of(stack.height * dims)
    carry = np.empty(r_start[-1], dtype=np.complex128)
    new_offset = np.full(offset.shape, -1, dtype=np.int64)
    new_data = np.empty(start[-1], dtype=np.complex128)
    for m in range(r_keys.size):
        if dims[m] == 0:
            continue
        block = stack.data[stack.start[m] : stack.start[m + 1]]
        qr(stack.height[m], r_dims[m], block, carry[r_start[m] :])
        new_data[start[m] : start[m + 1]] = block[: stack.height[m] * dims[m]]
        set_rows(stack.row[m], stack.left[m], start[m], dims[m], new_offset)
    return dims, new_offset, new_data, r_start, carry


@njit(cache=True, nogil=True)
def absorb(on_left, dims, c_start, carry, l_keys, l_dims, r_keys, r_dims, q, offset, data):
    """Multiply every block by the factor of its sector on one side.

    ``dims``: new dimensions of these sectors; ``carry``: (new, old) on the left, (old, new) on the
    right.
    """
    new_left, new_right = (dims, r_dims) if on_left else (l_dims, dims)
    new_offset = np.full(offset.shape, -1, dtype=np.int64)
    right = np.full(offset.shape, -1, dtype=np.int64)
    size = 0
    for sector in range(l_keys.size):
        for p in range(q.size):
            if offset[sector, p] >= 0:
                r = find(r_keys, l_keys[sector] + q[p])
                if dims[sector if on_left else r] > 0:
                    new_offset[sector, p], right[sector, p] = size, r
                    size += new_left[sector] * new_right[r]
    out = np.empty(size, dtype=np.complex128)
    for sector in range(l_keys.size):
        for p in range(q.size):
            r = right[sector, p]
            if r < 0:
                continue
            height, width = new_left[sector], new_right[r]
            block, to = data[offset[sector, p] :], out[new_offset[sector, p] :]
            if on_left:
                gemm(PLAIN, PLAIN, height, width, l_dims[sector], 1.0, carry[c_start[sector] :],
                     l_dims[sector], block, width, 0.0, to, width)  # fmt: skip
            else:
                gemm(PLAIN, PLAIN, height, width, r_dims[r], 1.0, block, r_dims[r],
                     carry[c_start[r] :], width, 0.0, to, width)  # fmt: skip
    return new_offset, out


@njit(cache=True, nogil=True)
def _orthonormal_rows(rows, cols, block, low):
    """``block = low q``: the first k rows of ``block`` become the orthonormal q; returns k.

    Cholesky where the rows are nearly orthonormal already, as they are after a few Trotter
    steps; Householder reflections otherwise.
    """
    if rows <= cols:
        gram_rows(rows, cols, block, cols, low)
        norms = np.empty(rows)
        for j in range(rows):
            norms[j] = low[j * rows + j].real
        good = cholesky(rows, low) == 0
        for j in range(rows):
            good = good and low[j * rows + j].real ** 2 > _INDEPENDENT * norms[j]
        if good:
            solve_lower(rows, cols, low, rows, block, cols)
            for i in range(rows):
                low[i * rows + i + 1 : (i + 1) * rows] = 0.0
            return rows
    return lq(rows, cols, block, low)


@njit(cache=True, nogil=True)
def right_isometry(l_keys, l_dims, r_keys, r_dims, q, offset, data):
    """Make a site right-orthonormal, sector by sector, without looking at Schmidt values.

    Returns new left dimensions, tensor, factor starts and factors (old, new).
    """
    side = gather_columns(l_keys, l_dims, r_keys, r_dims, q, offset, data)
    dims = np.minimum(l_dims, side.width)
    c_start = starts_of(dims * l_dims)
    carry = np.empty(c_start[-1], dtype=np.complex128)
    new_offset = np.full(offset.shape, -1, dtype=np.int64)
    new_data = np.empty((dims * side.width).sum(), dtype=np.complex128)
    to = 0
    for m in range(l_keys.size):
        if dims[m] == 0:
            continue
        block = side.data[side.start[m] : side.start[m + 1]]
        _orthonormal_rows(l_dims[m], side.width[m], block, carry[c_start[m] :])
        to = scatter_columns(dims[m], side.width[m], side.column[m], side.right[m], r_dims, block,
                             new_offset[m], new_data, to)  # fmt: skip
    return dims, new_offset, new_data, c_start, carry


@njit(cache=True, nogil=True)
def _weighted_rows(m, k, stack, l_dims, l_start, l_schmidt):
    """Matrix m (height, k) of ``stack`` with every row times its left Schmidt value."""
    theta = np.empty(stack.height[m] * k, dtype=np.complex128)
    block = stack.data[stack.start[m] : stack.start[m + 1]]
    for p in range(stack.row.shape[1]):
        if stack.row[m, p] < 0:
            continue
        sector = stack.left[m, p]
        for i in range(l_dims[sector]):
            x = l_schmidt[l_start[sector] + i]
            for j in range((stack.row[m, p] + i) * k, (stack.row[m, p] + i + 1) * k):
                theta[j] = x * block[j]
    return theta


@njit(cache=True, nogil=True)
def rotate_to_schmidt(l_schmidt, l_keys, l_dims, r_keys, r_dims, q, offset, data):
    """Turn the right bond of a right-orthonormal site into its Schmidt basis.

    The left bond must be in its Schmidt basis.  The reduced density matrix of the right bond is
    t^H t with t = diag(lambda) B; its eigenvectors X turn B into B X.  Returns the new right
    dimensions, Schmidt values, tensor, and X^H (new, old) with its starts for the next site.
    """
    stack = gather_rows(r_keys, r_dims, l_keys, l_dims, q, offset, data)
    l_start = starts_of(l_dims)
    n = r_keys.size
    dims = np.zeros(n, dtype=np.int64)
    c_start = np.zeros(n + 1, dtype=np.int64)
    turns = np.empty((r_dims * r_dims).sum(), dtype=np.complex128)
    schmidt = np.empty(r_dims.sum())
    new_offset = np.full(offset.shape, -1, dtype=np.int64)
    new_data = np.empty(stack.start[n], dtype=np.complex128)
    to, at = 0, 0
    for m in range(n):
        k, height = r_dims[m], stack.height[m]
        theta = _weighted_rows(m, k, stack, l_dims, l_start, l_schmidt)
        g = np.empty(k * k, dtype=np.complex128)
        squares = np.empty(k)
        gram_columns(height, k, theta, k, g)
        eigh(k, g, squares)
        # Directions of no weight stay: without them the rows of the next site of no weight
        # would not be orthonormal.  A sector that nothing on the left reaches goes.
        keep = k if height > 0 else 0
        for j in range(keep):
            schmidt[at + j] = np.sqrt(max(squares[k - 1 - j], 0.0))
        at += keep
        dims[m] = keep
        c_start[m + 1] = c_start[m] + keep * k
        if keep == 0:
            continue
        turn = turns[c_start[m] :]
        for j in range(keep):
            turn[j * k : (j + 1) * k] = g[(k - 1 - j) * k : (k - j) * k]
        gemm(PLAIN, ADJOINT, height, keep, k, 1.0, stack.data[stack.start[m] :], k, turn, k, 0.0,
             new_data[to:], keep)  # fmt: skip
        set_rows(stack.row[m], stack.left[m], to, keep, new_offset)
        to += height * keep
    return dims, schmidt[:at], new_offset, new_data[:to], c_start, turns


@njit(cache=True, nogil=True)
def _split_rows(rows, cols, block, found, low):
    """``block = low q`` with orthogonal columns of ``low (rows, k)``, of squared norm ``found``.

    The first k rows of ``block`` become the orthonormal q.
    """
    k = min(rows, cols)
    factor = np.empty(rows * k, dtype=np.complex128)
    lq(rows, cols, block, factor)
    rotation = np.empty(k * k, dtype=np.complex128)
    s = np.empty(k)
    u = np.empty(rows * k, dtype=np.complex128)
    svd(rows, k, factor.copy(), s, u, rotation)
    gemm(PLAIN, ADJOINT, rows, k, k, 1.0, factor, k, rotation, k, 0.0, low, k)
    turned = np.empty(k * cols, dtype=np.complex128)
    gemm(PLAIN, PLAIN, k, cols, k, 1.0, rotation, k, block, cols, 0.0, turned, cols)
    block[: k * cols] = turned
    found[:k] = s * s
    return k


@njit(cache=True, nogil=True)
def orthonormalize_right(cutoff, max_dim, l_keys, l_dims, r_keys, r_dims, q, offset, data):
    """Split a site by left sector into right-orthonormal rows and what stays on its left.

    With orthonormal tensors on the left, the norms of the factors are the Schmidt values, and
    truncation is optimal.  Returns new left dimensions, Schmidt values (normalized), tensor,
    factor starts and factors (old, new) and the discarded share.
    """
    side = gather_columns(l_keys, l_dims, r_keys, r_dims, q, offset, data)
    n = l_keys.size
    small = np.minimum(l_dims, side.width)
    base, low_start = starts_of(small), starts_of(small * l_dims)
    found = np.empty(base[n])
    low = np.empty(low_start[n], dtype=np.complex128)
    for m in range(n):
        if small[m] > 0:
            _split_rows(l_dims[m], side.width[m], side.data[side.start[m] : side.start[m + 1]],
                        found[base[m] :], low[low_start[m] :])  # fmt: skip
    total = found.sum()
    # Round-off directions go even without truncation; they carry no norm.
    kept, discarded = select(found, small, base, max(cutoff, 1e-30), 1, max_dim, total, 0.0)
    norm = np.sqrt(max(total - discarded, 0.0))
    schmidt = np.empty(kept.sum())
    new_offset = np.full(offset.shape, -1, dtype=np.int64)
    c_start = starts_of(l_dims * kept)
    carry = np.empty(c_start[n], dtype=np.complex128)
    new_data = np.empty((kept * side.width).sum(), dtype=np.complex128)
    at, to = 0, 0
    for m in range(n):
        k = small[m]
        schmidt[at : at + kept[m]] = np.sqrt(found[base[m] : base[m] + kept[m]]) / norm
        at += kept[m]
        for i in range(l_dims[m]):
            for j in range(kept[m]):
                carry[c_start[m] + i * kept[m] + j] = low[low_start[m] + i * k + j]
        if kept[m] > 0:
            to = scatter_columns(
                kept[m], side.width[m], side.column[m], side.right[m], r_dims,
                side.data[side.start[m] :], new_offset[m], new_data, to,
            )  # fmt: skip
    share = discarded / total if total > 0.0 else 0.0
    return kept, schmidt, new_offset, new_data, c_start, carry, share
