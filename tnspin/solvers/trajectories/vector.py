"""Quantum trajectories of state vectors: sparse matrices in the charge sectors that jumps reach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from tnspin.numerics.chebyshev import propagate
from tnspin.operators.basis import ChargeBasis
from tnspin.solvers.exact.hamiltonian import Hamiltonian
from tnspin.solvers.lindblad.jumps_on_states import SHARE, damping, decay, spin_operator
from tnspin.solvers.trajectories.trajectory import Backend
from tnspin.states.vector import VectorState

Vector = NDArray[np.complex128]


@dataclass(frozen=True, eq=False)
class _Sector:
    """H and the damping in one charge sector."""

    basis: ChargeBasis
    hamiltonian: Hamiltonian
    decay: sp.csr_array


class VectorBackend(Backend):
    """State vectors for trajectories."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._damping = damping(self.jumps)
        # Half the largest eigenvalue of sum L+L bounds the decay of an amplitude.
        self._decay = sum(float(np.linalg.norm(m, 2)) for m in self._damping.values()) / 2
        self._sectors: dict[tuple[int, ...], _Sector] = {}
        self._matrices: dict[tuple[tuple[int, ...], int], sp.csr_array] = {}

    def start(self, state: VectorState) -> VectorState:
        """The normalized state in the sector of the charges that stay definite."""
        if set(state.charge_names) != set(self.names):
            totals = {name: state.total_charge[name] for name in self.names}
            basis = ChargeBasis(state.sites, totals)
            vector = np.zeros(basis.dim, dtype=np.complex128)
            vector[basis.index(state.basis.states)] = state.vector
            state = VectorState(state.sites, vector, basis)
        return VectorState(state.sites, state.vector / state.norm, state.basis)

    def advance(self, state: VectorState, span: float) -> VectorState:
        """exp(-i (H - i/2 sum L+L) span) times the state, not normalized."""
        sector = self._sector(state.basis)
        apply, bounds = sector.hamiltonian.frozen(0.0)

        def damped(vector: Vector) -> Vector:
            return apply(vector) - 0.5j * (sector.decay @ vector)

        tolerance = max(1e-15, SHARE * self.tolerance)
        vector = propagate(
            damped if self.jumps else apply, bounds, state.vector, span, tolerance, self._decay
        )
        return VectorState(state.sites, vector, sector.basis)

    def norm2(self, state: VectorState) -> float:
        """Norm squared: the probability that no jump has happened."""
        return float(np.vdot(state.vector, state.vector).real)

    def jump(self, state: VectorState, which: int | None) -> VectorState:
        """Apply a jump operator (None: nothing) and normalize."""
        if which is None:
            return VectorState(state.sites, state.vector / state.norm, state.basis)
        jump = self.jumps[which]
        charges = dict(state.basis.charges)
        if "2Sz" in charges:
            charges["2Sz"] += int(jump.charge or 0)
        target = state.basis
        if charges != state.basis.charges:
            known = self._sectors.get(tuple(charges.values()))
            target = known.basis if known else self._sector(ChargeBasis(state.sites, charges)).basis
        key = tuple(state.basis.charges.values())
        if (key, which) not in self._matrices:
            matrix = spin_operator(jump.matrix, jump.sites, state.basis, target)
            self._matrices[key, which] = matrix
        vector = self._matrices[key, which] @ state.vector
        return VectorState(state.sites, vector / np.linalg.norm(vector), target)

    def _sector(self, basis: ChargeBasis) -> _Sector:
        key = tuple(basis.charges.values())
        if key not in self._sectors:
            hamiltonian = Hamiltonian(self.model.hamiltonian, basis)
            self._sectors[key] = _Sector(basis, hamiltonian, decay(self._damping, basis))
        return self._sectors[key]
