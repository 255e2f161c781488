"""`OneElectronState`: one electron among localized spins, exactly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tnspin.errors import InputError
from tnspin.operators.sites import Matrix, Site
from tnspin.operators.state import PureState, von_neumann_entropy
from tnspin.states.one_electron import densities
from tnspin.states.one_electron.amplitudes import Amplitudes
from tnspin.states.one_electron.compile import spin_operator
from tnspin.states.one_electron.configurations import ELECTRON, Configurations
from tnspin.states.one_electron.schmidt import schmidt_weights

if TYPE_CHECKING:
    import h5py

# Schmidt values below this share of the norm are round-off, not entanglement.
_RANK_TOLERANCE = 1e-8


class OneElectronState(PureState, Amplitudes):
    """State of one electron among localized spins: amplitudes (configuration, site).

    Parameters
    ----------
    configurations
        Charge sector of the electron's spin and the localized spins.
    amplitudes
        (C, L).  Density matrices are those of the normalized state; ``norm`` is that of the
        amplitudes themselves.

    Raises
    ------
    InputError
        If the amplitudes do not have that shape.
    """

    noun = "state of one electron"
    formats = ("tnspin-one-electron-1",)

    @classmethod
    def from_groups(
        cls,
        sites: Sequence[Site],
        orbital: ArrayLike,
        groups: Sequence[tuple[Sequence[int], ArrayLike]],
        charge_names: Sequence[str] = (),
    ) -> OneElectronState:
        """Product of an orbital and one vector per group of sites with localized spins.

        Parameters
        ----------
        sites
            The chain.
        orbital
            (L, 2) amplitudes of the electron, up and down.
        groups
            ``(sites, vector)`` with the joint vector of everything but the electron on these
            sites (first site slowest, ancilla before spin).
        charge_names
            Charges to conserve; the state must be an eigenstate of each.

        Raises
        ------
        InputError
            If a spin has no vector, or the state is no eigenstate of a charge.
        """
        free = Configurations(sites, {})
        wave = np.asarray(orbital, dtype=np.complex128)
        occupied = np.any(wave, axis=0).astype(np.complex128)
        vectors: list[tuple[tuple[int, ...], NDArray[np.complex128]]] = [((ELECTRON,), occupied)]
        for where, vector in groups:
            factors = tuple(f for site in where for f in free.rest(site))
            vectors.append((factors, np.asarray(vector, dtype=np.complex128).ravel()))
        if sorted(f for factors, _ in vectors for f in factors) != list(range(len(free.factors))):
            raise InputError("state: every localized spin needs one vector")
        totals = {name: _total(free, vectors, name) for name in charge_names if name != "N"}
        if "N" in charge_names:
            totals = {"N": 1, **totals}
        configurations = Configurations(sites, {n: totals[n] for n in charge_names})
        states = configurations.basis.states
        factor = np.ones(configurations.dim, dtype=np.complex128)
        for factors, vector in vectors[1:]:
            codes = np.zeros(configurations.dim, dtype=np.int64)
            for f in factors:
                codes = codes * free.factors[f].dim + states[:, f]
            factor *= vector[codes]
        amplitudes = np.zeros((configurations.dim, len(sites)), dtype=np.complex128)
        rows = np.flatnonzero(factor)
        amplitudes[rows] = factor[rows, None] * wave[:, states[rows, ELECTRON]].T
        return cls(configurations, amplitudes / np.linalg.norm(amplitudes[rows]))

    # ------------------------------------------------------------------ what it is

    @property
    def sites(self) -> tuple[Site, ...]:  # type: ignore[override]
        """The chain."""
        return self.configurations.sites

    @property
    def total_charge(self) -> dict[str, int]:
        """Value of each fixed charge."""
        return dict(self.configurations.charges)

    def _details(self) -> list[str]:
        return [f"{self.configurations.dim} spin configurations"]

    @property
    def norm(self) -> float:
        """Norm of the amplitudes."""
        return float(np.sqrt(self.weights.sum()))

    def copy(self) -> OneElectronState:
        """A state that shares the amplitudes, which are never modified."""
        return OneElectronState(self.configurations, self.amplitudes)

    def normalized(self) -> OneElectronState:
        """The state divided by its norm."""
        return OneElectronState(self.configurations, self.amplitudes / self.norm)

    def overlap(self, other: OneElectronState) -> complex:
        """<self|other>; both must live in the same sector.

        Raises
        ------
        InputError
            If they do not.
        """
        if self.configurations.charges != other.configurations.charges or len(
            self.amplitudes
        ) != len(other.amplitudes):
            raise InputError("state: the two states live in different bases")
        return complex(np.vdot(self.amplitudes, other.amplitudes))

    def apply(
        self, matrix: Matrix, sites: Sequence[int], charge: int | None = 0
    ) -> OneElectronState:
        """Apply an operator on the localized spins of a few sites; not normalized.

        Parameters
        ----------
        matrix
            (D, D) on these spins, Kronecker order in the order of ``sites`` (ascending).
        sites
            Ascending sites with localized spins.
        charge
            How much the operator adds to 2Sz; the result lives in that sector.
        """
        before = self.configurations
        charges = dict(before.charges)
        if "2Sz" in charges:
            if charge is None:
                raise InputError("charges: the operator has no definite 2Sz, the state has")
            charges["2Sz"] += charge
        after = before if charges == before.charges else Configurations(before.sites, charges)
        factors = tuple(before.spin(site) for site in sites)
        operator = spin_operator(before, after, factors, matrix)
        return OneElectronState(after, operator @ self.amplitudes)

    # ------------------------------------------------------------------ density matrices

    def site_rdms(self) -> list[Matrix]:
        """Reduced density matrix of every site, L arrays (d, d)."""
        return densities.site_rdms(self)

    def bond_rdms(self) -> list[Matrix]:
        """Reduced density matrix of every pair of neighbours, L - 1 arrays."""
        return densities.bond_rdms(self)

    def _rdm(self, sites: list[int], keep: list[int]) -> Matrix:
        return densities.rdm(self, sites, keep)

    # ------------------------------------------------------------------ Schmidt values

    def schmidt(self, bond: int) -> NDArray[np.float64]:
        """Schmidt values, descending, of the cut between sites ``bond`` and ``bond + 1``."""
        found = schmidt_weights(self, [self._bond(bond)])[0]
        return np.sqrt(np.sort(found)[::-1]) / self.norm

    def entropies(self) -> NDArray[np.float64]:
        """Von Neumann entropy (natural logarithm) of each of the L - 1 cuts."""
        total = self.weights.sum()
        spectra = schmidt_weights(self, range(self.length - 1))
        return np.array([von_neumann_entropy(p / total) for p in spectra])

    def bond_dims(self) -> NDArray[np.int64]:
        """Number of Schmidt values above round-off of each cut."""
        spectra = schmidt_weights(self, range(self.length - 1))
        smallest = _RANK_TOLERANCE**2 * self.weights.sum()
        return np.array([np.count_nonzero(p > smallest) for p in spectra], dtype=np.int64)

    # ------------------------------------------------------------------ files

    def _write(self, group: h5py.Group) -> None:
        charges = self.configurations.charges
        group.attrs["charge_names"] = list(charges)
        group.attrs["charges"] = np.array(list(charges.values()), dtype=np.int64)
        rows = np.flatnonzero(self.weights)  # all others are zero
        group.create_dataset("rows", data=rows)
        group.create_dataset("amplitudes", data=self.amplitudes[rows])

    @classmethod
    def _read(cls, group: h5py.Group, sites: tuple[Site, ...]) -> OneElectronState:
        names = [str(name) for name in group.attrs["charge_names"]]
        charges = dict(zip(names, map(int, group.attrs["charges"]), strict=True))
        configurations = Configurations(sites, charges)
        amplitudes = np.zeros((configurations.dim, configurations.length), dtype=np.complex128)
        amplitudes[group["rows"][()]] = group["amplitudes"][()]
        return cls(configurations, amplitudes)


def _total(
    configurations: Configurations,
    vectors: Sequence[tuple[tuple[int, ...], NDArray[np.complex128]]],
    name: str,
) -> int:
    """Value of a charge in a product of vectors on factors."""
    total = 0
    for factors, vector in vectors:
        charge = np.zeros(1, dtype=np.int64)
        for f in factors:
            charge = np.add.outer(charge, configurations.factors[f].charge(name)).ravel()
        found = np.unique(charge[np.abs(vector) > 1e-15])
        if len(found) != 1:
            raise InputError(f"state: it is no eigenstate of the charge {name!r}")
        total += int(found[0])
    return total
