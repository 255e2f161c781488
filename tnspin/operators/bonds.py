"""Nearest-neighbour operator sums as one matrix per bond, for Trotter steps."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tnspin.errors import InputError
from tnspin.operators.operator_sum import Function, LocalTerm, OperatorSum, split_coefficient
from tnspin.operators.sites import Matrix, kron


@dataclass(frozen=True, eq=False)
class BondTerms:
    """A nearest-neighbour Hamiltonian as one matrix per bond.

    Parameters
    ----------
    length : int
        Number of sites L; bonds are 0..L-2, bond k joins sites k and k+1.
    static : tuple of (D, D) ndarray
        Constant part of each bond, D = d_k d_{k+1}, index of site k slowest.
    driven : tuple of tuples of (function, (D, D) ndarray)
        Time-dependent parts of each bond.
    """

    length: int
    static: tuple[Matrix, ...]
    driven: tuple[tuple[tuple[Function, Matrix], ...], ...]

    def __repr__(self) -> str:
        driven = sum(map(bool, self.driven))
        return f"BondTerms({self.length} sites, {driven} of {self.length - 1} bonds driven)"

    def matrix(self, bond: int, t: float = 0.0) -> Matrix:
        """Return the bond Hamiltonian at time ``t``, shape (d_k d_{k+1}, d_k d_{k+1})."""
        total = self.static[bond].copy()
        for function, part in self.driven[bond]:
            total += complex(function(t)) * part
        return total

    def time_dependent(self, bond: int) -> bool:
        """Whether the matrix of this bond depends on time."""
        return bool(self.driven[bond])


def bonds(os: OperatorSum) -> BondTerms:
    """Collect a nearest-neighbour sum into bond matrices.

    On-site terms are split half and half between the adjacent bonds; at the
    ends they go whole to the only bond there.

    Raises
    ------
    InputError
        If a term reaches beyond two neighbouring sites or the chain has one site.
    """
    length = os.length
    if length < 2:
        raise InputError("sites: a chain of bonds needs at least 2 sites")
    dims = [site.dim for site in os.sites]
    static = [np.zeros((a * b, a * b), dtype=np.complex128) for a, b in pairwise(dims)]
    driven: list[dict[Function, Matrix]] = [{} for _ in static]
    for term in os.local_terms():
        factor, function = split_coefficient(term.coeff)
        for bond, weight in _bonds_of(term, length):
            pair = (term.matrices.get(k, np.eye(dims[k])) for k in (bond, bond + 1))
            matrix = factor * weight * kron(pair)
            if function is None:
                static[bond] += matrix
            else:
                driven[bond][function] = driven[bond].get(function, 0) + matrix
    return BondTerms(length, tuple(static), tuple(tuple(parts.items()) for parts in driven))


def _bonds_of(term: LocalTerm, length: int) -> list[tuple[int, float]]:
    """Bonds that carry a term, with weights summing to one."""
    if not term.matrices:
        # A constant energy belongs everywhere; the first bond is as good as any.
        return [(0, 1.0)]
    first, last = min(term.matrices), max(term.matrices)
    if last - first > 1:
        raise InputError(
            f"term: acts on sites {first} to {last}; this solver takes only neighbouring sites"
        )
    if last > first:
        return [(first, 1.0)]
    around = [bond for bond in (first - 1, first) if 0 <= bond < length - 1]
    return [(bond, 1.0 / len(around)) for bond in around]
