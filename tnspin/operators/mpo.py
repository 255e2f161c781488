"""Matrix-product operators of an operator sum, with the charges of every bond state.

The bond states between sites n and n+1 are "not begun", "done" and one per
distinct beginning (operators on sites up to n) of a term that continues; a term's
coefficient enters where it ends. The matrix C of coefficients between beginnings
and continuations has a column space U; replacing the beginnings by U removes what is
linearly dependent without dividing by anything, so the result is exact to round-off
(the idea of Chan et al., J. Chem. Phys. 145, 014102, and of IComplexes's OpSum).

      "not begun" --I--> "not begun" --A--> beginning --B--> "done" --I--> "done"
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import block_diag

from tnspin.errors import InputError
from tnspin.numerics.arrays import Complexes, Ints
from tnspin.operators.operator_sum import LocalTerm, OperatorSum
from tnspin.operators.sites import Matrix, Site

# One term as (site, key of the normalized matrix) pairs, in order of site.
_Word = tuple[tuple[int, int], ...]
_BEGIN, _DONE = 0, 1
_RANK_TOLERANCE = 1e-14


def mpo_tensors(
    os: OperatorSum, t: float = 0.0, charge_names: Sequence[str] | None = None
) -> tuple[list[Complexes], list[Ints]]:
    """Return the MPO at time ``t`` and the charges of its bond states.

    Parameters
    ----------
    os : OperatorSum
        The operator.
    t : float
        Time at which the coefficients are taken.
    charge_names : sequence of str, optional
        Charges to follow; all that the sum conserves by default.

    Returns
    -------
    tensors : list of L ndarrays (wl, wr, d, d)
        W[a, b, out, in]; the first wl and the last wr are 1.
    charges : list of L + 1 int64 ndarrays (w, number of charges)
        Charge of each state of the bond left of site k (last: right of the chain).
        W[a, b, out, in] is nonzero only if charge[b] = charge[a] + q[out] - q[in].

    Raises
    ------
    InputError
        If a charge is asked for that the sum does not conserve.
    """
    conserved = os.conserved()
    names = tuple(conserved if charge_names is None else charge_names)
    for name in names:
        if name not in conserved:
            raise InputError(f"charges: {name!r} is not conserved by this operator")
    return _Builder(os, t, names).build()


def to_mpo(os: OperatorSum, t: float = 0.0) -> Any:
    """Return the sum at time ``t`` as a ``quimb.tensor.MatrixProductOperator``."""
    # quimb takes seconds to import and most runs never need it.
    from quimb.tensor import MatrixProductOperator

    tensors, _ = mpo_tensors(os, t, charge_names=())
    # The ends have no outer bond: quimb leaves out axes of neighbours that are not there.
    arrays = [w if k else w[0] for k, w in enumerate(tensors)]
    arrays[-1] = arrays[-1][..., 0, :, :]
    return MatrixProductOperator(arrays, shape="lrud")


class _Frame(NamedTuple):
    """Beginnings of terms at one bond, and orthonormal columns (heads, w) with charges (w, n)."""

    heads: dict[_Word, int]
    columns: Complexes
    charges: Ints


class _Builder:
    """Collects the words of a sum and turns them into tensors."""

    def __init__(self, os: OperatorSum, t: float, names: tuple[str, ...]) -> None:
        self.sites = os.sites
        self.names = names
        self.matrices: list[dict[bytes, int]] = [{} for _ in os.sites]
        self.letters: list[list[tuple[Matrix, tuple[int, ...]]]] = [[] for _ in os.sites]
        self.words: dict[_Word, complex] = {}
        for term in os.local_terms():
            self._add_words(term, term.value(t))
        self.words = {word: value for word, value in self.words.items() if value != 0}

    def build(self) -> tuple[list[Complexes], list[Ints]]:
        """Return the tensors and bond charges."""
        frames = [self._frame(bond) for bond in range(len(self.sites) + 1)]
        tensors = [self._tensor(k, left, right) for k, (left, right) in enumerate(pairwise(frames))]
        tensors[0] = tensors[0][_BEGIN : _BEGIN + 1]
        tensors[-1] = tensors[-1][:, _DONE : _DONE + 1]
        zero = np.zeros((1, len(self.names)), dtype=np.int64)
        inner = [np.concatenate([zero, zero, frame.charges]) for frame in frames[1:-1]]
        return tensors, [zero, *inner, zero]

    def _add_words(self, term: LocalTerm, value: complex) -> None:
        """Split a term into words of definite charge; those with a net charge cancel in the sum."""
        matrices = term.matrices or {0: np.eye(self.sites[0].dim, dtype=np.complex128)}
        words: list[tuple[_Word, complex, tuple[int, ...]]] = [((), value, (0,) * len(self.names))]
        for k, matrix in matrices.items():
            pieces = _by_charge(matrix, self.sites[k], self.names)
            letters = [(*self._letter(k, part, q), q) for q, part in pieces.items()]
            words = [
                ((*word, (k, key)), number * scale, tuple(map(sum, zip(total, q, strict=True))))
                for word, number, total in words
                for key, scale, q in letters
            ]
        for word, number, total in words:
            if not any(total):
                self.words[word] = self.words.get(word, 0.0) + number

    def _letter(self, k: int, matrix: Matrix, charge: tuple[int, ...]) -> tuple[int, complex]:
        """Key of a matrix up to its scale, and the scale; equal shapes share one key."""
        # A large element: a small one would blow up the rest, and the ranks of frames with it.
        sizes = np.abs(matrix)
        scale = complex(matrix.flat[np.argmax(sizes > 0.5 * sizes.max())])
        normal = np.ascontiguousarray(matrix / scale) + 0.0
        known = self.matrices[k]
        key = known.setdefault(normal.tobytes(), len(known))
        if key == len(self.letters[k]):
            self.letters[k].append((normal, charge))
        return key, scale

    def _frame(self, bond: int) -> _Frame:
        """Beginnings of the terms that cross the bond left of site ``bond``, and their span."""
        heads: dict[_Word, int] = {}
        tails: dict[_Word, int] = {}
        entries = []
        for word, value in self.words.items():
            if word[0][0] < bond <= word[-1][0]:
                cut = sum(1 for letter in word if letter[0] < bond)
                row = heads.setdefault(word[:cut], len(heads))
                entries.append((row, tails.setdefault(word[cut:], len(tails)), value))
        coefficients = np.zeros((len(heads), len(tails)), dtype=np.complex128)
        for row, column, value in entries:
            coefficients[row, column] += value
        labels = np.array([self._charge(word) for word in heads], dtype=np.int64)
        labels = labels.reshape(len(heads), len(self.names))
        columns, charges = [np.zeros((len(heads), 0), dtype=np.complex128)], [labels[:0]]
        for q in np.unique(labels, axis=0):
            rows = np.flatnonzero((labels == q).all(axis=1))
            block = _column_space(coefficients[rows])
            columns.append(np.zeros((len(heads), block.shape[1]), dtype=np.complex128))
            columns[-1][rows] = block
            charges.append(np.tile(q, (block.shape[1], 1)))
        return _Frame(heads, np.concatenate(columns, axis=1), np.concatenate(charges))

    def _charge(self, word: _Word) -> tuple[int, ...]:
        charges = (self.letters[k][key][1] for k, key in word)
        return tuple(map(sum, zip(*charges, strict=True)))

    def _tensor(self, k: int, left: _Frame, right: _Frame) -> Complexes:
        """W of site k between the compressed beginnings on its left and on its right."""
        dim = self.sites[k].dim
        raw = np.zeros((2 + len(left.heads), 2 + len(right.heads), dim, dim), dtype=np.complex128)
        identity = np.eye(dim)
        raw[_BEGIN, _BEGIN] = raw[_DONE, _DONE] = identity
        for word, value in self.words.items():
            if not word[0][0] <= k <= word[-1][0]:
                continue
            head = tuple(letter for letter in word if letter[0] < k)
            here = [key for where, key in word if where == k]
            matrix = self.letters[k][here[0]][0] if here else identity
            row = 2 + left.heads[head] if head else _BEGIN
            if word[-1][0] == k:
                raw[row, _DONE] += value * matrix
            else:
                # Several terms share this step; it is one matrix, not their sum.
                longer = (*head, (k, here[0])) if here else head
                raw[row, 2 + right.heads[longer]] = matrix
        before, after = _extended(left.columns), _extended(right.columns)
        return np.einsum("xa,xyij,yb->abij", before.conj(), raw, after, optimize=True)


def _extended(frame: Complexes) -> Complexes:
    """Add the two bond states "not begun" and "done" in front of a frame."""
    return block_diag(np.eye(2), frame).astype(np.complex128)


def _column_space(matrix: Complexes) -> Complexes:
    """Orthonormal basis of the columns; the identity (which keeps W sparse) at full rank."""
    u, s, _ = np.linalg.svd(matrix, full_matrices=False)
    rank = int(np.sum(s > _RANK_TOLERANCE * max(matrix.shape) * s[0]))
    return np.eye(len(matrix), dtype=np.complex128) if rank == len(matrix) else u[:, :rank]


def _by_charge(matrix: Matrix, site: Site, names: tuple[str, ...]) -> dict[tuple[int, ...], Matrix]:
    """Split a matrix into parts that each change the charges by one amount q[out] - q[in]."""
    rows, columns = np.nonzero(matrix)
    steps = [site.charge(name)[rows] - site.charge(name)[columns] for name in names]
    parts: dict[tuple[int, ...], Matrix] = {}
    for position, (row, column) in enumerate(zip(rows, columns, strict=True)):
        change = tuple(int(step[position]) for step in steps)
        part = parts.setdefault(change, np.zeros_like(matrix))
        part[row, column] = matrix[row, column]
    return parts
