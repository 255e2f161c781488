"""Classical spins of any spin model: the Landau-Lifshitz-Gilbert equation, also with noise.

The field is that of the model's own `OperatorSum`, each spin matrix replaced by S n; the
integrator keeps lengths and, without damping, the energy (`tnspin.solvers.classical.integrator`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tnspin.errors import InputError
from tnspin.models import Model
from tnspin.observables.snapshot import Progress, Snapshot, output_times
from tnspin.operators.classical.energy import energy_of
from tnspin.solvers.classical.integrator import LandauLifshitz
from tnspin.states.classical import ClassicalState

__all__ = ["evolve"]


def evolve(
    model: Model,
    state: Any,
    times: Sequence[float],
    *,
    damping: ArrayLike = 0.0,
    dt: float = 0.02,
    order: int = 4,
    limit: str = "large_spin",
    torque: Sequence[Sequence[float]] = (),
    temperature: float = 0.0,
    realizations: int = 1,
    seed: int = 0,
    tolerance: float = 1e-15,
    iterations: int = 0,
    threads: int = 0,
    on_step: Callable[[Progress], None] | None = None,
) -> Iterator[Snapshot]:
    """Evolve classical spins and yield them at each of ``times``.

    Every interval is computed from its initial state alone, the stochastic field included, so
    continuing from a yielded state gives the same numbers.

    Parameters
    ----------
    model : Model
        A chain of spins; its Hamiltonian may be long-ranged and time-dependent.
    state : ClassicalState, or any quantum state with one-site density matrices
        Start; of a quantum state the direction of each <S>.
    times : sequence of float
        Ascending, in units of hbar over the model's energy unit.
    realizations : int
        Number of trajectories at a temperature, unless ``state`` has several already.
    damping, dt, order, temperature, seed, tolerance, iterations, threads
        See `LandauLifshitz`.
    torque : sequence of vectors
        Its p, repeated along the chain; none if empty.
    limit
        See `classical_energy`.
    on_step : callable, optional
        Called with the progress at every output time; may raise to stop.

    Yields
    ------
    Snapshot
        Its state is a `ClassicalState`; `Snapshot.errors` has the standard error of ``spin``.

    Raises
    ------
    InputError
        For models with electrons, spins without direction, or values out of range.
    RunError
        If the step is too large.
    """
    points = output_times(times)
    energy = energy_of(model, limit)
    pushes = [torque[k % len(torque)] for k in range(energy.size)] if len(torque) else None
    if np.ndim(damping) == 1 and len(np.ravel(damping)) != energy.size:
        raise InputError(
            f"solver.damping: {len(np.ravel(damping))} values for {energy.size} localized spins"
        )
    solver = LandauLifshitz(
        energy, damping, dt, order, pushes, temperature, seed, tolerance, iterations, threads
    )
    now = state if isinstance(state, ClassicalState) else ClassicalState.of(model, state)
    now = replace(now, limit=limit)
    if realizations > 1 and now.realizations == 1:
        if not temperature:
            raise InputError("solver.realizations: more than 1 needs solver.temperature above 0")
        now = now.repeated(realizations)
    yield _snapshot(points[0], model, now)
    for start, stop in pairwise(points):
        now = replace(now, directions=solver.advance(now.directions, start, stop))
        if on_step is not None:
            on_step(Progress(stop, 0, 0.0))
        yield _snapshot(stop, model, now)


def _snapshot(time: float, model: Model, state: Any) -> Snapshot:
    errors = {"spin": state.error} if state.realizations > 1 else None
    return Snapshot(time, model, state, errors=errors)
