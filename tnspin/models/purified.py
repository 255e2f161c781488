"""Models with more states on their sites, or more sites, than the model that they are made from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tnspin.models.base import Model
from tnspin.operators.operator_sum import OperatorSum
from tnspin.operators.sites import Site, purified


@dataclass(frozen=True)
class Extended(Model):
    """Base of models made from another one; what they do not define is asked of it.

    Parameters
    ----------
    model
        Any model.
    """

    model: Any

    def __getattr__(self, name: str) -> Any:
        # Copying and unpickling look for special methods before there is a model to ask.
        if name == "model" or name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.model, name)

    @cached_property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """Sites of the localized spins of each group."""
        return tuple(self.model.groups)

    @cached_property
    def localized_sites(self) -> tuple[int, ...]:
        """Sites of all localized spins."""
        return tuple(self.model.localized_sites)

    @cached_property
    def localized_spin(self) -> float:
        """S of the localized spins."""
        return float(self.model.localized_spin)

    @cached_property
    def localized_scale(self) -> float:
        """Factor from spin matrices to what stands for the localized spins in H."""
        return float(getattr(self.model, "localized_scale", 1.0))


@dataclass(frozen=True)
class Purified(Extended):
    """A model whose localized spins are entangled with ancillas on which H does not act.

    Mixed states of the spins become pure states of spins and ancillas, which evolve as such;
    every observable of the model is the same operator times the identity on the ancillas.
    """

    kind = "purified"

    @cached_property
    def local_sites(self) -> tuple[Site, ...]:
        """The chain, with an ancilla in front of every localized spin."""
        return tuple(purified(site) for site in self.model.local_sites)

    @cached_property
    def hamiltonian(self) -> OperatorSum:
        """H, by the same operator names."""
        return OperatorSum(self.local_sites, self.model.hamiltonian.terms)
