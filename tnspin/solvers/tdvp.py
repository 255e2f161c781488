"""Matrix product states under Hamiltonians of any range: two-site TDVP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tnspin.schema import register
from tnspin.schema.types import Count, Fraction, Positive, Share, Threads
from tnspin.solvers.solver import Solver

if TYPE_CHECKING:
    from tnspin.solvers.evolution.motion import Motion


@register
@dataclass(frozen=True)
class Tdvp(Solver):
    """Two-site time-dependent variational principle, for Hamiltonians of any range.

    The error of a step is of third order; coefficients that depend on time are taken at the middle
    of each step.

    Parameters
    ----------
    dt
        Largest step; each interval between output times is divided evenly.
    bond_dim
        Largest number of Schmidt values that a split keeps.
    cutoff
        Weight that a split may discard: it keeps as few Schmidt values as that allows.  Below
        1e-12 the first 64 are dropped only if their weight is below the cutoff squared.
    tolerance
        Error of each local exponential, of which a step has four per site.
    threads
        Number of threads that share each product; results do not depend on it.
    """

    kind = "tdvp"
    mixes: ClassVar[bool] = False
    context: ClassVar[tuple[str, ...]] = ("ledger",)
    kernels: ClassVar[tuple[str, ...]] = ("tebd", "tdvp")
    referee: ClassVar[str] = "exact"

    dt: Positive = 0.1
    bond_dim: Count = 400
    cutoff: Fraction = 1e-10
    tolerance: Share = 1e-9
    threads: Threads = 0

    @classmethod
    def motion(cls) -> type[Motion]:
        """Class of the evolution."""
        from tnspin.solvers.evolution.motion import TdvpMotion

        return TdvpMotion
