"""The Lindblad equation for the whole density matrix: what quantum trajectories converge to.

Between two output times exp(L t) acts on rho by a Chebyshev series in the generator, whose
eigenvalues lie near the imaginary axis if the baths are weak: the number of products with it is
about the width of the spectrum of H times the time, as for a closed system.  Its error is known
from the terms left out; the step is halved wherever damping would let round-off grow.  A driven H
takes steps of the extrapolated midpoint rule (`tnspin.numerics.adaptive`).

Baths that act on every level of a larger constant H are faster in its eigenbasis (`eigenbasis`):
four spins 5/2 with 1296 states are a matter of minutes.

rho stays Hermitian to the last bit; its trace and positivity are checked at every output time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from tnspin.errors import InputError
from tnspin.schema import register
from tnspin.schema.types import Range
from tnspin.solvers.solver import Solver
from tnspin.solvers.start import GIB, Jumps, Problem, reachable_sectors, vectors

# Copies of the density matrix that a run works with.
_MATRICES = 8


@register
@dataclass(frozen=True)
class MasterEquation(Solver):
    """The Lindblad equation of the whole density matrix, in blocks of its charges.

    Parameters
    ----------
    tolerance
        Error of each interval (constant H) or of each step (time-dependent H) in the Frobenius
        norm of rho.
    method
        Chebyshev series in the product basis, or Runge-Kutta steps in the interaction picture;
        "auto" takes the latter for 100 to 4096 levels without electrons and a constant H.
    """

    kind = "master_equation"
    represents: ClassVar[str] = "density"
    accepts: ClassVar[tuple[str, ...]] = ("bath", "reaction_coordinate", "ancillas")
    context: ClassVar[tuple[str, ...]] = ("jumps",)
    loops: ClassVar[str] = "yes"

    tolerance: Annotated[float, Range(least=1e-13, most=1e-2)] = 1e-10
    method: Literal["auto", "series", "eigenbasis"] = "auto"

    @classmethod
    def motion(cls) -> type[Any]:
        """Class of the evolution."""
        from tnspin.solvers.lindblad.master_equation import DenseMotion

        return DenseMotion

    def is_dense(self, problem: Problem, names: Sequence[str]) -> bool:
        """Always."""
        return True

    def prepare(self, problem: Problem, jumps: Jumps) -> Callable[[], Any]:
        """Builder of state vectors, once the density matrix is known to fit."""
        from tnspin.states.density import MOST_ELEMENTS

        names = self.charges(problem, jumps)
        bases = reachable_sectors(problem, names, jumps)
        states, elements = (sum(float(basis.dim) ** n for basis in bases) for n in (1, 2))
        if elements > MOST_ELEMENTS:
            raise InputError(
                f"solver.kind = 'master_equation': a density matrix of {states:.1e} states needs "
                f"{16 * elements / GIB:.1f} GiB and several times that to work with; at most "
                f"{MOST_ELEMENTS**0.5:.0f} states of the same charges fit; use 'trajectories', or "
                "fewer sites or spins"
            )
        return vectors(problem, names)

    def memory(self, problem: Problem) -> float | None:
        """Bytes of the density matrix and its copies."""
        from tnspin.states.density import MOST_ELEMENTS

        elements = self.size(problem).elements
        return 16 * _MATRICES * elements if elements <= MOST_ELEMENTS else None
