"""Density matrices of one and two sites, overlaps and amplitudes of block-sparse states."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numba import njit

from tnspin.errors import InputError
from tnspin.mps.blocks import Blocks, BlockState
from tnspin.mps.kernels.layout import find, gather_columns, gather_rows, starts_of
from tnspin.mps.kernels.update import multiply_sites


@njit(cache=True, nogil=True)
def _inner(rows, cols, weights, flat, a, b, stride_a, stride_b):  # type: ignore[no-untyped-def]
    """sum_i weights_i^2 sum_j x_ij conj(y_ij) of two blocks of an interleaved buffer."""
    real, imag = 0.0, 0.0
    for i in range(rows):
        at, to = 2 * (a + i * stride_a), 2 * (b + i * stride_b)
        x, y = 0.0, 0.0
        for j in range(cols):
            x += flat[at + 2 * j] * flat[to + 2 * j] + flat[at + 2 * j + 1] * flat[to + 2 * j + 1]
            y += flat[at + 2 * j + 1] * flat[to + 2 * j] - flat[at + 2 * j] * flat[to + 2 * j + 1]
        real += weights[i] ** 2 * x
        imag += weights[i] ** 2 * y
    return complex(real, imag)


@njit(cache=True, nogil=True)
def _density(l_keys, l_dims, l_schmidt, r_keys, r_dims, q, data, at, stride):  # type: ignore[no-untyped-def]
    """Density matrix of local states of keys ``q`` from right-orthonormal blocks.

    ``at``, ``stride (left sector, state)``: where a block begins in ``data``, -1 where there is
    none, and how far its rows are apart.
    """
    flat = data.view(np.float64)
    rho = np.zeros((q.size, q.size), dtype=np.complex128)
    start = starts_of(l_dims)
    for k in range(l_keys.size):
        weights = l_schmidt[start[k] : start[k + 1]]
        for p in range(q.size):
            if at[k, p] < 0:
                continue
            cols = r_dims[find(r_keys, l_keys[k] + q[p])]
            for r in range(p + 1):
                if at[k, r] < 0 or q[r] != q[p]:
                    continue
                value = _inner(l_dims[k], cols, weights, flat, at[k, p], at[k, r], stride[k, p],
                               stride[k, r])  # fmt: skip
                rho[p, r] += value
                if r != p:
                    rho[r, p] += value.conjugate()
    return rho


@njit(cache=True, nogil=True)
def site_rdm(l_keys, l_dims, l_schmidt, r_keys, r_dims, offset, data, q):  # type: ignore[no-untyped-def]
    """Density matrix of a right-orthonormal site between two bonds."""
    stride = np.zeros(offset.shape, dtype=np.int64)
    for k in range(l_keys.size):
        for p in range(q.size):
            if offset[k, p] >= 0:
                stride[k, p] = r_dims[find(r_keys, l_keys[k] + q[p])]
    return _density(l_keys, l_dims, l_schmidt, r_keys, r_dims, q, data, offset, stride)


@njit(cache=True, nogil=True)
def bond_rdm(  # type: ignore[no-untyped-def]
    l_keys, l_dims, l_schmidt, m_keys, m_dims, r_keys, r_dims, a_offset, a_data,
    b_offset, b_data, q1, q2,
):  # fmt: skip
    """Density matrix (d1 d2, d1 d2) of two neighbouring right-orthonormal sites."""
    d2 = q2.size
    stack = gather_rows(m_keys, m_dims, l_keys, l_dims, q1, a_offset, a_data)
    side = gather_columns(m_keys, m_dims, r_keys, r_dims, q2, b_offset, b_data)
    start, product = multiply_sites(m_dims, stack, side)
    at = np.full((l_keys.size, q1.size * d2), -1, dtype=np.int64)
    stride, q = np.zeros(at.shape, dtype=np.int64), np.empty(q1.size * d2, dtype=np.int64)
    for s in range(q.size):
        p1, p2 = s // d2, s % d2
        q[s] = q1[p1] + q2[p2]
        for k in range(l_keys.size):
            m = find(m_keys, l_keys[k] + q1[p1])
            if m >= 0 and stack.row[m, p1] >= 0 and side.column[m, p2] >= 0:
                stride[k, s] = side.width[m]
                at[k, s] = start[m] + stack.row[m, p1] * side.width[m] + side.column[m, p2]
    return _density(l_keys, l_dims, l_schmidt, r_keys, r_dims, q, product, at, stride)


def check_alike(one: BlockState, other: BlockState, what: str) -> None:
    """Refuse two states that differ in their sites or charges."""
    if one.code != other.code or [s.dim for s in one.sites] != [s.dim for s in other.sites]:
        raise InputError(f"{what}: the states have other sites or charges")


def contracted(
    bra: Iterable[Blocks], ket: Iterable[Blocks], site_keys: Sequence[np.ndarray]
) -> complex:
    """``<bra|ket>`` of the blocks of all sites of two states."""
    environment = {0: np.ones((1, 1), dtype=np.complex128)}
    for bras, kets, q in zip(bra, ket, site_keys, strict=True):
        after: dict[int, np.ndarray] = {}
        for (key, p), block in kets.items():
            if key not in environment or (key, p) not in bras:
                continue
            value = bras[key, p].conj().T @ environment[key] @ block
            to = key + int(q[p])
            after[to] = after[to] + value if to in after else value
        environment = after
    return complex(sum(value[0, 0] for value in environment.values()))


def overlap(bra: BlockState, ket: BlockState) -> complex:
    """<bra|ket> of two states with the same sites and charges."""
    check_alike(bra, ket, "overlap")
    every = range(ket.length)
    return contracted(map(bra.blocks, every), map(ket.blocks, every), ket.site_keys)


def amplitudes(psi: BlockState, states: np.ndarray) -> np.ndarray:
    """<states|psi>, (n,), for local indices (n, length)."""
    n = states.shape[0]
    keys = np.zeros(n, dtype=np.int64)
    vectors = np.ones((n, 1), dtype=np.complex128)
    for i in range(psi.length):
        after = np.zeros((n, int(psi.bonds[i + 1].dims.max())), dtype=np.complex128)
        alive = np.zeros(n, dtype=bool)
        for (key, p), block in psi.blocks(i).items():
            rows = np.flatnonzero((keys == key) & (states[:, i] == p))
            after[rows, : block.shape[1]] = vectors[rows, : block.shape[0]] @ block
            alive[rows] = True
        vectors = np.where(alive[:, None], after, 0.0)
        keys = keys + psi.site_keys[i][states[:, i]]
    return np.ascontiguousarray(vectors[:, 0])
