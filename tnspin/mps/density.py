"""Density matrices as matrix product states of kets and bras (`sites.doubled`).

Reduced density matrices are contractions with the vector of the identity::

    --[B]--[B]--[B]--[B]--        <1| at sites that are traced out,
       |    |    |    |           ket and bra left open at the others
      <1|  k b  <1|  <1|

Truncation keeps neither the trace nor positivity: `trace`, `hermiticity_error` and the eigenvalues
of reduced density matrices show the error.  Reduced density matrices are those of the Hermitian
part, divided by its trace.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tnspin.errors import InputError
from tnspin.mps.algebra import Summand, direct_sum
from tnspin.mps.blocks import Blocks, BlockState
from tnspin.mps.contract import contracted
from tnspin.mps.state import MPS
from tnspin.numerics.arrays import Ints, Reals
from tnspin.operators.charges import ChargeCode
from tnspin.operators.sites import Matrix, Site, doubled
from tnspin.operators.state import State, members_of

if TYPE_CHECKING:
    import h5py

#: ``{key: (open indices (n,), matrix (n, bond dimension))}`` of one end of the chain.
_Open = dict[int, tuple[Ints, Matrix]]
_CLOSED: _Open = {0: (np.zeros(1, dtype=np.int64), np.ones((1, 1), dtype=np.complex128))}
# Largest number of elements of a reduced density matrix: 16384 states, 4 GiB.
_MOST_ELEMENTS = 2**28


class DensityMPS(State):
    """A density matrix as a matrix product state; read-only.

    Parameters
    ----------
    sites
        The chain, length L.
    mps
        State on the doubled sites; the elements of rho up to a factor.
    log_norm
        ``rho = exp(log_norm) mps`` with the normalized ``mps``.

    Raises
    ------
    InputError
        If the state has other sites, or no trace.
    """

    noun = "density matrix as a matrix product state"
    formats = ("tnspin-density-mps-1",)
    gives = State.gives | {"density", "moments", "ledger", "tensors", "vectorized"}

    def __init__(self, sites: Sequence[Site], mps: MPS, log_norm: float = 0.0) -> None:
        self.sites = tuple(sites)
        if [site.dim for site in mps.sites] != [site.dim**2 for site in self.sites]:
            raise InputError(
                "state: a density matrix needs a matrix product state of doubled sites"
            )
        self.mps = mps
        self.mps.ensure_canonical()
        self.log_norm = float(log_norm)
        if not self._overlap_with_one > 0:
            raise InputError(f"state: the trace of the density matrix is {self.trace:g}")

    # ------------------------------------------------------------------ construction

    @classmethod
    def product(
        cls, sites: Sequence[Site], matrices: Sequence[Matrix], charge_names: Sequence[str] = ()
    ) -> DensityMPS:
        """Product of one density matrix (d, d) per site.

        Raises
        ------
        InputError
            If a matrix has elements between sectors of a charge in ``charge_names``.
        """
        rows = [np.asarray(matrix, dtype=np.complex128).ravel() for matrix in matrices]
        mps = MPS.product([doubled(site) for site in sites], rows, charge_names)
        return cls(sites, mps, float(sum(np.log(np.linalg.norm(row)) for row in rows)))

    @classmethod
    def from_state(
        cls,
        state: Any,
        sites: Sequence[Site] | None = None,
        names: Sequence[str] | None = None,
        *,
        cutoff: float = 1e-14,
        bond_dim: int | None = None,
    ) -> DensityMPS:
        """Density matrix of an `MPS`, of an `Ensemble` of them, or of a `DensityMPS`.

        Parameters
        ----------
        state
            Pure states count as normalized.
        sites
            The chain; default that of the state.  Where sites of the state are purified ones
            (`sites.purified`), their ancillas are traced out.
        names
            Charges for the blocks; default those of the state.
        cutoff, bond_dim
            Compression: the weight left out of each bond, in the Hilbert-Schmidt norm, and the
            largest bond dimension.

        Raises
        ------
        InputError
            If it is of another kind, or lives on other sites.
        """
        if isinstance(state, DensityMPS):
            names = state.charge_names if names is None else tuple(names)
            return cls(state.sites, state.mps.with_charges(names), state.log_norm)
        members = members_of(state, MPS, "a density matrix as a matrix product state")
        chain = tuple(state.sites if sites is None else sites)
        parts = []
        for weight, one in members:
            psi = one if names is None else one.with_charges(names)
            psi.ensure_canonical()
            parts.append(Summand(squared(psi, chain, cutoff, bond_dim), weight))
        first = parts[0].state
        mps = MPS.from_blocks(first.sites, first.code, *direct_sum(parts))
        # Pairs are already the best choice for one pure state, and keep it Hermitian.
        pure = len(members) == 1 and members[0][1].sites == chain
        mps.canonicalize(0.0 if pure else cutoff, bond_dim)
        return cls(chain, mps, float(np.log(mps.divided)))

    def copy(self) -> DensityMPS:
        """A state that shares its (never modified) arrays with this one."""
        return DensityMPS(self.sites, self.mps.copy(), self.log_norm)

    # ------------------------------------------------------------------ what it is

    @property
    def charge_names(self) -> tuple[str, ...]:
        """Names of the charges between whose sectors the matrix has no elements."""
        return self.mps.charge_names

    @cached_property
    def trace(self) -> float:
        """Trace, which truncation does not conserve."""
        return float(np.exp(self.log_norm)) * self._overlap_with_one

    @property
    def norm(self) -> float:
        """Root of the trace, which is the norm of a pure state."""
        return float(np.sqrt(self.trace))

    @property
    def purity(self) -> float:
        """``Tr rho^+ rho / (Tr rho)^2``."""
        return 1.0 / self._overlap_with_one**2

    @cached_property
    def hermiticity_error(self) -> float:
        """``|rho - rho^+| / |rho|`` in the Hilbert-Schmidt norm, to 3e-8."""
        every = [self.mps.blocks(k) for k in range(self.length)]
        bras = [{at: block.conj() for at, block in blocks.items()} for blocks in every]
        kets: list[Blocks] = []
        for site, blocks in zip(self.sites, every, strict=True):
            # rho^T has ket and bra exchanged, and with them the sign of the charge.
            turned = {
                at: (-at[0], at[1] % site.dim * site.dim + at[1] // site.dim) for at in blocks
            }
            kets.append({at: blocks[to] for at, to in turned.items() if to in blocks})
        square = contracted(bras, kets, self.mps.site_keys).real
        return float(np.sqrt(max(0.0, 2.0 - 2.0 * square)))

    def bond_dims(self) -> Ints:
        """Bond dimension of the L - 1 inner bonds."""
        return self.mps.bond_dims()

    def entropies(self) -> Reals:
        """Operator-space entropy of each of the L - 1 cuts: what decides the bond dimension.

        It is that of the normalized vector of matrix elements; twice the entanglement entropy of a
        pure state, but no measure of entanglement of a mixed one.
        """
        return self.mps.entropies()

    # ------------------------------------------------------------------ reductions

    def _rdm(self, chosen: list[int], kept: list[int]) -> Matrix:
        if prod(kept) ** 2 > _MOST_ELEMENTS:
            raise InputError(f"sites: a density matrix of {prod(kept)} states is too large")
        count = len(chosen)
        order = np.argsort(chosen).tolist()
        flat = self._in_chain_order({chosen[n]: kept[n] for n in order})
        # Axes ket, bra of each site, ascending; wanted: all kets, then all bras, as asked for.
        tensor = flat.reshape([kept[n] for n in order for _ in range(2)])
        place = [order.index(n) for n in range(count)]
        tensor = tensor.transpose([2 * p for p in place] + [2 * p + 1 for p in place])
        rho = tensor.reshape(prod(kept), prod(kept))
        hermitian = (rho + rho.conj().T) / (2 * self._overlap_with_one)
        return np.asarray(hermitian, dtype=np.complex128)

    @cached_property
    def _overlap_with_one(self) -> float:
        """``Tr`` of the normalized vector."""
        end = self._left[-1]
        return float(end[0][1][0, 0].real) if end else 0.0

    @cached_property
    def _left(self) -> list[_Open]:
        """Trace over the sites left of every bond."""
        ends = [_CLOSED]
        for k in range(self.length):
            ends.append(self._take_in(ends[-1], k, 1))
        return ends

    @cached_property
    def _right(self) -> list[_Open]:
        """Trace over the sites right of every bond."""
        ends = [_CLOSED]
        for k in reversed(range(self.length)):
            ends.append(self._take_in(ends[-1], k, 1, 1))
        return ends[::-1]

    def _in_chain_order(self, kept: dict[int, int]) -> NDArray[np.complex128]:
        """Elements of the matrix of ascending sites, ket and bra site by site."""
        if not kept:
            return np.full(1, self._overlap_with_one, dtype=np.complex128)
        where = list(kept)
        # Both ends are carried to a bond that leaves each about half of the open indices.
        half = min(
            range(1, len(where) + 1),
            key=lambda n: prod(kept[k] for k in where[:n]) + prod(kept[k] for k in where[n:]),
        )
        middle = where[half - 1] + 1
        left = self._left[where[0]]
        for k in range(where[0], middle):
            left = self._take_in(left, k, kept.get(k, 1))
        last = max(middle, where[-1] + 1)
        right, size = self._right[last], 1
        for k in reversed(range(middle, last)):
            right = self._take_in(right, k, kept.get(k, 1), size)
            size *= kept.get(k, 1) ** 2
        out = np.zeros((prod(kept.values()) ** 2 // size, size), dtype=np.complex128)
        for key, (codes, matrix) in left.items():
            if key in right:
                others, other = right[key]
                out[np.ix_(codes, others)] += matrix @ other.T
        return out.ravel()

    def _take_in(self, env: _Open, k: int, keep: int, taken: int | None = None) -> _Open:
        """Add site k to an end of the chain: to the left one, or to the right one.

        Of the site, ket and bra of the trailing factor ``keep`` stay open, the rest is traced out.
        ``taken``: number of open indices of the right end, which are faster than the new ones.
        """
        d = self.sites[k].dim
        sums: dict[tuple[int, int, int], Matrix] = {}
        for (key, p), block in self.mps.blocks(k).items():
            to = key + int(self.mps.site_keys[k][p])
            ket, bra = divmod(p, d)
            if ket // keep != bra // keep or (key if taken is None else to) not in env:
                continue
            place = key, to, ket % keep * keep + bra % keep
            sums[place] = sums[place] + block if place in sums else block
        parts: dict[int, list[tuple[Ints, Matrix]]] = {}
        for (key, to, index), block in sums.items():
            if taken is None:
                codes, matrix = env[key]
                parts.setdefault(to, []).append((codes * keep**2 + index, matrix @ block))
            else:
                codes, matrix = env[to]
                parts.setdefault(key, []).append((index * taken + codes, matrix @ block.T))
        return {key: _merged(several) for key, several in parts.items()}

    # ------------------------------------------------------------------ files

    def _details(self) -> list[str]:
        return [f"bond dimension {self.bond_dims().max(initial=1)}"]

    def _write(self, group: h5py.Group) -> None:
        group.attrs["log_norm"] = self.log_norm
        self.mps.save(group.create_group("mps"))

    @classmethod
    def _read(cls, group: h5py.Group, sites: Sequence[Site]) -> DensityMPS:
        mps = MPS.load(group["mps"], [doubled(site) for site in sites])
        return cls(sites, mps, float(group.attrs["log_norm"]))


def _merged(
    parts: Sequence[tuple[Ints, Matrix]],
) -> tuple[Ints, Matrix]:
    """Rows of several matrices by their open index; those of equal index are added."""
    if len(parts) == 1:
        return parts[0]
    codes = np.concatenate([codes for codes, _ in parts])
    rows = np.concatenate([matrix for _, matrix in parts])
    found, place = np.unique(codes, return_inverse=True)
    if found.size == codes.size:
        return codes, rows
    total = np.zeros((found.size, rows.shape[1]), dtype=np.complex128)
    np.add.at(total, place.ravel(), rows)
    return found, total


# ---------------------------------------------------------------------- from pure states


class _Pairs(NamedTuple):
    """Bond states (i, j) of rho: of sectors a and b of psi, ``(key, start, i, j)``."""

    dims: dict[int, int]
    places: dict[tuple[int, int], tuple[int, int, Ints, Ints]]


def squared(
    psi: MPS, sites: Sequence[Site], cutoff: float = 0.0, bond_dim: int | None = None
) -> BlockState:
    """``|psi><psi|`` with ancillas traced out, on doubled sites; not canonical.

    Its tensors are those of psi times their conjugates, its bond states pairs of those of psi, and
    its Schmidt values their products::

        i --A--- k
            |\\
            | ancilla
            |/
        j --A*-- l

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
    two = [doubled(site) for site in sites]
    code = ChargeCode.for_sites(psi.charge_names, two)
    bonds = [_pairs(psi, k, code, cutoff, bond_dim) for k in range(psi.length + 1)]
    blocks = [_site(psi, k, site.dim, *bonds[k : k + 2]) for k, site in enumerate(sites)]
    return BlockState.from_blocks(two, code, [bond.dims for bond in bonds], blocks)


def _pairs(psi: MPS, bond: int, code: ChargeCode, cutoff: float, bond_dim: int | None) -> _Pairs:
    """Pairs of bond states that carry weight, sorted by the charge of the density matrix."""
    keys, _, schmidt = psi.bonds[bond]
    charges = psi.code.decode(keys)
    weights = {key: values**2 for key, values in psi.bonds[bond].schmidt_by_key().items()}
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


def _threshold(weights: Reals, cutoff: float, bond_dim: int | None) -> float:
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
    right: _Pairs,
) -> dict[tuple[int, int], Matrix]:
    """Blocks of one site."""
    tensors = psi.blocks(k)
    step = psi.site_keys[k]
    by_sector: dict[int, list[tuple[int, Matrix]]] = {}
    for (key, p), matrix in tensors.items():
        by_sector.setdefault(key, []).append((p, matrix))
    blocks: dict[tuple[int, int], Matrix] = {}
    for (a, b), (key, row, i, j) in left.places.items():
        for p, ket in by_sector.get(a, []):
            for r, bra in by_sector.get(b, []):
                to = a + int(step[p]), b + int(step[r])
                if p // d != r // d or to not in right.places:
                    continue
                after, column, m, n = right.places[to]
                shape = left.dims[key], right.dims[after]
                place = key, (p % d) * d + r % d
                target = blocks.setdefault(place, np.zeros(shape, dtype=np.complex128))
                part = ket[np.ix_(i, m)] * bra[np.ix_(j, n)].conj()
                target[row : row + i.size, column : column + m.size] += part
    return blocks
