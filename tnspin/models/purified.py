"""The same Hamiltonian on sites that carry an ancilla beside every localized spin."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from tnspin.operators.operator_sum import OperatorSum
from tnspin.operators.sites import Site, purified


@dataclass(frozen=True)
class Purified:
    """A model whose localized spins are entangled with ancillas on which H does not act.

    Mixed states of the spins become pure states of spins and ancillas, which evolve as such;
    every observable of the model is the same operator times the identity on the ancillas.

    Parameters
    ----------
    model
        Any model. Whatever is not defined here is asked of it (``groups``, ``hopping``, ...).
    """

    kind: ClassVar[str] = "purified"

    model: Any

    def __getattr__(self, name: str) -> Any:
        # Copying and unpickling look for special methods before there is a model to ask.
        if name == "model" or name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.model, name)

    @cached_property
    def local_sites(self) -> tuple[Site, ...]:
        """The chain, with an ancilla in front of every localized spin."""
        return tuple(purified(site) for site in self.model.local_sites)

    @cached_property
    def hamiltonian(self) -> OperatorSum:
        """H, by the same operator names."""
        return OperatorSum(self.local_sites, self.model.hamiltonian.terms)

    @property
    def length(self) -> int:
        """Number of sites."""
        return int(self.model.length)

    @property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """Sites of the localized spins of each group."""
        return tuple(self.model.groups)

    @property
    def localized_sites(self) -> tuple[int, ...]:
        """Sites of all localized spins."""
        return tuple(self.model.localized_sites)

    @property
    def localized_spin(self) -> float:
        """S of the localized spins."""
        return float(self.model.localized_spin)
