"""Matrix product states under Trotter steps: time-evolving block decimation (tDMRG)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from tnspin.schema import register
from tnspin.schema.types import Count, Fraction, Order, Positive, Threads
from tnspin.solvers.solver import Motion, Solver, check_charges, equal_steps

if TYPE_CHECKING:
    from tnspin.models import Model
    from tnspin.mps.ledger import Ledger
    from tnspin.mps.state import MPS
    from tnspin.observables.snapshot import Progress, Snapshot

__all__ = ["NetworkMotion", "Tebd", "TrotterSolver"]


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

    @property
    def limits(self) -> dict[str, Any]:
        """Keywords that all engines of tensor networks take."""
        return {
            "bond_dim": self.bond_dim, "cutoff": self.cutoff, "threads": self.threads or None,
        }  # fmt: skip


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

    def begin(
        self, model: Model, state: MPS, times: Sequence[float], *, ledger: Ledger | None = None
    ) -> NetworkMotion:
        """Check the state and compile the gates of each bond.

        Raises
        ------
        InputError
            For charges that are not conserved and for terms beyond neighbours.
        """
        from tnspin.mps.tebd import Tebd as Engine
        from tnspin.operators.bonds import bonds

        check_charges(model, state.charge_names)
        terms = bonds(model.hamiltonian)
        engine = Engine(
            state, terms.matrix, [terms.time_dependent(k) for k in range(terms.length - 1)],
            order=self.order, method=self.method, ledger=ledger, **self.limits,
        )  # fmt: skip
        return NetworkMotion(model, state, engine, self.dt)


@dataclass(eq=False)
class NetworkMotion(Motion):
    """A tensor network in an engine that moves it by equal steps.

    Attributes
    ----------
    state
        The initial state; the engine has the one that moves.
    engine
        Has ``state``, ``ledger``, ``advance(start, span, steps)`` and ``close()``.
    dt
        Longest step.
    """

    engine: Any
    dt: float

    def snapshot(self, time: float) -> Snapshot:
        """A copy of the state, canonical and normalized, and of the ledger."""
        from tnspin.observables.snapshot import Snapshot

        return Snapshot(time, self.model, self.engine.state.copy(), self.engine.ledger.copy())

    def advance(self, start: float, stop: float) -> Iterator[Progress]:
        """Move by equal steps, none longer than ``dt``."""
        from tnspin.observables.snapshot import Progress

        steps, span = equal_steps(start, stop, self.dt)
        for time in self.engine.advance(start, span, steps):
            discarded = float(self.engine.ledger.discarded.sum())
            yield Progress(time, self.bond_dim(), discarded)

    def bond_dim(self) -> int:
        """Largest bond dimension."""
        return int(self.engine.state.bond_dims().max())

    def close(self) -> None:
        """Release the threads of the engine."""
        self.engine.close()
