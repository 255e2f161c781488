"""Krylov spaces of operators known by their action: exponential and lowest eigenvector."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
#: Largest Krylov space; beyond it the step is cut.
_MOST = 30
#: A remainder of this share of the operator's norm ends the Krylov space.
_INVARIANT = 1e-14
_TAYLOR_TERMS = 16


def exponential(
    apply: Callable[[Array], Array],
    vector: Array,
    factor: complex,
    *,
    tolerance: float,
    hermitian: bool = True,
) -> Array:
    """exp(factor A) vector by Lanczos (Hermitian A) or Arnoldi.

    The error is estimated by the first neglected term, |factor| h phi_1(factor H)[last, first],
    h being what leads out of the Krylov space (Y. Saad, SIAM J. Numer. Anal. 29, 209 (1992)).

    Parameters
    ----------
    apply
        A on a complex vector (n,).
    vector
        Not zero.
    factor
        Any complex number.
    tolerance
        Error relative to the norm of ``vector``.
    hermitian
        Whether A is.
    """
    scale = float(np.linalg.norm(vector))
    vector = vector / scale
    done, share = 0.0, 1.0
    while done < 1.0:
        share = min(share, 1.0 - done)
        vector, share = _step(apply, vector, factor, share, tolerance, hermitian)
        done += share
        if 1.0 - done < 1e-12:
            break
        share *= 2.0
    return vector * scale


def _step(
    apply: Callable[[Array], Array],
    vector: Array,
    factor: complex,
    share: float,
    tolerance: float,
    hermitian: bool,
) -> tuple[Array, float]:
    """exp(share factor A) vector, the share being halved until the error allows it."""
    norm = float(np.linalg.norm(vector))
    most = min(_MOST, vector.size)
    basis = np.empty((most, vector.size), dtype=np.complex128)
    small = np.zeros((most + 1, most), dtype=np.complex128)
    basis[0] = vector / norm
    for j in range(most):
        image = apply(basis[j])
        for _ in range(1 if hermitian else 2):
            overlap = (basis[: j + 1] @ image.conj()).conj()
            image = image - overlap @ basis[: j + 1]
            small[: j + 1, j] += overlap
        rest = float(np.linalg.norm(image))
        size = float(np.abs(small[: j + 1, : j + 1]).max())
        whole = j + 1 == vector.size or rest <= _INVARIANT * size
        if j > 0 or whole:
            weights, error = _weights(small[: j + 1, : j + 1], share * factor, hermitian)
            if whole or rest * error < tolerance:
                return norm * (weights @ basis[: j + 1]), share
        small[j + 1, j] = rest
        if j + 1 < most:
            basis[j + 1] = image / rest
    while True:
        share /= 2.0
        weights, error = _weights(small[:most], share * factor, hermitian)
        if rest * error < tolerance * share:
            return norm * (weights @ basis), share


def _weights(small: Array, factor: complex, hermitian: bool) -> tuple[Array, float]:
    """First column of exp(factor H), and |factor phi_1(factor H)[last, first]|."""
    if hermitian:
        values, vectors = np.linalg.eigh(small)
        start = vectors[0].conj()
        exponent = factor * values
        weights = vectors @ (np.exp(exponent) * start)
        # phi_1(z) = (e^z - 1) / z, one at zero.
        safe = np.where(np.abs(exponent) < 1e-8, 1.0, exponent)
        phi = np.where(np.abs(exponent) < 1e-8, 1.0 + exponent / 2, np.expm1(safe) / safe)
        return weights, abs(factor * (vectors[-1] @ (phi * start)))
    # The last column of exp([[z H, z e_1], [0, 0]]) is z phi_1(z H) e_1.
    n = small.shape[0]
    padded = np.zeros((n + 1, n + 1), dtype=np.complex128)
    padded[:n, :n] = factor * small
    padded[0, n] = factor
    both = _small_exponential(padded)
    return both[:n, 0], abs(both[n - 1, n])


def _small_exponential(matrix: Array) -> Array:
    """Taylor series of a scaled matrix, squared back; for a few rows that is the fastest."""
    norm = float(np.abs(matrix).sum(axis=0).max())
    squarings = max(0, int(np.ceil(np.log2(max(norm, 1e-300)))) + 1)
    scaled = matrix / 2.0**squarings
    term = np.eye(matrix.shape[0], dtype=np.complex128)
    total = term.copy()
    for k in range(1, _TAYLOR_TERMS + 1):
        term = term @ scaled / k
        total += term
    for _ in range(squarings):
        total = total @ total
    return total


def lowest(
    apply: Callable[[Array], Array],
    start: Array,
    *,
    tolerance: float,
    steps: int,
    least: int = 1,
) -> tuple[float, Array]:
    """Lowest eigenvalue and its eigenvector, by Lanczos with full reorthogonalization.

    Parameters
    ----------
    apply
        The operator on a vector (n,).
    start
        First vector, not zero.
    tolerance
        Norm of the residual ``H v - E v`` at which to stop.
    steps, least
        Largest dimension of the Krylov space, and the smallest at which the residual counts.

    Returns
    -------
    energy : float
    vector : ndarray (n,)
        Normalized.
    """
    steps = min(steps, start.size)
    basis = np.empty((steps, start.size), dtype=start.dtype)
    small = np.zeros((steps, steps))
    basis[0] = start / np.linalg.norm(start)
    for j in range(steps):
        image = apply(basis[j])
        small[j, j] = np.vdot(basis[j], image).real
        # Twice is enough (Kahan, Parlett).
        for _ in range(2):
            image = image - (basis[: j + 1].conj() @ image) @ basis[: j + 1]
        values, vectors = np.linalg.eigh(small[: j + 1, : j + 1])
        rest = float(np.linalg.norm(image))
        scale = max(abs(values[0]), abs(values[-1]), 1e-300)
        done = j + 1 >= least and rest * abs(vectors[j, 0]) < tolerance
        if done or j + 1 == steps or rest < 1e-14 * scale:
            break
        basis[j + 1] = image / rest
        small[j, j + 1] = small[j + 1, j] = rest
    vector = vectors[:, 0] @ basis[: j + 1]
    return float(values[0]), vector / np.linalg.norm(vector)
