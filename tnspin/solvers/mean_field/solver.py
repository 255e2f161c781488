"""Mean fields: the density matrix stays a product of one for each site (OHM Eq. 10).

`hartree` is the reduction of the Lindblad equation itself, for any model of spins and any jump
operators; `printed` is the generalized Landau-Lifshitz equation of OHM Eqs. 12-14.  Both are
integrated by the eighth-order Runge-Kutta method of Dormand and Prince.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from tnspin.schema import register
from tnspin.schema.checks import require
from tnspin.schema.types import NonNegative, Range
from tnspin.solvers.solver import Solver
from tnspin.solvers.start import Jumps, Problem


@register
@dataclass(frozen=True)
class MeanField(Solver):
    """Product states under any bath, or by the printed equation of open Heisenberg chains.

    Parameters
    ----------
    variant
        ``hartree``: the reduction of the Lindblad equation for any spins; ``printed``: the
        generalized Landau-Lifshitz equation of OHM Eqs. 12-14, for open Heisenberg chains.
    damping
        alpha of ``printed``, whose D has alpha B_eff added (OHM Fig. 2).
    tolerance
        Error of each step, relative to 1.
    """

    kind = "mean_field"
    represents: ClassVar[str] = "mean_field"
    accepts: ClassVar[tuple[str, ...]] = ("bath",)
    context: ClassVar[tuple[str, ...]] = ("jumps", "bath")
    loops: ClassVar[str] = "tilted"

    variant: Literal["hartree", "printed"] = "hartree"
    damping: NonNegative = 0.0
    tolerance: Annotated[float, Range(least=1e-13, most=1e-2)] = 1e-10

    def check(self) -> None:
        """Only the printed equation has a damping of its own."""
        fits = self.variant == "printed" or self.damping == 0
        allowed = "0: only variant 'printed' has one"
        require(fits, f"{self.section}.damping", self.damping, allowed)

    def check_problem(self, problem: Problem) -> None:
        """Refuse models and baths without a mean field."""
        super().check_problem(problem)
        from tnspin.solvers.mean_field.evolve import check_model

        check_model(problem.model, problem.bath, self.variant)

    def jumps(self, problem: Problem) -> list[Any]:
        """Jump operators of the bath; the printed equation takes the bath itself."""
        return [] if self.variant == "printed" else super().jumps(problem)

    def bath_context(self, bath: Any, jumps: Jumps) -> dict[str, Any]:
        """Jump operators, or the bath itself."""
        return {"bath": bath} if self.variant == "printed" else {"jumps": jumps}

    def prepare(self, problem: Problem, jumps: Jumps) -> Callable[[], Any]:
        """Builder of the initial state without its correlations."""
        from tnspin.states.mean_field import SiteProduct

        return lambda: SiteProduct.of(problem.model, problem.initial.to_mps())

    def conserved(self, model: Any, jumps: Jumps = ()) -> tuple[str, ...]:
        """Constants of motion; a mean field with a bath is no equation of a density matrix."""
        if self.variant == "printed" or any(jump.strength for jump in jumps):
            return ("norm",)
        return super().conserved(model, jumps)

    @classmethod
    def motion(cls) -> type[Any]:
        """Class of the evolution."""
        from tnspin.solvers.mean_field.evolve import ProductMotion

        return ProductMotion

    def turned(self, model: Any, state: Any, angle: float) -> Any:
        """The state with all spins turned by an angle about y, for hysteresis loops."""
        from tnspin.states.mean_field import SiteProduct

        return SiteProduct.of(model, state).rotated(angle)
