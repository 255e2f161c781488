"""`HybridState`: orbitals of electrons and unit vectors of classical spins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tnspin.errors import InputError
from tnspin.numerics.arrays import Complexes, Reals
from tnspin.operators.sites import Site
from tnspin.operators.state import State
from tnspin.states.classical import directions_of, unit_vectors

if TYPE_CHECKING:
    import h5py

#: 1 and the Pauli matrices.
_PAULI = np.array([[[1, 0], [0, 1]], [[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])


@dataclass(frozen=True, eq=False, repr=False)
class HybridState(State):
    """Slater determinant of electrons, or a mixture of some, among classical spins.

    Attributes
    ----------
    sites : tuple of Site
        The L sites of the chain.
    orbitals : (M, L, 2) complex
        Amplitudes at each site, up and down.
    occupations : (M,) float
        1 for the orbitals of a determinant; weights for those of the members of a mixture, which
        all move among the same spins.
    localized : tuple of int
        Sites of the spins.
    directions : (N, 3) float
        Unit vectors.
    limit : str
        How quantum operators become classical vectors, see `classical_energy`.
    """

    noun = "set of electrons among classical spins"
    formats = ("tnspin-hybrid-1", "HybridState")
    gives = frozenset({"sites", "energy", "currents"})

    sites: tuple[Site, ...]
    orbitals: Complexes
    occupations: Reals
    localized: tuple[int, ...]
    directions: Reals
    limit: str = "large_spin"

    def __post_init__(self) -> None:
        directions = np.asarray(self.directions, float)
        if directions.size:
            directions = unit_vectors(directions)[0]
        object.__setattr__(self, "directions", directions)
        expected = (len(self.occupations), len(self.sites), 2)
        if self.orbitals.shape != expected or len(directions) != len(self.localized):
            raise InputError(
                f"state: orbitals of shape {self.orbitals.shape} and {len(directions)} spins do "
                f"not fit {expected} and {len(self.localized)}"
            )

    @classmethod
    def of(cls, model: Any, start: Any) -> HybridState:
        """Orbitals and spins of a described state of ``model``.

        Parameters
        ----------
        start
            A Slater determinant times localized spins that each have a direction, such as
            `confined_electrons` makes, or a mixture of some with the same spins.

        Raises
        ------
        InputError
            For anything else.
        """
        from tnspin.states.initial.mixture import Mixture
        from tnspin.states.initial.slater import SlaterProduct

        mixed = isinstance(start, Mixture)
        members, weights = (start.members, start.weights) if mixed else ((start,), (1.0,))
        slater = [member for member in members if isinstance(member, SlaterProduct)]
        if len(slater) < len(members) or not any(s.has_fermions for s in model.local_sites):
            raise InputError(
                "state.kind: electrons among classical spins start as 'confined_electrons' or a "
                "'wave_packet', with localized spins at temperature 0"
            )
        directions = [directions_of(model, member) for member in slater]
        if any(not np.array_equal(directions[0], other) for other in directions[1:]):
            raise InputError("state: a mixture of different directions of localized spins")
        occupations = np.repeat(weights, [member.n_electrons for member in slater])
        orbitals = np.concatenate([member.orbitals for member in slater])
        return cls(model.local_sites, orbitals, occupations, model.localized_sites, directions[0])

    @property
    def flat(self) -> Complexes:
        """(M, 2 L) orbitals."""
        return self.orbitals.reshape(len(self.orbitals), -1)

    def correlations(self, distance: int = 0) -> Complexes:
        """(L - distance, 2, 2) <c+_{j,s} c_{j+distance,r}>."""
        last = len(self.sites) - distance
        left, right = self.orbitals[:, :last].conj(), self.orbitals[:, distance:]
        found: Complexes = np.einsum("a,ajs,ajr->jsr", self.occupations, left, right)
        return found

    def currents(self) -> Reals:
        """(L - 1, 4) currents of charge and spin x, y, z per hopping: i [H, O on the right].

        With H = -sum c+_j c_{j+1} + h.c. they are 2 Im <c+_j sigma c_{j+1}>.
        """
        found: Reals = 2 * np.einsum("osr,jsr->jo", _PAULI, self.correlations(1)).imag
        return found

    def site_rdms(self) -> list[Complexes]:
        """Density matrix of every site: electrons by Wick's theorem times a coherent spin."""
        from tnspin.states.initial.spins import coherent

        angles = {
            k: (float(np.arctan2(np.hypot(x, y), z)), float(np.arctan2(y, x)))
            for k, (x, y, z) in zip(self.localized, self.directions, strict=True)
        }
        found = []
        for k, (site, one) in enumerate(zip(self.sites, self.correlations(), strict=True)):
            rho = _level(one) if site.has_fermions else np.ones((1, 1), dtype=complex)
            if k in angles:
                spin = coherent((site.spin_dim - 1) / 2, *angles[k])
                rho = np.kron(rho, np.outer(spin, spin.conj()))
            found.append(rho)
        return found

    def energy(self, model: Any, t: float = 0.0) -> float:
        """Energy of electrons and spins at time ``t``."""
        from tnspin.operators.classical.electrons import hybrid_energy_of

        energy = hybrid_energy_of(model, self.limit)
        return energy.value(self.directions, self.flat, self.occupations, t)

    @property
    def norm(self) -> float:
        """Norm of an orbital or length of a vector, whichever is farthest from 1."""
        lengths = np.append(
            np.linalg.norm(self.flat, axis=1), np.linalg.norm(self.directions, axis=1)
        )
        return float(lengths[np.abs(lengths - 1.0).argmax()]) if lengths.size else 1.0

    # ------------------------------------------------------------------ files

    def _details(self) -> list[str]:
        return [f"{len(self.orbitals)} orbitals", f"{len(self.directions)} classical spins"]

    def _write(self, group: h5py.Group) -> None:
        for name in ("orbitals", "occupations", "directions"):
            group[name] = getattr(self, name)
        group.attrs["localized"] = self.localized
        group.attrs["limit"] = self.limit

    @classmethod
    def _read(cls, group: h5py.Group, sites: tuple[Site, ...]) -> HybridState:
        localized = tuple(int(k) for k in group.attrs["localized"])
        orbitals, occupations = group["orbitals"][:], group["occupations"][:]
        directions, limit = group["directions"][:], str(group.attrs["limit"])
        return cls(sites, orbitals, occupations, localized, directions, limit)


def _level(one: Complexes) -> Complexes:
    """(4, 4) density matrix of an electron level from its 2 x 2 matrix <c+_s c_r>.

    Basis: empty, up, down, both.  With two modes, the only correlation beyond one electron is
    <n_up n_dn> = det.
    """
    both = float(np.linalg.det(one).real)
    rho = np.zeros((4, 4), dtype=np.complex128)
    # <s|rho|r> = <c+_r c_s> without the weight of two electrons.
    rho[1:3, 1:3] = one.T - both * np.eye(2)
    rho[3, 3] = both
    rho[0, 0] = 1.0 - float(np.trace(one).real) + both
    return rho
