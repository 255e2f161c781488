"""Counting flipped spins in states of one electron: sums over rows of amplitudes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tnspin.states.one_electron.state import OneElectronState

__all__ = ["magnon_probability", "w_probability", "zz_correlations"]


def magnon_probability(
    state: OneElectronState, sites: Sequence[int], reference: Sequence[int]
) -> NDArray[np.float64]:
    """(N + 1,) probability that 0..N spins differ from a basis state (PRA Eq. 25)."""
    flips = np.zeros(state.configurations.dim, dtype=np.int64)
    states = state.configurations.basis.states
    for site, value in zip(sites, reference, strict=True):
        flips += states[:, state.configurations.spin(site)] != value
    counts = np.bincount(flips, weights=state.weights, minlength=len(sites) + 1)
    return counts / state.weights.sum()


def w_probability(state: OneElectronState, sites: Sequence[int], reference: Sequence[int]) -> float:
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
    state: OneElectronState, sites: Sequence[int]
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
