"""The keys of classical spins among quantum electrons, as a solver and beside a quantum run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from tnspin.schema import require
from tnspin.settings.ranges import check_ranges

__all__ = ["Hybrid", "HybridBeside"]


@dataclass(frozen=True)
class Hybrid:
    """A Slater determinant of electrons among classical spins with Gilbert ``damping`` (one number,
    or one per localized spin); ``limit``: what replaces products of spin operators on one site.
    """

    damping: float | tuple[float, ...] = 0.0
    dt: float = 0.1
    order: Literal[2, 4] = 4
    limit: Literal["large_spin", "coherent"] = "large_spin"
    kind: ClassVar[str] = "hybrid"

    def __post_init__(self) -> None:
        _check("solver", self)


@dataclass(frozen=True)
class HybridBeside:
    """Classical spins among quantum electrons beside a quantum run: ``classical_spin``,
    ``classical_torque`` and ``classical_electron_spin_total`` in the result, and a verdict.

    Keys as for `Hybrid`; ``within`` is the largest |S - n| of any spin that still counts as
    classical.
    """

    damping: float | tuple[float, ...] = 0.0
    within: float = 0.05
    dt: float = 0.1
    order: Literal[2, 4] = 4
    limit: Literal["large_spin", "coherent"] = "large_spin"
    kind: ClassVar[str] = "hybrid"

    def __post_init__(self) -> None:
        _check("classical", self)


def _check(section: str, keys: Hybrid | HybridBeside) -> None:
    values = keys.damping if isinstance(keys.damping, tuple) else (keys.damping,)
    require(min(values, default=-1) >= 0, f"{section}.damping", keys.damping, "0 or more")
    check_ranges(section, keys)
