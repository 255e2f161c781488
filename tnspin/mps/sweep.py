"""Environments and effective Hamiltonians of an MPO on charge blocks.

A `Block` is one end of the chain, seen from a bond: the states kept there, sector by
sector, and every MPO bond state's operator between them.  Left and right ends look the
same, so all of the code below is written once; a `Step` says what it means to add a site
from the left or from the right.

    block            enlarged block      projected on an isometry
    L--              L--W--              U^+--L--W--U
    |                |  |                     |  |
                        p

The key of a sector is always the charge to the left of the bond (`ChargeCode`), and an
operator with MPO charge c leads from the sector K to the sector K + c, at either end.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

#: Real where Hamiltonian and state are real, complex otherwise.
Array: TypeAlias = NDArray[Any]
#: One matrix per sector.
Sectors: TypeAlias = dict[int, Array]


class Block(NamedTuple):
    """One end of the chain.

    Attributes
    ----------
    dims
        Number of states of each sector, ``{key: D}``.
    operators
        ``{(K', c): (D', n, D)}``: the n MPO states of charge c between K = K' - c and K'.
    slots
        Of an enlarged block: rows of sector M made of states of K with the site in state p,
        ``{(K, p): (M, start, stop)}``.
    """

    dims: dict[int, int]
    operators: dict[tuple[int, int], Array]
    slots: dict[tuple[int, int], tuple[int, int, int]]


class Hop(NamedTuple):
    """What a site does between MPO states of one charge each: ``matrix (n before, n after)``."""

    out: int
    into: int
    before: int
    after: int
    matrix: Array


class Step(NamedTuple):
    """Adding one site to one end: its hops and the key that each of its states adds."""

    hops: tuple[Hop, ...]
    keys: tuple[int, ...]


class Operator:
    """An MPO sorted by charge: one `Step` per site and direction.

    Parameters
    ----------
    tensors
        W[a, b, out, in] of every site.
    shifts
        Key of every MPO bond state, length + 1 arrays (w,).
    site_keys
        Key of every local state.
    dtype
        float64 or complex128.
    """

    def __init__(
        self,
        tensors: Sequence[Array],
        shifts: Sequence[Array],
        site_keys: Sequence[Array],
        dtype: DTypeLike,
    ) -> None:
        self.dtype = np.dtype(dtype)
        self.length = len(tensors)
        parts = [w.astype(dtype) if self.dtype.kind == "c" else w.real for w in tensors]
        self.from_left = [
            _step(w, shifts[i], shifts[i + 1], site_keys[i]) for i, w in enumerate(parts)
        ]
        self.from_right = [
            _step(w.transpose(1, 0, 2, 3), shifts[i + 1], shifts[i], -site_keys[i])
            for i, w in enumerate(parts)
        ]

    def edge(self, key: int) -> Block:
        """The empty block at an end of the chain."""
        return Block({key: 1}, {(key, 0): np.ones((1, 1, 1), dtype=self.dtype)}, {})


def _step(w: Array, before: Array, after: Array, keys: Array) -> Step:
    hops = []
    groups = {int(c): np.flatnonzero(after == c) for c in np.unique(after)}
    for out, into in zip(*np.nonzero(np.abs(w).max(axis=(0, 1))), strict=True):
        for c in np.unique(before):
            to = int(c + keys[out] - keys[into])
            if to not in groups:
                continue
            matrix = w[np.flatnonzero(before == c)][:, groups[to], out, into]
            if matrix.any():
                hops.append(Hop(int(out), int(into), int(c), to, np.ascontiguousarray(matrix)))
    return Step(tuple(hops), tuple(keys.tolist()))


def enlarge(block: Block, step: Step, allowed: Container[int]) -> Block:
    """Add a site to a block; only sectors ``allowed`` on the new bond are made."""
    dims: dict[int, int] = defaultdict(int)
    slots = {}
    for key in sorted(block.dims):
        for p, added in enumerate(step.keys):
            if key + added in allowed:
                start = dims[key + added]
                dims[key + added] = stop = start + block.dims[key]
                slots[key, p] = key + added, start, stop
    sources = defaultdict(list)
    for (bra, charge), operator in block.operators.items():
        sources[charge].append((bra, operator))
    widths = {hop.after: hop.matrix.shape[1] for hop in step.hops}
    out: dict[tuple[int, int], Array] = {}
    for hop in step.hops:
        for bra, operator in sources[hop.before]:
            rows, columns = slots.get((bra, hop.out)), slots.get((bra - hop.before, hop.into))
            if rows is None or columns is None:
                continue
            to, ket = rows[0], columns[0]
            if (to, hop.after) not in out:
                shape = dims[to], widths[hop.after], dims[ket]
                out[to, hop.after] = np.zeros(shape, dtype=operator.dtype)
            target = out[to, hop.after][rows[1] : rows[2], :, columns[1] : columns[2]]
            target += hop.matrix.T @ operator
    return Block(dict(dims), out, slots)


def project(block: Block, isometry: Sectors) -> Block:
    """Reduce an enlarged block to the columns of ``isometry {M: (h, D)}``."""
    operators = {}
    for (bra, charge), operator in block.operators.items():
        ket = bra - charge
        if bra not in isometry or ket not in isometry:
            continue
        rows, n, _ = operator.shape
        half = operator.reshape(rows * n, -1) @ isometry[ket]
        half = isometry[bra].conj().T @ half.reshape(rows, -1)
        operators[bra, charge] = half.reshape(half.shape[0], n, -1)
    return Block({key: u.shape[1] for key, u in isometry.items()}, operators, {})


def turn(center: Sectors, behind: Block, ahead: Block) -> Sectors:
    """Regroup a one-site center tensor from one bond of its site to the other.

    Parameters
    ----------
    center
        ``{K: (D, h)}`` with the columns of the enlarged block ``behind``.
    behind, ahead
        The blocks of the two ends, each enlarged by this site.

    Returns
    -------
    dict
        ``{M: (h, D)}`` with the rows of ``ahead``, columns those of the bare block behind.
    """
    widths = {key: stop - start for (key, _), (_, start, stop) in behind.slots.items()}
    out = {}
    for key, rows in ahead.dims.items():
        if key in widths:
            dtype = next(iter(center.values())).dtype
            out[key] = np.zeros((rows, widths[key]), dtype=dtype)
    for (key, p), (to, start, stop) in behind.slots.items():
        if to in center and (to, p) in ahead.slots and key in out:
            _, first, last = ahead.slots[to, p]
            out[key][first:last] = center[to][:, start:stop]
    return out


class EffectiveHamiltonian:
    """The MPO between two blocks: what acts on the tensor that joins them.

    Two enlarged blocks make the two-site Hamiltonian, an enlarged and a bare one the one-site
    Hamiltonian, two bare ones that of a bond.  Vectors are flat; `split` and `join` go between
    them and ``{M: (left, right)}``.

        L==|     |==R
        |  |theta|  |
        L==|     |==R
    """

    def __init__(self, left: Block, right: Block, dtype: DTypeLike) -> None:
        self.dtype = np.dtype(dtype)
        self.places: dict[int, tuple[int, int, int]] = {}
        at = 0
        for key in sorted(left.dims.keys() & right.dims.keys()):
            self.places[key] = at, left.dims[key], right.dims[key]
            at += left.dims[key] * right.dims[key]
        self.size = at
        self._plan = []
        for (bra, charge), operator in left.operators.items():
            other = right.operators.get((bra, charge))
            if other is None or bra not in self.places or bra - charge not in self.places:
                continue
            first = operator.reshape(-1, operator.shape[2])
            second = other.reshape(other.shape[0], -1).T
            self._plan.append((bra, bra - charge, first, second))

    def apply(self, vector: Array) -> Array:
        """H times a flat vector (size,)."""
        out = np.zeros(self.size, dtype=self.dtype)
        source, target = self.split(vector), self.split(out)
        for bra, ket, first, second in self._plan:
            to = target[bra]
            to += (first @ source[ket]).reshape(to.shape[0], -1) @ second
        return out

    def split(self, vector: Array) -> Sectors:
        """Views of a flat vector, one matrix per sector."""
        return {
            key: vector[at : at + rows * columns].reshape(rows, columns)
            for key, (at, rows, columns) in self.places.items()
        }

    def join(self, sectors: Mapping[int, Array]) -> Array:
        """Flat vector of the sectors that exist here; the others are zero."""
        out = np.zeros(self.size, dtype=self.dtype)
        for key, view in self.split(out).items():
            if key in sectors:
                view[:] = sectors[key]
        return out


def truncate(
    theta: Sectors,
    block: Block,
    *,
    noise: float = 0.0,
    cutoff: float = 0.0,
    bond_dim: int | None = None,
) -> tuple[Sectors, float]:
    """Best states of the enlarged ``block`` (the rows of ``theta``).

    Parameters
    ----------
    theta
        Normalized ``{M: (h, w)}``.
    block
        The enlarged block of its rows; used only with noise.
    noise
        Weight of White's perturbation: the density matrix of the rows gets a share of what
        every MPO state's operator makes of theta, which brings in states and sectors that theta
        does not hold yet (S. R. White, Phys. Rev. B 72, 180403 (2005)).
    cutoff, bond_dim
        Largest discarded weight and number of states.

    Returns
    -------
    isometry : dict
        ``{M: (h, D)}``, sectors without states left out.
    discarded : float
        Discarded weight of the (perturbed) density matrix.
    """
    found = {}
    if noise > 0:
        for key, rho in _perturbed(theta, block, noise).items():
            weights, vectors = np.linalg.eigh(rho)
            found[key] = weights[::-1], vectors[:, ::-1]
    else:
        for key, matrix in theta.items():
            u, s, _ = np.linalg.svd(matrix, full_matrices=False)
            found[key] = s**2, u
    every = np.sort(np.concatenate([weights for weights, _ in found.values()]))[::-1].clip(0)
    tail = np.append(np.cumsum(every[::-1])[::-1], 0.0)
    # Round-off directions go even without a cutoff.
    number = max(1, int(np.sum(tail[:-1] > max(cutoff, 1e-30) * tail[0])))
    number = min(number, every.size if bond_dim is None else bond_dim)
    least = every[number - 1]
    isometry: Sectors = {}
    for key, (weights, vectors) in found.items():
        keep = int(np.sum(weights >= least))
        # States of equal weight must not exceed the limit.
        keep = min(keep, number - sum(u.shape[1] for u in isometry.values()))
        if keep:
            isometry[key] = np.ascontiguousarray(vectors[:, :keep])
    return isometry, float(tail[number] / tail[0])


def _perturbed(theta: Sectors, block: Block, noise: float) -> Sectors:
    """Density matrix of the rows plus the share ``noise`` of the operators' images of theta."""
    images: dict[int, list[tuple[int, Array]]] = defaultdict(list)
    norms: dict[int, Array] = {}
    for (bra, charge), operator in block.operators.items():
        if bra - charge not in theta:
            continue
        rows, n, _ = operator.shape
        image = (operator.reshape(rows * n, -1) @ theta[bra - charge]).reshape(rows, n, -1)
        images[bra].append((charge, image))
        norms[charge] = norms.get(charge, 0.0) + np.sum(np.abs(image) ** 2, axis=(0, 2))
    count = sum(int(np.sum(norm > 0)) for norm in norms.values())
    # Every operator has the same say, whatever its units.
    scale = {
        c: np.sqrt(noise / (max(count, 1) * np.where(norm > 0, norm, np.inf)))
        for c, norm in norms.items()
    }
    out = {key: matrix @ matrix.conj().T for key, matrix in theta.items()}
    for bra, parts in images.items():
        for charge, image in parts:
            flat = (image * scale[charge][:, None]).reshape(image.shape[0], -1)
            extra = flat @ flat.conj().T
            out[bra] = out[bra] + extra if bra in out else extra
    return out
