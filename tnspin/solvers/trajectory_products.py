"""What quantum trajectories of matrix product states have in common, however they are evolved."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

from tnspin.mps.apply import Operator, apply_operator, drop_charges
from tnspin.mps.ledger import Ledger
from tnspin.mps.state import MPS
from tnspin.mps.tebd import single_threaded_blas

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tnspin.baths import JumpOperator

__all__ = ["ProductBackend", "Walk"]

# Of the logarithm of the norm squared: jump times are no better than the Trotter step anyway.
_JUMP_TOLERANCE = 1e-5


@dataclass(frozen=True, eq=False)
class Walk:
    """A normalized state, the norm squared it stands for, and what truncation has cost."""

    state: MPS
    norm2: float
    ledger: Ledger


class ProductBackend(ABC):
    """Matrix product states for `tnspin.solvers.trajectory_walk`, but for how they move.

    Parameters
    ----------
    jumps : sequence of JumpOperator
        What may happen to the localized spins.
    names : sequence of str
        Charges that are definite on every trajectory.
    tolerance : float
        Of the logarithm of the norm squared at which a jump happens, but not below 1e-5.
    dt : float
        Longest step.
    bond_dim, cutoff
        Limits of every truncation.
    """

    def __init__(
        self,
        jumps: Sequence[JumpOperator],
        names: Sequence[str],
        *,
        tolerance: float,
        dt: float,
        bond_dim: int,
        cutoff: float,
    ) -> None:
        self.jumps = tuple(jumps)
        self.names = tuple(names)
        self.tolerance = max(tolerance, _JUMP_TOLERANCE)
        self.dt = dt
        self.limits: dict[str, Any] = {"cutoff": cutoff, "bond_dim": bond_dim}
        self._operators: dict[int, Operator] = {}

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
        return self._steps(walk, span / steps, steps)

    def norm2(self, walk: Walk) -> float:
        """Norm squared: the probability that no jump has happened."""
        return walk.norm2

    def jump(self, walk: Walk, which: int | None) -> Walk:
        """Apply a jump operator (None: nothing) and normalize."""
        if which is not None:
            site = self.jumps[which].sites[0]
            walk = self._apply(walk, self._operator(walk.state, which), site)
        return Walk(walk.state, 1.0, walk.ledger)

    def measured(self, walk: Walk) -> tuple[MPS, NDArray[np.float64]]:
        """What observables look at, and the discarded weight of each bond."""
        return walk.state, walk.ledger.discarded

    @abstractmethod
    def _steps(self, walk: Walk, step: float, steps: int) -> Walk:
        """Equal steps of H - i/2 sum L+L."""

    def _operator(self, state: MPS, which: int) -> Operator:
        """A jump operator on the chain of a state."""
        if which not in self._operators:
            on_sites = self.jumps[which].on(state.sites)
            self._operators[which] = on_sites.on_chain(state.sites, state.code)
        return self._operators[which]

    def _apply(self, walk: Walk, operator: Operator, site: int) -> Walk:
        with single_threaded_blas():
            after, norm, discarded = apply_operator(walk.state, operator, **self.limits)
        ledger = walk.ledger.copy()
        # One bond stands for all that compressing the product has cost.
        ledger.add(min(site, after.length - 2), discarded)
        return Walk(after, walk.norm2 * norm**2, ledger)
