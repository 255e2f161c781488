"""Density matrices as matrix product states, under Trotter steps of a Lindbladian or by TDVP.

Where nothing reaches beyond neighbours, the generator of every bond, its part of -i[H, rho] and of
the jumps on its sites, is a Lindbladian of its own, so that every gate of orders 1 and 2 is a
physical map: positive, trace-preserving.  What reaches over three neighbours, as jump operators of
windows of three spins do, becomes gates on pairs of sites (`pair_gates`).  Order 4 has steps back
in time, in which damping is growth; it is refused where that is not small.  Couplings of any range
go through two-site TDVP of the Lindbladian, whose projection is one more error.

Truncation is in the Hilbert-Schmidt norm and keeps neither trace nor positivity: both are reported
(`DensityMPS.trace`, ``trace_error``, ``smallest_eigenvalue``), and what is measured is divided by
the trace.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from tnspin.schema import register
from tnspin.schema.types import Count, Fraction, Share
from tnspin.solvers.start import Problem
from tnspin.solvers.tebd import TrotterSolver


@register
@dataclass(frozen=True)
class DensityMatrix(TrotterSolver):
    """The density matrix as a matrix product state, for open and closed systems.

    Parameters
    ----------
    bond_dim
        Largest number of Schmidt values, of the vector of matrix elements, that an update keeps.
    cutoff
        Weight of the vector of matrix elements that an update may discard.
    engine
        "tebd", "tdvp", or "auto": "tebd" where terms and jumps reach no further than neighbours,
        or the next ones in chains of spins 1/2.
    tolerance
        Error of each local exponential of TDVP.
    jump_tolerance
        Relative error of the dissipators of jumps on more than three sites, which become matrix
        product operators.
    """

    kind = "density_matrix"
    represents: ClassVar[str] = "density_mps"
    accepts: ClassVar[tuple[str, ...]] = ("bath",)
    context: ClassVar[tuple[str, ...]] = ("ledger", "jumps")
    kernels: ClassVar[tuple[str, ...]] = ("tebd",)
    referee: ClassVar[str] = "master_equation"
    loops: ClassVar[str] = "yes"

    bond_dim: Count = 200
    cutoff: Fraction = 1e-10
    engine: Literal["auto", "tebd", "tdvp"] = "auto"
    tolerance: Share = 1e-10
    jump_tolerance: Share = 1e-6

    def unused_keys(self, problem: Problem) -> tuple[str, ...]:
        """The tolerance of TDVP, unless that is asked for."""
        return () if self.engine == "tdvp" else ("tolerance",)

    @classmethod
    def motion(cls) -> type[Any]:
        """Class of the evolution."""
        from tnspin.solvers.density_matrix.evolve import DensityMotion

        return DensityMotion
