"""The mean of many states, as far as observables ask for it.

A sampled run never holds all its states at once, nor the density matrix of the chain.  It keeps
the density matrices of sites, of neighbours and of the localized spins together (`Layout`), and
those answer here like a state.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import h5py
import numpy as np
from numpy.typing import NDArray

from tnspin.errors import InputError
from tnspin.operators.sites import Matrix, Site
from tnspin.operators.state import State
from tnspin.solvers.trajectories.layout import LARGEST, Layout

Ints = NDArray[np.int64]
Vector = NDArray[np.complex128]


class Averaged(State):
    """Mean of many states: the density matrices that a `Layout` keeps of it.

    Parameters
    ----------
    layout : Layout
        Which density matrices it holds.
    vector : (layout.size,) ndarray
        Mean of `Layout.pack` over the states, with weights that sum to 1.
    trajectories : int
        How many trajectories were sampled for it; 0 if none was needed, or for other means.
    """

    noun = "sampled average"
    formats = ("tnspin-averaged-1",)
    gives = State.gives | {"ledger"}

    def __init__(self, layout: Layout, vector: Vector, trajectories: int = 0) -> None:
        self.layout = layout
        self.vector = vector
        self.trajectories = trajectories
        self.sites = layout.sites

    @property
    def norm(self) -> float:
        """Root of the trace: 1 up to rounding."""
        return float(np.sqrt(np.trace(self._site_rdms[0]).real))

    @property
    def charge_names(self) -> tuple[str, ...]:
        """Charges between whose sectors the density matrices have no elements."""
        return self.layout.charge_names

    def _details(self) -> list[str]:
        return [f"{self.trajectories} trajectories"] if self.trajectories else []

    def copy(self) -> Averaged:
        """An independent copy."""
        return Averaged(self.layout, self.vector.copy(), self.trajectories)

    # ------------------------------------------------------------------ numbers

    def site_rdms(self) -> list[Matrix]:
        """Reduced density matrix of every site, L arrays (d, d)."""
        return self._site_rdms

    def bond_rdms(self) -> list[Matrix]:
        """Reduced density matrix of every pair of neighbours, L - 1 arrays.

        Raises
        ------
        InputError
            If they were not kept.
        """
        if not self.layout.bonds:
            raise InputError("state: the density matrices of neighbours were not sampled")
        return self._bond_rdms

    def _rdm(self, chosen: list[int], kept: list[int]) -> Matrix:
        dims = [self.sites[k].dim for k in chosen]
        if all(
            self.sites[k].spin_dim == d and k in self.layout.spins
            for k, d in zip(chosen, kept, strict=True)
        ):
            return self._spin_rdm(chosen)
        if len(chosen) == 1:
            return _reduce(self._site_rdms[chosen[0]], dims, kept, [0])
        if len(chosen) == 2 and abs(chosen[0] - chosen[1]) == 1:
            rho = self.bond_rdms()[min(chosen)]
            ascending = chosen[0] < chosen[1]
            order = [0, 1] if ascending else [1, 0]
            return _reduce(rho, [dims[k] for k in order], [kept[k] for k in order], order)
        raise InputError(
            f"sites: the density matrix of {chosen} was not sampled; known are those of single "
            f"sites, of neighbours and of localized spins of up to {LARGEST} states together"
        )

    def entropies(self) -> NDArray[np.float64]:
        """Mean of the states' entropies of each cut, which depends on how the mixture is made.

        Raises
        ------
        InputError
            If it was not kept.
        """
        if not self.layout.cuts:
            raise InputError("state: the entropies of cuts were not sampled")
        return self.layout.reals("entropy", self.vector)

    def bond_dims(self) -> Ints:
        """Mean bond dimension of the states, rounded; zeros for kinds without."""
        return np.rint(self.layout.reals("bond_dim", self.vector)).astype(np.int64)

    @property
    def discarded(self) -> NDArray[np.float64]:
        """Mean of the weight that truncation took from the states, (L - 1,)."""
        return self.layout.reals("discarded", self.vector)

    # ------------------------------------------------------------------ inside

    @cached_property
    def _site_rdms(self) -> list[Matrix]:
        return self.layout.matrices("site", self.vector)

    @cached_property
    def _bond_rdms(self) -> list[Matrix]:
        return self.layout.matrices("bond", self.vector)

    @cached_property
    def _all_spins(self) -> Matrix:
        return self.layout.matrices("spins", self.vector)[0]

    def _spin_rdm(self, chosen: list[int]) -> Matrix:
        spins = self.layout.spins
        missing = [k for k in chosen if k not in spins]
        if missing:
            raise InputError(
                f"part: site {missing[0]} is not among the localized spins {list(spins)} whose "
                f"density matrix was sampled (at most {LARGEST} states together)"
            )
        if tuple(chosen) == spins:
            return self._all_spins
        dims = [self.sites[k].spin_dim for k in spins]
        kept = [d if k in chosen else 1 for k, d in zip(spins, dims, strict=True)]
        rho = _reduce(self._all_spins, dims, kept, list(range(len(spins))))
        left = [k for k in spins if k in chosen]
        sizes = [self.sites[k].spin_dim for k in left]
        return _reduce(rho, sizes, sizes, [left.index(k) for k in chosen])

    # ------------------------------------------------------------------ files

    def _write(self, group: h5py.Group) -> None:
        layout = self.layout
        group.attrs["charge_names"] = list(layout.charge_names)
        group.attrs["groups"] = np.array([len(part) for part in layout.groups], dtype=np.int64)
        group.attrs["group_sites"] = np.array([k for p in layout.groups for k in p], dtype=np.int64)
        group.attrs["bonds"], group.attrs["cuts"] = layout.bonds, layout.cuts
        group.attrs["trajectories"] = self.trajectories
        group["vector"] = self.vector

    @classmethod
    def _read(cls, group: h5py.Group, sites: tuple[Site, ...]) -> Averaged:
        ends = np.cumsum(group.attrs["groups"])
        parts = np.split(group.attrs["group_sites"], ends[:-1]) if ends.size else []
        names = [str(name) for name in group.attrs["charge_names"]]
        layout = Layout(
            sites, names, [part.tolist() for part in parts],
            bonds=bool(group.attrs["bonds"]), cuts=bool(group.attrs["cuts"]),
        )  # fmt: skip
        return cls(layout, group["vector"][:], int(group.attrs.get("trajectories", 0)))


def _reduce(rho: Matrix, dims: Sequence[int], kept: Sequence[int], order: Sequence[int]) -> Matrix:
    """Keep the trailing factor of each subsystem, then bring them into the given order."""
    before, size = 1, len(rho)
    for dim, keep in zip(dims, kept, strict=True):
        after = size // (before * dim)
        # A subsystem that is traced out altogether has its whole space in front.
        parts = rho.reshape(before, dim // keep, keep * after, before, dim // keep, keep * after)
        size = before * keep * after
        rho = np.einsum("amxbmy->axby", parts).reshape(size, size)
        before *= keep
    tensor = rho.reshape(tuple(kept) * 2)
    axes = [*order, *(len(kept) + k for k in order)]
    return np.ascontiguousarray(tensor.transpose(axes)).reshape(size, size)
