"""Lowest eigenvector of a Hermitian operator known by its action."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def lowest(
    apply: Callable[[Array], Array],
    start: Array,
    *,
    tolerance: float,
    steps: int,
    least: int = 1,
) -> tuple[float, Array]:
    """Lanczos with full reorthogonalization in one Krylov space.

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
