"""Sums of products of named local operators, written as in the paper.

    os = OperatorSum(sites)
    os += 0.5, "Sp", 0, "Sm", 1
    os = os.plus_hc(-1.0, "cdag_up", 2, "c_up", 3)

Fermion signs enter in :meth:`OperatorSum.local_terms` and nowhere else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from numbers import Number
from typing import Any, NamedTuple

import numpy as np

from tnspin.errors import InputError
from tnspin.operators.sites import Matrix, Site, kron

Function = Callable[[float], complex]
Coefficient = complex | Function
# Largest local space in which conservation and Hermiticity are decided on the dense sum.
_DENSE_LIMIT = 1024


@dataclass(frozen=True)
class Scaled:
    """A time-dependent coefficient times a number; compares equal when both parts do."""

    factor: complex
    function: Function
    conjugated: bool = False

    def __call__(self, t: float) -> complex:
        """Return the coefficient at time ``t``."""
        value = complex(self.function(t))
        return self.factor * (value.conjugate() if self.conjugated else value)


def split_coefficient(coeff: Coefficient) -> tuple[complex, Function | None]:
    """Split into a number and the function of time it multiplies (None if constant)."""
    if isinstance(coeff, Scaled):
        return coeff.factor, replace(coeff, factor=1.0) if coeff.conjugated else coeff.function
    return (1.0, coeff) if callable(coeff) else (complex(coeff), None)


def value_at(function: Function | None, t: float) -> complex:
    """Value of a function of time; None is the constant 1."""
    return 1.0 if function is None else complex(function(t))


def _driven(function: Function) -> Scaled:
    return function if isinstance(function, Scaled) else Scaled(1.0, function)


def _scale(scalar: complex, coeff: Coefficient) -> Coefficient:
    if not callable(coeff):
        return scalar * coeff
    return replace(_driven(coeff), factor=scalar * _driven(coeff).factor)


def _conjugate(coeff: Coefficient) -> Coefficient:
    if not callable(coeff):
        return complex(coeff).conjugate()
    one = _driven(coeff)
    return Scaled(complex(one.factor).conjugate(), one.function, not one.conjugated)


class Term(NamedTuple):
    """A coefficient times a product of named operators, factors as written left to right."""

    coeff: Coefficient
    factors: tuple[tuple[str, int], ...]


@dataclass(frozen=True, eq=False)
class LocalTerm:
    """A coefficient times one matrix per touched site, Jordan-Wigner strings included.

    ``matrices`` is ordered by site; each is (d, d), indices [out, in].
    """

    coeff: Coefficient
    matrices: dict[int, Matrix]

    def value(self, t: float = 0.0) -> complex:
        """Return the coefficient at time ``t``."""
        return complex(self.coeff(t)) if callable(self.coeff) else complex(self.coeff)


@dataclass(frozen=True)
class OperatorSum:
    """A sum of :class:`Term` on a chain of sites.

    Parameters
    ----------
    sites : tuple of Site
        The chain.
    terms : tuple of Term
        The summands; the empty sum is zero.
    """

    sites: tuple[Site, ...]
    terms: tuple[Term, ...] = ()

    @classmethod
    def of(cls, sites: Sequence[Site], items: Iterable[tuple[Any, ...]]) -> OperatorSum:
        """Build from tuples ``(coeff, name, site, name, site, ...)``, zero coefficients dropped."""
        empty = cls(tuple(sites))
        known: set[tuple[int, str]] = set()
        parsed = (empty._parse(item, known) for item in items)
        return cls(empty.sites, tuple(t for t in parsed if callable(t.coeff) or t.coeff != 0))

    @property
    def length(self) -> int:
        """Number of sites."""
        return len(self.sites)

    def _parse(self, item: tuple[Any, ...], known: set[tuple[int, str]] | None = None) -> Term:
        """Term of a tuple.

        Long chains have millions of factors, of few kinds: each (kind of site, name) is looked up
        once and then ``known``.
        """
        if len(item) % 2 == 0:
            raise InputError(f"term: {item!r} is not (coefficient, operator, site, ...)")
        known = set() if known is None else known
        coeff: Any = item[0]
        sites, factors = self.sites, []
        if type(coeff) is not complex and not callable(coeff):
            if isinstance(coeff, bool) or not isinstance(coeff, Number):
                raise InputError(f"term: coefficient {coeff!r} is no number or function of time")
            coeff = complex(item[0])
        for name, where in zip(item[1::2], item[2::2], strict=True):
            if type(where) is not int:
                if isinstance(where, bool) or not isinstance(where, np.integer):
                    raise InputError(f"term: site {where!r} is not an integer")
                where = int(where)
            if not 0 <= where < len(sites):
                raise InputError(f"term: site {where} is outside the chain (0..{self.length - 1})")
            key = (id(sites[where]), name)
            if key not in known:
                sites[where].op(name)
                known.add(key)
            factors.append((name, where))
        return Term(coeff, tuple(factors))

    def __add__(self, other: OperatorSum | tuple[Any, ...]) -> OperatorSum:
        """Add another sum on the same sites, or one ``(coeff, name, site, ...)`` tuple."""
        if isinstance(other, OperatorSum):
            if [s.labels for s in other.sites] != [s.labels for s in self.sites]:
                raise InputError("term: the two operator sums live on different chains")
            return OperatorSum(self.sites, self.terms + other.terms)
        return OperatorSum(self.sites, (*self.terms, self._parse(other)))

    def __mul__(self, scalar: complex) -> OperatorSum:
        """Multiply by a number."""
        terms = tuple(Term(_scale(scalar, t.coeff), t.factors) for t in self.terms)
        return OperatorSum(self.sites, terms)

    __rmul__ = __mul__

    def __truediv__(self, scalar: complex) -> OperatorSum:
        """Divide by a number."""
        return self * (1 / scalar)

    def __neg__(self) -> OperatorSum:
        """Change the sign of every term."""
        return self * -1.0

    def __sub__(self, other: OperatorSum) -> OperatorSum:
        """Subtract another sum on the same sites."""
        return self + -other

    def __repr__(self) -> str:
        driven = ", driven" if self.is_time_dependent else ""
        return f"OperatorSum({len(self.terms)} terms on {self.length} sites{driven})"

    def plus_hc(self, coeff: Coefficient, *factors: str | int) -> OperatorSum:
        """Add a term and its Hermitian conjugate."""
        term = self._parse((coeff, *factors))
        return OperatorSum(self.sites, (*self.terms, term, self._adjoint(term)))

    def _adjoint(self, term: Term) -> Term:
        factors = tuple(
            (_adjoint_name(self.sites[k], name), k) for name, k in reversed(term.factors)
        )
        return Term(_conjugate(term.coeff), factors)

    @property
    def is_time_dependent(self) -> bool:
        """Whether some coefficient is a function of time."""
        return any(callable(t.coeff) for t in self.terms)

    @cached_property
    def reach(self) -> int:
        """Largest distance between two sites that one term acts on."""
        supports = (t.matrices for t in self._locals if t.matrices)
        return max((max(sites) - min(sites) for sites in supports), default=0)

    @cached_property
    def _locals(self) -> tuple[LocalTerm, ...]:
        return tuple(LocalTerm(t.coeff, _localize(self.sites, t.factors)) for t in self.terms)

    def local_terms(self) -> list[LocalTerm]:
        """Return the terms as one matrix per touched site, with Jordan-Wigner strings applied.

        A fermionic operator at site j stands for (prod_{k<j} P_k) O_j with the
        parity P_k = (-1)^n_k; sites where the strings cancel are not listed.
        """
        return list(self._locals)

    def by_drive(self) -> dict[Function | None, list[tuple[complex, LocalTerm]]]:
        """Return numbers and terms for each function of time; None, the constant ones, first."""
        parts: dict[Function | None, list[tuple[complex, LocalTerm]]] = {None: []}
        for term in self._locals:
            factor, function = split_coefficient(term.coeff)
            parts.setdefault(function, []).append((factor, term))
        return parts

    def conserved(self) -> tuple[str, ...]:
        """Return the names of the charges that the sum conserves at all times, sorted as found.

        Terms on the same sites are summed first, so Sx Sx + Sy Sy conserves ``2Sz``.
        """
        return self._conserved

    @cached_property
    def _conserved(self) -> tuple[str, ...]:
        parts = list(self._dense_groups())
        names = dict.fromkeys(name for site in self.sites for name in site.charges)
        return tuple(
            name for name in names if all(_keeps(self.sites, *part, name) for part in parts)
        )

    def is_hermitian(self, tolerance: float = 1e-12, t: float = 0.0) -> bool:
        """Whether the sum equals its adjoint at time ``t``, largest element of the difference.

        Terms on different sites that are adjoints of each other only as a whole
        chain (never the case for sums written term by term) count as different.
        """
        sums: dict[tuple[int, ...], Matrix] = {}
        for term in self.local_terms():
            support = tuple(term.matrices)
            if (dense := _dense(self.sites, support, term)) is None:
                return self._hermitian_termwise(tolerance, t)
            sums[support] = sums.get(support, 0) + term.value(t) * dense
        return all(np.abs(m - m.conj().T).max() <= tolerance for m in sums.values())

    def _hermitian_termwise(self, tolerance: float, t: float) -> bool:
        difference: dict[tuple[Any, ...], complex] = defaultdict(complex)
        for term in self.local_terms():
            value = term.value(t)
            # Adding 0 turns the -0 that integer spins have in Sz into the 0 of its adjoint.
            same = tuple((k, (m + 0.0).tobytes()) for k, m in term.matrices.items())
            adjoint = tuple((k, (m.conj().T + 0.0).tobytes()) for k, m in term.matrices.items())
            difference[same] += value
            difference[adjoint] -= value.conjugate()
        return all(abs(v) <= tolerance for v in difference.values())

    def _dense_groups(self) -> Iterator[tuple[tuple[int, ...], Matrix | LocalTerm]]:
        """Yield (sites, sum of the terms there with one time dependence)."""
        groups: dict[tuple[Any, ...], Matrix] = {}
        for term in self.local_terms():
            support = tuple(term.matrices)
            if (dense := _dense(self.sites, support, term)) is None:
                yield support, term
                continue
            factor, function = split_coefficient(term.coeff)
            key = (support, function)
            groups[key] = groups.get(key, 0) + factor * dense
        for (support, _), matrix in groups.items():
            yield support, matrix


def _adjoint_name(site: Site, name: str) -> str:
    adjoint = site.op(name).conj().T
    for other, matrix in site.operators.items():
        if np.array_equal(matrix, adjoint):
            return other
    raise InputError(f"term: the adjoint of {name!r} has no name on a {site.name} site")


def _localize(sites: tuple[Site, ...], factors: tuple[tuple[str, int], ...]) -> dict[int, Matrix]:
    """One matrix per touched site: the ordered product of factors and strings there."""
    odd = [sites[k].is_fermionic(name) for name, k in factors]
    named = {k for _, k in factors}
    matrices: dict[int, Matrix] = {}
    # Strings of an even number of fermionic operators cancel to the left of all of them.
    first = 0 if sum(odd) % 2 else min(named, default=0)
    for k in range(first, max(named, default=-1) + 1) if any(odd) else sorted(named):
        site = sites[k]
        strings = [o and where > k for o, (_, where) in zip(odd, factors, strict=True)]
        if k in named:
            steps = (
                site.op(name) if where == k else site.parity_operator()
                for (name, where), string in zip(factors, strings, strict=True)
                if where == k or string
            )
            matrices[k] = reduce(np.matmul, steps, np.eye(site.dim, dtype=np.complex128))
        elif sum(strings) % 2 and site.has_fermions:
            matrices[k] = site.parity_operator()
    return matrices


def _dense(sites: tuple[Site, ...], support: tuple[int, ...], term: LocalTerm) -> Matrix | None:
    """Kronecker product of a term's matrices without its coefficient; None if too large."""
    if int(np.prod([float(sites[k].dim) for k in support])) > _DENSE_LIMIT:
        return None
    return kron(term.matrices.values())


def _keeps(
    sites: tuple[Site, ...], support: tuple[int, ...], part: Matrix | LocalTerm, name: str
) -> bool:
    if isinstance(part, LocalTerm):
        changes = {0}
        for k, matrix in part.matrices.items():
            charge = sites[k].charge(name)
            step = set((charge[:, None] - charge[None, :])[np.abs(matrix) > 0].tolist())
            changes = {a + b for a in changes for b in step}
        return changes <= {0}
    charge = np.zeros(1, dtype=np.int64)
    for k in support:
        charge = np.add.outer(charge, sites[k].charge(name)).ravel()
    moved = charge[:, None] != charge[None, :]
    scale = max(1.0, float(np.abs(part).max(initial=0.0)))
    return not np.any(np.abs(part[moved]) > 1e-14 * scale)
