"""Density matrix of two groups of localized spins, in blocks of their total charge.

The electrons, the spacer and everything else are traced out already (PRA Eq. 1), so nothing here
knows what kind of state it came from.  If the whole state has a definite 2Sz, the matrix has no
elements between different 2Sz of the two groups together, and is kept as one block per value.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tnspin.errors import InputError
from tnspin.numerics.arrays import Ints
from tnspin.numerics.low_rank import compact
from tnspin.observables.entanglement import spectrum_entropy

Matrix = NDArray[np.complex128]
#: Largest number of rows of a block; its eigenvalues take seconds.
LARGEST = 2048
#: Charges of part a and part b, of the row and of the column, and the elements [a, b, a', b'].
_Piece = tuple[tuple[int, int], tuple[int, int], Matrix]
# Eigenvalues of a density matrix of trace 1 are round-off below this sum.
_LOST_ANYWAY = 1e-15
# Elements between sectors, relative to the trace, that are still round-off.
_ROUND_OFF = 1e-9


@dataclass(frozen=True, eq=False)
class GroupState:
    """State of two groups of spins, a and b.

    Attributes
    ----------
    charges
        2Sz of every basis vector of part a and of part b, (d_a,) and (d_b,); all zero where 2Sz
        is not conserved.
    blocks
        Total charge q -> (n_q, n_q) Hermitian.  Its rows are the pairs (i, j) with
        ``charges[0][i] + charges[1][j] == q``, i slowest: the order of
        ``np.argwhere(np.add.outer(*charges) == q)``.  Blocks that are zero may be left out; the
        traces of all add to 1.
    discarded
        Weight lost by compressing the groups to their Schmidt spaces, as a share of 1.
    compressed
        False: the basis of each part is the product basis of its spins, first spin slowest.

    Raises
    ------
    InputError
        If a block does not have the shape that the charges give it.
    """

    charges: tuple[Ints, Ints]
    blocks: dict[int, Matrix]
    discarded: float = 0.0
    compressed: bool = False

    def __post_init__(self) -> None:
        """Check the shapes."""
        a, b = (np.asarray(q, np.int64).ravel() for q in self.charges)
        object.__setattr__(self, "charges", (a, b))
        totals, sizes = np.unique(np.add.outer(a, b), return_counts=True)
        expected = dict(zip(totals.tolist(), sizes.tolist(), strict=True))
        for q, block in self.blocks.items():
            size = expected.get(q, 0)
            if block.shape != (size, size):
                raise InputError(
                    f"blocks: charge {q} has {size} states, its block has shape {block.shape}"
                )

    # ------------------------------------------------------------------ from and to matrices

    @classmethod
    def from_dense(
        cls,
        rho: ArrayLike,
        dims: tuple[int, int],
        charges: tuple[ArrayLike, ArrayLike] | None = None,
        *,
        discarded: float = 0.0,
        compressed: bool = False,
    ) -> GroupState:
        """Split a density matrix into blocks, normalized to trace 1.

        Parameters
        ----------
        rho
            (D, D) Hermitian, ``D = d_a d_b``, part a slowest.
        dims
            ``(d_a, d_b)``.
        charges
            2Sz of the basis vectors of each part, None if it is not conserved.
        discarded, compressed
            As the attributes.

        Raises
        ------
        InputError
            If the sizes do not fit, or the matrix connects different charges.
        """
        matrix = np.asarray(rho, np.complex128)
        d_a, d_b = (int(d) for d in dims)
        a, b = (
            (np.zeros(d_a, np.int64), np.zeros(d_b, np.int64))
            if charges is None
            else (np.asarray(q, np.int64) for q in charges)
        )
        if matrix.shape != (d_a * d_b,) * 2 or (a.size, b.size) != (d_a, d_b):
            raise InputError(
                f"dims: {(d_a, d_b)} does not fit a matrix of shape {matrix.shape} with "
                f"{a.size} and {b.size} charges"
            )
        total = np.add.outer(a, b).ravel()
        trace = np.trace(matrix).real
        rest = matrix.copy()
        blocks = {}
        for q in np.unique(total).tolist():
            rows = np.flatnonzero(total == q)
            blocks[q] = matrix[np.ix_(rows, rows)] / trace
            rest[np.ix_(rows, rows)] = 0
        between = float(np.abs(rest).max() / trace)
        if between > _ROUND_OFF:
            raise InputError(
                f"charges: the density matrix has an element {between:.1e} between two charges"
            )
        return cls((a, b), blocks, discarded, compressed)

    def to_dense(self) -> Matrix:
        """Return the (D, D) density matrix, part a slowest."""
        total = np.add.outer(*self.charges).ravel()
        rows = {q: np.flatnonzero(total == q) for q in self.blocks}
        return _joined(total.size, rows, self.blocks)

    def diagonal(self) -> NDArray[np.float64]:
        """Return the probability of every pair of basis vectors, (d_a, d_b)."""
        total = np.add.outer(*self.charges)
        values = np.zeros(total.shape)
        for q, block in self.blocks.items():
            values[total == q] = np.diagonal(block).real
        return values

    @classmethod
    def average(cls, parts: Sequence[GroupState], weights: Sequence[float]) -> GroupState:
        """Mixture of states that share their two bases.

        Parameters
        ----------
        parts
            At least one; compressed ones must share their compressed bases.
        weights
            One per part; only their ratios matter.

        Raises
        ------
        InputError
            If the states are over different bases, or the weights do not fit.
        """
        if not parts or len(parts) != len(weights) or not sum(weights) > 0:
            raise InputError(f"weights: {len(weights)} of sum {sum(weights)} for {len(parts)}")
        first = parts[0]
        same = all(
            one.compressed == first.compressed
            and all(map(np.array_equal, one.charges, first.charges))
            for one in parts
        )
        if not same:
            raise InputError("parts: the group states have different bases")
        shares = np.asarray(weights, float) / sum(weights)
        blocks: dict[int, Matrix] = {}
        for share, one in zip(shares, parts, strict=True):
            for q, block in one.blocks.items():
                blocks[q] = blocks[q] + share * block if q in blocks else share * block
        discarded = float(shares @ [one.discarded for one in parts])
        return cls(first.charges, blocks, discarded, first.compressed)

    # ------------------------------------------------------------------ measures

    @property
    def dims(self) -> tuple[int, int]:
        """Dimensions ``(d_a, d_b)`` of the two bases."""
        return self.charges[0].size, self.charges[1].size

    @property
    def trace(self) -> float:
        """Sum of the traces of the blocks: 1 up to rounding."""
        return float(sum(np.trace(block).real for block in self.blocks.values()))

    def purity(self) -> float:
        """``Tr rho^2``."""
        return float(sum(np.vdot(block, block).real for block in self.blocks.values()))

    @cached_property
    def spectrum(self) -> NDArray[np.float64]:
        """Eigenvalues of the density matrix in no order; zeros may be left out."""
        return _spectrum(map(compact, self.blocks.values()))

    def entropies(self) -> tuple[float, float, float]:
        """Von Neumann entropies ``(S_ab, S_a, S_b)`` in nats (PRA Eq. 4)."""
        parts = (_spectrum(self._reduced(which).values()) for which in (0, 1))
        s_a, s_b = (spectrum_entropy(p) for p in parts)
        return spectrum_entropy(self.spectrum), s_a, s_b

    def mutual_information(self) -> float:
        """``S_a + S_b - S_ab`` in nats, at least 0 (PRA Eq. 5)."""
        s_ab, s_a, s_b = self.entropies()
        return max(0.0, s_a + s_b - s_ab)

    def log_negativity(self) -> float:
        """``ln || rho^(T_a) ||_1`` in nats, at least 0 (PRA Eq. 2)."""
        values = _spectrum(self.partial_transpose().values())
        # The trace norm is 1 + 2 sum |negative|; the trace may be off by rounding.
        return float(max(0.0, np.log(np.abs(values).sum() / values.sum())))

    def reduced(self, which: int) -> Matrix:
        """Density matrix of part a (0) or part b (1), (d, d) in its basis."""
        return _joined(self.dims[which], self._sectors[which], self._reduced(which))

    def partial_transpose(self) -> dict[int, Matrix]:
        """Blocks of ``rho^(T_a)`` by ``q_b - q_a``, which transposing a leaves conserved.

        The rows of a block are ordered by the charge of part a, then by the index in a, then by
        the index in b.
        """
        sizes = [{q: len(rows) for q, rows in part.items()} for part in self._sectors]
        starts: dict[tuple[int, int], int] = {}
        counts: dict[int, int] = {}
        for s, t in product(*sizes):
            starts[s, t] = counts.get(t - s, 0)
            counts[t - s] = starts[s, t] + sizes[0][s] * sizes[1][t]
        blocks = {label: np.zeros((n, n), np.complex128) for label, n in counts.items()}
        for (s, t), (s_, t_), tensor in self._pieces():
            # <i j| rho |k l> is <k j| rho^(T_a) |i l>.
            flipped = tensor.transpose(2, 1, 0, 3)
            rows, columns = flipped.shape[0] * flipped.shape[1], tensor.shape[0] * tensor.shape[3]
            at, to = starts[s_, t], starts[s, t_]
            blocks[t - s_][at : at + rows, to : to + columns] = flipped.reshape(rows, columns)
        return blocks

    # ------------------------------------------------------------------ inside

    @cached_property
    def _sectors(self) -> tuple[dict[int, Ints], dict[int, Ints]]:
        """Basis vectors of each charge, of part a and of part b."""
        a, b = ({int(q): np.flatnonzero(part == q) for q in np.unique(part)}
                for part in self.charges)  # fmt: skip
        return a, b

    @cached_property
    def _position(self) -> Ints:
        """Row of the pair (i, j) in its block, (d_a, d_b)."""
        total = np.add.outer(*self.charges)
        position = np.empty(total.shape, np.int64)
        for q in self.blocks:
            mask = total == q
            position[mask] = np.arange(np.count_nonzero(mask))
        return position

    def _pieces(self) -> Iterator[_Piece]:
        """Parts of the blocks between definite charges of a and b, as tensors [a, b, a', b']."""
        sectors = self._sectors
        for q, block in self.blocks.items():
            pairs = [(s, q - s) for s in sectors[0] if q - s in sectors[1]]
            rows = {(s, t): self._position[np.ix_(sectors[0][s], sectors[1][t])] for s, t in pairs}
            for one, other in product(pairs, repeat=2):
                piece = block[np.ix_(rows[one].ravel(), rows[other].ravel())]
                yield one, other, piece.reshape(*rows[one].shape, *rows[other].shape)

    def _reduced(self, which: int) -> dict[int, Matrix]:
        """Density matrix of one part, by its charge."""
        found: dict[int, Matrix] = {}
        traced = "ajbj->ab" if which == 0 else "iaib->ab"
        for one, other, tensor in self._pieces():
            if one == other:
                found[one[which]] = found.get(one[which], 0) + np.einsum(traced, tensor)
        return found


def _joined(size: int, rows: Mapping[int, Ints], blocks: Mapping[int, Matrix]) -> Matrix:
    """Matrix with blocks at some of its rows and columns."""
    matrix = np.zeros((size, size), np.complex128)
    for q, block in blocks.items():
        matrix[np.ix_(rows[q], rows[q])] = block
    return matrix


def _spectrum(blocks: Iterable[Matrix]) -> NDArray[np.float64]:
    """Eigenvalues of Hermitian blocks together."""
    values = [np.linalg.eigvalsh(block) for block in blocks if len(block)]
    return np.concatenate(values) if values else np.zeros(0)


def doubled_sz(dims: Sequence[int]) -> Ints:
    """2Sz of the product states of spins, up first and the first spin slowest."""
    total = np.zeros(1, dtype=np.int64)
    for d in dims:
        total = np.add.outer(total, d - 1 - 2 * np.arange(d)).ravel()
    return total


# ---------------------------------------------------------------------- compressed bases


Spectra = Mapping[int, NDArray[np.float64]]


def least_probability(a: Spectra, b: Spectra, largest: int) -> float:
    """Smallest probability of basis vectors to keep for all blocks to be small enough.

    Parameters
    ----------
    a, b
        2Sz (or any label that adds up) -> probabilities of the basis vectors of each group.
    largest
        Most rows of a block of their density matrix, labelled by ``q_a + q_b``, and of its
        partial transpose, labelled by ``q_b - q_a``.

    Returns
    -------
    float
        One of the probabilities; vectors of at least this one are to be kept.
    """
    values = np.sort(np.concatenate([*a.values(), *b.values()]))
    low, high = 0, values.size - 1
    while low < high:
        middle = (low + high) // 2
        if _largest_block(_counts(a, values[middle]), _counts(b, values[middle])) <= largest:
            high = middle
        else:
            low = middle + 1
    return float(values[low])


def _counts(spectra: Spectra, least: float) -> dict[int, int]:
    """Basis vectors of at least this probability, by charge."""
    return {q: int(np.count_nonzero(p >= least)) for q, p in spectra.items()}


def _largest_block(a: Mapping[int, int], b: Mapping[int, int]) -> int:
    sizes: dict[tuple[str, int], int] = defaultdict(int)
    for s, n in a.items():
        for t, m in b.items():
            sizes["rho", s + t] += n * m
            sizes["transposed", t - s] += n * m
    return max(sizes.values())


def kept_vectors(
    matrices: dict[int, Matrix], allowance: float
) -> tuple[dict[int, Matrix], dict[int, np.ndarray], float]:
    """Eigenvectors of Hermitian blocks without those whose eigenvalues add to ``allowance``.

    Returns the kept vectors (n, kept) and their eigenvalues, ascending, of each block that keeps
    any, and the weight left out.
    """
    spectra = {key: np.linalg.eigh(matrix) for key, matrix in matrices.items()}
    values = np.sort(np.concatenate([value for value, _ in spectra.values()]))
    sums = np.cumsum(np.maximum(values, 0.0))
    dropped = int(np.searchsorted(sums, max(allowance, _LOST_ANYWAY), side="right"))
    least = values[dropped] if dropped < values.size else np.inf
    frames, kept = {}, {}
    for key, (value, vectors) in spectra.items():
        first = int(np.searchsorted(value, least))
        if first < value.size:
            frames[key], kept[key] = vectors[:, first:], value[first:]
    return frames, kept, float(sums[dropped - 1]) if dropped else 0.0
