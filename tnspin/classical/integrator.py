"""The Landau-Lifshitz-Gilbert equation by the implicit midpoint rule on the sphere.

    dn_i/dt = n_i x (B_i + b_i) - a_i n_i x dn_i/dt + n_i x (p_i x n_i),    B_i = -dE/dS_i

Every step rotates every spin, so lengths are kept to round-off for any step size.  Without damping
a quadratic energy is kept as well (the midpoint rule keeps every quadratic invariant); for other
energies the rule is symmetric in time, which excludes a drift.  Order 4 composes five midpoint
steps (Suzuki), with the same invariants.  With a stochastic field b the midpoint rule converges to
the Stratonovich solution; <b b'> = 2 a T / S delta(t - t') per component makes it thermal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import ceil
from os import cpu_count
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tnspin.classical.energy import ClassicalEnergy, Fields
from tnspin.classical.kernels import advance, field_of, middle_of, turn
from tnspin.errors import InputError, RunError

__all__ = ["LandauLifshitz", "suggested_step"]

Reals = NDArray[np.float64]

_SUZUKI = 1.0 / (4.0 - 4.0 ** (1.0 / 3.0))
#: Sizes of the midpoint steps that make one step of an order.
STAGES = {2: (1.0,), 4: (_SUZUKI, _SUZUKI, 1.0 - 4.0 * _SUZUKI, _SUZUKI, _SUZUKI)}
# From so many spins on, a step is shared by threads; below, waking them takes longer.
_SHARED = 8192
# Most random numbers drawn at once.
_DRAWN = 2**21


@dataclass(frozen=True, eq=False)
class LandauLifshitz:
    """Spins of a `ClassicalEnergy` with damping, torques and a stochastic field.

    Attributes
    ----------
    energy
        E, which makes the field.
    damping
        Gilbert damping: one number, (N,) one per spin, or (R, N) one per realization and spin.
    dt
        Largest step.
    order
        2 or 4; runs at a temperature take the midpoint rule itself, whatever this says.
    torque
        (N, 3) spin-transfer torques p_i, which turn spins towards p_i; none if None.
    temperature
        T of the stochastic field, in energy units.
    seed
        Of the stochastic field; it depends on the start of an interval and on nothing else.
    tolerance
        To which each midpoint is found.
    iterations
        0: as many as the tolerance needs.  2: predictor and corrector, explicit and still of second
        order, faster where a slow drift of the energy does not matter.
    threads
        0: one per core.  Numbers do not depend on it.
    """

    energy: ClassicalEnergy
    damping: ArrayLike = 0.0
    dt: float = 0.02
    order: int = 4
    torque: ArrayLike | None = None
    temperature: float = 0.0
    seed: int = 0
    tolerance: float = 1e-15
    iterations: int = 0
    threads: int = 0

    def __post_init__(self) -> None:
        damping = np.asarray(self.damping, float)
        if not np.all(np.isfinite(damping)) or np.any(damping < 0):
            raise InputError(f"solver.damping: {self.damping!r} is not a number of at least 0")
        if not (np.isfinite(self.dt) and self.dt > 0):
            raise InputError(f"solver.dt: {self.dt!r} is not a number above 0")
        if self.order not in STAGES:
            raise InputError(f"solver.order: {self.order!r} is not one of 2, 4")
        if not (np.isfinite(self.temperature) and self.temperature >= 0):
            raise InputError(f"solver.temperature: {self.temperature!r} is not at least 0")
        if self.iterations not in (0, *range(2, 100)):
            raise InputError(f"solver.iterations: {self.iterations!r} is not 0 or at least 2")
        if self.torque is not None and np.shape(self.torque) != (self.energy.size, 3):
            raise InputError(f"torque: has shape {np.shape(self.torque)}, not one vector per spin")

    def advance(
        self, states: Reals, start: float, stop: float, external: Reals | None = None
    ) -> Reals:
        """Unit vectors at ``stop`` from those at ``start``.

        Parameters
        ----------
        states : (R, N, 3) or (N, 3)
            Realizations that differ in their stochastic fields (and, if so given, damping).
        start, stop : float
            Times; the interval is cut into equal steps of at most ``dt``.
        external : (N, 3), optional
            Constant field added to that of the energy, such as that of electrons.

        Raises
        ------
        InputError
            If the shape does not fit.
        RunError
            If the midpoints do not converge: the step is too large.
        """
        old = np.array(states, dtype=float, order="C")
        if old.shape[-2:] != (self.energy.size, 3) or old.ndim not in (2, 3):
            raise InputError(f"state: shape {old.shape} does not fit {self.energy.size} spins")
        new = old.reshape(-1, *old.shape[-2:])
        count = max(1, ceil((stop - start) / self.dt - 1e-9))
        h = (stop - start) / count
        if external is None:
            external = np.zeros((self.energy.size, 3))
        for first, noise in self._noise(len(new), count, start, h):
            steps = len(noise) or count
            self._steps(new, start + first * h, h, steps, np.asarray(external, float), noise)
        return new.reshape(old.shape)

    # ------------------------------------------------------------------ steps

    def _steps(
        self, states: Reals, start: float, h: float, steps: int, external: Reals, noise: Reals
    ) -> None:
        """Take equal steps, in place; ``noise`` (steps, R, N, 3) or empty."""
        stages = STAGES[2 if self.temperature else self.order]
        if not self.energy.is_time_dependent:
            self._same(states, steps, h * np.array(stages), external, noise, self.energy.fields())
            return
        for step in range(steps):
            t = start + step * h
            for stage in stages:
                fields = self.energy.fields(t + 0.5 * stage * h)
                one = noise[step : step + 1]
                self._same(states, 1, np.array([stage * h]), external, one, fields)
                t += stage * h

    def _same(
        self, states: Reals, steps: int, stages: Reals, external: Reals, noise: Reals,
        fields: Fields,
    ) -> None:  # fmt: skip
        """Take steps during which the coefficients of the energy stay the same."""
        count, size, _ = states.shape
        damping = self._damping(count)
        workers = self._workers if count * size >= _SHARED else 1
        if workers > 1 and count < workers:
            for r in range(count):
                for step in range(steps):
                    kick = external + noise[step, r] if len(noise) else external
                    for h in stages:
                        self._shared(states[r], h, kick, damping[r], fields, workers)
            return

        kernel: Any = advance

        def part(first: int, last: int) -> float:
            return kernel(
                states, first, last, steps, stages, damping, external, noise, self._torque,
                self.tolerance, self.iterations, *fields.arrays,
            )  # fmt: skip

        for change in self._spread(part, count, workers):
            self._check(change)

    def _shared(
        self, n: Reals, h: float, external: Reals, damping: Reals, fields: Fields, workers: int
    ) -> None:
        """One midpoint step of many spins, each thread with its share; in place."""
        kernel: Any = field_of
        new, middle, field = np.empty_like(n), n.copy(), np.empty_like(n)

        def rotate(first: int, last: int) -> None:
            kernel(middle, first, last, *fields.arrays, field)
            field[first:last] += external[first:last]
            turn(n, field, self._torque, middle, damping, h, first, last, new)

        def move(first: int, last: int) -> float:
            return middle_of(n, new, first, last, middle)

        before = np.inf
        for k in range(self.iterations or 200):
            self._spread(rotate, len(n), workers)
            if k + 1 == self.iterations:
                break
            change = max(self._spread(move, len(n), workers))
            if not self.iterations and (change <= self.tolerance or before <= change < 1e-13):
                break
            before = change
        else:
            self._check(before if before > max(self.tolerance, 1e-13) else 0.0)
        n[:] = new

    def _check(self, change: float) -> None:
        if change:
            raise RunError(
                f"llg: the midpoint does not converge (still moves by {change:.1e}); "
                f"take a smaller solver.dt than {self.dt:g}"
            )

    def _spread(self, part: Callable[[int, int], Any], size: int, workers: int) -> list[Any]:
        """``part(first, last)`` of equal ranges, in threads."""
        if workers == 1:
            return [part(0, size)]
        borders = np.linspace(0, size, workers + 1).astype(int).tolist()
        return list(self._pool.map(lambda pair: part(*pair), pairwise(borders)))

    # ------------------------------------------------------------------ what is needed for them

    def _damping(self, count: int) -> Reals:
        wanted = (count, self.energy.size)
        try:
            return np.ascontiguousarray(np.broadcast_to(np.asarray(self.damping, float), wanted))
        except ValueError:
            raise InputError(
                f"solver.damping: shape {np.shape(self.damping)} does not fit "
                f"{self.energy.size} spins in {count} realizations"
            ) from None

    @cached_property
    def _torque(self) -> Reals:
        given = np.zeros((0, 3)) if self.torque is None else self.torque
        return np.ascontiguousarray(given, dtype=float)

    @cached_property
    def _workers(self) -> int:
        return self.threads or cpu_count() or 1

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._workers)

    def _noise(self, count: int, steps: int, start: float, h: float) -> Iterator[tuple[int, Reals]]:
        """Stochastic fields (some steps, R, N, 3), with the number of the first step."""
        size = self.energy.size
        if not self.temperature:
            yield 0, np.zeros((0, count, size, 3))
            return
        key = int(np.float64(start).view(np.uint64))
        random = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(key,)))
        strength = 2.0 * self._damping(count) * self.temperature / (self.energy.spins * abs(h))
        most = max(1, _DRAWN // (3 * count * size))
        for first in range(0, steps, most):
            drawn = random.standard_normal((min(most, steps - first), count, size, 3))
            yield first, drawn * np.sqrt(strength)[..., None]


def suggested_step(energy: ClassicalEnergy, t: float = 0.0, turn_by: float = 0.1) -> float:
    """Step in which no spin turns by more than ``turn_by`` radians in the field at time ``t``."""
    largest = energy.fields(t).largest()
    return turn_by / largest if largest else 1.0
