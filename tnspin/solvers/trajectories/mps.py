"""Quantum trajectories of matrix product states: Trotter steps of H, decay as an MPO.

The decay exp(-i (H - i/2 sum L+L) t) is split symmetrically into steps of H and factors
exp(-s/2 sum L+L) of each group of spins, applied to the matrix product state as operators and
compressed.  The error is second order in the step.  Decay is much slower than everything else, so
that its step may be longer than that of H for the same error.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil, exp
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnspin.errors import InputError
from tnspin.models import Model
from tnspin.mps.algebra import joined
from tnspin.mps.expectation import Expectation
from tnspin.mps.ledger import Ledger
from tnspin.mps.state import MPS
from tnspin.mps.tdvp import Tdvp
from tnspin.mps.tebd import Tebd, single_threaded_blas
from tnspin.numerics.parallel import threads_here
from tnspin.operators.bonds import bonds
from tnspin.operators.dissipator import decay
from tnspin.operators.jump_operator import JumpOperator
from tnspin.operators.operator_sum import OperatorSum
from tnspin.operators.spin_mpo import Operator, SpinOperator
from tnspin.solvers.evolution.motion import equal_steps
from tnspin.solvers.lindblad.jumps_on_states import damping, reduced_rates, remembered
from tnspin.solvers.trajectories.trajectory import Backend

# Step lengths whose gates and decay factors are kept; looking for a jump time uses many others.
_REMEMBERED = 4
_LONGEST_STRIDE = 10
# Of the logarithm of the norm squared: jump times are no better than the Trotter step anyway.
_JUMP_TOLERANCE = 1e-5
# Relative error of L+L; the decay is slow, so that this is far less in the state.
_SQUARES = 1e-7


def network_backend(
    model: Model, jumps: Sequence[JumpOperator], names: Sequence[str], keys: Any
) -> NetworkBackend:
    """Return what moves matrix product states.

    By TDVP if a jump operator is a matrix product operator or a term of H reaches beyond
    neighbours, else by Trotter steps.
    """
    long = any(isinstance(jump.form, SpinOperator) for jump in jumps)
    if model.hamiltonian.reach <= 1 and not long:
        return MPSBackend(model, jumps, names, keys)
    if keys.order != 2:
        raise InputError("solver.order: beyond neighbours TDVP takes over, which has order 2")
    return TdvpBackend(model, jumps, names, keys)


@dataclass(frozen=True, eq=False)
class Trajectory:
    """A normalized state, the norm squared it stands for, and what truncation has cost."""

    state: MPS
    norm2: float
    ledger: Ledger


class NetworkBackend(Backend):
    """Matrix product states for trajectories; a derived class says how they move.

    Jump times are found to 1e-5 of the logarithm of the norm squared at best.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.tolerance = max(self.tolerance, _JUMP_TOLERANCE)
        self.limits = {"cutoff": self.keys.cutoff, "bond_dim": self.keys.bond_dim}
        self._operators: dict[int, Operator] = {}

    def start(self, state: MPS) -> Trajectory:
        """The normalized state with the charges that stay definite."""
        kept = state.with_charges(self.names).copy()
        kept.canonicalize()
        return Trajectory(kept, 1.0, Ledger.empty(kept.length))

    def advance(self, now: Trajectory, span: float) -> Trajectory:
        """exp(-i (H - i/2 sum L+L) span) times the state."""
        if span <= 0:
            return now
        steps, step = equal_steps(0.0, span, self.keys.dt)
        return self._steps(now, step, steps)

    def norm2(self, now: Trajectory) -> float:
        """Norm squared: the probability that no jump has happened."""
        return now.norm2

    def jump(self, now: Trajectory, which: int | None) -> Trajectory:
        """Apply a jump operator (None: nothing) and normalize."""
        if which is not None:
            site = self.jumps[which].sites[0]
            now = self._apply(now, self._operator(now.state, which), site)
        return Trajectory(now.state, 1.0, now.ledger)

    def rates(self, now: Trajectory) -> Iterator[float]:
        """``||L psi||^2`` of each jump operator in the normalized state."""
        return reduced_rates(now.state, self.jumps)

    def measured(self, now: Trajectory) -> tuple[MPS, NDArray[np.float64]]:
        """State to measure, and the discarded weight of each bond."""
        return now.state, now.ledger.discarded

    @abstractmethod
    def _steps(self, now: Trajectory, step: float, steps: int) -> Trajectory:
        """Equal steps of H - i/2 sum L+L."""

    def _operator(self, state: MPS, which: int) -> Operator:
        """A jump operator on the chain of a state."""
        if which not in self._operators:
            on_sites = self.jumps[which].on(state.sites)
            self._operators[which] = on_sites.on_chain(state.sites, state.code)
        return self._operators[which]

    def _apply(self, now: Trajectory, operator: Operator, site: int) -> Trajectory:
        with single_threaded_blas():
            after, norm, discarded = now.state.apply(operator, **self.limits)
        ledger = now.ledger.copy()
        # One bond stands for all that compressing the product has cost.
        ledger.add(min(site, after.length - 2), discarded)
        return Trajectory(after, now.norm2 * norm**2, ledger)


class MPSBackend(NetworkBackend):
    """Matrix product states under Trotter steps of H, with the decay between them.

    The decay is applied every ``stride`` steps: h being the largest norm of a bond term and D that
    of the damping, the Trotter error goes as h^3 dt^2, that of the decay as h^2 D (stride dt)^2,
    and the stride makes them equal.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._terms = bonds(self.model.hamiltonian)
        self._spectra = {sites: np.linalg.eigh(m) for sites, m in damping(self.jumps).items()}
        self.stride = self._stride()
        self._engines: OrderedDict[float, Tebd] = OrderedDict()
        self._factors: OrderedDict[float, list[Operator]] = OrderedDict()

    def _stride(self) -> int:
        count = self._terms.length - 1
        strength = max(np.linalg.norm(self._terms.matrix(k, 0.0), 2) for k in range(count))
        decay = max((float(rates[-1]) / 2 for rates, _ in self._spectra.values()), default=0.0)
        if decay <= 0.0:
            return _LONGEST_STRIDE
        return int(np.clip(np.sqrt(strength / decay), 1, _LONGEST_STRIDE))

    def _steps(self, now: Trajectory, step: float, steps: int) -> Trajectory:
        if not self.jumps:
            return self._move(now, step, steps)
        # Stretches between two decays, as equal as whole steps allow.
        count = ceil(steps / self.stride)
        parts = [steps // count + (k < steps % count) for k in range(count)]
        now = self._decay(now, parts[0] * step / 2)
        for part, following in zip(parts, [*parts[1:], 0], strict=True):
            now = self._move(now, step, part)
            # The second half of one stretch and the first half of the next.
            now = self._decay(now, (part + following) * step / 2)
        return now

    def _move(self, now: Trajectory, step: float, steps: int) -> Trajectory:
        """Trotter steps of H alone."""
        make = partial(self._engine, now.state)
        engine = remembered(self._engines, step, make, _REMEMBERED)
        engine.state, engine.ledger = now.state.copy(), now.ledger.copy()
        for _ in engine.advance(0.0, step, steps):
            pass
        return Trajectory(engine.state, now.norm2, engine.ledger)

    def _engine(self, state: MPS) -> Tebd:
        return Tebd(
            state, self._terms.matrix, [False] * (self._terms.length - 1), order=self.keys.order,
            method=self.keys.method, threads=threads_here(), **self.limits,
        )  # fmt: skip

    def _decay(self, now: Trajectory, span: float) -> Trajectory:
        """exp(-span/2 sum L+L), group by group."""

        def operators() -> list[Operator]:
            found, chain, code = [], now.state.sites, now.state.code
            for sites, (rates, vectors) in self._spectra.items():
                matrix = (vectors * np.exp(-span / 2 * rates)) @ vectors.conj().T
                operator = SpinOperator.from_matrix(matrix, sites, chain, "2Sz" in code.names)
                found.append(operator.on_chain(chain, code))
            return joined(found, list(self._spectra))

        for operator in remembered(self._factors, span, operators, _REMEMBERED):
            now = self._apply(now, operator, min(self._spectra)[0])
        return now


class TdvpBackend(NetworkBackend):
    """Matrix product states under TDVP of H - i/2 sum L+L, with terms of any range."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._sites = self.model.local_sites
        self._decay = decay(self._sites, self.jumps, _SQUARES) if self.jumps else None
        self._engines: dict[int, Tdvp] = {}
        self._squares: list[Expectation] = []

    def _steps(self, now: Trajectory, step: float, steps: int) -> Trajectory:
        engine = self._engine(now.state)
        engine.state, engine.ledger = now.state.copy(), now.ledger.copy()
        engine.log_norm = 0.0
        for _ in engine.advance(0.0, step, steps):
            pass
        return Trajectory(engine.state, now.norm2 * exp(2 * engine.log_norm), engine.ledger)

    def rates(self, now: Trajectory) -> Iterator[float]:
        """``||L psi||^2`` of each jump operator in the normalized state."""
        if not self._squares:
            empty = OperatorSum(self._sites)
            for jump in self.jumps:
                # -i/2 L+L.
                term = decay(self._sites, [jump], _SQUARES)
                self._squares.append(Expectation(empty, self.names, term))
        for square in self._squares:
            yield max(0.0, -2 * square(now.state).imag)

    def _engine(self, state: MPS) -> Tdvp:
        """TDVP in the sector of a state."""
        key = int(state.bonds[-1].keys[0])
        if key not in self._engines:
            self._engines[key] = Tdvp(
                state, self.model.hamiltonian, hermitian=self._decay is None, constant=self._decay,
                threads=threads_here(), **self.limits,
            )  # fmt: skip
        return self._engines[key]
