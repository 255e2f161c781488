"""What a solver yields: the state at one time, and cached reductions of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from .mps.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .sites import Site


class State(Protocol):
    """What observables need of a state, whatever solver made it."""

    sites: tuple[Site, ...]

    @property
    def norm(self) -> float: ...
    @property
    def charge_names(self) -> tuple[str, ...]: ...
    @property
    def total_charge(self) -> dict[str, int]: ...
    def site_rdms(self) -> list[np.ndarray]: ...
    def bond_rdms(self) -> list[np.ndarray]: ...
    def rdm(self, sites: Sequence[int], keep: Sequence[int] | None = None) -> np.ndarray: ...
    def schmidt(self, bond: int) -> np.ndarray: ...
    def entropies(self) -> np.ndarray: ...
    def bond_dims(self) -> np.ndarray: ...


class Progress(NamedTuple):
    """How far a run is: current time, largest bond dimension, discarded weight so far."""

    time: float
    bond_dim: int
    discarded: float


@dataclass(frozen=True)
class Snapshot:
    """A state at ``time`` of ``model``, with the error ledger up to then (if it has one)."""

    time: float
    model: Any
    state: State
    ledger: Ledger | None = None

    @cached_property
    def site_rdms(self) -> list[np.ndarray]:
        """Reduced density matrix of every site, computed once."""
        return self.state.site_rdms()

    @cached_property
    def bond_rdms(self) -> list[np.ndarray]:
        """Reduced density matrix of every pair of neighbours, computed once."""
        return self.state.bond_rdms()

    def expect(self, site: int, matrix: np.ndarray) -> float:
        """Expectation value of a Hermitian one-site operator."""
        return float(np.real(np.vdot(matrix.conj().T, self.site_rdms[site])))
