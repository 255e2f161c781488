"""From pure matrix product states to density matrices as matrix product states on doubled sites.

The tensor of ``|psi><psi|`` is that of psi times its conjugate, ancillas summed over; its bond
states are pairs of those of psi, and its Schmidt values their products:

    i --A--- k
        |\\
        | ancilla
        |/
    j --A*-- l
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tnspin.errors import InputError
from tnspin.operators.charges import ChargeCode
from tnspin.operators.sites import Matrix, Site, doubled

if TYPE_CHECKING:
    from tnspin.mps.state import MPS

__all__ = ["Blocks", "added", "squared"]

Ints = NDArray[np.int64]


class Blocks(NamedTuple):
    """``{key: dimension}`` of every bond and ``{(left key, p): matrix}`` of every site."""

    dims: list[dict[int, int]]
    blocks: list[dict[tuple[int, int], Matrix]]


class _Pairs(NamedTuple):
    """Bond states (i, j) of rho: of sectors a and b of psi, ``(key, start, i, j)``."""

    dims: dict[int, int]
    places: dict[tuple[int, int], tuple[int, int, Ints, Ints]]


def squared(
    psi: MPS, sites: Sequence[Site], cutoff: float = 0.0, bond_dim: int | None = None
) -> tuple[ChargeCode, Blocks]:
    """Tensors of ``|psi><psi|`` with ancillas traced out.

    Parameters
    ----------
    psi
        Canonical; site k is an ancilla (which may be trivial) times ``sites[k]``.
    sites
        The chain of the density matrix.
    cutoff, bond_dim
        Pairs of Schmidt values whose squared products sum to at most ``cutoff`` are left out of
        each bond, and all beyond ``bond_dim``.

    Raises
    ------
    InputError
        If the sites do not fit.
    """
    if len(psi.sites) != len(sites) or any(
        one.dim % site.dim for one, site in zip(psi.sites, sites, strict=True)
    ):
        raise InputError("state: it lives neither on the sites of the model nor on purified ones")
    code = ChargeCode.for_sites(psi.charge_names, [doubled(site) for site in sites])
    bonds = [_pairs(psi, k, code, cutoff, bond_dim) for k in range(psi.length + 1)]
    blocks = [
        _site(psi, k, site.dim, bonds[k], bonds[k + 1].places) for k, site in enumerate(sites)
    ]
    return code, Blocks([bond.dims for bond in bonds], blocks)


def _pairs(psi: MPS, bond: int, code: ChargeCode, cutoff: float, bond_dim: int | None) -> _Pairs:
    """Pairs of bond states that carry weight, sorted by the charge of the density matrix."""
    keys, dims, schmidt = psi.bonds[bond]
    charges = psi.code.decode(keys)
    weights = dict(zip(keys.tolist(), np.split(schmidt**2, np.cumsum(dims)[:-1]), strict=True))
    least = _threshold(np.multiply.outer(schmidt**2, schmidt**2).ravel(), cutoff, bond_dim)
    sizes: dict[int, int] = {}
    places = {}
    for a, charge in zip(keys.tolist(), charges, strict=True):
        for b, other in zip(keys.tolist(), charges, strict=True):
            i, j = np.nonzero(np.multiply.outer(weights[a], weights[b]) >= least)
            if i.size:
                key = int(code.encode(charge - other))
                start = sizes.get(key, 0)
                places[a, b] = key, start, i, j
                sizes[key] = start + i.size
    return _Pairs(sizes, places)


def _threshold(weights: NDArray[np.float64], cutoff: float, bond_dim: int | None) -> float:
    """Smallest weight to keep; weights that are equal but for round-off stay together."""
    descending = np.sort(weights)[::-1]
    tail = np.cumsum(descending[::-1])[::-1]
    count = int(np.count_nonzero(tail > cutoff))
    count = min(max(count, 1), descending.size if bond_dim is None else bond_dim)
    return float(descending[count - 1] * (1 - 1e-9))


def _site(
    psi: MPS,
    k: int,
    d: int,
    left: _Pairs,
    right: dict[tuple[int, int], tuple[int, int, Ints, Ints]],
) -> dict[tuple[int, int], Matrix]:
    """Blocks of one site."""
    tensors = psi.blocks(k)
    step = psi.site_keys[k]
    dims = {key: start + i.size for key, start, i, _ in right.values()}
    for key, start, i, _ in right.values():
        dims[key] = max(dims[key], start + i.size)
    by_sector: dict[int, list[tuple[int, Matrix]]] = {}
    for (key, p), matrix in tensors.items():
        by_sector.setdefault(key, []).append((p, matrix))
    blocks: dict[tuple[int, int], Matrix] = {}
    for (a, b), (key, row, i, j) in left.places.items():
        for p, ket in by_sector.get(a, []):
            for r, bra in by_sector.get(b, []):
                to = a + int(step[p]), b + int(step[r])
                if p // d != r // d or to not in right:
                    continue
                after, column, m, n = right[to]
                shape = left.dims[key], dims[after]
                place = key, (p % d) * d + r % d
                target = blocks.setdefault(place, np.zeros(shape, dtype=np.complex128))
                part = ket[np.ix_(i, m)] * bra[np.ix_(j, n)].conj()
                target[row : row + i.size, column : column + m.size] += part
    return blocks


def added(
    weights: Sequence[float], parts: Sequence[Blocks], site_keys: Sequence[NDArray[np.int64]]
) -> Blocks:
    """Weighted sum of matrix product states with the same sites and total charge.

    Parameters
    ----------
    weights
        One factor for each.
    parts
        Their tensors.
    site_keys
        Key of every local state.
    """
    length = len(site_keys)
    dims, starts = zip(
        *(_beside(parts, k, k in (0, length)) for k in range(length + 1)), strict=True
    )
    blocks: list[dict[tuple[int, int], Matrix]] = [{} for _ in site_keys]
    for n, (weight, part) in enumerate(zip(weights, parts, strict=True)):
        for k, tensors in enumerate(part.blocks):
            for (key, p), matrix in tensors.items():
                to = key + int(site_keys[k][p])
                shape = dims[k][key], dims[k + 1][to]
                target = blocks[k].setdefault((key, p), np.zeros(shape, dtype=np.complex128))
                row, column = starts[k][n][key], starts[k + 1][n][to]
                rows, columns = matrix.shape
                factor = weight if k == 0 else 1.0
                target[row : row + rows, column : column + columns] += factor * matrix
    return Blocks(list(dims), blocks)


def _beside(
    parts: Sequence[Blocks], bond: int, edge: bool
) -> tuple[dict[int, int], list[dict[int, int]]]:
    """Dimensions of all parts together, and where each part begins; they share the edges."""
    total: dict[int, int] = {}
    starts = []
    for part in parts:
        starts.append({key: 0 if edge else total.get(key, 0) for key in part.dims[bond]})
        for key, size in part.dims[bond].items():
            total[key] = size if edge else total.get(key, 0) + size
    return total, starts
