"""How far two trajectories are apart: two runs, two solvers, or a quantum and a classical one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tnspin.errors import InputError

__all__ = ["Distance", "distance"]

Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Distance:
    """Distance of two trajectories of vectors.

    Attributes
    ----------
    time
        (T,) times at which they were compared.
    each
        (T, ...) length of the difference of every vector; the last axis is gone.
    """

    time: Reals
    each: Reals

    @property
    def largest(self) -> Reals:
        """(T,) largest of all vectors."""
        return self.each.reshape(len(self.time), -1).max(axis=1)

    @property
    def rms(self) -> float:
        """Root of the mean square over times and vectors."""
        return float(np.sqrt(np.square(self.each).mean()))

    @property
    def maximum(self) -> float:
        """Largest at any time."""
        return float(self.each.max())


def distance(
    first: Any,
    second: Any,
    name: str = "spin",
    other: str | None = None,
    *,
    times: ArrayLike | None = None,
    other_times: ArrayLike | None = None,
) -> Distance:
    """Distance of two trajectories as a function of time.

    Where the times differ, the second is interpolated (cubic splines) to those of the first that
    both cover.

    Parameters
    ----------
    first, second
        Results (``ts.load``), or arrays (T, ..., n) of vectors of n components.
    name
        Variable of both results whose last axis is a vector.
    other
        Variable of the second, if it has another name: the quantum and the classical spins of one
        run are ``distance(run, run, "spin", "classical_spin")``.
    times, other_times
        (T,) times of arrays; row numbers if not given, and one for both if only one is.

    Raises
    ------
    InputError
        If a variable is missing, the shapes do not fit, or no times are common.
    """
    t, a = _trajectory(first, name, times)
    u, b = _trajectory(second, other or name, times if other_times is None else other_times)
    if a.ndim < 2 or a.shape[1:] != b.shape[1:]:
        raise InputError(f"distance: trajectories of shapes {a.shape} and {b.shape} do not fit")
    if len(t) != len(u) or not np.array_equal(t, u):
        common = (t >= u[0] - 1e-12) & (t <= u[-1] + 1e-12)
        if not common.any() or len(u) < 2:
            raise InputError("distance: the trajectories have no times in common")
        from scipy.interpolate import CubicSpline

        t, a = t[common], a[common]
        b = CubicSpline(u, b, axis=0)(t)
    return Distance(t, np.linalg.norm(a - b, axis=-1))


def _trajectory(source: Any, name: str, times: ArrayLike | None) -> tuple[Reals, Reals]:
    """Times and values of a result or of an array."""
    if hasattr(source, "variables"):
        if name not in source or "time" not in source:
            raise InputError(f"distance: the result has no {name!r} over time")
        return np.asarray(source["time"], float), np.asarray(source[name], float)
    values = np.asarray(source, float)
    t = np.arange(len(values), dtype=float) if times is None else np.asarray(times, float)
    if values.ndim < 1 or t.shape != (len(values),):
        raise InputError(f"distance: {t.shape} times given for values of shape {values.shape}")
    return t, values
