"""Density matrix of two groups of localized spins of a state in any representation."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from math import prod
from typing import Any

from tnspin.errors import InputError
from tnspin.mps.purified.state import PurifiedMPS
from tnspin.mps.state import MPS
from tnspin.observables.groups import mps, one_electron
from tnspin.observables.groups.state import LARGEST as GROUP_ROWS
from tnspin.observables.groups.state import GroupState, doubled_sz
from tnspin.operators.state import State, checked_sites
from tnspin.states.one_electron import OneElectronState

#: Largest density matrix that is worth diagonalizing: 4096 x 4096 takes a minute.
LARGEST = 4096
#: Pairs (weight, state).
Members = Sequence[tuple[float, Any]]
#: Sites of the two groups.
Parts = tuple[list[int], list[int]]


def group_state(
    state: State,
    part_a: Sequence[int],
    part_b: Sequence[int],
    *,
    cutoff: float = 1e-10,
    dense: int = 10,
    largest: int = GROUP_ROWS,
) -> GroupState:
    """Density matrix of the localized spins of two groups of sites (PRA Eq. 1).

    Parameters
    ----------
    state
        A quantum state in any representation.
    part_a, part_b
        Distinct sites that carry a localized spin; ``part_b`` may be empty.
    cutoff, dense
        If all spins together have at most as many states as ``dense`` spins 1/2, the matrix is
        exact, in the product basis.  Beyond, each group is compressed to its Schmidt space,
        leaving out a weight of at most ``cutoff``, where the representation allows it (`MPS` and
        `OneElectronState`).
    largest
        Most rows of a block of a compressed matrix and of its partial transpose; where that takes
        more than ``cutoff``, ``discarded`` of the result is larger.

    Raises
    ------
    InputError
        If a site carries no spin or is named twice, or the matrix is too large for the
        representation.
    """
    sites = checked_sites([*part_a, *part_b], state.length, "part")
    parts = sites[: len(part_a)], sites[len(part_a) :]
    if not parts[0]:
        raise InputError("part: the first group has no sites")
    for k in sites:
        if state.sites[k].spin_dim < 2:
            raise InputError(f"part: site {k} ({state.sites[k].name}) carries no localized spin")
    # Counted in states, for spins above 1/2 have more of them; 0: to be compressed.
    states = prod(state.sites[k].spin_dim for k in sites)
    dense = (states - 1).bit_length() if states <= 2**dense else 0
    limits = {"cutoff": cutoff, "dense": dense, "largest": largest}
    return _joint(state.members[0][1], state.members, parts, **limits)


@singledispatch
def _joint(first: State, members: Members, parts: Parts, **limits: Any) -> GroupState:
    """`group_state` by the representation of the first member: from reduced density matrices."""
    each = [_dense(one, *parts) for _, one in members]
    return GroupState.average(each, [weight for weight, _ in members])


@_joint.register
def _(first: MPS, members: Members, parts: Parts, *, dense: int, **limits: Any) -> GroupState:
    if dense:
        return _joint.dispatch(State)(first, members, parts)
    return mps.group_state(members, *parts, **limits)


@_joint.register
def _(first: PurifiedMPS, members: Members, parts: Parts, **limits: Any) -> GroupState:
    # Ancillas are traced out.
    pure = [(weight, one.purification) for weight, one in members]
    return _joint(first.purification, pure, parts, **limits)


@_joint.register
def _(first: OneElectronState, members: Members, parts: Parts, **limits: Any) -> GroupState:
    return one_electron.group_state(members, *parts, **limits)


def _dense(state: State, part_a: Sequence[int], part_b: Sequence[int]) -> GroupState:
    """Density matrix of two groups from that of all their spins."""
    sites = [*part_a, *part_b]
    keep = [state.sites[k].spin_dim for k in sites]
    if prod(keep) > LARGEST:
        raise InputError(
            f"part: a density matrix of {prod(keep)} states is too large (at most {LARGEST}) for "
            f"a {state.noun}"
        )
    dims = prod(keep[: len(part_a)]), prod(keep[len(part_a) :])
    charges = None
    if "2Sz" in state.charge_names:
        charges = doubled_sz(keep[: len(part_a)]), doubled_sz(keep[len(part_a) :])
    return GroupState.from_dense(state.rdm(sites, keep=keep), dims, charges)
