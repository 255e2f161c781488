"""`Ensemble`: mixtures of a few pure states, rho = sum_k w_k |psi_k><psi_k|.

The members are states of one representation on one chain; their charges may differ, so each
stays in its own sector.  Reduced density matrices are weighted means; entropies of cuts are
weighted means of the members' entropies, for a mixture has no Schmidt values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tnspin.errors import InputError
from tnspin.operators.sites import Matrix, Site
from tnspin.operators.state import PureState, State, weighted_sum

if TYPE_CHECKING:
    import h5py


@dataclass(frozen=True, eq=False, repr=False)
class Ensemble(State):
    """Weighted mixture of pure states.

    Parameters
    ----------
    states
        One or more states of the same kind (`MPS`, `VectorState`, `OneElectronState`) on the
        same sites, each counting as normalized.
    weights
        Their probabilities: positive, sum 1.

    Raises
    ------
    InputError
        If the weights are no probabilities, or the states differ in kind or sites.
    """

    noun = "mixture"
    formats = ("tnspin-ensemble-1",)
    gives = PureState.gives

    states: tuple[Any, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "states", tuple(self.states))
        object.__setattr__(self, "weights", tuple(float(weight) for weight in self.weights))
        if len(self.states) != len(self.weights) or not self.states:
            raise InputError(
                f"ensemble: {len(self.states)} states and {len(self.weights)} weights given"
            )
        if min(self.weights) <= 0 or abs(sum(self.weights) - 1) > 1e-12:
            raise InputError(
                f"ensemble: weights must be positive and sum to 1, got {list(self.weights)}"
            )
        first = self.states[0]
        for other in self.states[1:]:
            if type(other) is not type(first):
                raise InputError(
                    f"ensemble: states of different kinds, {first.noun} and {other.noun}"
                )
            if [site.labels for site in other.sites] != [site.labels for site in first.sites]:
                raise InputError("ensemble: the states live on different chains")

    @property
    def members(self) -> tuple[tuple[float, Any], ...]:
        """Pairs (weight, state)."""
        return tuple(zip(self.weights, self.states, strict=True))

    @property
    def sites(self) -> tuple[Site, ...]:  # type: ignore[override]
        """The chain."""
        return tuple(self.states[0].sites)

    @property
    def norm(self) -> float:
        """Root of the trace: the weighted mean of the members' norms squared."""
        return float(np.sqrt(sum(weight * state.norm**2 for weight, state in self.members)))

    @property
    def total_charge(self) -> dict[str, int]:
        """Values of the charges in which all members agree."""
        totals = [state.total_charge for state in self.states]
        return {
            name: value
            for name, value in totals[0].items()
            if all(other.get(name) == value for other in totals[1:])
        }

    def _details(self) -> list[str]:
        return [f"{len(self.states)} members: {self.states[0]!r}"]

    def copy(self) -> Ensemble:
        """Return an independent copy."""
        return Ensemble(tuple(state.copy() for state in self.states), self.weights)

    # ------------------------------------------------------------------ numbers

    def bond_dims(self) -> np.ndarray:
        """Largest bond dimension of any member on each of the L - 1 bonds."""
        return np.max([state.bond_dims() for state in self.states], axis=0)

    def site_rdms(self) -> list[Matrix]:
        """Reduced density matrix (d, d) of every site."""
        return weighted_sum(self.weights, [state.site_rdms() for state in self.states])

    def bond_rdms(self) -> list[Matrix]:
        """Reduced density matrix of every pair of neighbours."""
        return weighted_sum(self.weights, [state.bond_rdms() for state in self.states])

    def _rdm(self, sites: list[int], keep: list[int]) -> Matrix:
        return weighted_sum(self.weights, [[state.rdm(sites, keep)] for state in self.states])[0]

    def entropies(self) -> np.ndarray:
        """Weighted mean of the members' entropies of each of the L - 1 cuts, not that of rho."""
        total: np.ndarray = sum(weight * state.entropies() for weight, state in self.members)
        return total

    def entropy(self, bond: int) -> float:
        """Weighted mean of the members' entropies of one cut."""
        return float(sum(weight * state.entropy(bond) for weight, state in self.members))

    # ------------------------------------------------------------------ files

    def _write(self, group: h5py.Group) -> None:
        group["weights"] = np.array(self.weights)
        for k, state in enumerate(self.states):
            state.save(group.create_group(str(k)))

    @classmethod
    def _read(cls, group: h5py.Group, sites: tuple[Site, ...]) -> Ensemble:
        weights = group["weights"][:].tolist()
        return cls(tuple(State.load(group[str(k)], sites) for k in range(len(weights))), weights)
