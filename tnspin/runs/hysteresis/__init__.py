"""Hysteresis: a field swept down and up, with any solver that continues from its own states."""

from __future__ import annotations

from tnspin.runs.hysteresis.loop import (
    TILT,
    Loop,
    check_loop,
    coercive_fields,
    hysteresis_loop,
    steady_spins,
)

__all__ = [
    "TILT",
    "Loop",
    "check_loop",
    "coercive_fields",
    "hysteresis_loop",
    "steady_spins",
]
