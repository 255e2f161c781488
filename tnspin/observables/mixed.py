"""Density matrices: how purified ones are stored, and entanglement without eigenvalues."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tnspin.mps.density import DensityMPS
from tnspin.mps.purified.state import PurifiedMPS
from tnspin.observables import moments
from tnspin.observables.groups.spins import group_state
from tnspin.observables.snapshot import Snapshot

#: Moments that are recorded: 2 is the purity, 3 the first that knows of the transpose.
ORDERS = (2, 3, 4)


def kraus_dim(snapshot: Snapshot) -> np.ndarray:
    """Dimension of the Kraus index of every site of a purified state, (site,)."""
    state: Any = snapshot.state
    return state.kraus_dims()


def kraus_discarded(snapshot: Snapshot) -> np.ndarray:
    """Weight dropped from every Kraus index since t = 0, (site,)."""
    ledger = snapshot.ledger
    if ledger is None or ledger.kraus is None:
        return np.zeros(snapshot.model.length)
    return ledger.kraus.copy()


def transposed_moment(snapshot: Snapshot) -> np.ndarray:
    """``Tr (rho^T_A)^n`` of the localized spins for n = 2, 3, 4, (order,).

    A is the first of two groups, else the first half of the spins.
    """
    return np.array(_moments(snapshot, ORDERS))


def p3_ppt(snapshot: Snapshot) -> float:
    """``p2^2 - p3`` of the same transpose: above 0 only if the two parts are entangled."""
    return moments.p3_ppt(*_moments(snapshot, (2, 3)))


def renyi_negativity(snapshot: Snapshot) -> float:
    """``ln Tr rho^3 - ln Tr (rho^T_A)^3`` of the same halves: 0 without correlations.

    Twice their Renyi entropy of order 3 for pure states; of mixed ones, the part of the logarithmic
    negativity's family that moments of any size give.  Unlike it, it may be above 0 for states that
    are not entangled.
    """
    plain, turned = (_moments(snapshot, [3], transposed=part)[0] for part in (False, True))
    return float(np.log(plain / turned))


# ---------------------------------------------------------------------- the central block


def block_log_negativity(snapshot: Snapshot) -> float:
    """Logarithmic negativity of the two halves of the central block, of up to ten spins 1/2."""
    return snapshot.block_state.log_negativity()


def block_smallest_eigenvalue(snapshot: Snapshot) -> float:
    """Smallest eigenvalue of the density matrix of the central block; below 0 it is an error."""
    return float(snapshot.block_state.spectrum.min())


# ---------------------------------------------------------------------- inside


def _vectorized(snapshot: Snapshot) -> Any:
    """The density matrix as a matrix product state, where it is in purified form."""
    state = snapshot.state
    if isinstance(state, PurifiedMPS):
        # Truncated like groups that are compressed: the option says by how much.
        cutoff = snapshot.options.group_cutoff
        return DensityMPS.from_state(state.purification, state.sites, cutoff=cutoff)
    return state


def _moments(snapshot: Snapshot, orders: Sequence[int], transposed: bool = True) -> list[float]:
    """Moments by copies of the chain, of dense states by eigenvalues."""
    first, second = halves(snapshot)
    state = _vectorized(snapshot)
    if isinstance(state, DensityMPS):
        sites = [*first, *second]
        turned = first if transposed else ()
        return [moments.moment(state, order, sites, turned) for order in orders]
    group = group_state(state, first, second)
    blocks = group.partial_transpose().values() if transposed else group.blocks.values()
    values = np.concatenate([np.linalg.eigvalsh(block) for block in blocks if len(block)])
    return [float((values**order).sum()) for order in orders]


def halves(snapshot: Snapshot) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The two groups of localized spins; of one group, its halves, the odd spin in the first."""
    groups, spins = snapshot.model.groups, snapshot.model.localized_sites
    if len(groups) == 2:
        return groups[0], groups[1]
    half = (len(spins) + 1) // 2
    return spins[:half], spins[half:]
