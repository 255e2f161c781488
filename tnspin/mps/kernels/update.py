"""The compiled two-site update of block-sparse TEBD::

    l --[ A ]-- m --[ B ]-- r        key[m] = key[l] + q1[p1]
          |           |              key[r] = key[m] + q2[p2]
          p1          p2

`update_bond` touches no Python object and runs without the interpreter lock, so the bonds of
one layer run in parallel threads.  See `layout` for how blocks are stored.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from tnspin.mps.kernels.decompose import (
    AUTO,
    RANGE,
    SVD,
    by_gram,
    by_range,
    by_svd,
    probes_for,
    select,
)
from tnspin.mps.kernels.layout import (
    find,
    gather_columns,
    gather_rows,
    scatter_columns,
    set_rows,
    stacked,
    starts_of,
)
from tnspin.numerics.lapack import ADJOINT, PLAIN, gemm

#: Below this size a full Gram matrix costs less than a range finder.
_SMALL = 12
#: A range finder pays if its probes stay under this share of the smaller side.
_RANGE_SHARE = 0.8
#: Random probes added to the old singular vectors, as a share of their number: while the bond
#: grows, and once it is as large as allowed.
_OVERSAMPLING = 0.3
_OVERSAMPLING_FULL = 0.03


class UpdateLayout(NamedTuple):
    """Blocks of the updated two-site tensor, one matrix (rows, cols) per new middle sector.

    ``table`` lists the blocks that the gate can fill as (left sector, p1, p2, right sector, new
    middle sector); ``row``/``left`` (middle, p1) and ``column``/``right`` (middle, p2) as in
    `RowBlocks` and `ColumnBlocks`; ``start`` is where each matrix begins.
    """

    keys: np.ndarray
    table: np.ndarray
    row: np.ndarray
    left: np.ndarray
    column: np.ndarray
    right: np.ndarray
    rows: np.ndarray
    cols: np.ndarray
    start: np.ndarray


class Triplets(NamedTuple):
    """Singular triplets of each matrix of a `UpdateLayout`, before truncation.

    ``squares[base[c]:][:counts[c]]`` descend; ``v``: right vectors as rows.  ``lost`` is the weight
    that a range finder (where ``ranged``) did not find, of the ``norm`` squared.
    """

    base: np.ndarray
    counts: np.ndarray
    squares: np.ndarray
    v_start: np.ndarray
    v: np.ndarray
    norm: np.ndarray
    ranged: np.ndarray
    lost: np.ndarray


@njit(cache=True, nogil=True)
def _reachable(m_keys, stack, side, l_keys, q1, q2, pointer, source):
    """Blocks that the gate can fill, `UpdateLayout.table` with the key of the new sector."""
    d1, d2 = q1.size, q2.size
    table = np.empty((l_keys.size * d1 * d2, 5), dtype=np.int64)
    count = 0
    for sector in range(l_keys.size):
        for out in range(d1 * d2):
            for entry in range(pointer[out], pointer[out + 1]):
                p1, p2 = source[entry] // d2, source[entry] % d2
                m = find(m_keys, l_keys[sector] + q1[p1])
                if m < 0 or stack.row[m, p1] < 0 or side.column[m, p2] < 0:
                    continue
                table[count, 0] = sector
                table[count, 1] = out // d2
                table[count, 2] = out % d2
                table[count, 3] = side.right[m, p2]
                table[count, 4] = l_keys[sector] + q1[out // d2]
                count += 1
                break
    return table[:count]


@njit(cache=True, nogil=True)
def _plan(m_keys, stack, side, l_keys, l_dims, r_dims, q1, q2, pointer, source):
    """Sectors, shapes and places of the updated two-site tensor."""
    table = _reachable(m_keys, stack, side, l_keys, q1, q2, pointer, source)
    keys = np.unique(table[:, 4])
    left = np.full((keys.size, q1.size), -1, dtype=np.int64)
    right = np.full((keys.size, q2.size), -1, dtype=np.int64)
    for t in range(table.shape[0]):
        c = find(keys, table[t, 4])
        table[t, 4] = c
        left[c, table[t, 1]] = table[t, 0]
        right[c, table[t, 2]] = table[t, 3]
    row, rows = stacked(left, l_dims)
    column, cols = stacked(right, r_dims)
    return UpdateLayout(keys, table, row, left, column, right, rows, cols, starts_of(rows * cols))


@njit(cache=True, nogil=True)
def multiply_sites(m_dims, stack, side):
    """Two-site tensor ``A B``, one matrix (height, width) per middle sector, and the starts."""
    start = starts_of(stack.height * side.width)
    product = np.empty(start[-1], dtype=np.complex128)
    for m in range(m_dims.size):
        gemm(PLAIN, PLAIN, stack.height[m], side.width[m], m_dims[m], 1.0,
             stack.data[stack.start[m] :], m_dims[m], side.data[side.start[m] :], side.width[m],
             0.0, product[start[m] :], side.width[m])  # fmt: skip
    return start, product


@njit(cache=True, nogil=True)
def _add_block(rows, cols, amplitude, source, at, stride_in, keep, target, to, stride_out):
    """``target block = keep * target block + amplitude * source block``, keep 0 or 1.

    Buffers are interleaved real and imaginary parts; with keep = 0 the target is not read.
    """
    real, imag = amplitude.real, amplitude.imag
    for i in range(rows):
        x, y = source[at + 2 * i * stride_in :], target[to + 2 * i * stride_out :]
        if keep == 0:
            for j in range(cols):
                y[2 * j] = real * x[2 * j] - imag * x[2 * j + 1]
                y[2 * j + 1] = real * x[2 * j + 1] + imag * x[2 * j]
        elif imag == 0.0:
            for j in range(2 * cols):
                y[j] += real * x[j]
        elif real == 0.0:  # hopping amplitudes are purely imaginary
            for j in range(cols):
                y[2 * j] -= imag * x[2 * j + 1]
                y[2 * j + 1] += imag * x[2 * j]
        else:
            for j in range(cols):
                y[2 * j] += real * x[2 * j] - imag * x[2 * j + 1]
                y[2 * j + 1] += real * x[2 * j + 1] + imag * x[2 * j]


@njit(cache=True, nogil=True)
def _apply_gate(plan, stack, side, start, product, m_keys, l_keys, l_dims, r_dims, q1, pointer,
                source, amplitude):  # fmt: skip
    """The gate's image of the two-site tensor ``product``, laid out by ``plan``."""
    d2 = plan.column.shape[1]
    coefficient = np.empty(plan.start[-1], dtype=np.complex128)
    filled = np.zeros(plan.keys.size, dtype=np.int64)
    for t in range(plan.table.shape[0]):
        filled[plan.table[t, 4]] += 1
    for c in range(plan.keys.size):
        if filled[c] < (plan.row[c] >= 0).sum() * (plan.column[c] >= 0).sum():
            coefficient[plan.start[c] : plan.start[c + 1]] = 0.0
    flat_in, flat_out = product.view(np.float64), coefficient.view(np.float64)
    for t in range(plan.table.shape[0]):
        sector, p1, p2, right, c = plan.table[t]
        to = plan.start[c] + plan.row[c, p1] * plan.cols[c] + plan.column[c, p2]
        keep = 0
        for entry in range(pointer[p1 * d2 + p2], pointer[p1 * d2 + p2 + 1]):
            a, b = source[entry] // d2, source[entry] % d2
            m = find(m_keys, l_keys[sector] + q1[a])
            if m < 0 or stack.row[m, a] < 0 or side.column[m, b] < 0:
                continue
            at = start[m] + stack.row[m, a] * side.width[m] + side.column[m, b]
            _add_block(l_dims[sector], r_dims[right], amplitude[entry], flat_in, 2 * at,
                       side.width[m], keep, flat_out, 2 * to, plan.cols[c])  # fmt: skip
            keep = 1
    return coefficient


@njit(cache=True, nogil=True)
def _row_weights(plan, l_dims, l_schmidt):
    """Left Schmidt value of every row of every matrix of ``plan``, and the starts."""
    at = starts_of(l_dims)
    start = starts_of(plan.rows)
    weights = np.empty(start[-1])
    for c in range(plan.keys.size):
        for p in range(plan.row.shape[1]):
            sector = plan.left[c, p]
            if sector >= 0:
                to = start[c] + plan.row[c, p]
                weights[to : to + l_dims[sector]] = l_schmidt[at[sector] : at[sector + 1]]
    return start, weights


@njit(cache=True, nogil=True)
def _sum_of_squares(n, x):
    """Sum of the squares of the first n entries, in eight interleaved parts.

    The order of additions is written out: left to the compiler, the last bits would depend on
    whether the code comes from the cache.
    """
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = 0.0
    whole = n - n % 8
    for j in range(0, whole, 8):
        s0 += x[j] * x[j]
        s1 += x[j + 1] * x[j + 1]
        s2 += x[j + 2] * x[j + 2]
        s3 += x[j + 3] * x[j + 3]
        s4 += x[j + 4] * x[j + 4]
        s5 += x[j + 5] * x[j + 5]
        s6 += x[j + 6] * x[j + 6]
        s7 += x[j + 7] * x[j + 7]
    for j in range(whole, n):
        s0 += x[j] * x[j]
    return ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7))


@njit(cache=True, nogil=True)
def _norms(plan, coefficient, w_start, weights):
    """Squared norm of each weighted matrix."""
    norms = np.zeros(plan.keys.size)
    flat = coefficient.view(np.float64)
    for c in range(plan.keys.size):
        for i in range(plan.rows[c]):
            row = flat[2 * (plan.start[c] + i * plan.cols[c]) :]
            norms[c] += _sum_of_squares(2 * plan.cols[c], row) * weights[w_start[c] + i] ** 2
    return norms


@njit(cache=True, nogil=True)
def _empty_found(plan, norms):
    """Room for all singular triplets of a plan."""
    n = plan.keys.size
    small = np.minimum(plan.rows, plan.cols)
    base, v_start = starts_of(small), starts_of(small * plan.cols)
    return Triplets(
        base, np.zeros(n, dtype=np.int64), np.empty(base[n]), v_start,
        np.empty(v_start[n], dtype=np.complex128), norms, np.zeros(n, dtype=np.bool_), np.zeros(n),
    )  # fmt: skip


@njit(cache=True, nogil=True)
def _decompose(plan, coefficient, w_start, weights, m_keys, m_dims, r_dims, side, max_dim, method,
               seed):  # fmt: skip
    """Singular triplets of every matrix, each by the cheapest method that is accurate enough."""
    found = _empty_found(plan, _norms(plan, coefficient, w_start, weights))
    oversampling = _OVERSAMPLING if m_dims.sum() < max_dim else _OVERSAMPLING_FULL
    for c in range(plan.keys.size):
        rows, cols = plan.rows[c], plan.cols[c]
        block = coefficient[plan.start[c] : plan.start[c + 1]]
        w = weights[w_start[c] : w_start[c + 1]]
        squares, v = found.squares[found.base[c] :], found.v[found.v_start[c] :]
        old = find(m_keys, plan.keys[c])
        small = min(rows, cols)
        seeds = m_dims[old] if old >= 0 else 0
        probes = seeds + 1 + int(oversampling * seeds)
        cheap = small > _SMALL and probes < _RANGE_SHARE * small
        if method == RANGE or (method == AUTO and cheap):
            probes = min(probes, small)
            seeds = min(seeds, probes)
            omega = probes_for(seeds, probes, cols, old, plan.column[c], plan.right[c], side,
                               r_dims, seed + c)  # fmt: skip
            count = by_range(rows, cols, block, w, seeds, omega, probes, squares, v)
            if count > 0:
                found.counts[c] = count
                found.ranged[c] = True
                found.lost[c] = max(0.0, found.norm[c] - squares[:count].sum())
                continue
        if method == SVD:
            found.counts[c] = by_svd(rows, cols, block, w, squares, v)
        else:
            found.counts[c] = by_gram(rows, cols, block, w, squares, v)
    return found


@njit(cache=True, nogil=True)
def _truncate(plan, found, coefficient, w_start, weights, cutoff, min_dim, max_dim, method):
    """Choose what to keep; decompose anew where the range finder may have missed some of it."""
    n, total = plan.keys.size, found.norm.sum()
    limits = cutoff, min_dim, max_dim, total
    kept, discarded = select(found.squares, found.counts, found.base, *limits, found.lost.sum())
    again = False
    for c in range(n):
        # A direction that was missed has at most the lost weight.  It could have been kept only if
        # every one that was found is: then look at the whole matrix.
        suspicious = found.ranged[c] and kept[c] == found.counts[c]
        if method != RANGE and suspicious and found.lost[c] > 0.5 * cutoff * total / n:
            found.counts[c] = by_gram(
                plan.rows[c], plan.cols[c], coefficient[plan.start[c] : plan.start[c + 1]],
                weights[w_start[c] : w_start[c + 1]], found.squares[found.base[c] :],
                found.v[found.v_start[c] :],
            )  # fmt: skip
            found.lost[c] = 0.0
            again = True
    if again:
        return select(found.squares, found.counts, found.base, *limits, found.lost.sum())
    return kept, discarded


@njit(cache=True, nogil=True)
def _form(plan, found, kept, norm, coefficient, n_left, r_dims):
    """New middle bond (keys, dims, Schmidt values) and both tensors (offset, data)."""
    alive = np.flatnonzero(kept)
    dims = kept[alive]
    schmidt = np.empty(dims.sum())
    a_offset = np.full((n_left, plan.row.shape[1]), -1, dtype=np.int64)
    b_offset = np.full((alive.size, plan.column.shape[1]), -1, dtype=np.int64)
    a_data = np.empty((plan.rows[alive] * dims).sum(), dtype=np.complex128)
    b_data = np.empty((plan.cols[alive] * dims).sum(), dtype=np.complex128)
    at, a_at, b_at = 0, 0, 0
    for k in range(alive.size):
        c = alive[k]
        for j in range(dims[k]):
            schmidt[at] = np.sqrt(found.squares[found.base[c] + j]) / norm
            at += 1
        v = found.v[found.v_start[c] :]
        gemm(PLAIN, ADJOINT, plan.rows[c], dims[k], plan.cols[c], 1.0 / norm,
             coefficient[plan.start[c] :], plan.cols[c], v, plan.cols[c], 0.0, a_data[a_at:],
             dims[k])  # fmt: skip
        set_rows(plan.row[c], plan.left[c], a_at, dims[k], a_offset)
        a_at += plan.rows[c] * dims[k]
        b_at = scatter_columns(dims[k], plan.cols[c], plan.column[c], plan.right[c], r_dims, v,
                               b_offset[k], b_data, b_at)  # fmt: skip
    return plan.keys[alive], dims, schmidt, a_offset, a_data, b_offset, b_data


@njit(cache=True, nogil=True)
def update_bond(
    l_keys, l_dims, l_schmidt, m_keys, m_dims, r_keys, r_dims, a_offset, a_data, b_offset, b_data,
    q1, q2, pointer, source, amplitude, cutoff, min_dim, max_dim, method, seed,
):  # fmt: skip
    """Apply a two-site gate and truncate the bond between the sites.

    ``a``, ``b`` are right-orthonormal site tensors, ``l_schmidt`` the Schmidt values left of
    ``a``.  The gate is a compiled row table, see `gates.Gate`.

    Returns
    -------
    tuple
        The new middle bond (keys, dims, Schmidt values), both tensors (offset, data each), the
        discarded share of the norm squared, and the norm by which the state has been divided.
    """
    stack = gather_rows(m_keys, m_dims, l_keys, l_dims, q1, a_offset, a_data)
    side = gather_columns(m_keys, m_dims, r_keys, r_dims, q2, b_offset, b_data)
    start, product = multiply_sites(m_dims, stack, side)
    plan = _plan(m_keys, stack, side, l_keys, l_dims, r_dims, q1, q2, pointer, source)
    if source.size >= WIDE * (pointer.size - 1):
        coefficient = apply_wide_gate(plan, stack, side, start, product, m_keys, l_keys, l_dims,
                                      r_dims, q1, pointer, source, amplitude)  # fmt: skip
    else:
        coefficient = _apply_gate(plan, stack, side, start, product, m_keys, l_keys, l_dims,
                                  r_dims, q1, pointer, source, amplitude)  # fmt: skip
    w_start, weights = _row_weights(plan, l_dims, l_schmidt)
    found = _decompose(plan, coefficient, w_start, weights, m_keys, m_dims, r_dims, side, max_dim,
                       method, seed)  # fmt: skip
    kept, discarded = _truncate(plan, found, coefficient, w_start, weights, cutoff, min_dim,
                                max_dim, method)  # fmt: skip
    total = found.norm.sum()
    norm = np.sqrt(max(total - discarded, 0.0))
    new = _form(plan, found, kept, norm, coefficient, l_keys.size, r_dims)
    return new, discarded / total, norm


# -------------------------------------------------- gates with many entries per row


#: Entries per row from which on this is faster.
WIDE = 12


@njit(cache=True, nogil=True)
def _sources(m_keys, stack, side, left_key, q1, d2, outs, table, pointer, source, place):
    """States from which those in ``outs`` (rows of ``table``) come, and where each block is.

    ``place[p]``: position of state p among them, -1 if it is none of them.
    """
    place[:] = -1
    states = np.empty(place.size, dtype=np.int64)
    middle = np.empty(place.size, dtype=np.int64)
    count = 0
    for t in outs:
        out = table[t, 1] * d2 + table[t, 2]
        for entry in range(pointer[out], pointer[out + 1]):
            p = source[entry]
            if place[p] != -1:
                continue
            m = find(m_keys, left_key + q1[p // d2])
            place[p] = -2
            if m >= 0 and stack.row[m, p // d2] >= 0 and side.column[m, p % d2] >= 0:
                place[p] = count
                states[count], middle[count] = p, m
                count += 1
    return states[:count], middle[:count]


@njit(cache=True, nogil=True)
def _taken(states, middle, stack, side, start, product, d2, height, width):
    """Blocks of the two-site tensor, each as one row."""
    x = np.empty(states.size * height * width, dtype=np.complex128)
    to = 0
    for n in range(states.size):
        m, a, b = middle[n], states[n] // d2, states[n] % d2
        stride = side.width[m]
        at = start[m] + stack.row[m, a] * stride + side.column[m, b]
        for _ in range(height):
            x[to : to + width] = product[at : at + width]
            to += width
            at += stride
    return x


@njit(cache=True, nogil=True)
def _matrix(outs, table, d2, place, count, pointer, source, amplitude):
    """The gate between these states, row by row."""
    g = np.zeros(outs.size * count, dtype=np.complex128)
    for k in range(outs.size):
        out = table[outs[k], 1] * d2 + table[outs[k], 2]
        for entry in range(pointer[out], pointer[out + 1]):
            if place[source[entry]] >= 0:
                g[k * count + place[source[entry]]] = amplitude[entry]
    return g


@njit(cache=True, nogil=True)
def apply_wide_gate(plan, stack, side, start, product, m_keys, l_keys, l_dims, r_dims, q1, pointer,
                    source, amplitude):  # fmt: skip
    """The gate's image of the two-site tensor ``product``, laid out by ``plan``."""
    d2 = plan.column.shape[1]
    table = plan.table
    coefficient = np.zeros(plan.start[-1], dtype=np.complex128)
    place = np.empty(pointer.size - 1, dtype=np.int64)
    label = table[:, 0] * r_dims.size + table[:, 3]
    order = np.argsort(label, kind="mergesort")
    first = 0
    while first < order.size:
        last = first
        while last < order.size and label[order[last]] == label[order[first]]:
            last += 1
        outs = order[first:last]
        sector, right = table[outs[0], 0], table[outs[0], 3]
        height, width = l_dims[sector], r_dims[right]
        states, middle = _sources(m_keys, stack, side, l_keys[sector], q1, d2, outs, table,
                                  pointer, source, place)  # fmt: skip
        x = _taken(states, middle, stack, side, start, product, d2, height, width)
        g = _matrix(outs, table, d2, place, states.size, pointer, source, amplitude)
        size = height * width
        y = np.empty(outs.size * size, dtype=np.complex128)
        gemm(PLAIN, PLAIN, outs.size, size, states.size, 1.0, g, states.size, x, size, 0.0, y,
             size)  # fmt: skip
        at = 0
        for t in outs:
            _, p1, p2, _, c = table[t]
            to = plan.start[c] + plan.row[c, p1] * plan.cols[c] + plan.column[c, p2]
            for _ in range(height):
                coefficient[to : to + width] = y[at : at + width]
                at += width
                to += plan.cols[c]
        first = last
    return coefficient
