"""Decompositions of matrices whose rows and columns carry charges, sector by sector.

Only rows and columns of equal charge have elements between them; new bond states get the charge
of the sector that they come from.  For operators, whose bonds are few hundred states wide.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tnspin.errors import InputError
from tnspin.operators.sites import Matrix

__all__ = ["Cut", "changes", "isometry", "schmidt", "split_off"]

Ints = NDArray[np.int64]
Reals = NDArray[np.float64]
# Singular values of an operator below this share of the largest are round-off.
_RANK = 1e-14


class Cut(NamedTuple):
    """``matrix = left @ diag(values) @ right`` but for what was left out; values descending."""

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
    """Orthonormal columns times the rest, ``matrix = q @ r``, and the charges in between."""
    parts = []
    for label, inside, beside in _sectors(rows, columns):
        q, r = np.linalg.qr(matrix[np.ix_(inside, beside)])
        parts.append((label, inside, beside, q, r))
    count = sum(q.shape[1] for *_, q, _ in parts)
    left = np.zeros((len(rows), count), dtype=np.complex128)
    right = np.zeros((count, len(columns)), dtype=np.complex128)
    charges = np.zeros(count, dtype=np.int64)
    at = 0
    for label, inside, beside, q, r in parts:
        new = np.arange(at, at + q.shape[1])
        left[np.ix_(inside, new)], right[np.ix_(new, beside)] = q, r
        charges[new] = label
        at += new.size
    return left, right, charges


def schmidt(matrix: Matrix, rows: Ints, columns: Ints, tolerance: float) -> Cut:
    """Singular value decomposition without the smallest values.

    Parameters
    ----------
    matrix
        (rows, columns).
    rows, columns
        Their charges.
    tolerance
        Norm of what may be left out, as a share of that of the matrix.

    Returns
    -------
    Cut
        ``discarded`` is the sum of the squares left out.  At least one value is kept.
    """
    parts = []
    for label, inside, beside in _sectors(rows, columns):
        u, s, v = np.linalg.svd(matrix[np.ix_(inside, beside)], full_matrices=False)
        parts += [(s[k], label, inside, u[:, k], beside, v[k]) for k in range(s.size)]
    parts.sort(key=lambda part: -part[0])
    values = np.array([part[0] for part in parts])
    tail = np.cumsum(values[::-1] ** 2)[::-1]
    kept = max(1, int(np.count_nonzero(tail > (tolerance**2) * tail[:1].sum())))
    left = np.zeros((len(rows), kept), dtype=np.complex128)
    right = np.zeros((kept, len(columns)), dtype=np.complex128)
    for k, (_, _, inside, u, beside, v) in enumerate(parts[:kept]):
        left[inside, k], right[k, beside] = u, v
    charges = np.array([part[1] for part in parts[:kept]], dtype=np.int64)
    discarded = float(tail[kept]) if kept < tail.size else 0.0
    return Cut(left, values[:kept], right, charges, discarded)


def split_off(rest: Matrix, charge: Ints, step: Ints, last: bool) -> tuple[Matrix, Matrix, Ints]:
    """Split the first site off: (w, w', d, d) tensor, (w', remaining) rest, charges of w'."""
    d = step.size
    rows = rest.reshape(charge.size * d * d, -1)
    labels = np.add.outer(charge, changes(step)).ravel()
    largest = np.abs(rest).max(initial=0.0)
    if last:
        found = np.unique(labels[np.abs(rows).max(axis=1, initial=0.0) > _RANK * largest])
        if found.size > 1:
            raise InputError(f"matrix: it changes 2Sz by {found.tolist()}, not a definite amount")
        total = found if found.size else labels[:1]
        # What is left elsewhere is round-off of the decompositions.
        kept_rows = np.where((labels == total)[:, None], rows, 0.0)
        tensor = kept_rows.reshape(charge.size, d, d, 1).transpose(0, 3, 1, 2)
        return tensor, np.ones((1, 1), dtype=np.complex128), total
    parts, carried = [], []
    kept: list[int] = []
    for label in np.unique(labels):
        inside = np.flatnonzero(labels == label)
        u, s, vh = np.linalg.svd(rows[inside], full_matrices=False)
        rank = int(np.sum(s > _RANK * max(largest, 1e-300)))
        columns = np.zeros((len(rows), rank), dtype=np.complex128)
        columns[inside] = u[:, :rank]
        parts.append(columns)
        carried.append(s[:rank, None] * vh[:rank])
        kept += [label] * rank
    tensor = np.concatenate(parts, axis=1).reshape(charge.size, d, d, -1).transpose(0, 3, 1, 2)
    return tensor, np.concatenate(carried), np.array(kept, dtype=np.int64)


def _sectors(rows: Ints, columns: Ints) -> list[tuple[int, Ints, Ints]]:
    """Charge, rows and columns of every sector that has both."""
    common = np.intersect1d(rows, columns)
    return [(int(q), np.flatnonzero(rows == q), np.flatnonzero(columns == q)) for q in common]
