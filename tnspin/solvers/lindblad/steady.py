r"""Steady states of Lindblad equations, without the superoperator.

In the eigenbasis of H the equation :math:`-i[H, \rho] + D[\rho] = 0` is nearly solved by
populations that balance the rates :math:`|L_{mn}|^2`, if the baths are weak: coherences oscillate
away.  That is the preconditioner; GMRES does the rest, for any strength of the baths.  The unknowns
are real, the independent parts of a Hermitian matrix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import LinearOperator, gmres

from tnspin.errors import RunError
from tnspin.models import Model
from tnspin.operators.basis import ChargeBasis
from tnspin.operators.jump_operator import JumpOperator
from tnspin.operators.sparse import to_sparse
from tnspin.solvers.lindblad.eigenbasis import EigenLindblad
from tnspin.solvers.lindblad.liouvillian import blocks_of
from tnspin.states.density import DensityState
from tnspin.states.ensemble import Ensemble
from tnspin.states.vector import VectorState

Matrix = NDArray[np.complex128]
Reals = NDArray[np.float64]
Ints = NDArray[np.int64]

_RESTART = 60
_MOST_CYCLES = 50
# A rate below this share of the largest does not connect two levels.
_NOTHING = 1e-14
# A set of levels with less probability is empty.
_NONE = 1e-12


def steady_state(
    model: Model,
    jumps: Sequence[JumpOperator],
    *,
    start: VectorState | Ensemble | DensityState | None = None,
    tolerance: float = 1e-10,
) -> DensityState:
    """Return the density matrix that does not change any more.

    A bath with a hard cutoff may not link all levels of H: large spins have gaps beyond it.  Sets
    of levels that no jump operator links keep their probabilities, those of ``start``.

    Parameters
    ----------
    model : Model
        Its Hamiltonian is constant; the whole space must be small enough to diagonalize it.
    jumps : sequence of JumpOperator
        Rates included.
    start : VectorState, Ensemble or DensityState, optional
        Initial state, which decides where the steady state is not the only one.
    tolerance : float
        Norm of what is left of its change, in units of the largest decay rate.

    Raises
    ------
    RunError
        If there are several steady states and no ``start`` (or levels that decay to more than
        one of them), or the iteration does not converge.
    """
    sites = model.local_sites
    basis = ChargeBasis(sites)
    mixed = DensityState(sites, np.eye(basis.dim) / basis.dim, basis)
    # In the full space jump operators are what they are, with or without a definite charge.
    equation = EigenLindblad(
        model.hamiltonian, [replace(jump, charge=None) for jump in jumps], mixed
    )
    rates = _rates(equation)
    sets = _closed_sets(rates, start is not None)
    shares = np.ones(1)
    if len(sets) > 1 and start is not None:
        populations = equation.populations(DensityState.from_state(start, ()))
        shares = np.array([populations[levels].sum() for levels in sets])
        _check_different(rates, [s for s, share in zip(sets, shares, strict=True) if share > _NONE])
    elements = _solved(
        equation, rates, list(zip(sets, shares / shares.sum(), strict=True)), tolerance
    )
    return equation.state(mixed, elements)


def gibbs_state(model: Model, temperature: float) -> DensityState:
    """Return ``exp(-H/T) / Z`` on the whole space; T may be negative."""
    energies, vectors = np.linalg.eigh(to_sparse(model.hamiltonian).toarray())
    exponent = -energies / temperature
    weights = np.exp(exponent - exponent.max())
    rho = (vectors * (weights / weights.sum())) @ vectors.conj().T
    return DensityState(model.local_sites, rho)


# ---------------------------------------------------------------------- inside


def _rates(equation: EigenLindblad) -> Reals:
    """Rates between levels in columns that add up to zero, levels block by block."""
    starts = np.cumsum([0, *equation.dims])
    rates = np.zeros((starts[-1],) * 2)
    for flow in equation.flows:
        below: Any = flow.below
        stacked = below.toarray() if sp.issparse(below) else below
        rows, columns = equation.dims[flow.target], equation.dims[flow.source]
        squares = (np.abs(stacked) ** 2).reshape(flow.count, rows, columns).sum(axis=0)
        first, second = starts[flow.target], starts[flow.source]
        rates[first : first + rows, second : second + columns] += squares
    return rates - np.diag(rates.sum(axis=0))


def _closed_sets(rates: Reals, several: bool) -> list[Ints]:
    """Sets of levels that nothing leaves, each with a steady state; transient levels in none.

    Refused are more than one unless ``several`` may be, and then transient levels.
    """
    linked = np.abs(rates) > _NOTHING * np.abs(rates).max(initial=0.0)
    count, group = connected_components(sp.csr_array(linked), connection="strong")
    leaves = (linked & np.not_equal.outer(group, group)).any(axis=0)
    left = np.unique(group[leaves])
    closed = [np.flatnonzero(group == g) for g in range(count) if g not in left]
    if len(closed) == 1:
        return [np.arange(len(rates))]  # levels that are left for good count as its own
    if not several or left.size:
        raise RunError(
            f"steady state: not unique, {len(closed)} sets of levels are not left by any jump"
            " operator; evolve an initial state instead"
        )
    return closed


def _check_different(rates: Reals, sets: Sequence[Ints]) -> None:
    """Refuse sets with the same decay: between two copies of one another coherence may last."""
    for one, other in combinations([np.sort(np.diagonal(rates)[levels]) for levels in sets], 2):
        if one.size == other.size and np.allclose(one, other, rtol=1e-8, atol=0.0):
            raise RunError(
                "steady state: not unique, coherence between sets of levels with the same rates may"
                " last; evolve the initial state instead"
            )


def _solved(
    equation: EigenLindblad,
    rates: Reals,
    sets: Sequence[tuple[Ints, float]],
    tolerance: float,
) -> Matrix:
    """Blocks of the steady state whose sets of levels have given probabilities."""
    dims = equation.dims
    size = sum(dim**2 for dim in dims)
    starts = np.cumsum([0, *dims])
    scale = float(np.abs(np.diagonal(rates)).max())
    # What makes the equation solvable: the probability of each set, spread over its levels.
    spread = np.zeros_like(rates)
    wanted = np.zeros(len(rates))
    for levels, share in sets:
        spread[np.ix_(levels, levels)] = scale / len(levels)
        wanted[levels] = share * scale / len(levels)
    balance = scipy.linalg.lu_factor(rates + spread)
    losses = -np.diagonal(rates)
    slow = []
    for energies, first, last in zip(equation.energies, starts, starts[1:], strict=False):
        mean = np.add.outer(losses[first:last], losses[first:last]) / 2
        slow.append(-1j * np.subtract.outer(energies, energies) - np.maximum(mean, 1e-3 * scale))

    def changed(real: Reals) -> Reals:
        """The right-hand side plus the spread probabilities."""
        elements = _hermitian(real, dims)
        result = equation.dissipated(elements)
        rhos, results = equation.matrices(elements), equation.matrices(result)
        added = spread @ np.concatenate([np.diagonal(rho).real for rho in rhos])
        for rho, out, energies, first in zip(
            rhos, results, equation.energies, starts, strict=False
        ):
            out -= 1j * np.subtract.outer(energies, energies) * rho
            out[np.diag_indices(len(out))] += added[first : first + len(out)]
        return _real(result, dims)

    def guessed(real: Reals) -> Reals:
        """Rate equations for populations, decay and oscillation for coherences."""
        elements = _hermitian(real, dims)
        blocks = equation.matrices(elements)
        populations = np.concatenate([np.diagonal(block).real for block in blocks])
        balanced = scipy.linalg.lu_solve(balance, populations)
        for block, rate, first in zip(blocks, slow, starts, strict=False):
            block /= rate
            block[np.diag_indices(len(block))] = balanced[first : first + len(block)]
        return _real(elements, dims)

    parts = [np.diag(wanted[a:b].astype(complex)).ravel() for a, b in pairwise(starts)]
    target = _real(np.concatenate(parts), dims)
    shape = (size, size)
    found, failed = gmres(
        LinearOperator(shape, changed, dtype=np.float64), target, x0=guessed(target),
        M=LinearOperator(shape, guessed, dtype=np.float64), restart=min(_RESTART, size),
        maxiter=_MOST_CYCLES, rtol=0.0, atol=tolerance * scale,
    )  # fmt: skip
    if failed:
        raise RunError(f"steady state: not converged within {_MOST_CYCLES * _RESTART} iterations")
    return _hermitian(found, dims)


def _hermitian(real: Reals, dims: Sequence[int]) -> Matrix:
    """Blocks with real parts from the upper and imaginary parts from the lower triangles."""
    blocks = []
    for square in blocks_of(real, dims):
        lower = np.tril(square, -1)
        symmetric = np.triu(square) + np.triu(square, 1).T
        blocks.append((symmetric + 1j * (lower - lower.T)).ravel())
    return np.concatenate(blocks)


def _real(elements: Any, dims: Sequence[int]) -> Reals:
    """Inverse of `_hermitian`."""
    squares = blocks_of(elements, dims)
    return np.concatenate([(np.triu(m.real) + np.tril(m.imag, -1)).ravel() for m in squares])
