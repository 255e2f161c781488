r"""Jump operators without eigenvectors: functions of the commutator with H by series and integrals.

With :math:`f(w) = \sqrt{2\pi j(w)}` and :math:`\mathrm{ad} X = [H, X]` a jump operator is
:math:`L = f(\mathrm{ad}) X`.

``chebyshev``
    A polynomial in ad on the interval of all differences of levels; only products with H.
``time_integral``
    :math:`L = \int g(t)\, X(t)\, dt` over the Heisenberg picture, g the Fourier transform of f
    (FATE below Eq. 4).
``taylor``
    The power series of FATE Eq. 4 (PRA Eq. 18), for comparison.  The Bose function has poles at
    :math:`\pm 2\pi i T`: the series diverges for transitions beyond :math:`2\pi T`, and it knows
    no cutoff.  Both are refused.

Neither a polynomial nor an integral over a finite time can follow the step of a hard cutoff.
Unless all differences of levels are below it, f is rounded off over the width ``bath.edge`` by an
error function: only transitions further than about four widths from the cutoff are right to 1e-8.
"""

from __future__ import annotations

from collections.abc import Callable
from math import pi
from typing import Any, NamedTuple

import numpy as np
import scipy.fft
import scipy.linalg
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.special import bernoulli, erfc, gamma

from tnspin.baths.ohmic import OhmicBath
from tnspin.errors import InputError
from tnspin.numerics.arrays import Complexes, Reals
from tnspin.numerics.chebyshev import lanczos_bounds
from tnspin.operators.sites import Matrix

# Coefficients of a series below this share of the largest are left out.
_SMALL = 1e-13
# Most terms, and the share of the largest that the last may then have.
_MOST_TERMS = 2**13
_LEAST = 1e-6
# The error function is 0 or 1, to double precision, so many widths from its step.
_TAIL = 6.0
_TAYLOR_TERMS = 300
_GROWN = 1e3
# Elements of X between eigenstates below this share of the largest are round-off.
_NOISE = 1e-10


def approximate(hamiltonian: Matrix, coupling: Matrix, bath: OhmicBath) -> Matrix:
    """Return the jump operator of a coupling operator by the method that the bath names.

    Parameters
    ----------
    hamiltonian, coupling : (D, D) ndarray
        H of the spins that the bath sees, and X, in one product basis.
    bath : OhmicBath
        Its ``method`` is any but "exact".

    Returns
    -------
    (D, D) complex ndarray

    Raises
    ------
    InputError
        If the series does not converge; the message says why.
    """
    if bath.gamma == 0:
        return np.zeros(coupling.shape, dtype=np.complex128)
    methods = {"chebyshev": _chebyshev, "time_integral": _time_integral, "taylor": _taylor}
    return methods[bath.method](hamiltonian, coupling, bath)


# ---------------------------------------------------------------------- the function to expand


def _spread(hamiltonian: Matrix) -> float:
    """Upper bound of the differences of levels, positive."""
    sparse = sp.csr_array(hamiltonian)
    low, high = lanczos_bounds(lambda v: sparse @ v, len(hamiltonian))
    return max(high - low, float(np.finfo(float).eps))


def _is_cut(bath: OhmicBath, width: float) -> bool:
    """Whether a hard cutoff lies among the differences of levels."""
    return bath.cutoff == "hard" and width > bath.omega_max


def _profile(omega: NDArray[Any], bath: OhmicBath, width: float) -> Reals:
    """f where all differences of levels are at most ``width``, rounded off at a hard cutoff."""
    if _is_cut(bath, width):
        smooth = np.sqrt(bath.rate(omega, cutoff="none"))
        return smooth * _step(omega, bath.omega_max, bath.edge)
    return np.sqrt(bath.rate(omega, cutoff="none" if bath.cutoff == "hard" else ""))


def _step(omega: NDArray[Any], edge: float, width: float) -> Reals:
    """One inside [-edge, edge], zero outside, with erf steps of the given width."""
    return np.asarray(0.5 * erfc((np.abs(omega) - edge) / width))


def _converged(coefficients: Callable[[int], Complexes], bath: OhmicBath) -> Complexes:
    """Coefficients of a series, as many as it takes for the rest to be negligible."""
    count = 32
    while True:
        found = coefficients(count)
        size = np.abs(found) / np.abs(found).max()
        last = float(size[-(count // 8) :].max())
        if last <= _SMALL or count >= _MOST_TERMS:
            break
        count *= 2
    if last > _LEAST:
        raise InputError(
            f"bath.method = {bath.method!r}: not converged with {count} terms (the last are"
            f" {last:.0e} of the largest); use 'exact', a larger bath.edge or a higher temperature"
        )
    return found[: int(np.flatnonzero(size > _SMALL)[-1]) + 1]


# ---------------------------------------------------------------------- the methods


def _chebyshev(hamiltonian: Matrix, coupling: Matrix, bath: OhmicBath) -> Matrix:
    """Sum of c_k T_k(ad / width) X by the three-term recurrence."""
    width = _spread(hamiltonian)

    def coefficients(count: int) -> Complexes:
        nodes = np.cos((np.arange(count) + 0.5) * pi / count)
        series = scipy.fft.dct(_profile(width * nodes, bath, width)) / count
        series[0] /= 2.0
        return np.asarray(series)

    sparse = sp.csr_array(hamiltonian / width)
    series = _converged(coefficients, bath)
    before = np.zeros(coupling.shape, dtype=np.complex128)
    now = coupling.astype(np.complex128)
    total = series[0] * now
    for k, weight in enumerate(series[1:]):
        image = sparse @ now - now @ sparse
        before, now = now, (image if k == 0 else 2.0 * image - before)
        total = total + weight * now
    return np.asarray(total)


class Quadrature(NamedTuple):
    """Trapezoidal rule of an integral over X(t): ``w_0 X + sum_k w_k X(k step) + h.c.'s``.

    The weight of ``X(-k step)`` is the conjugate of that of ``X(k step)``.

    Attributes
    ----------
    weights
        (n,) complex, from t = 0 on.
    step
        Distance of the times.
    tail
        Sum of the absolute weights left out.
    """

    weights: Complexes
    step: float
    tail: float = 0.0

    def shortened(self, share: float) -> Quadrature:
        """Leave out late times whose weights add to less than a share of the largest weight."""
        rest = 2.0 * np.cumsum(np.abs(self.weights)[::-1])[::-1]
        kept = max(1, int(np.count_nonzero(rest > share * np.abs(self.weights).max())))
        tail = self.tail + (float(rest[kept]) if kept < rest.size else 0.0)
        return Quadrature(self.weights[:kept], self.step, tail)


def quadrature(bath: OhmicBath, width: float, smooth: float = 0.0) -> Quadrature:
    """Return weights and times at which to sum X(t).

    Parameters
    ----------
    bath : OhmicBath
        Its f is what the integral stands for.
    width : float
        Largest difference of levels.
    smooth : float
        Least width over which f may fall to zero beyond all differences of levels.

    Raises
    ------
    InputError
        If f is too sharp for any sum.
    """
    cut = _is_cut(bath, width)
    # f must vanish at the ends of its period; beyond all differences of levels it may.
    fall = bath.edge if cut else max(bath.edge, width / _TAIL, smooth)
    outer = bath.omega_max if cut else width + _TAIL * fall
    support = outer + _TAIL * fall
    period = support + max(support, width)

    def coefficients(count: int) -> Complexes:
        omega = (np.arange(2 * count) - count) * (period / (2 * count))
        values = _profile(omega, bath, width)
        if not cut:
            values = values * _step(omega, outer, fall)
        return np.asarray(np.fft.fft(np.fft.ifftshift(values))[:count] / (2 * count))

    return Quadrature(_converged(coefficients, bath), 2 * pi / period)


def _time_integral(hamiltonian: Matrix, coupling: Matrix, bath: OhmicBath) -> Matrix:
    """Integral of g(t) X(t) by the trapezoidal rule, which is a Fourier series of f."""
    rule = quadrature(bath, _spread(hamiltonian))
    step = scipy.linalg.expm(-1j * rule.step * hamiltonian)
    total = rule.weights[0] * coupling.astype(np.complex128)
    later = earlier = coupling
    for weight in rule.weights[1:]:
        later = step.conj().T @ later @ step
        earlier = step @ earlier @ step.conj().T
        total = total + weight * later + weight.conjugate() * earlier
    return np.asarray(total)


def _taylor(hamiltonian: Matrix, coupling: Matrix, bath: OhmicBath) -> Matrix:
    """Power series in ad, in the form of FATE Eq. 4."""
    energies, vectors = np.linalg.eigh(hamiltonian)
    elements = np.abs(vectors.conj().T @ coupling @ vectors)
    gaps = np.abs(energies[:, None] - energies[None, :])
    largest = float(gaps[elements > _NOISE * elements.max()].max())
    _check_taylor(bath, largest)
    unit = bath.temperature if bath.sign == "kms" else -bath.temperature
    scale = np.sqrt(2 * pi * bath.gamma * bath.temperature / bath.omega_max)
    term = coupling.astype(np.complex128)
    total = np.zeros_like(term)
    first = last = 0.0
    for weight in taylor_coefficients(_TAYLOR_TERMS):
        total = total + scale * weight * term
        last = abs(scale * weight) * float(np.linalg.norm(term))
        first = first or last
        # Where levels lie further apart than transitions, their round-off grows.
        if 0 < last <= _SMALL * first or last > _GROWN * first:
            break
        term = (hamiltonian @ term - term @ hamiltonian) / unit
    if last > _SMALL * first:
        raise InputError(
            f"bath.method = 'taylor': not converged within {_TAYLOR_TERMS} terms; transitions of"
            f" {largest:.4g} are too close to the radius of convergence 2 pi T ="
            f" {2 * pi * bath.temperature:.4g}, or the spread of levels too far beyond it"
        )
    return total


def _check_taylor(bath: OhmicBath, largest: float) -> None:
    radius = 2 * pi * bath.temperature
    if bath.cutoff != "hard":
        raise InputError(
            f"bath.method = 'taylor': takes only bath.cutoff = 'hard', not {bath.cutoff!r}"
        )
    if largest >= radius:
        raise InputError(
            f"bath.method = 'taylor': the power series diverges beyond its radius of convergence"
            f" 2 pi T = {radius:.4g}, and the spins have transitions of {largest:.4g}; use 'exact',"
            " 'chebyshev' or 'time_integral'"
        )
    if largest > bath.omega_max:
        raise InputError(
            f"bath.method = 'taylor': the power series knows no cutoff, and the spins have"
            f" transitions of {largest:.4g} beyond bath.omega_max = {bath.omega_max:.4g}"
        )


def taylor_coefficients(count: int) -> Reals:
    """Coefficients of ``sqrt(x / (exp(x) - 1))`` in powers of x, (count,)."""
    with np.errstate(over="ignore", invalid="ignore"):
        inside = bernoulli(count - 1) / gamma(np.arange(count) + 1.0)
    even = np.arange(160, count, 2)
    if even.size:
        # B_n / n! where both overflow: 2 (-1)^(n/2+1) zeta(n) / (2 pi)^n, zeta(n) = 1.
        inside[160:] = 0.0
        inside[even] = -2.0 * np.cos(pi * even / 2) * (2 * pi) ** -even.astype(float)
    root = np.zeros(count)
    root[0] = 1.0
    for n in range(1, count):
        root[n] = (inside[n] - root[1:n] @ root[1:n][::-1]) / 2.0
    return root
