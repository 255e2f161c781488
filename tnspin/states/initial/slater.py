"""Slater determinant of electrons times a state of the localized spins.

One description, compiled to the form each solver needs: a matrix product state by applying
creation operators one after the other, or a vector of amplitudes by determinants.  The two
constructions share no code beyond the orbitals, so each checks the other.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tnspin.errors import InputError
from tnspin.operators.basis import ChargeBasis
from tnspin.operators.sites import Site
from tnspin.states.initial.base import Description
from tnspin.states.vector import VectorState

if TYPE_CHECKING:
    from tnspin.mps.state import MPS
    from tnspin.states.one_electron.state import OneElectronState

#: Weight dropped per bond when an orbital has been added: amplitudes of 1e-13 and below.
CUTOFF = 1e-26
#: Basis states whose determinants are taken at a time, to bound the memory.
_CHUNK = 1 << 15


@dataclass(frozen=True, eq=False, repr=False)
class SlaterState(Description):
    """``prod_a (sum_{j,s} phi_a[j, s] c^dag_{j,s}) |0>`` times a state of the localized spins.

    Orbital 0 is the leftmost operator.  Electrons carry the order site by site, up before
    down, that the Jordan-Wigner strings of `operator_sum` use.  What the spins do is up to the
    subclasses.

    Attributes
    ----------
    sites
        The L sites of the chain.
    orbitals
        (n_electrons, L, 2) complex orthonormal amplitudes, last axis up, down; may be empty.

    Raises
    ------
    InputError
        If shapes do not match the sites, or orbitals are not orthonormal or put an electron
        on a site that cannot hold one.
    """

    sites: tuple[Site, ...]
    orbitals: np.ndarray

    def __post_init__(self) -> None:
        orbitals = np.array(self.orbitals, dtype=complex)
        if orbitals.ndim != 3 or orbitals.shape[1:] != (len(self.sites), 2):
            raise InputError(
                f"state.orbitals: shape must be (electrons, {len(self.sites)}, 2), "
                f"got {orbitals.shape}"
            )
        flat = orbitals.reshape(len(orbitals), 2 * len(self.sites))
        if not np.allclose(flat @ flat.conj().T, np.eye(len(flat)), rtol=0, atol=1e-10):
            raise InputError("state.orbitals: the orbitals must be orthonormal")
        orbitals.flags.writeable = False
        object.__setattr__(self, "orbitals", orbitals)
        for j, site in enumerate(self.sites):
            if not site.has_fermions and np.any(orbitals[:, j]):
                raise InputError(f"state.orbitals: site {j} ({site.name}) holds no electrons")

    # ------------------------------------------------------------------ the localized spins

    @abstractmethod
    def _spin_charges(self, name: str) -> set[int]:
        """Values that a charge of the chain without electrons has in this state."""

    @abstractmethod
    def _spin_amplitudes(self, states: np.ndarray) -> np.ndarray:
        """(n,) amplitudes of the spins; states are (n, L) indices of everything but electrons."""

    @abstractmethod
    def _without_electrons(self, names: tuple[str, ...]) -> MPS:
        """The chain without electrons, canonical."""

    @abstractmethod
    def _spin_vectors(self) -> list[tuple[tuple[int, ...], np.ndarray]]:
        """Sites and joint vector (first site slowest) of spins that are a product with the rest."""

    # ------------------------------------------------------------------ what it is

    @property
    def n_electrons(self) -> int:
        """Number of electrons."""
        return len(self.orbitals)

    def conserved(self) -> tuple[str, ...]:
        """Names of the charges of which this is an eigenstate, orbital by orbital."""
        names = dict.fromkeys(name for site in self.sites for name in site.charges)
        return tuple(
            name
            for name in names
            if len(self._spin_charges(name)) == 1
            and all(len(self._steps(orbital, name)) == 1 for orbital in self.orbitals)
        )

    def total_charge(self, charge_names: Sequence[str]) -> dict[str, int]:
        """Values of the named charges, each of which must be conserved."""
        totals = {}
        for name in charge_names:
            (total,) = self._spin_charges(name)
            totals[name] = total + sum(self._orbital_charge(o, name) for o in self.orbitals)
        return totals

    # ------------------------------------------------------------------ forms

    def to_one_electron(self, charge_names: Sequence[str] = ()) -> OneElectronState:
        """One electron's amplitudes times spin configurations.

        Raises
        ------
        InputError
            If there is not exactly one electron, or the state is no eigenstate of a charge.
        """
        from tnspin.states.one_electron.state import OneElectronState

        if self.n_electrons != 1:
            raise InputError(f"state: {self.n_electrons} electrons where one is needed")
        spins = self._spin_vectors()
        return OneElectronState.from_groups(self.sites, self.orbitals[0], spins, charge_names)

    def to_mps(self, charge_names: Sequence[str] = ()) -> MPS:
        """Matrix product state with blocks of the named charges.

        Parameters
        ----------
        charge_names
            Charges to use, a subset of `conserved`; none gives dense tensors.

        Returns
        -------
        MPS
            Canonical and normalized; exact to 1e-10 if the state of the spins is.

        Raises
        ------
        InputError
            If this state does not conserve one of the charges.
        """
        names = tuple(charge_names)
        for name in names:
            if name not in self.conserved():
                raise InputError(f"state: it is no eigenstate of the charge {name!r}")
        mps = self._without_electrons(names)
        # The rightmost creation operator acts first.
        for orbital in self.orbitals[::-1]:
            mps = mps.apply_mpo(*self._creation_mpo(orbital, names))
            mps.canonicalize(cutoff=CUTOFF)
        return mps

    def to_vector(self, basis: ChargeBasis | None = None) -> VectorState:
        """Amplitudes by determinants, in a charge sector or in the full space.

        Parameters
        ----------
        basis
            Sector, or None for the full space in Kronecker order (site 0 slowest).

        Returns
        -------
        VectorState
            Normalized.

        Raises
        ------
        InputError
            If the state has weight outside the sector.
        """
        dims = [site.dim for site in self.sites]
        size = int(np.prod(dims)) if basis is None else basis.dim
        vector = np.empty(size, dtype=complex)
        for start in range(0, size, _CHUNK):
            stop = min(start + _CHUNK, size)
            if basis is None:
                digits = np.unravel_index(np.arange(start, stop), dims)
                vector[start:stop] = self.amplitudes(np.stack(digits, axis=1))
            else:
                vector[start:stop] = self.amplitudes(basis.states[start:stop])
        if abs(np.linalg.norm(vector) - 1) > 1e-8:
            raise InputError("state: it has weight outside the charge sector of the run")
        return VectorState(self.sites, vector, basis)

    def amplitudes(self, states: np.ndarray) -> np.ndarray:
        """Amplitudes of basis states given by (n, L) local indices, as (n,) complex."""
        states = np.asarray(states)
        occupied = np.zeros((len(states), len(self.sites), 2), dtype=bool)
        inner_states = np.empty(states.shape, dtype=np.int64)
        for j, site in enumerate(self.sites):
            inner = site.dim // 4 if site.has_fermions else site.dim
            electron, inner_states[:, j] = np.divmod(states[:, j].astype(np.int64), inner)
            if site.has_fermions:
                # Local electron basis: empty, up, down, both.
                occupied[:, j, 0] = electron & 1
                occupied[:, j, 1] = electron >> 1
        amplitudes = self._spin_amplitudes(inner_states)
        flat = occupied.reshape(len(states), -1)
        filled = (flat.sum(axis=1) == self.n_electrons) & (amplitudes != 0)
        amplitudes[~filled] = 0
        if self.n_electrons and filled.any():
            columns = np.nonzero(flat[filled])[1].reshape(-1, self.n_electrons)
            phi = self.orbitals.reshape(self.n_electrons, -1)
            # phi[:, columns] is (orbital, state, electron).
            amplitudes[filled] *= np.linalg.det(phi[:, columns].transpose(1, 0, 2))
        return amplitudes

    def _steps(self, orbital: np.ndarray, name: str) -> set[int]:
        """Changes of a charge caused by the creation operators that make up an orbital."""
        return {
            _charge_step(self.sites[j], ("cdag_up", "cdag_dn")[s], name)
            for j, s in np.argwhere(orbital)
        }

    def _orbital_charge(self, orbital: np.ndarray, name: str) -> int:
        (step,) = self._steps(orbital, name)
        return step

    def _creation_mpo(
        self, orbital: np.ndarray, names: tuple[str, ...]
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Creation operator of one orbital as tensors [left, right, out, in] and bond charges.

        ::

            o--0--o--0--o--1--o--1--o      0: not created yet, Jordan-Wigner strings
            P     P   c^dag   1     1      1: created further left, identities
        """
        ws = []
        for site, (up, down) in zip(self.sites, orbital, strict=True):
            w = np.zeros((2, 2, site.dim, site.dim), dtype=complex)
            w[0, 0] = site.parity_operator()
            w[1, 1] = np.eye(site.dim)
            if site.has_fermions:
                w[0, 1] = up * site.op("cdag_up") + down * site.op("cdag_dn")
            ws.append(w)
        ws[0] = ws[0][:1]
        ws[-1] = ws[-1][:, 1:]
        before = np.zeros((1, len(names)), dtype=np.int64)
        after = np.array([[self._orbital_charge(orbital, name) for name in names]], dtype=np.int64)
        inner = [np.concatenate([before, after])] * (len(self.sites) - 1)
        return ws, [before, *inner, after]


@dataclass(frozen=True, eq=False, repr=False)
class SlaterProduct(SlaterState):
    """A Slater determinant of electrons times one state per localized spin.

    Attributes
    ----------
    sites, orbitals
        As for `SlaterState`.
    spins
        L vectors of 2S + 1 amplitudes in the basis of descending Sz, None where a site has no
        localized spin.

    Raises
    ------
    InputError
        If a vector does not fit its site, and as for `SlaterState`.
    """

    spins: tuple[np.ndarray | None, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "spins", _checked_spins(self.sites, self.spins))

    def reference(self, localized: Sequence[int]) -> tuple[int, ...] | None:
        """Index of the basis state (0: up) of each localized spin, in the order given.

        None if some spin does not start in a basis state, that is along +z or -z.
        """
        states = []
        for site in localized:
            vector = self.spins[site]
            occupied = np.zeros(0, dtype=int) if vector is None else np.flatnonzero(vector)
            if occupied.size != 1:
                return None
            states.append(int(occupied[0]))
        return tuple(states)

    def _spin_charges(self, name: str) -> set[int]:
        total = {0}
        for site, vector in zip(self.sites, self._vacuum(), strict=True):
            values = set(site.charge(name)[np.flatnonzero(vector)].tolist())
            total = {a + b for a in total for b in values}
        return total

    def _spin_amplitudes(self, states: np.ndarray) -> np.ndarray:
        amplitudes = np.ones(len(states), dtype=complex)
        for j, spin in enumerate(self.spins):
            if spin is not None:
                amplitudes *= spin[states[:, j]]
        return amplitudes

    def _without_electrons(self, names: tuple[str, ...]) -> MPS:
        from tnspin.mps.state import MPS

        return MPS.product(self.sites, self._vacuum(), names)

    def _spin_vectors(self) -> list[tuple[tuple[int, ...], np.ndarray]]:
        return [((k,), vector) for k, vector in enumerate(self.spins) if vector is not None]

    def _vacuum(self) -> list[np.ndarray]:
        """One vector per site: no electron, localized spin as given."""
        vectors = []
        for site, spin in zip(self.sites, self.spins, strict=True):
            vector = np.ones(1, dtype=complex) if spin is None else spin
            empty = np.array([1, 0, 0, 0]) if site.has_fermions else np.ones(1)
            vectors.append(np.kron(empty, vector))
        return vectors


def _spin_factor(site: Site) -> int:
    """Dimension of a site without its electrons, 0 without a localized spin."""
    return site.dim // (4 if site.has_fermions else 1) if site.spin_dim > 1 else 0


def _charge_step(site: Site, operator: str, name: str) -> int:
    """How much an operator changes a charge."""
    out, into = np.argwhere(site.op(operator))[0]
    charge = site.charge(name)
    return int(charge[out] - charge[into])


def _checked_spins(
    sites: tuple[Site, ...], spins: Sequence[np.ndarray | None]
) -> tuple[np.ndarray | None, ...]:
    """Read-only normalized spin vectors, refused where they do not fit the sites."""
    if len(spins) != len(sites):
        raise InputError(f"state.spins: needs {len(sites)} entries, got {len(spins)}")
    checked: list[np.ndarray | None] = []
    for j, (site, spin) in enumerate(zip(sites, spins, strict=True)):
        expected = _spin_factor(site)
        if (0 if spin is None else len(spin)) != expected:
            raise InputError(f"state.spins: site {j} ({site.name}) needs {expected} amplitudes")
        if spin is None:
            checked.append(None)
            continue
        vector = np.array(spin, dtype=complex)
        norm = np.linalg.norm(vector)
        if not norm > 0:
            raise InputError(f"state.spins: the vector of site {j} is zero")
        vector /= norm
        vector.flags.writeable = False
        checked.append(vector)
    return tuple(checked)
