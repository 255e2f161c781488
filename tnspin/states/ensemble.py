"""Mixtures of a few pure states: rho = sum_k w_k |psi_k><psi_k|.

The members are states of one kind on one chain; their charges may differ, so each stays in its
own sector.  Reductions to density matrices are weighted means; entropies of cuts are weighted
means of the members' entropies, for a mixture has no Schmidt values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from tnspin.errors import InputError
from tnspin.operators.sites import Site

if TYPE_CHECKING:
    import h5py

__all__ = ["Ensemble", "pure_kind"]

_FORMAT = "tnspin-ensemble-1"
#: Class name of every kind of pure state -> module, loaded when a file names it.
_PURE = {
    "MPS": "tnspin.mps",
    "VectorState": "tnspin.states.vector",
    "OneElectronState": "tnspin.states.one_electron",
}


def pure_kind(name: str) -> Any:
    """Class of a kind of pure state by its name.

    Raises
    ------
    InputError
        If there is no such kind.
    """
    if name not in _PURE:
        raise InputError(f"state: {name!r} is not one of {', '.join(_PURE)}")
    return getattr(import_module(_PURE[name]), name)


@dataclass(frozen=True, eq=False)
class Ensemble:
    """A weighted mixture of pure states.

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
                kinds = f"{type(first).__name__} and {type(other).__name__}"
                raise InputError(f"ensemble: states of different kinds, {kinds}")
            if [site.labels for site in other.sites] != [site.labels for site in first.sites]:
                raise InputError("ensemble: the states live on different chains")

    # ------------------------------------------------------------------ what it is

    @property
    def members(self) -> tuple[tuple[float, Any], ...]:
        """Pairs (weight, state)."""
        return tuple(zip(self.weights, self.states, strict=True))

    @property
    def sites(self) -> tuple[Site, ...]:
        """The chain."""
        return tuple(self.states[0].sites)

    @property
    def length(self) -> int:
        """Number of sites."""
        return len(self.sites)

    @property
    def norm(self) -> float:
        """Root of the trace: the weighted mean of the members' norms squared."""
        return float(np.sqrt(sum(weight * state.norm**2 for weight, state in self.members)))

    @property
    def charge_names(self) -> tuple[str, ...]:
        """Names of the charges that have one value in the whole mixture."""
        return tuple(self.total_charge)

    @property
    def total_charge(self) -> dict[str, int]:
        """Values of the charges in which all members agree."""
        totals = [state.total_charge for state in self.states]
        return {
            name: value
            for name, value in totals[0].items()
            if all(other.get(name) == value for other in totals[1:])
        }

    def bond_dims(self) -> np.ndarray:
        """Largest bond dimension of any member on each of the L - 1 bonds."""
        return np.max([state.bond_dims() for state in self.states], axis=0)

    def copy(self) -> Ensemble:
        """An independent copy."""
        return Ensemble(tuple(state.copy() for state in self.states), self.weights)

    # ------------------------------------------------------------------ numbers

    def site_rdms(self) -> list[np.ndarray]:
        """Reduced density matrix (d, d) of every site."""
        return self._mean([state.site_rdms() for state in self.states])

    def bond_rdms(self) -> list[np.ndarray]:
        """Reduced density matrix of every pair of neighbours."""
        return self._mean([state.bond_rdms() for state in self.states])

    def rdm(self, sites: Sequence[int], keep: Sequence[int] | None = None) -> np.ndarray:
        """Reduced density matrix of a few sites; ``keep`` as for the members."""
        return self._mean([[state.rdm(sites, keep)] for state in self.states])[0]

    def entropies(self) -> np.ndarray:
        """Weighted mean of the members' entropies of each of the L - 1 cuts, not that of rho."""
        total: np.ndarray = sum(weight * state.entropies() for weight, state in self.members)
        return total

    def schmidt(self, bond: int) -> np.ndarray:
        """Refused: a mixture has no Schmidt values.

        Raises
        ------
        InputError
            Always.
        """
        raise InputError(f"state: a mixture has no Schmidt values at bond {bond}; ask its members")

    def _mean(self, parts: Sequence[Sequence[np.ndarray]]) -> list[np.ndarray]:
        """Weighted mean of one list of matrices per member, place by place."""
        return [
            np.sum([weight * rho for weight, rho in zip(self.weights, rhos, strict=True)], axis=0)
            for rhos in zip(*parts, strict=True)
        ]

    # ------------------------------------------------------------------ files

    def save(self, group: h5py.Group) -> None:
        """Write to an open HDF5 group, each member to a group of its own."""
        group.attrs["format"] = _FORMAT
        group.attrs["member_kind"] = type(self.states[0]).__name__
        group["weights"] = np.array(self.weights)
        for k, state in enumerate(self.states):
            state.save(group.create_group(str(k)))

    @classmethod
    def load(cls, group: h5py.Group, sites: Sequence[Site]) -> Ensemble:
        """Read what `save` wrote, bit for bit.

        Raises
        ------
        InputError
            If the group holds something else or states on other sites.
        """
        if group.attrs.get("format") != _FORMAT:
            raise InputError(f"state: {group.name} of {group.file.filename} holds no ensemble")
        kind = pure_kind(str(group.attrs["member_kind"]))
        weights = group["weights"][:].tolist()
        return cls(tuple(kind.load(group[str(k)], sites) for k in range(len(weights))), weights)
