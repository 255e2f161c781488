r"""Lindblad equations in the eigenbasis of H, where baths that know H act sparsely.

A jump operator of the universal Lindblad equation has elements only between levels closer than the
cutoff of its bath, and only where the coupling operator has some: of vectors such as spins very few
per level.  In the interaction picture

.. math::
    \dot\rho_I = e^{iHt}\, D[e^{-iHt} \rho_I e^{iHt}]\, e^{-iHt}

the width of the spectrum of H does not matter: what is left varies at the frequencies of the bath.

Three things keep D sparse and small:

* degenerate levels are told apart by products :math:`S_i \cdot S_j` that commute with H;
* equivalent jump operators are replaced by their sum and difference where these are sparser, which
  leaves the equation the same;
* parities that H conserves and every jump operator keeps or flips (exchanging equal spins, for
  example) divide rho into blocks.  They are found from the pattern of the matrices alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, pairwise

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.linalg import block_diag

from tnspin.errors import InputError
from tnspin.numerics.adaptive import dormand_prince
from tnspin.numerics.parallel import default_workers, threads_here
from tnspin.operators.basis import ChargeBasis
from tnspin.operators.jump_operator import JumpOperator
from tnspin.operators.operator_sum import OperatorSum
from tnspin.operators.sparse import to_sparse
from tnspin.solvers.lindblad.jumps_on_states import spin_operator
from tnspin.solvers.lindblad.liouvillian import Flow, blocks_of, product
from tnspin.solvers.lindblad.symmetries import divided, real_phases, turned_by
from tnspin.states.density import DensityState

Matrix = NDArray[np.complex128]
Vector = NDArray[np.complex128]
Ints = NDArray[np.int64]

# Elements of H and of jump operators below this share of the largest are round-off.
_ROUND_OFF = 1e-12
# Values of S_i.S_j this close are equal.
_DEGENERATE = 1e-6
# Share of the tolerance of an interval that each of its steps may use.
_SHARE = 0.1
_SMALLEST = 1e-13
# Blocks of so many rows are worth a thread.
_SHARED = 128


@dataclass(frozen=True, eq=False)
class _Levels:
    """Eigenvectors of H in one sector, block by block of what else H conserves."""

    energies: NDArray[np.float64]
    parts: tuple[tuple[Ints, Ints, Matrix], ...]

    def to_eigenbasis(self, matrix: Matrix, other: _Levels | None = None) -> Matrix:
        """``U+ M U`` of a matrix from the sector of ``other`` (or this) to this one."""
        columns = self if other is None else other
        half = np.empty_like(matrix)
        for rows, levels, vectors in self.parts:
            half[levels] = vectors.conj().T @ matrix[rows]
        result = np.empty_like(matrix)
        for rows, levels, vectors in columns.parts:
            result[:, levels] = half[:, rows] @ vectors
        return result

    def to_product_basis(self, matrix: Matrix) -> Matrix:
        """``U M U+``."""
        half = np.empty_like(matrix)
        for rows, levels, vectors in self.parts:
            half[rows] = vectors @ matrix[levels]
        result = np.empty_like(matrix)
        for rows, levels, vectors in self.parts:
            result[:, rows] = half[:, levels] @ vectors.conj().T
        return result


class EigenLindblad:
    """A Lindblad equation in the eigenbasis of a constant H, in the interaction picture.

    Parameters
    ----------
    os : OperatorSum
        H, constant.
    jumps : sequence of JumpOperator
        Rates included.
    state : DensityState
        Initial state; its sectors must be closed under the jumps, and its vanishing elements
        decide into which blocks rho falls.
    """

    def __init__(self, os: OperatorSum, jumps: Sequence[JumpOperator], state: DensityState) -> None:
        if os.is_time_dependent:
            raise InputError("solver.method = 'eigenbasis': the Hamiltonian depends on time")
        self.levels = [_levels(os, basis) for basis in state.bases]
        energies = np.concatenate([one.energies for one in self.levels])
        matrices = _sparser(_rotated(jumps, state.bases, self.levels))
        matrices = self._made_real(matrices)
        sectors = np.repeat(np.arange(len(state.bases)), [basis.dim for basis in state.bases])
        self._rows = divided(matrices, block_diag(*self._joined(state)), sectors)
        self.energies = [energies[rows] for rows in self._rows]
        self.flows, self.decays = _parts(matrices, self._rows)
        #: Number of elements of all jump operators.
        self.nonzeros = sum(m.nnz for m in matrices)
        gaps = [np.abs(np.subtract.outer(energies, energies)[m.nonzero()]) for m in matrices]
        #: Largest energy that the baths exchange.
        self.exchanged = max((float(gap.max(initial=0.0)) for gap in gaps), default=0.0)

    @property
    def dims(self) -> tuple[int, ...]:
        """Sizes of the blocks of rho."""
        return tuple(len(rows) for rows in self._rows)

    def steps(
        self, state: DensityState, length: float, tolerance: float
    ) -> Iterator[tuple[float, DensityState]]:
        """Evolve for a time, yielding (time, state) at the end and (time, ``state``) before it.

        Raises
        ------
        RunError
            If the step becomes too small.
        """
        start = self._split(self._joined(state))
        share = max(_SHARE * tolerance, _SMALLEST) / np.sqrt(start.size)
        steps = dormand_prince(self._change, start, 0.0, length, rtol=1e-13, atol=share)
        for time, elements in steps:
            end = elements
            if time < length:
                yield time, state
        yield length, self.state(state, self._turned(end, length))

    # ------------------------------------------------------------------ inside

    def _made_real(self, matrices: list[sp.csr_array]) -> list[sp.csr_array]:
        """Jump operators after a change of the phases of eigenvectors, real if possible."""
        phases = real_phases(matrices)
        turned = [turned_by(m, phases) for m in matrices]
        if not all(np.abs(m.data.imag).max() <= 1e-10 * np.abs(m.data).max() for m in turned):
            return matrices
        first = 0
        for one in self.levels:
            for _, levels, vectors in one.parts:
                vectors *= phases[first + levels]
            first += len(one.energies)
        return [sp.csr_array(m.real) for m in turned]

    def _change(self, time: float, elements: Vector) -> Vector:
        """Right-hand side in the interaction picture."""
        return self._turned(self.dissipated(self._turned(elements, time)), -time)

    def _turned(self, elements: Vector, time: float) -> Vector:
        """``exp(-iHt) rho exp(iHt)``."""
        result = np.empty_like(elements)
        rhos, results = self.matrices(elements), self.matrices(result)

        def turn(block: int) -> None:
            phases = np.exp(-1j * time * self.energies[block])
            np.multiply(rhos[block], phases[:, None], out=results[block])
            results[block][...] *= phases.conj()

        self._for_each_block(turn)
        return result

    def dissipated(self, elements: Vector) -> Vector:
        """``D[rho]`` of Hermitian blocks, one after the other."""
        result = np.empty_like(elements)
        rhos, results = self.matrices(elements), self.matrices(result)

        def into(target: int) -> None:
            out = results[target]
            out[...] = product(self.decays[target], rhos[target])
            for flow in self._into[target]:
                out += 0.5 * flow.apply(rhos[flow.source])
            out += out.conj().T.copy()

        self._for_each_block(into)
        return result

    def _for_each_block(self, work: Callable[[int], None]) -> None:
        """Do something for every block; of large ones several at a time, with the same bits."""
        # Sparse products let go of the interpreter; the largest first keeps all threads busy.
        largest_first = sorted(range(len(self.dims)), key=lambda b: -self.dims[b])
        for _ in (self._pool.map if self._pool else map)(work, largest_first):
            pass

    @cached_property
    def _into(self) -> list[list[Flow]]:
        """Flows by their target."""
        return [[f for f in self.flows if f.target == b] for b in range(len(self.dims))]

    @cached_property
    def _pool(self) -> ThreadPoolExecutor | None:
        """Threads, None where waking them would take longer than the work."""
        workers = min(threads_here() or default_workers(), sum(dim >= _SHARED for dim in self.dims))
        return ThreadPoolExecutor(workers) if workers > 1 else None

    def matrices(self, elements: Vector) -> list[Matrix]:
        """The blocks of a vector of all elements, as views."""
        return blocks_of(elements, self.dims)

    def populations(self, state: DensityState) -> NDArray[np.float64]:
        """Probabilities of the levels, block by block, of a state in the same sectors."""
        whole = np.concatenate([np.diagonal(block).real for block in self._joined(state)])
        return np.concatenate([whole[rows] for rows in self._rows])

    def _joined(self, state: DensityState) -> list[Matrix]:
        """Blocks of a state in the eigenbasis."""
        return [one.to_eigenbasis(b) for one, b in zip(self.levels, state.blocks, strict=True)]

    def _split(self, blocks: list[Matrix]) -> Vector:
        """Elements by parity."""
        whole = block_diag(*blocks)
        return np.concatenate([whole[np.ix_(rows, rows)].ravel() for rows in self._rows])

    def state(self, like: DensityState, elements: Vector) -> DensityState:
        """Blocks in the eigenbasis as a density matrix in the sectors of another."""
        dims = [len(one.energies) for one in self.levels]
        whole = np.zeros((sum(dims),) * 2, dtype=np.complex128)
        for rows, part in zip(self._rows, self.matrices(elements), strict=True):
            whole[np.ix_(rows, rows)] = part
        blocks, first = [], 0
        for levels, dim in zip(self.levels, dims, strict=True):
            inside = slice(first, first + dim)
            block = levels.to_product_basis(np.ascontiguousarray(whole[inside, inside]))
            blocks.append((block + block.conj().T) / 2)
            first += dim
        return DensityState.from_blocks(like.sites, like.bases, blocks)


# ---------------------------------------------------------------------- eigenvectors


def _levels(os: OperatorSum, basis: ChargeBasis) -> _Levels:
    """Eigenvectors of H, by sectors of every charge that H conserves."""
    matrix = to_sparse(os, basis).toarray()
    kept = [name for name in os.conserved() if name not in basis.charge_names]
    charges = np.zeros((basis.dim, len(kept)), dtype=np.int64)
    for j, site in enumerate(basis.sites):
        for k, name in enumerate(kept):
            charges[:, k] += site.charge(name)[basis.states[:, j]]
    _, sector = np.unique(charges, axis=0, return_inverse=True)
    also = _commuting(os, basis, matrix)
    energies, parts, first = [], [], 0
    for q in range(int(sector.max()) + 1):
        rows = np.flatnonzero(sector.ravel() == q)
        place = np.ix_(rows, rows)
        inside = [one[rows][:, rows] for one in also]
        vectors = []
        for columns in _resolved(np.eye(len(rows), dtype=np.complex128), inside):
            found, turn = np.linalg.eigh(columns.conj().T @ matrix[place] @ columns)
            energies.append(found)
            vectors.append(columns @ turn)
        levels = np.arange(first, first + len(rows))
        parts.append((rows, levels, np.hstack(vectors).astype(np.complex128)))
        first += len(rows)
    return _Levels(np.concatenate(energies), tuple(parts))


def _commuting(os: OperatorSum, basis: ChargeBasis, matrix: Matrix) -> list[sp.csr_array]:
    """Products S_i.S_j, and their sum, that commute with H and with each other."""
    known = [sp.csr_array(matrix)]
    spins = [k for k, site in enumerate(basis.sites) if "Sp" in site.operators]
    pairs = [
        to_sparse(OperatorSum.of(os.sites, product), basis)
        for i, j in combinations(spins, 2)
        for product in [[(0.5, "Sp", i, "Sm", j), (0.5, "Sm", i, "Sp", j), (1.0, "Sz", i, "Sz", j)]]
    ]
    for one in [*pairs, sp.csr_array(sum(pairs))] if pairs else []:
        commutators = [(other @ one - one @ other, other) for other in known]
        sizes = [
            _ROUND_OFF * max(1.0, float(abs(one).max())) * abs(b).max() for _, b in commutators
        ]
        if all(abs(c).max() <= size for (c, _), size in zip(commutators, sizes, strict=True)):
            known.append(one)
    return known[1:]


def _resolved(columns: Matrix, also: Sequence[sp.csr_array]) -> list[Matrix]:
    """Bases of the spaces in which every one of some commuting operators has one value.

    Their values are far apart, so that vectors of different spaces do not mix by round-off as those
    of close levels of H do.
    """
    if not also or columns.shape[1] == 1:
        return [columns]
    values, turn = np.linalg.eigh(columns.conj().T @ (also[0] @ columns))
    close = _DEGENERATE * max(1.0, float(np.abs(values).max()))
    edges = [0, *(np.flatnonzero(np.diff(values) > close) + 1).tolist(), len(values)]
    turned = columns @ turn
    parts = [_resolved(turned[:, first:last], also[1:]) for first, last in pairwise(edges)]
    return [one for part in parts for one in part]


# ---------------------------------------------------------------------- jump operators


def _rotated(
    jumps: Sequence[JumpOperator], bases: Sequence[ChargeBasis], levels: Sequence[_Levels]
) -> list[sp.csr_array]:
    """Jump operators between all levels of all sectors."""
    starts = np.cumsum([0, *(basis.dim for basis in bases)])
    labelled = "2Sz" in bases[0].charge_names
    found = []
    for jump in jumps:
        total = np.zeros((starts[-1],) * 2, dtype=np.complex128)
        for s, source in enumerate(bases):
            moved = {"2Sz": source.charges["2Sz"] + (jump.charge or 0)} if labelled else {}
            for t, target in enumerate(bases):
                if target.charges != source.charges | moved:
                    continue
                block = spin_operator(jump.matrix, jump.sites, source, target).toarray()
                rotated = levels[t].to_eigenbasis(block, levels[s])
                total[starts[t] : starts[t + 1], starts[s] : starts[s + 1]] = rotated
        total[np.abs(total) <= _ROUND_OFF * np.abs(total).max(initial=0.0)] = 0.0
        found.append(sp.csr_array(total))
    return found


def _sparser(matrices: list[sp.csr_array]) -> list[sp.csr_array]:
    """Sums and differences of pairs of jump operators where they have fewer elements."""
    result = list(matrices)
    for a, b in combinations(range(len(result)), 2):
        mixed = [_clean((result[a] + sign * result[b]) / np.sqrt(2.0)) for sign in (1.0, -1.0)]
        if sum(m.nnz for m in mixed) < result[a].nnz + result[b].nnz:
            result[a], result[b] = mixed
    return [m for m in result if m.nnz]


def _clean(matrix: sp.csr_array) -> sp.csr_array:
    matrix = sp.csr_array(matrix)
    if matrix.nnz:
        matrix.data[np.abs(matrix.data) <= _ROUND_OFF * np.abs(matrix.data).max()] = 0.0
        matrix.eliminate_zeros()
    return matrix


def _parts(
    matrices: Sequence[sp.csr_array], rows: Sequence[Ints]
) -> tuple[list[Flow], list[sp.csr_array]]:
    """Jumps between blocks, and ``-sum L+ L / 2`` in every block."""
    flows = []
    for source, columns in enumerate(rows):
        for target, inside in enumerate(rows):
            pieces = [sp.csr_array(m[inside][:, columns]) for m in matrices]
            if any(piece.nnz for piece in pieces):
                flows.append(Flow.of([p for p in pieces if p.nnz], source, target))
    size = 1 + max(int(inside.max()) for inside in rows)
    shape = matrices[0].shape if matrices else (size, size)
    decay = sum((m.conj().T @ m for m in matrices), sp.csr_array(shape))
    decay = sp.csr_array(decay)
    return flows, [_clean(-0.5 * decay[inside][:, inside]) for inside in rows]
