"""Sums of many local operators as one matrix product operator, compressed without loss of scale.

The bond states are "not begun", "done", and the beginnings of terms that continue, as in
`tnspin.operators.mpo`::

      "not begun" --I--> "not begun" --A--> beginning --B--> "done" --I--> "done"

A plain singular value decomposition of a long sum compares its parts with the identity, whose
norm has no scale.  Here beginnings and endings are made orthonormal and orthogonal to the
identity first, whatever they hold of it going to shorter terms; the singular values of a bond are
then those of the terms across it alone (D. E. Parker, X. Cao and M. P. Zaletel, Phys. Rev. B 102,
035147 (2020)).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tnspin.numerics.arrays import Ints
from tnspin.operators.charge_split import changes, isometry, schmidt
from tnspin.operators.sites import Matrix
from tnspin.operators.spin_mpo import SpinOperator

_BEGIN, _DONE, _FIRST = 0, 1, 2


@dataclass(frozen=True, eq=False)
class Automaton:
    """A sum of operators on a chain: a matrix product operator that "begins" and is "done".

    Attributes
    ----------
    tensors
        (w, w', d, d) of every site, [left, right, out, in], w and w' counting "not begun" and
        "done" first; w = 1 ("not begun") at the first site, w' = 1 ("done") at the last.
    charges
        Charge added to the left by each state of the length + 1 bonds, (w,).
    local_charges
        Charge of every local state of every site; zeros where none is definite.
    error
        Norm of all parts left out by compressing, the root of the squares over all bonds.
    """

    tensors: tuple[Matrix, ...]
    charges: tuple[Ints, ...]
    local_charges: tuple[Ints, ...]
    error: float = 0.0

    @classmethod
    def of(cls, operator: SpinOperator, local_charges: Sequence[Ints]) -> Automaton:
        """One operator, whose tensors act on whole sites, on a chain.

        Parameters
        ----------
        operator
            It changes no charge altogether.
        local_charges
            Charges of the local states of every site of the chain.
        """
        first, last = operator.sites[0], operator.sites[-1]
        place = {k: n for n, k in enumerate(operator.sites)}
        tensors, charges, inner = [], [], operator.charges[0]
        for k, q in enumerate(local_charges):
            one = np.eye(q.size, dtype=np.complex128)
            w = np.multiply.outer(np.eye(inner.size), one)
            if k in place:
                w = operator.tensors[place[k]]
                inner = operator.charges[place[k] + 1]
            # Beginnings of the operator are the bond states from _FIRST on.
            rows = w.shape[0] if first < k <= last else 0
            columns = w.shape[1] if first <= k < last else 0
            whole = np.zeros((_FIRST + rows, _FIRST + columns, *one.shape), dtype=np.complex128)
            whole[_BEGIN, _BEGIN] = whole[_DONE, _DONE] = one
            if first <= k <= last:
                row, column = _FIRST if rows else _BEGIN, _FIRST if columns else _DONE
                whole[row : row + w.shape[0], column : column + w.shape[1]] += w
            tensors.append(whole)
            charges.append(np.concatenate([np.zeros(2, dtype=np.int64), inner[:columns]]))
        tensors[0] = tensors[0][:1]
        tensors[-1] = tensors[-1][:, _DONE : _DONE + 1]
        outer = np.zeros(1, dtype=np.int64)
        return cls(tuple(tensors), (outer, *charges[:-1], outer), tuple(local_charges))

    @property
    def bond_dims(self) -> tuple[int, ...]:
        """States of every inner bond, "not begun" and "done" among them."""
        return tuple(w.shape[1] for w in self.tensors[:-1])

    def __add__(self, other: Automaton) -> Automaton:
        """Sum of two on the same chain; uncompressed."""
        tensors = map(_sum, self.tensors, other.tensors)
        charges = tuple(
            np.concatenate([p, q[_FIRST:]])
            for p, q in zip(self.charges, other.charges, strict=True)
        )
        error = float(np.hypot(self.error, other.error))
        return Automaton(tuple(tensors), charges, self.local_charges, error)

    def compressed(self, tolerance: float) -> Automaton:
        """Compress the sum to fewer bond states.

        Parameters
        ----------
        tolerance
            Largest norm (root of the normalized trace of the square) left out at each bond, as a
            share of that of all terms across it.
        """
        tensors, charges = list(self.tensors), list(self.charges)
        moves = [changes(q) for q in self.local_charges]
        for k in range(len(tensors) - 1):
            if tensors[k].shape[1] > _FIRST:
                self._to_the_right(k, tensors, charges, moves[k])
        lost = 0.0
        for k in reversed(range(1, len(tensors))):
            if tensors[k].shape[0] > _FIRST:
                lost += self._to_the_left(k, tensors, charges, moves[k], tolerance)
        error = float(np.sqrt(self.error**2 + lost))
        return Automaton(tuple(tensors), tuple(charges), self.local_charges, error)

    @staticmethod
    def _to_the_right(k: int, tensors: list[Matrix], charges: list[Ints], moves: Ints) -> None:
        """Make the beginnings left of bond k + 1 orthonormal, and orthogonal to the identity."""
        w = tensors[k]
        d = w.shape[2]
        inner = [_BEGIN, *range(_FIRST, w.shape[0])]
        flat = w[inner, _FIRST:].transpose(0, 2, 3, 1).reshape(len(inner) * d * d, -1) / np.sqrt(d)
        one = np.eye(d).ravel() / np.sqrt(d)
        share = one @ flat[: d * d]
        flat[: d * d] -= np.outer(one, share)
        rows = np.add.outer(charges[k][inner], moves).ravel()
        q, r, new = isometry(flat, rows, charges[k + 1][_FIRST:])
        tensor = np.zeros((w.shape[0], _FIRST + new.size, d, d), dtype=np.complex128)
        tensor[:, :_FIRST] = w[:, :_FIRST]
        tensor[inner, _FIRST:] = np.sqrt(d) * q.reshape(len(inner), d, d, -1).transpose(0, 3, 1, 2)
        tensors[k] = tensor
        beyond = tensors[k + 1]
        tensors[k + 1] = np.concatenate([beyond[:_FIRST], np.tensordot(r, beyond[_FIRST:], axes=1)])
        tensors[k + 1][_BEGIN] += np.tensordot(share, beyond[_FIRST:], axes=1)
        charges[k + 1] = np.concatenate([charges[k + 1][:_FIRST], new])

    @staticmethod
    def _to_the_left(
        k: int, tensors: list[Matrix], charges: list[Ints], moves: Ints, tolerance: float
    ) -> float:
        """Decompose what ends right of bond k, keep the largest; returns the squared norm lost."""
        w = tensors[k]
        d = w.shape[2]
        done = min(_DONE, w.shape[1] - 1)
        inner = [done, *range(_FIRST, w.shape[1])]
        flat = w[_FIRST:][:, inner].reshape(w.shape[0] - _FIRST, -1) / np.sqrt(d)
        one = np.eye(d).ravel() / np.sqrt(d)
        share = flat[:, : d * d] @ one
        flat[:, : d * d] -= np.outer(share, one)
        columns = np.subtract.outer(charges[k + 1][inner], moves).ravel()
        cut = schmidt(flat, charges[k][_FIRST:], columns, tolerance)
        tensor = np.zeros((_FIRST + cut.values.size, *w.shape[1:]), dtype=np.complex128)
        tensor[:_FIRST] = w[:_FIRST]
        tensor[_FIRST:, inner] = np.sqrt(d) * cut.right.reshape(-1, len(inner), d, d)
        tensors[k] = tensor
        before = tensors[k - 1]
        carried = np.tensordot(cut.left * cut.values, before[:, _FIRST:], axes=(0, 1))
        tensors[k - 1] = np.concatenate([before[:, :_FIRST], carried.transpose(1, 0, 2, 3)], axis=1)
        tensors[k - 1][:, _DONE] += np.tensordot(share, before[:, _FIRST:], axes=(0, 1))
        charges[k] = np.concatenate([charges[k][:_FIRST], cut.charges])
        return cut.discarded

    def added_to(
        self, tensors: Sequence[Matrix], charges: Sequence[Ints], column: int | None
    ) -> tuple[list[Matrix], list[Ints]]:
        """Add to an operator from `tnspin.operators.mpo.mpo_tensors`, in its format.

        Parameters
        ----------
        tensors, charges
            The operator.
        column
            Which of its charges is the one counted here; None: none.
        """
        bonds = []
        for q, own in zip(charges, self.charges, strict=True):
            table = np.zeros((own[_FIRST:].size, q.shape[1]), dtype=np.int64)
            if column is not None:
                table[:, column] = own[_FIRST:]
            bonds.append(np.concatenate([q, table]))
        return list(map(_sum, tensors, self.tensors)), bonds


def _sum(a: Matrix, b: Matrix) -> Matrix:
    """Tensor of the sum of two operators; they share "not begun" and "done"."""
    rows, columns = (n + max(m - _FIRST, 0) for n, m in zip(a.shape[:2], b.shape, strict=False))
    done = min(_DONE, a.shape[1] - 1)
    w = np.zeros((rows, columns, *a.shape[2:]), dtype=np.complex128)
    w[: a.shape[0], : a.shape[1]] = a
    w[_BEGIN, a.shape[1] :] = b[_BEGIN, _FIRST:]
    w[a.shape[0] :, done] = b[_FIRST:, done]
    w[a.shape[0] :, a.shape[1] :] = b[_FIRST:, _FIRST:]
    w[_BEGIN, done] += b[_BEGIN, done]
    return w
