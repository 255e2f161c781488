"""exp(-i H t) on a vector by a Chebyshev series, and spectral bounds for it.

With H = c + a G and the spectrum of G inside [-1, 1],

    exp(-i H t) v = exp(-i c t) sum_k (2 - delta_k0) (-i)^k J_k(a t) T_k(G) v

(Tal-Ezer and Kosloff, J. Chem. Phys. 81, 3967). The Bessel functions fall faster
than exponentially once k > a t, so the series length follows from the tolerance.
"""

from __future__ import annotations

from collections.abc import Callable
from math import cbrt, ceil

import numpy as np
from scipy.linalg import eigh_tridiagonal
from scipy.special import jv

from tnspin.numerics.arrays import Complexes

Apply = Callable[[Complexes], Complexes]
Bounds = tuple[float, float]

_LANCZOS_STEPS = 60
# Share of the width added outside the Lanczos estimate; costs as much more work, no accuracy.
_MARGIN = 0.02
# Longest a t of one series: longer ones gain little and collect round-off.
_LONGEST = 128.0
# With damping, round-off may grow by exp(10) in one series; it has about 20 terms more than a t.
_GROWTH = 10.0
_TAIL = 20.0


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
    off_diagonal: list[float] = []
    for _ in range(min(_LANCZOS_STEPS, dim)):
        image = apply(vector)
        diagonal.append(float(np.vdot(vector, image).real))
        image = image - diagonal[-1] * vector
        if off_diagonal:
            image -= off_diagonal[-1] * previous
        off_diagonal.append(float(np.linalg.norm(image)))
        if off_diagonal[-1] <= 1e-12 * max(1.0, max(map(abs, diagonal))):
            break
        previous, vector = vector, image / off_diagonal[-1]
    ritz, vectors = eigh_tridiagonal(np.array(diagonal), np.array(off_diagonal[:-1]))
    # Residual of a Ritz pair: the last off-diagonal element times its last component.
    reach = off_diagonal[-1] * np.abs(vectors[-1])
    margin = _MARGIN * (ritz[-1] - ritz[0])
    return float(ritz[0] - reach[0] - margin), float(ritz[-1] + reach[-1] + margin)


def coefficients(radius: float, tolerance: float, growth: float = 1.0) -> Complexes:
    """Series coefficients (2 - delta_k0) (-i)^k J_k(radius), cut where the tail is below tolerance.

    The tail is summed, so it bounds the error of the result on a normalized vector if the norm of
    T_k(G) is at most ``growth**k``.
    """
    most = ceil(radius + 12.0 * (radius ** (1.0 / 3.0) + 4.0)) + 30
    order = np.arange(most)
    bessel = jv(order, radius)
    tail = np.cumsum(2.0 * np.abs(bessel[::-1]) * growth ** order[::-1])[::-1]
    count = max(1, int(np.count_nonzero(tail > tolerance)))
    series = 2.0 * np.array([1, -1j, -1, 1j])[order[:count] % 4] * bessel[:count]
    series[0] /= 2.0
    return series


def propagate(
    apply: Apply,
    bounds: Bounds,
    vector: Complexes,
    time: float,
    tolerance: float = 1e-13,
    decay: float = 0.0,
) -> Complexes:
    """Return exp(-i (H - i D) time) vector, with a damping D or without.

    Half the largest decay rate is taken out, so that the rest of D lies around zero.

    Parameters
    ----------
    apply : callable
        Vector to (H - i D) vector.
    bounds : (lowest, highest)
        Interval containing the spectrum of H.
    vector : (dim,) ndarray
        Initial vector.
    time : float
        hbar = 1; negative only without damping.
    tolerance : float
        Largest truncation error relative to the norm of the vector.
    decay : float
        Upper bound of the spectrum of D, whose lower bound is 0; 0 for no damping.

    Returns
    -------
    (dim,) ndarray
    """
    centre, mean = (bounds[1] + bounds[0]) / 2, decay / 2
    half = max((bounds[1] - bounds[0]) / 2, mean, 1e-10 * max(1.0, abs(centre)))
    growth, longest = damped_growth(half, mean)
    pieces = max(1, ceil(half * abs(time) / longest))
    step = time / pieces
    series = coefficients(half * abs(step), tolerance / pieces, growth)
    if step < 0:
        series = series.conj()
    factor = np.exp(-1j * centre * step - mean * step)
    shift = centre - 1j * mean if mean else centre

    def scaled(v: Complexes) -> Complexes:
        return (apply(v) - shift * v) / half

    for _ in range(pieces):
        vector = factor * _sum_series(scaled, series, vector)
    return vector


def damped_growth(half: float, decay: float) -> tuple[float, float]:
    """How a series grows off the real axis, and how long it may therefore be.

    The spectrum of H - i D lies in a rectangle around that of H.  There T_k(z) grows like r^k on
    the ellipse with foci -1 and 1 through z whose half axes add up to r, and round-off with it.

    Parameters
    ----------
    half : float
        Half the width of the spectrum of H.
    decay : float
        Largest eigenvalue of D in size.

    Returns
    -------
    growth, longest : float
        r at the corner of the rectangle, and the longest ``half * time`` of one series for which
        round-off stays below 1e-11.
    """
    corner = 1.0 + 1j * decay / half
    growth = float(abs(corner + np.sqrt(corner - 1.0) * np.sqrt(corner + 1.0)))
    if growth == 1.0:
        return growth, _LONGEST
    return growth, min(_LONGEST, max(1.0, _GROWTH / float(np.log(growth)) - _TAIL))


def _sum_series(scaled: Apply, series: Complexes, vector: Complexes) -> Complexes:
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


def damped_step(
    apply: Apply, radius: float, vector: Complexes, time: float, tolerance: float
) -> tuple[Complexes, float]:
    """Return exp(G time) vector for a G whose spectrum lies around the imaginary axis.

    With phi_k = i^k T_k(G / i radius) the recurrence phi_k+1 = 2 G/radius phi_k + phi_k-1 and the
    series exp(G t) = sum_k (2 - delta_k0) J_k(radius t) phi_k(G) have real coefficients: whatever
    symmetry G preserves, Hermiticity of a density matrix for one, every term has.  The series
    converges for any G; how many terms it takes and what round-off does to them depends on how
    well ``radius`` bounds the imaginary parts, and on real parts, which should lie around zero
    and be smaller than a few over ``time``.

    Parameters
    ----------
    apply : callable
        Vector to G vector.
    radius : float
        About the largest imaginary part of the eigenvalues, positive.
    vector : (dim,) ndarray
        Initial vector.
    time : float
        Positive.
    tolerance : float
        Norm of the terms at which the series is cut.

    Returns
    -------
    result : (dim,) ndarray
    error : float
        Bound of the round-off in its norm; infinite if the series has not converged.
    """
    width = radius * time
    most = ceil(width + 24.0 * (cbrt(width) + 4.0)) + 60
    weights = 2.0 * jv(np.arange(most), width)
    before, now = vector, apply(vector) / radius
    total = weights[0] / 2.0 * before + weights[1] * now
    round_off = float(np.linalg.norm(vector))
    small = 0
    for k, weight in enumerate(weights[2:], start=2):
        after = apply(now)
        after *= 2.0 / radius
        after += before
        before, now = now, after
        total += weight * now
        size = abs(weight) * float(np.linalg.norm(now))
        # The recurrence carries the round-off of every step on as it does the term itself.
        round_off += k * size
        # Beyond the width the Bessel functions only fall; one may be near a zero before.
        small = small + 1 if k > width and size <= tolerance else 0
        if small == 2:
            return total, round_off * float(np.finfo(float).eps)
        if not np.isfinite(size):
            break
    return total, float("inf")
