"""From any kind of state to numbers: expectation values, density matrices, Schmidt values.

The only place that knows the kinds apart.  The states of this package answer for themselves, and
mixtures (`Ensemble`) through their members; quimb's matrix product states and plain numpy arrays
have adapters (`adapters`).  Everything else, the entanglement measures included, works on
what these functions return.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from math import prod
from types import ModuleType
from typing import Any

import numpy as np

from tnspin.errors import InputError
from tnspin.observables.adapters import Dense, Native, adapt
from tnspin.observables.groups.bases import LARGEST as GROUP_ROWS
from tnspin.observables.groups.state import GroupState
from tnspin.operators.sites import Site
from tnspin.states.ensemble import Ensemble

__all__ = ["backend", "entropy", "expect", "group_state", "members", "rdm", "schmidt"]

# Kinds with Schmidt values; all others answer with the entropies of cuts as they define them.
_PURE = ("MPS", "VectorState", "OneElectronState")
#: Largest density matrix that is worth diagonalizing: 4096 x 4096 takes a minute.
LARGEST = 4096


def expect(
    state: Any, site: int, operator: str | np.ndarray, dims: Sequence[int] | None = None
) -> complex:
    """Expectation value of a one-site operator in the normalized state.

    Parameters
    ----------
    state
        Any state that `rdm` takes.
    site
        0-based site.
    operator
        (d, d) matrix [out, in], or the name of an operator of the site where the state knows
        its sites.
    dims
        As for `rdm`.

    Returns
    -------
    complex
        ``<operator>``; its real part is the value of a Hermitian operator.

    Raises
    ------
    InputError
        If the site, the name or the shape is wrong.
    """
    rho = rdm(state, [site], dims=dims)
    if isinstance(operator, str):
        if not hasattr(state, "sites") or not hasattr(state.sites[site], "op"):
            raise InputError(f"operator: {operator!r} by name needs a state that knows its sites")
        matrix = state.sites[site].op(operator)
    else:
        matrix = np.asarray(operator)
    if matrix.shape != rho.shape:
        raise InputError(f"operator: shape {matrix.shape} on a site of dimension {len(rho)}")
    return complex(np.vdot(matrix.conj().T, rho))


def rdm(
    state: Any,
    sites: Sequence[int],
    *,
    keep: Sequence[int] | None = None,
    dims: Sequence[int] | None = None,
) -> np.ndarray:
    """Reduced density matrix of a few sites, trace 1.

    Parameters
    ----------
    state
        `MPS`, `VectorState`, quimb ``MatrixProductState``, or a numpy array: (D,) vector or
        (D, D) density matrix, site 0 slowest.
    sites
        Distinct 0-based sites; the factors of the result have this order.
    keep
        Trailing dimension to keep of each site, tracing out the rest: 2 for the spin 1/2 of a
        Kondo site.  Default: everything.
    dims
        Dimension of each site of a numpy array; spins 1/2 by default.

    Returns
    -------
    ndarray
        (D', D') complex Hermitian.

    Raises
    ------
    InputError
        If the state is of no known kind, or sites or dimensions do not fit it.
    """
    adapted = adapt(state, dims)
    chosen = [_checked(site, len(adapted.dims), "sites") for site in sites]
    if len(set(chosen)) != len(chosen):
        raise InputError(f"sites: {chosen} names a site twice")
    if keep is None:
        return adapted.rdm(chosen)
    if len(keep) != len(chosen):
        raise InputError(f"keep: {len(keep)} dimensions for {len(chosen)} sites")
    for site, size in zip(chosen, keep, strict=True):
        if size < 1 or adapted.dims[site] % size:
            raise InputError(
                f"keep: site {site} of dimension {adapted.dims[site]} has no factor of {size}"
            )
    if isinstance(adapted, Native):
        return np.asarray(adapted.state.rdm(chosen, keep=list(keep)))
    return _trailing(adapted.rdm(chosen), [adapted.dims[site] for site in chosen], keep)


def schmidt(state: Any, bond: int, dims: Sequence[int] | None = None) -> np.ndarray:
    """Schmidt values of the cut between sites ``bond`` and ``bond + 1``.

    Parameters
    ----------
    state, dims
        As for `rdm`; a density matrix has no Schmidt values.
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
    adapted = adapt(state, dims)
    return adapted.schmidt(_checked(bond, len(adapted.dims) - 1, "bond"))


def entropy(state: Any, bond: int, dims: Sequence[int] | None = None) -> float:
    """Von Neumann entanglement entropy of the cut between ``bond`` and ``bond + 1``, in nats.

    Of a density matrix, it is the entropy of the reduced state of the sites left of the cut; of a
    mixture of pure states, the weighted mean of its members' entropies: what the mixture is
    entangled with beyond the chain is not counted.
    """
    if isinstance(state, Ensemble):
        return sum(weight * entropy(one, bond) for weight, one in members(state))
    adapted = adapt(state, dims)
    bond = _checked(bond, len(adapted.dims) - 1, "bond")
    if isinstance(adapted, Native) and type(state).__name__ not in _PURE:
        return float(state.entropies()[bond])
    if isinstance(adapted, Dense) and adapted.mixed:
        p = np.linalg.eigvalsh(adapted.rdm(range(bond + 1)))
    else:
        p = adapted.schmidt(bond) ** 2
    p = p[p > 0]
    return float(max(0.0, -np.sum(p * np.log(p))))


def members(state: Any) -> list[tuple[float, Any]]:
    """Weights and pure states of a mixture; of any other state, itself with weight 1.

    Of a locally purified state it is the purification: its ancillas are leading factors, which
    whoever looks at spins traces out.
    """
    if hasattr(state, "purification"):
        return [(1.0, state.purification)]
    if not isinstance(state, Ensemble):
        return [(1.0, state)]
    return list(state.members)


def group_state(
    state: Any,
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
        `MPS`, `OneElectronState`, `VectorState`, `DensityState`, or a mixture (`Ensemble`).
    part_a, part_b
        Distinct sites that carry a localized spin; ``part_b`` may be empty.
    cutoff, dense
        If all spins together have at most as many states as ``dense`` spins 1/2, the matrix is
        exact, in the product basis.  Beyond, each group is compressed to its Schmidt space,
        leaving out a weight of at most ``cutoff``, where the kind of state allows it (`MPS` and
        `OneElectronState`).
    largest
        Most rows of a block of a compressed matrix and of its partial transpose; where that takes
        more than ``cutoff``, ``discarded`` of the result says how much.

    Raises
    ------
    InputError
        If a site carries no spin or is named twice, or the matrix is too large for the kind.
    """
    part_a, part_b = [int(k) for k in part_a], [int(k) for k in part_b]
    _check_groups(state, part_a, part_b)
    # Counted in states, for spins above 1/2 have more of them.
    states = prod(state.sites[k].spin_dim for k in [*part_a, *part_b])
    dense = (states - 1).bit_length() if states <= 2**dense else 0
    if hasattr(state, "group_state"):
        return state.group_state(part_a, part_b, cutoff=cutoff, dense=dense, largest=largest)
    parts = members(state)
    home = backend(parts[0][1], "groups")
    if home is not None:
        ascending = sorted(part_a), sorted(part_b)
        found = home.group_state(parts, *ascending, cutoff=cutoff, dense=dense, largest=largest)
        return _in_order(found, state.sites, part_a, part_b)
    each = [_dense_group_state(one, part_a, part_b) for _, one in parts]
    return GroupState.average(each, [weight for weight, _ in parts])


#: Kind of state and subject -> module that does better than dense matrices.
_BACKENDS = {
    ("MPS", "counting"): "tnspin.observables.magnons_mps",
    ("MPS", "groups"): "tnspin.observables.groups.mps",
    ("OneElectronState", "counting"): "tnspin.states.one_electron.counting",
    ("OneElectronState", "groups"): "tnspin.observables.groups.one_electron",
}


def backend(state: Any, subject: str) -> ModuleType | None:
    """Return the module that does better than dense matrices for this kind of state, if any."""
    home = _BACKENDS.get((type(state).__name__, subject))
    return None if home is None else import_module(home)


def _check_groups(state: Any, part_a: Sequence[int], part_b: Sequence[int]) -> None:
    """Refuse groups that are no sets of distinct localized spins of this chain."""
    sites = [_checked(site, len(state.sites), "part") for site in [*part_a, *part_b]]
    if not part_a:
        raise InputError("part: the first group has no sites")
    if len(set(sites)) != len(sites):
        raise InputError(f"part: {sites} names a site twice")
    for k in sites:
        if state.sites[k].spin_dim < 2:
            raise InputError(f"part: site {k} ({state.sites[k].name}) carries no localized spin")


def _in_order(
    group: GroupState, sites: Sequence[Site], part_a: Sequence[int], part_b: Sequence[int]
) -> GroupState:
    """From product bases with ascending sites to those in the order asked for."""
    if group.compressed or (sorted(part_a) == part_a and sorted(part_b) == part_b):
        return group
    order = []
    for part in (part_a, part_b):
        ascending = sorted(part)
        indices = np.arange(prod(sites[k].spin_dim for k in part))
        table = indices.reshape([sites[k].spin_dim for k in ascending])
        order.append(table.transpose([ascending.index(k) for k in part]).ravel())
    return group.reordered(*order)


def _dense_group_state(state: Any, part_a: Sequence[int], part_b: Sequence[int]) -> GroupState:
    """The same from the density matrix of all these spins."""
    sites = [*part_a, *part_b]
    keep = [state.sites[k].spin_dim for k in sites]
    if prod(keep) > LARGEST:
        raise InputError(
            f"part: a density matrix of {prod(keep)} states is too large (at most {LARGEST}) for "
            f"a {type(state).__name__}"
        )
    dims = prod(keep[: len(part_a)]), prod(keep[len(part_a) :])
    charges = None
    if "2Sz" in state.charge_names:
        charges = _doubled_sz(keep[: len(part_a)]), _doubled_sz(keep[len(part_a) :])
    return GroupState.from_dense(state.rdm(sites, keep=keep), dims, charges)


def _doubled_sz(dims: Sequence[int]) -> np.ndarray:
    """2Sz of the product states of spins, up first and the first spin slowest."""
    total = np.zeros(1, dtype=np.int64)
    for d in dims:
        total = np.add.outer(total, d - 1 - 2 * np.arange(d)).ravel()
    return total


def _checked(value: int, count: int, key: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise InputError(f"{key}: {value!r} is not an integer")
    if not 0 <= value < count:
        raise InputError(f"{key}: {value} is outside the chain (0..{count - 1})")
    return int(value)


def _trailing(rho: np.ndarray, dims: Sequence[int], keep: Sequence[int]) -> np.ndarray:
    """Trace out the leading part of each factor, one factor at a time."""
    size = len(rho)
    before = 1
    for dim, kept in zip(dims, keep, strict=True):
        after = size // (before * dim)
        parts = rho.reshape(before, dim // kept, kept * after, before, dim // kept, kept * after)
        size = before * kept * after
        rho = np.einsum("amxbmy->axby", parts).reshape(size, size)
        before *= kept
    return rho
