"""Density matrices of whole chains: how they are stored, entanglement without eigenvalues."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from tnspin.mps.density import DensityMPS
from tnspin.mps.purified.state import PurifiedMPS
from tnspin.observables import pt_moments
from tnspin.observables.base import (
    few_levels,
    long_spin_chain,
    never,
    observable,
    transposable,
)
from tnspin.observables.groups.spins import group_state
from tnspin.observables.snapshot import Snapshot

#: Moments that are recorded: 2 is the purity, 3 the first that depends on the transpose.
ORDERS = (2, 3, 4)
_of_kets_and_bras = partial(observable, needs=("vectorized",))
_of_ancillas = partial(observable, needs=("kraus",))
_unasked = partial(observable, needs=("moments",), parts="halves", default=never)
_of_block = partial(observable, needs=("moments",), parts="block", applies=long_spin_chain)


@observable(
    "eigenvalues of the density matrix", "level", needs=("isospectral",), applies=few_levels
)
def eigenvalue(snapshot: Snapshot) -> np.ndarray:
    """Eigenvalues of the whole density matrix, ascending, (level,)."""
    state: Any = snapshot.state
    return state.eigenvalues()


@observable("purity of the density matrix", needs=("density",))
def purity(snapshot: Snapshot) -> float:
    """``Tr rho^2`` of a density matrix of the whole chain."""
    return snapshot.state.purity


# ---------------------------------------------------------------------- storage


@_of_kets_and_bras(
    "operator-space entropy of the density matrix, which decides its bond dimension",
    "bond",
    units="nat",
)
def operator_entropy(snapshot: Snapshot) -> np.ndarray:
    """Entropy of the normalized vector of matrix elements at every cut, (bond,)."""
    return snapshot.state.entropies()


@_of_kets_and_bras("deviation of the trace from 1")
def trace_error(snapshot: Snapshot) -> float:
    """``|Tr rho - 1|``: what truncation has changed of the trace."""
    return abs(float(snapshot.state.norm) ** 2 - 1.0)


@_of_kets_and_bras("anti-Hermitian part of the density matrix, relative")
def hermiticity_error(snapshot: Snapshot) -> float:
    """``|rho - rho^+| / |rho|`` in the Hilbert-Schmidt norm; 0 for kinds that are Hermitian."""
    return snapshot.state.hermiticity_error


@_of_kets_and_bras("smallest eigenvalue of the density matrices of neighbours")
def smallest_eigenvalue(snapshot: Snapshot) -> float:
    """Smallest eigenvalue of the density matrices of neighbours; below 0 it is an error."""
    return min(float(np.linalg.eigvalsh(rho)[0]) for rho in snapshot.bond_rdms)


@_of_ancillas("dimension of the ancilla of each site", "site")
def kraus_dim(snapshot: Snapshot) -> np.ndarray:
    """Dimension of the Kraus index of every site of a purified state, (site,)."""
    state: Any = snapshot.state
    return state.kraus_dims()


@_of_ancillas("weight dropped from the ancilla of each site since t = 0", "site")
def kraus_discarded(snapshot: Snapshot) -> np.ndarray:
    """Weight dropped from every Kraus index since t = 0, (site,)."""
    ledger = snapshot.ledger
    if ledger is None or ledger.kraus is None:
        return np.zeros(snapshot.model.length)
    return ledger.kraus.copy()


# ---------------------------------------------------------------------- partial transpose


@_unasked(
    "moments of the partial transpose of one half of the localized spins",
    "order",
    applies=transposable,
)
def transposed_moment(snapshot: Snapshot) -> np.ndarray:
    """``Tr (rho^T_A)^n`` of the localized spins for n = 2, 3, 4, (order,).

    A is the first of two groups, else the first half of the spins.
    """
    return np.array(_moments(snapshot, ORDERS))


@_unasked("p2^2 - p3 of the partial transpose; above 0 it is entangled", applies=transposable)
def p3_ppt(snapshot: Snapshot) -> float:
    """``p2^2 - p3`` of that partial transpose: above 0 only if the two parts are entangled."""
    return pt_moments.p3_ppt(*_moments(snapshot, (2, 3)))


@_unasked(
    "Renyi negativity of order 3 of the halves, ln Tr rho^3 - ln Tr (rho^T)^3",
    units="nat",
    applies=long_spin_chain,
)
def renyi_negativity(snapshot: Snapshot) -> float:
    """``ln Tr rho^3 - ln Tr (rho^T_A)^3`` of the two halves: 0 without correlations.

    For pure states it is twice their Renyi entropy of order 3.  For mixed ones it is a relative of
    the logarithmic negativity that moments give at any size; unlike that, it may be above 0 for
    states that are not entangled.
    """
    plain, turned = (_moments(snapshot, [3], transposed=part)[0] for part in (False, True))
    return float(np.log(plain / turned))


# ---------------------------------------------------------------------- the central block


@_of_block("logarithmic negativity of the halves of the central block", units="nat")
def block_log_negativity(snapshot: Snapshot) -> float:
    """Logarithmic negativity of the two halves of the central block, of up to ten spins 1/2."""
    return snapshot.block_state.log_negativity()


@_of_block("smallest eigenvalue of the density matrix of the central block")
def block_smallest_eigenvalue(snapshot: Snapshot) -> float:
    """Smallest eigenvalue of the density matrix of the central block; below 0 it is an error."""
    return float(snapshot.block_state.spectrum.min())


# ---------------------------------------------------------------------- inside


def _vectorized(snapshot: Snapshot) -> Any:
    """The density matrix as a matrix product state, where it is in purified form."""
    state = snapshot.state
    if isinstance(state, PurifiedMPS):
        # Truncated like groups that are compressed.
        cutoff = snapshot.options.group_cutoff
        return DensityMPS.from_state(state.purification, state.sites, cutoff=cutoff)
    return state


def _moments(snapshot: Snapshot, orders: Sequence[int], transposed: bool = True) -> list[float]:
    """Moments by copies of the chain, of dense states by eigenvalues."""
    first, second = snapshot.halves
    state = _vectorized(snapshot)
    if isinstance(state, DensityMPS):
        sites = [*first, *second]
        turned = first if transposed else ()
        return [pt_moments.moment(state, order, sites, turned) for order in orders]
    group = group_state(state, first, second)
    blocks = group.partial_transpose().values() if transposed else group.blocks.values()
    values = np.concatenate([np.linalg.eigvalsh(block) for block in blocks if len(block)])
    return [float((values**order).sum()) for order in orders]
