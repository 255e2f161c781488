"""Operator sums as sparse matrices and as matrix-free products, for state vectors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from tnspin.errors import InputError
from tnspin.numerics.arrays import Complexes, Ints
from tnspin.operators.basis import ChargeBasis
from tnspin.operators.operator_sum import Function, LocalTerm, OperatorSum, value_at
from tnspin.operators.sites import Matrix, Site, kron

# Neighbouring terms are merged into one dense factor up to this local dimension.
_MERGE_LIMIT = 64
# Below this width a stack of narrow products is slower than one product with a larger matrix.
_NARROW_LIMIT = 256


def to_sparse(os: OperatorSum, basis: ChargeBasis | None = None, t: float = 0.0) -> sp.csr_array:
    """Return the matrix of a sum at time ``t``.

    Parameters
    ----------
    os : OperatorSum
        The operator.
    basis : ChargeBasis or None
        Charge sector; None is the full space in Kronecker order, site 0 slowest.

    Returns
    -------
    csr_array, shape (dim, dim)

    Raises
    ------
    InputError
        If the sum does not conserve a charge of the basis.
    """
    parts = sparse_parts(os, basis if basis is not None else ChargeBasis(os.sites))
    return sp.csr_array(sum(matrix * value_at(function, t) for function, matrix in parts))


def sparse_parts(os: OperatorSum, basis: ChargeBasis) -> list[tuple[Function | None, sp.csr_array]]:
    """Return one matrix per time dependence; the first belongs to None, the constant part."""
    conserved = os.conserved()
    lost = [name for name in basis.charge_names if name not in conserved]
    if lost:
        raise InputError(f"charges: {lost[0]!r} is not conserved by this Hamiltonian")
    if [site.labels for site in basis.sites] != [site.labels for site in os.sites]:
        raise InputError("basis: belongs to another chain than the operator")
    return [(function, _assembled(terms, basis)) for function, terms in os.by_drive().items()]


def _assembled(terms: Iterable[tuple[complex, LocalTerm]], basis: ChargeBasis) -> sp.csr_array:
    """Sparse matrix of a sum; the diagonal apart, because most terms only add to it."""
    diagonal = np.zeros(basis.dim, dtype=np.complex128)
    others = []
    for factor, term in terms:
        rows, columns, values = _matrix_elements(term, basis)
        same = rows == columns
        # One term reaches each diagonal element at most once, so plain indexing adds correctly.
        diagonal[columns[same]] += factor * values[same]
        if not same.all():
            others.append((rows[~same], columns[~same], factor * values[~same]))
    filled = np.flatnonzero(diagonal)
    parts = zip((filled, filled, diagonal[filled]), *others, strict=True)
    rows, columns, values = (np.concatenate(part) for part in parts)
    small = np.int32 if basis.dim < 2**31 else np.int64
    places = rows.astype(small), columns.astype(small)
    return sp.csr_array(sp.coo_array((values, places), shape=(basis.dim, basis.dim)))


def _matrix_elements(term: LocalTerm, basis: ChargeBasis) -> tuple[Ints, Ints, Complexes]:
    """Rows, columns and values of a term (without coefficient) in a sector.

    Walks the touched sites left to right with the node of the old and of the
    new state; beyond the last touched site both share their completions, so
    the rank changes by the sum of the offsets' differences along the walk.
    Elements that leave the sector (they cancel in a conserving sum) are dropped.
    """
    columns = np.arange(basis.dim)
    values = np.ones(basis.dim, dtype=np.complex128)
    if not term.matrices:
        return columns, columns, values
    first, last = min(term.matrices), max(term.matrices)
    rows, old = columns, basis.node_of_state(first)
    new = old
    for k in range(first, last + 1):
        local = basis.states[columns, k]
        matrix = term.matrices.get(k)
        changed = local
        if matrix is not None:
            pick, changed, factor = _branch(matrix, local)
            columns, rows, old, new = columns[pick], rows[pick], old[pick], new[pick]
            local, values = local[pick], values[pick] * factor
        rows = rows + basis.offsets[k][new, changed] - basis.offsets[k][old, local]
        old, new = basis.edges[k][old, local], basis.edges[k][new, changed]
        if (new < 0).any():
            keep = new >= 0
            columns, rows, values = columns[keep], rows[keep], values[keep]
            old, new = old[keep], new[keep]
    keep = old == new
    return rows[keep], columns[keep], values[keep]


def _branch(matrix: Matrix, local: NDArray[np.uint8]) -> tuple[Ints, Ints, Complexes]:
    """Apply one local matrix to many local states.

    Returns which input each result comes from, the new local state and the element.
    """
    out, into = np.nonzero(matrix)
    order = np.argsort(into, kind="stable")
    out, into = out[order], into[order]
    count = np.bincount(into, minlength=len(matrix))
    start = np.cumsum(count) - count
    repeats = count[local]
    pick = np.repeat(np.arange(len(local)), repeats)
    within = np.arange(len(pick)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    entry = start[local[pick]] + within
    return pick, out[entry], matrix[out[entry], into[entry]]


@dataclass(frozen=True, eq=False)
class _Factor:
    """One dense matrix on neighbouring sites: axis of size ``dim`` after ``left`` states."""

    left: int
    matrix: Matrix
    right: int

    def apply(self, vector: Complexes) -> Complexes:
        if self.right == 1:
            return (vector.reshape(self.left, -1) @ self.matrix.T).reshape(-1)
        stack = vector.reshape(self.left, len(self.matrix), self.right)
        return (self.matrix @ stack).reshape(-1)


class TermOperator:
    """A sum of constant terms applied to full-space vectors without its matrix.

    Terms on neighbouring sites are merged into one dense matrix per place;
    longer ones are applied site by site.

    Parameters
    ----------
    sites : sequence of Site
        The chain; ``shape`` is (dim, dim), site 0 slowest.
    terms : iterable of (number, LocalTerm)
        The numbers stand in place of the terms' own coefficients.
    """

    def __init__(self, sites: Sequence[Site], terms: Iterable[tuple[complex, LocalTerm]]) -> None:
        self._dims = [site.dim for site in sites]
        dim = int(np.prod([float(d) for d in self._dims]))
        self.shape = (dim, dim)
        merged: dict[tuple[int, int], Matrix] = {}
        self._products: list[tuple[complex, list[_Factor]]] = []
        for number, term in terms:
            place, matrix = self._merged_place(term)
            if matrix is None:
                chain = [self._factor(k, k, m) for k, m in term.matrices.items()]
                self._products.append((number, chain))
            else:
                merged[place] = merged.get(place, 0) + number * matrix
        for (first, last), matrix in merged.items():
            self._products.append((1.0, [self._factor(first, last, matrix)]))

    @property
    def size(self) -> int:
        """Number of stored matrix elements."""
        return sum(f.matrix.size for _, chain in self._products for f in chain)

    @property
    def work(self) -> int:
        """Multiplications per state of one product with a vector."""
        return sum(len(f.matrix) for _, chain in self._products for f in chain)

    def norm_bound(self) -> float:
        """Return an upper bound of the spectral norm: the sum over places."""
        return sum(
            abs(number) * float(np.prod([np.linalg.norm(f.matrix, 2) for f in chain]))
            for number, chain in self._products
        )

    def __matmul__(self, vector: Complexes) -> Complexes:
        """Return the operator times a vector, shape (dim,)."""
        total = np.zeros(self.shape[0], dtype=np.complex128)
        for number, chain in self._products:
            part = vector
            for local in chain:
                part = local.apply(part)
            total += part if number == 1.0 else number * part
        return total

    def _factor(self, first: int, last: int, matrix: Matrix) -> _Factor:
        left = int(np.prod(self._dims[:first], dtype=np.int64))
        right = int(np.prod(self._dims[last + 1 :], dtype=np.int64))
        if len(matrix) * right <= _NARROW_LIMIT:
            matrix, right = kron([matrix, np.eye(right, dtype=np.complex128)]), 1
        return _Factor(left, matrix, right)

    def _merged_place(self, term: LocalTerm) -> tuple[tuple[int, int], Matrix | None]:
        """Sites first..last and dense matrix of a short term; on-site terms join their bond."""
        first, last = min(term.matrices, default=0), max(term.matrices, default=0)
        if first == last and len(self._dims) > 1:
            first, last = (first, first + 1) if last + 1 < len(self._dims) else (first - 1, first)
        span = range(first, last + 1)
        if np.prod([float(self._dims[k]) for k in span]) > max(
            _MERGE_LIMIT, float(np.prod([self._dims[k] for k in span[:2]]))
        ):
            return (first, last), None
        return (first, last), kron(term.matrices.get(k, np.eye(self._dims[k])) for k in span)


def term_parts(os: OperatorSum) -> list[tuple[Function | None, TermOperator]]:
    """Return one matrix-free operator per time dependence, the constant part (None) first."""
    return [(function, TermOperator(os.sites, terms)) for function, terms in os.by_drive().items()]
