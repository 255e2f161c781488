"""Adaptive steps of order 8 (scipy's DOP853), for motion that has no structure to keep."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import DOP853

from tnspin.errors import RunError

__all__ = ["dormand_prince"]

Scalar = TypeVar("Scalar", np.float64, np.complex128)


def dormand_prince(
    motion: Callable[[float, NDArray[Scalar]], NDArray[Scalar]],
    x: NDArray[Scalar],
    start: float,
    stop: float,
    *,
    rtol: float,
    atol: float,
) -> Iterator[tuple[float, NDArray[Scalar]]]:
    """Yield (time, x) after every step; the last one ends at ``stop``.

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
