"""Steps of electrons among classical spins: either part moves while the other stands still."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnspin.numerics.chebyshev import propagate
from tnspin.observables.snapshot import Progress
from tnspin.operators.classical.electrons import hybrid_energy_of
from tnspin.solvers.classical.integrator import STAGES, LandauLifshitz
from tnspin.solvers.evolution.motion import Motion, equal_steps
from tnspin.states.hybrid import HybridState

Reals = NDArray[np.float64]
Complexes = NDArray[np.complex128]
#: Truncation error of one series for the electrons.
_ROUND_OFF = 1e-15


class HybridMotion(Motion):
    """Orbitals and unit vectors; every interval is computed from its initial state alone.

    It begins with a `HybridState`, or with what `HybridState.of` takes.
    """

    evolves = HybridState

    def begin(self, state: Any) -> HybridState:
        """Compile the energy; refuse interacting electrons."""
        keys = self.solver
        given = state if isinstance(state, HybridState) else HybridState.of(self.model, state)
        self.energy = hybrid_energy_of(self.model, keys.limit)
        # Its own steps are the stages of a step here.
        self.spins = LandauLifshitz(self.energy.spins, keys.damping, keys.dt, order=2)
        return replace(given, limit=keys.limit)

    def advance(self, start: float, stop: float) -> Iterator[Progress]:
        """Move by equal steps, none longer than ``dt``."""
        count, h = equal_steps(start, stop, self.solver.dt)
        state = self.state
        n, phi, late = state.directions, state.flat, 0.0
        for step in range(count):
            t = start + step * h
            for stage in STAGES[self.solver.order]:
                size = stage * h
                middle = t + 0.5 * size
                # What is left of one stage and the start of the next are one step, for the spins
                # stand meanwhile; unless H changes on its own.
                phi = self._electrons(n, phi, middle, late + 0.5 * size)
                if len(n):
                    b = self.energy.field(phi, state.occupations, middle)
                    n = self.spins.advance(n, t, t + size, b)
                late = 0.5 * size
                if self.energy.is_time_dependent:
                    phi, late = self._electrons(n, phi, middle, late), 0.0
                t += size
            yield Progress(start + (step + 1) * h, 0, 0.0)
        phi = self._electrons(n, phi, stop, late)
        self.state = replace(state, orbitals=phi.reshape(state.orbitals.shape), directions=n)

    def _electrons(self, n: Reals, phi: Complexes, t: float, h: float) -> Complexes:
        """exp(-i h H) of all orbitals, with the Hamiltonian at time ``t``."""
        if not len(phi) or not h:
            return phi
        hamiltonian = self.energy.hamiltonian(n, t)
        bound = float(abs(hamiltonian).sum(axis=1).max())
        found = propagate(lambda v: hamiltonian @ v, (-bound, bound), phi.T, h, _ROUND_OFF)
        return np.ascontiguousarray(found.T)
