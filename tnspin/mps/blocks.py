"""Bonds and tensors of a matrix product state in blocks of charges, and the state made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self, TypeAlias

import numpy as np

from tnspin.operators.charges import ChargeCode
from tnspin.operators.sites import Matrix, Site

#: Larger than any bond dimension: no limit.
UNLIMITED = np.iinfo(np.int64).max
#: Blocks of one site, ``{(left key, local state): matrix (left, right)}``.
Blocks: TypeAlias = dict[tuple[int, int], Matrix]


class Bond(NamedTuple):
    """Sectors between two sites: ascending ``keys`` and ``dims`` (n), flat ``schmidt`` values.

    The Schmidt values are those of the canonical form, sector after sector.
    """

    keys: np.ndarray
    dims: np.ndarray
    schmidt: np.ndarray

    def sizes(self) -> dict[int, int]:
        """Dimension of each sector by its key."""
        return dict(zip(self.keys.tolist(), self.dims.tolist(), strict=True))

    def schmidt_by_key(self) -> dict[int, np.ndarray]:
        """Schmidt values of each sector by its key."""
        parts = np.split(self.schmidt, np.cumsum(self.dims)[:-1])
        return dict(zip(self.keys.tolist(), parts, strict=True))

    def states(self) -> np.ndarray:
        """Key of every bond state, sector after sector."""
        return np.repeat(self.keys, self.dims)

    @classmethod
    def of(cls, sizes: Mapping[int, int], schmidt: np.ndarray) -> Bond:
        """Bond with sectors ``{key: dimension}``."""
        keys = sorted(sizes)
        dims = np.array([sizes[key] for key in keys], dtype=np.int64)
        return cls(np.array(keys, dtype=np.int64), dims, schmidt)


class Tensor(NamedTuple):
    """Blocks of one site: ``offset (left sector, p)`` into the flat ``data``, -1 if absent."""

    offset: np.ndarray
    data: np.ndarray


def tensor(keys: np.ndarray, width: int, blocks: Mapping[tuple[int, int], np.ndarray]) -> Tensor:
    """Flat form of ``{(left key, p): matrix}``, ``keys`` being those of the left bond.

    ``width`` is the number of local states p.
    """
    offset = np.full((keys.size, width), -1, dtype=np.int64)
    parts: list[Any] = [np.empty(0, dtype=np.complex128)]
    at = 0
    for key, p in sorted(blocks):
        block = blocks[key, p]
        offset[np.searchsorted(keys, key), p] = at
        parts.append(np.ascontiguousarray(block, dtype=np.complex128).ravel())
        at += block.size
    return Tensor(offset, np.concatenate(parts))


class BlockState:
    """Sites, bonds and tensors of a matrix product state, without any algorithm.

    Attributes
    ----------
    sites
        The local spaces.
    code
        How charges become sector keys.
    bonds
        ``length + 1`` bonds; ``bonds[i]`` is left of site i.
    tensors
        One per site; right-orthonormal in the canonical form.
    canonical
        Whether tensors and Schmidt values are those of the canonical form.
    site_keys
        Key that each local state adds, one array (dim,) per site.
    """

    def __init__(
        self,
        sites: Sequence[Site],
        code: ChargeCode,
        bonds: Sequence[Bond],
        tensors: Sequence[Tensor],
        canonical: bool = False,
    ) -> None:
        self.sites = tuple(sites)
        self.code = code
        self.bonds = list(bonds)
        self.tensors = list(tensors)
        self.canonical = canonical
        self.site_keys = [code.site_keys(site) for site in self.sites]

    @classmethod
    def from_blocks(
        cls,
        sites: Sequence[Site],
        code: ChargeCode,
        sizes: Sequence[Mapping[int, int]],
        blocks: Sequence[Mapping[tuple[int, int], np.ndarray]],
    ) -> Self:
        """State from ``{key: dimension}`` per bond (length + 1) and `blocks` per site.

        It is not canonical.
        """
        ends = 0, len(sites)
        bonds = [Bond.of(one, np.ones(1 if i in ends else 0)) for i, one in enumerate(sizes)]
        tensors = [tensor(bonds[i].keys, site.dim, blocks[i]) for i, site in enumerate(sites)]
        return cls(sites, code, bonds, tensors)

    @property
    def length(self) -> int:
        """Number of sites."""
        return len(self.sites)

    @property
    def charge_names(self) -> tuple[str, ...]:
        """Charges that the blocks conserve."""
        return self.code.names

    @property
    def total_charge(self) -> dict[str, int]:
        """Value of each conserved charge."""
        values = self.code.decode(self.bonds[-1].keys)[0]
        return dict(zip(self.charge_names, map(int, values), strict=True))

    def bond_dims(self) -> np.ndarray:
        """Bond dimension of the ``length - 1`` inner bonds."""
        return np.array([int(bond.dims.sum()) for bond in self.bonds[1:-1]], dtype=np.int64)

    def blocks(self, i: int) -> Blocks:
        """Blocks of site i as ``{(left key, p): matrix (dl, dr)}`` (views)."""
        left, right = self.bonds[i], self.bonds[i + 1].sizes()
        offset, data = self.tensors[i]
        out = {}
        for sector, p in zip(*np.nonzero(offset >= 0), strict=True):
            key = int(left.keys[sector])
            shape = int(left.dims[sector]), right[key + int(self.site_keys[i][p])]
            at = int(offset[sector, p])
            out[key, int(p)] = data[at : at + shape[0] * shape[1]].reshape(shape)
        return out

    def dense(self, i: int) -> np.ndarray:
        """Site i as an array (left, p, right), sectors side by side in ascending key order."""
        left, right = (bond.states() for bond in self.bonds[i : i + 2])
        found = np.zeros((left.size, self.sites[i].dim, right.size), dtype=np.complex128)
        for (key, p), block in self.blocks(i).items():
            a, b = np.searchsorted(left, key), np.searchsorted(right, key + self.site_keys[i][p])
            found[a : a + block.shape[0], p, b : b + block.shape[1]] = block
        return found


def reachable(site_keys: Sequence[np.ndarray], total: int) -> list[set[int]]:
    """Keys of every bond (length + 1) on some way from 0 to ``total``; empty sets if there is none.

    Parameters
    ----------
    site_keys
        Key of each local state of each site.
    total
        Key of the whole chain.
    """
    ahead = [{0}]
    for q in site_keys:
        steps = set(q.tolist())
        ahead.append({key + step for key in ahead[-1] for step in steps})
    ahead[-1] &= {total}
    for i in reversed(range(len(site_keys))):
        steps = set(site_keys[i].tolist())
        ahead[i] &= {key - step for key in ahead[i + 1] for step in steps}
    return ahead
