"""`SiteProduct`: one density matrix for each site, and no correlations."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tnspin.errors import InputError
from tnspin.operators.sites import Matrix, Site, kron
from tnspin.operators.state import State

if TYPE_CHECKING:
    import h5py


class SiteProduct(State):
    """Density matrix ``rho_0 x rho_1 x ...``.

    Parameters
    ----------
    sites : sequence of Site
        The chain; no electrons.
    matrices : sequence of (d, d) array_like
        Density matrix of each site, trace 1.

    Raises
    ------
    InputError
        If a shape does not fit, or the chain holds electrons.
    """

    noun = "product of density matrices"
    formats = ("tnspin-site-product-1", "SiteProduct")
    gives = frozenset({"sites", "bonds", "energy"})

    def __init__(self, sites: Sequence[Site], matrices: Sequence[Any]) -> None:
        self.sites = tuple(sites)
        self.matrices: tuple[Matrix, ...] = tuple(
            np.asarray(matrix, dtype=np.complex128) for matrix in matrices
        )
        shapes = [matrix.shape for matrix in self.matrices]
        if shapes != [(site.dim, site.dim) for site in self.sites]:
            raise InputError(f"state: matrices of shapes {shapes} do not fit the chain")
        if any(site.has_fermions for site in self.sites):
            raise InputError("state: mean fields are those of spins, not of electrons")

    @classmethod
    def of(cls, model: Any, state: Any) -> SiteProduct:
        """One-site density matrices of any state of ``model``; ancillas are traced out."""
        if isinstance(state, SiteProduct):
            return state
        sites = model.local_sites
        return cls(sites, [state.rdm([k], keep=[site.dim]) for k, site in enumerate(sites)])

    @classmethod
    def of_vectors(cls, sites: Sequence[Site], vectors: NDArray[np.float64]) -> SiteProduct:
        """Spins 1/2 with Bloch vectors (N, 3)."""
        pauli = 2.0 * np.stack([sites[0].op(f"S{axis}") for axis in "xyz"])
        return cls(sites, (np.eye(2) + np.einsum("na,aij->nij", vectors, pauli)) / 2)

    @property
    def vectors(self) -> NDArray[np.float64]:
        """(N, 3) Bloch vectors <sigma> of spins 1/2."""
        pauli = 2.0 * np.stack([self.sites[0].op(f"S{axis}") for axis in "xyz"])
        found = np.einsum("nij,aji->na", np.stack(self.matrices), pauli)
        return np.ascontiguousarray(found.real)

    def rotated(self, angle: float) -> SiteProduct:
        """All localized spins turned about the y axis, from z towards x."""
        return SiteProduct(
            self.sites,
            [_turned(rho, s, angle) for rho, s in zip(self.matrices, self.sites, strict=True)],
        )

    @property
    def norm(self) -> float:
        """Root of the trace."""
        return float(np.sqrt(prod(float(np.trace(rho).real) for rho in self.matrices)))

    @property
    def purity(self) -> float:
        """Tr rho^2 of the whole chain."""
        return prod(float(np.vdot(rho, rho).real) for rho in self.matrices)

    @property
    def smallest_eigenvalue(self) -> float:
        """Smallest eigenvalue of any site."""
        return min(float(np.linalg.eigvalsh(rho)[0]) for rho in self.matrices)

    def _rdm(self, sites: list[int], keep: list[int]) -> Matrix:
        return kron(_trailing(self.matrices[k], size) for k, size in zip(sites, keep, strict=True))

    # ------------------------------------------------------------------ files

    def _write(self, group: h5py.Group) -> None:
        for k, rho in enumerate(self.matrices):
            group[f"site_{k}"] = rho

    @classmethod
    def _read(cls, group: h5py.Group, sites: tuple[Site, ...]) -> SiteProduct:
        return cls(sites, [group[f"site_{k}"][:] for k in range(len(sites))])


def _turned(rho: Matrix, site: Site, angle: float) -> Matrix:
    if site.spin_dim == 1:
        return rho
    values, modes = np.linalg.eigh(site.op("Sy"))
    unitary = (modes * np.exp(-1j * angle * values)) @ modes.conj().T
    return np.asarray(unitary @ rho @ unitary.conj().T)


def _trailing(rho: Matrix, size: int) -> Matrix:
    outer = len(rho) // size
    return np.asarray(np.einsum("aiaj->ij", rho.reshape(outer, size, outer, size)))
