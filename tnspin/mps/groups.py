"""Density matrix of two groups of localized spins in matrix product states.

The electrons on the sites of the groups, the spacer between them and everything outside are traced
out (PRA Eq. 1).  Few spins are kept in their product basis; groups of many are compressed to the
spaces that they use (`tnspin.mps.compress`).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TypeAlias

import numpy as np

from ..errors import InputError
from ..group_bases import LARGEST
from ..group_state import GroupState
from ..sites import Site
from .compress import spin_charges, sweeps
from .join import joined
from .reduce import rdm
from .state import MPS
from .transfer import Ints, Matrix

__all__ = ["group_state"]

#: Weights and states of a mixture.
Members: TypeAlias = Sequence[tuple[float, MPS]]


def group_state(
    members: Members,
    part_a: Sequence[int],
    part_b: Sequence[int],
    *,
    cutoff: float = 1e-10,
    dense: int = 10,
    largest: int = LARGEST,
) -> GroupState:
    """Density matrix of the localized spins of two groups of sites, averaged over a mixture.

    Parameters
    ----------
    members
        Weights and states, all with the same sites and charges; their totals may differ.
    part_a, part_b
        Distinct sites; the trailing ``spin_dim`` factor of each is kept.  ``part_b`` may be
        empty.
    cutoff
        Largest weight, as a share of 1, that each group may lose by compression.
    dense
        Up to 2^dense configurations of both groups together (so many spins 1/2) the matrix is
        exact and in the product basis of the spins, first site slowest; beyond, each group is
        compressed.
    largest
        Most rows of a block of the compressed density matrix and of its partial transpose:
        where more are needed for the cutoff, the least probable vectors of the two bases go, and
        ``discarded`` of the result says what that took.  Diagonalizing 2048 rows takes seconds.

    Raises
    ------
    InputError
        If the groups share a site, the members differ in their sites or charges, or groups that
        need compression lie inside each other.
    """
    members = checked(members, [*part_a, *part_b])
    sites = members[0][1].sites
    dims = [prod(sites[i].spin_dim for i in part) for part in (part_a, part_b)]
    if prod(dims) <= 2**dense:
        return _product_basis(members, part_a, part_b, dims)
    mirrored = bool(part_b) and min(part_b) < min(part_a)
    first, second = (part_b, part_a) if mirrored else (part_a, part_b)
    if second and max(first) > min(second):
        raise InputError(
            f"part: groups of {prod(dims)} configurations must lie apart, sites {sorted(part_a)} "
            f"and {sorted(part_b)} lie inside each other (at most 2^{dense} configurations)"
        )
    left, right = sweeps(members, first, second, cutoff)
    return joined(left, right, mirrored=mirrored, largest=largest)


def checked(members: Members, sites: Sequence[int]) -> list[tuple[float, MPS]]:
    """Canonical members with weights that sum to 1.

    Raises
    ------
    InputError
        If there are none, they differ in sites or charges, or ``sites`` are not distinct sites
        of theirs.
    """
    total = sum(weight for weight, _ in members)
    if not total > 0:
        raise InputError("members: no state with a positive weight")
    first = members[0][1]
    for _, one in members:
        same = [site.name for site in one.sites] == [site.name for site in first.sites]
        if one.code != first.code or not same:
            raise InputError("members: the states have other sites or charges")
        one.ensure_canonical()
    if len(set(sites)) != len(sites) or not all(0 <= i < first.length for i in sites):
        raise InputError(
            f"part: sites {list(sites)} must be distinct and within 0..{first.length - 1}"
        )
    return [(weight / total, one) for weight, one in members if weight > 0]


def _product_basis(
    members: Members, part_a: Sequence[int], part_b: Sequence[int], dims: Sequence[int]
) -> GroupState:
    """Exact density matrix over the product bases of the two groups."""
    both = [*part_a, *part_b]
    sites = members[0][1].sites
    keep = [sites[i].spin_dim for i in both]
    rho: Matrix = sum(
        (weight * rdm(one, both, keep) for weight, one in members),
        start=np.zeros((prod(dims),) * 2, dtype=np.complex128),
    )
    charges = None
    if "2Sz" in members[0][1].charge_names:
        a, b = (_product_charges([sites[i] for i in part]) for part in (part_a, part_b))
        charges = a, b
    return GroupState.from_dense(rho, (dims[0], dims[1]), charges)


def _product_charges(sites: Sequence[Site]) -> Ints:
    """2Sz of every product state of the localized spins of ``sites``, first site slowest."""
    total = np.zeros(1, dtype=np.int64)
    for site in sites:
        total = np.add.outer(total, spin_charges(site)).ravel()
    return total
