"""Measures of any state: reduced density matrices, entropies, entanglement between named parts.

Every function takes a state of this package, a quimb matrix product state, or a numpy array: a
(D,) vector or a (D, D) density matrix, site 0 slowest.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from math import prod
from typing import Any

import numpy as np

from tnspin.errors import InputError
from tnspin.mps.state import MPS
from tnspin.observables import entanglement
from tnspin.observables.groups.spins import LARGEST, group_state
from tnspin.observables.groups.state import GroupState
from tnspin.operators.sites import Site, make_site
from tnspin.operators.state import State
from tnspin.states.density import DensityState
from tnspin.states.vector import VectorState


def as_state(state: Any, dims: Sequence[int] | None = None) -> State:
    """State of this package from any state that measures take.

    Parameters
    ----------
    state
        A `State`, a quimb ``MatrixProductState``, or a numpy array.
    dims
        Dimension of each site of a numpy array; spins 1/2 by default.

    Raises
    ------
    InputError
        If the state is of no known kind, or the dimensions do not fit it.
    """
    if isinstance(state, np.ndarray):
        return _from_array(state, dims)
    if dims is not None:
        raise InputError("dims: only needed for a numpy array, this state knows its own")
    if isinstance(state, State):
        return state
    # Importing quimb takes seconds; without it there are no states of it.
    quimb = sys.modules.get("quimb.tensor")
    if quimb is None or not isinstance(state, quimb.MatrixProductState):
        raise InputError(f"state: {type(state).__name__} is no MPS, state vector or array")
    if state.cyclic:
        raise InputError("state: a periodic matrix product state has no canonical form")
    return MPS.from_quimb(state, [_level(state.phys_dim(site)) for site in range(state.L)])


def _from_array(array: np.ndarray, dims: Sequence[int] | None) -> State:
    if array.ndim == 2 and 1 in array.shape:
        array = array.ravel()
    if array.ndim > 2 or (array.ndim == 2 and array.shape[0] != array.shape[1]):
        raise InputError(f"state: shape {array.shape} is no vector and no density matrix")
    size = len(array)
    if dims is None and size & (size - 1):
        raise InputError(f"dims: needed, {size} amplitudes are not those of spins 1/2")
    dims = (2,) * (size.bit_length() - 1) if dims is None else tuple(map(int, dims))
    if prod(dims) != size:
        raise InputError(f"dims: {dims} does not match {size} amplitudes")
    sites = [_level(dim) for dim in dims]
    if array.ndim == 2:
        return DensityState(sites, array)
    if not np.linalg.norm(array) > 0:
        raise InputError("state: its norm is zero")
    return VectorState(sites, array)


@cache
def _level(dim: int) -> Site:
    """Site of a state that knows nothing of its sites but their dimension."""
    return make_site(f"{dim}-level", tuple(map(str, range(dim))), {}, {}, spin_dim=dim)


# ---------------------------------------------------------------------- of one state


def expect(
    state: Any, site: int, operator: str | np.ndarray, dims: Sequence[int] | None = None
) -> complex:
    """Expectation value of a one-site operator in the normalized state; see `State.expect`.

    Raises
    ------
    InputError
        If the site, the name or the shape is wrong, or the state does not know its sites.
    """
    if isinstance(operator, str) and not isinstance(state, State):
        raise InputError(f"operator: {operator!r} by name needs a state that knows its sites")
    return as_state(state, dims).expect(site, operator)


def rdm(
    state: Any,
    sites: Sequence[int],
    *,
    keep: Sequence[int] | None = None,
    dims: Sequence[int] | None = None,
) -> np.ndarray:
    """Reduced density matrix of a few sites, trace 1; see `State.rdm`.

    Parameters
    ----------
    state, dims
        As for `as_state`.
    sites
        Distinct 0-based sites; the factors of the result have this order.
    keep
        Trailing dimension to keep of each site, tracing out the rest: 2 for the spin 1/2 of a
        Kondo site.  Default: everything.

    Returns
    -------
    ndarray
        (D', D') complex Hermitian.

    Raises
    ------
    InputError
        If the state is of no known kind, or sites or dimensions do not fit it.
    """
    return as_state(state, dims).rdm(sites, keep)


def schmidt(state: Any, bond: int, dims: Sequence[int] | None = None) -> np.ndarray:
    """Schmidt values of the cut between sites ``bond`` and ``bond + 1``.

    Parameters
    ----------
    state, dims
        As for `as_state`; a density matrix has no Schmidt values.
    bond
        0-based bond.

    Returns
    -------
    ndarray
        (chi,) real, descending, squares summing to 1.

    Raises
    ------
    InputError
        If the bond is outside the chain or the state is a density matrix.
    """
    return as_state(state, dims).schmidt(bond)


def entropy(state: Any, bond: int, dims: Sequence[int] | None = None) -> float:
    """Von Neumann entanglement entropy of the cut between ``bond`` and ``bond + 1``, in nats.

    Of a density matrix, it is the entropy of the reduced state of the sites left of the cut; of a
    mixture of pure states, the weighted mean of its members' entropies: what the mixture is
    entangled with beyond the chain is not counted.
    """
    return as_state(state, dims).entropy(bond)


# ---------------------------------------------------------------------- of two parts


def log_negativity(
    state: Any,
    part_a: Sequence[int],
    part_b: Sequence[int],
    *,
    keep: Sequence[int] | None = None,
    dims: Sequence[int] | None = None,
    cutoff: float = 1e-10,
) -> float:
    """Logarithmic negativity between two sets of sites, in nats.

    Parameters
    ----------
    state
        As for `as_state`.
    part_a, part_b
        Disjoint sets of sites; all others are traced out.
    keep
        Trailing dimension to keep of each site of ``part_a`` then ``part_b``: 2 for the spin
        1/2 of a Kondo site.
    dims
        As for `as_state`.
    cutoff
        Where both parts consist of localized spins, more than ten together, each is compressed to
        its own Schmidt space, leaving out at most this weight.

    Raises
    ------
    InputError
        If the parts overlap, are empty, or are too large to diagonalize.
    """
    return _joint(as_state(state, dims), part_a, part_b, keep, cutoff).log_negativity()


def mutual_information(
    state: Any,
    part_a: Sequence[int],
    part_b: Sequence[int],
    *,
    keep: Sequence[int] | None = None,
    dims: Sequence[int] | None = None,
    cutoff: float = 1e-10,
) -> float:
    """Mutual information between two sets of sites, in nats (PRX Eq. 14); see `log_negativity`."""
    return _joint(as_state(state, dims), part_a, part_b, keep, cutoff).mutual_information()


def concurrence(state: Any, i: int, j: int) -> float:
    """Wootters concurrence of the spins 1/2 on two sites; state as for `tnspin.rdm`.

    Raises
    ------
    InputError
        If a site carries no spin 1/2, or both are the same.
    """
    return entanglement.concurrence(_two_spins(state, i, j))


def bell_nonlocality(state: Any, i: int, j: int) -> float:
    """Bell nonlocality of the spins 1/2 on two sites (QLLG); state and errors as `concurrence`."""
    return entanglement.bell_nonlocality(_two_spins(state, i, j))


def correlation_matrix(state: Any, i: int, j: int, *, connected: bool = False) -> np.ndarray:
    """(3, 3) two-point correlations ``<S^a_i S^b_j> / (S_i S_j)`` of the spins on two sites.

    Of spins 1/2 it is the matrix T of QLLG Eq. 9.

    Parameters
    ----------
    state
        As for `as_state`.
    i, j
        Two sites with spins of any size.
    connected
        Subtract ``<S^a_i> <S^b_j> / (S_i S_j)``.

    Raises
    ------
    InputError
        If a site carries no spin, or both are the same.
    """
    state = as_state(state)
    dims = _spin_dims(state, i, j)
    found = entanglement.correlation_matrix(state.rdm([i, j], dims), (dims[0], dims[1]))
    if connected:
        one, other = (
            np.einsum("ab,kba->k", state.rdm([k], [dim]), entanglement.unit_spin(dim)).real
            for k, dim in zip((i, j), dims, strict=True)
        )
        found = found - np.outer(one, other)
    return found


def trace_distance(state: Any, other: Any, sites: Sequence[int]) -> float:
    """Trace distance of the density matrices of a few sites in two states, from 0 to 1."""
    return entanglement.trace_distance(rdm(state, sites), rdm(other, sites))


def _two_spins(state: Any, i: int, j: int) -> np.ndarray:
    state = as_state(state)
    dims = _spin_dims(state, i, j)
    if dims != [2, 2]:
        raise InputError(f"sites: {i} and {j} carry spins of {dims} states, not two spins 1/2")
    return state.rdm([i, j], dims)


def _spin_dims(state: State, *sites: int) -> list[int]:
    """Number of states of the spin on each site."""
    dims = [state.sites[k].spin_dim if 0 <= k < state.length else 2 for k in sites]
    for k, dim in zip(sites, dims, strict=True):
        if dim < 2:
            raise InputError(f"sites: site {k} carries no spin")
    return dims


def _joint(
    state: State,
    part_a: Sequence[int],
    part_b: Sequence[int],
    keep: Sequence[int] | None,
    cutoff: float,
) -> GroupState:
    """Density matrix of two parts: of localized spins, or of whatever is kept of the sites."""
    sites = [*part_a, *part_b]
    if not len(part_a) or not len(part_b):
        raise InputError("part: both parts need at least one site")
    inside = [state.sites[k] for k in sites if 0 <= k < state.length]
    kept = [site.dim for site in inside] if keep is None else list(keep)
    if kept == [site.spin_dim for site in inside] and min(kept, default=2) > 1:
        return group_state(state, part_a, part_b, cutoff=cutoff)
    if prod(kept) > LARGEST:
        raise InputError(
            f"part: a density matrix of {prod(kept)} states is too large (at most {LARGEST})"
        )
    rho = state.rdm(sites, keep)
    first = prod(kept[: len(part_a)])
    return GroupState.from_dense(rho, (first, len(rho) // first))
