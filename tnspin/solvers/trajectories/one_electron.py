"""Quantum trajectories of one electron among localized spins, exactly."""

from __future__ import annotations

from math import ceil, exp
from typing import Any

import numpy as np

from tnspin.numerics.chebyshev import damped_growth
from tnspin.numerics.parallel import threads_here
from tnspin.solvers.lindblad.jumps_on_states import SHARE, damping
from tnspin.solvers.trajectories.trajectory import Backend
from tnspin.states.one_electron.configurations import Configurations
from tnspin.states.one_electron.hamiltonian import OneElectronHamiltonian
from tnspin.states.one_electron.state import OneElectronState


class OneElectronBackend(Backend):
    """Amplitudes of one electron among localized spins, for trajectories."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        # D = sum L+L / 2 of a group lies between 0 and 2 m.  The series gets D - m, around zero.
        self._damping = []
        self._mean = 0.0
        for sites, matrix in damping(self.jumps).items():
            mean = float(np.linalg.norm(matrix, 2)) / 4
            self._damping.append((sites, matrix / 2 - mean * np.eye(len(matrix))))
            self._mean += mean
        self._hamiltonians: dict[tuple[int, ...], OneElectronHamiltonian] = {}

    def start(self, state: OneElectronState) -> OneElectronState:
        """The normalized state in the sector of the charges that stay definite."""
        if set(state.charge_names) != set(self.names):
            totals = {name: state.total_charge[name] for name in self.names}
            after = Configurations(state.sites, totals)
            rows = after.basis.index(state.configurations.basis.states)
            amplitudes = np.zeros((after.dim, after.length), dtype=np.complex128)
            amplitudes[rows] = state.amplitudes
            state = OneElectronState(after, amplitudes)
        return state.normalized()

    def advance(self, state: OneElectronState, span: float) -> OneElectronState:
        """exp(-i (H - i/2 sum L+L) span) times the state, not normalized."""
        hamiltonian = self._hamiltonian(state.configurations)
        growth, longest = damped_growth(hamiltonian.half, self._mean)
        pieces = max(1, ceil(hamiltonian.half * span / longest))
        # A series is cut where its tail is below the tolerance on the real axis; off it the terms
        # beyond, some twenty at most, are larger.
        tolerance = max(1e-15, SHARE * self.tolerance / growth ** (longest + 20.0))
        amplitudes = state.amplitudes
        for _ in range(pieces):
            amplitudes = hamiltonian.propagate(amplitudes, span / pieces, tolerance)
        if self.jumps:
            amplitudes = amplitudes * exp(-self._mean * span)
        return OneElectronState(hamiltonian.configurations, amplitudes)

    def jump(self, state: OneElectronState, which: int | None) -> OneElectronState:
        """Apply a jump operator (None: nothing) and normalize."""
        if which is None:
            return state.normalized()
        jump = self.jumps[which]
        return state.apply(jump.matrix, jump.sites, jump.charge).normalized()

    def _hamiltonian(self, configurations: Configurations) -> OneElectronHamiltonian:
        key = tuple(configurations.charges.values())
        if key not in self._hamiltonians:
            self._hamiltonians[key] = OneElectronHamiltonian(
                self.model.hamiltonian, configurations, self._damping, threads_here()
            )
        return self._hamiltonians[key]
