"""Classical spins beside a quantum run: same model, same start, same times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnspin.classical.energy import energy_of
from tnspin.classical.fit import fit_damping, trajectory
from tnspin.classical.integrator import LandauLifshitz, suggested_step
from tnspin.classical.state import normalized, unit_vectors
from tnspin.errors import InputError

__all__ = ["Comparison", "compare"]

Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """Classical counterpart of a quantum trajectory.

    Attributes
    ----------
    spin
        (T, N, 3) unit vectors, or their mean over realizations.
    error
        (T, N, 3) standard error of that mean, None for one realization.
    damping
        Gilbert damping, given or fitted.
    rms
        Root of the mean square of |S - n| over times and spins.
    fitted
        Whether the damping was fitted.
    bounded
        Whether the fit ended at a bound: no damping makes the trajectories meet.
    """

    spin: Reals
    error: Reals | None
    damping: float
    rms: float
    fitted: bool
    bounded: bool = False


def compare(
    model: Any,
    times: Sequence[float] | Reals,
    spins: Reals,
    *,
    damping: float | str = "fit",
    directions: Reals | None = None,
    limit: str = "large_spin",
    dt: float = 0.0,
    order: int = 4,
    temperature: float = 0.0,
    realizations: int = 1,
    seed: int = 0,
) -> Comparison:
    """Landau-Lifshitz-Gilbert counterpart of recorded quantum spins.

    Parameters
    ----------
    model
        The model; its Hamiltonian makes the classical field.
    times, spins
        (T,) and (T, N, 3) quantum <S>/S of the localized spins.
    damping
        A number, or "fit".
    directions
        (N, 3) unit vectors to start from; the directions of ``spins[0]`` if not given.
    limit
        See `classical_energy`.
    dt
        Step; 0: a tenth of a radian in the largest field.
    order, temperature, seed
        See `LandauLifshitz`.
    realizations
        Number of classical trajectories; more than one only at a temperature.

    Raises
    ------
    InputError
        For models with electrons, spins without direction, or values out of range.
    """
    energy = energy_of(model, limit)
    spins = np.asarray(spins, float)
    start = normalized(spins[0]) if directions is None else unit_vectors(directions)[0]
    if realizations < 1 or (realizations > 1 and not temperature):
        raise InputError(
            f"classical.realizations = {realizations}: more than 1 needs a temperature"
        )
    states = np.repeat(start[None], realizations, axis=0)
    step = dt or suggested_step(energy, float(times[0]))
    # Lengths are exact whatever the tolerance; that of the energy need not be round-off here.
    solver = LandauLifshitz(
        energy, 0.0, step, order, temperature=temperature, seed=seed, tolerance=1e-12
    )
    fitted, bounded = damping == "fit", False
    if fitted:
        found = fit_damping(solver, states, times, spins)
        damping, bounded = found.damping, found.bounded
    solver = replace(solver, damping=float(damping))
    runs = trajectory(solver, states, times)
    mean = runs.mean(axis=1)
    error = None if realizations == 1 else runs.std(axis=1, ddof=1) / np.sqrt(realizations)
    rms = float(np.sqrt(np.square(spins - mean).sum(axis=-1).mean()))
    return Comparison(mean, error, float(damping), rms, fitted, bounded)
