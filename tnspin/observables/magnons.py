"""Spin flips of localized spins relative to the product state in which they started.

An m-magnon state has m spins out of their reference state (PRA Eqs. 25-27); its probability and
the correlations of S^z follow from the diagonal of the density matrix, which small groups have and
for which `MPS` and one-electron states have better ways.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnspin.errors import InputError
from tnspin.observables.groups.state import GroupState
from tnspin.observables.reduced import backend, group_state, members

__all__ = [
    "group_magnon_probability",
    "group_w_probability",
    "group_zz_correlations",
    "magnon_probability",
    "sz_values",
    "w_probability",
    "zz_correlations",
]

Reals = NDArray[np.float64]


def magnon_probability(state: Any, sites: Sequence[int], reference: Sequence[int]) -> Reals:
    """Probability of m spins out of their reference state, m = 0..N (PRA Eq. 25).

    Parameters
    ----------
    state
        Any state that `tnspin.observables.reduced.group_state` takes.
    sites
        Sites of the N localized spins.
    reference
        Index of the basis state (0 = up) of each that counts as not flipped.

    Returns
    -------
    ndarray
        (N + 1,), summing to 1.

    Raises
    ------
    InputError
        If the reference does not fit the spins, or there are too many for this kind of state.
    """
    parts = members(state)
    dims = _checked(parts[0][1], sites, reference)
    if hasattr(parts[0][1], "magnon_probability"):
        return sum(w * one.magnon_probability(sites, reference) for w, one in parts)
    counting = backend(parts[0][1], "counting")
    if counting is not None:
        return np.asarray(counting.magnon_probability(parts, sites, reference))
    return group_magnon_probability(group_state(state, sites, ()), dims, reference)


def w_probability(state: Any, sites: Sequence[int], reference: Sequence[int]) -> float:
    """Probability of the W state: the equal superposition of all single flips of the reference.

    A flip takes a spin that is all up or down one step away from it (for spins 1/2, to its other
    state).  Parameters and errors are those of `magnon_probability`.
    """
    parts = members(state)
    dims = _checked(parts[0][1], sites, reference)
    if hasattr(parts[0][1], "w_probability"):
        return float(sum(w * one.w_probability(sites, reference) for w, one in parts))
    counting = backend(parts[0][1], "counting")
    if counting is not None:
        return float(counting.w_probability(parts, sites, reference))
    return group_w_probability(group_state(state, sites, ()), dims, reference)


def zz_correlations(state: Any, sites: Sequence[int]) -> tuple[Reals, Reals]:
    """``<S^z_i S^z_j>`` (N, N) and ``<S^z_i>`` (N,) of localized spins, S^z divided by S."""
    parts = members(state)
    if hasattr(parts[0][1], "zz_correlations"):
        each = [(w, *one.zz_correlations(sites)) for w, one in parts]
        return sum(w * zz for w, zz, _ in each), sum(w * z for w, _, z in each)
    counting = backend(parts[0][1], "counting")
    if counting is not None:
        return counting.zz_correlations(parts, sites)
    dims = [state.sites[k].spin_dim for k in sites]
    return group_zz_correlations(group_state(state, sites, ()), dims)


# ---------------------------------------------------------------------- from a density matrix


def group_magnon_probability(
    state: GroupState, dims: Sequence[int], reference: Sequence[int]
) -> Reals:
    """`magnon_probability` from the density matrix of spins of these dimensions 2S + 1."""
    flipped = np.indices(tuple(dims)).reshape(len(dims), -1) != np.array(reference)[:, None]
    counts = np.bincount(flipped.sum(axis=0), _diagonal(state), minlength=len(dims) + 1)
    return counts.astype(np.float64, copy=False)


def group_w_probability(state: GroupState, dims: Sequence[int], reference: Sequence[int]) -> float:
    """`w_probability` from the density matrix of spins of these dimensions 2S + 1."""
    _diagonal(state)
    amplitudes = np.zeros(tuple(dims))
    for k, (d, index) in enumerate(zip(dims, reference, strict=True)):
        flipped = list(reference)
        flipped[k] = flip(index, d)
        amplitudes[tuple(flipped)] = len(dims) ** -0.5
    vector, total = amplitudes.reshape(state.dims), np.add.outer(*state.charges)
    parts = [(vector[total == q], block) for q, block in state.blocks.items()]
    return float(sum((v @ block @ v).real for v, block in parts))


def group_zz_correlations(state: GroupState, dims: Sequence[int]) -> tuple[Reals, Reals]:
    """`zz_correlations` from the density matrix of spins of these dimensions 2S + 1."""
    sz, p = sz_values(dims), _diagonal(state)
    return (sz * p) @ sz.T, sz @ p


def sz_values(dims: Sequence[int]) -> Reals:
    """S^z/S of each spin in each product state, (N, D), the first spin slowest."""
    one = [np.linspace(1.0, -1.0, d) for d in dims]
    indices = np.indices(tuple(dims)).reshape(len(dims), -1)
    return np.stack([values[index] for values, index in zip(one, indices, strict=True)])


def flip(index: int, dim: int) -> int:
    """State next to the fully up (0) or fully down (dim - 1) one of a spin.

    Raises
    ------
    InputError
        If the spin is in neither: then there is no single flip.
    """
    if index not in (0, dim - 1):
        raise InputError(f"reference: state {index} of {dim} is neither all up nor all down")
    return 1 if index == 0 else dim - 2


def _diagonal(state: GroupState) -> Reals:
    if state.compressed:
        raise InputError("state: compressed groups have lost the basis of their spins")
    return state.diagonal().ravel()


def _checked(state: Any, sites: Sequence[int], reference: Sequence[int]) -> list[int]:
    dims = [state.sites[k].spin_dim for k in sites]
    fits = len(reference) == len(dims) and all(
        0 <= index < d for index, d in zip(reference, dims, strict=False)
    )
    if not fits:
        raise InputError(f"reference: {tuple(reference)} does not fit spins of dimensions {dims}")
    return dims
