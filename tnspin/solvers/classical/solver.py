"""Classical spins of any spin model: the Landau-Lifshitz-Gilbert equation, also with noise.

The field is that of the model's own `OperatorSum`, each spin matrix replaced by S n; the
integrator keeps lengths and, without damping, the energy (`tnspin.solvers.classical.integrator`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, Self

from tnspin.schema import register
from tnspin.schema.checks import require
from tnspin.schema.types import (
    Count,
    Natural,
    NonNegative,
    Positive,
    Share,
    Temperature,
    Threads,
    Vector,
)
from tnspin.solvers.solver import Solver, check_realizations
from tnspin.solvers.start import Jumps, Problem


@register
@dataclass(frozen=True)
class Llg(Solver):
    """Classical spins by the Landau-Lifshitz-Gilbert equation, with noise at a temperature.

    Parameters
    ----------
    damping
        Gilbert damping: one number, or one per spin.
    torque
        Vectors p of the spin-transfer torque n x (p x n), repeated along the chain; none if empty.
    dt
        Largest step; each interval between output times is divided evenly.
    order
        Order of the error in ``dt``.
    limit
        What replaces products of spin operators on one site: products of their mean values
        (``large_spin``), or the mean value of the product in a coherent state (``coherent``).
    temperature
        Temperature of the noise.
    realizations
        Realizations of the noise, unless the initial state has several already.
    seed
        Seed of the noise, which depends on the start of an interval and nothing else.
    tolerance
        Change of a unit vector at which the iteration of a step ends.
    iterations
        Iterations of a step: 0 as many as needed, or 2 (with order 2) for predictor and corrector,
        fastest for many spins.
    threads
        Number of threads; results do not depend on it.
    """

    kind = "llg"
    represents: ClassVar[str] = "classical"
    classical: ClassVar[bool] = True
    loops: ClassVar[str] = "tilted"

    damping: NonNegative | tuple[NonNegative, ...] = 0.0
    torque: tuple[Vector, ...] = ()
    dt: Positive = 0.02
    order: Literal[2, 4] = 4
    limit: Literal["large_spin", "coherent"] = "large_spin"
    temperature: Temperature = 0.0
    realizations: Count = 1
    seed: Natural = 0
    tolerance: Share = 1e-15
    iterations: Natural = 0
    threads: Threads = 0

    @property
    def noisy(self) -> bool:
        """Whether there is a temperature."""
        return self.temperature > 0

    def check(self) -> None:
        """Several realizations need noise; one iteration is no implicit step."""
        check_realizations(self)
        allowed = "0 (as many as needed) or 2 to 99"
        fits = self.iterations in (0, *range(2, 100))
        require(fits, f"{self.section}.iterations", self.iterations, allowed)

    @property
    def damped(self) -> bool:
        """Whether there is damping or a torque."""
        values = self.damping if isinstance(self.damping, tuple) else (self.damping,)
        return any(values) or bool(self.torque)

    def check_problem(self, problem: Problem) -> None:
        """Refuse models without a classical energy."""
        from tnspin.operators.classical.energy import energy_of

        super().check_problem(problem)
        energy_of(problem.model, self.limit)

    def prepare(self, problem: Problem, jumps: Jumps) -> Callable[[], Any]:
        """Builder of unit vectors along the spins; of product states without its matrices."""
        from tnspin.states.classical import ClassicalState
        from tnspin.states.initial.slater import SlaterProduct

        if isinstance(problem.initial, SlaterProduct):
            return lambda: ClassicalState.of(problem.model, problem.initial)
        return lambda: ClassicalState.of(problem.evolved, problem.initial.to_mps())

    @classmethod
    def motion(cls) -> type[Any]:
        """Class of the evolution."""
        from tnspin.solvers.classical.evolve import ClassicalMotion

        return ClassicalMotion

    def at_field(self, number: int) -> Self:
        """With a seed of this field's own: noise is a function of seed and time."""
        if not self.temperature:
            return self
        from numpy.random import SeedSequence

        sequence = SeedSequence([self.seed, number])
        return replace(self, seed=int(sequence.generate_state(1)[0]))

    def turned(self, model: Any, state: Any, angle: float) -> Any:
        """The state with all spins turned by an angle about y, for hysteresis loops."""
        from tnspin.states.classical import ClassicalState

        now = state if isinstance(state, ClassicalState) else ClassicalState.of(model, state)
        return now.rotated(angle)
