"""Checks of single values of the ``[state]`` table."""

from __future__ import annotations

from typing import Any

import numpy as np

from tnspin.errors import InputError

__all__ = ["finite", "integer"]


def integer(key: str, value: Any, low: int | None = None, high: int | None = None) -> int:
    """Return an integer in ``low..high``, or refuse with the name of the key."""
    lowest, highest = ("" if bound is None else str(bound) for bound in (low, high))
    allowed = f"an integer in {lowest}..{highest}" if lowest or highest else "an integer"
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise InputError(f"{key}: must be {allowed}, got {value!r}")
    if (low is not None and value < low) or (high is not None and value > high):
        raise InputError(f"{key}: must be {allowed}, got {value}")
    return int(value)


def finite(key: str, value: Any) -> float:
    """Return a finite number, or refuse with the name of the key."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise InputError(f"{key}: must be a number, got {value!r}")
    if not np.isfinite(value):
        raise InputError(f"{key}: must be finite, got {value}")
    return float(value)
