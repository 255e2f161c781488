"""The classical energy of an operator sum, and the field -dE/dS that it makes.

Every spin matrix becomes S n with a unit vector n, whatever factor stands before it in H: Pauli
matrices are twice the spin matrices of S = 1/2, so that the field comes out twice as large and a
classical spin precesses as fast as the quantum one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from tnspin.errors import InputError, nearest
from tnspin.numerics.arrays import Complexes, Ints, Reals
from tnspin.operators.classical.couplings import Couplings, Fields
from tnspin.operators.classical.symbols import LIMITS, Polynomial, by_place, product_polynomial
from tnspin.operators.operator_sum import Function, OperatorSum, split_coefficient, value_at
from tnspin.operators.sites import Site

Parts = tuple[tuple[Function | None, Complexes], ...]
# Imaginary parts that cancel in a Hermitian sum, relative to the largest coefficient.
_ROUNDING = 1e-10


@dataclass(frozen=True, eq=False)
class ClassicalEnergy:
    """A real polynomial in the components of unit vectors, with driven coefficients.

    Attributes
    ----------
    spins : (N,) float
        S of each vector.
    sites : tuple of int
        Site of each vector.
    monomials : (M, p) int
        Components 3 i + axis of each monomial, ascending; 3 N stands for the number 1.
    parts : tuple of (function or None, (M,) complex)
        Coefficients of the monomials, one set per function of time (None: constant).
    """

    spins: Reals
    sites: tuple[int, ...]
    monomials: Ints
    parts: Parts

    @property
    def size(self) -> int:
        """Number of vectors N."""
        return len(self.spins)

    @property
    def is_time_dependent(self) -> bool:
        """Whether some coefficient is a function of time."""
        return any(function is not None for function, _ in self.parts)

    @property
    def is_quadratic(self) -> bool:
        """Whether no monomial has more than two factors: the midpoint rule then conserves it."""
        return self.monomials.shape[1] <= 2

    def strengths(self, t: float = 0.0) -> Complexes:
        """(P,) values of the functions of time, 1 for the constant part."""
        return np.array([value_at(f, t) for f, _ in self.parts], complex)

    def value(self, n: Reals, t: float = 0.0) -> Reals:
        """Energy of unit vectors (..., N, 3) at time ``t``, shape (...)."""
        flat = np.asarray(n, float).reshape(*np.shape(n)[:-2], -1)
        padded = np.concatenate([flat, np.ones((*flat.shape[:-1], 1))], axis=-1)
        products = padded[..., self.monomials[:, 0]]
        for k in range(1, self.monomials.shape[1]):
            products = products * padded[..., self.monomials[:, k]]
        coefficients = sum(
            (s * values).real for s, (_, values) in zip(self.strengths(t), self.parts, strict=True)
        )
        return products @ np.asarray(coefficients)

    def field(self, n: Reals, t: float = 0.0) -> Reals:
        """Field -dE/dS of each of (N, 3) unit vectors at time ``t``, (N, 3)."""
        from tnspin.operators.classical import kernels

        field_of: Any = kernels.field_of
        state = np.ascontiguousarray(np.asarray(n, float).T)
        fields = self.fields(t)
        found = np.empty((self.size, 3))
        for tile, start in enumerate(fields.borders[:-1]):
            part = slice(start, fields.borders[tile + 1])
            one = fields.constant[:, part].copy()
            field_of(state, tile, 1, fields.arrays, one)
            found[part] = one.T
        return found

    def fields(self, t: float = 0.0, copies: int = 1) -> Fields:
        """Arrays from which kernels compute the field of ``copies`` copies at time ``t``."""
        return self.couplings.fields(self.strengths(t), copies)

    @cached_property
    def couplings(self) -> Couplings:
        """Derivatives of the energy, sorted by spins."""
        return Couplings.of(self.spins, self.monomials, [values for _, values in self.parts])


def classical_energy(
    os: OperatorSum, limit: str = "large_spin", order: Sequence[int] | None = None
) -> ClassicalEnergy:
    """Replace the spins of an operator sum by classical vectors.

    Parameters
    ----------
    os : OperatorSum
        Its factors must be spin operators (or identities).
    limit : {"large_spin", "coherent"}
        ``large_spin``: every spin matrix becomes S n.  ``coherent``: every product of operators on
        one site becomes its expectation value in a coherent state, so that the energy is that of
        the unentangled quantum state.  They differ in products on one site: the easy axis
        K (S^z)^2 keeps a share 1 - 1/(2S) of its strength, none at S = 1/2.
    order : sequence of int
        Sites of the vectors, in their order; all that carry a spin if not given.

    Raises
    ------
    InputError
        If a factor acts on electrons or bosons, or the sum is not Hermitian.
    """
    if limit not in LIMITS:
        raise InputError(
            f"limit: {limit!r} is not one of {', '.join(LIMITS)}{nearest(limit, LIMITS)}"
        )
    if order is None:
        order = [k for k, site in enumerate(os.sites) if site.spin_dim > 1]
    places = np.full(len(os.sites), -1)
    places[list(order)] = np.arange(len(order))
    kinds = _by_kind(os)
    functions = list(dict.fromkeys([None, *(function for function, _ in kinds)]))
    width = 1
    found: list[tuple[Function | None, Ints, Complexes]] = []
    for (function, key), (factors, positions) in kinds.items():
        sites, names = tuple(site for site, _ in key), tuple(name for _, name in key)
        columns = places[np.array(positions, dtype=np.int64).reshape(len(factors), len(key))]
        polynomial = _product(sites, names, limit)
        strengths = np.array(factors, dtype=np.complex128)
        for monomial, value in polynomial.items():
            rows = [3 * columns[:, slot // 3] + slot % 3 for slot in monomial]
            stacked = np.array(rows, dtype=np.int64).reshape(len(monomial), len(factors)).T
            width = max(width, len(monomial))
            found.append((function, np.sort(stacked, axis=1), value * strengths))
    spins = np.array([(os.sites[k].spin_dim - 1) / 2 for k in order])
    monomials, parts = _merged(found, functions, width, 3 * len(spins))
    _check_real(parts)
    return ClassicalEnergy(spins, tuple(int(k) for k in order), monomials, parts)


def energy_of(model: Any, limit: str = "large_spin") -> ClassicalEnergy:
    """`classical_energy` of the Hamiltonian of a model, kept; N as in ``localized_sites``.

    A model may have another one for its classical counterpart (``classical_hamiltonian``).
    """
    return _energy_of(model, limit)


@lru_cache(maxsize=2)  # those of a million spins have hundreds of megabytes, with their model
def _energy_of(model: Any, limit: str) -> ClassicalEnergy:
    os = getattr(model, "classical_hamiltonian", model.hamiltonian)
    return classical_energy(os, limit, model.localized_sites)


#: Site and operators of each of a few positions, in ascending order of the positions.
Kind = tuple[tuple[Site, tuple[str, ...]], ...]


def _by_kind(
    os: OperatorSum,
) -> dict[tuple[Function | None, Kind], tuple[list[complex], list[tuple[int, ...]]]]:
    """Coefficients and positions of the terms, those of the same operators together."""
    sites = os.sites
    found: dict[Any, tuple[list[complex], list[tuple[int, ...]]]] = {}
    for coeff, factors in os.terms:
        factor, function = (coeff, None) if type(coeff) is complex else split_coefficient(coeff)
        if len(factors) == 2 and factors[0][1] != factors[1][1]:
            (a, i), (b, j) = factors
            key: Any = (function, ((sites[i], (a,)), (sites[j], (b,))))
            positions: tuple[int, ...] = (i, j)
        else:
            names = by_place(factors)
            key = (function, tuple((sites[k], each) for k, each in names.items()))
            positions = tuple(names)
        strengths, places = found.setdefault(key, ([], []))
        strengths.append(factor)
        places.append(positions)
    return found


@lru_cache(maxsize=1024)
def _product(sites: tuple[Site, ...], names: tuple[tuple[str, ...], ...], limit: str) -> Polynomial:
    """Classical counterpart of operators on a few sites, in the variables 3 place + axis."""
    return product_polynomial(sites, names, range(len(sites)), limit)


def _merged(
    found: Sequence[tuple[Function | None, Ints, Complexes]],
    functions: Sequence[Function | None],
    width: int,
    one: int,
) -> tuple[Ints, Parts]:
    """Add up what multiplies the same monomial; leave out those of which nothing remains."""
    monomials = np.concatenate(
        [np.zeros((0, width), dtype=np.int64)]
        + [np.pad(r, ((0, 0), (0, width - r.shape[1])), constant_values=one) for _, r, _ in found]
    )
    values = np.concatenate([np.zeros(0, dtype=np.complex128), *(v for _, _, v in found)])
    numbers = (np.full(len(r), functions.index(f)) for f, r, _ in found)
    part = np.concatenate([np.zeros(0, dtype=np.int64), *numbers])
    if (one + 1.0) ** width < 2.0**62:  # as one number each: much faster to sort
        keys = monomials @ (one + 1) ** np.arange(width - 1, -1, -1)
        _, first, where = np.unique(keys, return_index=True, return_inverse=True)
    else:
        _, first, where = np.unique(monomials, axis=0, return_index=True, return_inverse=True)
    sums = np.zeros((len(functions), len(first)), dtype=np.complex128)
    flat = part * len(first) + where.reshape(-1)
    sums += np.bincount(flat, values.real, sums.size).reshape(sums.shape)
    sums += 1j * np.bincount(flat, values.imag, sums.size).reshape(sums.shape)
    kept = np.any(sums != 0, axis=0)
    parts = tuple((f, sums[k, kept]) for k, f in enumerate(functions))
    return monomials[first[kept]], parts


def _check_real(parts: Iterable[tuple[Function | None, Complexes]]) -> None:
    """Refuse a sum whose value is not real at time 0."""
    total: Any = sum(value_at(function, 0.0) * values for function, values in parts)
    size = float(np.abs(total).max(initial=0.0))
    if np.abs(np.imag(total)).max(initial=0.0) > _ROUNDING * max(size, 1e-300):
        raise InputError("model: the Hamiltonian is not Hermitian")
