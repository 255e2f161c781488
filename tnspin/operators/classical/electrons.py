"""The energy of a Slater determinant among classical spins, from an operator sum.

    E = sum_ab <c+_a c_b> (h_ab + sum_c n_c A^c_ab) + E_spins(n)

Every spin matrix becomes S n as in `llg`; what stands with electron operators makes
the one-body Hamiltonian of the electrons, and its derivative the field on the spins.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import scipy.sparse as sp

from tnspin.errors import InputError
from tnspin.numerics.arrays import Complexes, Ints, Reals
from tnspin.operators.classical.bilinear import electron_form, is_electronic
from tnspin.operators.classical.energy import ClassicalEnergy, classical_energy
from tnspin.operators.classical.symbols import by_place, product_polynomial
from tnspin.operators.operator_sum import Function, OperatorSum, Term, split_coefficient, value_at
from tnspin.operators.sites import Site


@dataclass(frozen=True, eq=False)
class HybridEnergy:
    """Energy of electrons and unit vectors, and its derivatives.

    Attributes
    ----------
    spins : ClassicalEnergy
        The part without electrons.
    modes : int
        2 L: mode 2 site + spin, up first.
    rows, columns, components, functions, values : (K,)
        h has ``values[k] f(t) x`` at (row, column), where x is component 3 i + axis of the unit
        vectors, or 1 for 3 N.
    drives : tuple of functions of time
        What ``functions`` counts; None is 1.
    """

    spins: ClassicalEnergy
    modes: int
    rows: Ints
    columns: Ints
    components: Ints
    functions: Ints
    values: Complexes
    drives: tuple[Function | None, ...]

    @property
    def is_time_dependent(self) -> bool:
        """Whether some coefficient is a function of time."""
        return self.spins.is_time_dependent or any(f is not None for f in self.drives)

    def hamiltonian(self, n: Reals, t: float = 0.0) -> sp.csr_array:
        """(2 L, 2 L) one-body Hamiltonian among unit vectors (N, 3) at time ``t``."""
        x = np.append(np.ravel(n), 1.0)
        entries = self._strengths(t) * x[self.components]
        place, indices, pointers = self._pattern
        size = len(indices)
        data = np.bincount(place, entries.real, size) + 1j * np.bincount(place, entries.imag, size)
        return sp.csr_array((data, indices, pointers), shape=(self.modes, self.modes))

    def field(self, orbitals: Complexes, occupations: Reals, t: float = 0.0) -> Reals:
        """(N, 3) field -dE/dS that electrons make, from (M, 2 L) orbitals."""
        chosen = self._exchange
        rows, columns = self.rows[chosen], self.columns[chosen]
        # <c+_row c_column>
        one_body = np.asarray(occupations @ (orbitals[:, rows].conj() * orbitals[:, columns]))
        slopes = (self._strengths(t)[chosen] * one_body).real
        slope = np.bincount(self.components[chosen], slopes, 3 * self.spins.size)
        return -slope.reshape(-1, 3) / self.spins.spins[:, None]

    def value(self, n: Reals, orbitals: Complexes, occupations: Reals, t: float = 0.0) -> float:
        """Energy of (N, 3) unit vectors and (M, 2 L) orbitals at time ``t``."""
        moved = self.hamiltonian(n, t) @ orbitals.T
        electrons = float(occupations @ np.einsum("aj,ja->a", orbitals.conj(), moved).real)
        return electrons + float(self.spins.value(n, t))

    def _strengths(self, t: float) -> Complexes:
        if all(f is None for f in self.drives):
            return self.values
        now = np.array([value_at(f, t) for f in self.drives])
        return self.values * now[self.functions]

    @cached_property
    def _exchange(self) -> Ints:
        """Entries that contain a spin."""
        return np.flatnonzero(self.components < 3 * self.spins.size)

    @cached_property
    def _pattern(self) -> tuple[Ints, Ints, Ints]:
        """Place of every entry among those stored, and the pattern of a sparse matrix."""
        keys, place = np.unique(self.rows * self.modes + self.columns, return_inverse=True)
        pointers = np.searchsorted(keys, self.modes * np.arange(self.modes + 1))
        return place.reshape(-1), keys % self.modes, pointers


def hybrid_energy(
    os: OperatorSum, order: tuple[int, ...], limit: str = "large_spin"
) -> HybridEnergy:
    """Replace the spins of an operator sum by classical vectors and keep its electrons.

    Parameters
    ----------
    os : OperatorSum
        Bilinear in electron operators, and linear in spins where it has both.
    order : tuple of int
        Sites of the vectors, in their order.
    limit
        As for `classical_energy`.

    Raises
    ------
    InputError
        For interacting electrons, products of several spins with electrons, bosons, or a sum that
        is not Hermitian.
    """
    places = {k: i for i, k in enumerate(order)}
    drives: dict[Function | None, int] = {None: 0}
    bare: list[Term] = []
    entries: list[tuple[int, int, int, int, complex]] = []
    for term in os.terms:
        factor, function = split_coefficient(term.coeff)
        electronic = tuple(f for f in term.factors if is_electronic(os.sites[f[1]], f[0]))
        others = tuple(f for f in term.factors if f not in electronic)
        sites = sorted({k for _, k in electronic})
        constant, matrix = electron_form(tuple((name, sites.index(k)) for name, k in electronic))
        if constant:
            bare.append(_scaled(term, constant, others))
        if not np.any(matrix):
            continue
        number = drives.setdefault(function, len(drives))
        for component, strength in _linear(os.sites, others, places, limit).items():
            for a, b in np.argwhere(matrix):
                row, column = (2 * sites[k // 2] + k % 2 for k in (int(a), int(b)))
                value = factor * strength * matrix[a, b]
                entries.append((row, column, component, number, value))
    spins = classical_energy(OperatorSum(os.sites, tuple(bare)), limit, order)
    table = np.array([entry[:4] for entry in entries], dtype=np.int64).reshape(-1, 4)
    rows, columns, components, functions = table.T.copy()
    values = np.array([entry[4] for entry in entries], dtype=np.complex128)
    found = HybridEnergy(
        spins, 2 * len(os.sites), rows, columns, components, functions, values, tuple(drives)
    )
    _check_hermitian(found)
    return found


def hybrid_energy_of(model: Any, limit: str = "large_spin") -> HybridEnergy:
    """`hybrid_energy` of the Hamiltonian of a model, kept; N as in ``localized_sites``."""
    return _energy_of(model, limit)


@lru_cache(maxsize=2)
def _energy_of(model: Any, limit: str) -> HybridEnergy:
    return hybrid_energy(model.hamiltonian, model.localized_sites, limit)


def _scaled(term: Term, constant: complex, factors: tuple[tuple[str, int], ...]) -> Term:
    (scaled,) = (constant * OperatorSum((), (Term(term.coeff, factors),))).terms
    return scaled


def _linear(
    sites: tuple[Site, ...], factors: tuple[tuple[str, int], ...], places: dict[int, int],
    limit: str,
) -> dict[int, complex]:  # fmt: skip
    """Coefficients of the components 3 i + axis, and of 1 (3 N), of a product of spins."""
    names = by_place(factors)
    slots = [places[k] for k in names]
    total = product_polynomial([sites[k] for k in names], names.values(), slots, limit)
    if any(len(key) > 1 for key in total):
        raise InputError(
            "model: electrons stand with several spins at once; classical spins beside electrons "
            "need an exchange linear in each spin"
        )
    return {key[0] if key else 3 * len(places): value for key, value in total.items() if value}


def _check_hermitian(energy: HybridEnergy) -> None:
    n = np.random.default_rng(0).normal(size=(energy.spins.size, 3))
    h = energy.hamiltonian(n)
    difference = abs(h - h.conj().T)
    if difference.nnz and difference.max() > 1e-10 * max(1e-300, abs(h).max()):
        raise InputError("model: the Hamiltonian is not Hermitian")
