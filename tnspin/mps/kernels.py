"""The compiled two-site update of block-sparse TEBD.

Every basis state of a site has a definite charge, encoded with all U(1) charges in one
additive integer key (see `charges`), so a site tensor is a set of blocks
``(left sector, physical state) -> matrix``; the right sector follows::

        l --[ A ]-- m --[ B ]-- r        key[m] = key[l] + q1[p1]
              |           |              key[r] = key[m] + q2[p2]
              p1          p2

A tensor is a table ``offset[left sector, p]`` (-1: no block) into one flat buffer of
row-major blocks.  `update_bond` never touches Python objects and runs without the
interpreter lock, so bonds of one layer run in parallel threads.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .decompose import AUTO, GRAM, RANGE, SVD, by_gram, by_range, by_svd, fill_random
from .lapack import ADJOINT, PLAIN, gemm

#: Below this size a full Gram matrix costs less than a range finder.
_SMALL = 12
#: A range finder pays if its probes stay under this share of the smaller side.
_RANGE_SHARE = 0.9
#: Random probes added to the old singular vectors, as a share of their number: while the bond
#: grows, and once it is as large as allowed.
_OVERSAMPLING = 0.15
_OVERSAMPLING_FULL = 0.05


@njit(cache=True, nogil=True)
def find(keys, key):  # type: ignore[no-untyped-def]
    """Position of ``key`` in the ascending ``keys``, or -1."""
    low, high = 0, keys.size
    while low < high:
        middle = (low + high) // 2
        if keys[middle] < key:
            low = middle + 1
        else:
            high = middle
    return low if low < keys.size and keys[low] == key else -1


@njit(cache=True, nogil=True)
def _gather_rows(m_keys, m_dims, l_keys, l_dims, q, offset, data):  # type: ignore[no-untyped-def]
    """Stack the blocks of a left tensor by middle sector.

    Returns ``row (middle, p)`` (first row of that block, -1 if absent), the heights, the start
    of each stack in the new buffer, the left sector of each (middle, p) and the buffer.
    """
    n, d = m_keys.size, q.size
    row = np.full((n, d), -1, dtype=np.int64)
    left = np.full((n, d), -1, dtype=np.int64)
    height = np.zeros(n, dtype=np.int64)
    start = np.zeros(n + 1, dtype=np.int64)
    for m in range(n):
        for p in range(d):
            sector = find(l_keys, m_keys[m] - q[p])
            if sector >= 0 and offset[sector, p] >= 0:
                row[m, p] = height[m]
                left[m, p] = sector
                height[m] += l_dims[sector]
        start[m + 1] = start[m] + height[m] * m_dims[m]
    out = np.empty(start[n], dtype=np.complex128)
    for m in range(n):
        for p in range(d):
            if row[m, p] >= 0:
                size = l_dims[left[m, p]] * m_dims[m]
                to, at = start[m] + row[m, p] * m_dims[m], offset[left[m, p], p]
                out[to : to + size] = data[at : at + size]
    return row, left, height, start, out


@njit(cache=True, nogil=True)
def _gather_columns(m_keys, m_dims, r_keys, r_dims, q, offset, data):  # type: ignore[no-untyped-def]
    """Put the blocks of a right tensor side by side for each middle sector."""
    n, d = m_keys.size, q.size
    column = np.full((n, d), -1, dtype=np.int64)
    width = np.zeros(n, dtype=np.int64)
    start = np.zeros(n + 1, dtype=np.int64)
    for m in range(n):
        for p in range(d):
            if offset[m, p] >= 0:
                column[m, p] = width[m]
                width[m] += r_dims[find(r_keys, m_keys[m] + q[p])]
        start[m + 1] = start[m] + width[m] * m_dims[m]
    out = np.empty(start[n], dtype=np.complex128)
    for m in range(n):
        for p in range(d):
            if column[m, p] >= 0:
                size = r_dims[find(r_keys, m_keys[m] + q[p])]
                for i in range(m_dims[m]):
                    to = start[m] + i * width[m] + column[m, p]
                    at = offset[m, p] + i * size
                    out[to : to + size] = data[at : at + size]
    return column, width, start, out


@njit(cache=True, nogil=True)
def _reachable(m_keys, row, left, column, r_of, l_keys, q1, q2, pointer, source):  # type: ignore[no-untyped-def]
    """Blocks ``(l, p1, p2, r)`` that the gate can fill, as rows of an int table.

    The last column is the key of the new middle sector.
    """
    d1, d2 = q1.size, q2.size
    limit = 0
    for m in range(m_keys.size):
        for p1 in range(d1):
            limit += d2 * d1 * d2 if row[m, p1] >= 0 else 0
    seen = np.zeros((l_keys.size, d1 * d2), dtype=np.bool_)
    table = np.empty((min(limit, l_keys.size * d1 * d2), 5), dtype=np.int64)
    # `source` lists the inputs of each output; walk the inputs that exist and mark outputs.
    count = 0
    for sector in range(l_keys.size):
        for out in range(d1 * d2):
            p1, p2 = out // d2, out % d2
            for entry in range(pointer[out], pointer[out + 1]):
                a, b = source[entry] // d2, source[entry] % d2
                m = find(m_keys, l_keys[sector] + q1[a])
                if m < 0 or row[m, a] < 0 or column[m, b] < 0:
                    continue
                if not seen[sector, out]:
                    seen[sector, out] = True
                    table[count, 0] = sector
                    table[count, 1] = p1
                    table[count, 2] = p2
                    table[count, 3] = r_of[m, b]
                    table[count, 4] = l_keys[sector] + q1[p1]
                    count += 1
    return table[:count]


@njit(cache=True, nogil=True, fastmath=True)
def _axpy_block(rows, cols, amplitude, source, at, stride_in, target, to, stride_out):  # type: ignore[no-untyped-def]
    """``target block += amplitude * source block`` on interleaved real and imaginary parts."""
    real, imag = amplitude.real, amplitude.imag
    if imag == 0.0:
        for i in range(rows):
            a, b = 2 * (at + i * stride_in), 2 * (to + i * stride_out)
            for j in range(2 * cols):
                target[b + j] += real * source[a + j]
    elif real == 0.0:  # hopping amplitudes are purely imaginary
        for i in range(rows):
            a, b = 2 * (at + i * stride_in), 2 * (to + i * stride_out)
            for j in range(cols):
                target[b + 2 * j] -= imag * source[a + 2 * j + 1]
                target[b + 2 * j + 1] += imag * source[a + 2 * j]
    else:
        for i in range(rows):
            a, b = 2 * (at + i * stride_in), 2 * (to + i * stride_out)
            for j in range(cols):
                x, y = source[a + 2 * j], source[a + 2 * j + 1]
                target[b + 2 * j] += real * x - imag * y
                target[b + 2 * j + 1] += real * y + imag * x


@njit(cache=True, nogil=True)
def _select(found, counts, base, cutoff, max_dim, total, lost):  # type: ignore[no-untyped-def]
    """How many of the descending squares of each block to keep: ``kept (blocks)``.

    Discards the smallest ones while their sum, with what the range finders lost already, stays
    below ``cutoff * total``; then down to ``max_dim`` altogether.
    """
    n = counts.size
    number = 0
    for c in range(n):
        number += counts[c]
    values = np.empty(number)
    owner = np.empty(number, dtype=np.int64)
    k = 0
    for c in range(n):
        for j in range(counts[c]):
            values[k] = found[base[c] + j]
            owner[k] = c
            k += 1
    order = np.argsort(values)
    kept = counts.copy()
    weight = lost
    for k in range(number - 1):
        value = values[order[k]]
        if number - k <= max_dim and weight + value > cutoff * total:
            break
        weight += value
        kept[owner[order[k]]] -= 1
    return kept, weight


@njit(cache=True, nogil=True)
def update_bond(  # type: ignore[no-untyped-def]
    l_keys, l_dims, l_schmidt, m_keys, m_dims, r_keys, r_dims, a_offset, a_data, b_offset, b_data,
    q1, q2, pointer, source, amplitude, cutoff, max_dim, method, seed,
):  # fmt: skip
    """Apply a two-site gate and truncate the bond between the sites.

    ``a``, ``b`` are right-orthonormal site tensors, ``l_schmidt`` the Schmidt values left of
    ``a``.  The gate is a compressed row table: output state ``p1 d2 + p2`` is the sum over
    entries ``pointer[out]:pointer[out + 1]`` of ``amplitude * source``.  Returns the new middle
    bond (keys, dims, Schmidt values), both tensors (offset table, data), the discarded share
    of the norm and a count of work (see `_work`).
    """
    d1, d2 = q1.size, q2.size
    row, left, height, stack_start, stack = _gather_rows(
        m_keys, m_dims, l_keys, l_dims, q1, a_offset, a_data
    )
    column, width, b_start, side = _gather_columns(
        m_keys, m_dims, r_keys, r_dims, q2, b_offset, b_data
    )
    n = m_keys.size
    r_of = np.full((n, d2), -1, dtype=np.int64)
    product_start = np.zeros(n + 1, dtype=np.int64)
    for m in range(n):
        product_start[m + 1] = product_start[m] + height[m] * width[m]
        for p in range(d2):
            if column[m, p] >= 0:
                r_of[m, p] = find(r_keys, m_keys[m] + q2[p])
    product = np.empty(product_start[n], dtype=np.complex128)
    for m in range(n):
        gemm(PLAIN, PLAIN, height[m], width[m], m_dims[m], 1.0, stack[stack_start[m] :], m_dims[m],
             side[b_start[m] :], width[m], 0.0, product[product_start[m] :], width[m])  # fmt: skip

    table = _reachable(m_keys, row, left, column, r_of, l_keys, q1, q2, pointer, source)
    c_keys = np.unique(table[:, 4])
    nc = c_keys.size
    c_row = np.full((nc, d1), -1, dtype=np.int64)
    c_column = np.full((nc, d2), -1, dtype=np.int64)
    c_left = np.full((nc, d1), -1, dtype=np.int64)
    c_right = np.full((nc, d2), -1, dtype=np.int64)
    c_of = np.empty(table.shape[0], dtype=np.int64)
    for t in range(table.shape[0]):
        c = find(c_keys, table[t, 4])
        c_of[t] = c
        c_left[c, table[t, 1]] = table[t, 0]
        c_right[c, table[t, 2]] = table[t, 3]
    rows = np.zeros(nc, dtype=np.int64)
    cols = np.zeros(nc, dtype=np.int64)
    c_start = np.zeros(nc + 1, dtype=np.int64)
    for c in range(nc):
        for p in range(d1):
            if c_left[c, p] >= 0:
                c_row[c, p] = rows[c]
                rows[c] += l_dims[c_left[c, p]]
        for p in range(d2):
            if c_right[c, p] >= 0:
                c_column[c, p] = cols[c]
                cols[c] += r_dims[c_right[c, p]]
        c_start[c + 1] = c_start[c] + rows[c] * cols[c]
    coefficient = np.zeros(c_start[nc], dtype=np.complex128)
    _apply_gate(table, c_of, c_start, c_row, c_column, cols, l_keys, l_dims, r_dims, q1, m_keys,
                row, column, width, product_start, product, coefficient, d2, pointer, source,
                amplitude)  # fmt: skip

    l_at = np.zeros(l_dims.size + 1, dtype=np.int64)
    for sector in range(l_dims.size):
        l_at[sector + 1] = l_at[sector] + l_dims[sector]
    weights = np.empty(rows.sum())
    w_start = np.zeros(nc + 1, dtype=np.int64)
    for c in range(nc):
        w_start[c + 1] = w_start[c] + rows[c]
        for p in range(d1):
            if c_left[c, p] >= 0:
                sector = c_left[c, p]
                to = w_start[c] + c_row[c, p]
                weights[to : to + l_dims[sector]] = l_schmidt[l_at[sector] : l_at[sector + 1]]

    norms = _block_norms(nc, rows, cols, c_start, coefficient, w_start, weights)
    total = norms.sum()
    base = np.zeros(nc + 1, dtype=np.int64)
    v_start = np.zeros(nc + 1, dtype=np.int64)
    for c in range(nc):
        k = min(rows[c], cols[c])
        base[c + 1] = base[c] + k
        v_start[c + 1] = v_start[c] + k * cols[c]
    a_start = np.zeros(nc + 1, dtype=np.int64)
    e_start = np.zeros(nc + 1, dtype=np.int64)
    for c in range(nc):
        k = base[c + 1] - base[c]
        a_start[c + 1] = a_start[c] + k * rows[c]
        e_start[c + 1] = e_start[c] + k * k
    found = np.empty(base[nc])
    v = np.empty(v_start[nc], dtype=np.complex128)
    a = np.empty(a_start[nc], dtype=np.complex128)
    e = np.empty(e_start[nc], dtype=np.complex128)
    counts = np.zeros(nc, dtype=np.int64)
    rank = np.zeros(nc, dtype=np.int64)  # > 0: found by `by_range`
    lost = np.zeros(nc)
    oversampling = _OVERSAMPLING if m_dims.sum() < max_dim else _OVERSAMPLING_FULL
    for c in range(nc):
        block = coefficient[c_start[c] : c_start[c + 1]]
        w = weights[w_start[c] : w_start[c + 1]]
        old = find(m_keys, c_keys[c])
        small = min(rows[c], cols[c])
        seeds = m_dims[old] if old >= 0 else 0
        probes = seeds + 2 + int(oversampling * seeds)
        if method == RANGE or (
            method == AUTO and small > _SMALL and probes < _RANGE_SHARE * small
        ):
            probes = min(probes, small)
            seeds = min(seeds, probes)
            sigma = _probes(seeds, probes, rows[c], d1, old, c_row[c], row, l_dims, c_left[c],
                            m_dims, stack, stack_start, w, seed + c)  # fmt: skip
            got = by_range(rows[c], cols[c], block, w, seeds, sigma, probes, v[v_start[c] :],
                           a[a_start[c] :], e[e_start[c] :], found[base[c] :])  # fmt: skip
            if got > 0:
                rank[c] = got
                counts[c] = _descend(got, found[base[c] :])
                lost[c] = max(0.0, norms[c] - found[base[c] : base[c] + counts[c]].sum())
                continue
        if method == SVD:
            counts[c] = by_svd(rows[c], cols[c], block, w, found[base[c] :], v[v_start[c] :])
        else:
            counts[c] = by_gram(rows[c], cols[c], block, w, found[base[c] :], v[v_start[c] :])

    kept, discarded = _select(found, counts, base, cutoff, max_dim, total, lost.sum())
    if method != RANGE:
        again = False
        for c in range(nc):
            # A direction that was missed has at most the lost weight.  It could have been kept only
            # if every one that was found is: then look at the whole block.
            if rank[c] > 0 and kept[c] == counts[c] and lost[c] > 0.5 * cutoff * total / nc:
                counts[c] = by_gram(rows[c], cols[c], coefficient[c_start[c] : c_start[c + 1]],
                                    weights[w_start[c] : w_start[c + 1]], found[base[c] :],
                                    v[v_start[c] :])  # fmt: skip
                rank[c] = 0
                lost[c] = 0.0
                again = True
        if again:
            kept, discarded = _select(found, counts, base, cutoff, max_dim, total, lost.sum())
    return _form(nc, c_keys, kept, rank, rows, cols, c_start, coefficient, v_start, v, a_start, a,
                 e_start, e, base, found, l_dims, r_dims, c_left, c_right, c_row, c_column, total,
                 discarded)  # fmt: skip


@njit(cache=True, nogil=True)
def _descend(n, squares):  # type: ignore[no-untyped-def]
    """Reverse n ascending eigenvalues in place; returns how many are above round-off."""
    for j in range(n // 2):
        squares[j], squares[n - 1 - j] = squares[n - 1 - j], squares[j]
    count = n
    while count > 1 and squares[count - 1] <= 1e-15 * squares[0]:
        count -= 1
    return count


@njit(cache=True, nogil=True)
def _apply_gate(table, c_of, c_start, c_row, c_column, cols, l_keys, l_dims, r_dims, q1, m_keys, row,
                column, width, product_start, product, coefficient, d2, pointer, source,
                amplitude):  # type: ignore[no-untyped-def]  # fmt: skip
    """Fill the zeroed ``coefficient`` blocks with the gate's image of ``product``."""
    flat_in = product.view(np.float64)
    flat_out = coefficient.view(np.float64)
    for t in range(table.shape[0]):
        sector, p1, p2, right = table[t, 0], table[t, 1], table[t, 2], table[t, 3]
        c = c_of[t]
        to = c_start[c] + c_row[c, p1] * cols[c] + c_column[c, p2]
        out = p1 * d2 + p2
        for entry in range(pointer[out], pointer[out + 1]):
            a, b = source[entry] // d2, source[entry] % d2
            m = find(m_keys, l_keys[sector] + q1[a])
            if m < 0 or row[m, a] < 0 or column[m, b] < 0:
                continue
            at = product_start[m] + row[m, a] * width[m] + column[m, b]
            _axpy_block(l_dims[sector], r_dims[right], amplitude[entry], flat_in, at, width[m],
                        flat_out, to, cols[c])  # fmt: skip


@njit(cache=True, nogil=True, fastmath=True)
def _block_norms(nc, rows, cols, c_start, coefficient, w_start, weights):  # type: ignore[no-untyped-def]
    """Squared norm of each block of ``theta``."""
    norms = np.zeros(nc)
    flat = coefficient.view(np.float64)
    for c in range(nc):
        for i in range(rows[c]):
            part = 0.0
            begin = 2 * (c_start[c] + i * cols[c])
            for j in range(begin, begin + 2 * cols[c]):
                part += flat[j] * flat[j]
            norms[c] += part * weights[w_start[c] + i] ** 2
    return norms


@njit(cache=True, nogil=True)
def _probes(seeds, probes, rows, d1, old, c_row, row, l_dims, c_left, m_dims, stack, stack_start, w,
            seed):  # type: ignore[no-untyped-def]  # fmt: skip
    """Old left singular vectors of this middle sector in the new row order, then random columns.

    The random part is made orthogonal to the old one, which is orthogonal up to what truncation
    has done to the canonical form; that is close enough for a probe.
    """
    sigma = np.zeros(rows * probes, dtype=np.complex128)
    extra = probes - seeds
    noise = np.empty(rows * extra, dtype=np.complex128)
    fill_random(rows * extra, noise, seed)
    if old >= 0:
        height = m_dims[old]
        for p in range(d1):
            if c_row[p] < 0 or row[old, p] < 0:
                continue
            for i in range(l_dims[c_left[p]]):
                at = stack_start[old] + (row[old, p] + i) * height
                to = (c_row[p] + i) * probes
                x = w[c_row[p] + i]
                for j in range(seeds):
                    sigma[to + j] = x * stack[at + j]
        overlap = np.empty(seeds * extra, dtype=np.complex128)
        gemm(ADJOINT, PLAIN, seeds, extra, rows, 1.0, sigma, probes, noise, extra, 0.0, overlap,
             extra)  # fmt: skip
        norms = np.zeros(seeds)
        for i in range(rows):
            for j in range(seeds):
                x = sigma[i * probes + j]
                norms[j] += x.real * x.real + x.imag * x.imag
        for j in range(seeds):
            for k in range(extra):
                overlap[j * extra + k] /= max(norms[j], 1e-300)
        gemm(PLAIN, PLAIN, rows, extra, seeds, -1.0, sigma, probes, overlap, extra, 1.0, noise,
             extra)  # fmt: skip
    for i in range(rows):
        sigma[i * probes + seeds : (i + 1) * probes] = noise[i * extra : (i + 1) * extra]
    return sigma


@njit(cache=True, nogil=True)
def _form(nc, c_keys, kept, rank, rows, cols, c_start, coefficient, v_start, v, a_start, a, e_start,
          e, base, found, l_dims, r_dims, c_left, c_right, c_row, c_column, total, discarded):  # type: ignore[no-untyped-def]  # fmt: skip
    """New bond and tensors from the kept right singular vectors, normalized to one."""
    alive = np.flatnonzero(kept)
    n = alive.size
    keys = c_keys[alive]
    dims = kept[alive]
    d1, d2 = c_row.shape[1], c_column.shape[1]
    norm = np.sqrt(max(total - discarded, 0.0))
    schmidt = np.empty(dims.sum())
    a_offset = np.full((l_dims.size, d1), -1, dtype=np.int64)
    b_offset = np.full((n, d2), -1, dtype=np.int64)
    a_size, b_size, at = 0, 0, 0
    for k in range(n):
        a_size += rows[alive[k]] * dims[k]
        b_size += cols[alive[k]] * dims[k]
    a_data = np.empty(a_size, dtype=np.complex128)
    b_data = np.empty(b_size, dtype=np.complex128)
    a_at, b_at = 0, 0
    for k in range(n):
        c = alive[k]
        for j in range(dims[k]):
            schmidt[at] = np.sqrt(found[base[c] + j]) / norm
            at += 1
        right = v[v_start[c] :]
        if rank[c] > 0:
            right = np.empty(dims[k] * cols[c], dtype=np.complex128)
            turn = np.empty(dims[k] * rank[c], dtype=np.complex128)
            for j in range(dims[k]):
                at_e = e_start[c] + (rank[c] - 1 - j) * rank[c]
                turn[j * rank[c] : (j + 1) * rank[c]] = e[at_e : at_e + rank[c]]
            gemm(PLAIN, PLAIN, dims[k], cols[c], rank[c], 1.0, turn, rank[c], v[v_start[c] :],
                 cols[c], 0.0, right, cols[c])  # fmt: skip
            gemm(PLAIN, ADJOINT, rows[c], dims[k], rank[c], 1.0 / norm, a[a_start[c] :], rank[c],
                 turn, rank[c], 0.0, a_data[a_at:], dims[k])  # fmt: skip
        else:
            gemm(PLAIN, ADJOINT, rows[c], dims[k], cols[c], 1.0 / norm, coefficient[c_start[c] :],
                 cols[c], right, cols[c], 0.0, a_data[a_at:], dims[k])  # fmt: skip
        for p in range(d1):
            if c_row[c, p] >= 0:
                a_offset[c_left[c, p], p] = a_at + c_row[c, p] * dims[k]
        a_at += rows[c] * dims[k]
        for p in range(d2):
            if c_column[c, p] >= 0:
                size = r_dims[c_right[c, p]]
                b_offset[k, p] = b_at
                for i in range(dims[k]):
                    start = i * cols[c] + c_column[c, p]
                    b_data[b_at : b_at + size] = right[start : start + size]
                    b_at += size
    return keys, dims, schmidt, a_offset, a_data, b_offset, b_data, discarded / total, norm
