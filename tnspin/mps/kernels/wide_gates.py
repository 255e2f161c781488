"""Gates with many entries per row, as those of pairs of sites, by products of matrices.

The blocks of the two-site tensor between one left and one right sector, one for each pair of local
states, are the rows of a matrix X that the gate multiplies::

    x[p] (l, r)    ->    Y[p', (l, r)] = G[p', p] X[p, (l, r)]    ->    y[p'] (l, r)

Adding them up one by one, as `kernels` does for gates with few entries, moves every block as often
as there are entries in a row.
"""

import numpy as np
from numba import njit

from tnspin.mps.kernels.layout import find
from tnspin.numerics.lapack import PLAIN, gemm

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
