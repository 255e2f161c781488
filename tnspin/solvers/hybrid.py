"""Quantum electrons and classical spins together: the conventional spin-transfer torque.

    i dphi_a/dt = h(n, t) phi_a,    dn_i/dt = n_i x B_i - alpha_i n_i x dn_i/dt,   B_i = -dE/dS_i

Each step moves the electrons by half among standing spins (exactly: a Chebyshev series to
round-off), the spins by a whole under standing electrons (the implicit midpoint rule), and the
electrons by half again.  Either part keeps the energy of both, and the norms; so does their
symmetric composition to order 4 (Suzuki).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tnspin.errors import InputError
from tnspin.models import Model
from tnspin.numerics.chebyshev import propagate
from tnspin.observables.snapshot import Progress, Snapshot, output_times
from tnspin.operators.classical.electrons import HybridEnergy, hybrid_energy_of
from tnspin.solvers.classical.integrator import STAGES, LandauLifshitz
from tnspin.states.hybrid import HybridState

__all__ = ["evolve"]

Reals = NDArray[np.float64]
Complexes = NDArray[np.complex128]
OnStep = Callable[[Progress], None]
#: Truncation error of one series for the electrons.
_ROUND_OFF = 1e-15


def evolve(
    model: Model,
    state: Any,
    times: Sequence[float],
    *,
    damping: ArrayLike = 0.0,
    dt: float = 0.1,
    order: int = 4,
    limit: str = "large_spin",
    on_step: OnStep | None = None,
) -> Iterator[Snapshot]:
    """Evolve electrons and classical spins and yield them at each of ``times``.

    Every interval is computed from its initial state alone, so continuing from a yielded state
    gives the same numbers.

    Parameters
    ----------
    model : Model
        A chain with electrons; its Hamiltonian may be time-dependent.
    state : HybridState, or what `HybridState.of` takes
        Start.
    times : sequence of float
        Ascending, in units of hbar over the model's energy unit.
    damping
        Gilbert damping: one number, or (N,) one per localized spin.
    dt
        Largest step; an interval between two times is cut into equal ones.
    order : {2, 4}
        Of the error in ``dt``.
    limit
        See `classical_energy`.
    on_step : callable, optional
        Called with the progress after every step; may raise to stop.

    Yields
    ------
    Snapshot
        Its state is a `HybridState`.

    Raises
    ------
    InputError
        For interacting electrons, or values out of range.
    RunError
        If the step is too large for the spins.
    """
    points = output_times(times)
    motion = _Motion(hybrid_energy_of(model, limit), damping, dt, order)
    given = state if isinstance(state, HybridState) else HybridState.of(model, state)
    now: Any = replace(given, limit=limit)
    yield Snapshot(points[0], model, now)
    for start, stop in pairwise(points):
        now = motion.advance(now, start, stop, on_step)
        yield Snapshot(stop, model, now)


class _Motion:
    """The two halves of a step and their composition."""

    def __init__(self, energy: HybridEnergy, damping: ArrayLike, dt: float, order: int) -> None:
        if order not in STAGES:
            raise InputError(f"solver.order: {order!r} is not one of 2, 4")
        self.energy = energy
        # Its own steps are the stages of a step here.
        self.spins = LandauLifshitz(energy.spins, damping, dt, order=2)
        self.dt, self.stages = dt, STAGES[order]

    def advance(
        self, state: HybridState, start: float, stop: float, on_step: OnStep | None
    ) -> HybridState:
        """The state at ``stop`` from that at ``start``."""
        count = max(1, ceil((stop - start) / self.dt - 1e-9))
        h = (stop - start) / count
        n, phi, late = state.directions, state.flat, 0.0
        for step in range(count):
            t = start + step * h
            for stage in self.stages:
                size = stage * h
                middle = t + 0.5 * size
                # What is left of one stage and the start of the next are one step, for the spins
                # stand meanwhile; unless H changes on its own.
                phi = self._electrons(n, phi, middle, late + 0.5 * size)
                if len(n):
                    field = self.energy.field(phi, state.occupations, middle)
                    n = self.spins.advance(n, t, t + size, field)
                late = 0.5 * size
                if self.energy.is_time_dependent:
                    phi, late = self._electrons(n, phi, middle, late), 0.0
                t += size
            if on_step is not None:
                on_step(Progress(start + (step + 1) * h, 0, 0.0))
        phi = self._electrons(n, phi, stop, late)
        return replace(state, orbitals=phi.reshape(state.orbitals.shape), directions=n)

    def _electrons(self, n: Reals, phi: Complexes, t: float, h: float) -> Complexes:
        """exp(-i h H) of all orbitals, with the Hamiltonian at time ``t``."""
        if not len(phi) or not h:
            return phi
        hamiltonian = self.energy.hamiltonian(n, t)
        bound = float(abs(hamiltonian).sum(axis=1).max())
        found = propagate(lambda v: hamiltonian @ v, (-bound, bound), phi.T, h, _ROUND_OFF)
        return np.ascontiguousarray(found.T)
