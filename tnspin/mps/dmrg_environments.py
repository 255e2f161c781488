"""Environments and effective Hamiltonians of an MPO on charge blocks.

A `MpoBlock` is one end of the chain, seen from a bond: the states kept there, sector by
sector, and every MPO bond state's operator between them.  Left and right ends look the
same, so all of the code below is written once; a `SiteHops` says what it means to add a site
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

from tnspin.mps.mpo_tables import Hop, charge_blocks
from tnspin.mps.state import MPS

#: Real where Hamiltonian and state are real, complex otherwise.
Array: TypeAlias = NDArray[Any]
#: One matrix per sector.
Sectors: TypeAlias = dict[int, Array]


class MpoBlock(NamedTuple):
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


class SiteHops(NamedTuple):
    """Adding one site to one end: its hops and the key that each of its states adds."""

    hops: tuple[Hop, ...]
    keys: tuple[int, ...]


class ChargedMpo:
    """An MPO sorted by charge: one `SiteHops` per site and direction.

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

    def edge(self, key: int) -> MpoBlock:
        """The empty block at an end of the chain."""
        return MpoBlock({key: 1}, {(key, 0): np.ones((1, 1, 1), dtype=self.dtype)}, {})


def _step(w: Array, before: Array, after: Array, keys: Array) -> SiteHops:
    hops = [
        hop._replace(matrix=np.ascontiguousarray(hop.matrix))
        for hop in charge_blocks(w, before, after, keys)
    ]
    return SiteHops(tuple(hops), tuple(keys.tolist()))


def enlarge(block: MpoBlock, step: SiteHops, allowed: Container[int]) -> MpoBlock:
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
    return MpoBlock(dict(dims), out, slots)


def project(block: MpoBlock, isometry: Sectors) -> MpoBlock:
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
    return MpoBlock({key: u.shape[1] for key, u in isometry.items()}, operators, {})


def turn(center: Sectors, behind: MpoBlock, ahead: MpoBlock) -> Sectors:
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

    def __init__(self, left: MpoBlock, right: MpoBlock, dtype: DTypeLike) -> None:
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
    block: MpoBlock,
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


def _perturbed(theta: Sectors, block: MpoBlock, noise: float) -> Sectors:
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


class Window(NamedTuple):
    """Two sites to work on: enlarged blocks, their Hamiltonian, the state as a flat vector."""

    left: MpoBlock
    right: MpoBlock
    hamiltonian: EffectiveHamiltonian
    vector: np.ndarray


class Chain:
    """A state in mixed canonical form with the environments of an MPO.

    Sites left of the center hold left isometries, sites right of it right isometries, each
    with the layout of its rows::

        U--U--[center]--V--V

    Parameters
    ----------
    state
        Canonical state; not modified.
    operator
        The MPO.
    allowed
        For every bond (length + 1) the sectors through which the total can be reached.
    """

    def __init__(self, state: MPS, operator: ChargedMpo, allowed: Sequence[Container[int]]) -> None:
        state.ensure_canonical()
        self.sites, self.code, self.length = state.sites, state.code, state.length
        self.operator, self.allowed = operator, allowed
        self.isometries: list[Sectors] = [{} for _ in self.sites]
        self.slots: list[dict[tuple[int, int], tuple[int, int, int]]] = [{} for _ in self.sites]
        edges = operator.edge(0), operator.edge(int(state.bonds[-1].keys[0]))
        self.left = [edges[0]] * (self.length + 1)
        self.right = [edges[1]] * (self.length + 1)
        for i in reversed(range(self.length)):
            block = enlarge(self.right[i + 1], operator.from_right[i], allowed[i])
            self.isometries[i] = self._rows(state, i, block)
            self.slots[i] = block.slots
            if i:
                self.right[i] = project(block, self.isometries[i])
        # Site 0 is the center, as if the window had just come to it from the left.
        self.behind = block
        self.center = {key: matrix.T for key, matrix in self.isometries[0].items()}
        self.rightwards, self.site = True, 0

    def _rows(self, state: MPS, i: int, block: MpoBlock) -> Sectors:
        """Site i of the state as ``{K: (h, D)}`` with the rows of an enlarged right block."""
        out: Sectors = {}
        q = state.site_keys[i]
        for (key, p), matrix in state.blocks(i).items():
            _, start, stop = block.slots[key + int(q[p]), p]
            if key not in out:
                shape = block.dims[key], matrix.shape[0]
                out[key] = np.zeros(shape, dtype=self.operator.dtype)
            out[key][start:stop] = matrix.T if np.iscomplexobj(out[key]) else matrix.T.real
        return out

    def window(self, i: int) -> Window:
        """Sites i and i + 1, one of which must hold the center."""
        step = self.operator
        left = enlarge(self.left[i], step.from_left[i], self.allowed[i + 1])
        right = enlarge(self.right[i + 2], step.from_right[i + 1], self.allowed[i + 1])
        here = self.site == i
        mine = self._center_rows(left if here else right, self.rightwards == here)
        other = self.isometries[i + 1 if here else i]
        theta = {
            k: m @ other[k].T if here else other[k] @ m.T for k, m in mine.items() if k in other
        }
        hamiltonian = EffectiveHamiltonian(left, right, step.dtype)
        return Window(left, right, hamiltonian, hamiltonian.join(theta))

    def _center_rows(self, block: MpoBlock, crossed: bool) -> Sectors:
        """The center with the rows of ``block``, from the other side of its site if ``crossed``."""
        if crossed:
            return turn(self.center, self.behind, block)
        return {key: matrix.T for key, matrix in self.center.items()}

    def move(
        self,
        i: int,
        window: Window,
        vector: np.ndarray,
        *,
        rightwards: bool,
        noise: float = 0.0,
        cutoff: float = 0.0,
        bond_dim: int | None = None,
    ) -> float:
        """Split ``vector`` in window i and move the center on; returns the discarded weight."""
        theta = window.hamiltonian.split(vector)
        if rightwards:
            block, behind, site, self.site = window.left, window.right, i, i + 1
        else:
            block, behind, site, self.site = window.right, window.left, i + 1, i
            theta = {key: matrix.T for key, matrix in theta.items()}
        isometry, discarded = truncate(theta, block, noise=noise, cutoff=cutoff, bond_dim=bond_dim)
        width = {key: matrix.shape[1] for key, matrix in theta.items()}
        self.center = {key: u.conj().T @ theta[key] for key, u in isometry.items() if key in width}
        norm = np.sqrt(sum(float(np.sum(np.abs(m) ** 2)) for m in self.center.values()))
        self.center = {key: matrix / norm for key, matrix in self.center.items()}
        self.isometries[site], self.slots[site] = isometry, block.slots
        self.behind, self.rightwards = behind, rightwards
        (self.left if rightwards else self.right)[i + 1] = project(block, isometry)
        return discarded

    def bond_dim(self) -> int:
        """Largest bond dimension."""
        inner = self.right[1:-1]
        return max(sum(block.dims.values()) for block in inner)

    def to_mps(self) -> MPS:
        """The state as a canonical MPS; the center must have moved left to site 0."""
        dims = [{0: 1}, *(block.dims for block in self.right[1:])]
        first = {
            (0, p): self.center[key][:, start:stop].T
            for (_, p), (key, start, stop) in self.behind.slots.items()
            if key in self.center
        }
        blocks = [first]
        for i in range(1, self.length):
            blocks.append(
                {
                    (key, p): self.isometries[i][key][start:stop].T
                    for (_, p), (key, start, stop) in self.slots[i].items()
                    if key in self.isometries[i]
                }
            )
        state = MPS.from_blocks(self.sites, self.code, dims, blocks)
        state.canonicalize()
        return state
