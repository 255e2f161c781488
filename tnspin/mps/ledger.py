"""Record of truncation errors and time steps of an evolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import h5py

#: Numbers of a ledger and their types.
_NUMBERS: dict[str, type] = {
    "log_kept": float,
    "dt": float,
    "order": int,
    "steps": int,
    "layers": int,
}


@dataclass
class Ledger:
    """Errors of one evolution, summed since its start.

    Attributes
    ----------
    discarded
        Discarded weight summed over all updates of each bond, (length - 1,).
    log_kept
        Sum of log(1 - discarded weight): the norm that would be left without renormalization
        is ``exp(log_kept / 2)``.
    dt, order, steps
        Trotter step, its order and how many steps were made.
    layers
        How many layers of gates; it seeds the random probes, so a continued run repeats them.
    kraus
        Weight dropped from the Kraus index of each site of a purified density matrix, (length,);
        None for other states.
    """

    discarded: np.ndarray
    log_kept: float = 0.0
    dt: float = 0.0
    order: int = 0
    steps: int = 0
    layers: int = 0
    kraus: np.ndarray | None = None

    @classmethod
    def empty(cls, length: int) -> Ledger:
        """Ledger of an evolution that has not begun, on a chain of ``length`` sites."""
        return cls(np.zeros(length - 1))

    @property
    def norm(self) -> float:
        """Norm of the state had it never been renormalized."""
        return float(np.exp(self.log_kept / 2))

    @property
    def norm_lost(self) -> float:
        """1 - norm**2."""
        return float(-np.expm1(self.log_kept))

    def add(self, bond: int, weight: float) -> None:
        """Enter one truncation."""
        self.discarded[bond] += weight
        self.log_kept += float(np.log1p(-min(weight, 1 - 1e-16)))

    def add_kraus(self, weights: np.ndarray) -> None:
        """Enter the weights dropped from all Kraus indices."""
        self.kraus = weights.copy() if self.kraus is None else self.kraus + weights
        self.log_kept += float(np.log1p(-np.minimum(weights, 1 - 1e-16)).sum())

    def copy(self) -> Ledger:
        """An independent copy, for a snapshot."""
        kraus = None if self.kraus is None else self.kraus.copy()
        return replace(self, discarded=self.discarded.copy(), kraus=kraus)

    def save(self, group: h5py.Group) -> None:
        """Write to an open HDF5 group."""
        group["discarded"] = self.discarded
        group.attrs.update({name: getattr(self, name) for name in _NUMBERS})
        if self.kraus is not None:
            group["kraus"] = self.kraus

    @classmethod
    def load(cls, group: h5py.Group) -> Ledger:
        """Read what `save` wrote, of one evolution or of several in lock step."""
        if "weights" in group:
            weights = group["weights"][:].tolist()
            return MergedLedger.of([cls.load(group[str(k)]) for k in range(len(weights))], weights)
        numbers = {name: kind(group.attrs[name]) for name, kind in _NUMBERS.items()}
        kraus = group["kraus"][:] if "kraus" in group else None
        return cls(group["discarded"][:], **numbers, kraus=kraus)


@dataclass
class MergedLedger(Ledger):
    """Errors of several evolutions in lock step, the members of a mixture.

    ``discarded`` and ``log_kept`` are those of the mixture, whose remaining trace is the weighted
    mean of those of the members.  ``steps`` and ``layers``, the cost, are sums.
    ``members`` are exact copies, from which each evolution continues.
    """

    members: tuple[Ledger, ...] = ()
    weights: tuple[float, ...] = ()

    @classmethod
    def of(cls, members: Sequence[Ledger], weights: Sequence[float]) -> MergedLedger:
        """Combine the ledgers of members with weights that sum to 1."""
        pairs = list(zip(weights, members, strict=True))
        kept = sum(weight * np.exp(one.log_kept) for weight, one in pairs)
        return cls(
            discarded=np.sum([weight * one.discarded for weight, one in pairs], axis=0),
            log_kept=float(np.log(kept)),
            dt=max(one.dt for one in members),
            order=max(one.order for one in members),
            steps=sum(one.steps for one in members),
            layers=sum(one.layers for one in members),
            members=tuple(one.copy() for one in members),
            weights=tuple(weights),
        )

    def copy(self) -> MergedLedger:
        """An independent copy, for a snapshot."""
        return MergedLedger.of(self.members, self.weights)

    def save(self, group: h5py.Group) -> None:
        """Write to an open HDF5 group, each member to a group of its own."""
        group["weights"] = np.array(self.weights)
        for k, member in enumerate(self.members):
            member.save(group.create_group(str(k)))
