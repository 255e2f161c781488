"""Classical spins between output times, with the error of noise over the realizations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tnspin.errors import InputError
from tnspin.observables.snapshot import Progress, Snapshot
from tnspin.operators.classical.energy import energy_of
from tnspin.solvers.classical.integrator import LandauLifshitz
from tnspin.solvers.evolution.motion import Motion
from tnspin.states.classical import ClassicalState


class ClassicalMotion(Motion):
    """Unit vectors; every interval is computed from its initial state alone, the noise included.

    It begins with a `ClassicalState`, or with any quantum state with one-site density matrices, of
    which the direction of each <S> is taken.
    """

    evolves = ClassicalState

    def begin(self, state: Any) -> ClassicalState:
        """Compile the fields; refuse models with electrons and spins without direction."""
        keys, energy = self.solver, energy_of(self.model, self.solver.limit)
        count, torque = energy.size, keys.torque
        if isinstance(keys.damping, tuple) and len(keys.damping) != count:
            raise InputError(
                f"{keys.section}.damping: {len(keys.damping)} values for {count} localized spins"
            )
        self.integrator = LandauLifshitz(
            energy, keys.damping, keys.dt, keys.order,
            [torque[k % len(torque)] for k in range(count)] if torque else None,
            keys.temperature, keys.seed, keys.tolerance, keys.iterations, keys.threads,
        )  # fmt: skip
        now = state if isinstance(state, ClassicalState) else ClassicalState.of(self.model, state)
        now = replace(now, limit=keys.limit)
        repeats = keys.realizations > 1 and now.realizations == 1
        return now.repeated(keys.realizations) if repeats else now

    def snapshot(self, time: float) -> Snapshot:
        """The state, with the standard error of ``spin`` over the realizations."""
        errors = {"spin": self.state.error} if self.state.realizations > 1 else None
        return Snapshot(time, self.model, self.state, errors=errors)

    def advance(self, start: float, stop: float) -> Iterator[Progress]:
        """Move to ``stop`` in one call."""
        moved = self.integrator.advance(self.state.directions, start, stop)
        self.state = replace(self.state, directions=moved)
        yield Progress(stop, 0, 0.0)
