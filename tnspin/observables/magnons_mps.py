"""Spin flips and correlations of many localized spins, from environments that count them.

The probability of m flips, of one flip shared evenly by all spins, and of pairs of S^z need no
density matrix of the spins: an environment with one slot per number of flips, or per spin that
S^z has been put on, passes along the chain once.  The effort grows linearly with the number of
spins for each site, and so does the memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from tnspin.errors import InputError
from tnspin.mps.state import MPS
from tnspin.mps.transfer import Environment, Ints, Matrix, Rule, left_edge, steps, take_in
from tnspin.observables.groups.mps import Members, checked

__all__ = ["magnon_probability", "w_probability", "zz_correlations"]

Reals = NDArray[np.float64]


def magnon_probability(members: Members, sites: Sequence[int], reference: Sequence[int]) -> Reals:
    """Probability that m localized spins are out of their reference state (PRA Eq. 25).

    Parameters
    ----------
    members
        Weights and states of a mixture, with the same sites and charges.
    sites
        Sites of the N localized spins, the trailing factors of their spaces.
    reference
        Index of the basis state (0 = up) of each that counts as not flipped.

    Returns
    -------
    ndarray
        (N + 1,), summing to 1.

    Raises
    ------
    InputError
        If the members or sites are invalid, or the reference does not fit the spins.
    """
    members = checked(members, sites)
    start = _reference(members[0][1], sites, reference)

    def rule(site: int) -> Rule:
        def count(labels: Ints, s: int, t: int) -> Ints:
            return labels + int(s != start[site]) if s == t else np.full_like(labels, -1)

        return count

    out = np.zeros(len(sites) + 1)
    for weight, mps in members:
        for count, value in _swept(mps, start, rule).items():
            out[count] += weight * value
    return out


def w_probability(members: Members, sites: Sequence[int], reference: Sequence[int]) -> float:
    """Probability of the equal superposition of all single flips of the reference (W state).

    A flip takes a spin that is all up or all down one step away from it.

    Parameters
    ----------
    members, sites, reference
        As in `magnon_probability`; the reference is 0 or 2S at every spin.

    Raises
    ------
    InputError
        As in `magnon_probability`, or if a reference is neither all up nor all down.
    """
    members = checked(members, sites)
    start = _reference(members[0][1], sites, reference)
    dims = {site: members[0][1].sites[site].spin_dim for site in sites}
    for site, index in start.items():
        if index not in (0, dims[site] - 1):
            raise InputError(
                f"reference: state {index} of {dims[site]} is neither all up nor all down"
            )

    # Label: flips of the ket + 2 flips of the bra, each 0 or 1.
    def rule(site: int) -> Rule:
        flipped = 1 if start[site] == 0 else dims[site] - 2
        flips = {start[site]: 0, flipped: 1}

        def count(labels: Ints, s: int, t: int) -> Ints:
            if s not in flips or t not in flips:
                return np.full_like(labels, -1)
            ket, bra = (labels & 1) + flips[s], (labels >> 1) + flips[t]
            return np.where((ket > 1) | (bra > 1), -1, ket + 2 * bra)

        return count

    total = 0.0
    for weight, mps in members:
        total += weight * _swept(mps, start, rule).get(3, 0.0)
    return total / len(sites)


def zz_correlations(members: Members, sites: Sequence[int]) -> tuple[Reals, Reals]:
    """Correlations of S^z/S of localized spins.

    Parameters
    ----------
    members, sites
        As in `magnon_probability`.

    Returns
    -------
    correlations
        (N, N) ``<S^z_i S^z_j>``, in the order of ``sites``.
    mean
        (N,) ``<S^z_i>``.

    Raises
    ------
    InputError
        If the members or sites are invalid.
    """
    members = checked(members, sites)
    pairs, mean = np.zeros((len(sites), len(sites))), np.zeros(len(sites))
    for weight, mps in members:
        each = _correlated(mps, sorted(sites))
        pairs += weight * each[0]
        mean += weight * each[1]
    order = np.argsort(np.argsort(sites))
    return pairs[np.ix_(order, order)], mean[order]


def _correlated(mps: MPS, sites: list[int]) -> tuple[Reals, Reals]:
    """`zz_correlations` of one state and ascending sites."""
    pairs, mean = np.zeros((len(sites), len(sites))), np.zeros(len(sites))
    if not sites:
        return pairs, mean
    # Slot 0: nothing yet; slot k: S^z on the k-th spin.  S^z is diagonal, so that ket and bra
    # are in the same sector.
    environment = {key: block for (key, _), block in left_edge(mps, sites[0]).blocks.items()}
    for i in range(sites[0], sites[-1] + 1):
        dim = mps.sites[i].spin_dim
        here = sites.index(i) if i in sites else None
        values = np.linspace(1.0, -1.0, dim) if here is not None else np.zeros(dim)
        after: dict[int, Matrix] = {}
        marked: dict[int, Matrix] = {}
        table = steps(mps, i, rightward=True)
        for key, block in environment.items():
            rows, slots, columns = block.shape
            for step in table.get(key, []):
                half = (step.ket @ block.reshape(rows, -1)).reshape(-1, columns)
                part = (half @ step.bra).reshape(-1, slots, len(step.ket))
                after[step.to] = after[step.to] + part if step.to in after else part
                if here is not None:
                    value = values[step.p % dim]
                    traces = np.einsum("isi->s", part).real
                    pairs[:here, here] += value * traces[1:]
                    pairs[here, here] += value**2 * traces[0]
                    mean[here] += value * traces[0]
                    new = value * part[:, :1]
                    marked[step.to] = marked[step.to] + new if step.to in marked else new
        environment = after
        if here is not None:
            environment = {
                key: np.concatenate([block, marked[key]], axis=1) for key, block in after.items()
            }
    return pairs + np.triu(pairs, 1).T, mean


def _reference(mps: MPS, sites: Sequence[int], reference: Sequence[int]) -> dict[int, int]:
    """Reference state of each site."""
    dims = [mps.sites[site].spin_dim for site in sites]
    if len(reference) != len(dims) or not all(
        0 <= index < dim for index, dim in zip(reference, dims, strict=True)
    ):
        raise InputError(f"reference: {tuple(reference)} does not fit spins of dimensions {dims}")
    return {site: int(index) for site, index in zip(sites, reference, strict=True)}


def _swept(mps: MPS, start: dict[int, int], rule: Callable[[int], Rule]) -> dict[int, float]:
    """Trace of every slot after a sweep through all spins, by label."""
    if not start:
        return {0: 1.0}
    environment = left_edge(mps, min(start))
    for i in range(min(start), max(start) + 1):
        environment = take_in(
            environment, mps, i, rightward=True,
            kept=mps.sites[i].spin_dim if i in start else 1,
            rule=rule(i) if i in start else None,
        )  # fmt: skip
    return _traces(environment)


def _traces(environment: Environment) -> dict[int, float]:
    labels = environment.labels.get(0, np.zeros(0, dtype=np.int64))
    total = np.zeros(labels.size)
    for (key, other), block in environment.blocks.items():
        if key == other:
            total += np.einsum("isi->s", block).real
    return dict(zip(labels.tolist(), total.tolist(), strict=True))
