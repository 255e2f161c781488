"""exp(-i H t) on a vector by a Chebyshev series, and spectral bounds for it.

With H = c + a G and the spectrum of G inside [-1, 1],

    exp(-i H t) v = exp(-i c t) sum_k (2 - delta_k0) (-i)^k J_k(a t) T_k(G) v

(Tal-Ezer and Kosloff, J. Chem. Phys. 81, 3967). The Bessel functions fall faster
than exponentially once k > a t, so the series length follows from the tolerance.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh_tridiagonal
from scipy.special import jv

Vector = NDArray[np.complex128]
Apply = Callable[[Vector], Vector]
Bounds = tuple[float, float]

_LANCZOS_STEPS = 60
# Share of the width added outside the Lanczos estimate; costs as much more work, no accuracy.
_MARGIN = 0.02
# Longest a t of one series: longer ones gain little and collect round-off.
_LONGEST = 128.0


def lanczos_bounds(apply: Apply, dim: int) -> Bounds:
    """Bounds of the spectrum of a Hermitian operator, enlarged to be safe.

    The extreme Ritz values after some Lanczos steps from a fixed random vector,
    each moved outwards by its residual and by 2 % of the width.

    Parameters
    ----------
    apply : callable
        Vector (dim,) to H vector.
    dim : int
        Dimension.

    Returns
    -------
    (lowest, highest)
    """
    rng = np.random.default_rng(20211)
    vector = rng.normal(size=dim) + 1j * rng.normal(size=dim)
    vector /= np.linalg.norm(vector)
    previous = np.zeros_like(vector)
    diagonal: list[float] = []
    beside: list[float] = []
    for _ in range(min(_LANCZOS_STEPS, dim)):
        image = apply(vector)
        diagonal.append(float(np.vdot(vector, image).real))
        image = image - diagonal[-1] * vector
        if beside:
            image -= beside[-1] * previous
        beside.append(float(np.linalg.norm(image)))
        if beside[-1] <= 1e-12 * max(1.0, max(map(abs, diagonal))):
            break
        previous, vector = vector, image / beside[-1]
    ritz, vectors = eigh_tridiagonal(np.array(diagonal), np.array(beside[:-1]))
    # Residual of a Ritz pair: the last off-diagonal element times its last component.
    reach = beside[-1] * np.abs(vectors[-1])
    margin = _MARGIN * (ritz[-1] - ritz[0])
    return float(ritz[0] - reach[0] - margin), float(ritz[-1] + reach[-1] + margin)


def coefficients(radius: float, tolerance: float) -> NDArray[np.complex128]:
    """Series coefficients (2 - delta_k0) (-i)^k J_k(radius), cut where the tail is below tolerance.

    The tail is summed, so it bounds the error of the result on a normalized vector.
    """
    most = ceil(radius + 12.0 * (radius ** (1.0 / 3.0) + 4.0)) + 30
    order = np.arange(most)
    bessel = jv(order, radius)
    tail = np.cumsum(2.0 * np.abs(bessel[::-1]))[::-1]
    count = max(1, int(np.count_nonzero(tail > tolerance)))
    series = 2.0 * np.array([1, -1j, -1, 1j])[order[:count] % 4] * bessel[:count]
    series[0] /= 2.0
    return series


def propagate(
    apply: Apply, bounds: Bounds, vector: Vector, time: float, tolerance: float = 1e-13
) -> Vector:
    """Return exp(-i H time) vector.

    Parameters
    ----------
    apply : callable
        Vector to H vector.
    bounds : (lowest, highest)
        Interval containing the spectrum of H.
    vector : (dim,) ndarray
        Initial vector.
    time : float
        Any sign, hbar = 1.
    tolerance : float
        Largest truncation error relative to the norm of the vector.

    Returns
    -------
    (dim,) ndarray
    """
    centre = (bounds[1] + bounds[0]) / 2
    half = (bounds[1] - bounds[0]) / 2
    half = max(half, 1e-10 * max(1.0, abs(centre)))
    pieces = max(1, ceil(half * abs(time) / _LONGEST))
    step = time / pieces
    series = coefficients(half * abs(step), tolerance / pieces)
    if step < 0:
        series = series.conj()
    phase = np.exp(-1j * centre * step)

    def scaled(v: Vector) -> Vector:
        return (apply(v) - centre * v) / half

    for _ in range(pieces):
        vector = phase * _sum_series(scaled, series, vector)
    return vector


def _sum_series(scaled: Apply, series: NDArray[np.complex128], vector: Vector) -> Vector:
    """Sum of series[k] T_k(G) v by the three-term recurrence T_k+1 = 2 G T_k - T_k-1."""
    total = series[0] * vector
    if len(series) == 1:
        return total
    before, now = vector, scaled(vector)
    total += series[1] * now
    for weight in series[2:]:
        after = scaled(now)
        after *= 2.0
        after -= before
        before, now = now, after
        total += weight * now
    return total
