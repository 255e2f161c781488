"""`Motion`: an evolution under way, compiled for one model and one state.

Each solver names its class of `Motion` (`Solver.motion`).  The class checks what it is given,
compiles the Hamiltonian and moves the state from one output time to the next.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from math import ceil
from typing import Any, ClassVar

from tnspin.errors import InputError
from tnspin.models import Model
from tnspin.mps.state import MPS
from tnspin.mps.tdvp import Tdvp
from tnspin.mps.tebd import Tebd
from tnspin.observables.snapshot import Progress, Snapshot
from tnspin.operators.bonds import BondTerms, bonds
from tnspin.operators.jump_operator import JumpOperator
from tnspin.operators.state import State
from tnspin.solvers.start import definite_charges


class Motion(ABC):
    """One state that moves from output time to output time.

    Parameters
    ----------
    solver
        The solver, for its keys.
    model
        The model; its Hamiltonian must be Hermitian and conserve the charges of the state.
    state
        Initial state, as `begin` takes it.
    times
        Output times; the first is that of ``state``.
    jumps
        Jump operators of the bath.
    ledger
        Errors so far, when continuing.
    bath
        The bath itself, for equations of motion without jump operators.

    Attributes
    ----------
    evolves
        Class of the states that are evolved.
    state
        The state now; never modified in place once a snapshot has shown it.
    """

    evolves: ClassVar[type[State]] = MPS

    def __init__(
        self,
        solver: Any,
        model: Model,
        state: Any,
        times: Sequence[float],
        *,
        jumps: Sequence[JumpOperator] = (),
        ledger: Any = None,
        bath: Any = None,
    ) -> None:
        self.solver, self.model, self.times = solver, model, times
        self.jumps, self.ledger, self.bath = jumps, ledger, bath
        self.state = self.begin(state)

    @abstractmethod
    def begin(self, state: Any) -> Any:
        """Check and compile everything; return the initial state in the form that is evolved.

        Raises
        ------
        InputError
            For a state, a Hamiltonian or jump operators that the solver cannot take.
        """

    @abstractmethod
    def advance(self, start: float, stop: float) -> Iterator[Progress]:
        """Move the state, with a `Progress` after each step."""

    def snapshot(self, time: float) -> Snapshot:
        """The state, which is that at ``time``."""
        return Snapshot(time, self.model, self.state)

    def close(self) -> None:  # noqa: B027  (most have nothing to release)
        """Release threads, if there are any."""

    def check_hermitian(self) -> None:
        """Refuse a Hamiltonian that is not Hermitian at the first time."""
        if not self.model.hamiltonian.is_hermitian(1e-10, self.times[0]):
            raise InputError(f"model: the Hamiltonian is not Hermitian at time {self.times[0]:g}")


class NetworkMotion(Motion):
    """A tensor network in an engine that moves it by equal steps.

    Attributes
    ----------
    engine
        Has ``state``, ``ledger``, ``advance(start, span, steps)`` and ``close()``.
    """

    engine: Any

    @property
    def limits(self) -> dict[str, Any]:
        """Keywords of the engines: limits of truncation, threads, and errors so far."""
        keys = self.solver
        return {
            "bond_dim": keys.bond_dim, "cutoff": keys.cutoff, "threads": keys.threads or None,
            "ledger": self.ledger,
        }  # fmt: skip

    def by_gates(self, make: Callable[..., Any], state: Any, terms: BondTerms, order: int) -> Any:
        """Engine that applies the Trotter gates of ``terms``; ``make`` builds it."""
        options = {"order": order, "method": self.solver.method, **self.limits}
        return make(state, terms.matrix, list(map(bool, terms.driven)), **options)

    def snapshot(self, time: float) -> Snapshot:
        """A copy of the state, canonical and normalized, and of the ledger."""
        return Snapshot(time, self.model, self.engine.state.copy(), self.engine.ledger.copy())

    def advance(self, start: float, stop: float) -> Iterator[Progress]:
        """Move by equal steps, none longer than ``dt``."""
        steps, span = equal_steps(start, stop, self.solver.dt)
        for time in self.engine.advance(start, span, steps):
            yield Progress(time, self.bond_dim(), float(self.engine.ledger.discarded.sum()))

    def bond_dim(self) -> int:
        """Largest bond dimension."""
        return int(self.engine.state.bond_dims().max())

    def close(self) -> None:
        """Release the threads of the engine."""
        self.engine.close()


class TebdMotion(NetworkMotion):
    """A matrix product state under Trotter gates."""

    def begin(self, state: MPS) -> MPS:
        """Check the charges and compile the gates of each bond; refuse terms beyond neighbours."""
        kept_charges(self.model, state.charge_names)
        terms = bonds(self.model.hamiltonian)
        self.engine = self.by_gates(Tebd, state, terms, self.solver.order)
        return state


class TdvpMotion(NetworkMotion):
    """A matrix product state under two-site TDVP."""

    def begin(self, state: MPS) -> MPS:
        """Check charges and Hermiticity, and compile the matrix product operator."""
        kept_charges(self.model, state.charge_names)
        if not self.model.hamiltonian.is_hermitian(t=self.times[0]):
            raise InputError("hamiltonian: not Hermitian")
        self.engine = Tdvp(
            state, self.model.hamiltonian, tolerance=self.solver.tolerance, **self.limits
        )
        return state

    def bond_dim(self) -> int:
        """Largest bond dimension, of the sweep under way too."""
        return int(self.engine.bond_dims().max())


def kept_charges(
    model: Model, names: Sequence[str], jumps: Sequence[JumpOperator] = ()
) -> list[str]:
    """Charges of a state that stay definite whatever jumps happen.

    Raises
    ------
    InputError
        If the Hamiltonian does not conserve one of them.
    """
    conserved = model.hamiltonian.conserved()
    for name in names:
        if name not in conserved:
            raise InputError(f"state: the Hamiltonian does not conserve {name!r}")
    return definite_charges(names, jumps)


def equal_steps(start: float, stop: float, dt: float) -> tuple[int, float]:
    """Number and length of the equal steps, none longer than ``dt``, of an interval.

    An interval that is a whole number of steps up to round-off gets that number.
    """
    count = max(1, ceil((stop - start) / dt - 1e-9))
    return count, (stop - start) / count
