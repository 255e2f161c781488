"""Quantum electrons and classical spins together: the conventional spin-transfer torque.

    i dphi_a/dt = h(n, t) phi_a,    dn_i/dt = n_i x B_i - alpha_i n_i x dn_i/dt,   B_i = -dE/dS_i

Each step moves the electrons by half among standing spins (exactly: a Chebyshev series to
round-off), the spins by a whole under standing electrons (the implicit midpoint rule), and the
electrons by half again.  Either part keeps the energy of both, and the norms; so does their
symmetric composition to order 4 (Suzuki).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from tnspin.errors import InputError
from tnspin.schema import register
from tnspin.schema.types import NonNegative, Positive
from tnspin.solvers.solver import Solver
from tnspin.solvers.start import Jumps, Problem


@register
@dataclass(frozen=True)
class Hybrid(Solver):
    """Slater determinant of electrons among classical spins: the conventional torque.

    Parameters
    ----------
    damping
        Gilbert damping of the spins: one number, or one per localized spin.
    dt
        Largest step; each interval between output times is divided evenly.
    order
        Order of the error in ``dt``.
    limit
        What replaces products of spin operators on one site: products of their mean values
        (``large_spin``), or the mean value of the product in a coherent state (``coherent``).
    """

    kind = "hybrid"
    represents: ClassVar[str] = "hybrid"
    classical: ClassVar[bool] = True

    damping: NonNegative | tuple[NonNegative, ...] = 0.0
    dt: Positive = 0.1
    order: Literal[2, 4] = 4
    limit: Literal["large_spin", "coherent"] = "large_spin"

    @property
    def damped(self) -> bool:
        """Whether there is a damping."""
        values = self.damping if isinstance(self.damping, tuple) else (self.damping,)
        return any(values)

    def check_problem(self, problem: Problem) -> None:
        """Refuse baths, chains without electrons, interacting ones, and spins without direction."""
        super().check_problem(problem)
        self.check_hybrid(problem)

    def check_hybrid(self, problem: Problem) -> None:
        """Refuse chains without electrons, interacting ones, and spins without direction."""
        from tnspin.operators.classical.electrons import hybrid_energy_of
        from tnspin.states.hybrid import HybridState

        hybrid_energy_of(problem.model, self.limit)
        HybridState.of(problem.model, problem.initial)
        count = len(problem.model.localized_sites)
        if isinstance(self.damping, tuple) and len(self.damping) != count:
            raise InputError(
                f"{self.section}.damping: {len(self.damping)} values for {count} localized spins"
            )

    def prepare(self, problem: Problem, jumps: Jumps) -> Callable[[], Any]:
        """Builder of orbitals and unit vectors."""
        from tnspin.states.hybrid import HybridState

        return lambda: HybridState.of(problem.model, problem.initial)

    @classmethod
    def motion(cls) -> type[Any]:
        """Class of the evolution."""
        from tnspin.solvers.hybrid.evolve import HybridMotion

        return HybridMotion
