"""Jump operators on states: damping, rates, and the charge sectors that jumps connect."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import prod
from typing import Any, TypeVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from tnspin.operators.basis import ChargeBasis
from tnspin.operators.jump_operator import JumpOperator
from tnspin.operators.sites import Matrix

T = TypeVar("T")

#: Share of the tolerance that one advance may use: many of them add up.
SHARE = 1e-2


def reachable(
    bases: Sequence[ChargeBasis], jumps: Sequence[JumpOperator]
) -> tuple[ChargeBasis, ...]:
    """Return the sectors that jumps lead to from some sectors, themselves included, in order."""
    found = {tuple(basis.charges.values()): basis for basis in bases}
    if "2Sz" not in bases[0].charge_names:
        return tuple(found[key] for key in sorted(found))
    changes = {jump.charge or 0 for jump in jumps} - {0}
    edge = list(found.values())
    while edge:
        basis = edge.pop()
        for change in changes:
            charges = basis.charges | {"2Sz": basis.charges["2Sz"] + change}
            if tuple(charges.values()) in found:
                continue
            other = ChargeBasis(basis.sites, charges, allow_empty=True)
            if other.dim:
                found[tuple(charges.values())] = other
                edge.append(other)
    return tuple(found[key] for key in sorted(found))


def damping(jumps: Sequence[JumpOperator]) -> dict[tuple[int, ...], Matrix]:
    """``sum L^+ L`` of the jumps on each set of sites."""
    sums: dict[tuple[int, ...], Matrix] = {}
    for jump in jumps:
        square = jump.matrix.conj().T @ jump.matrix
        sums[jump.sites] = sums.get(jump.sites, 0) + square
    return sums


def decay(squares: Mapping[tuple[int, ...], Matrix], basis: ChargeBasis) -> sp.csr_array:
    """Matrix in one sector of operators on some sets of sites, such as those of `damping`."""
    total = sp.csr_array((basis.dim, basis.dim), dtype=np.complex128)
    for sites, matrix in squares.items():
        total = total + spin_operator(matrix, sites, basis, basis)
    return sp.csr_array(total)


def remembered(known: OrderedDict[float, T], key: float, make: Callable[[], T], most: int) -> T:
    """The value of a key such as a length of time, made if it is not among the last few used."""
    if key not in known:
        known[key] = make()
        if len(known) > most:
            known.popitem(last=False)
    known.move_to_end(key)
    return known[key]


def reduced_rates(state: Any, jumps: Sequence[JumpOperator]) -> Iterator[float]:
    """``||L psi||^2`` of each jump operator, from density matrices of the spins it acts on.

    Parameters
    ----------
    state
        Normalized, with ``sites`` and ``rdm``.
    jumps
        As matrices.
    """
    known: dict[tuple[int, ...], Matrix] = {}
    for jump in jumps:
        if jump.sites not in known:
            keep = [state.sites[k].spin_dim for k in jump.sites]
            known[jump.sites] = state.rdm(jump.sites, keep=keep)
        moved = jump.matrix @ known[jump.sites]
        yield max(0.0, float(np.vdot(jump.matrix, moved).real))


def spin_operator(
    matrix: Matrix, sites: Sequence[int], source: ChargeBasis, target: ChargeBasis
) -> sp.csr_array:
    """Matrix of an operator on localized spins between two sectors of a chain.

    Parameters
    ----------
    matrix
        (D, D) on the trailing factors of ``sites``, first site slowest, [out, in].
    sites
        Where it acts.
    source, target
        Sectors of the columns and of the rows; elements that lead elsewhere are dropped.

    Returns
    -------
    csr_array
        (target.dim, source.dim).
    """
    dims = [source.sites[k].spin_dim for k in sites]
    strides = [prod(dims[i + 1 :]) for i in range(len(dims))]
    states = source.states
    code = _codes(source, sites, dims, strides)
    if len(sites) == source.length and all(s.dim == s.spin_dim for s in source.sites):
        # No factor is left alone: the elements are those of the matrix.
        return sp.csr_array(matrix[np.ix_(_codes(target, sites, dims, strides), code)])
    order = np.argsort(code, kind="stable")
    starts = np.searchsorted(code[order], np.arange(len(matrix) + 1))
    rows, columns, values = [], [], []
    for before in range(len(matrix)):
        at = order[starts[before] : starts[before + 1]]
        if not at.size:
            continue
        for after in np.flatnonzero(matrix[:, before]).tolist():
            moved = states[at].astype(np.int64)
            for k, d, stride in zip(sites, dims, strides, strict=True):
                moved[:, k] += after // stride % d - before // stride % d
            reached = target.index(moved)
            inside = reached >= 0
            rows.append(reached[inside])
            columns.append(at[inside])
            values.append(np.full(int(inside.sum()), matrix[after, before]))
    shape = target.dim, source.dim
    if not rows:
        return sp.csr_array(shape, dtype=np.complex128)
    places = np.concatenate(rows), np.concatenate(columns)
    return sp.csr_array(sp.coo_array((np.concatenate(values), places), shape=shape))


def _codes(
    basis: ChargeBasis, sites: Sequence[int], dims: Sequence[int], strides: Sequence[int]
) -> NDArray[np.int64]:
    """Index of the spins of some sites in their product basis, for every basis state."""
    code = np.zeros(basis.dim, dtype=np.int64)
    for k, d, stride in zip(sites, dims, strides, strict=True):
        code += (basis.states[:, k] % d).astype(np.int64) * stride
    return code
