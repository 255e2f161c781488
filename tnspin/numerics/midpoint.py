"""Adaptive stepping of driven linear equations, to high order with any exponential at hand.

The exponential midpoint rule exp(h G(t + h/2)) over 1, 2, ..., 6 substeps, extrapolated to
substep zero. The rule is symmetric, so its error is a series in h^2 (as for the
Gragg-Bulirsch-Stoer method, Hairer, Norsett and Wanner I, section II.9) and the result has
order 12; the step adapts so that the last extrapolation changes the vector by less than the
tolerance. The rule never evaluates at the ends of a step: a sudden switch there is exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = ["SMALLEST_STEP", "steps"]

Vector = NDArray[np.complex128]
#: (vector, t, h, tolerance) to exp(h G(t)) vector.
Move = Callable[[Vector, float, float, float], Vector]

_SUBSTEPS = (1, 2, 3, 4, 5, 6)
SMALLEST_STEP = 1e-12
_ROUND_OFF = 3e-14


def steps(
    move: Move, vector: Vector, start: float, stop: float, tolerance: float
) -> Iterator[tuple[float, Vector]]:
    """Yield (time, vector) after every step from ``start`` to ``stop``.

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
        last = time + step >= stop - SMALLEST_STEP
        size = stop - time if last else step
        result, error = _extrapolate(move, vector, time, size, tolerance)
        error /= float(np.linalg.norm(vector))
        factor = 0.8 * (tolerance / max(error, 1e-300)) ** (1.0 / (2 * len(_SUBSTEPS) - 1))
        if error <= tolerance or size <= SMALLEST_STEP:
            time, vector = (stop if last else time + size), result
            yield time, vector
        step = max(size * min(4.0, max(0.1, factor)), SMALLEST_STEP)


def _extrapolate(
    move: Move, vector: Vector, start: float, size: float, tolerance: float
) -> tuple[Vector, float]:
    """One step of the extrapolated midpoint rule and the size of its last correction."""
    rows: list[Vector] = []
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
