"""Distance of two trajectories: two runs, two solvers, or quantum spins and classical ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tnspin.errors import InputError

Reals = NDArray[np.float64]
# A window at the end shorter than this share of the run shows nothing: curves cross.
_SHARE = 0.1


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


# ---------------------------------------------------------------------- verdict


@dataclass(frozen=True)
class Verdict:
    """Time from which on classical spins describe the quantum ones.

    Attributes
    ----------
    since
        First time from which on the distance stays within the tolerance; None: never, or for
        less than a tenth of the run.
    within
        Largest distance from then on; of the whole run if never.
    at_end
        Distance at the last time.
    aligned_since
        First time from which on the directions agree to as many radians, whatever the lengths
        (quantum spins shorter than a thousandth have none); None as for ``since``, or if no spin
        has one.
    tolerance
        What was asked for.
    """

    since: float | None
    within: float
    at_end: float
    aligned_since: float | None
    tolerance: float

    def text(self, start: float = 0.0, word: str = "classical") -> str:
        """Sentence for a summary; ``word`` is the name for spins that agree."""
        if self.since is None:
            text = (
                f"not {word}: spins differ by up to {self.within:.3g}, "
                f"by {self.at_end:.3g} at the end"
            )
            if self.aligned_since is None:
                return text
            return text + (
                f"; their directions agree to {self.tolerance:g} rad "
                f"from t = {self.aligned_since:.4g} on"
            )
        if self.since <= start:
            return f"{word} throughout, within {self.within:.3g}"
        return f"{word} from t = {self.since:.4g} on, within {self.within:.3g}"


def verdict(
    times: Sequence[float] | Reals, quantum: Reals, classical: Reals, tolerance: float = 0.05
) -> Verdict:
    """Find from when on two trajectories stay together.

    Parameters
    ----------
    times
        (T,) ascending.
    quantum, classical
        (T, N, 3) <S>/S and n.
    tolerance
        Largest |S - n| of any spin that still counts as together.
    """
    t, apart = np.asarray(times, float), distance(quantum, classical).largest
    first = _together(t, apart, tolerance)
    aligned = _together(t, _angle(quantum, classical), tolerance)
    rows = slice(first, None)
    return Verdict(
        None if first is None else float(t[first]),
        float(apart[rows].max()),
        float(apart[-1]),
        None if aligned is None else float(t[aligned]),
        float(tolerance),
    )


def _together(times: Reals, apart: Reals, tolerance: float) -> int | None:
    """Index from which on two trajectories stay together, None if they do not."""
    beyond = np.flatnonzero(~(apart <= tolerance))
    first = int(beyond[-1]) + 1 if beyond.size else 0
    # One point that happens to agree proves nothing, even at the end of the run.
    if first == len(times) or times[-1] - times[first] < _SHARE * (times[-1] - times[0]):
        return None
    return first


def _angle(quantum: Reals, classical: Reals) -> Reals:
    """(T,) largest angle between vectors of which the quantum one is not too short.

    Infinite where all are: spins that have vanished have no direction to agree in.
    """
    cross = np.linalg.norm(np.cross(quantum, classical), axis=-1)
    angles = np.arctan2(cross, (np.asarray(quantum) * classical).sum(axis=-1))
    short = np.linalg.norm(quantum, axis=-1) < 1e-3
    largest: Reals = np.where(short, 0.0, angles).max(axis=-1)
    return np.where(short.all(axis=-1), np.inf, largest)
