"""Entanglement between named parts of any state: `reduced` meets `entanglement`."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from tnspin.errors import InputError
from tnspin.observables import entanglement
from tnspin.observables.groups.state import GroupState
from tnspin.observables.reduced import LARGEST, group_state, rdm
from tnspin.operators.sites import spin

__all__ = [
    "bell_nonlocality",
    "concurrence",
    "correlation_matrix",
    "log_negativity",
    "mutual_information",
    "trace_distance",
]


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
        Any state that `tnspin.rdm` takes.
    part_a, part_b
        Disjoint sets of sites; all others are traced out.
    keep
        Trailing dimension to keep of each site of ``part_a`` then ``part_b``: 2 for the spin
        1/2 of a Kondo site.
    dims
        Dimensions of the sites of a numpy array.
    cutoff
        Where both parts consist of localized spins, more than ten together, each is compressed to
        its own Schmidt space, leaving out at most this weight.

    Raises
    ------
    InputError
        If the parts overlap, are empty, or are too large to diagonalize.
    """
    if _are_spins(state, [*part_a, *part_b], keep):
        return _groups(state, part_a, part_b, cutoff).log_negativity()
    rho, sizes = _pair(state, part_a, part_b, keep, dims)
    return entanglement.log_negativity(rho, sizes, [0])


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
    if _are_spins(state, [*part_a, *part_b], keep):
        return _groups(state, part_a, part_b, cutoff).mutual_information()
    rho, sizes = _pair(state, part_a, part_b, keep, dims)
    return entanglement.mutual_information(rho, sizes, [0])


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
        Any state that `tnspin.rdm` takes.
    i, j
        Two sites with spins of any size.
    connected
        Subtract ``<S^a_i> <S^b_j> / (S_i S_j)``.

    Raises
    ------
    InputError
        If a site carries no spin, or both are the same.
    """
    dims = [_spin_dim(state, k) for k in (i, j)]
    rho = rdm(state, [i, j], keep=dims).reshape(*dims, *dims)
    first, second = (_unit_spin(d) for d in dims)
    found = np.einsum("abcd,kca,ldb->kl", rho, first, second).real
    if connected:
        one = np.einsum("abcb,kca->k", rho, first).real
        other = np.einsum("abad,ldb->l", rho, second).real
        found = found - np.outer(one, other)
    return found


def trace_distance(state: Any, other: Any, sites: Sequence[int]) -> float:
    """Trace distance of what two states say about a few sites: 0 if the same, 1 if orthogonal."""
    return entanglement.trace_distance(rdm(state, sites), rdm(other, sites))


def _unit_spin(dim: int) -> np.ndarray:
    """(3, d, d) matrices of S / S."""
    site = spin((dim - 1) / 2)
    return np.stack([site.op(f"S{axis}") for axis in "xyz"]) * (2 / (dim - 1))


def _two_spins(state: Any, i: int, j: int) -> np.ndarray:
    dims = [_spin_dim(state, k) for k in (i, j)]
    if dims != [2, 2]:
        raise InputError(f"sites: {i} and {j} carry spins of {dims} states, not two spins 1/2")
    return rdm(state, [i, j], keep=dims)


def _spin_dim(state: Any, site: int) -> int:
    """States of the spin on a site; of states that do not know their sites, all of it."""
    chain = getattr(state, "sites", ())
    if hasattr(next(iter(chain), None), "spin_dim") and 0 <= site < len(chain):
        dim = int(chain[site].spin_dim)
    else:
        dim = len(rdm(state, [site]))
    if dim < 2:
        raise InputError(f"sites: site {site} carries no spin")
    return dim


def _are_spins(state: Any, sites: Sequence[int], keep: Sequence[int] | None) -> bool:
    """Whether exactly the localized spins of a state that knows its sites are asked for."""
    chain = getattr(state, "sites", ())
    if not sites or not hasattr(next(iter(chain), None), "spin_dim"):
        return False
    if not all(0 <= k < len(chain) for k in sites) or (keep and len(keep) != len(sites)):
        return False
    kept = keep or [chain[k].dim for k in sites]
    return all(chain[k].spin_dim == d > 1 for k, d in zip(sites, kept, strict=True))


def _groups(state: Any, part_a: Sequence[int], part_b: Sequence[int], cutoff: float) -> GroupState:
    if not len(part_a) or not len(part_b):
        raise InputError("part: both parts need at least one site")
    return group_state(state, part_a, part_b, cutoff=cutoff)


def _pair(
    state: Any,
    part_a: Sequence[int],
    part_b: Sequence[int],
    keep: Sequence[int] | None,
    dims: Sequence[int] | None,
) -> tuple[np.ndarray, tuple[int, int]]:
    """Density matrix of both parts and the dimension of each."""
    sites = [*part_a, *part_b]
    if not len(part_a) or not len(part_b):
        raise InputError("part: both parts need at least one site")
    local = _local_dims(state, sites, dims) if keep is None else list(keep)
    if prod(local) > LARGEST:
        raise InputError(
            f"part: a density matrix of {prod(local)} states is too large (at most {LARGEST})"
        )
    rho = rdm(state, sites, keep=keep, dims=dims)
    first = prod(local[: len(part_a)])
    return rho, (first, len(rho) // first)


def _local_dims(state: Any, sites: Sequence[int], dims: Sequence[int] | None) -> list[int]:
    """Dimension of each site, from one-site density matrices where nothing else tells."""
    return [len(rdm(state, [site], dims=dims)) for site in sites]
