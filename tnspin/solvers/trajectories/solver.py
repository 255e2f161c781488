"""Open systems by quantum trajectories: averages of density matrices, with error bars.

Averages are taken of density matrices, and what is not linear in them (negativity, entropies) is
computed from the average.  The mean of the trajectories' own negativities is something else: it
depends on how the environment is thought to be watched, and rises where the true one does not.
Errors are those of the jackknife over chunks of trajectories, spread and bias together: the
negativity of a small sample is too large on average, and the bias, about 1/trajectories, is the
larger part where many states are mixed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from tnspin.schema import register
from tnspin.schema.checks import check_keys
from tnspin.schema.types import Count, Natural, NonNegative, Range, Threads
from tnspin.solvers.exact.solver import exact_start
from tnspin.solvers.solver import OnStep
from tnspin.solvers.start import MOST_AMPLITUDES, MOST_OF_ONE_ELECTRON, Jumps, Problem
from tnspin.solvers.tebd import TrotterSolver

if TYPE_CHECKING:
    from tnspin.observables.snapshot import Snapshot


@register
@dataclass(frozen=True)
class Trajectories(TrotterSolver):
    """Quantum jumps: wave functions, averaged as density matrices, with error bars.

    Parameters
    ----------
    trajectories
        Total number of wave functions, rounded up to whole chunks.
    chunk
        Trajectories of one piece of work, which is also the unit of the error estimate (jackknife);
        chunks are smaller where there would be fewer than four.
    seed
        Seed of the random numbers; results depend on neither executor nor number of workers.
    target_error
        Above 0: stop sampling as soon as the largest error of ``log_negativity`` at any time is
        below it; ``trajectories`` is then the most.
    workers
        Processes that share the work.
    engine
        What evolves one wave function: "exact" takes ``tolerance``, "tebd" the keys of `Tebd`;
        "auto" is "exact" where the amplitudes fit.
    tolerance
        Error of state vectors and of the times of jumps.
    dt
        Largest Trotter step, which is also the step of the decay.
    """

    kind = "trajectories"
    represents: ClassVar[str] = "average"
    accepts: ClassVar[tuple[str, ...]] = ("bath", "ancillas")
    context: ClassVar[tuple[str, ...]] = (
        "jumps", "observables", "options", "executor", "store",
    )  # fmt: skip
    saves: ClassVar[str] = "store"
    referee: ClassVar[str] = "master_equation"

    trajectories: Count = 200
    chunk: Count = 10
    seed: Natural = 0
    target_error: NonNegative = 0.0
    workers: Threads = 0
    engine: Literal["auto", "exact", "tebd"] = "auto"
    tolerance: Annotated[float, Range(least=1e-15, most=1e-2)] = 1e-8

    @classmethod
    def states(cls) -> type[Any]:
        """Class of the averages."""
        from tnspin.solvers.trajectories.averages import Averaged

        return Averaged

    def evolve(
        self,
        model: Any,
        state: Any,
        times: Sequence[float],
        *,
        on_step: OnStep | None = None,
        **context: Any,
    ) -> Iterator[Snapshot]:
        """Sample trajectories and yield their average at each of ``times``.

        The whole sample is taken before the first snapshot is yielded.

        Parameters
        ----------
        model
            Its Hamiltonian must be constant.
        state
            `VectorState`, `MPS` or `OneElectronState`, or an `Ensemble` of one of these, every
            chunk then holding equally many trajectories of each member.
        times
            Ascending; the first is that of ``state``.
        on_step, context
            ``jumps``, ``observables``, ``options``, ``executor``, ``store``: see
            `tnspin.solvers.trajectories.sampling.sampled`.

        Yields
        ------
        Snapshot
            With an `Averaged` state and ``errors`` of the observables.

        Raises
        ------
        InputError
            For a time-dependent Hamiltonian and charges that are not conserved.
        RunError
            If a piece of work fails.
        """
        from tnspin.observables.snapshot import output_times
        from tnspin.solvers.trajectories.sampling import sampled

        check_keys("solver", context, self.context)
        return sampled(self, model, state, output_times(times), on_step=on_step, **context)

    def is_dense(self, problem: Problem, names: Sequence[str]) -> bool:
        """Whether state vectors are evolved, by choice or because they fit."""
        if self.engine != "auto":
            return self.engine == "exact"
        one = problem.one_electron(names)
        return problem.amplitudes(names) <= (MOST_OF_ONE_ELECTRON if one else MOST_AMPLITUDES)

    def prepare(self, problem: Problem, jumps: Jumps) -> Callable[[], Any]:
        """Builder of state vectors or of matrix product states."""
        names = self.charges(problem, jumps)
        if self.is_dense(problem, names):
            return exact_start(problem, names)
        return super().prepare(problem, jumps)

    def unused_keys(self, problem: Problem) -> tuple[str, ...]:
        """Keys of the other engine."""
        if self.is_dense(problem, self.charges(problem, self.jumps(problem))):
            return ("dt", "order", "bond_dim", "cutoff", "method")
        return ("tolerance",)
