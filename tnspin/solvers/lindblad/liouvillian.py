r"""The right-hand side of a Lindblad equation, without its superoperator.

.. math::
    \dot\rho = A + A^+, \qquad
    A = (-iH - \tfrac12 \textstyle\sum_k L_k^+ L_k)\,\rho + \tfrac12 \sum_k L_k \rho L_k^+

Every product is one of a sparse matrix with a dense block of rho.  Written as A + A^+ the result is
Hermitian to the last bit.  Where every L changes 2Sz by a definite amount, rho has no elements
between sectors of 2Sz: each block evolves by itself, and jumps carry it to another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from tnspin.errors import InputError
from tnspin.numerics.chebyshev import lanczos_bounds
from tnspin.operators.basis import ChargeBasis
from tnspin.operators.jump_operator import JumpOperator
from tnspin.operators.operator_sum import OperatorSum
from tnspin.operators.sparse import sparse_parts
from tnspin.solvers.exact.hamiltonian import norm_bound
from tnspin.solvers.lindblad.jumps_on_states import damping, decay, spin_operator

Vector = NDArray[np.complex128]
# Share of elements from which a matrix is treated as dense.
_FULL = 0.15
Function = Callable[[float], complex]
#: Function of time (None: constant), H of every block, half width of their spectra.
_Part = tuple[Function | None, list[sp.csr_array], float]


@dataclass(frozen=True, eq=False)
class Flow:
    """Jumps from one block to another: all L stacked, below and beside each other."""

    source: int
    target: int
    count: int
    below: sp.csr_array | Vector
    beside: sp.csr_array | Vector

    @classmethod
    def of(cls, matrices: Sequence[sp.csr_array], source: int, target: int) -> Flow:
        """Jumps given by their matrices, (rows of the target, columns of the source)."""
        below = sp.csr_array(sp.vstack(matrices, format="csr"))
        beside = sp.csr_array(sp.hstack(matrices, format="csr"))
        return cls(source, target, len(matrices), _suitable(below), _suitable(beside))

    def apply(self, rho: Vector) -> Vector:
        """Sum of L rho L+ for a Hermitian rho."""
        rows, columns = self.beside.shape[0], self.below.shape[1]
        images = product(self.below, rho).reshape(self.count, rows, columns)
        # rho L+ = (L rho)+
        turned = np.empty((self.count, columns, rows), dtype=np.complex128)
        np.conjugate(images.transpose(0, 2, 1), out=turned)
        return product(self.beside, turned.reshape(-1, rows))


def _suitable(matrix: sp.csr_array) -> sp.csr_array | Vector:
    """As a dense matrix if that multiplies faster."""
    full = matrix.nnz > _FULL * matrix.shape[0] * matrix.shape[1]
    return matrix.toarray() if full else matrix


def product(matrix: sp.csr_array | Vector, dense: Vector) -> Vector:
    """A matrix times a dense complex one; if real it is not made complex: half the work."""
    if np.iscomplexobj(matrix):
        return np.asarray(matrix @ dense)
    parts = np.ascontiguousarray(dense).view(np.float64)
    return np.asarray(matrix @ parts).view(np.complex128)


class Liouvillian:
    """Generator of a Lindblad equation on block-diagonal density matrices.

    Parameters
    ----------
    os : OperatorSum
        H; its coefficients may depend on time.
    jumps : sequence of JumpOperator
        Rates included.
    bases : sequence of ChargeBasis
        Sectors of the blocks, closed under the jumps (see `reachable`).

    Raises
    ------
    InputError
        If a charge of the sectors is not conserved by H, or a jump does not fit the chain.
    """

    def __init__(
        self, os: OperatorSum, jumps: Sequence[JumpOperator], bases: Sequence[ChargeBasis]
    ) -> None:
        for jump in jumps:
            _check(jump, bases[0])
        self.bases = tuple(bases)
        self.is_time_dependent = os.is_time_dependent
        self.parts = _hamiltonian_parts(os, bases)
        squares = damping(jumps)
        self.decays = [decay(squares, basis) for basis in bases]
        self.flows = [
            flow
            for source in range(len(bases))
            for target in range(len(bases))
            if (flow := _flow(jumps, bases, source, target)) is not None
        ]

    @property
    def size(self) -> int:
        """Number of elements of all blocks."""
        return sum(basis.dim**2 for basis in self.bases)

    @cached_property
    def damping(self) -> float:
        """Upper bound of the eigenvalues of ``sum L+ L``."""
        return max(norm_bound(matrix) for matrix in self.decays)

    def reach(self, t: float) -> float:
        """Bound of the imaginary parts of the eigenvalues: the largest difference of levels."""
        return 2.0 * sum(
            half * (1.0 if function is None else abs(complex(function(t))))
            for function, _, half in self.parts
        )

    def frozen(self, t: float, shift: float = 0.0) -> Callable[[Vector], Vector]:
        """Return the generator at time ``t`` plus ``shift``, on the elements of Hermitian blocks.

        Parameters
        ----------
        t : float
            Time.
        shift : float
            Number added to the generator.

        Returns
        -------
        callable
            (size,) vector to (size,) vector; blocks one after the other, each row by row.
        """
        dims = [basis.dim for basis in self.bases]
        drifts = [
            self._drift(b, t) + 0.5 * shift * sp.eye_array(basis.dim, format="csr")
            for b, basis in enumerate(self.bases)
        ]

        def apply(elements: Vector) -> Vector:
            result = np.empty_like(elements)
            blocks, results = blocks_of(elements, dims), blocks_of(result, dims)
            gained: list[Vector | None] = [None] * len(blocks)
            for flow in self.flows:
                part = flow.apply(blocks[flow.source])
                before = gained[flow.target]
                gained[flow.target] = part if before is None else np.add(before, part, out=before)
            for drift, rho, out, gain in zip(drifts, blocks, results, gained, strict=True):
                half = np.asarray(drift @ rho)
                if gain is not None:
                    gain *= 0.5
                    half += gain
                np.add(half, half.conj().T, out=out)
            return result

        return apply

    def _drift(self, block: int, t: float) -> sp.csr_array:
        """``-iH(t) - sum L+ L / 2`` in one sector."""
        total = -0.5 * self.decays[block]
        for function, matrices, _ in self.parts:
            value = 1.0 if function is None else complex(function(t))
            total = total - 1j * value * matrices[block]
        return sp.csr_array(total)


def blocks_of(elements: NDArray[Any], dims: Sequence[int]) -> list[NDArray[Any]]:
    """Square blocks of the vector of all their elements, as views."""
    parts = np.split(elements, np.cumsum([dim**2 for dim in dims])[:-1])
    return [part.reshape(dim, dim) for part, dim in zip(parts, dims, strict=True)]


def _check(jump: JumpOperator, basis: ChargeBasis) -> None:
    outside = [k for k in jump.sites if not 0 <= k < basis.length]
    if outside:
        raise InputError(f"jumps: {jump.name!r} acts on site {outside[0]}, outside the chain")
    size = prod(basis.sites[k].spin_dim for k in jump.sites)
    if jump.matrix.shape != (size, size):
        raise InputError(
            f"jumps: {jump.name!r} has shape {jump.matrix.shape}, its spins have {size} states"
        )


def _hamiltonian_parts(os: OperatorSum, bases: Sequence[ChargeBasis]) -> list[_Part]:
    """H of every block by time dependence, with half the width of its spectrum or a bound."""
    sectors = [sparse_parts(os, basis) for basis in bases]
    parts: list[_Part] = []
    for entries in zip(*sectors, strict=True):
        function = entries[0][0]
        matrices = [matrix for _, matrix in entries]
        parts.append((function, matrices, max(_half(function, m) for m in matrices)))
    return parts


def _half(function: Function | None, matrix: sp.csr_array) -> float:
    outer = norm_bound(matrix)
    if function is not None or outer == 0.0:
        return outer
    low, high = lanczos_bounds(lambda v: matrix @ v, matrix.shape[0])
    return min((high - low) / 2, outer)


def _flow(
    jumps: Sequence[JumpOperator], bases: Sequence[ChargeBasis], source: int, target: int
) -> Flow | None:
    """Jumps between two blocks, None if there are none."""
    one, other = bases[source], bases[target]
    labels = "2Sz" in one.charge_names
    change = other.charges["2Sz"] - one.charges["2Sz"] if labels else 0
    same = {**one.charges, **({"2Sz": other.charges["2Sz"]} if labels else {})} == other.charges
    matrices = [
        spin_operator(jump.matrix, jump.sites, one, other)
        for jump in jumps
        if same and (not labels or (jump.charge or 0) == change)
    ]
    matrices = [matrix for matrix in matrices if matrix.nnz]
    if not matrices:
        return None
    return Flow.of(matrices, source, target)
