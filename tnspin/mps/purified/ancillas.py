r"""Ancillas of neighbouring sites compressed together.

A locally purified state is the same density matrix after any isometry on its ancillas, also one
that acts on those of several sites at once.  Alone, an ancilla keeps as many states as its own
density matrix has; together, those of m sites need no more than the rank of

.. math:: \sigma_{kk'} = \sum \theta_k \theta^*_{k'}, \qquad k = (k_1 \ldots k_m)

which the physical states of these sites and the bonds around them bound.  The isometry takes the
leading eigenvectors of sigma to a product of smaller ancillas, and is the one that changes the
leading states of each ancilla least (a polar factor), so that neither bonds nor ancillas further
away notice::

     k1   k2   k3           k1'  k2'  k3'
     |    |    |            |____|____|
    -B----B----B-    ->     |____X____|
     |    |    |            |    |    |
                           -B----B----B-
                            |    |    |

Whole stretches are stored as dense arrays here; charges only say which elements are nonzero.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tnspin.mps.blocks import Blocks, Bond, Tensor, tensor
from tnspin.mps.purified.kraus import least_kept, left_spectrum
from tnspin.numerics.arrays import Ints, Reals
from tnspin.operators.sites import Matrix, kron

#: Most elements of a stretch of sites as one array.
LARGEST = 2**24


class Stretch(NamedTuple):
    """Neighbouring sites of a canonical state.

    ``first``: where they begin; ``tensors``: (left, K, d, right) for each site, right-orthonormal;
    ``schmidt``: values of the bond on their left; ``bonds``: key of every state of each bond, m + 1
    arrays; ``kraus``, ``site_keys``: of every Kraus and every physical state of each site.
    """

    first: int
    tensors: list[Matrix]
    schmidt: Reals
    bonds: list[Ints]
    kraus: list[Ints]
    site_keys: list[Ints]


class Truncation(NamedTuple):
    """Limits of a truncation: largest share of the weight to drop, and largest dimension."""

    cutoff: float
    most: int


def compress_ancillas(part: Stretch, cut: Truncation) -> tuple[Matrix, list[Ints], float] | None:
    """Find smaller ancillas for a stretch.

    Parameters
    ----------
    part
        At least one site.
    cut
        Weight to drop in all, a bound on the trace distance from what was; largest ancilla.

    Returns
    -------
    tuple or None
        The stretch as one array (left, K1', d1, K2', d2, ..., right), keys of the new Kraus states
        of every site, and the weight dropped; None if the ancillas are as small as that already.
    """
    old = [len(keys) for keys in part.kraus]
    theta = _joined(part)
    flat = theta.reshape(len(part.schmidt), prod(old), -1)
    weighted = (part.schmidt[:, None, None] * flat).transpose(1, 0, 2).reshape(prod(old), -1)
    sigma = weighted @ weighted.conj().T
    modes = _Modes.of(sigma, _sums(part.kraus))
    frames = [_local(sigma, old, i, keys) for i, keys in enumerate(part.kraus)]
    dims, lost = _dimensions(modes, frames, cut)
    if dims == old:
        return None
    new = [keys[:n] for (_, _, keys), n in zip(frames, dims, strict=True)]
    chosen = [vectors[:, :n].conj().T for (_, vectors, _), n in zip(frames, dims, strict=True)]
    isometry = _isometry(modes, kron(chosen), _sums(new))
    moved = np.matmul(isometry, flat)
    count = len(old)
    physical = [len(keys) for keys in part.site_keys]
    whole = moved.reshape(len(flat), *dims, *physical, -1)
    order = [0, *(a for k in range(count) for a in (1 + k, 1 + count + k)), 2 * count + 1]
    return whole.transpose(order), new, lost


def split_sites(
    whole: Matrix, part: Stretch, kraus: Sequence[Ints], cut: Truncation
) -> tuple[list[Tensor], list[Bond], list[float]]:
    """Site tensors of a stretch given as one array, by decompositions from its right end.

    Parameters
    ----------
    whole
        (left, K1, d1, K2, d2, ..., right).
    part
        Bonds around it and Schmidt values on its left.
    kraus
        Keys of the Kraus states.
    cut
        Truncation of each bond.

    Returns
    -------
    list of Tensor, list of Bond, list of float
        Of every site, of the bonds between them, and the share discarded at each of those.
    """
    count = len(kraus)
    tensors: list[Tensor] = []
    bonds: list[Bond] = []
    discarded: list[float] = []
    local = [_sums([k, p]) for k, p in zip(kraus, part.site_keys, strict=True)]
    right = part.bonds[-1]
    rest = whole
    for i in reversed(range(1, count)):
        rows = _sums([part.bonds[0], *local[:i]])
        columns = np.subtract.outer(right, local[i]).T.ravel()
        matrix = rest.reshape(len(rows), len(columns))
        weights = np.repeat(part.schmidt, len(rows) // len(part.schmidt))
        frame, bond, lost = _right_frame(matrix, weights, rows, columns, cut)
        keys = bond.states()
        tensors.insert(0, _tensor(frame, keys, local[i], right))
        bonds.insert(0, bond)
        discarded.insert(0, lost)
        rest, right = matrix @ frame.conj().T, keys
    return [_tensor(rest, part.bonds[0], local[0], right), *tensors], bonds, discarded


# ---------------------------------------------------------------------- spectra


class _Modes(NamedTuple):
    """Eigenvectors of the joint density matrix of ancillas, total charge by total charge.

    ``rows``: states of each charge; ``values`` (descending) and ``vectors`` (columns) among them.
    """

    keys: Ints
    rows: list[NDArray[np.intp]]
    values: list[Reals]
    vectors: list[Matrix]

    @classmethod
    def of(cls, sigma: Matrix, keys: Ints) -> _Modes:
        different = np.unique(keys)
        rows = [np.flatnonzero(keys == key) for key in different]
        values, vectors = [], []
        for inside in rows:
            squares, modes = np.linalg.eigh(sigma[np.ix_(inside, inside)])
            values.append(np.clip(squares[::-1], 0.0, None))
            vectors.append(modes[:, ::-1])
        return cls(different, rows, values, vectors)


def _local(sigma: Matrix, dims: Sequence[int], i: int, keys: Ints) -> tuple[Reals, Matrix, Ints]:
    """Eigenvalues, eigenvectors (columns) and charges of one ancilla, heaviest first."""
    before, after = prod(dims[:i]), prod(dims[i + 1 :])
    shape = (before, dims[i], after)
    own = np.einsum("xayxby->ab", sigma.reshape(*shape, *shape))
    modes = _Modes.of(own, keys)
    values = np.concatenate(modes.values)
    vectors = np.zeros((dims[i], dims[i]), dtype=np.complex128)
    labels = np.empty(dims[i], dtype=np.int64)
    at = 0
    for key, inside, found in zip(modes.keys, modes.rows, modes.vectors, strict=True):
        vectors[inside, at : at + len(inside)] = found
        labels[at : at + len(inside)] = key
        at += len(inside)
    order = np.argsort(-values, kind="stable")
    return values[order], vectors[:, order], labels[order]


def _dimensions(
    modes: _Modes, frames: Sequence[tuple[Reals, Matrix, Ints]], cut: Truncation
) -> tuple[list[int], float]:
    """Fewest states of every ancilla that hold the joint modes, and the weight that they miss."""
    total = float(sum(values.sum() for values in modes.values))
    dims = [1] * len(frames)
    while True:
        keys = _sums([labels[:n] for (_, _, labels), n in zip(frames, dims, strict=True)])
        missed = [
            values[int(np.sum(keys == key)) :].sum()
            for key, values in zip(modes.keys, modes.values, strict=True)
        ]
        lost = float(sum(missed)) / total
        # The ancilla whose next state weighs most grows.
        room = [n < min(cut.most, len(frame[0])) for n, frame in zip(dims, frames, strict=True)]
        if lost <= cut.cutoff or not any(room):
            return dims, lost
        weights = [
            frame[0][n] if free else -1.0 for n, frame, free in zip(dims, frames, room, strict=True)
        ]
        dims[int(np.argmax(weights))] += 1


def _isometry(modes: _Modes, projector: Matrix, keys: Ints) -> Matrix:
    """From the old joint states to the new ones, (new, old), as close to ``projector`` as can be.

    Leading modes of each charge keep their norm; the others go.
    """
    found = np.zeros(projector.shape, dtype=np.complex128)
    parts = zip(modes.keys, modes.rows, modes.values, modes.vectors, strict=True)
    for key, rows, values, vectors in parts:
        inside = np.flatnonzero(keys == key)
        count = min(len(inside), len(rows))
        if not count:
            continue
        kept = vectors[:, :count]
        overlap = projector[np.ix_(inside, rows)] @ (kept * np.sqrt(values[:count]))
        u, _, vh = np.linalg.svd(overlap, full_matrices=False)
        found[np.ix_(inside, rows)] = u @ vh @ kept.conj().T
    return found


# ---------------------------------------------------------------------- arrays


def _joined(part: Stretch) -> Matrix:
    """The stretch as one array (left, K1, K2, ..., d1, d2, ..., right)."""
    left = len(part.schmidt)
    whole: Matrix = np.eye(left, dtype=np.complex128)[:, None, None, :]
    for one in part.tensors:
        k, d, right = one.shape[1:]
        states, width = whole.shape[1:3]
        whole = np.tensordot(whole, one, axes=1).transpose(0, 1, 3, 2, 4, 5)
        whole = whole.reshape(left, states * k, width * d, right)
    return whole


def _sums(keys: Sequence[Ints]) -> Ints:
    """Key of every product state, first factor slowest."""
    return reduce(lambda a, b: np.add.outer(a, b).ravel(), keys)


def _right_frame(
    matrix: Matrix, weights: Reals, rows: Ints, columns: Ints, cut: Truncation
) -> tuple[Matrix, Bond, float]:
    """Leading right singular vectors (rows) of ``diag(weights) matrix``, key by key."""
    common = np.intersect1d(rows, columns)
    sectors = [(np.flatnonzero(rows == key), np.flatnonzero(columns == key)) for key in common]
    squares, modes = [], []
    for left, right in sectors:
        block = weights[left, None] * matrix[np.ix_(left, right)]
        values, vectors = left_spectrum(block.conj().T)
        squares.append(values)
        modes.append(vectors.conj().T)
    least, lost = least_kept(np.concatenate(squares), *cut)
    kept = [int(np.sum(values >= least)) for values in squares]
    frame = np.zeros((sum(kept), len(columns)), dtype=np.complex128)
    at = 0
    for (_, right), vh, n in zip(sectors, modes, kept, strict=True):
        frame[at : at + n, right] = vh[:n]
        at += n
    schmidt = np.sqrt(np.concatenate([v[:n] for v, n in zip(squares, kept, strict=True)]))
    dims = np.array(kept, dtype=np.int64)
    bond = Bond(common[dims > 0], dims[dims > 0], schmidt / np.linalg.norm(schmidt))
    return frame, bond, lost


def _tensor(array: Matrix, left: Ints, local: Ints, right: Ints) -> Tensor:
    """Blocks of (left, local, right), whose left and right states are sorted by key."""
    stacked = array.reshape(len(left), len(local), len(right))
    place = {int(key): np.flatnonzero(right == key) for key in np.unique(right)}
    blocks: Blocks = {}
    for key in np.unique(left):
        rows = stacked[left == key]
        for p, added in enumerate(local):
            columns = place.get(int(key + added))
            if columns is not None:
                block = rows[:, p, columns]
                if block.any():
                    blocks[int(key), p] = block
    return tensor(np.unique(left), len(local), blocks)
