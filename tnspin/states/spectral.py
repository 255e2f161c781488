"""`SpectralState`: density matrices by their eigenvectors, which move at constant eigenvalues.

    rho = c + sum_j w_j |phi_j><phi_j|

with c the eigenvalue of the largest multiplicity, so that a pure state has one vector and a Werner
state one as well.  Of many realizations rho is the mean.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from tnspin.errors import InputError
from tnspin.numerics.arrays import Complexes, Reals
from tnspin.operators.basis import ChargeBasis
from tnspin.operators.sites import Matrix, Site
from tnspin.operators.state import State, weighted_sum
from tnspin.states.density import MOST_ELEMENTS, DensityState
from tnspin.states.sectors import read_sectors, write_sectors
from tnspin.states.vector import VectorState

if TYPE_CHECKING:
    import h5py

# Eigenvalues closer than this are one.
_EQUAL = 1e-12


@dataclass(frozen=True, eq=False)
class Block:
    """Eigenvectors inside a subspace that the Hamiltonian does not leave.

    Attributes
    ----------
    inside : (D, d) ndarray or None
        Orthonormal columns that span it; None is the whole space.
    frames : (R, d, r) ndarray
        r orthonormal eigenvectors of each of R realizations.
    weights : (r,) ndarray
        Their eigenvalues minus the background.
    """

    inside: Matrix | None
    frames: Complexes
    weights: Reals

    @property
    def columns(self) -> Complexes:
        """(R, D, r) eigenvectors in the basis of the state."""
        return self.frames if self.inside is None else self.inside @ self.frames


class SpectralState(State):
    """Density matrix by its eigenvectors, trace 1.

    Parameters
    ----------
    sites : sequence of Site
        The chain, length L.
    basis : ChargeBasis
        Charge sector or full space, dimension D.
    blocks : sequence of Block
        Mutually orthogonal eigenvectors, with equal numbers of realizations.
    background : float
        Eigenvalue c of everything else.
    few : float
        With more vectors than this share of the dimension, reductions go through the matrix,
        which is then the faster way.
    """

    noun = "density matrix of constant spectrum"
    formats = ("tnspin-spectral-1",)
    gives = DensityState.gives | {"isospectral"}

    def __init__(
        self,
        sites: Sequence[Site],
        basis: ChargeBasis,
        blocks: Sequence[Block],
        background: float,
        few: float = 1 / 8,
    ) -> None:
        self.sites: tuple[Site, ...] = tuple(sites)
        self.basis = basis
        self.blocks: tuple[Block, ...] = tuple(blocks)
        self.background = float(background)
        self.few = few

    @classmethod
    def from_state(cls, state: Any) -> SpectralState:
        """Eigenvectors of a state vector, of a mixture of them, or of a density matrix.

        Raises
        ------
        InputError
            If it is of another kind, not positive, or too large to diagonalize.
        """
        if isinstance(state, SpectralState):
            return state
        if isinstance(state, VectorState):
            frame = (state.vector / state.norm)[None, :, None]
            return cls(state.sites, state.basis, (Block(None, frame, np.ones(1)),), 0.0)
        rho = DensityState.from_state(state)
        if len(rho.bases) > 1:
            # Eigenvectors of different sectors with one eigenvalue may mix, sectors with one.
            whole = ChargeBasis(rho.sites)
            if whole.dim**2 > MOST_ELEMENTS:
                raise InputError(f"state: a density matrix of {whole.dim} states is too large")
            rho = rho.with_charges(())
        values, vectors = np.linalg.eigh(rho.matrix / rho.trace)
        if values[0] < -1e-9:
            raise InputError(f"state: the density matrix has a negative eigenvalue, {values[0]:g}")
        levels, background = _levels(values)
        moved = levels != background
        block = Block(None, vectors[None, :, moved], levels[moved] - background)
        return cls(rho.sites, rho.bases[0], (block,), background)

    def with_frames(self, frames: Sequence[Complexes]) -> SpectralState:
        """Density matrix with other eigenvectors, one array (R, d, r) per block."""
        blocks = [Block(b.inside, f, b.weights) for b, f in zip(self.blocks, frames, strict=True)]
        return SpectralState(self.sites, self.basis, blocks, self.background, self.few)

    def in_whole_space(self) -> SpectralState:
        """This density matrix as one block that is confined to no subspace."""
        columns = np.concatenate([block.columns for block in self.blocks], axis=2)
        weights = np.concatenate([block.weights for block in self.blocks])
        block = Block(None, columns, weights)
        return SpectralState(self.sites, self.basis, (block,), self.background, self.few)

    # ------------------------------------------------------------------ what it is

    @property
    def dim(self) -> int:
        """Number of basis states D."""
        return self.basis.dim

    @property
    def realizations(self) -> int:
        """Number of realizations R."""
        return len(self.blocks[0].frames) if self.blocks else 1

    @property
    def rank(self) -> int:
        """Number of eigenvectors of one realization that are kept."""
        return sum(len(block.weights) for block in self.blocks)

    @property
    def total_charge(self) -> dict[str, int]:
        """Total of each fixed charge."""
        return dict(self.basis.charges)

    @property
    def trace(self) -> float:
        """Trace, from the eigenvectors as they are."""
        total = self.background * self.dim
        for block in self.blocks:
            lengths = np.square(np.abs(block.frames)).sum(axis=1).mean(axis=0)
            total += float(lengths @ block.weights)
        return total

    @property
    def norm(self) -> float:
        """Root of the trace, which is the norm of a pure state."""
        return float(np.sqrt(self.trace))

    @cached_property
    def purity(self) -> float:
        """``Tr rho^2 / (Tr rho)^2``; of many realizations that of their mean."""
        if self._has_matrix:
            return self.density.purity
        columns, weights = self._vectors()
        gram = columns.conj().T @ columns
        return float((np.square(np.abs(gram)) * np.outer(weights, weights)).sum()) / self.trace**2

    def eigenvalues(self) -> Reals:
        """All D eigenvalues, ascending, from the matrix that the vectors make."""
        if self._has_matrix:
            return self.density.eigenvalues()
        columns, weights = self._vectors()
        # X w X^+ and X^+ X w have equal eigenvalues, apart from zeros.
        small = np.linalg.eigvals((columns.conj().T @ columns) * weights).real
        return np.sort(np.concatenate([np.zeros(self.dim - len(small)), small]))

    def copy(self) -> SpectralState:
        """An independent copy (bases and subspaces, which never change, are shared)."""
        return self.with_frames([block.frames.copy() for block in self.blocks])

    # ------------------------------------------------------------------ forms

    @property
    def _has_matrix(self) -> bool:
        return self.background != 0.0 or self.rank * self.realizations > self.few * self.dim

    @cached_property
    def density(self) -> DensityState:
        """The matrix itself.

        Raises
        ------
        InputError
            If it is too large.
        """
        if self.dim**2 > MOST_ELEMENTS:
            raise InputError(f"state: a density matrix of {self.dim} states is too large")
        columns, weights = self._vectors()
        matrix = (columns * weights) @ columns.conj().T
        matrix[np.diag_indices(self.dim)] += self.background
        return DensityState(self.sites, matrix, self.basis)

    def realization(self, number: int) -> SpectralState:
        """One of the realizations."""
        return self.with_frames([block.frames[number : number + 1] for block in self.blocks])

    def _vectors(self) -> tuple[Matrix, Reals]:
        """(D, n) vectors of all realizations and their weights in the mean."""
        count = self.realizations
        parts = [np.moveaxis(b.columns, 0, 1).reshape(self.dim, -1) for b in self.blocks]
        weights = [np.tile(block.weights, count) / count for block in self.blocks]
        nothing: list[Any] = [np.zeros((self.dim, 0), dtype=np.complex128)]
        return np.concatenate([*nothing, *parts], axis=1), np.concatenate([np.zeros(0), *weights])

    def _summed(self, question: Callable[[VectorState], list[Matrix]]) -> list[Matrix]:
        """Sum over all vectors, with their weights, of matrices asked of each."""
        columns, weights = self._vectors()
        answers = [question(VectorState(self.sites, v, self.basis)) for v in columns.T]
        return weighted_sum(weights.tolist(), answers)

    # ------------------------------------------------------------------ reductions

    def site_rdms(self) -> list[Matrix]:
        """Reduced density matrix of every site, L arrays (d, d)."""
        return self.density.site_rdms() if self._has_matrix else self._summed(VectorState.site_rdms)

    def bond_rdms(self) -> list[Matrix]:
        """Reduced density matrix of every pair of neighbours, L - 1 arrays."""
        return self.density.bond_rdms() if self._has_matrix else self._summed(VectorState.bond_rdms)

    def _rdm(self, sites: list[int], keep: list[int]) -> Matrix:
        if self._has_matrix:
            return self.density.rdm(sites, keep)
        return self._summed(lambda one: [one.rdm(sites, keep)])[0]

    def entropies(self) -> Reals:
        """Entropy of the sites left of each of the L - 1 cuts; of mixtures not entanglement."""
        if not self._has_matrix and self.rank == self.realizations == 1:
            return VectorState(self.sites, self._vectors()[0][:, 0], self.basis).entropies()
        return self.density.entropies()

    # ------------------------------------------------------------------ files

    def _details(self) -> list[str]:
        return [f"dimension {self.dim}", f"{self.rank} eigenvectors"]

    def _write(self, group: h5py.Group) -> None:
        write_sectors(group, [self.basis])
        group.attrs["background"] = self.background
        group.attrs["blocks"] = len(self.blocks)
        for k, block in enumerate(self.blocks):
            part = group.create_group(str(k))
            part["frames"], part["weights"] = block.frames, block.weights
            if block.inside is not None:
                part["inside"] = block.inside

    @classmethod
    def _read(cls, group: h5py.Group, sites: tuple[Site, ...]) -> SpectralState:
        (basis,) = read_sectors(group, sites)
        blocks = []
        for k in range(int(group.attrs["blocks"])):
            part = group[str(k)]
            inside = part["inside"][:] if "inside" in part else None
            blocks.append(Block(inside, part["frames"][:], part["weights"][:]))
        return cls(sites, basis, blocks, float(group.attrs["background"]))


def _levels(values: Reals) -> tuple[Reals, float]:
    """Eigenvalues (ascending) with equal ones made equal, and the one that occurs most often."""
    edges = np.flatnonzero(np.diff(values) > _EQUAL) + 1
    groups = np.split(values, edges)
    means = [float(group.mean()) for group in groups]
    means = [0.0 if abs(mean) < _EQUAL else mean for mean in means]
    levels = np.concatenate([np.full(len(g), m) for g, m in zip(groups, means, strict=True)])
    return levels, means[int(np.argmax([len(group) for group in groups]))]
