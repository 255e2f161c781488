r"""Generators of Lindblad equations as operator sums on doubled sites.

.. math::
    \dot\rho = \mathcal L \rho
    = -i[H, \rho] + \sum_k L_k \rho L_k^+ - \tfrac12 \{L_k^+ L_k, \rho\}

with rho as a vector over kets and bras (`sites.doubled`), so that whatever evolves pure states
under an operator sum H evolves density matrices under ``1j`` times this one.  All jumps on the
same sites make one matrix on their doubled spaces, which is split into the fewest products of
one-site operators, charge by charge.  Jumps on more sites, `is_long`, become matrix product
operators (`tnspin.operators.dissipator`).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from tnspin.errors import InputError
from tnspin.numerics.arrays import Ints
from tnspin.operators.charge_split import RANK, changes, column_spaces
from tnspin.operators.jump_operator import JumpOperator
from tnspin.operators.operator_sum import OperatorSum, Term
from tnspin.operators.sites import Matrix, Site, doubled, make_site

#: One-site matrices, one for each of the sites that they act on.
Product = tuple[Matrix, ...]
# Most sites of a jump: the number of products grows as (d^2)^sites.
_MOST_SITES = 3
# Largest doubled space of a jump's sites; two spins 5/2 have 1296 states.
_MOST_STATES = 4096


def lindbladian(os: OperatorSum, jumps: Sequence[JumpOperator] = ()) -> OperatorSum:
    """Return the generator L of ``rho' = L rho`` on doubled sites.

    Parameters
    ----------
    os : OperatorSum
        H; its coefficients may depend on time.
    jumps : sequence of JumpOperator
        Rates included, each on at most three sites.

    Raises
    ------
    InputError
        If the chain holds electrons, or a jump does not fit the chain or has too many sites.
    """
    groups: dict[tuple[int, ...], Matrix] = {}
    for jump in jumps:
        check_jump(jump, os.sites)
        if is_long(jump, os.sites):
            raise InputError(
                f"jumps: {jump.name!r} acts on {len(jump.sites)} sites; an operator sum takes at "
                f"most {_MOST_SITES} sites and {round(_MOST_STATES**0.5)} states"
            )
        groups[jump.sites] = groups.get(jump.sites, 0) + dissipator_matrix(jump.matrix)
    operators: list[dict[str, Matrix]] = [{} for _ in os.sites]
    terms = []
    for number, (where, matrix) in enumerate(groups.items()):
        chain = [os.sites[k] for k in where]
        ordered = by_site(matrix, [site.dim for site in chain])
        for place, product in enumerate(split_product(ordered, [doubled(s) for s in chain])):
            name = f"D{number}.{place}"
            for k, factor in zip(where, product, strict=True):
                operators[k][name] = factor
            terms.append(Term(1.0, tuple((name, k) for k in where)))
    sites = tuple(_with(site, extra) for site, extra in zip(os.sites, operators, strict=True))
    kets = OperatorSum(sites, os.terms) * -1j
    # rho A B: first A, then B.
    bras = tuple(
        Term(t.coeff, tuple((_right(name), k) for name, k in reversed(t.factors))) for t in os.terms
    )
    return OperatorSum(sites, (*kets.terms, *(OperatorSum(sites, bras) * 1j).terms, *terms))


def dissipator_matrix(jump: Matrix) -> Matrix:
    """Matrix (D^2, D^2) of ``L rho L+ - {L+ L, rho} / 2`` on rho row by row."""
    one = np.eye(len(jump))
    decay = jump.conj().T @ jump
    gain = np.kron(jump, jump.conj())
    total = gain - 0.5 * (np.kron(decay, one) + np.kron(one, decay.T))
    return np.asarray(total, dtype=np.complex128)


def split_product(matrix: Matrix, sites: Sequence[Site]) -> list[Product]:
    """Write an operator on a few sites as a sum of few products, each factor of definite charge.

    The factors at both ends are orthonormal bases that all products share, so that a matrix
    product operator of the sum needs no more bond states than there are basis elements.

    Parameters
    ----------
    matrix
        (D, D), first site slowest, [out, in].
    sites
        One to three local spaces; all their charges count.
    """
    count = len(sites)
    # One axis per site: its matrix elements, row by row.
    dims = [site.dim for site in sites]
    order = [axis for k in range(count) for axis in (k, count + k)]
    tensor = matrix.reshape(dims * 2).transpose(order).reshape([d * d for d in dims])
    first = _frame(tensor.reshape(dims[0] ** 2, -1), sites[0])
    if count == 1:
        return [(matrix,)] if matrix.any() else []
    if count == 2:
        inner = first.conj().T @ tensor
        inner = np.where(np.abs(inner) > RANK * np.abs(inner).max(initial=0.0), inner, 0.0)
        return [_matrices(pair, dims) for pair in zip(first.T, inner, strict=True)]
    last = _frame(tensor.reshape(-1, dims[2] ** 2).T, sites[2])
    middle = np.einsum("ak,abc,cm->kmb", first.conj(), tensor, last.conj(), optimize=True)
    largest = np.abs(middle).max(initial=0.0)
    return [
        _matrices((first[:, k], np.where(np.abs(b) > RANK * largest, b, 0.0), last[:, m]), dims)
        for k, row in enumerate(middle)
        for m, b in enumerate(row)
        if np.abs(b).max() > RANK * largest
    ]


def _frame(rows: Matrix, site: Site) -> Matrix:
    """Orthonormal columns, each of one change of the charges, that span the columns of ``rows``."""
    # Round-off would count as elements.
    columns = (
        np.where(np.abs(part) > RANK, part, 0.0)
        for part, _ in column_spaces(rows, _labels_of_changes(site))
    )
    return np.concatenate(list(columns), axis=1)


def _matrices(factors: Sequence[Matrix], dims: Sequence[int]) -> Product:
    return tuple(factor.reshape(d, d) for factor, d in zip(factors, dims, strict=True))


def _labels_of_changes(site: Site) -> Ints:
    """Number of the change of all charges by each matrix element (out, in), row by row."""
    steps = [changes(site.charge(name)) for name in site.charges]
    table = np.stack([np.zeros(site.dim**2, dtype=np.int64), *steps], axis=1)
    return np.unique(table, axis=0, return_inverse=True)[1].ravel()


def by_site(matrix: Matrix, dims: Sequence[int]) -> Matrix:
    """Return a superoperator (D^2, D^2) in the order ket, bra, site by site.

    Parameters
    ----------
    matrix
        With all kets before all bras.
    dims
        Dimension of every site.
    """
    count = len(dims)
    order = [axis for k in range(count) for axis in (k, count + k)]
    axes = [*order, *(2 * count + axis for axis in order)]
    return matrix.reshape([*dims] * 4).transpose(axes).reshape(matrix.shape)


def _right(name: str) -> str:
    return name if name == "Id" else f"{name}'"


def _with(site: Site, extra: dict[str, Matrix]) -> Site:
    """The doubled site, with operators that only this chain has."""
    two = doubled(site)
    if not extra:
        return two
    named = {name: matrix for name, matrix in two.operators.items() if name != "Id"}
    return make_site(two.name, two.labels, two.charges, {**named, **extra})


def check_jump(jump: JumpOperator, sites: Sequence[Site]) -> None:
    """Refuse a jump outside the chain, or whose matrix does not fit its sites."""
    outside = [k for k in jump.sites if not 0 <= k < len(sites)]
    if outside:
        raise InputError(f"jumps: {jump.name!r} acts on site {outside[0]}, outside the chain")
    size = prod(sites[k].dim for k in jump.sites)
    if jump.matrix.shape != (size, size):
        raise InputError(
            f"jumps: {jump.name!r} has shape {jump.matrix.shape}, its sites have {size} states"
        )


def is_long(jump: JumpOperator, sites: Sequence[Site]) -> bool:
    """Whether a jump has too many sites or states for a sum of products of local operators."""
    size = prod(sites[k].dim for k in jump.sites if k < len(sites))
    return len(jump.sites) > _MOST_SITES or size**2 > _MOST_STATES
