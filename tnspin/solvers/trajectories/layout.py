"""Layout of sampled averages: density matrices of sites, neighbours, spins in one flat vector.

They are linear in the state's projector, so that averages over states, and averages without one
part of a sample, are sums of vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnspin.observables.groups.spins import group_state
from tnspin.operators.sites import Matrix, Site

Ints = NDArray[np.int64]
Vector = NDArray[np.complex128]

#: Most states of all localized spins together for which their density matrix is kept.
LARGEST = 2048
# The same as a number of spins 1/2.
_EXACT = LARGEST.bit_length() - 1


class Layout:
    """Where each density matrix lies in the flat vector.

    Of each matrix the upper triangle is kept, and of that only what the charges allow.

    Parameters
    ----------
    sites : sequence of Site
        The chain, length L.
    charge_names : sequence of str
        Charges of which every state has a definite value.
    groups : sequence of sequence of int
        Sites of the localized spins of each group; their joint density matrix is kept if they
        have at most `LARGEST` states together.
    bonds : bool
        Keep the density matrices of neighbours (energy, currents).
    cuts : bool
        Keep the entropy of each cut: the mean of those of the states.
    """

    def __init__(
        self,
        sites: Sequence[Site],
        charge_names: Sequence[str],
        groups: Sequence[Sequence[int]] = (),
        *,
        bonds: bool = True,
        cuts: bool = False,
    ) -> None:
        self.sites = tuple(sites)
        self.charge_names = tuple(charge_names)
        self.groups = tuple(tuple(int(k) for k in group) for group in groups)
        self.bonds = bonds
        self.cuts = cuts

    @property
    def length(self) -> int:
        """Number of sites L."""
        return len(self.sites)

    @property
    def spins(self) -> tuple[int, ...]:
        """Sites of the localized spins whose joint density matrix is kept, group by group."""
        spins = tuple(k for group in self.groups for k in group)
        small = prod(self.sites[k].spin_dim for k in spins) <= LARGEST
        return spins if spins and small else ()

    @cached_property
    def parts(self) -> dict[str, list[tuple[int, Ints, Ints]]]:
        """Dimension, rows and columns of each matrix: of sites, of neighbours, of the spins."""
        charges = [self._charges(site) for site in self.sites]
        known: dict[tuple[int, ...], tuple[int, Ints, Ints]] = {}

        def entries(*places: int) -> tuple[int, Ints, Ints]:
            # Few kinds of sites make up a long chain.
            key = tuple(id(self.sites[k]) for k in places)
            if key not in known:
                known[key] = _entries(summed_charges([charges[k] for k in places]))
            return known[key]

        found = {"site": [entries(k) for k in range(self.length)]}
        found["bond"] = [entries(k, k + 1) for k in range(self.length - 1) if self.bonds]
        spins = [self.spin_charges(k) for k in self.spins]
        found["spins"] = [_entries(summed_charges(spins))] if spins else []
        return found

    @cached_property
    def starts(self) -> dict[str, int]:
        """Where each part begins in the vector; "end" is its size."""
        starts, at = {}, 0
        for name, entries in self.parts.items():
            starts[name] = at
            at += sum(rows.size for _, rows, _ in entries)
        for name in ("entropy", "bond_dim", "discarded"):
            starts[name] = at
            at += self.length - 1 if name != "entropy" or self.cuts else 0
        starts["end"] = at
        return starts

    @property
    def size(self) -> int:
        """Length of the vector."""
        return self.starts["end"]

    def pack(self, state: Any, discarded: NDArray[np.float64] | None = None) -> Vector:
        """Vector of a pure state, (size,).

        Parameters
        ----------
        state
            Any kind of pure state on these sites.
        discarded
            (L - 1,) weight that truncation took on the way to it; None for kinds of states that
            are exact, of which the bond dimensions are not wanted either.
        """
        dense = {"site": state.site_rdms(), "bond": state.bond_rdms() if self.bonds else []}
        parts = self.groups if len(self.groups) == 2 else (self.spins, ())
        dense["spins"] = [
            group_state(state, *parts, dense=_EXACT).to_dense() for _ in self.parts["spins"]
        ]
        pieces = [
            rho[rows, columns]
            for name, entries in self.parts.items()
            for rho, (_, rows, columns) in zip(dense[name], entries, strict=True)
        ]
        pieces.append(state.entropies() if self.cuts else np.zeros(0))
        exact, none = discarded is None, np.zeros(self.length - 1)
        pieces += [none if exact else state.bond_dims(), none if exact else discarded]
        return np.concatenate(pieces).astype(np.complex128)

    def matrices(self, name: str, vector: Vector) -> list[Matrix]:
        """Density matrices of one part of a vector."""
        at, result = self.starts[name], []
        for dim, rows, columns in self.parts[name]:
            values = vector[at : at + rows.size]
            at += rows.size
            rho = np.zeros((dim, dim), dtype=np.complex128)
            rho[columns, rows] = values.conj()
            rho[rows, columns] = values
            result.append(rho)
        return result

    def reals(self, name: str, vector: Vector) -> NDArray[np.float64]:
        """ "entropy", "bond_dim" or "discarded" of each of the L - 1 bonds."""
        at = self.starts[name]
        return vector[at : at + self.length - 1].real.copy()

    def _charges(self, site: Site) -> Ints:
        """(d, number of charges)."""
        columns = [site.charge(name) for name in self.charge_names]
        return np.stack(columns, axis=1) if columns else np.zeros((site.dim, 0), dtype=np.int64)

    def spin_charges(self, k: int) -> Ints:
        """2Sz of the localized spin of a site alone, (d, 1), or (d, 0) if it is not conserved."""
        d = self.sites[k].spin_dim
        if "2Sz" not in self.charge_names:
            return np.zeros((d, 0), dtype=np.int64)
        return (d - 1 - 2 * np.arange(d))[:, None]


def summed_charges(charges: Sequence[Ints]) -> Ints:
    """Charges of the product states of several spaces, the first slowest."""
    total = charges[0]
    for other in charges[1:]:
        total = (total[:, None] + other[None]).reshape(len(total) * len(other), total.shape[1])
    return total


def _entries(charges: Ints) -> tuple[int, Ints, Ints]:
    """Dimension and upper triangle, diagonal included, of a matrix without mixed charges."""
    labels = np.unique(charges, axis=0, return_inverse=True)[1].ravel()
    rows, columns = np.nonzero(np.triu(labels[:, None] == labels[None, :]))
    return len(charges), rows, columns
