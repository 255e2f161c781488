"""`VectorState`: state vectors, in the full space or in one charge sector.

A sector is never expanded to the full space: the layered graph of
:class:`~tnspin.operators.basis.ChargeBasis` says where the amplitudes of every left part, middle
and right part lie.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tnspin.errors import InputError
from tnspin.numerics.arrays import Complexes
from tnspin.operators.basis import ChargeBasis, Ints
from tnspin.operators.sites import Matrix, Site
from tnspin.operators.state import PureState, reordered
from tnspin.states.sectors import ranks, read_sectors, split_codes, write_sectors

if TYPE_CHECKING:
    import h5py

# Schmidt values below this share of the norm are round-off, not entanglement.
_RANK_TOLERANCE = 1e-12
# Elements of a dense slice of the amplitudes: 64 MiB.
_SLICE = 2**22


class VectorState(PureState):
    """State vector.

    Parameters
    ----------
    sites : sequence of Site
        The chain, length L.
    vector : (dim,) array_like
        Amplitudes in the order of ``basis``. Density matrices and Schmidt values
        are those of the normalized vector; ``norm`` is that of the vector itself.
    basis : ChargeBasis or None
        Charge sector; None is the full space in Kronecker order (site 0 slowest).

    Raises
    ------
    InputError
        If the number of amplitudes is not the dimension of the basis.
    """

    noun = "state vector"
    formats = ("tnspin-vector-1",)

    def __init__(
        self, sites: Sequence[Site], vector: ArrayLike, basis: ChargeBasis | None = None
    ) -> None:
        self.sites: tuple[Site, ...] = tuple(sites)
        self.basis = basis if basis is not None else ChargeBasis(self.sites)
        self.vector: Complexes = np.array(vector, dtype=np.complex128)
        self.vector.setflags(write=False)
        if self.vector.shape != (self.basis.dim,):
            raise InputError(
                f"state: {self.vector.shape} amplitudes given for a basis of {self.basis.dim}"
            )
        self._schmidt: dict[int, dict[tuple[int, ...], NDArray[np.float64]]] = {}

    @classmethod
    def product(
        cls, sites: Sequence[Site], vectors: Sequence[ArrayLike], basis: ChargeBasis | None = None
    ) -> VectorState:
        """Product of one local vector per site, projected onto the basis."""
        basis = basis if basis is not None else ChargeBasis(sites)
        amplitudes = np.ones(basis.dim, dtype=np.complex128)
        for k, local in enumerate(vectors):
            amplitudes *= np.asarray(local, dtype=np.complex128)[basis.states[:, k]]
        return cls(sites, amplitudes, basis)

    @property
    def total_charge(self) -> dict[str, int]:
        """Total of each charge fixed by the basis."""
        return dict(self.basis.charges)

    @property
    def norm(self) -> float:
        """Norm of the vector."""
        return float(np.linalg.norm(self.vector))

    def copy(self) -> VectorState:
        """Return an independent copy (the basis, which never changes, is shared)."""
        return VectorState(self.sites, self.vector, self.basis)

    def _details(self) -> list[str]:
        return [f"dimension {self.basis.dim}"]

    def overlap(self, other: VectorState) -> complex:
        """Return <self|other> of the vectors as they are.

        Raises
        ------
        InputError
            If the two states live in different bases.
        """
        return complex(np.vdot(self.vector, self._alike(other)))

    def __add__(self, other: VectorState) -> VectorState:
        """Sum of two states of one basis, not normalized."""
        if not isinstance(other, VectorState):
            return NotImplemented
        return VectorState(self.sites, self.vector + self._alike(other), self.basis)

    def __mul__(self, factor: complex) -> VectorState:
        """State times a number."""
        return VectorState(self.sites, self.vector * factor, self.basis)

    def _alike(self, other: VectorState) -> Complexes:
        """Complexes of a state of the same basis."""
        same = [s.labels for s in self.sites] == [s.labels for s in other.sites]
        if not same or self.basis.charges != other.basis.charges:
            raise InputError("state: the two states live in different bases")
        return other.vector

    def with_charges(self, names: Sequence[str]) -> VectorState:
        """Amplitudes in the larger sector of fewer charges; none: the full space."""
        basis = ChargeBasis(self.sites, {name: self.basis.charges[name] for name in names})
        vector = np.zeros(basis.dim, dtype=np.complex128)
        vector[basis.index(self.basis.states)] = self.vector
        return VectorState(self.sites, vector, basis)

    def amplitudes(self, states: NDArray[np.integer]) -> Complexes:
        """Return <states|psi> for product states, shape (n, L) to (n,); 0 outside the sector."""
        index = self.basis.index(states)
        return np.where(index >= 0, self.vector[index], 0.0)

    # ------------------------------------------------------------------ density matrices

    def site_rdms(self) -> list[Matrix]:
        """Reduced density matrix of every site, L arrays (d, d)."""
        return [self._contiguous(k, k) for k in range(self.length)]

    def bond_rdms(self) -> list[Matrix]:
        """Reduced density matrix of every pair of neighbours, L - 1 arrays."""
        return [self._contiguous(k, k + 1) for k in range(self.length - 1)]

    def _rdm(self, chosen: list[int], keep: list[int]) -> Matrix:
        ordered = sorted(chosen)
        whole = keep == [self.sites[k].dim for k in chosen]
        if not whole or ordered[-1] - ordered[0] + 1 > len(ordered):
            return self._scattered(chosen, keep)
        rho = self._contiguous(ordered[0], ordered[-1])
        return reordered(rho, [self.sites[k].dim for k in ordered], [*map(ordered.index, chosen)])

    def _segments(self, first: int, last: int) -> Iterator[tuple[Ints, Complexes]]:
        """Yield (local codes a, amplitudes[p, a, r]) by nodes left and right of the sites."""
        starts = self.basis.prefixes(first)
        ends, offsets = self.basis.paths(first, last)
        for left in range(len(ends)):
            begin = starts[1][starts[0] == left]
            for right in np.unique(ends[left][ends[left] >= 0]):
                codes = np.flatnonzero(ends[left] == right)
                rest = np.arange(self.basis.counts[last + 1][right])
                middle = offsets[left, codes]
                index = begin[:, None, None] + middle[None, :, None] + rest[None, None, :]
                yield codes, self.vector[index]

    def _contiguous(self, first: int, last: int) -> Matrix:
        size = int(np.prod([site.dim for site in self.sites[first : last + 1]]))
        rho = np.zeros((size, size), dtype=np.complex128)
        if not self.basis.charges:
            left = int(np.prod([site.dim for site in self.sites[:first]], dtype=np.int64))
            blocks: Iterator[tuple[Ints, Complexes]] = iter(
                [(np.arange(size), self.vector.reshape(left, size, -1))]
            )
        else:
            blocks = self._segments(first, last)
        for codes, block in blocks:
            wide = block.transpose(1, 0, 2).reshape(len(codes), -1)
            rho[np.ix_(codes, codes)] += wide @ wide.conj().T
        return rho / self.norm**2

    def _scattered(self, chosen: list[int], keep: list[int]) -> Matrix:
        """Any factors of sites: amplitudes as a sparse matrix of their states times the rest."""
        import scipy.sparse as sp

        codes, rest = split_codes(self.basis.states, chosen, keep)
        columns = ranks(rest)
        size, count = prod(keep), int(columns.max()) + 1
        wide = sp.csc_array((self.vector, (codes, columns)), shape=(size, count))
        rho = np.zeros((size, size), dtype=np.complex128)
        step = max(1, _SLICE // size)
        for start in range(0, count, step):
            part = wide[:, start : start + step].toarray()
            rho += part @ part.conj().T
        return rho / self.norm**2

    # ------------------------------------------------------------------ Schmidt values

    def schmidt(self, bond: int) -> NDArray[np.float64]:
        """Schmidt values, descending, of the cut between sites ``bond`` and ``bond + 1``."""
        parts = list(self.schmidt_by_charge(bond).values())
        return np.sort(np.concatenate(parts))[::-1]

    def schmidt_by_charge(self, bond: int) -> dict[tuple[int, ...], NDArray[np.float64]]:
        """Schmidt values of each sector; the key is the charge to the left of the cut."""
        bond = self._bond(bond)
        if bond not in self._schmidt:
            nodes, starts = self.basis.prefixes(bond + 1)
            sectors = {}
            for node, charge in enumerate(self.basis.nodes[bond + 1]):
                columns = np.arange(self.basis.counts[bond + 1][node])
                block = self.vector[starts[nodes == node][:, None] + columns[None, :]]
                values = np.linalg.svd(block, compute_uv=False) / self.norm
                sectors[tuple(charge.tolist())] = values
            self._schmidt[bond] = sectors
        return self._schmidt[bond]

    def bond_dims(self) -> Ints:
        """Schmidt rank of each of the L - 1 cuts."""
        ranks = [int(np.sum(self.schmidt(k) > _RANK_TOLERANCE)) for k in range(self.length - 1)]
        return np.array(ranks, dtype=np.int64)

    # ------------------------------------------------------------------ files

    def _write(self, group: h5py.Group) -> None:
        write_sectors(group, [self.basis])
        group["vector"] = self.vector

    @classmethod
    def _read(cls, group: h5py.Group, sites: tuple[Site, ...]) -> VectorState:
        (basis,) = read_sectors(group, sites)
        return cls(sites, group["vector"][:], basis)
