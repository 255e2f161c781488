"""Mixtures of pure initial states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tnspin.errors import InputError
from tnspin.operators.basis import ChargeBasis
from tnspin.states.ensemble import Ensemble
from tnspin.states.initial.base import Description


@dataclass(frozen=True, eq=False, repr=False)
class Mixture(Description):
    """``rho = sum_k w_k |psi_k><psi_k|``: each member is evolved on its own, in its own sector.

    Attributes
    ----------
    members
        Pure initial states of one chain.
    weights
        Their probabilities, sum 1.
    """

    members: tuple[Description, ...]
    weights: tuple[float, ...]

    @property
    def purified(self) -> bool:
        """Whether the members live on sites with ancillas."""
        return self.members[0].purified

    def conserved(self) -> tuple[str, ...]:
        """Names of the charges of which every member is an eigenstate; values may differ."""
        first, *others = (member.conserved() for member in self.members)
        return tuple(name for name in first if all(name in other for other in others))

    def total_charge(self, charge_names: Sequence[str]) -> dict[str, int]:
        """Values of the named charges, refused if the members do not agree."""
        first, *others = (member.total_charge(charge_names) for member in self.members)
        for other in others:
            for name, value in first.items():
                if other[name] != value:
                    raise InputError(
                        f"state: the members of the mixture have {name} = {value} and {other[name]}"
                    )
        return first

    def reference(self, localized: Sequence[int]) -> tuple[int, ...] | None:
        """Basis state of each localized spin, None unless all members agree on it."""
        first, *others = (member.reference(localized) for member in self.members)
        return first if all(other == first for other in others) else None

    def to_mps(self, charge_names: Sequence[str] = ()) -> Ensemble:
        """Ensemble of matrix product states, each in its own sector of the named charges."""
        return Ensemble(tuple(member.to_mps(charge_names) for member in self.members), self.weights)

    def to_vector(self, basis: ChargeBasis | None = None) -> Ensemble:
        """Ensemble of state vectors, all in one sector or in the full space."""
        return Ensemble(tuple(member.to_vector(basis) for member in self.members), self.weights)
