"""Compiled action of an MPO between two environments on a tensor of one or two sites.

A tensor of two sites is stored like that of one: blocks ``(left sector, local state) -> matrix``
(`blocks.Tensor`), the local state of two sites being ``p d2 + q``.  Both ends of the chain look
the same from inside: the right one is the left one of the mirrored chain (`mirror`), whose sites
carry the negative keys.

Everything is done bra sector by bra sector, each step on contiguous memory::

    L[a, c] (n D', D) @ theta[k, s] (D, cols)  ->  (n, D', cols)     one product per block
    W[c, c', s', s] (n', n) @ (n, D' cols)     ->  (n', D', cols)    once per site
    (n', D', cols) @ R[b, c']^T (n', cols, D)  ->  (D', D)

The identities that stand to the left of "not begun" and to the right of "done" are never
multiplied.  Classes of MPO states are those of equal charge (`mpo_tables.MpoBond`), and hops are
the blocks of W between them (`mpo_tables.Hops`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit

from tnspin.mps.blocks import Tensor
from tnspin.mps.kernels.decompose import fill_random
from tnspin.mps.kernels.layout import find, starts_of
from tnspin.mps.mpo_tables import MpoBond, MpoTables
from tnspin.numerics.lapack import ADJOINT, PLAIN, gemm

#: BLAS flag: transposed, not conjugated.
TRANSPOSE = 84


class Leg(NamedTuple):
    """Sectors of a bond: ascending ``keys`` and their ``dims``."""

    keys: np.ndarray
    dims: np.ndarray


class MpoEnvironment(NamedTuple):
    """One end of the chain between bra and ket.

    Attributes
    ----------
    charges, widths
        Classes of MPO states (`MpoBond`).
    one
        Class and place of the MPO state for which the end is the identity.
    offset
        ``(bra sector, class)``: place in ``data`` of the block (width, D_bra, D_ket); the ket has
        the key of the bra less the charge.
    data
        All blocks.
    """

    charges: np.ndarray
    widths: np.ndarray
    one: tuple[int, int]
    offset: np.ndarray
    data: np.ndarray


def edge(channels: MpoBond, one: tuple[int, int]) -> MpoEnvironment:
    """The empty environment at an end of the chain whose MPO states are ``channels``."""
    offset, data = np.zeros((1, 1), dtype=np.int64), np.ones(1, dtype=np.complex128)
    return MpoEnvironment(channels.charges, channels.widths, one, offset, data)


@njit(cache=True, nogil=True)
def mirror(left, right, q, offset, data):
    """The tensor of the mirrored chain: blocks (right sector, state) -> transposed matrices."""
    new_offset = np.full((right.keys.size, q.size), -1, dtype=np.int64)
    out = np.empty(data.size, dtype=np.complex128)
    to = 0
    for m in range(right.keys.size):
        for s in range(q.size):
            k = find(left.keys, right.keys[m] - q[s])
            if k < 0 or offset[k, s] < 0:
                continue
            rows, cols = left.dims[k], right.dims[m]
            new_offset[m, s] = to
            block = out[to : to + rows * cols].reshape((cols, rows))
            block[:] = data[offset[k, s] : offset[k, s] + rows * cols].reshape((rows, cols)).T
            to += rows * cols
    return new_offset, out[:to]


@njit(cache=True, nogil=True)
def room(left, right, q):
    """Offsets of every block that the charges allow, and the size of the tensor."""
    offset = np.full((left.keys.size, q.size), -1, dtype=np.int64)
    size = 0
    for k in range(left.keys.size):
        for s in range(q.size):
            m = find(right.keys, left.keys[k] + q[s])
            if m >= 0:
                offset[k, s] = size
                size += left.dims[k] * right.dims[m]
    return offset, size


@njit(cache=True, nogil=True)
def merge(left, middle, right, q1, q2, a_offset, a_data, b_offset, b_data, offset, size):
    """Product of the tensors of two sites, laid out by ``offset``."""
    out = np.zeros(size, dtype=np.complex128)
    for k in range(left.keys.size):
        for p in range(q1.size):
            m = find(middle.keys, left.keys[k] + q1[p])
            if m < 0 or a_offset[k, p] < 0:
                continue
            for r in range(q2.size):
                to = offset[k, p * q2.size + r]
                if to < 0 or b_offset[m, r] < 0:
                    continue
                cols = right.dims[find(right.keys, middle.keys[m] + q2[r])]
                gemm(PLAIN, PLAIN, left.dims[k], cols, middle.dims[m], 1.0,
                     a_data[a_offset[k, p] :], middle.dims[m], b_data[b_offset[m, r] :], cols,
                     0.0, out[to:], cols)  # fmt: skip
    return out


@njit(cache=True, nogil=True)
def _add(n, factor, x, y):
    """``y += factor x`` on the first n complex entries."""
    if factor.imag == 0.0:
        real = factor.real
        flat_x, flat_y = x.view(np.float64), y.view(np.float64)
        for j in range(2 * n):
            flat_y[j] += real * flat_x[j]
    else:
        for j in range(n):
            y[j] += factor * x[j]


@njit(cache=True, nogil=True)
def _multiply_left(a, env, left, right, q, offset, data, need):
    """MpoEnvironment times tensor for bra sector ``a``: places and columns of (n, D', cols)."""
    shape = env.charges.size, q.size
    at, cols = np.full(shape, -1, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    high, size = left.dims[a], 0
    for c in range(shape[0]):
        k = find(left.keys, left.keys[a] - env.charges[c])
        if k < 0 or env.offset[a, c] < 0:
            continue
        for s in range(shape[1]):
            if need[c, s] and offset[k, s] >= 0:
                at[c, s] = size
                cols[c, s] = right.dims[find(right.keys, left.keys[k] + q[s])]
                size += env.widths[c] * high * cols[c, s]
    out = np.empty(size, dtype=np.complex128)
    for c in range(shape[0]):
        k = find(left.keys, left.keys[a] - env.charges[c])
        for s in range(shape[1]):
            if at[c, s] < 0:
                continue
            low, wide = left.dims[k], cols[c, s]
            block, source = env.data[env.offset[a, c] :], data[offset[k, s] :]
            first, last = env.widths[c], env.widths[c]
            if c == env.one[0]:
                first, last = env.one[1], env.one[1] + 1
                to = at[c, s] + first * high * wide
                out[to : to + high * wide] = source[: high * wide]
            gemm(PLAIN, PLAIN, first * high, wide, low, 1.0, block, low, source, wide,
                 0.0, out[at[c, s] :], wide)  # fmt: skip
            rest = env.widths[c] - last
            gemm(PLAIN, PLAIN, rest * high, wide, low, 1.0, block[last * high * low :], low,
                 source, wide, 0.0, out[at[c, s] + last * high * wide :], wide)  # fmt: skip
    return at, cols, out


@njit(cache=True, nogil=True)
def _hop(high, at, cols, data, widths_before, widths_after, hops, need):
    """Apply the W of one site to what `_multiply_left` or an earlier hop made."""
    table = hops.table
    shape = widths_after.size, at.shape[1]
    to, wide = np.full(shape, -1, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    size = 0
    for h in range(table.shape[0]):
        out, into, c, after = table[h, 0], table[h, 1], table[h, 2], table[h, 3]
        if at[c, into] >= 0 and need[after, out] and to[after, out] < 0:
            to[after, out] = size
            wide[after, out] = cols[c, into]
            size += widths_after[after] * high * cols[c, into]
    result = np.empty(size, dtype=np.complex128)
    touched = np.zeros(shape, dtype=np.bool_)
    for h in range(table.shape[0]):
        out, into, c, after = table[h, 0], table[h, 1], table[h, 2], table[h, 3]
        if at[c, into] < 0 or not need[after, out]:
            continue
        length = high * cols[c, into]
        n, m = widths_before[c], widths_after[after]
        source, target = data[at[c, into] :], result[to[after, out] :]
        if table[h, 6] >= 0:
            beta = 1.0 if touched[after, out] else 0.0
            gemm(PLAIN, PLAIN, m, length, n, 1.0, hops.dense[table[h, 6] :], n, source, length,
                 beta, target, length)  # fmt: skip
        else:
            if not touched[after, out]:
                target[: m * length] = 0.0
            for e in range(table[h, 4], table[h, 5]):
                _add(length, hops.value[e], source[hops.row[e] * length :],
                     target[hops.col[e] * length :])  # fmt: skip
        touched[after, out] = True
    return to, wide, result


@njit(cache=True, nogil=True)
def _needed_before(hops, classes, need):
    """Which (class, state) a site must be given so that it makes those in ``need``."""
    before = np.zeros((classes, need.shape[1]), dtype=np.bool_)
    table = hops.table
    for h in range(table.shape[0]):
        if need[table[h, 3], table[h, 0]]:
            before[table[h, 2], table[h, 1]] = True
    return before


@njit(cache=True, nogil=True)
def _carried(a, env, hops, left, right, q, offset, data, widths, need):
    """Environment, tensor and W of one site multiplied for bra sector ``a``."""
    before = _needed_before(hops, env.charges.size, need)
    at, cols, made = _multiply_left(a, env, left, right, q, offset, data, before)
    return _hop(left.dims[a], at, cols, made, env.widths, widths, hops, need)


@njit(cache=True, nogil=True)
def _close(a, env, left, right, q, offset, at, cols, data, out):
    """Contract with the right environment, adding to the blocks of bra sector ``a``."""
    high = left.dims[a]
    for c in range(env.charges.size):
        for s in range(q.size):
            if at[c, s] < 0:
                continue
            b = find(right.keys, left.keys[a] + q[s])
            low, wide = cols[c, s], right.dims[b]
            target = out[offset[a, s] :]
            for n in range(env.widths[c]):
                source = data[at[c, s] + n * high * low :]
                if c == env.one[0] and n == env.one[1]:
                    _add(high * wide, 1.0 + 0.0j, source, target)
                else:
                    block = env.data[env.offset[b, c] + n * wide * low :]
                    gemm(PLAIN, TRANSPOSE, high, wide, low, 1.0, source, low, block, low, 1.0,
                         target, wide)  # fmt: skip


@njit(cache=True, nogil=True)
def apply(sectors, sites, env_left, middle, env_right, hops1, hops2, left, right, q, offset,
          vector, out):  # fmt: skip
    """``out = H vector`` for the given bra sectors of the left bond; those parts are disjoint.

    Parameters
    ----------
    sectors
        Left bra sectors to work on.
    sites
        1 (``hops1``) or 2 (``hops1``, then ``hops2``, both lifted to the pair).
    env_left, middle, env_right
        Environments, and widths of the MPO classes between the two sites.
    left, right, q, offset
        Layout of the tensor (`room`).
    vector, out
        Flat amplitudes; ``out`` is overwritten where ``sectors`` reach.
    """
    for a in sectors:
        need = np.zeros((env_right.charges.size, q.size), dtype=np.bool_)
        for s in range(q.size):
            b = find(right.keys, left.keys[a] + q[s])
            if b >= 0:
                out[offset[a, s] : offset[a, s] + left.dims[a] * right.dims[b]] = 0.0
                for c in range(env_right.charges.size):
                    need[c, s] = env_right.offset[b, c] >= 0
        between = _needed_before(hops2, middle.size, need) if sites == 2 else need
        widths = middle if sites == 2 else env_right.widths
        at, cols, data = _carried(a, env_left, hops1, left, right, q, offset, vector, widths,
                                  between)  # fmt: skip
        if sites == 2:
            high = left.dims[a]
            at, cols, data = _hop(high, at, cols, data, middle, env_right.widths, hops2, need)
        _close(a, env_right, left, right, q, offset, at, cols, data, out)


@njit(cache=True, nogil=True)
def absorb(env, hops, left, right, q, offset, data, charges, widths, one):
    """The environment grown by one site with the isometry ``(offset, data)``.

    ``charges``, ``widths``, ``one``: MPO states of the new bond.
    """
    n_classes = charges.size
    new = np.full((right.keys.size, n_classes), -1, dtype=np.int64)
    size = 0
    for b in range(right.keys.size):
        for c in range(n_classes):
            k = find(right.keys, right.keys[b] - charges[c])
            if k >= 0:
                new[b, c] = size
                size += widths[c] * right.dims[b] * right.dims[k]
    out = np.zeros(size, dtype=np.complex128)
    for a in range(left.keys.size):
        need = np.zeros((n_classes, q.size), dtype=np.bool_)
        for s in range(q.size):
            need[:, s] = offset[a, s] >= 0
        at, cols, made = _carried(a, env, hops, left, right, q, offset, data, widths, need)
        high = left.dims[a]
        for c in range(n_classes):
            for s in range(q.size):
                if at[c, s] < 0:
                    continue
                b = find(right.keys, left.keys[a] + q[s])
                low, wide = cols[c, s], right.dims[b]
                for n in range(widths[c]):
                    if c != one[0] or n != one[1]:
                        gemm(ADJOINT, PLAIN, wide, low, high, 1.0, data[offset[a, s] :], wide,
                             made[at[c, s] + n * high * low :], low, 1.0,
                             out[new[b, c] + n * wide * low :], low)  # fmt: skip
    if one[0] >= 0:
        for b in range(right.keys.size):
            dim = right.dims[b]
            block = out[new[b, one[0]] + one[1] * dim * dim :]
            for i in range(dim):
                block[i * dim + i] = 1.0
    return MpoEnvironment(charges, widths, one, new, out)


def absorb_site(
    env: MpoEnvironment,
    tables: MpoTables,
    i: int,
    legs: Sequence[Leg],
    q: np.ndarray,
    tensor: Tensor,
    rightwards: bool,
) -> MpoEnvironment:
    """The environment grown by the isometry of site i: from the left if ``rightwards``."""
    left, right = legs[i : i + 2]
    if rightwards:
        new = tables.bonds[i + 1]
        return absorb(env, tables.from_left[i], left, right, q, *tensor, *new[:2], new.before)
    new = tables.bonds[i]
    offset, data = mirror(left, right, q, *tensor)
    return absorb(env, tables.from_right[i], right, left, -q, offset, data, *new[:2], new.after)


@njit(cache=True, nogil=True)
def sketch(env, hops, left, right, q, offset, data, plan, wide_state, charges, widths, reach,
           reach_start, probes, seed):  # fmt: skip
    """Random combinations of what the MPO's operators on the left make of a two-site tensor.

    Parameters
    ----------
    plan
        `split.PairLayout` of the tensor: its rows are (left sector, state of the first site).
    wide_state
        (row state, column state) of each state of the pair, (d1 d2, 2).
    reach, reach_start
        Weight of every MPO state, class after class.
    probes
        Combinations of each middle sector.

    Returns
    -------
    start, y
        One matrix (rows, probes) per middle sector of ``plan``.
    """
    n_mid, n_classes = plan.keys.size, charges.size
    y_start = starts_of(plan.rows * probes)
    y = np.zeros(y_start[n_mid], dtype=np.complex128)
    # One set of random columns per ket sector and MPO state.
    cell = np.zeros(n_mid * n_classes, dtype=np.int64)
    for m in range(n_mid):
        for c in range(n_classes):
            k = find(plan.keys, plan.keys[m] - charges[c])
            if k >= 0:
                cell[m * n_classes + c] = widths[c] * plan.cols[k] * probes[m]
    omega_start = starts_of(cell)
    omega = np.empty(omega_start[-1], dtype=np.complex128)
    fill_random(omega.size, omega, seed)
    need = np.zeros((n_classes, q.size), dtype=np.bool_)
    for c in range(n_classes):
        need[c, :] = reach[reach_start[c] : reach_start[c + 1]].max() > 0.0
    for a in range(left.keys.size):
        at, cols, made = _carried(a, env, hops, left, right, q, offset, data, widths, need)
        high = left.dims[a]
        for c in range(n_classes):
            for s in range(q.size):
                p, r = wide_state[s, 0], wide_state[s, 1]
                m = find(plan.keys, left.keys[a] + plan.row_keys[p])
                if at[c, s] < 0 or m < 0 or plan.row[m, p] < 0:
                    continue
                k = find(plan.keys, plan.keys[m] - charges[c])
                if k < 0 or plan.column[k, r] < 0:
                    continue
                count, low = probes[m], cols[c, s]
                target = y[y_start[m] + plan.row[m, p] * count :]
                for n in range(widths[c]):
                    weight = reach[reach_start[c] + n]
                    if weight > 0.0:
                        place = (n * plan.cols[k] + plan.column[k, r]) * count
                        gemm(PLAIN, PLAIN, high, count, low, weight,
                             made[at[c, s] + n * high * low :], low,
                             omega[omega_start[m * n_classes + c] + place :], count, 1.0, target,
                             count)  # fmt: skip
    return y_start, y
