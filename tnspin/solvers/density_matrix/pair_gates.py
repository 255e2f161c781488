"""Trotter steps of a Lindbladian that reaches over three sites: on pairs of sites.

Whatever acts within three neighbours acts within two neighbouring pairs, so that two-site gates of
the chain of pairs do for it what those of the chain do for neighbours::

    (0 1) (2 3) (4 5)        a jump on 1 2 3: gate of the first two pairs

What lies within a pair is shared by the bonds on both its sides, so that every gate is an evolution
under a Lindbladian of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

from tnspin.models import Model
from tnspin.mps.fuse import fuse, pairs_of, take_apart
from tnspin.mps.ledger import Ledger
from tnspin.mps.state import MPS
from tnspin.mps.tebd import Tebd
from tnspin.operators.bonds import BondTerms
from tnspin.operators.jump_operator import JumpOperator
from tnspin.operators.lindbladian import by_site, check_jump, dissipator_matrix
from tnspin.operators.operator_sum import LocalTerm, split_coefficient
from tnspin.operators.sites import Matrix, doubled, kron, widened

#: Most states of a gate: two pairs of doubled spins 1/2.
LARGEST = 256


def states_of_a_bond(model: Model) -> int:
    """Largest dimension of the doubled space of two neighbouring pairs."""
    return max(prod(_dims(model, bond)) ** 2 for bond in _bonds(len(model.local_sites)))


def paired_terms(model: Model, jumps: Sequence[JumpOperator]) -> BondTerms:
    """Return the generator of every bond between pairs, times 1j.

    Parameters
    ----------
    model
        Its terms reach at most over three neighbouring sites.
    jumps
        So do they.

    Returns
    -------
    BondTerms
        Of the chain of pairs of doubled sites, ket and bra site by site.

    Raises
    ------
    InputError
        If a jump does not fit the chain.
    """
    groups = [_Group(model, sites) for sites in _bonds(len(model.local_sites))]
    for term in model.hamiltonian.local_terms():
        for bond, weight in _shares(list(term.matrices), len(model.local_sites)):
            groups[bond].add_term(weight, term)
    for jump in jumps:
        check_jump(jump, model.local_sites)
        for bond, weight in _shares(jump.sites, len(model.local_sites)):
            groups[bond].add_jump(weight, jump)
    return BondTerms(
        len(groups) + 1,
        tuple(group.static() for group in groups),
        tuple(group.driven() for group in groups),
    )


class _Group:
    """Hamiltonian and dissipator of the sites of two neighbouring pairs."""

    def __init__(self, model: Model, sites: tuple[int, ...]) -> None:
        self._sites, self._dims = sites, _dims(model, sites)
        states = prod(self._dims)
        self._dissipator = np.zeros((states**2, states**2), dtype=np.complex128)
        self._parts: dict[Callable[[float], complex] | None, Matrix] = {
            None: np.zeros((states, states), dtype=np.complex128)
        }

    def add_term(self, weight: float, term: LocalTerm) -> None:
        factor, function = split_coefficient(term.coeff)
        ones = (np.eye(d, dtype=np.complex128) for d in self._dims)
        whole = kron(term.matrices.get(k, one) for k, one in zip(self._sites, ones, strict=True))
        self._parts[function] = self._parts.get(function, 0) + factor * weight * whole

    def add_jump(self, weight: float, jump: JumpOperator) -> None:
        places = [self._sites.index(k) for k in jump.sites]
        wide = widened(np.sqrt(weight) * jump.matrix, places, self._dims)
        self._dissipator += dissipator_matrix(wide)

    def static(self) -> Matrix:
        whole = _commutator(self._parts[None]) + 1j * self._dissipator
        return by_site(whole, self._dims)

    def driven(self) -> tuple[tuple[Callable[[float], complex], Matrix], ...]:
        return tuple(
            (function, by_site(_commutator(matrix), self._dims))
            for function, matrix in self._parts.items()
            if function is not None
        )


def conserved(model: Model, terms: BondTerms, names: Sequence[str]) -> list[str]:
    """Charges, of ket minus bra, that no generator changes."""
    kept = []
    for name in names:
        changes = False
        for k, group in enumerate(_bonds(len(model.local_sites))):
            total = np.zeros(1, dtype=np.int64)
            for site in group:
                total = np.add.outer(total, doubled(model.local_sites[site]).charge(name)).ravel()
            changed = np.not_equal.outer(total, total)
            matrices = [terms.static[k], *(matrix for _, matrix in terms.driven[k])]
            changes |= any(matrix[changed].any() for matrix in matrices)
        if not changes:
            kept.append(name)
    return kept


class PairedTebd:
    """Evolves a vectorized density matrix by gates on pairs of sites, with the methods of `Tebd`.

    Parameters
    ----------
    state
        On doubled sites; replaced, never modified.
    matrix, driven
        Generators of the bonds between pairs, as for `Tebd`.
    ledger
        Errors so far, one entry per bond of the chain, when continuing.
    options
        Those of `Tebd`.
    """

    def __init__(
        self, state: MPS, matrix: Any, driven: Any, *, ledger: Ledger | None = None, **options: Any
    ) -> None:
        self._sites = state.sites
        inner = Ledger.empty(state.length) if ledger is None else ledger.copy()
        # Bond 1 of the chain is the first between pairs, the next is bond 3.
        self._inside, inner.discarded = inner.discarded, inner.discarded[1::2].copy()
        self._state: MPS | None = state
        self._limits = {"cutoff": options["cutoff"], "bond_dim": options["bond_dim"]}
        self._run = Tebd(fuse(state), matrix, driven, ledger=inner, **options)

    @property
    def log_norm(self) -> float:
        """Logarithm of the norm, as that of `Tebd`."""
        return self._run.log_norm

    @log_norm.setter
    def log_norm(self, value: float) -> None:
        self._run.log_norm = value

    @property
    def ledger(self) -> Ledger:
        """Errors so far, one entry per bond of the chain."""
        total = self._run.ledger.copy()
        discarded = self._inside.copy()
        discarded[1::2] = total.discarded
        total.discarded = discarded
        return total

    @property
    def state(self) -> MPS:
        """On the sites themselves; the run goes on from it."""
        if self._state is None:
            run = self._run
            self._state, lost = take_apart(run.state, self._sites, **self._limits)
            run.log_norm += float(np.log(self._state.divided))
            self._inside += lost
            run.ledger.log_kept += float(np.log1p(-lost).sum())
            run.state = fuse(self._state)
        return self._state

    def advance(self, start: float, dt: float, steps: int) -> Iterator[float]:
        """Make ``steps`` steps of ``dt`` from time ``start``, yielding the time now and then."""
        self._state = None
        yield from self._run.advance(start, dt, steps)

    def bond_dims(self) -> Any:
        """Bond dimensions between pairs."""
        return self._run.state.bond_dims()

    def close(self) -> None:
        """Stop the threads."""
        self._run.close()


def _bonds(length: int) -> list[tuple[int, ...]]:
    """Sites of every two neighbouring pairs."""
    pairs = pairs_of(length)
    return [one + two for one, two in pairwise(pairs)]


def _dims(model: Model, group: Sequence[int]) -> list[int]:
    return [model.local_sites[k].dim for k in group]


def _shares(sites: Sequence[int], length: int) -> list[tuple[int, float]]:
    """Bonds between pairs that carry what acts on these sites, with weights that sum to one."""
    if not sites:
        return [(0, 1.0)]
    first, last = min(sites) // 2, max(sites) // 2
    count = (length + 1) // 2
    if last > first:
        return [(first, 1.0)]
    if first in (0, count - 1):
        return [(min(first, count - 2), 1.0)]
    return [(first - 1, 0.5), (first, 0.5)]


def _commutator(matrix: Matrix) -> Matrix:
    """``[H, rho]`` on rho row by row."""
    one = np.eye(len(matrix))
    return np.asarray(np.kron(matrix, one) - np.kron(one, matrix.T), dtype=np.complex128)
