"""Entanglement between named parts of any state: `tnspin.reduced` meets `tnspin.entanglement`."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from tnspin import entanglement
from tnspin.errors import InputError
from tnspin.group_state import GroupState
from tnspin.reduced import LARGEST, group_state, rdm

__all__ = ["log_negativity", "mutual_information"]


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
