"""Adaptive steps of high order for ordinary differential equations.

`midpoint_steps` is for driven linear equations of which a good exponential is at hand,
`dormand_prince` for motion without structure to keep.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import DOP853

from tnspin.errors import RunError
from tnspin.numerics.arrays import Complexes

Scalar = TypeVar("Scalar", np.float64, np.complex128)
#: (vector, t, h, tolerance) to exp(h G(t)) vector.
Move = Callable[[Complexes, float, float, float], Complexes]

_SUBSTEPS = (1, 2, 3, 4, 5, 6)
_SMALLEST_STEP = 1e-12
_ROUND_OFF = 3e-14


def midpoint_steps(
    move: Move, vector: Complexes, start: float, stop: float, tolerance: float
) -> Iterator[tuple[float, Complexes]]:
    """Yield (time, vector) after every step of the extrapolated exponential midpoint rule.

    The rule exp(h G(t + h/2)) over 1, 2, ..., 6 substeps is extrapolated to substep zero. It is
    symmetric, so its error is a series in h^2 (as for the Gragg-Bulirsch-Stoer method, Hairer,
    Norsett and Wanner I, section II.9) and the result has order 12; the step adapts so that the
    last extrapolation changes the vector by less than the tolerance. The rule never evaluates at
    the ends of a step: a sudden switch there is exact.

    Parameters
    ----------
    move : callable
        ``move(vector, t, h, tolerance)`` returns exp(h G(t)) vector.
    vector : ndarray
        At ``start``.
    start, stop : float
        Ascending. G must be smooth between them.
    tolerance : float
        Error of each step relative to the norm of the vector; round-off sets a limit of 3e-14.
    """
    time, step = start, stop - start
    # Below this the last correction is round-off, which a smaller step would not reduce.
    tolerance = max(tolerance, _ROUND_OFF)
    while time < stop:
        # A remainder of a rounding error would otherwise become a step of its own.
        last = time + step >= stop - _SMALLEST_STEP
        size = stop - time if last else step
        result, error = _extrapolate(move, vector, time, size, tolerance)
        error /= float(np.linalg.norm(vector))
        factor = 0.8 * (tolerance / max(error, 1e-300)) ** (1.0 / (2 * len(_SUBSTEPS) - 1))
        if error <= tolerance or size <= _SMALLEST_STEP:
            time, vector = (stop if last else time + size), result
            yield time, vector
        step = max(size * min(4.0, max(0.1, factor)), _SMALLEST_STEP)


def _extrapolate(
    move: Move, vector: Complexes, start: float, size: float, tolerance: float
) -> tuple[Complexes, float]:
    """One step of the extrapolated midpoint rule and the size of its last correction."""
    rows: list[Complexes] = []
    for level, count in enumerate(_SUBSTEPS):
        moved = vector
        h = size / count
        for k in range(count):
            moved = move(moved, start + (k + 0.5) * h, h, 1e-3 * tolerance)
        # Aitken-Neville in h^2: each entry removes one more power of the error series.
        previous, rows = rows, [moved]
        for j in range(level):
            ratio = (count / _SUBSTEPS[level - 1 - j]) ** 2
            rows.append(rows[j] + (rows[j] - previous[j]) / (ratio - 1.0))
    return rows[-1], float(np.linalg.norm(rows[-1] - rows[-2]))


def dormand_prince(
    motion: Callable[[float, NDArray[Scalar]], NDArray[Scalar]],
    x: NDArray[Scalar],
    start: float,
    stop: float,
    *,
    rtol: float,
    atol: float,
) -> Iterator[tuple[float, NDArray[Scalar]]]:
    """Yield (time, x) after every step of order 8 (scipy's DOP853); the last ends at ``stop``.

    Parameters
    ----------
    motion
        Time derivative at (time, x).
    x
        (n,) at ``start``.
    rtol, atol
        Relative and absolute error of each step.

    Raises
    ------
    RunError
        If the step becomes too small.
    """
    run = DOP853(motion, start, x, stop, rtol=rtol, atol=atol)
    try:
        while run.status == "running":
            problem = run.step()
            if run.status == "failed":
                raise RunError(f"at time {run.t:g}: {problem}")
            yield float(run.t), run.y
    finally:
        # Its functions refer to it in a circle: its twenty copies of x would outlive it until a
        # garbage collection, which few but large objects do not bring about.
        run.fun = run.fun_single = run.fun_vectorized = None
