"""Evolution of product states by the equation of motion of either mean field."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tnspin.errors import InputError, RunError
from tnspin.numerics.adaptive import dormand_prince
from tnspin.observables.snapshot import Progress
from tnspin.solvers.evolution.motion import Motion
from tnspin.solvers.mean_field.hartree import Hartree
from tnspin.solvers.mean_field.printed import GeneralizedLandauLifshitz
from tnspin.states.mean_field import SiteProduct

# Eigenvalues of the density matrix of a site may be this much below zero.
_SLACK = 1e-7


class ProductMotion(Motion):
    """A product state; every interval is computed from its initial state alone.

    It begins with a `SiteProduct`, or with any quantum state with one-site density matrices, whose
    correlations are dropped.
    """

    evolves = SiteProduct

    def begin(self, state: Any) -> SiteProduct:
        """Set up the equation of motion of the components of a state."""
        self.equation: Hartree | GeneralizedLandauLifshitz
        if self.solver.variant == "printed":
            damping = self.solver.damping
            self.equation = GeneralizedLandauLifshitz(self.model, self.bath, damping)
        else:
            self.equation = Hartree(self.model.hamiltonian, self.jumps)
        return SiteProduct.of(self.model, state)

    def advance(self, start: float, stop: float) -> Iterator[Progress]:
        """Move to ``stop`` by adaptive steps, and check that no eigenvalue is negative."""
        tolerance, x = self.solver.tolerance, self.equation.components(self.state)
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
