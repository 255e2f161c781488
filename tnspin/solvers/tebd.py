"""Matrix product states under Trotter steps: time-evolving block decimation (tDMRG)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from tnspin.schema import register
from tnspin.schema.types import Count, Fraction, Order, Positive, Threads
from tnspin.solvers.solver import Solver

if TYPE_CHECKING:
    from tnspin.solvers.evolution.motion import Motion


@dataclass(frozen=True)
class TrotterSolver(Solver):
    """Keys of the solvers that take Trotter steps of tensor networks.

    Parameters
    ----------
    dt
        Largest Trotter step; each interval between output times is divided evenly.
    order
        Order of the Trotter formula.
    bond_dim
        Largest number of Schmidt values that an update keeps.
    cutoff
        Weight that an update may discard: it keeps as few Schmidt values as that allows.  Below
        1e-12 the first 64 are dropped only if their weight is below the cutoff squared.
    threads
        Number of updates that run in parallel; results do not depend on it.
    method
        Decomposition of the blocks: one method for all, or a suitable one for each (``auto``).
    """

    dt: Positive = 0.1
    order: Order = 2
    bond_dim: Count = 400
    cutoff: Fraction = 1e-7
    threads: Threads = 0
    method: Literal["auto", "svd", "gram", "range"] = "auto"


@register
@dataclass(frozen=True)
class Tebd(TrotterSolver):
    """Time-evolving block decimation of matrix product states, for terms of neighbours.

    The error of a step is that of the Trotter formula and the weight discarded, which the ledger
    reports for each bond.
    """

    kind = "tebd"
    mixes: ClassVar[bool] = False
    context: ClassVar[tuple[str, ...]] = ("ledger",)
    kernels: ClassVar[tuple[str, ...]] = ("tebd",)
    referee: ClassVar[str] = "exact"
    pilots: ClassVar[bool] = True

    @classmethod
    def motion(cls) -> type[Motion]:
        """Class of the evolution."""
        from tnspin.solvers.evolution.motion import TebdMotion

        return TebdMotion
