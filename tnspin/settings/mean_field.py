"""The keys of mean fields, as a solver and beside a quantum run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from tnspin.schema import require
from tnspin.settings.ranges import check_ranges

__all__ = ["MeanField", "MeanFieldBeside"]


@dataclass(frozen=True)
class MeanField:
    """Product states: ``hartree``, the reduction of the Lindblad equation for any spins, or
    ``printed``, the generalized Landau-Lifshitz equation of OHM Eqs. 12-14.

    ``damping``: alpha of ``printed``, whose D has alpha B_eff added (OHM Fig. 2).
    """

    variant: Literal["hartree", "printed"] = "hartree"
    damping: float = 0.0
    tolerance: float = 1e-10
    kind: ClassVar[str] = "mean_field"

    def __post_init__(self) -> None:
        _check_mean_field("solver", self)


@dataclass(frozen=True)
class MeanFieldBeside:
    """A mean field beside a quantum run: ``classical_spin`` in the result, and a verdict.

    Keys as for `MeanField`; ``within`` is the largest difference of any spin that still counts as
    agreement.
    """

    variant: Literal["hartree", "printed"] = "hartree"
    damping: float = 0.0
    tolerance: float = 1e-10
    within: float = 0.05
    kind: ClassVar[str] = "mean_field"

    def __post_init__(self) -> None:
        _check_mean_field("classical", self)


def _check_mean_field(section: str, keys: MeanField | MeanFieldBeside) -> None:
    allowed = "0 or more" if keys.variant == "printed" else "0: only variant 'printed' has one"
    fits = keys.damping >= 0 if keys.variant == "printed" else keys.damping == 0
    require(fits, f"{section}.damping", keys.damping, allowed)
    check_ranges(section, keys)
