"""`Snapshot`: the state at one time, as a solver yields it, with cached reductions of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations, pairwise
from math import pi, prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tnspin.errors import InputError
from tnspin.mps.ledger import Ledger
from tnspin.observables.groups.state import LARGEST, GroupState
from tnspin.operators.state import State

if TYPE_CHECKING:
    from collections.abc import Sequence


class Progress(NamedTuple):
    """How far a run is: current time, largest bond dimension, discarded weight so far."""

    time: float
    bond_dim: int
    discarded: float


def output_times(times: Sequence[float]) -> list[float]:
    """Return the times of a run as numbers.

    Raises
    ------
    InputError
        If there are none, or they are not finite or do not ascend.
    """
    points = [float(t) for t in times]
    if not points or any(b <= a for a, b in pairwise(points)) or not np.all(np.isfinite(points)):
        raise InputError("times: must be finite numbers in ascending order")
    return points


@dataclass(frozen=True)
class Options:
    """Settings of the observables of a run, beyond its model and state.

    Attributes
    ----------
    reference
        Index of the basis state (0 = up) in which each localized spin started, in the order of
        ``model.localized_sites``: magnons are counted from it.  None unless all started along z.
    wavevectors
        Wavevectors of the quantum Fisher information, in 1/site.
    group_cutoff
        Weight that each group may lose where the two are too large for a density matrix and are
        compressed; it changes their negativity by up to about its root (2e-5 for 1e-8 in a valve
        of 7 + 7 spins), and smaller values cost much time.
    group_largest
        Most rows of a block of that density matrix and of its partial transpose; it may cost more
        than ``group_cutoff``, and ``group_discarded`` records it.
    pairs
        Sites of the pairs of spins whose correlations are recorded; none: see `Snapshot.pairs`.
    halves
        Largest number of states of a chain of spins whose halves are compared.
    block
        Largest number of states of the central block of a longer chain.
    all_pairs
        Largest number of spins all pairs of which are recorded, unless some are chosen.
    """

    reference: tuple[int, ...] | None = None
    wavevectors: tuple[float, ...] = (pi / 6, pi / 2)
    group_cutoff: float = 1e-8
    group_largest: int = LARGEST
    pairs: tuple[tuple[int, int], ...] = ()
    halves: int = 2**11
    block: int = 2**10
    all_pairs: int = 6


@dataclass(frozen=True)
class Snapshot:
    """A state at ``time`` of ``model``.

    Attributes
    ----------
    time, model, state
        Time, the model that is evolved, and its state.
    ledger
        Truncation errors up to then, if the solver has any.
    options
        Settings of the observables.
    errors
        Statistical error of each recorded variable, in its shape, if the solver samples.
    constants
        Function that returns `conserved`: for many spins that takes longer than an evolution.
    representation
        How the solver represents the state, e.g. "mps" or "density".
    """

    time: float
    model: Any
    state: State
    ledger: Ledger | None = None
    options: Options = field(default_factory=Options)
    errors: Mapping[str, np.ndarray] | None = None
    constants: Callable[[], tuple[str, ...]] | None = None
    representation: str = ""

    @property
    def conserved(self) -> tuple[str, ...] | None:
        """Observables that the equation of motion keeps constant; None if that is not known."""
        return None if self.constants is None else self.constants()

    @cached_property
    def site_rdms(self) -> list[np.ndarray]:
        """Reduced density matrix of every site, computed once."""
        return self.state.site_rdms()

    @cached_property
    def bond_rdms(self) -> list[np.ndarray]:
        """Reduced density matrix of every pair of neighbours, computed once."""
        return self.state.bond_rdms()

    @property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """Pairs of sites with localized spins whose correlations are recorded.

        By default all pairs of up to six spins, and neighbours of more.

        Raises
        ------
        InputError
            If a pair is not two localized spins.
        """
        spins = tuple(self.model.localized_sites)
        for i, j in self.options.pairs:
            if i == j or i not in spins or j not in spins:
                raise InputError(f"record.pairs: {[i, j]} are not two of the spins {list(spins)}")
        if self.options.pairs:
            return self.options.pairs
        return tuple(
            combinations(spins, 2) if len(spins) <= self.options.all_pairs else pairwise(spins)
        )

    @property
    def parts(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The two parts whose entanglement is recorded.

        The two groups of localized spins; the halves of a chain of nothing but spins, if it has at
        most 2^11 states; in any other case the edge spins.

        Raises
        ------
        InputError
            If there is only one localized spin.
        """
        groups, spins = self.model.groups, self.model.localized_sites
        if len(groups) == 2:
            return groups[0], groups[1]
        if len(spins) < 2:
            raise InputError("model.localized: two groups, or at least two spins, are needed")
        dims = [self.model.local_sites[k].spin_dim for k in spins]
        electrons = any(site.has_fermions for site in self.model.local_sites)
        if len(groups) == 1 and not electrons and prod(dims) <= self.options.halves:
            return self.halves
        return (min(spins),), (max(spins),)

    @property
    def halves(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The two groups of localized spins, or the halves of all of them."""
        groups, spins = self.model.groups, tuple(self.model.localized_sites)
        half = (len(spins) + 1) // 2
        return (groups[0], groups[1]) if len(groups) == 2 else (spins[:half], spins[half:])

    @cached_property
    def group_state(self) -> GroupState:
        """Density matrix of `parts`, computed once."""
        return self._group_state(*self.parts)

    @cached_property
    def localized_state(self) -> GroupState:
        """Density matrix of all localized spins, in the order of the model, in two halves."""
        spins = self.model.localized_sites
        if spins == sum(self.parts, ()):
            return self.group_state
        half = (len(spins) + 1) // 2
        return self._group_state(spins[:half], spins[half:])

    @property
    def block(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The halves of the central block of localized spins: as many as 2^10 states allow."""
        spins = self.model.localized_sites
        middle = (len(spins) + 1) // 2
        half = 1
        while half < len(spins) // 2:
            wider = spins[middle - half - 1 : middle + half + 1]
            if prod(self.model.local_sites[k].spin_dim for k in wider) > self.options.block:
                break
            half += 1
        return spins[middle - half : middle], spins[middle : middle + half]

    @cached_property
    def block_state(self) -> GroupState:
        """Density matrix of `block`, computed once."""
        return self._group_state(*self.block)

    def _group_state(self, part_a: Sequence[int], part_b: Sequence[int]) -> GroupState:
        from tnspin.observables.groups.spins import group_state

        cutoff, largest = self.options.group_cutoff, self.options.group_largest
        return group_state(self.state, part_a, part_b, cutoff=cutoff, largest=largest)

    def expect(self, site: int, matrix: np.ndarray) -> float:
        """Expectation value of a Hermitian one-site operator."""
        return float(np.real(np.vdot(matrix.conj().T, self.site_rdms[site])))
