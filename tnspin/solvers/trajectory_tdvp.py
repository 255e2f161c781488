"""Quantum trajectories of matrix product states by TDVP of H - i/2 sum L+L.

For jump operators that are matrix product operators, and Hamiltonians of any range.  sum L+L is
one matrix product operator beside H, rates are its terms' expectation values, and a jump is a
product with L, compressed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil, exp
from typing import TYPE_CHECKING, Any

from tnspin.executors import threads_here
from tnspin.mps.apply import apply_operator, drop_charges
from tnspin.mps.dissipator import decay
from tnspin.mps.expectation import Expectation
from tnspin.mps.ledger import Ledger
from tnspin.mps.spin_operator import Operator
from tnspin.mps.tdvp import Tdvp
from tnspin.mps.tebd import single_threaded_blas
from tnspin.solvers.trajectory_mps import JUMP_TOLERANCE, Walk
from tnspin.terms import OperatorSum

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tnspin.baths import JumpOperator
    from tnspin.models import Model
    from tnspin.mps.state import MPS

__all__ = ["TdvpBackend"]

# Relative error of L+L; the decay is slow, so that this is far less in the state.
_SQUARES = 1e-7


class TdvpBackend:
    """Moves and measures matrix product states for `tnspin.solvers.trajectory_walk`.

    Parameters
    ----------
    model : Model
        With terms of any range, constant in time.
    jumps : sequence of JumpOperator
        What may happen to its localized spins.
    names : sequence of str
        Charges that are definite on every trajectory.
    tolerance : float
        Of the logarithm of the norm squared at which a jump happens, but not below 1e-5.
    dt, bond_dim, cutoff
        As for `tnspin.solvers.tdvp`.
    """

    def __init__(
        self,
        model: Model,
        jumps: Sequence[JumpOperator],
        names: Sequence[str],
        *,
        tolerance: float = 1e-8,
        dt: float = 0.1,
        bond_dim: int = 400,
        cutoff: float = 1e-7,
    ) -> None:
        self.jumps = tuple(jumps)
        self.names = tuple(names)
        self.tolerance = max(tolerance, JUMP_TOLERANCE)
        self.dt = dt
        self.limits: dict[str, Any] = {"cutoff": cutoff, "bond_dim": bond_dim}
        self._hamiltonian = model.hamiltonian
        self._sites = model.local_sites
        self._decay = decay(self._sites, jumps, _SQUARES) if jumps else None
        self._engines: dict[int, Tdvp] = {}
        self._operators: dict[int, Operator] = {}
        self._squares: list[Expectation] = []

    def start(self, state: MPS) -> Walk:
        """The normalized state with the charges that stay definite."""
        kept = drop_charges(state, self.names).copy()
        kept.canonicalize()
        return Walk(kept, 1.0, Ledger.empty(kept.length))

    def advance(self, walk: Walk, span: float) -> Walk:
        """exp(-i (H - i/2 sum L+L) span) times the state."""
        if span <= 0:
            return walk
        steps = max(1, ceil(span / self.dt - 1e-9))
        engine = self._engine(walk.state)
        engine.state, engine.ledger = walk.state.copy(), walk.ledger.copy()
        engine.log_norm = 0.0
        for _ in engine.advance(0.0, span / steps, steps):
            pass
        return Walk(engine.state, walk.norm2 * exp(2 * engine.log_norm), engine.ledger)

    def norm2(self, walk: Walk) -> float:
        """Norm squared: the probability that no jump has happened."""
        return walk.norm2

    def rates(self, walk: Walk) -> Iterator[float]:
        """``||L psi||^2`` of each jump operator in the normalized state."""
        if not self._squares:
            empty = OperatorSum(self._sites)
            for jump in self.jumps:
                # -i/2 L+L.
                term = decay(self._sites, [jump], _SQUARES)
                self._squares.append(Expectation(empty, self.names, term))
        for square in self._squares:
            yield max(0.0, -2 * square(walk.state).imag)

    def jump(self, walk: Walk, which: int | None) -> Walk:
        """Apply a jump operator (None: nothing) and normalize."""
        if which is None:
            return Walk(walk.state, 1.0, walk.ledger)
        state, jump = walk.state, self.jumps[which]
        if which not in self._operators:
            self._operators[which] = jump.on(self._sites).on_chain(state.sites, state.code)
        with single_threaded_blas():
            after, _, discarded = apply_operator(state, self._operators[which], **self.limits)
        ledger = walk.ledger.copy()
        # One bond stands for all that compressing the product has cost.
        ledger.add(min(jump.sites[0], after.length - 2), discarded)
        return Walk(after, 1.0, ledger)

    def measured(self, walk: Walk) -> tuple[MPS, NDArray[np.float64]]:
        """What observables look at, and the discarded weight of each bond."""
        return walk.state, walk.ledger.discarded

    def _engine(self, state: MPS) -> Tdvp:
        """TDVP in the sector of a state."""
        key = int(state.bonds[-1].keys[0])
        if key not in self._engines:
            self._engines[key] = Tdvp(
                state, self._hamiltonian, hermitian=self._decay is None, constant=self._decay,
                threads=threads_here(), **self.limits,
            )  # fmt: skip
        return self._engines[key]
