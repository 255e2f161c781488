"""The keys of hysteresis loops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tnspin.schema import require

__all__ = ["Hysteresis"]


@dataclass(frozen=True)
class Hysteresis:
    """Instead of a run in time: a field swept from +largest to -largest and back.

    ``axis``: component of ``model.field`` that is swept, the others stay; ``steps`` of each sweep.
    At each field the state of the one before is evolved for a time ``hold``, or until no spin
    changes by more than ``settled`` in a twentieth of it.  ``tilt``: angle in radians by which
    mean fields and classical spins are turned first, about y, since spins along a field never leave
    it (default: pi/40, OHM Fig. 2).  ``steady``: whether a master equation also gives the state
    that never changes, where there is one.
    """

    axis: Literal["x", "y", "z"] = "z"
    largest: float = 2.0
    steps: int = 80
    hold: float = 200.0
    settled: float = 1e-8
    tilt: float | None = None
    steady: bool = True

    def __post_init__(self) -> None:
        require(self.largest > 0, "hysteresis.largest", self.largest, "above 0")
        require(1 <= self.steps <= 10**6, "hysteresis.steps", self.steps, "1 to 1000000")
        require(self.hold > 0, "hysteresis.hold", self.hold, "above 0")
        require(self.settled >= 0, "hysteresis.settled", self.settled, "0 or more")
