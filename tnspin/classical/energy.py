"""The classical energy of an operator sum, and the field -dE/dS that it makes.

Every spin matrix becomes S n with a unit vector n, whatever factor stands before it in H: Pauli
matrices are twice the spin matrices of S = 1/2, so that the field comes out twice as large and a
classical spin precesses as fast as the quantum one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnspin.classical.symbols import LIMITS, Polynomial, multiplied, site_polynomial
from tnspin.errors import InputError, nearest
from tnspin.sites import Site
from tnspin.terms import OperatorSum, Term, split_coefficient

__all__ = ["LIMITS", "ClassicalEnergy", "Fields", "classical_energy", "energy_of"]

Reals = NDArray[np.float64]
Ints = NDArray[np.int64]
Function = Callable[[float], complex]
# Imaginary parts that cancel in a Hermitian sum, relative to the largest coefficient.
_ROUNDING = 1e-10


@dataclass(frozen=True, eq=False)
class Fields:
    """The gradient of an energy at one time as arrays, for compiled kernels.

    The field of spin i is ``linear[i] + sum_k blocks[k] n[columns[k]]`` over
    ``k = starts[i]..starts[i+1]``, plus, for each component c = 3 i + axis, the sum over
    ``k = high_starts[c]..high_starts[c+1]`` of ``high_values[k]`` times the components
    ``high_others[k]`` (-1: none) of n.

    Attributes
    ----------
    linear : (N, 3)
    starts, columns, blocks : (N + 1,), (K,), (K, 3, 3)
    high_starts, high_values, high_others : (3 N + 1,), (H,), (H, p)
    """

    linear: Reals
    starts: Ints
    columns: Ints
    blocks: Reals
    high_starts: Ints
    high_values: Reals
    high_others: Ints

    @property
    def arrays(self) -> tuple[Any, ...]:
        """In the order in which kernels take them."""
        return (self.linear, self.starts, self.columns, self.blocks, self.high_starts,
                self.high_values, self.high_others)  # fmt: skip

    def largest(self) -> float:
        """Upper bound of the length of any field, for unit vectors."""
        bound = np.linalg.norm(self.linear, axis=1)
        sizes = np.linalg.norm(self.blocks, 2, axis=(1, 2)) if len(self.blocks) else np.zeros(0)
        rows = np.repeat(np.arange(len(bound)), np.diff(self.starts))
        bound = bound + np.bincount(rows, sizes, len(bound))
        rows = np.repeat(np.arange(3 * len(bound)) // 3, np.diff(self.high_starts))
        return float(
            (bound + np.bincount(rows, np.abs(self.high_values), len(bound))).max(initial=0)
        )


@dataclass(frozen=True, eq=False)
class ClassicalEnergy:
    """A real polynomial in the components of unit vectors, with driven coefficients.

    Attributes
    ----------
    spins : (N,) float
        S of each vector.
    sites : tuple of int
        Site of each vector.
    monomials : tuple of tuples of int
        Components 3 i + axis of each monomial, sorted; ``()`` is the constant.
    parts : tuple of (function or None, (M,) complex)
        Coefficients of the monomials, one set per function of time (None: constant).
    """

    spins: Reals
    sites: tuple[int, ...]
    monomials: tuple[tuple[int, ...], ...]
    parts: tuple[tuple[Function | None, NDArray[np.complex128]], ...]
    _cache: dict[str, Fields] = field(default_factory=dict, repr=False)

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
        return max((len(m) for m in self.monomials), default=0) <= 2

    def coefficients(self, t: float = 0.0) -> Reals:
        """(M,) coefficients of the monomials at time ``t``."""
        total = np.zeros(len(self.monomials))
        for function, values in self.parts:
            total += (values if function is None else complex(function(t)) * values).real
        return total

    def value(self, n: Reals, t: float = 0.0) -> Reals:
        """Energy of unit vectors (..., N, 3) at time ``t``, shape (...)."""
        flat = np.asarray(n, float).reshape(*np.shape(n)[:-2], -1)
        padded = np.concatenate([flat, np.ones((*flat.shape[:-1], 1))], axis=-1)
        products = padded[..., self._padded[:, 0]]
        for k in range(1, self._padded.shape[1]):
            products = products * padded[..., self._padded[:, k]]
        return products @ self.coefficients(t)

    def field(self, n: Reals, t: float = 0.0) -> Reals:
        """Field -dE/dS of each of (N, 3) unit vectors at time ``t``, (N, 3)."""
        from tnspin.classical import kernels

        field_of: Any = kernels.field_of
        state = np.ascontiguousarray(n, dtype=float)
        out = np.empty_like(state)
        field_of(state, 0, len(state), *self.fields(t).arrays, out)
        return out

    def fields(self, t: float = 0.0) -> Fields:
        """Arrays from which kernels compute the field at time ``t``."""
        if not self.is_time_dependent:
            if "constant" not in self._cache:
                self._cache["constant"] = self._layout.fill(self.coefficients())
            return self._cache["constant"]
        return self._layout.fill(self.coefficients(t))

    @cached_property
    def _padded(self) -> Ints:
        """(M, p) components of each monomial; 3 N stands for the number 1."""
        width = max((len(m) for m in self.monomials), default=0) or 1
        one = 3 * self.size
        rows = [[*m, *[one] * (width - len(m))] for m in self.monomials]
        return np.array(rows, dtype=np.int64).reshape(-1, width)

    @cached_property
    def _layout(self) -> _Layout:
        return _Layout(self.spins, self.monomials)


class _Layout:
    """Where the coefficient of each monomial goes in the arrays of `Fields`."""

    def __init__(self, spins: Reals, monomials: Iterable[tuple[int, ...]]) -> None:
        self.scale = -1.0 / np.repeat(spins, 3)
        self.size = len(spins)
        linear, pairs, high = [], [], []
        for k, m in enumerate(monomials):
            if len(m) == 1:
                linear.append((k, m[0]))
            elif len(m) == 2:
                # d(n_a n_b) = n_b dn_a + n_a dn_b; of n_a^2 both are the same component.
                pairs += [(k, m[0], m[1]), (k, m[1], m[0])]
            elif m:
                high += [(k, c, m[:j] + m[j + 1 :]) for j, c in enumerate(m)]
        self.linear = np.array(linear, dtype=np.int64).reshape(-1, 2)
        self.pairs = np.array(pairs, dtype=np.int64).reshape(-1, 3)
        row, column = self.pairs[:, 1] // 3, self.pairs[:, 2] // 3
        keys, self.place = np.unique(row * self.size + column, return_inverse=True)
        self.columns = keys % self.size
        self.starts = np.searchsorted(keys, np.arange(self.size + 1) * self.size)
        high.sort(key=lambda item: item[1])
        width = max((len(others) for _, _, others in high), default=1)
        self.high = np.array([k for k, _, _ in high], dtype=np.int64)
        components = np.array([c for _, c, _ in high], dtype=np.int64)
        self.high_components = components
        self.high_starts = np.searchsorted(components, np.arange(3 * self.size + 1))
        self.high_others = np.array(
            [[*others, *[-1] * (width - len(others))] for _, _, others in high], dtype=np.int64
        ).reshape(-1, width)

    def fill(self, values: Reals) -> Fields:
        linear = np.zeros(3 * self.size)
        where = self.linear[:, 1]
        linear[where] = self.scale[where] * values[self.linear[:, 0]]
        blocks = np.zeros((len(self.columns), 3, 3))
        k, a, b = self.pairs.T
        np.add.at(blocks, (self.place, a % 3, b % 3), self.scale[a] * values[k])
        high = self.scale[self.high_components] * values[self.high]
        return Fields(linear.reshape(-1, 3), self.starts.astype(np.int64), self.columns, blocks,
                      self.high_starts.astype(np.int64), high, self.high_others)  # fmt: skip


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
    places = {int(k): i for i, k in enumerate(order)}
    sums: dict[Function | None, Polynomial] = {None: {}}
    for term in os.terms:
        factor, function = split_coefficient(term.coeff)
        total = sums.setdefault(function, {})
        for key, value in _term(os.sites, term, places, limit).items():
            total[key] = total.get(key, 0.0) + factor * value
    monomials = tuple(dict.fromkeys(key for total in sums.values() for key in total))
    parts = tuple(
        (function, np.array([total.get(key, 0.0) for key in monomials], dtype=np.complex128))
        for function, total in sums.items()
    )
    spins = np.array([(os.sites[k].spin_dim - 1) / 2 for k in places])
    _check_real(parts)
    return ClassicalEnergy(spins, tuple(places), monomials, parts)


def energy_of(model: Any, limit: str = "large_spin") -> ClassicalEnergy:
    """`classical_energy` of the Hamiltonian of a model, kept; N as in ``localized_sites``.

    A model whose classical counterpart has other constants says so (``classical_hamiltonian``).
    """
    return _energy_of(model, limit)


@lru_cache(maxsize=8)
def _energy_of(model: Any, limit: str) -> ClassicalEnergy:
    os = getattr(model, "classical_hamiltonian", model.hamiltonian)
    return classical_energy(os, limit, model.localized_sites)


def _term(sites: tuple[Site, ...], term: Term, places: dict[int, int], limit: str) -> Polynomial:
    names: dict[int, tuple[str, ...]] = {}
    for name, k in term.factors:
        names[k] = (*names.get(k, ()), name)
    total: Polynomial = {(): 1.0}
    for k, factors in names.items():
        local = site_polynomial(sites[k], factors, limit)
        if set(local) <= {()}:
            total = multiplied(total, local)
            continue
        base = 3 * places[k]
        total = multiplied(
            total, {tuple(base + axis for axis in key): value for key, value in local.items()}
        )
    return total


def _check_real(parts: Iterable[tuple[Function | None, NDArray[np.complex128]]]) -> None:
    """Refuse a sum whose value is not real at time 0."""
    total: Any = 0.0
    for function, values in parts:
        total = total + (values if function is None else complex(function(0.0)) * values)
    size = float(np.abs(total).max(initial=0.0))
    if np.abs(np.imag(total)).max(initial=0.0) > _ROUNDING * max(size, 1e-300):
        raise InputError("model: the Hamiltonian is not Hermitian")
