"""The Landau-Lifshitz-Gilbert equation by the implicit midpoint rule on the sphere.

    dn_i/dt = n_i x (B_i + b_i) - a_i n_i x dn_i/dt + n_i x (p_i x n_i),    B_i = -dE/dS_i

Every step rotates every spin, so lengths are kept to round-off for any step size.  Without damping
a quadratic energy is kept as well (the midpoint rule keeps every quadratic invariant); for other
energies the rule is symmetric in time, which excludes a drift.  Order 4 composes five midpoint
steps (Suzuki), with the same invariants.  With a stochastic field b the midpoint rule converges to
the Stratonovich solution; <b b'> = 2 a T / S delta(t - t') per component makes it thermal.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from math import ceil
from os import cpu_count

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tnspin.errors import InputError, RunError
from tnspin.numerics.trotter import SUZUKI
from tnspin.operators.classical.couplings import Fields
from tnspin.operators.classical.energy import ClassicalEnergy
from tnspin.solvers.classical.stepping import (
    Group,
    Rule,
    Window,
    groups_of,
    step_alone,
    step_shared,
    step_windows,
    windows_of,
)

Reals = NDArray[np.float64]

#: Sizes of the midpoint steps that make one step of an order.
STAGES = {2: (1.0,), 4: SUZUKI}
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
    _cut: dict[int, tuple[list[Window], int]] = field(init=False, default_factory=dict)
    _constant_fields: dict[int, Fields] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        damping = np.asarray(self.damping, float)
        allowed = {
            "damping": (np.all(np.isfinite(damping) & (damping >= 0)), "a number of at least 0"),
            "dt": (np.isfinite(self.dt) and self.dt > 0, "a number above 0"),
            "order": (self.order in STAGES, "one of 2, 4"),
            "temperature": (np.isfinite(self.temperature) and self.temperature >= 0, "at least 0"),
            "iterations": (self.iterations in (0, *range(2, 100)), "0 or at least 2"),
        }
        for name, (fits, words) in allowed.items():
            if not fits:
                raise InputError(f"solver.{name}: {getattr(self, name)!r} is not {words}")
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
        old = np.asarray(states, dtype=float)
        if old.shape[-2:] != (self.energy.size, 3) or old.ndim not in (2, 3):
            raise InputError(f"state: shape {old.shape} does not fit {self.energy.size} spins")
        given = old.reshape(-1, *old.shape[-2:])
        count = max(1, ceil((stop - start) / self.dt - 1e-9))
        h = (stop - start) / count
        field = np.zeros((self.energy.size, 3)) if external is None else np.asarray(external, float)
        groups = groups_of(given, field, self._torque, self._damping(len(given)))
        for first, noise in self._noise(len(given), count, start, h):
            self._steps(groups, start + first * h, h, len(noise) or count, noise)
        found = np.concatenate([group.states for group in groups])
        return np.ascontiguousarray(found).reshape(old.shape)

    # ------------------------------------------------------------------ steps

    def _steps(self, groups: list[Group], start: float, h: float, steps: int, noise: Reals) -> None:
        """Take equal steps, in place; ``noise`` (steps, 3, N, R) or empty."""
        stages = h * np.array(STAGES[2 if self.temperature else self.order])
        if not self.energy.is_time_dependent:
            self._same(groups, steps, stages, noise, 0.0)
            return
        for step in range(steps):
            t = start + step * h
            for stage in stages:
                one = noise[step : step + 1]
                self._same(groups, 1, np.array([stage]), one, t + 0.5 * stage)
                t += stage

    def _same(self, groups: list[Group], steps: int, stages: Reals, noise: Reals, t: float) -> None:
        """Take steps during which the coefficients of the energy stay those at time ``t``."""
        fields = {count: self._fields(count, t) for count in {group.count for group in groups}}
        rule = Rule(self.tolerance, self.iterations)
        windows, batch = self._windows(len(stages))
        if windows:
            alone = self._workers == 1
            for group in groups:
                base = fields[1].constant + group.external
                kick = np.empty((0, 3, 0))
                if len(noise):
                    kick = np.ascontiguousarray(noise[..., group.first])
                self._check(
                    step_windows(group, steps, stages, kick, base, fields[1], rule, windows, batch,
                                 map if alone else self._pool.map)
                )  # fmt: skip
            return
        shared = len(groups) < self._workers and self.energy.size >= _SHARED

        def advanced(group: Group) -> float:
            kick = np.empty((0, 3, 0))
            if len(noise):
                kick = np.ascontiguousarray(noise[..., group.first : group.last])
                kick = kick.reshape(steps, 3, -1)
            task = (group, steps, stages, kick, fields[group.count], rule)
            return step_shared(*task, self._pool, self._workers) if shared else step_alone(*task)

        spread = not shared and self._workers > 1 and len(groups) > 1
        for change in (self._pool.map if spread else map)(advanced, groups):
            self._check(change)

    def _check(self, change: float) -> None:
        if change:
            raise RunError(
                f"llg: the midpoint does not converge (still moves by {change:.1e}); "
                f"take a smaller solver.dt than {self.dt:g}"
            )

    def _windows(self, stages: int) -> tuple[list[Window], int]:
        if stages not in self._cut:
            self._cut[stages] = windows_of(self.energy.couplings, stages, self.iterations)
        return self._cut[stages]

    def _fields(self, copies: int, t: float) -> Fields:
        if self.energy.is_time_dependent:
            return self.energy.fields(t, copies)
        if copies not in self._constant_fields:
            self._constant_fields[copies] = self.energy.fields(0.0, copies)
        return self._constant_fields[copies]

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
        """Stochastic fields (some steps, 3, N, R), with the number of the first step."""
        size = self.energy.size
        if not self.temperature:
            yield 0, np.zeros((0, 3, size, count))
            return
        key = int(np.float64(start).view(np.uint64))
        random = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(key,)))
        strength = 2.0 * self._damping(count) * self.temperature / (self.energy.spins * abs(h))
        most = max(1, _DRAWN // (3 * count * size))
        for first in range(0, steps, most):
            drawn = random.standard_normal((min(most, steps - first), 3, size, count))
            drawn *= np.sqrt(strength).T
            yield first, drawn


def suggested_step(energy: ClassicalEnergy, t: float = 0.0, turn_by: float = 0.1) -> float:
    """Step in which no spin turns by more than ``turn_by`` radians in the field at time ``t``."""
    largest = energy.fields(t).largest()
    return turn_by / largest if largest else 1.0
