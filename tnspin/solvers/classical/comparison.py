"""Classical counterpart of a quantum run, with equal model, start and times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar

from tnspin.errors import InputError
from tnspin.operators.classical.energy import energy_of
from tnspin.solvers.classical.integrator import LandauLifshitz, suggested_step
from tnspin.states.classical import normalized, unit_vectors

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


#: Damping beyond which spins creep: the equation is then one of pure relaxation.
LARGEST = 10.0
# The sum of squares oscillates with the damping: a fine scan by long steps, then the deepest
# valleys, then the deepest of these to the end.
_SCAN = np.concatenate([[0.0], np.geomspace(1e-5, LARGEST, 97)])
_CANDIDATES = 3
_PRECISION = 1e-6
_ROUGH = 1e-2
# Radians in the largest field during one long step.
_TURN = 0.3


@dataclass(frozen=True)
class DampingFit:
    """Result of a fit.

    Attributes
    ----------
    damping
        Gilbert damping of the smallest sum of squares.
    rms
        Root of the mean square of |S - n| over times and spins there.
    rms_undamped
        Root of the mean square of |S - n| without damping.
    bounded
        Whether the optimum is an end of what was searched (0 or `LARGEST`): no damping fits.
    """

    damping: float
    rms: float
    rms_undamped: float
    bounded: bool


def trajectory(solver: LandauLifshitz, start: Reals, times: Sequence[float] | Reals) -> Reals:
    """(T, R, N, 3) unit vectors at each of ``times`` from (R, N, 3) at the first."""
    states = [np.asarray(start, float)]
    for t0, t1 in pairwise(times):
        states.append(solver.advance(states[-1], float(t0), float(t1)))
    return np.array(states)


def fit_damping(
    solver: LandauLifshitz, start: Reals, times: Sequence[float] | Reals, spins: Reals
) -> DampingFit:
    """Least squares on S(t) over one damping for all spins (FATE, supplement).

    Parameters
    ----------
    solver
        Equation and step; its damping is what is looked for.
    start
        (R, N, 3) unit vectors at the first time; of several realizations the mean is fitted.
    times, spins
        (T,) and (T, N, 3) quantum <S>/S, whose length may be below 1.

    Raises
    ------
    InputError
        If the shapes do not fit, or there is only one time.
    """
    start = np.asarray(start, float)
    if len(times) < 2 or np.shape(spins) != (len(times), *start.shape[1:]):
        raise InputError(
            f"classical.damping: cannot be fitted to spins of shape {np.shape(spins)} at "
            f"{len(times)} times"
        )

    def squares(one: LandauLifshitz, values: ArrayLike) -> Reals:
        return _squares(one, start, times, spins, np.atleast_1d(np.asarray(values, float)))

    # A mean over realizations is known to a few per cent: no use in looking closer.
    noisy = len(start) > 1
    scan, precision = (_SCAN[::4], 1e-2) if noisy else (_SCAN, _PRECISION)
    rough = solver if noisy else _rough(solver, float(times[0]))
    seen = squares(rough, scan)
    valleys = _valleys(seen)[:_CANDIDATES]
    brackets = [(scan[max(k - 1, 0)], scan[min(k + 1, len(scan) - 1)]) for k in valleys]
    if len(brackets) > 1:
        brackets.sort(key=lambda ends: _lowest(squares, rough, ends, _ROUGH)[1])
    undamped = float(squares(solver, 0.0)[0])
    best, least = _lowest(squares, solver, brackets[0], precision)
    if undamped <= least:
        best, least = 0.0, undamped
    bounded = bool(best < 1e-5 or best > LARGEST * (1 - 1e-3))
    return DampingFit(best, float(np.sqrt(least)), float(np.sqrt(undamped)), bounded)


def _rough(solver: LandauLifshitz, start: float) -> LandauLifshitz:
    """Integrator with longer steps, accurate enough to tell valleys apart."""
    dt = max(solver.dt, suggested_step(solver.energy, start, _TURN))
    return replace(solver, dt=dt, tolerance=max(solver.tolerance, 1e-10))


def _lowest(
    squares: Callable[[LandauLifshitz, float], Reals],
    solver: LandauLifshitz,
    ends: tuple[float, float],
    precision: float,
) -> tuple[float, float]:
    """Damping and sum of squares at the minimum between two dampings."""
    low, high = float(ends[0]), float(ends[1])
    found = minimize_scalar(
        lambda damping: float(squares(solver, damping)[0]), bounds=(low, high), method="bounded",
        options={"xatol": precision * max(low, 1e-3)},
    )  # fmt: skip
    return float(found.x), float(found.fun)


def _valleys(values: Reals) -> list[int]:
    """Indices of the local minima, the deepest first."""
    padded = np.concatenate([[np.inf], values, [np.inf]])
    low = np.flatnonzero((values <= padded[:-2]) & (values <= padded[2:]))
    return [int(k) for k in low[np.argsort(values[low])]]


def _squares(
    solver: LandauLifshitz,
    start: Reals,
    times: Sequence[float] | Reals,
    spins: Reals,
    values: Reals,
) -> Reals:
    """Mean over times and spins of |S - n|^2 for each damping."""
    if len(start) == 1:
        # Each realization has a damping of its own: all trajectories in one go.
        one = replace(solver, damping=np.repeat(values[:, None], start.shape[1], axis=1))
        runs = trajectory(one, np.repeat(start, len(values), axis=0), times)
    else:
        # The same stochastic field for every damping keeps the sum smooth.
        each = [trajectory(replace(solver, damping=a), start, times).mean(axis=1) for a in values]
        runs = np.stack(each, axis=1)
    distance = np.square(runs - np.asarray(spins)[:, None]).sum(axis=-1)
    found: Reals = distance.mean(axis=(0, 2))
    return found
