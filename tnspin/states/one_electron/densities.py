"""Density matrices of sites and spins from states of one electron."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tnspin.errors import InputError
from tnspin.operators.sites import Matrix, Site
from tnspin.states.one_electron.configurations import ELECTRON
from tnspin.states.one_electron.kernels import row_products

if TYPE_CHECKING:
    from tnspin.states.one_electron.state import OneElectronState

__all__ = ["bond_rdms", "one_body", "rdm", "site_rdms", "spin_rdm"]

Ints = NDArray[np.int64]


def site_rdms(state: OneElectronState) -> list[Matrix]:
    """Reduced density matrix of every site, L arrays (d, d)."""
    near, _ = state.one_body
    rhos = []
    for k, site in enumerate(state.sites):
        if not _is_level(site):
            rhos.append(rdm(state, [k]))
            continue
        rho = np.zeros((4, 4), dtype=np.complex128)
        rho[1:3, 1:3] = near[..., k]
        rho[0, 0] = 1 - np.trace(rho)
        rhos.append(rho)
    return rhos


def bond_rdms(state: OneElectronState) -> list[Matrix]:
    """Reduced density matrix of every pair of neighbours, L - 1 arrays."""
    near, beside = state.one_body
    places = np.array([4, 8, 1, 2])  # the electron left, right; up, down: e_left * 4 + e_right
    rhos = []
    for k in range(state.length - 1):
        if not (_is_level(state.sites[k]) and _is_level(state.sites[k + 1])):
            rhos.append(rdm(state, [k, k + 1]))
            continue
        across = beside[..., k]
        occupied = np.block([[near[..., k], across], [across.conj().T, near[..., k + 1]]])
        rho = np.zeros((16, 16), dtype=np.complex128)
        rho[np.ix_(places, places)] = occupied
        rho[0, 0] = 1 - np.trace(occupied)
        rhos.append(rho)
    return rhos


def one_body(state: OneElectronState) -> tuple[Matrix, Matrix]:
    """(2, 2, L) density matrix of the electron on each site, and (2, 2, L - 1) across bonds."""
    shape = 2, 2, state.length
    near, beside = (np.zeros(shape, dtype=np.complex128) for _ in range(2))
    for table in state.configurations.table((ELECTRON,)):
        alive = (state.weights[table.index] > 0).any(axis=0)
        waves = [state.amplitudes[rows[alive]] for rows in table.index]
        for s, wave in zip(table.codes, waves, strict=True):
            for t, other in zip(table.codes, waves, strict=True):
                near[s, t] += np.einsum("jx,jx->x", wave, other.conj())
                beside[s, t, :-1] += np.einsum("jx,jx->x", wave[:, :-1], other[:, 1:].conj())
    total = state.weights.sum()
    return near / total, beside[..., :-1] / total


def rdm(state: OneElectronState, sites: Sequence[int], keep: Sequence[int] | None = None) -> Matrix:
    """Reduced density matrix of a few sites, factors in the order given.

    Parameters
    ----------
    sites
        Distinct sites.
    keep
        Trailing dimension to keep of each site; the dimension of the localized spin traces
        out the electron and the ancilla.  Default: everything.

    Raises
    ------
    InputError
        If a site is outside the chain or named twice, or does not split so.
    """
    chosen = [int(k) for k in sites]
    if len(set(chosen)) != len(chosen) or any(not 0 <= k < state.length for k in chosen):
        raise InputError(f"sites: {chosen} must be distinct, within 0..{state.length - 1}")
    ordered = sorted(chosen)
    dims = [state.sites[k].dim for k in chosen]
    kept = dims if keep is None else [int(size) for size in keep]
    spins = [state.sites[k].spin_dim for k in chosen]
    if kept == spins and kept != dims:
        rho, size = spin_rdm(state, ordered), {k: state.sites[k].spin_dim for k in ordered}
    elif kept == dims:
        rho, size = _full_rdm(state, ordered), {k: state.sites[k].dim for k in ordered}
    else:
        raise InputError(f"keep: {kept} is neither the sites {dims} nor their spins {spins}")
    place = [ordered.index(k) for k in chosen]
    shape = [size[k] for k in ordered]
    axes = place + [len(place) + p for p in place]
    return np.ascontiguousarray(rho.reshape(shape * 2).transpose(axes)).reshape(rho.shape)


def spin_rdm(state: OneElectronState, sites: Sequence[int]) -> Matrix:
    """Reduced density matrix of the localized spins of ascending sites."""
    factors = tuple(state.configurations.spin(site) for site in sites)
    size = int(np.prod(state.configurations.dims(factors)))
    rho = np.zeros((size, size), dtype=np.complex128)
    for table in state.configurations.table(factors):
        rho[np.ix_(table.codes, table.codes)] += _products(state, table.index)
    return rho / state.weights.sum()


def _products(state: OneElectronState, index: Ints, skipped: Sequence[int] = ()) -> Matrix:
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


def _full_rdm(state: OneElectronState, sites: list[int]) -> Matrix:
    """Density matrix of electron and spins on ascending sites: without and with the electron.

    The two do not mix: the rest of the chain holds the electron in one case only.
    """
    configurations = state.configurations
    factors = tuple(f for k in sites for f in configurations.rest(k))
    electronic = [k for k in sites if state.sites[k].has_fermions]
    size = int(np.prod([state.sites[k].dim for k in sites]))
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
    state: OneElectronState, sites: list[int], at: int | None, level: Ints | int, codes: Ints
) -> Ints:
    """Local states of ``sites`` with the electron at one of them or at none.

    ``level`` is its spin, ``codes`` the joint state of everything but the electron.
    """
    outer = [4 if state.sites[k].has_fermions else 1 for k in sites]
    inner = [state.sites[k].dim // o for k, o in zip(sites, outer, strict=True)]
    total = np.zeros(len(codes), dtype=np.int64)
    for k, o, i, part in zip(sites, outer, inner, np.unravel_index(codes, inner), strict=True):
        own = 1 + np.asarray(level) if k == at else 0
        total = total * (o * i) + own * i + part
    return total


def _is_level(site: Site) -> bool:
    """Whether a site holds electrons and nothing else."""
    return site.has_fermions and site.dim == 4
