"""From products of spin operators on one site to polynomials in the unit vector of that site.

A polynomial is a dictionary from sorted axes to coefficients: ``{(2, 2): 3.0}`` is 3 z^2.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import product

import numpy as np

from tnspin.errors import InputError
from tnspin.operators.sites import Site

#: Monomial (sorted indices of the variables) -> coefficient.
Polynomial = dict[tuple[int, ...], complex]

#: What replaces a product of spin matrices on one site: the product of S n, right for
#: S -> infinity, or its expectation value in a coherent state, right for unentangled spins.
LIMITS = ("large_spin", "coherent")
_ALONE = "the classical equations are for localized spins alone (with electrons: kind 'hybrid')"


def multiplied(a: Polynomial, b: Polynomial) -> Polynomial:
    """Product of two polynomials."""
    total: Polynomial = {}
    for (left, x), (right, y) in product(a.items(), b.items()):
        key = tuple(sorted(left + right))
        total[key] = total.get(key, 0.0) + x * y
    return total


def by_place(factors: Iterable[tuple[str, int]]) -> dict[int, tuple[str, ...]]:
    """Names of the operators on each site, left to right, from (name, site) factors."""
    names: dict[int, tuple[str, ...]] = {}
    for name, k in factors:
        names[k] = (*names.get(k, ()), name)
    return names


def product_polynomial(
    sites: Iterable[Site], names: Iterable[tuple[str, ...]], slots: Iterable[int], limit: str
) -> Polynomial:
    """Classical counterpart of operators on a few sites, in the variables 3 slot + axis."""
    total: Polynomial = {(): 1.0}
    for site, factors, slot in zip(sites, names, slots, strict=True):
        local = site_polynomial(site, factors, limit)
        shifted = {tuple(3 * slot + a for a in key): value for key, value in local.items()}
        total = multiplied(total, shifted)
    return total


@lru_cache(maxsize=4096)
def site_polynomial(site: Site, names: tuple[str, ...], limit: str) -> Polynomial:
    """Classical counterpart of a product of operators on one site, in the axes 0, 1, 2 of n.

    Parameters
    ----------
    site
        A site with a localized spin.
    names
        The factors, left to right.
    limit
        One of `LIMITS`.

    Raises
    ------
    InputError
        If a factor is not a combination of the identity and spin matrices.
    """
    forms = [_linear_form(site, name) for name in names]
    spin = (site.spin_dim - 1) / 2
    if limit == "coherent":
        return _coherent(forms, site.spin_dim - 1)
    total: Polynomial = {(): 1.0}
    for constant, vector in forms:
        linear: Polynomial = {(axis,): spin * vector[axis] for axis in range(3) if vector[axis]}
        total = multiplied(total, linear | ({(): constant} if constant else {}))
    return total


@lru_cache(maxsize=1024)
def _linear_form(site: Site, name: str) -> tuple[complex, tuple[complex, complex, complex]]:
    """Numbers c, v with operator = c + v.S; refuses anything else."""
    matrix = site.op(name)
    if site.spin_dim < 2:
        raise InputError(
            f"model: {name!r} on a {site.name} site has no classical counterpart; {_ALONE}"
        )
    spins = [site.op(f"S{axis}") for axis in "xyz"]
    constant = complex(np.trace(matrix)) / site.dim
    vector = [complex(np.vdot(s, matrix) / np.vdot(s, s)) for s in spins]
    combined = sum(v * s for v, s in zip(vector, spins, strict=True))
    size = max(1.0, float(np.abs(matrix).max()))
    if np.abs(matrix - constant * np.eye(site.dim) - combined).max() > 1e-12 * size:
        raise InputError(
            f"model: {name!r} on a {site.name} site is no combination of spin matrices; {_ALONE}"
        )
    small = 1e-14 * size
    x, y, z = (v if abs(v) > small else 0.0 for v in vector)
    return constant if abs(constant) > small else 0.0, (x, y, z)


def _coherent(
    forms: Sequence[tuple[complex, tuple[complex, complex, complex]]], doubled: int
) -> Polynomial:
    """Expectation value of a product of forms in the coherent state along n of spin doubled/2.

    The spin is ``doubled`` spins 1/2, all along n.  A product of p components is a sum over the
    ways to hand its factors to distinct ones: blocks of factors on the same spin 1/2 multiply as
    Pauli matrices, and k blocks can be placed on doubled (doubled - 1) ... (doubled - k + 1) ways.
    """
    total: Polynomial = {}
    choices = [
        [(None, c)] * bool(c) + [(axis, v[axis]) for axis in range(3) if v[axis]] for c, v in forms
    ]
    for chosen in product(*choices):
        weight = complex(np.prod([value for _, value in chosen]))
        axes = [axis for axis, _ in chosen if axis is not None]
        for blocks in _partitions(axes):
            part: Polynomial = {(): weight}
            for k, block in enumerate(blocks):
                part = multiplied(part, {(): float(doubled - k)})
                part = multiplied(part, _pauli_product(tuple(block)))
            for key, value in part.items():
                total[key] = total.get(key, 0.0) + value
    return {key: value for key, value in total.items() if value}


def _partitions(items: Sequence[int]) -> Iterator[list[list[int]]]:
    """All partitions of a sequence into blocks that keep its order."""
    if not items:
        yield []
        return
    for blocks in _partitions(items[:-1]):
        for k in range(len(blocks)):
            yield [*blocks[:k], [*blocks[k], items[-1]], *blocks[k + 1 :]]
        yield [*blocks, [items[-1]]]


@lru_cache(maxsize=1024)
def _pauli_product(axes: tuple[int, ...]) -> Polynomial:
    """``<sigma_a sigma_b ...> / 2^p`` of one spin 1/2 along n: a number plus a linear form."""
    scalar, vector = 1.0 + 0.0j, np.zeros(3, dtype=complex)
    for axis in axes:
        unit = np.eye(3)[axis]
        # (s + v.sigma)(u.sigma) = v.u + (s u + i v x u).sigma
        scalar, vector = complex(vector @ unit), scalar * unit + 1j * np.cross(vector, unit)
    half = 0.5 ** len(axes)
    found: Polynomial = {(): half * scalar} if scalar else {}
    return found | {(axis,): half * complex(vector[axis]) for axis in range(3) if vector[axis]}
