r"""Monte Carlo wave functions: pure states that decay under H - i/2 sum L+L until they jump.

The norm squared of a trajectory is the probability that it has not jumped yet (Dalibard, Castin
and Molmer, Phys. Rev. Lett. 68, 580).  All trajectories of one initial state share their course
up to the first jump, so it is computed once:

* the course without any jump until the end happens with a probability p that is known exactly.
  It enters the average with this weight, not through sampling;
* of the others, each draws the norm squared at which it leaves the common course, between p and
  1.  A chunk of them walks along that course once and follows each from where it leaves::

    1 --------x1-----------x2----------> p   common course, norm squared
               \            \
                x---x---     x--------       jump, and from there on alone

Trajectory i of n in a chunk draws from the i-th of n equal parts of (p, 1): the mean is the same
and its variance smaller, and the chunks stay independent of one another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from math import log
from typing import Any, Protocol
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from tnspin.errors import RunError
from tnspin.models import Model
from tnspin.operators.jump_operator import JumpOperator
from tnspin.solvers.trajectories.layout import Layout

__all__ = ["Backend", "Plan", "Still", "Task", "forget", "walk"]

Rows = NDArray[np.complex128]

# Rates below this share of the largest possible are round-off.
_DARK = 1e-13
_MOST_STEPS = 100


class Backend(Protocol):
    """What a kind of state must know to go on a trajectory; states are never modified."""

    tolerance: float

    def start(self, state: Any) -> Any:
        """The normalized initial state as the other functions take it."""

    def advance(self, state: Any, span: float) -> Any:
        """exp(-i (H - i/2 sum L+L) span) times the state."""

    def norm2(self, state: Any) -> float:
        """Norm squared."""

    def rates(self, state: Any) -> Iterator[float]:
        """``||L psi||^2`` of each jump operator in the normalized state."""

    def jump(self, state: Any, which: int | None) -> Any:
        """Apply a jump operator (None: nothing) and normalize."""

    def measured(self, state: Any) -> tuple[Any, NDArray[np.float64] | None]:
        """State to measure, and the weight that truncation took of each bond (if it truncates)."""


# Backend of the run that this process works on, by its token.
_IN_USE: dict[str, Backend] = {}


@dataclass(frozen=True, eq=False)
class Plan:
    """What all tasks of a run have in common; travels to the workers.

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
    seed
        Of the whole run.
    make
        Backend of the representation of the states, from model, jumps, charges and options.
    options
        For the backend; ``tolerance`` among them.
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
    seed: int
    make: Callable[..., Backend]
    options: dict[str, Any]
    token: str = field(default_factory=lambda: uuid4().hex)

    @property
    def never(self) -> float:
        """Probability of any jump at all below which none is followed."""
        return float(self.options["tolerance"])

    @property
    def backend(self) -> Backend:
        """The backend for the kind of the initial states, one for all tasks in a process."""
        if self.token not in _IN_USE:
            # Tasks arrive with copies of the plan, and matrices take long to build.
            _IN_USE.clear()
            names = self.layout.charge_names
            _IN_USE[self.token] = self.make(self.model, self.jumps, names, **self.options)
        return _IN_USE[self.token]

    def generator(self, chunk: int, trajectory: int) -> np.random.Generator:
        """Random numbers of one trajectory, the same wherever and whenever it runs."""
        sequence = np.random.SeedSequence(self.seed, spawn_key=(chunk, trajectory))
        return np.random.default_rng(sequence)


@dataclass(frozen=True, eq=False)
class Task:
    """One piece of work: the common course of a member, or a chunk of trajectories.

    Attributes
    ----------
    plan
        The run.
    number
        Of the member or the chunk.
    still
        (members,) probability that no jump happens, for a chunk; None: find the common course.
    """

    plan: Plan
    number: int
    still: tuple[float, ...] | None = None

    @property
    def name(self) -> str:
        """For error messages."""
        kind = "trajectory without jumps" if self.still is None else "chunk of trajectories"
        return f"{kind} {self.number}"


def forget() -> None:
    """Let go of the matrices that tasks in this process have left behind."""
    _IN_USE.clear()


@dataclass(frozen=True, eq=False)
class Still:
    """The course without jumps: probability to follow it to the end, and (T, size) averages."""

    probability: float
    rows: Rows


def walk(task: Task) -> Still | Rows:
    """Carry out a task.

    Returns
    -------
    Still or ndarray
        For a chunk: (T, size) contribution of all trajectories with at least one jump, such that
        the mean over chunks plus the `Still` rows times their weight is the average.
    """
    walker = _Walker(task.plan)
    if task.still is None:
        return walker.still(task.number)
    total = np.zeros((len(task.plan.times), task.plan.layout.size), dtype=np.complex128)
    for member, (weight, still) in enumerate(zip(task.plan.weights, task.still, strict=True)):
        if 1.0 - still > task.plan.never:
            rows = walker.chunk(task.number, member, still)
            total += (weight * (1.0 - still) / task.plan.share) * rows
    return total


class _Walker:
    """Follows the trajectories of one task."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.backend = plan.backend
        self.intervals = list(enumerate(pairwise(plan.times), start=1))

    def still(self, member: int) -> Still:
        """The course of one member without jumps."""
        rows = np.zeros((len(self.plan.times), self.plan.layout.size), dtype=np.complex128)
        state = self.backend.start(self.plan.states[member])
        rows[0] = self._pack(state)
        for k, (start, stop) in self.intervals:
            state = self.backend.advance(state, stop - start)
            rows[k] = self._pack(state)
        return Still(min(1.0, self.backend.norm2(state)), rows)

    def chunk(self, chunk: int, member: int, still: float) -> Rows:
        """Sum over the trajectories of one member of a chunk, (T, size)."""
        count = self.plan.share
        queue = []
        for i in range(count):
            generator = self.plan.generator(chunk, member * count + i)
            queue.append((still + (1.0 - still) * (i + generator.random()) / count, generator))
        rows = np.zeros((len(self.plan.times), self.plan.layout.size), dtype=np.complex128)
        state = self.backend.start(self.plan.states[member])
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

    def _pack(self, state: Any) -> Rows:
        return self.plan.layout.pack(*self.backend.measured(state))

    def _jumped(self, state: Any, generator: np.random.Generator) -> Any:
        """Choose one of the jumps by its rate, and make it."""
        rates = np.array(list(self.backend.rates(state)))
        total = rates.sum()
        if total <= _DARK * sum(jump.strength for jump in self.plan.jumps):
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
        goal = log(threshold)
        low, high = log(self.backend.norm2(state)) - goal, log(self.backend.norm2(after)) - goal
        # An end that stays while the other moves twice loses weight, or it would stay for ever.
        weight, side, shortest = 1.0, 0, 1e-13 * (stop - start)
        for _ in range(_MOST_STEPS):
            if low <= self.backend.tolerance:
                return state, start
            if -high <= self.backend.tolerance or stop - start <= shortest:
                return after, stop
            left, right = (low * weight, high) if side < 0 else (low, high * weight)
            time = start + (stop - start) * left / (left - right)
            middle = self.backend.advance(state, time - start)
            value = log(self.backend.norm2(middle)) - goal
            moved = 1 if value > 0 else -1
            weight, side = (weight / 2 if moved == side else 1.0), moved
            if value > 0:
                state, start, low = middle, time, value
            else:
                after, stop, high = middle, time, value
        raise RunError("trajectories: a jump time was not found; is the norm growing?")
