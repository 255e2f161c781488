"""From an :class:`~tnspin.operators.operator_sum.OperatorSum` to what the solvers need.

``bonds`` for Trotter steps, ``to_mpo``/``mpo_tensors`` for sweeps, ``to_sparse``
and ``apply_terms`` for state vectors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tnspin.errors import InputError
from tnspin.operators.basis import ChargeBasis
from tnspin.operators.mpo import mpo_tensors, to_mpo
from tnspin.operators.operator_sum import LocalTerm, OperatorSum, split_coefficient
from tnspin.operators.sites import Matrix, kron
from tnspin.operators.sparse import TermOperator, apply_terms, sparse_parts, term_parts, to_sparse

__all__ = [
    "BondTerms",
    "ChargeBasis",
    "TermOperator",
    "apply_terms",
    "bonds",
    "mpo_tensors",
    "sparse_parts",
    "term_parts",
    "to_mpo",
    "to_sparse",
]

_Part = tuple[Callable[[float], complex], Matrix]


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
    driven: tuple[tuple[_Part, ...], ...]

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
    driven: list[dict[Callable[[float], complex], Matrix]] = [{} for _ in static]
    for term in os.local_terms():
        factor, function = split_coefficient(term.coeff)
        for bond, weight in _bonds_of(term, length):
            matrix = factor * weight * _bond_matrix(term, bond, dims)
            if function is None:
                static[bond] += matrix
            else:
                driven[bond][function] = driven[bond].get(function, 0) + matrix
    return BondTerms(length, tuple(static), tuple(tuple(parts.items()) for parts in driven))


def _bonds_of(term: LocalTerm, length: int) -> list[tuple[int, float]]:
    """Bonds that carry a term, with weights summing to one."""
    support = list(term.matrices)
    if not support:
        # A constant energy belongs everywhere; the first bond is as good as any.
        return [(0, 1.0)]
    first, last = support[0], support[-1]
    if last - first > 1:
        raise InputError(
            f"term: acts on sites {first} to {last}; this solver takes only neighbouring sites"
        )
    if last == first + 1:
        return [(first, 1.0)]
    if first == 0:
        return [(0, 1.0)]
    if first == length - 1:
        return [(length - 2, 1.0)]
    return [(first - 1, 0.5), (first, 0.5)]


def _bond_matrix(term: LocalTerm, bond: int, dims: list[int]) -> Matrix:
    pair = (term.matrices.get(k, np.eye(dims[k], dtype=np.complex128)) for k in (bond, bond + 1))
    return kron(pair)
