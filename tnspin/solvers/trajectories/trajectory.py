r"""Monte Carlo wave functions: pure states that decay under H - i/2 sum L+L until they jump.

The norm squared of a trajectory is the probability that it has not jumped yet (Dalibard, Castin
and Molmer, Phys. Rev. Lett. 68, 580).  All trajectories of one initial state share their course
up to the first jump, so it is computed once:

* the course without any jump until the end happens with a probability p that is known exactly.
  It enters the average with this weight, not through sampling;
* of the others, each draws the norm squared at which it leaves the common course, between p and
  1.  A chunk of them moves along that course once and follows each from where it leaves::

    1 --------x1-----------x2----------> p   common course, norm squared
               \            \
                x---x---     x--------       jump, and from there on alone

Trajectory i of n in a chunk draws from the i-th of n equal parts of (p, 1): the mean is the same
and its variance smaller, and the chunks stay independent of one another.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from math import log
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from tnspin.errors import RunError
from tnspin.models import Model
from tnspin.operators.jump_operator import JumpOperator
from tnspin.solvers.lindblad.jumps_on_states import reduced_rates
from tnspin.solvers.trajectories.layout import Layout

Rows = NDArray[np.complex128]

# Rates below this share of the largest possible are round-off.
_DARK = 1e-13
_MOST_STEPS = 100


class Backend(ABC):
    """Moves, damps and measures one kind of state; states are never modified.

    Parameters
    ----------
    model : Model
        With a constant Hamiltonian.
    jumps : sequence of JumpOperator
        Jump operators on its localized spins.
    names : sequence of str
        Charges that are definite on every trajectory.
    keys : Trajectories
        Of its keys, ``tolerance`` is the error of each advance, relative to the norm, and of the
        logarithm of the norm squared at which a jump happens.
    """

    def __init__(
        self, model: Model, jumps: Sequence[JumpOperator], names: Sequence[str], keys: Any
    ) -> None:
        self.model, self.keys = model, keys
        self.jumps, self.names = tuple(jumps), tuple(names)
        self.tolerance: float = keys.tolerance

    @abstractmethod
    def start(self, state: Any) -> Any:
        """The normalized initial state, with the charges that stay definite."""

    @abstractmethod
    def advance(self, state: Any, span: float) -> Any:
        """exp(-i (H - i/2 sum L+L) span) times the state, not normalized."""

    @abstractmethod
    def jump(self, state: Any, which: int | None) -> Any:
        """Apply a jump operator (None: nothing) and normalize."""

    def norm2(self, state: Any) -> float:
        """Norm squared: the probability that no jump has happened."""
        return float(state.norm**2)

    def rates(self, state: Any) -> Iterator[float]:
        """``||L psi||^2`` of each jump operator in the normalized state."""
        return reduced_rates(state, self.jumps)

    def measured(self, state: Any) -> tuple[Any, NDArray[np.float64] | None]:
        """State to measure, and the weight that truncation took of each bond (if it truncates)."""
        return state, None


# Backend of the run that this process works on, by its token.
_IN_USE: dict[str, Backend] = {}


@dataclass(frozen=True, eq=False)
class SampledRun:
    """Parameters of a run that all pieces of work share; pickled for the workers.

    Attributes
    ----------
    model, jumps
        The open system.
    times
        (T,) ascending.
    states, weights
        Initial pure states and their probabilities.
    layout
        What is kept of each state.
    share
        Trajectories of each member in a chunk.
    solver
        Keys of `Trajectories`.
    make, key_names
        Backend of the representation of the states, and the keys that matter for it.
    token
        Tells this run from others in the same process.
    """

    model: Model
    jumps: tuple[JumpOperator, ...]
    times: tuple[float, ...]
    states: tuple[Any, ...]
    weights: tuple[float, ...]
    layout: Layout
    share: int
    solver: Any
    make: Callable[..., Backend]
    key_names: tuple[str, ...]
    token: str = field(default_factory=lambda: uuid4().hex)

    @property
    def never(self) -> float:
        """Probability of any jump at all below which none is followed."""
        return float(self.solver.tolerance)

    @property
    def backend(self) -> Backend:
        """The backend for the kind of the initial states, one for all pieces in a process."""
        if self.token not in _IN_USE:
            # Pieces arrive with copies of the run, and matrices take long to build.
            _IN_USE.clear()
            names = self.layout.charge_names
            _IN_USE[self.token] = self.make(self.model, self.jumps, names, self.solver)
        return _IN_USE[self.token]


def forget() -> None:
    """Let go of the matrices that pieces of work in this process have left behind."""
    _IN_USE.clear()


@dataclass(frozen=True, eq=False)
class NoJump:
    """The course without jumps: probability to follow it to the end, and (T, size) averages."""

    probability: float
    rows: Rows


@dataclass(frozen=True, eq=False)
class Piece:
    """One piece of work: the common course of a member, or a chunk of trajectories.

    Attributes
    ----------
    run
        The run.
    number
        Of the member or the chunk.
    no_jump
        (members,) probability that no jump happens, for a chunk; None: find the common course.
    """

    run: SampledRun
    number: int
    no_jump: tuple[float, ...] | None = None

    @property
    def name(self) -> str:
        """For error messages."""
        kind = "trajectory without jumps" if self.no_jump is None else "chunk of trajectories"
        return f"{kind} {self.number}"

    def result(self) -> NoJump | Rows:
        """Carry out the work.

        Returns
        -------
        NoJump or ndarray
            For a chunk: (T, size) contribution of all trajectories with at least one jump, such
            that the mean over chunks plus the `NoJump` rows times their weight is the average.
        """
        if self.no_jump is None:
            return self._common_course()
        total = self._empty_rows()
        for member, (weight, p) in enumerate(zip(self.run.weights, self.no_jump, strict=True)):
            if 1.0 - p > self.run.never:
                total += (weight * (1.0 - p) / self.run.share) * self._trajectories(member, p)
        return total

    def _common_course(self) -> NoJump:
        """The course of one member without jumps."""
        rows = self._empty_rows()
        state = self.backend.start(self.run.states[self.number])
        rows[0] = self._pack(state)
        for k, (start, stop) in self.intervals:
            state = self.backend.advance(state, stop - start)
            rows[k] = self._pack(state)
        return NoJump(min(1.0, self.backend.norm2(state)), rows)

    def _trajectories(self, member: int, p: float) -> Rows:
        """Sum over the trajectories of one member in a chunk, (T, size)."""
        count, queue = self.run.share, []
        for i in range(count):
            # One stream of random numbers each, the same wherever and whenever it runs.
            key = (self.number, member * count + i)
            seeds = np.random.SeedSequence(self.run.solver.seed, spawn_key=key)
            generator = np.random.default_rng(seeds)
            queue.append((p + (1.0 - p) * (i + generator.random()) / count, generator))
        rows = self._empty_rows()
        state = self.backend.start(self.run.states[member])
        rows[0] = count * self._pack(state)
        for k, (start, stop) in self.intervals:
            after = self.backend.advance(state, stop - start)
            # The highest threshold, last in the queue, is passed first.
            while queue and self.backend.norm2(after) <= queue[-1][0]:
                threshold, generator = queue.pop()
                state, start = self._crossing(state, after, start, stop, threshold)
                self._alone(self._jumped(state, generator), generator, start, k, rows)
            if not queue:
                break
            rows[k] += len(queue) * self._pack(after)
            state = after
        return rows

    def _alone(
        self, state: Any, generator: np.random.Generator, start: float, first: int, rows: Rows
    ) -> None:
        """Follow one trajectory to the end and add it to the rows from ``first`` on."""
        threshold = generator.random()
        for k, (_, stop) in self.intervals[first - 1 :]:
            after = self.backend.advance(state, stop - start)
            while self.backend.norm2(after) <= threshold:
                state, start = self._crossing(state, after, start, stop, threshold)
                state = self._jumped(state, generator)
                threshold = generator.random()
                after = self.backend.advance(state, stop - start)
            state, start = after, stop
            rows[k] += self._pack(state)

    def _jumped(self, state: Any, generator: np.random.Generator) -> Any:
        """Choose one of the jumps by its rate, and make it."""
        rates = np.array(list(self.backend.rates(state)))
        total = rates.sum()
        if total <= _DARK * sum(jump.strength for jump in self.run.jumps):
            # The norm fell by round-off alone, in a state that no jump can leave.
            return self.backend.jump(state, None)
        which = int(np.searchsorted(np.cumsum(rates), generator.random() * total, side="right"))
        return self.backend.jump(state, min(which, len(rates) - 1))

    def _crossing(
        self, state: Any, after: Any, start: float, stop: float, threshold: float
    ) -> tuple[Any, float]:
        """State and time at which the norm squared falls to the threshold.

        The secant rule with a bracket (Illinois) on its logarithm, which is almost linear; each
        guess starts from the last state known to be above.
        """
        backend, goal = self.backend, log(threshold)
        low, high = log(backend.norm2(state)) - goal, log(backend.norm2(after)) - goal
        # An end that stays while the other moves twice loses weight, or it would stay for ever.
        weight, side, shortest = 1.0, 0, 1e-13 * (stop - start)
        for _ in range(_MOST_STEPS):
            if low <= backend.tolerance:
                return state, start
            if -high <= backend.tolerance or stop - start <= shortest:
                return after, stop
            left, right = (low * weight, high) if side < 0 else (low, high * weight)
            time = start + (stop - start) * left / (left - right)
            middle = backend.advance(state, time - start)
            value = log(backend.norm2(middle)) - goal
            moved = 1 if value > 0 else -1
            weight, side = (weight / 2 if moved == side else 1.0), moved
            if value > 0:
                state, start, low = middle, time, value
            else:
                after, stop, high = middle, time, value
        raise RunError("trajectories: a jump time was not found; is the norm growing?")

    @cached_property
    def backend(self) -> Backend:
        """Backend of the run."""
        return self.run.backend

    @cached_property
    def intervals(self) -> list[tuple[int, tuple[float, float]]]:
        """Number of the row at the end of each interval, its start and its stop."""
        return list(enumerate(pairwise(self.run.times), start=1))

    def _empty_rows(self) -> Rows:
        return np.zeros((len(self.run.times), self.run.layout.size), dtype=np.complex128)

    def _pack(self, state: Any) -> Rows:
        return self.run.layout.pack(*self.backend.measured(state))
