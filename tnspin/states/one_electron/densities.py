"""Density matrices of sites and spins, and counts of flipped spins, of states of one electron."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tnspin.errors import InputError
from tnspin.numerics.arrays import Ints
from tnspin.operators.sites import Matrix, Site
from tnspin.operators.state import reordered
from tnspin.states.one_electron.amplitudes import Amplitudes
from tnspin.states.one_electron.configurations import ELECTRON
from tnspin.states.one_electron.kernels import row_products


def site_rdms(state: Amplitudes) -> list[Matrix]:
    """Reduced density matrix of every site, L arrays (d, d)."""
    near, _ = one_body(state)
    rhos = []
    for k, site in enumerate(state.configurations.sites):
        if not _is_level(site):
            rhos.append(rdm(state, [k], [site.dim]))
            continue
        rho = np.zeros((4, 4), dtype=np.complex128)
        rho[1:3, 1:3] = near[..., k]
        rho[0, 0] = 1 - np.trace(rho)
        rhos.append(rho)
    return rhos


def bond_rdms(state: Amplitudes) -> list[Matrix]:
    """Reduced density matrix of every pair of neighbours, L - 1 arrays."""
    near, across_bonds = one_body(state)
    places = np.array([4, 8, 1, 2])  # the electron left, right; up, down: e_left * 4 + e_right
    rhos = []
    sites = state.configurations.sites
    for k in range(len(sites) - 1):
        if not (_is_level(sites[k]) and _is_level(sites[k + 1])):
            rhos.append(rdm(state, [k, k + 1], [sites[k].dim, sites[k + 1].dim]))
            continue
        across = across_bonds[..., k]
        occupied = np.block([[near[..., k], across], [across.conj().T, near[..., k + 1]]])
        rho = np.zeros((16, 16), dtype=np.complex128)
        rho[np.ix_(places, places)] = occupied
        rho[0, 0] = 1 - np.trace(occupied)
        rhos.append(rho)
    return rhos


def one_body(state: Amplitudes) -> tuple[Matrix, Matrix]:
    """(2, 2, L) density matrix of the electron on each site, and (2, 2, L - 1) across bonds."""
    shape = 2, 2, state.configurations.length
    near, across = (np.zeros(shape, dtype=np.complex128) for _ in range(2))
    for table in state.configurations.table((ELECTRON,)):
        alive = (state.weights[table.index] > 0).any(axis=0)
        waves = [state.amplitudes[rows[alive]] for rows in table.index]
        for s, wave in zip(table.codes, waves, strict=True):
            for t, other in zip(table.codes, waves, strict=True):
                near[s, t] += np.einsum("jx,jx->x", wave, other.conj())
                across[s, t, :-1] += np.einsum("jx,jx->x", wave[:, :-1], other[:, 1:].conj())
    total = state.weights.sum()
    return near / total, across[..., :-1] / total


def rdm(state: Amplitudes, chosen: list[int], kept: list[int]) -> Matrix:
    """Reduced density matrix of distinct sites, factors in the order given.

    Parameters
    ----------
    kept
        Trailing dimension to keep of each site: all of it, or of all sites the dimension of the
        localized spin, which traces out electron and ancilla.

    Raises
    ------
    InputError
        If ``kept`` is anything else.
    """
    ordered = sorted(chosen)
    sites = state.configurations.sites
    dims, spins = ([getattr(sites[k], name) for k in chosen] for name in ("dim", "spin_dim"))
    if kept == spins and kept != dims:
        rho = _spin_rdm(state, ordered)
    elif kept == dims:
        rho = _full_rdm(state, ordered)
    else:
        raise InputError(f"keep: {kept} is neither the sites {dims} nor their spins {spins}")
    return reordered(rho, [kept[chosen.index(k)] for k in ordered], [*map(ordered.index, chosen)])


def _spin_rdm(state: Amplitudes, sites: Sequence[int]) -> Matrix:
    """Reduced density matrix of the localized spins of ascending sites."""
    factors = tuple(state.configurations.spin(site) for site in sites)
    size = int(np.prod(state.configurations.dims(factors)))
    rho = np.zeros((size, size), dtype=np.complex128)
    for table in state.configurations.table(factors):
        rho[np.ix_(table.codes, table.codes)] += _products(state, table.index)
    return rho / state.weights.sum()


# ---------------------------------------------------------------------- flipped spins


def magnon_probability(
    state: Amplitudes, sites: Sequence[int], reference: Sequence[int]
) -> NDArray[np.float64]:
    """(N + 1,) probability that 0..N spins differ from a basis state (PRA Eq. 25)."""
    flips = np.zeros(state.configurations.dim, dtype=np.int64)
    states = state.configurations.basis.states
    for site, value in zip(sites, reference, strict=True):
        flips += states[:, state.configurations.spin(site)] != value
    counts = np.bincount(flips, weights=state.weights, minlength=len(sites) + 1)
    return counts / state.weights.sum()


def w_probability(state: Amplitudes, sites: Sequence[int], reference: Sequence[int]) -> float:
    """Probability of the equal superposition of all single flips of a basis state.

    A flip lowers or raises a spin by one step, away from the end where it starts.
    """
    factors = tuple(state.configurations.spin(site) for site in sites)
    order = np.argsort(factors)
    factors = tuple(factors[k] for k in order)
    dims = state.configurations.dims(factors)
    start = np.array([reference[k] for k in order])
    step = np.where(start == 0, 1, -1)
    flipped = start[None, :] + np.diag(step)
    codes = np.ravel_multi_index(tuple(flipped.T), dims)
    total = 0.0
    for table in state.configurations.table(factors):
        rows = table.index[np.isin(table.codes, codes)]
        if len(rows):
            summed = state.amplitudes[rows].sum(axis=0)
            total += float(np.vdot(summed, summed).real)
    return total / len(sites) / float(state.weights.sum())


def zz_correlations(
    state: Amplitudes, sites: Sequence[int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(N, N) ``<Sz_i Sz_j>`` and (N,) ``<Sz_i>`` of localized spins, divided by S."""
    probability = state.weights / state.weights.sum()
    rows = np.flatnonzero(probability)
    columns = []
    for site in sites:
        factor = state.configurations.spin(site)
        dim = state.configurations.factors[factor].dim
        scale = np.linspace(1.0, -1.0, dim)
        columns.append(scale[state.configurations.basis.states[rows, factor]])
    values, p = np.array(columns), probability[rows]
    return (values * p) @ values.T, values @ p


# ---------------------------------------------------------------------- inside


def _products(state: Amplitudes, index: Ints, skipped: Sequence[int] = ()) -> Matrix:
    """(n, n) inner products of rows summed over the columns of ``index``."""
    skip = np.array(skipped, dtype=np.int64)
    out = np.zeros((len(index),) * 2, dtype=np.complex128)
    alive = state.weights > 0
    for a, rows in enumerate(index):
        # The diagonal from the weights of the rows, known already.
        out[a, a] = state.weights[rows].sum() - np.sum(
            np.abs(state.amplitudes[np.ix_(rows, skip)]) ** 2
        )
        for b in range(a):
            both = alive[rows] & alive[index[b]]
            out[a, b] = row_products(rows[both], index[b][both], state.amplitudes, skip)
            out[b, a] = out[a, b].conj()
    return out


def _full_rdm(state: Amplitudes, sites: list[int]) -> Matrix:
    """Density matrix of electron and spins on ascending sites: without and with the electron.

    The two do not mix: the rest of the chain holds the electron in one case only.
    """
    configurations = state.configurations
    factors = tuple(f for k in sites for f in configurations.rest(k))
    electronic = [k for k in sites if state.configurations.sites[k].has_fermions]
    size = int(np.prod([state.configurations.sites[k].dim for k in sites]))
    rho = np.zeros((size, size), dtype=np.complex128)
    for table in configurations.table(factors):
        where = _place(state, sites, None, 0, table.codes)
        rho[np.ix_(where, where)] += _products(state, table.index, electronic)
    inner = int(np.prod(configurations.dims(factors)))
    for table in configurations.table((ELECTRON, *factors)):
        level, codes = np.divmod(table.codes, inner)
        places = [_place(state, sites, k, level, codes) for k in electronic]
        where = np.concatenate(places or [codes[:0]])
        empty = np.zeros((0, table.index.shape[1]), dtype=np.complex128)
        block = np.concatenate([state.amplitudes[table.index, k] for k in electronic] or [empty])
        rho[np.ix_(where, where)] += block @ block.conj().T
    return rho / state.weights.sum()


def _place(
    state: Amplitudes, sites: list[int], at: int | None, level: Ints | int, codes: Ints
) -> Ints:
    """Local states of ``sites`` with the electron at one of them or at none.

    ``level`` is its spin, ``codes`` the joint state of everything but the electron.
    """
    outer = [4 if state.configurations.sites[k].has_fermions else 1 for k in sites]
    inner = [state.configurations.sites[k].dim // o for k, o in zip(sites, outer, strict=True)]
    total = np.zeros(len(codes), dtype=np.int64)
    for k, o, i, part in zip(sites, outer, inner, np.unravel_index(codes, inner), strict=True):
        own = 1 + np.asarray(level) if k == at else 0
        total = total * (o * i) + own * i + part
    return total


def _is_level(site: Site) -> bool:
    """Whether a site holds electrons and nothing else."""
    return site.has_fermions and site.dim == 4
