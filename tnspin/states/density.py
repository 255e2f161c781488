"""`DensityState`: density matrices of whole chains.

A mixture of charge sectors has one block for each, a matrix without definite charges one in all.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tnspin.errors import InputError
from tnspin.numerics.arrays import Complexes
from tnspin.operators.basis import ChargeBasis, Ints
from tnspin.operators.sites import Matrix, Site
from tnspin.operators.state import State, members_of, von_neumann_entropy
from tnspin.states.sectors import ranks, read_sectors, split_codes, write_sectors
from tnspin.states.vector import VectorState

if TYPE_CHECKING:
    import h5py

#: Largest number of elements of all blocks: 1 GiB, of which an evolution needs several.
MOST_ELEMENTS = 2**26


class DensityState(State):
    """Density matrix of a chain, in blocks of its charges.

    Parameters
    ----------
    sites : sequence of Site
        The chain, length L.
    matrix : (D, D) array_like
        Hermitian. Reduced density matrices are those of the matrix divided by its trace.
    basis : ChargeBasis or None
        Charge sector; None is the full space in Kronecker order (site 0 slowest).

    Raises
    ------
    InputError
        If the shape is not that of the basis, or the trace is not positive.
    """

    noun = "density matrix"
    formats = ("tnspin-density-1",)
    gives = State.gives | {"density", "moments"}

    def __init__(
        self, sites: Sequence[Site], matrix: ArrayLike, basis: ChargeBasis | None = None
    ) -> None:
        self.sites: tuple[Site, ...] = tuple(sites)
        chosen = basis if basis is not None else ChargeBasis(self.sites)
        self._fill((chosen,), [np.asarray(matrix)])

    @classmethod
    def from_blocks(
        cls, sites: Sequence[Site], bases: Sequence[ChargeBasis], blocks: Sequence[ArrayLike]
    ) -> DensityState:
        """Block-diagonal matrix: one block for each of some different charge sectors.

        Raises
        ------
        InputError
            If a sector is named twice, or the sectors fix different charges.
        """
        bases = tuple(bases)
        labels = {tuple(basis.charges.values()) for basis in bases}
        if len(labels) < len(bases) or len({basis.charge_names for basis in bases}) != 1:
            raise InputError("state: blocks must be different sectors of the same charges")
        state = cls.__new__(cls)
        state.sites = tuple(sites)
        state._fill(bases, [np.asarray(block) for block in blocks])
        return state

    @classmethod
    def from_state(cls, state: Any, names: Sequence[str] | None = None) -> DensityState:
        """Density matrix of a `VectorState`, of an `Ensemble` of them, or of a `DensityState`.

        Parameters
        ----------
        state
            Vectors count as normalized.
        names
            Charges whose sectors make the blocks; default those that all members fix.

        Raises
        ------
        InputError
            If it is of another kind, or does not have definite values of these charges.
        """
        if isinstance(state, DensityState):
            return state if names is None else state.with_charges(names)
        bases = sectors(state, names)
        place = {tuple(basis.charges.values()): k for k, basis in enumerate(bases)}
        blocks = [np.zeros((basis.dim, basis.dim), dtype=np.complex128) for basis in bases]
        for weight, one in members_of(state, VectorState, "a density matrix"):
            basis, rows = lifted(one.basis, bases[0].charge_names)
            projector = np.outer(one.vector, one.vector.conj()) * (weight / one.norm**2)
            blocks[place[tuple(basis.charges.values())]][np.ix_(rows, rows)] += projector
        return cls.from_blocks(state.sites, bases, blocks)

    def _fill(self, bases: tuple[ChargeBasis, ...], blocks: Sequence[ArrayLike]) -> None:
        self.bases = bases
        if [np.shape(block) for block in blocks] != [(b.dim, b.dim) for b in bases]:
            raise InputError(
                f"state: matrices of shapes {[np.shape(block) for block in blocks]} given for"
                f" bases of {[basis.dim for basis in bases]} states"
            )
        # One vector for all blocks, on which equations of motion act.
        self.elements: Complexes = np.concatenate(
            [np.asarray(block, dtype=np.complex128).ravel() for block in blocks]
        )
        self.elements.setflags(write=False)
        if not self.trace > 0:
            raise InputError(f"state: the trace of the density matrix is {self.trace:g}")

    # ------------------------------------------------------------------ what it is

    @property
    def dim(self) -> int:
        """Number of basis states of all blocks together."""
        return sum(basis.dim for basis in self.bases)

    @cached_property
    def blocks(self) -> tuple[Matrix, ...]:
        """One (d, d) matrix per sector of `bases`."""
        return tuple(_split(self.elements, self.bases))

    @property
    def matrix(self) -> Matrix:
        """The whole matrix (D, D), basis states sector by sector."""
        whole = np.zeros((self.dim, self.dim), dtype=np.complex128)
        start = 0
        for block in self.blocks:
            part = slice(start, start := start + len(block))
            whole[part, part] = block
        return whole

    @property
    def charge_names(self) -> tuple[str, ...]:
        """Names of the charges between whose sectors the matrix has no elements."""
        return self.bases[0].charge_names

    @property
    def total_charge(self) -> dict[str, int]:
        """Charges that have one value in all sectors, and that value."""
        first, *others = [basis.charges for basis in self.bases]
        return {n: q for n, q in first.items() if all(other[n] == q for other in others)}

    @property
    def trace(self) -> float:
        """Trace."""
        return float(sum(np.trace(block).real for block in self.blocks))

    @property
    def norm(self) -> float:
        """Root of the trace, which is the norm of a pure state."""
        return float(np.sqrt(self.trace))

    @property
    def purity(self) -> float:
        """``Tr rho^2 / (Tr rho)^2``."""
        return float(np.vdot(self.elements, self.elements).real) / self.trace**2

    def eigenvalues(self) -> NDArray[np.float64]:
        """Eigenvalues of the matrix divided by its trace, ascending."""
        parts = [np.linalg.eigvalsh(block) for block in self.blocks]
        return np.sort(np.concatenate(parts)) / self.trace

    def _details(self) -> list[str]:
        return [f"dimension {self.dim}"]

    def copy(self) -> DensityState:
        """Return an independent copy (the bases, which never change, are shared)."""
        return DensityState.from_blocks(self.sites, self.bases, [b.copy() for b in self.blocks])

    def with_charges(self, names: Sequence[str]) -> DensityState:
        """Matrix in the larger sectors of fewer charges.

        Raises
        ------
        InputError
            If there are elements between sectors of a charge named.
        """
        if tuple(names) == self.charge_names:
            return self
        bases = sectors(self, names)
        place = {tuple(basis.charges.values()): k for k, basis in enumerate(bases)}
        blocks = [np.zeros((basis.dim, basis.dim), dtype=np.complex128) for basis in bases]
        for basis, block in zip(self.bases, self.blocks, strict=True):
            larger, rows = lifted(basis, names)
            blocks[place[tuple(larger.charges.values())]][np.ix_(rows, rows)] += block
        return DensityState.from_blocks(self.sites, bases, blocks)

    def with_elements(self, elements: ArrayLike) -> DensityState:
        """Density matrix with other numbers in these blocks, in the order of ``elements``."""
        blocks = _split(np.asarray(elements, dtype=np.complex128), self.bases)
        return DensityState.from_blocks(self.sites, self.bases, blocks)

    # ------------------------------------------------------------------ reductions

    def _rdm(self, chosen: list[int], kept: list[int]) -> Matrix:
        codes, rest = split_codes(self._states, chosen, kept)
        return self._traced(codes, prod(kept), rest)

    def entropies(self) -> NDArray[np.float64]:
        """Entropy (natural logarithm) of the sites left of each of the L - 1 cuts.

        Not a measure of entanglement: the entropy that the chain shares with a bath counts too.
        """
        result = np.zeros(self.length - 1)
        for bond in range(self.length - 1):
            left, rest = self._states[:, : bond + 1], self._states[:, bond + 1 :]
            codes = ranks(left)
            weights = np.linalg.eigvalsh(self._traced(codes, int(codes.max()) + 1, rest))
            result[bond] = max(0.0, von_neumann_entropy(weights))
        return result

    @cached_property
    def _states(self) -> NDArray[np.uint8]:
        """All basis states, shape (D, L)."""
        return np.concatenate([basis.states for basis in self.bases])

    def _traced(self, codes: Ints, size: int, rest: NDArray[np.uint8]) -> Matrix:
        """Sum over equal states of the rest: elements [code, code'] of a (size, size) matrix."""
        dims = np.array([basis.dim for basis in self.bases])
        sector = np.repeat(np.arange(len(dims)), dims)
        row, column = _pairs(ranks(rest) * len(dims) + sector)
        # Where the row of a basis state begins in the vector of elements.
        begin = np.cumsum(dims**2) - dims**2
        local = np.arange(self.dim) - (np.cumsum(dims) - dims)[sector]
        values = self.elements[begin[sector[row]] + local[row] * dims[sector[row]] + local[column]]
        place = codes[row] * size + codes[column]
        rho = np.empty(size * size, dtype=np.complex128)
        rho.real = np.bincount(place, values.real, size * size)
        rho.imag = np.bincount(place, values.imag, size * size)
        return rho.reshape(size, size) / self.trace

    # ------------------------------------------------------------------ files

    def _write(self, group: h5py.Group) -> None:
        write_sectors(group, self.bases)
        group["elements"] = self.elements

    @classmethod
    def _read(cls, group: h5py.Group, sites: tuple[Site, ...]) -> DensityState:
        bases = read_sectors(group, sites)
        return cls.from_blocks(sites, bases, _split(group["elements"][:], bases))


def sectors(state: Any, names: Sequence[str] | None = None) -> tuple[ChargeBasis, ...]:
    """Return the charge sectors in which the density matrix of a state has blocks, in order.

    Parameters
    ----------
    state
        `VectorState`, `Ensemble` of them, or `DensityState`.
    names
        Charges that label the blocks; default those of which all members have definite values.

    Raises
    ------
    InputError
        If it is of another kind, or does not have definite values of these charges.
    """
    if isinstance(state, DensityState):
        bases = list(state.bases)
    else:
        bases = [one.basis for _, one in members_of(state, VectorState, "a density matrix")]
    if names is None:
        names = [n for n in bases[0].charge_names if all(n in basis.charges for basis in bases)]
    found: dict[tuple[int, ...], ChargeBasis] = {}
    for basis in bases:
        missing = [name for name in names if name not in basis.charges]
        if missing:
            raise InputError(f"charges: the state has no definite {missing[0]!r}")
        key = tuple(basis.charges[name] for name in names)
        if key not in found:
            same = tuple(names) == basis.charge_names
            found[key] = (
                basis if same else ChargeBasis(basis.sites, dict(zip(names, key, strict=True)))
            )
    return tuple(found[key] for key in sorted(found))


def lifted(basis: ChargeBasis, names: Sequence[str]) -> tuple[ChargeBasis, Ints]:
    """Return the sector of fewer charges that holds a basis, and where its states are in it."""
    if tuple(names) == basis.charge_names:
        return basis, np.arange(basis.dim)
    larger = ChargeBasis(basis.sites, {name: basis.charges[name] for name in names})
    return larger, larger.index(basis.states)


def _split(elements: Complexes, bases: Sequence[ChargeBasis]) -> list[Matrix]:
    """The (d, d) matrices of blocks that lie one after the other."""
    parts = np.split(elements, np.cumsum([basis.dim**2 for basis in bases])[:-1])
    return [p.reshape(b.dim, b.dim) for p, b in zip(parts, bases, strict=True)]


def _pairs(keys: Ints) -> tuple[Ints, Ints]:
    """All ordered pairs of positions with equal keys."""
    order = np.argsort(keys, kind="stable")
    _, start, count = np.unique(keys[order], return_index=True, return_counts=True)
    repeats = np.repeat(count, count)
    first = np.repeat(order, repeats)
    within = np.arange(len(first)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    second = order[np.repeat(np.repeat(start, count), repeats) + within]
    return first, second
