"""`Solver`: one equation of motion or method, with its keys, and how it evolves a state.

A solver is a frozen dataclass.  Its fields are the keys of the table ``[solver]`` and the keywords
of `tnspin.evolve`; its class attributes say what it accepts and how a stopped run continues;
`Solver.motion` names the class that does the work.  Adding a solver is adding one file::

    @register
    @dataclass(frozen=True)
    class MySolver(Solver):
        kind = "my_solver"
        dt: Positive = 0.1

        @classmethod
        def motion(cls):
            return MyMotion                 # or override `evolve`, an iterator of snapshots
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar, Self

from tnspin.errors import InputError
from tnspin.schema.checks import check_keys, require
from tnspin.schema.table import Table
from tnspin.solvers.start import Jumps, Problem, Size, counted, definite_charges

if TYPE_CHECKING:
    from tnspin.observables.snapshot import Progress, Snapshot
    from tnspin.operators.state import State
    from tnspin.solvers.evolution.motion import Motion

OnStep = Callable[["Progress"], None]


class Solver(Table):
    """Base of all solvers.

    Attributes
    ----------
    represents
        Representation of the states that are evolved, as observables ask for it.
    accepts
        What the solver takes beyond a closed system: "bath" (jump operators),
        "reaction_coordinate" (an oscillator as last site), "ancillas" (purified mixtures on sites
        with an ancilla each; a solver without it evolves the density matrix of the bare model).
    context
        Keywords of `evolve` beyond those of every solver.
    mixes
        Whether it takes an `Ensemble` itself; the members of others are evolved in lock step.
    classical
        Whether it evolves classical vectors, so that a classical counterpart makes no sense.
    saves
        What a stopped run continues from: "state" (a checkpoint) or "store" (finished pieces).
    kernels
        Compiled kernels that a run needs: "tebd", "tdvp".
    referee
        Kind of the exact solver that a closed run may be compared with, "" if there is none.
    loops
        Whether it takes its own states back at another field, as hysteresis loops need;
        "tilted" where the spins must be turned to leave a field (`turned`).
    integrates
        False for closed forms, where there is nothing to integrate.
    pilots
        Whether a pilot run with long steps forecasts time and memory.
    """

    section: ClassVar[str] = "solver"
    represents: ClassVar[str] = "mps"
    accepts: ClassVar[tuple[str, ...]] = ("ancillas",)
    context: ClassVar[tuple[str, ...]] = ()
    mixes: ClassVar[bool] = True
    classical: ClassVar[bool] = False
    saves: ClassVar[str] = "state"
    kernels: ClassVar[tuple[str, ...]] = ()
    referee: ClassVar[str] = ""
    loops: ClassVar[str] = ""
    integrates: ClassVar[bool] = True
    pilots: ClassVar[bool] = False

    # ------------------------------------------------------------------ evolution

    def evolve(
        self,
        model: Any,
        state: Any,
        times: Sequence[float],
        *,
        on_step: OnStep | None = None,
        **context: Any,
    ) -> Iterator[Snapshot]:
        """Evolve ``state`` under ``model`` and yield a `Snapshot` at each of ``times``.

        The first time is that of ``state``.  Continuing with the last yielded state, its ledger and
        the remaining times gives the same numbers as one run.

        Parameters
        ----------
        times
            Ascending, in units of hbar over the model's energy unit.
        on_step
            Called with a `Progress` after every step; may raise to stop.
        context
            Further keywords of this solver: ``ledger``, ``jumps``, ...

        Raises
        ------
        InputError
            For times that do not ascend, and whatever the solver refuses.
        """
        from tnspin.observables.snapshot import output_times

        points = output_times(times)
        motion = self.begin(model, state, points, **context)
        try:
            yield motion.snapshot(points[0])
            for start, stop in pairwise(points):
                for progress in motion.advance(start, stop):
                    if on_step is not None:
                        on_step(progress)
                yield motion.snapshot(stop)
        finally:
            motion.close()

    def begin(self, model: Any, state: Any, times: Sequence[float], **context: Any) -> Motion:
        """Check model, state and times, and return the evolution at its first time."""
        check_keys("solver", context, self.context)
        return self.motion()(self, model, state, times, **context)

    @classmethod
    def motion(cls) -> type[Motion]:
        """Class of the evolution; of no use to solvers that override `evolve`."""
        from tnspin.solvers.evolution.motion import Motion

        return Motion

    # ------------------------------------------------------------------ runs

    @classmethod
    def states(cls) -> type[State]:
        """Class of the states that are evolved, or of one that gives as much to observables."""
        return cls.motion().evolves

    @classmethod
    def takes(cls, what: str) -> bool:
        """Whether the solver accepts a bath, a reaction coordinate or ancillas."""
        return what in cls.accepts

    @classmethod
    def refuse_others(cls, what: str, words: str) -> None:
        """Refuse this solver, naming those that accept ``what``."""
        able = [kind for kind, one in cls.registries["solver"].items() if one.takes(what)]
        raise InputError(
            f"solver.kind = {cls.kind!r}: takes no {words}; allowed: {', '.join(able)}"
        )

    def check_problem(self, problem: Problem) -> None:
        """Refuse a model, an initial state or a bath that this solver does not take.

        Raises
        ------
        InputError
            Before any work starts.
        """
        if problem.bath is None:
            return
        if not self.takes("bath"):
            self.refuse_others("bath", "[bath]")
        if problem.bath.extends_model and not self.takes("reaction_coordinate"):
            self.refuse_others("reaction_coordinate", "reaction coordinate")

    def evolved_model(self, problem: Problem) -> Any:
        """The model that is evolved: with ancillas for purified mixtures, and with the oscillator
        of a reaction coordinate as its last site.
        """
        from tnspin.models.purified import Purified

        model = problem.model
        if problem.initial.purified and self.takes("ancillas"):
            model = Purified(model)
        return model if problem.bath is None else problem.bath.extended(model)

    def jumps(self, problem: Problem) -> list[Any]:
        """Jump operators of the bath, none without one."""
        return [] if problem.bath is None else problem.bath.jump_operators(problem.evolved)

    def bath_context(self, bath: Any, jumps: Jumps) -> dict[str, Any]:
        """Keywords of `evolve` that describe a bath."""
        return {"jumps": jumps} if "jumps" in self.context else {}

    def at_field(self, number: int) -> Self:
        """The solver at the n-th field of a hysteresis loop, where time begins anew."""
        return self

    def turned(self, model: Any, state: Any, angle: float) -> Any:
        """The state with all spins turned by an angle about y; of solvers with tilted loops."""
        raise NotImplementedError

    def charges(self, problem: Problem, jumps: Jumps) -> list[str]:
        """Names of the charges that Hamiltonian, initial state and jumps leave alone."""
        names = list(problem.evolved.hamiltonian.conserved())
        names = [name for name in names if all(name in one.conserved() for one in problem.pure)]
        return definite_charges(names, jumps)

    def prepare(self, problem: Problem, jumps: Jumps) -> Callable[[], Any]:
        """Return the builder of the initial state in the representation of this solver.

        Raises
        ------
        InputError
            If the state would not fit into memory; known before it is built.
        """
        names = self.charges(problem, jumps)
        return lambda: problem.mixed([one.to_mps(names) for one in problem.pure])

    def size(self, problem: Problem) -> Size:
        """Count the numbers of an exact run without building anything large."""
        return counted(problem, self)

    def is_dense(self, problem: Problem, names: Sequence[str]) -> bool:
        """Whether the run evolves vectors or density matrices rather than tensor networks."""
        return False

    def memory(self, problem: Problem) -> float | None:
        """Bytes of a dense run, without those of the program; None where that cannot be told."""
        return None

    def unused_keys(self, problem: Problem) -> tuple[str, ...]:
        """Keys that do not matter in a run, for another engine has been chosen."""
        return ()

    @property
    def noisy(self) -> bool:
        """Whether the evolution is stochastic."""
        return False

    @property
    def damped(self) -> bool:
        """Whether the equation of motion itself has a damping or a torque."""
        return False

    def conserved(self, model: Any, jumps: Jumps = ()) -> tuple[str, ...]:
        """Names of the observables that the equation of motion keeps constant.

        They are some of "norm", "particle_number", "total_sz", "energy" and "purity".
        """
        hamiltonian, acting = model.hamiltonian, [one for one in jumps if one.strength]
        charges, free = hamiltonian.conserved(), not (self.noisy or self.damped)
        kept = {
            "norm": True,
            "particle_number": "N" in charges,
            "energy": free and not acting and not hamiltonian.is_time_dependent,
            # Jump operators of charge 0 commute with S^z; damping turns spins.
            "total_sz": "2Sz" in charges and free and all(one.charge == 0 for one in acting),
            "purity": free and not acting,
        }
        return tuple(name for name, constant in kept.items() if constant)


def check_realizations(keys: Any) -> None:
    """Refuse several realizations of noise at temperature 0, of a table with both keys."""
    fits = keys.realizations == 1 or keys.temperature > 0
    allowed = "1 unless the temperature is above 0"
    require(fits, f"{keys.section}.realizations", keys.realizations, allowed)
