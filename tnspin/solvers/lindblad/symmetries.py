"""Parities that every jump operator keeps or flips, and phases that make all of them real.

Both are found along a spanning tree of the states that jump operators connect.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import breadth_first_order, connected_components

Ints = NDArray[np.int64]
Vector = NDArray[np.complex128]
# Jump operators are bits of a 64-bit integer.
_MOST = 62
_ROUND_OFF = 1e-10
# Elements of rho that are taken for zero, relative to the largest.
_ZERO = 1e-12


def labels(matrices: Sequence[sp.csr_array]) -> Ints:
    """Return all independent labels 0 or 1 of states that jump operators keep or flip.

    A label p is a solution of ``p(m) + p(n) = s_k (mod 2)`` for every element (m, n) of every
    matrix k, with some s_k.  Along a spanning tree p is a sum of s_k; every other element is a
    condition on them.

    Parameters
    ----------
    matrices : sequence of (D, D) csr_array
        In a basis of eigenstates of H.

    Returns
    -------
    (D, n) ndarray of int
        One column per label, without the trivial ones.
    """
    if not matrices or len(matrices) > _MOST:
        size = matrices[0].shape[0] if matrices else 0
        return np.zeros((size, 0), dtype=np.int64)
    rows, columns, bits = _elements(matrices)
    masks, component = _tree(rows, columns, bits, matrices[0].shape[0])
    conditions = np.unique(masks[rows] ^ masks[columns] ^ bits)
    found = [
        _parity(masks & solution) for solution in _solutions(conditions.tolist(), len(matrices))
    ]
    # States that no jump operator connects are told apart by themselves.
    found += [(component == c).astype(np.int64) for c in range(1, int(component.max()) + 1)]
    nontrivial = [label for label in found if label.any() and not label.all()]
    size = matrices[0].shape[0]
    return np.stack(nontrivial, axis=1) if nontrivial else np.zeros((size, 0), dtype=np.int64)


def divided(matrices: Sequence[sp.csr_array], rho: Vector, sectors: Ints) -> list[Ints]:
    """States of the blocks into which a density matrix falls, without those that stay zero.

    Parameters
    ----------
    matrices : sequence of (D, D) csr_array
        Jump operators.
    rho : (D, D) ndarray
        Initial density matrix.
    sectors : (D,) ndarray of int
        Sector of every state; rho has no elements between them.
    """
    limit = _ZERO * float(np.abs(rho).max())
    kept = [sectors]
    ways = sum((abs(m) for m in matrices), sp.csr_array(rho.shape))
    count, component = connected_components(ways, directed=False)
    # Labels leave out the first component: the others tell it apart, unless rho links them.
    for label in [*labels(matrices).T, *(component == c for c in range(count))]:
        if np.abs(rho[np.not_equal.outer(label, label)]).max(initial=0.0) <= limit:
            kept.append(label)
    _, block = np.unique(np.stack(kept, axis=1), axis=0, return_inverse=True)
    blocks = [np.flatnonzero(block.ravel() == b) for b in range(int(block.max()) + 1)]
    filled = np.abs(rho).max(axis=1) > limit
    while True:
        reached = [states for states in blocks if filled[states].any()]
        inside = np.zeros(len(rho))
        inside[np.concatenate(reached)] = 1.0
        more = (inside > 0) | (ways @ inside > 0)
        if np.array_equal(more, filled):
            return reached
        filled = more


def real_phases(matrices: Sequence[sp.csr_array]) -> Vector:
    """Return phases c of the states for which all matrices become real, if there are any.

    Every element (m, n) becomes ``conj(c_m) L c_n``; where no phases make all real, they are 1.

    Parameters
    ----------
    matrices : sequence of (D, D) csr_array

    Returns
    -------
    (D,) complex ndarray
    """
    size = matrices[0].shape[0] if matrices else 0
    total = sum(matrices, sp.csr_array((size, size), dtype=np.complex128))
    phases = np.ones(size, dtype=np.complex128)
    graph = sp.csr_array(abs(total) + abs(total).T)
    count, component = connected_components(graph, directed=False)
    for c in range(count):
        root = int(np.flatnonzero(component == c)[0])
        order, before = breadth_first_order(graph, root, directed=False)
        for state in order[1:].tolist():
            parent = int(before[state])
            forward, backward = total[state, parent], total[parent, state]
            element = forward if forward else np.conj(backward)
            phases[state] = phases[parent] * element / abs(element)
    for matrix in matrices:
        turned = turned_by(matrix, phases)
        limit = _ROUND_OFF * np.abs(turned.data).max(initial=0.0)
        if np.abs(turned.data.imag).max(initial=0.0) > limit:
            return np.ones(size, dtype=np.complex128)
    return phases


def turned_by(matrix: sp.csr_array, phases: Vector) -> sp.csr_array:
    """Elements times ``conj(c_m) c_n``."""
    entries = sp.coo_array(matrix)
    rows, columns = entries.coords
    values = entries.data * phases[rows].conj() * phases[columns]
    return sp.csr_array(sp.coo_array((values, (rows, columns)), shape=matrix.shape))


def _elements(matrices: Sequence[sp.csr_array]) -> tuple[Ints, Ints, Ints]:
    """Row, column and bit of the matrix of every element."""
    places = [m.nonzero() for m in matrices]
    rows = np.concatenate([r for r, _ in places]).astype(np.int64)
    columns = np.concatenate([c for _, c in places]).astype(np.int64)
    bits = np.concatenate([np.full(len(r), 1 << k) for k, (r, _) in enumerate(places)])
    return rows, columns, bits.astype(np.int64)


def _tree(rows: Ints, columns: Ints, bits: Ints, size: int) -> tuple[Ints, Ints]:
    """Sum of the bits along the way from the root of each state, and its component."""
    graph = sp.csr_array((np.ones(len(rows)), (rows, columns)), shape=(size, size))
    count, component = connected_components(graph, directed=False)
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    edge = dict(zip(pairs, bits.tolist(), strict=True))
    masks = np.zeros(size, dtype=np.int64)
    for c in range(count):
        root = int(np.flatnonzero(component == c)[0])
        order, before = breadth_first_order(graph, root, directed=False)
        for state in order[1:].tolist():
            parent = int(before[state])
            bit = edge.get((state, parent)) or edge[parent, state]
            masks[state] = masks[parent] ^ bit
    return masks, component


def _solutions(conditions: Sequence[int], count: int) -> list[int]:
    """Basis of the bit patterns s with an even number of bits in common with every condition."""
    pivots: dict[int, int] = {}
    for condition in conditions:
        for bit, row in pivots.items():
            if condition >> bit & 1:
                condition ^= row
        if not condition:
            continue
        lead = condition.bit_length() - 1
        pivots = {b: (r ^ condition if r >> lead & 1 else r) for b, r in pivots.items()}
        pivots[lead] = condition
    free = [bit for bit in range(count) if bit not in pivots]
    return [
        sum((1 << bit for bit, row in pivots.items() if row >> one & 1), 1 << one) for one in free
    ]


def _parity(values: Ints) -> Ints:
    """Number of bits modulo 2."""
    result = values.copy()
    for shift in (32, 16, 8, 4, 2, 1):
        result ^= result >> shift
    return result & 1
