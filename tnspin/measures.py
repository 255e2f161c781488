"""Entanglement between named parts of any state: `tnspin.reduced` meets `tnspin.entanglement`."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from tnspin import entanglement
from tnspin.errors import InputError
from tnspin.reduced import rdm

__all__ = ["log_negativity", "mutual_information"]

#: Largest density matrix that is worth diagonalizing: 4096 x 4096 takes a minute.
_LARGEST = 4096


def log_negativity(
    state: Any,
    part_a: Sequence[int],
    part_b: Sequence[int],
    *,
    keep: Sequence[int] | None = None,
    dims: Sequence[int] | None = None,
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

    Raises
    ------
    InputError
        If the parts overlap, are empty, or are too large to diagonalize.
    """
    rho, sizes = _pair(state, part_a, part_b, keep, dims)
    return entanglement.log_negativity(rho, sizes, [0])


def mutual_information(
    state: Any,
    part_a: Sequence[int],
    part_b: Sequence[int],
    *,
    keep: Sequence[int] | None = None,
    dims: Sequence[int] | None = None,
) -> float:
    """Mutual information between two sets of sites, in nats (PRX Eq. 14); see `log_negativity`."""
    rho, sizes = _pair(state, part_a, part_b, keep, dims)
    return entanglement.mutual_information(rho, sizes, [0])


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
    if prod(local) > _LARGEST:
        raise InputError(
            f"part: a density matrix of {prod(local)} states is too large (at most {_LARGEST})"
        )
    rho = rdm(state, sites, keep=keep, dims=dims)
    first = prod(local[: len(part_a)])
    return rho, (first, len(rho) // first)


def _local_dims(state: Any, sites: Sequence[int], dims: Sequence[int] | None) -> list[int]:
    """Dimension of each site, from one-site density matrices where nothing else tells."""
    return [len(rdm(state, [site], dims=dims)) for site in sites]
