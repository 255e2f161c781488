"""Decompositions of matrices whose rows and columns carry charges, sector by sector.

Only rows and columns of equal charge have elements between them; new bond states get the charge
of the sector that they come from.  For operators, whose bonds are few hundred states wide.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tnspin.errors import InputError
from tnspin.numerics.arrays import Ints, Reals
from tnspin.operators.sites import Matrix

#: Singular values of an operator below this share of the largest are round-off.
RANK = 1e-14


class Cut(NamedTuple):
    """Truncated singular value decomposition ``left @ diag(values) @ right``; values descend."""

    left: Matrix
    values: Reals
    right: Matrix
    charges: Ints
    discarded: float


def changes(charges: Sequence[Ints] | Ints) -> Ints:
    """Change of the charge ``q[out] - q[in]`` by the elements of a local matrix, row by row."""
    q = np.asarray(charges, dtype=np.int64)
    return np.subtract.outer(q, q).ravel()


def isometry(matrix: Matrix, rows: Ints, columns: Ints) -> tuple[Matrix, Matrix, Ints]:
    """QR decomposition by charge: orthonormal columns q, the rest r, charges in between."""
    lefts, rights, labels = [], [], []
    for label, inside, across in _sectors(rows, columns):
        q, r = np.linalg.qr(matrix[np.ix_(inside, across)])
        lefts.append(_placed(q, inside, len(rows)))
        rights.append(_placed(r.T, across, len(columns)))
        labels += [label] * q.shape[1]
    left, right = (
        np.concatenate([np.zeros((size, 0)), *parts], axis=1, dtype=np.complex128)
        for size, parts in ((len(rows), lefts), (len(columns), rights))
    )
    return left, np.ascontiguousarray(right.T), np.array(labels, dtype=np.int64)


def schmidt(matrix: Matrix, rows: Ints, columns: Ints, tolerance: float) -> Cut:
    """Singular value decomposition by charge, without the smallest values.

    Parameters
    ----------
    matrix
        (rows, columns).
    rows, columns
        Their charges.
    tolerance
        Largest norm of the part left out, as a share of the norm of the matrix.

    Returns
    -------
    Cut
        ``discarded`` is the sum of the squares left out.  At least one value is kept.
    """
    parts = []
    for label, inside, across in _sectors(rows, columns):
        u, s, v = np.linalg.svd(matrix[np.ix_(inside, across)], full_matrices=False)
        parts += [(s[k], label, inside, u[:, k], across, v[k]) for k in range(s.size)]
    parts.sort(key=lambda part: -part[0])
    values = np.array([part[0] for part in parts])
    tail = np.cumsum(values[::-1] ** 2)[::-1]
    kept = max(1, int(np.count_nonzero(tail > (tolerance**2) * tail[:1].sum())))
    left = np.zeros((len(rows), kept), dtype=np.complex128)
    right = np.zeros((kept, len(columns)), dtype=np.complex128)
    for k, (_, _, inside, u, across, v) in enumerate(parts[:kept]):
        left[inside, k], right[k, across] = u, v
    charges = np.array([part[1] for part in parts[:kept]], dtype=np.int64)
    discarded = float(tail[kept]) if kept < tail.size else 0.0
    return Cut(left, values[:kept], right, charges, discarded)


def split_off(rest: Matrix, charge: Ints, step: Ints, last: bool) -> tuple[Matrix, Matrix, Ints]:
    """Split the first site off: (w, w', d, d) tensor, (w', remaining) rest, charges of w'."""
    d = step.size
    rows = rest.reshape(charge.size * d * d, -1)
    labels = np.add.outer(charge, changes(step)).ravel()
    if last:
        sizes = np.abs(rows).max(axis=1, initial=0.0)
        found = np.unique(labels[sizes > RANK * sizes.max(initial=0.0)])
        if found.size > 1:
            raise InputError(f"matrix: it changes 2Sz by {found.tolist()}, not a definite amount")
        kept = found if found.size else labels[:1]
        # What is left elsewhere is round-off of the decompositions.
        columns = np.where((labels == kept)[:, None], rows, 0.0)
        remainder = np.ones((1, 1), dtype=np.complex128)
    else:
        parts, carried = zip(*column_spaces(rows, labels), strict=True)
        columns, remainder = np.concatenate(parts, axis=1), np.concatenate(carried)
        kept = np.repeat(np.unique(labels), [part.shape[1] for part in parts])
    tensor = columns.reshape(charge.size, d, d, -1).transpose(0, 3, 1, 2)
    return tensor, remainder, kept


def column_spaces(matrix: Matrix, labels: Ints) -> list[tuple[Matrix, Matrix]]:
    """Orthonormal columns and the rest, ``columns @ rest`` being the rows with one label.

    Parameters
    ----------
    matrix
        (n, m).
    labels
        (n,); the result has one entry for each label, in ascending order.
    """
    largest = np.abs(matrix).max(initial=0.0)
    found = []
    for label in np.unique(labels):
        inside = np.flatnonzero(labels == label)
        u, s, vh = np.linalg.svd(matrix[inside], full_matrices=False)
        rank = int(np.sum(s > RANK * largest))
        found.append((_placed(u[:, :rank], inside, len(matrix)), s[:rank, None] * vh[:rank]))
    return found


def _placed(block: Matrix, rows: Ints, size: int) -> Matrix:
    """The rows of a block among ``size`` rows that are otherwise zero."""
    full = np.zeros((size, block.shape[1]), dtype=np.complex128)
    full[rows] = block
    return full


def _sectors(rows: Ints, columns: Ints) -> list[tuple[int, Ints, Ints]]:
    """Charge, rows and columns of every sector that has both."""
    common = np.intersect1d(rows, columns)
    return [(int(q), np.flatnonzero(rows == q), np.flatnonzero(columns == q)) for q in common]
