"""Contractions of block-sparse states: one and two sites, overlaps, amplitudes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numba import njit

from tnspin.errors import InputError
from tnspin.mps.blocks import Blocks, BlockState
from tnspin.mps.kernels.layout import find, gather_columns, gather_rows
from tnspin.mps.kernels.update import multiply_sites


@njit(cache=True, nogil=True)
def site_rdm(l_keys, l_dims, l_schmidt, r_keys, r_dims, q, offset, data):  # type: ignore[no-untyped-def]
    """rho[p, p'] = sum_{l, r} |lambda_l B[l, p, r]> <...p'| of a right-orthonormal tensor."""
    d = q.size
    rho = np.zeros((d, d), dtype=np.complex128)
    start = 0
    for sector in range(l_keys.size):
        rows = l_dims[sector]
        for p in range(d):
            if offset[sector, p] < 0:
                continue
            cols = r_dims[find(r_keys, l_keys[sector] + q[p])]
            for other in range(p + 1):
                if offset[sector, other] < 0 or q[other] != q[p]:
                    continue
                value = 0.0j
                for i in range(rows):
                    weight = l_schmidt[start + i] ** 2
                    a, b = offset[sector, p] + i * cols, offset[sector, other] + i * cols
                    part = 0.0j
                    for j in range(cols):
                        part += data[a + j] * data[b + j].conjugate()
                    value += weight * part
                rho[p, other] += value
                if other != p:
                    rho[other, p] += value.conjugate()
        start += rows
    return rho


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
def bond_rdm(  # type: ignore[no-untyped-def]
    l_keys, l_dims, l_schmidt, m_keys, m_dims, r_keys, r_dims, a_offset, a_data,
    b_offset, b_data, q1, q2,
):  # fmt: skip
    """Reduced density matrix (d1 d2, d1 d2) of two neighbouring right-orthonormal sites."""
    d1, d2 = q1.size, q2.size
    stack = gather_rows(m_keys, m_dims, l_keys, l_dims, q1, a_offset, a_data)
    side = gather_columns(m_keys, m_dims, r_keys, r_dims, q2, b_offset, b_data)
    start, product = multiply_sites(m_dims, stack, side)
    row, column, width = stack.row, side.column, side.width
    flat = product.view(np.float64)
    rho = np.zeros((d1 * d2, d1 * d2), dtype=np.complex128)
    at = 0
    for sector in range(l_keys.size):
        weights = l_schmidt[at : at + l_dims[sector]]
        at += l_dims[sector]
        for first in range(d1 * d2):
            m = find(m_keys, l_keys[sector] + q1[first // d2])
            if m < 0 or row[m, first // d2] < 0 or column[m, first % d2] < 0:
                continue
            charge = q1[first // d2] + q2[first % d2]
            cols = r_dims[find(r_keys, l_keys[sector] + charge)]
            a = start[m] + row[m, first // d2] * width[m] + column[m, first % d2]
            for second in range(first + 1):
                if q1[second // d2] + q2[second % d2] != charge:
                    continue
                k = find(m_keys, l_keys[sector] + q1[second // d2])
                if k < 0 or row[k, second // d2] < 0 or column[k, second % d2] < 0:
                    continue
                b = start[k] + row[k, second // d2] * width[k] + column[k, second % d2]
                value = _inner(l_dims[sector], cols, weights, flat, a, b, width[m], width[k])
                rho[first, second] += value
                if second != first:
                    rho[second, first] += value.conjugate()
    return rho


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
