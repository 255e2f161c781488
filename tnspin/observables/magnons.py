"""Spin flips of localized spins relative to the product state in which they started.

An m-magnon state has m spins out of their reference state (PRA Eqs. 25-27).  Its probability, and
the correlations of S^z, follow from the diagonal of the density matrix of the spins.  Matrix
product states of many spins need no such matrix: an environment with one slot per number of
flips, or per spin that S^z has been put on, passes along the chain once; effort and memory per
site grow linearly with the number of spins.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import singledispatch

import numpy as np

from tnspin.errors import InputError
from tnspin.mps.purified.state import PurifiedMPS
from tnspin.mps.state import MPS
from tnspin.mps.transfer import Environment, Matrix, Rule, left_edge, steps, take_in
from tnspin.numerics.arrays import Ints, Reals
from tnspin.observables.groups.spins import group_state
from tnspin.observables.groups.state import GroupState
from tnspin.operators.state import State, checked_sites
from tnspin.states.ensemble import Ensemble
from tnspin.states.one_electron import OneElectronState, densities


class SpinCounts(ABC):
    """Counts of flipped spins of one state.

    Attributes
    ----------
    dims
        2S + 1 of each of the N spins.
    """

    dims: list[int]

    @abstractmethod
    def magnons(self, reference: Sequence[int]) -> Reals:
        """Probability of m spins out of their reference state, m = 0..N (PRA Eq. 25).

        Parameters
        ----------
        reference
            Index of the basis state (0 = up) of each spin that counts as not flipped.

        Returns
        -------
        ndarray
            (N + 1,), summing to 1.

        Raises
        ------
        InputError
            If the reference does not fit the spins.
        """

    @abstractmethod
    def w(self, reference: Sequence[int]) -> float:
        """Probability of the W state: the equal superposition of all single flips.

        A flip takes a spin that is all up or down one step away from it (for spins 1/2, to its
        other state).
        """

    @abstractmethod
    def zz(self) -> tuple[Reals, Reals]:
        """``<S^z_i S^z_j>`` (N, N) and ``<S^z_i>`` (N,), S^z divided by S."""

    def check(self, reference: Sequence[int]) -> list[int]:
        """Reference of each spin, refused if it does not fit."""
        fits = len(reference) == len(self.dims) and all(
            0 <= index < d for index, d in zip(reference, self.dims, strict=False)
        )
        if not fits:
            raise InputError(
                f"reference: {tuple(reference)} does not fit spins of dimensions {self.dims}"
            )
        return [int(index) for index in reference]


class GroupCounts(SpinCounts):
    """Counts of flipped spins by their density matrix.

    Parameters
    ----------
    group
        The density matrix, in the product basis.
    dims
        2S + 1 of each spin, in the order of the basis.

    Raises
    ------
    InputError
        If the groups are compressed.
    """

    def __init__(self, group: GroupState, dims: Sequence[int]) -> None:
        if group.compressed:
            raise InputError("state: compressed groups have lost the basis of their spins")
        self.group, self.dims = group, list(dims)

    def magnons(self, reference: Sequence[int]) -> Reals:
        start = np.array(self.check(reference))
        flipped = np.indices(tuple(self.dims)).reshape(len(self.dims), -1) != start[:, None]
        probability = self.group.diagonal().ravel()
        counted = np.bincount(flipped.sum(axis=0), probability, minlength=len(self.dims) + 1)
        return counted.astype(np.float64, copy=False)

    def w(self, reference: Sequence[int]) -> float:
        start, amplitudes = self.check(reference), np.zeros(tuple(self.dims))
        for k, (d, index) in enumerate(zip(self.dims, start, strict=True)):
            flipped = [*start[:k], flip(index, d), *start[k + 1 :]]
            amplitudes[tuple(flipped)] = len(self.dims) ** -0.5
        vector, total = amplitudes.reshape(self.group.dims), np.add.outer(*self.group.charges)
        parts = [(vector[total == q], block) for q, block in self.group.blocks.items()]
        return float(sum((v @ block @ v).real for v, block in parts))

    def zz(self) -> tuple[Reals, Reals]:
        sz, p = sz_values(self.dims), self.group.diagonal().ravel()
        return (sz * p) @ sz.T, sz @ p


class _OneElectronCounts(SpinCounts):
    """Counts of flipped spins by sums over spin configurations."""

    def __init__(self, state: OneElectronState, sites: Sequence[int]) -> None:
        self.state, self.sites, self.dims = state, sites, _dims(state, sites)

    def magnons(self, reference: Sequence[int]) -> Reals:
        return densities.magnon_probability(self.state, self.sites, self.check(reference))

    def w(self, reference: Sequence[int]) -> float:
        return densities.w_probability(self.state, self.sites, self.check(reference))

    def zz(self) -> tuple[Reals, Reals]:
        return densities.zz_correlations(self.state, self.sites)


class _ChainCounts(SpinCounts):
    """Counts of flipped spins by an environment that passes along a matrix product state."""

    def __init__(self, state: MPS, sites: Sequence[int]) -> None:
        state.ensure_canonical()
        self.state, self.sites, self.dims = state, list(sites), _dims(state, sites)

    def magnons(self, reference: Sequence[int]) -> Reals:
        start = dict(zip(self.sites, self.check(reference), strict=True))

        def rule(site: int) -> Rule:
            def count(labels: Ints, s: int, t: int) -> Ints:
                return labels + int(s != start[site]) if s == t else np.full_like(labels, -1)

            return count

        out = np.zeros(len(self.sites) + 1)
        for count, value in _swept(self.state, start, rule).items():
            out[count] += value
        return out

    def w(self, reference: Sequence[int]) -> float:
        start = dict(zip(self.sites, self.check(reference), strict=True))
        flipped = {k: flip(start[k], d) for k, d in zip(self.sites, self.dims, strict=True)}

        # Label: flips of the ket + 2 flips of the bra, each 0 or 1.
        def rule(site: int) -> Rule:
            flips = {start[site]: 0, flipped[site]: 1}

            def count(labels: Ints, s: int, t: int) -> Ints:
                if s not in flips or t not in flips:
                    return np.full_like(labels, -1)
                ket, bra = (labels & 1) + flips[s], (labels >> 1) + flips[t]
                return np.where((ket > 1) | (bra > 1), -1, ket + 2 * bra)

            return count

        return _swept(self.state, start, rule).get(3, 0.0) / len(self.sites)

    def zz(self) -> tuple[Reals, Reals]:
        pairs, mean = _correlated(self.state, sorted(self.sites))
        order = np.argsort(np.argsort(self.sites))
        return pairs[np.ix_(order, order)], mean[order]


class _MixtureCounts(SpinCounts):
    """Weighted means of the counts of the members of a mixture."""

    def __init__(self, state: Ensemble, sites: Sequence[int]) -> None:
        self.members = [(weight, counts(one, sites)) for weight, one in state.members]
        self.dims = _dims(state, sites)

    def magnons(self, reference: Sequence[int]) -> Reals:
        return np.sum([w * one.magnons(reference) for w, one in self.members], axis=0)

    def w(self, reference: Sequence[int]) -> float:
        return float(sum(w * one.w(reference) for w, one in self.members))

    def zz(self) -> tuple[Reals, Reals]:
        each = [(w, *one.zz()) for w, one in self.members]
        pairs, mean = ([w * part[k] for w, *part in each] for k in (0, 1))
        return np.sum(pairs, axis=0), np.sum(mean, axis=0)


@singledispatch
def counts(state: State, sites: Sequence[int]) -> SpinCounts:
    """Counts of the flips of localized spins of a state, in the order of ``sites``.

    Raises
    ------
    InputError
        If the sites are not distinct, or too many for a representation that needs the density
        matrix of all these spins.
    """
    return GroupCounts(group_state(state, sites, ()), _dims(state, sites))


counts.register(OneElectronState, _OneElectronCounts)
counts.register(MPS, _ChainCounts)
counts.register(Ensemble, _MixtureCounts)


@counts.register
def _(state: PurifiedMPS, sites: Sequence[int]) -> SpinCounts:
    return _ChainCounts(state.purification, sites)  # its ancillas are traced out


# ---------------------------------------------------------------------- inside


def _dims(state: State, sites: Sequence[int]) -> list[int]:
    return [state.sites[k].spin_dim for k in checked_sites(sites, state.length, "sites")]


def sz_values(dims: Sequence[int]) -> Reals:
    """S^z/S of each spin in each product state, (N, D), the first spin slowest."""
    one = [np.linspace(1.0, -1.0, d) for d in dims]
    indices = np.indices(tuple(dims)).reshape(len(dims), -1)
    return np.stack([values[index] for values, index in zip(one, indices, strict=True)])


def flip(index: int, dim: int) -> int:
    """State next to the fully up (0) or fully down (dim - 1) one of a spin.

    Raises
    ------
    InputError
        If the spin is in neither: then there is no single flip.
    """
    if index not in (0, dim - 1):
        raise InputError(f"reference: state {index} of {dim} is neither all up nor all down")
    return 1 if index == 0 else dim - 2


def _correlated(mps: MPS, sites: list[int]) -> tuple[Reals, Reals]:
    """`SpinCounts.zz` of a matrix product state and ascending sites."""
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
