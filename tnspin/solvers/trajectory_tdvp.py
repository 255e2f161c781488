"""Quantum trajectories of matrix product states by TDVP of H - i/2 sum L+L.

For jump operators that are matrix product operators, and Hamiltonians of any range.  sum L+L is
one matrix product operator beside H, rates are its terms' expectation values, and a jump is a
product with L, compressed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import exp
from typing import TYPE_CHECKING

from tnspin.executors import threads_here
from tnspin.mps.dissipator import decay
from tnspin.mps.expectation import Expectation
from tnspin.mps.tdvp import Tdvp
from tnspin.solvers.trajectory_products import ProductBackend, Walk
from tnspin.terms import OperatorSum

if TYPE_CHECKING:
    from tnspin.baths import JumpOperator
    from tnspin.models import Model
    from tnspin.mps.state import MPS

__all__ = ["TdvpBackend"]

# Relative error of L+L; the decay is slow, so that this is far less in the state.
_SQUARES = 1e-7


class TdvpBackend(ProductBackend):
    """Moves and measures matrix product states for `tnspin.solvers.trajectory_walk`.

    Parameters
    ----------
    model : Model
        With terms of any range, constant in time.
    jumps : sequence of JumpOperator
        What may happen to its localized spins.
    names, tolerance
        See `ProductBackend`.
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
        super().__init__(jumps, names, tolerance=tolerance, dt=dt, bond_dim=bond_dim, cutoff=cutoff)
        self._hamiltonian = model.hamiltonian
        self._sites = model.local_sites
        self._decay = decay(self._sites, jumps, _SQUARES) if jumps else None
        self._engines: dict[int, Tdvp] = {}
        self._squares: list[Expectation] = []

    def _steps(self, walk: Walk, step: float, steps: int) -> Walk:
        engine = self._engine(walk.state)
        engine.state, engine.ledger = walk.state.copy(), walk.ledger.copy()
        engine.log_norm = 0.0
        for _ in engine.advance(0.0, step, steps):
            pass
        return Walk(engine.state, walk.norm2 * exp(2 * engine.log_norm), engine.ledger)

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

    def _engine(self, state: MPS) -> Tdvp:
        """TDVP in the sector of a state."""
        key = int(state.bonds[-1].keys[0])
        if key not in self._engines:
            self._engines[key] = Tdvp(
                state, self._hamiltonian, hermitian=self._decay is None, constant=self._decay,
                threads=threads_here(), **self.limits,
            )  # fmt: skip
        return self._engines[key]
