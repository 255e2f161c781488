"""Evolution of product states by the equation of motion of either mean field."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tnspin.errors import InputError, RunError
from tnspin.numerics.adaptive import dormand_prince
from tnspin.observables.snapshot import Progress
from tnspin.solvers.mean_field.hartree import Hartree
from tnspin.solvers.mean_field.printed import GeneralizedLandauLifshitz
from tnspin.solvers.solver import Motion

if TYPE_CHECKING:
    from tnspin.operators.jump_operator import JumpOperator

__all__ = ["ProductMotion", "check_model", "equation"]

# Eigenvalues of the density matrix of a site may be this much below zero.
_SLACK = 1e-7


@dataclass(eq=False)
class ProductMotion(Motion):
    """A product state; every interval is computed from its initial state alone.

    Attributes
    ----------
    equation
        Equation of motion of the components of a state.
    tolerance
        Error of each step.
    """

    equation: Hartree | GeneralizedLandauLifshitz
    tolerance: float

    def advance(self, start: float, stop: float) -> Iterator[Progress]:
        """Move to ``stop`` by adaptive steps, and check that no eigenvalue is negative."""
        tolerance, x = self.tolerance, self.equation.components(self.state)
        for time, latest in dormand_prince(
            self.equation, x, start, stop, rtol=tolerance, atol=tolerance
        ):
            x = latest
            yield Progress(time, 0, 0.0)
        self.state = self.equation.state(x)
        lowest = self.state.smallest_eigenvalue
        if lowest < -_SLACK - tolerance:
            raise RunError(
                f"mean field: at time {stop:g} a site has the eigenvalue {lowest:.1e}; use a "
                "smaller solver.tolerance"
            )


def check_model(model: Any, bath: Any = None, variant: str = "hartree") -> None:
    """Refuse a model or a bath that has no such mean field."""
    if variant == "printed":
        GeneralizedLandauLifshitz(model, bath)
    elif any(site.has_fermions for site in model.local_sites):
        raise InputError("solver.kind = 'mean_field': takes chains of spins alone, no electrons")


def equation(
    model: Any,
    *,
    jumps: Sequence[JumpOperator] = (),
    bath: Any = None,
    variant: str = "hartree",
    damping: float = 0.0,
) -> Hartree | GeneralizedLandauLifshitz:
    """Return the equation of motion; see `tnspin.solvers.mean_field.solver`."""
    if variant == "printed":
        return GeneralizedLandauLifshitz(model, bath, damping)
    return Hartree(model.hamiltonian, jumps)
