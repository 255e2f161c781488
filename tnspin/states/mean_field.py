"""Product states: one density matrix for each site, and no correlations."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tnspin.errors import InputError
from tnspin.operators.sites import Matrix, Site, kron

if TYPE_CHECKING:
    import h5py

__all__ = ["SiteProduct"]


class SiteProduct:
    """The density matrix ``rho_0 x rho_1 x ...``.

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

    # ------------------------------------------------------------------ what a snapshot asks for

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

    @property
    def charge_names(self) -> tuple[str, ...]:
        """None: sites are mixtures."""
        return ()

    @property
    def total_charge(self) -> dict[str, int]:
        """None."""
        return {}

    def site_rdms(self) -> list[Matrix]:
        """Density matrix of every site."""
        return list(self.matrices)

    def bond_rdms(self) -> list[Matrix]:
        """Density matrix of every pair of neighbours."""
        return [self.rdm((k, k + 1)) for k in range(len(self.sites) - 1)]

    def rdm(self, sites: Sequence[int], keep: Sequence[int] | None = None) -> Matrix:
        """Density matrix of some sites, or of the trailing ``keep`` states of each."""
        chosen = [self.matrices[k] for k in sites]
        if keep is not None:
            chosen = [_trailing(rho, size) for rho, size in zip(chosen, keep, strict=True)]
        return kron(chosen)

    # ------------------------------------------------------------------ files

    def save(self, group: h5py.Group) -> None:
        """Write to an open HDF5 group."""
        for k, rho in enumerate(self.matrices):
            group[f"site_{k}"] = rho

    @classmethod
    def load(cls, group: h5py.Group, sites: Sequence[Site]) -> SiteProduct:
        """Read what `save` wrote, bit for bit."""
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
