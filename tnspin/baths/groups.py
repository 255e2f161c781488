"""The Hamiltonian of the localized spins of a model alone, group by group.

Everything is read off the operator sum, so that any model with localized spins has it: a term
belongs to the spins if it acts as the identity on all other factors of every site it touches.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from math import prod

import numpy as np
import scipy.sparse as sp

from tnspin.errors import InputError
from tnspin.models import Model
from tnspin.numerics.arrays import Ints
from tnspin.operators.operator_sum import LocalTerm
from tnspin.operators.sites import Matrix, Site

#: Number, and one matrix per touched localized spin.
SpinTerm = tuple[complex, dict[int, Matrix]]


def spin_terms(model: Model) -> list[SpinTerm]:
    """Return the terms of H that act on localized spins only.

    Raises
    ------
    InputError
        If such a term depends on time: there is then no eigenbasis for a bath to act in.
    """
    localized = set(model.localized_sites)
    found = []
    for term in model.hamiltonian.local_terms():
        matrices = _spin_factors(term, model.local_sites, localized)
        if matrices is None:
            continue
        if callable(term.coeff):
            raise InputError(
                "model: the Hamiltonian of the localized spins depends on time; a bath needs a"
                " constant one"
            )
        found.append((complex(term.coeff), matrices))
    return found


def _spin_factors(
    term: LocalTerm, sites: Sequence[Site], localized: set[int]
) -> dict[int, Matrix] | None:
    """The matrices of a term on the spins it touches, None if it touches anything else."""
    if not term.matrices or not localized.issuperset(term.matrices):
        return None
    factors = {}
    for k, matrix in term.matrices.items():
        inner = sites[k].spin_dim
        local = matrix[:inner, :inner]
        if not np.array_equal(matrix, np.kron(np.eye(len(matrix) // inner), local)):
            return None
        factors[k] = local
    return factors


def neighbours(model: Model, terms: Sequence[SpinTerm]) -> dict[int, set[int]]:
    """Return for each localized site the others with which some term couples it directly."""
    linked: dict[int, set[int]] = {k: set() for k in model.localized_sites}
    for _, matrices in terms:
        for k in matrices:
            linked[k] |= set(matrices) - {k}
    return linked


def ball(linked: dict[int, set[int]], centre: int, radius: int | None = None) -> tuple[int, ...]:
    """Return the sites at most ``radius`` couplings from ``centre`` (None: any number), sorted."""
    inside = edge = {centre}
    while edge and (radius is None or radius > 0):
        edge = set().union(*(linked[k] for k in edge)) - inside
        inside = inside | edge
        radius = None if radius is None else radius - 1
    return tuple(sorted(inside))


def spin_groups(model: Model) -> tuple[tuple[int, ...], ...]:
    """Return the localized sites in groups that their own Hamiltonian couples, each sorted."""
    linked = neighbours(model, spin_terms(model))
    return tuple(dict.fromkeys(ball(linked, k) for k in model.localized_sites))


def group_hamiltonian(model: Model, sites: Sequence[int]) -> Matrix:
    """Return the Hamiltonian of a few localized spins among themselves.

    Parameters
    ----------
    model : Model
        Its Hamiltonian without whatever involves electrons, bosons or other spins.
    sites : sequence of int
        Distinct localized sites, in any order.

    Returns
    -------
    (D, D) complex ndarray
        In the product basis of the spins, first site slowest.

    Raises
    ------
    InputError
        If a site holds no localized spin or is named twice, or the terms depend on time.
    """
    chosen = [int(k) for k in sites]
    for k in chosen:
        if k not in model.localized_sites:
            raise InputError(f"sites: {k} holds no localized spin")
    if len(set(chosen)) != len(chosen):
        raise InputError(f"sites: {chosen} names a site twice")
    return spin_matrix(model, spin_terms(model), chosen)


def spin_matrix(model: Model, terms: Sequence[SpinTerm], chosen: Sequence[int]) -> Matrix:
    """Sum of the terms that act on the chosen spins and no others, in their product basis."""
    dims = [model.local_sites[k].spin_dim for k in chosen]
    total = sp.csr_array((prod(dims), prod(dims)), dtype=np.complex128)
    for number, matrices in terms:
        if set(chosen).issuperset(matrices):
            total = total + number * _product(chosen, dims, matrices)
    return np.asarray(total.toarray())


def _product(
    chosen: Sequence[int], dims: Sequence[int], matrices: dict[int, Matrix]
) -> sp.csr_array:
    result = sp.csr_array(np.ones((1, 1), dtype=np.complex128))
    # Spins next to each other that the term leaves alone make one identity.
    for touched, run in groupby(zip(chosen, dims, strict=True), lambda pair: pair[0] in matrices):
        pairs = list(run)
        factors = (
            [sp.csr_array(matrices[k]) for k, _ in pairs]
            if touched
            else [sp.eye_array(prod(dim for _, dim in pairs), format="csr")]
        )
        for factor in factors:
            result = sp.csr_array(sp.kron(result, factor, format="csr"))
    return result


def spin_charges(sites: Sequence[Site]) -> Ints:
    """Return 2Sz of each product state of the localized spins of a few sites, up to a constant."""
    total = np.zeros(1, dtype=np.int64)
    for site in sites:
        # The other factors of the site stay in their first state.
        total = np.add.outer(total, site.charge("2Sz")[: site.spin_dim]).ravel()
    return total
