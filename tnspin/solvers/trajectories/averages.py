"""The mean of many states, as far as observables ask for it.

A sampled run never holds all its states at once, nor the density matrix of the chain.  It keeps
the density matrices of sites, of neighbours and of the localized spins together (`Layout`), and
those answer here like a state.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tnspin.errors import InputError
from tnspin.observables.groups.state import GroupState
from tnspin.operators.sites import Matrix
from tnspin.solvers.trajectories.layout import LARGEST, Layout, summed_charges

if TYPE_CHECKING:
    import h5py

    from tnspin.operators.sites import Site

__all__ = ["Averaged"]

Ints = NDArray[np.int64]
Vector = NDArray[np.complex128]

_FORMAT = "tnspin-averaged-1"


class Averaged:
    """The mean of many states, as far as it is known; answers like a state.

    Parameters
    ----------
    layout : Layout
        What is known of it.
    vector : (layout.size,) ndarray
        Mean of `Layout.pack` over the states, with weights that sum to 1.
    trajectories : int
        How many trajectories were sampled for it; 0 if none was needed, or for other means.
    """

    def __init__(self, layout: Layout, vector: Vector, trajectories: int = 0) -> None:
        self.layout = layout
        self.vector = vector
        self.trajectories = trajectories
        self.sites = layout.sites

    @property
    def length(self) -> int:
        """Number of sites L."""
        return self.layout.length

    @property
    def norm(self) -> float:
        """Root of the trace: 1 up to rounding."""
        return float(np.sqrt(np.trace(self._site_rdms[0]).real))

    @property
    def charge_names(self) -> tuple[str, ...]:
        """None: jumps may have led to several values of a charge."""
        return ()

    @property
    def total_charge(self) -> dict[str, int]:
        """Empty, see `charge_names`."""
        return {}

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

    def rdm(self, sites: Sequence[int], keep: Sequence[int] | None = None) -> Matrix:
        """Reduced density matrix of one site, of two neighbours or of localized spins.

        Parameters
        ----------
        sites
            Distinct sites.
        keep
            Trailing dimension to keep of each, the rest is traced out.

        Raises
        ------
        InputError
            If that density matrix was not kept.
        """
        chosen = [int(k) for k in sites]
        dims = [self.sites[k].dim for k in chosen]
        kept = dims if keep is None else [int(d) for d in keep]
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

    def group_state(
        self, part_a: Sequence[int], part_b: Sequence[int], **accuracy: float
    ) -> GroupState:
        """Density matrix of two groups of localized spins, whatever accuracy would do.

        It is exact: see `reduced` for what ``cutoff``, ``dense`` and ``largest`` mean.

        Raises
        ------
        InputError
            If the localized spins have too many states together to have been sampled.
        """
        parts = [[int(k) for k in part] for part in (part_a, part_b)]
        a, b = (self._doubled_sz(part) for part in parts)
        return GroupState.from_dense(self._spin_rdm(parts[0] + parts[1]), (a.size, b.size), (a, b))

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

    def schmidt(self, bond: int) -> NDArray[np.float64]:
        """Refused: a mixture has no Schmidt values.

        Raises
        ------
        InputError
            Always.
        """
        raise InputError(f"state: a mixture has no Schmidt values at bond {bond}")

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

    def _doubled_sz(self, spins: Sequence[int]) -> Ints:
        """2Sz of the product states of a few spins, zeros if it is not conserved."""
        one = [np.zeros((1, 1), dtype=np.int64)]
        if "2Sz" in self.layout.charge_names:
            return summed_charges([*one, *map(self.layout.spin_charges, spins)])[:, 0]
        return np.zeros(prod(self.sites[k].spin_dim for k in spins), dtype=np.int64)

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

    def save(self, group: h5py.Group) -> None:
        """Write to an open HDF5 group."""
        layout = self.layout
        group.attrs["format"] = _FORMAT
        group.attrs["dims"] = np.array([site.dim for site in self.sites])
        group.attrs["charge_names"] = list(layout.charge_names)
        group.attrs["groups"] = np.array([len(part) for part in layout.groups], dtype=np.int64)
        group.attrs["group_sites"] = np.array([k for p in layout.groups for k in p], dtype=np.int64)
        group.attrs["bonds"], group.attrs["cuts"] = layout.bonds, layout.cuts
        group.attrs["trajectories"] = self.trajectories
        group["vector"] = self.vector

    @classmethod
    def load(cls, group: h5py.Group, sites: Sequence[Site]) -> Averaged:
        """Read what `save` wrote, bit for bit.

        Raises
        ------
        InputError
            If the group holds something else, or a state of another chain.
        """
        if group.attrs.get("format") != _FORMAT:
            raise InputError(f"state: {group.name} of {group.file.filename} holds no average")
        if not np.array_equal(group.attrs["dims"], [site.dim for site in sites]):
            raise InputError(f"state: {group.file.filename} holds an average of another chain")
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
