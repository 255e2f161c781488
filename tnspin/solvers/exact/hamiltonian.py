"""The Hamiltonian on state vectors, and the evolutions that it generates."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from tnspin.errors import InputError, RunError
from tnspin.numerics.adaptive import midpoint_steps
from tnspin.numerics.chebyshev import Bounds, lanczos_bounds, propagate
from tnspin.observables.snapshot import Progress
from tnspin.operators.basis import ChargeBasis
from tnspin.operators.operator_sum import OperatorSum
from tnspin.operators.sparse import TermOperator, sparse_parts, term_parts
from tnspin.solvers.evolution.motion import Motion
from tnspin.states.one_electron.hamiltonian import OneElectronHamiltonian
from tnspin.states.one_electron.state import OneElectronState
from tnspin.states.vector import VectorState

Vector = NDArray[np.complex128]

# Bounds that turn out too narrow make the series grow; far above round-off, far below an error.
_NORM_TOLERANCE = 1e-9


class VectorMotion(Motion):
    """A state vector in a charge sector or in the full space, or the amplitudes of one electron.

    Every interval is computed from its initial state alone, so continuing from a yielded state
    gives the same numbers.
    """

    evolves = VectorState

    def begin(self, state: VectorState | OneElectronState) -> VectorState | OneElectronState:
        """Compile the Hamiltonian in the sector of the state."""
        os = self.model.hamiltonian
        if isinstance(state, OneElectronState):
            self.one_electron = OneElectronHamiltonian(os, state.configurations)
        else:
            self.hamiltonian = Hamiltonian(os, state.basis, self.times[0])
        return state

    def advance(self, start: float, stop: float) -> Iterator[Progress]:
        """Propagate by one series, or by adaptive steps where H depends on time."""
        state, tolerance = self.state, self.solver.tolerance
        if isinstance(state, OneElectronState):
            amplitudes = self.one_electron.propagate(state.amplitudes, stop - start, tolerance)
            self.state = OneElectronState(state.configurations, amplitudes)
            growth = self.state.weights.sum() / state.weights.sum()
            _check_norm(float(np.sqrt(growth)), tolerance)
            yield Progress(stop, 0, 0.0)
            return
        vector = state.vector
        for time, moved in _interval(self.hamiltonian, vector, start, stop, tolerance):
            vector = moved
            yield Progress(time, 0, 0.0)
        self.state = VectorState(state.sites, vector, state.basis)


@dataclass(frozen=True, eq=False)
class _Part:
    """One operator and the function of time that multiplies it (None: constant)."""

    function: Callable[[float], complex] | None
    operator: Any
    bounds: Bounds


class Hamiltonian:
    """H(t) on the vectors of one basis.

    In a charge sector: sparse matrices. In the full space: local terms applied one
    by one where they hold fewer numbers than the matrix would.

    Parameters
    ----------
    os : OperatorSum
        The Hamiltonian.
    basis : ChargeBasis
        Where the vectors live.
    t : float
        Time at which Hermiticity is checked.

    Raises
    ------
    InputError
        If it is not Hermitian or does not conserve the charges of the basis.
    """

    def __init__(self, os: OperatorSum, basis: ChargeBasis, t: float = 0.0) -> None:
        if not os.is_hermitian(1e-10, t):
            raise InputError(f"model: the Hamiltonian is not Hermitian at time {t:g}")
        self.dim = basis.dim
        self.is_time_dependent = os.is_time_dependent
        self.parts = [
            _Part(function, operator, self._bounds(function is None, operator))
            for function, operator in _operators(os, basis)
        ]

    def frozen(self, t: float) -> tuple[Callable[[Vector], Vector], Bounds]:
        """Return H(t) as a function on vectors, and bounds of its spectrum."""
        values = [1.0 if p.function is None else complex(p.function(t)) for p in self.parts]
        low = high = 0.0
        for part, value in zip(self.parts, values, strict=True):
            size = abs(value)
            low, high = low + size * part.bounds[0], high + size * part.bounds[1]

        def apply(vector: Vector) -> Vector:
            total = self.parts[0].operator @ vector
            for part, value in zip(self.parts[1:], values[1:], strict=True):
                total += value * (part.operator @ vector)
            return total

        return apply, (low, high)

    def _bounds(self, constant: bool, operator: Any) -> Bounds:
        outer = norm_bound(operator)
        if not constant or outer == 0.0:
            # A driven part alone need not be Hermitian, its norm bounds it for any phase.
            return -outer, outer
        low, high = lanczos_bounds(lambda v: operator @ v, self.dim)
        return max(low, -outer), min(high, outer)


def _operators(os: OperatorSum, basis: ChargeBasis) -> list[tuple[Any, Any]]:
    if not basis.charges:
        free = term_parts(os)
        # Half the products of a local term with a state vanish in a typical spin chain;
        # counting all of them overestimates the matrix a little and favours no side by much.
        stored = sum(operator.size for _, operator in free)
        if stored < basis.dim * sum(operator.work for _, operator in free) / 2:
            return list(free)
    return list(sparse_parts(os, basis))


def norm_bound(operator: Any) -> float:
    """Upper bound of the spectral norm; for a matrix sqrt(|A|_1 |A|_inf) (Gershgorin's circle)."""
    if isinstance(operator, TermOperator):
        return operator.norm_bound()
    if operator.nnz == 0:
        return 0.0
    size = sp.csr_array(abs(operator))
    return float(np.sqrt(size.sum(axis=0).max() * size.sum(axis=1).max()))


def _interval(
    hamiltonian: Hamiltonian, vector: Vector, start: float, stop: float, tolerance: float
) -> Iterator[tuple[float, Vector]]:
    """Yield (time, vector) after every step from ``start`` to ``stop``."""
    if not hamiltonian.is_time_dependent:
        apply, bounds = hamiltonian.frozen(start)
        moved = propagate(apply, bounds, vector, stop - start, tolerance)
        yield stop, _checked(vector, moved, tolerance)
        return

    def move(v: Vector, t: float, h: float, error: float) -> Vector:
        apply, bounds = hamiltonian.frozen(t)
        return propagate(apply, bounds, v, h, error)

    for time, moved in midpoint_steps(move, vector, start, stop, tolerance):
        vector = _checked(vector, moved, tolerance)
        yield time, vector


def _checked(before: Vector, after: Vector, tolerance: float) -> Vector:
    _check_norm(float(np.linalg.norm(after) / np.linalg.norm(before)), tolerance)
    return after


def _check_norm(ratio: float, tolerance: float) -> None:
    """Wrong spectral bounds make a Chebyshev series explode; its own error is no such sign."""
    if not abs(ratio - 1.0) < max(_NORM_TOLERANCE, tolerance):
        raise RunError(f"exact: the norm changed by {ratio - 1:.1e}; the spectral bounds failed")
