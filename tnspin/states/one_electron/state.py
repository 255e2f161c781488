"""The state of one electron among spins, and the numbers that observables ask of it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tnspin.errors import InputError
from tnspin.operators.sites import Matrix, Site
from tnspin.states.one_electron import counting, densities
from tnspin.states.one_electron.compile import spin_operator
from tnspin.states.one_electron.configurations import ELECTRON, Configurations
from tnspin.states.one_electron.kernels import row_weights
from tnspin.states.one_electron.schmidt import schmidt_weights

if TYPE_CHECKING:
    import h5py

__all__ = ["OneElectronState"]

_FORMAT = "tnspin-one-electron-1"
# Schmidt values below this share of the norm are round-off, not entanglement.
_RANK_TOLERANCE = 1e-8


class OneElectronState:
    """Amplitudes (configuration, site) of one electron among localized spins.

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

    def __init__(self, configurations: Configurations, amplitudes: ArrayLike) -> None:
        self.configurations = configurations
        self.amplitudes: Matrix = np.asarray(amplitudes, dtype=np.complex128)
        shape = configurations.dim, configurations.length
        if self.amplitudes.shape != shape:
            raise InputError(f"state: amplitudes of shape {self.amplitudes.shape}, not {shape}")

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
    def sites(self) -> tuple[Site, ...]:
        """The chain."""
        return self.configurations.sites

    @property
    def length(self) -> int:
        """Number of sites."""
        return self.configurations.length

    @property
    def charge_names(self) -> tuple[str, ...]:
        """Charges fixed by the sector."""
        return tuple(self.configurations.charges)

    @property
    def total_charge(self) -> dict[str, int]:
        """Value of each fixed charge."""
        return dict(self.configurations.charges)

    @cached_property
    def weights(self) -> NDArray[np.float64]:
        """(C,) norm squared of each row."""
        out = np.zeros(self.configurations.dim)
        row_weights(0, len(out), self.amplitudes, out)
        return out

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

    @cached_property
    def one_body(self) -> tuple[Matrix, Matrix]:
        """(2, 2, L) density matrix of the electron on each site, and (2, 2, L - 1) across bonds."""
        return densities.one_body(self)

    def site_rdms(self) -> list[Matrix]:
        """Reduced density matrix of every site, L arrays (d, d)."""
        return densities.site_rdms(self)

    def bond_rdms(self) -> list[Matrix]:
        """Reduced density matrix of every pair of neighbours, L - 1 arrays."""
        return densities.bond_rdms(self)

    def rdm(self, sites: Sequence[int], keep: Sequence[int] | None = None) -> Matrix:
        """Reduced density matrix of a few sites or of their localized spins; `densities.rdm`."""
        return densities.rdm(self, sites, keep)

    def spin_rdm(self, sites: Sequence[int]) -> Matrix:
        """Reduced density matrix of the localized spins of ascending sites."""
        return densities.spin_rdm(self, sites)

    # ------------------------------------------------------------------ Schmidt values

    def schmidt(self, bond: int) -> NDArray[np.float64]:
        """Schmidt values, descending, of the cut between sites ``bond`` and ``bond + 1``."""
        if not 0 <= bond < self.length - 1:
            raise InputError(f"bond: {bond} is outside the chain (0..{self.length - 2})")
        return np.sqrt(np.sort(schmidt_weights(self, [bond])[0])[::-1]) / self.norm

    def entropies(self) -> NDArray[np.float64]:
        """Von Neumann entropy (natural logarithm) of each of the L - 1 cuts."""
        total = self.weights.sum()
        spectra = (p / total for p in schmidt_weights(self, range(self.length - 1)))
        return np.array([-float(np.sum(p[p > 0] * np.log(p[p > 0]))) for p in spectra])

    def bond_dims(self) -> NDArray[np.int64]:
        """Number of Schmidt values above round-off of each cut."""
        spectra = schmidt_weights(self, range(self.length - 1))
        smallest = _RANK_TOLERANCE**2 * self.weights.sum()
        return np.array([np.count_nonzero(p > smallest) for p in spectra], dtype=np.int64)

    # ------------------------------------------------------------------ counting spins

    def magnon_probability(
        self, sites: Sequence[int], reference: Sequence[int]
    ) -> NDArray[np.float64]:
        """(N + 1,) probability that 0..N spins differ from a basis state; `counting`."""
        return counting.magnon_probability(self, sites, reference)

    def w_probability(self, sites: Sequence[int], reference: Sequence[int]) -> float:
        """Probability of the equal superposition of all single flips; `counting`."""
        return counting.w_probability(self, sites, reference)

    def zz_correlations(
        self, sites: Sequence[int]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(N, N) ``<Sz_i Sz_j>`` and (N,) ``<Sz_i>``, divided by S; `counting`."""
        return counting.zz_correlations(self, sites)

    # ------------------------------------------------------------------ files

    def save(self, group: h5py.Group) -> None:
        """Write to an open HDF5 group; only rows that are not zero."""
        group.attrs["format"] = _FORMAT
        names = list(self.configurations.charges)
        group.attrs["charge_names"] = names
        group.attrs["charges"] = np.array(
            [self.configurations.charges[name] for name in names], dtype=np.int64
        )
        rows = np.flatnonzero(self.weights)
        group.create_dataset("rows", data=rows)
        group.create_dataset("amplitudes", data=self.amplitudes[rows])

    @classmethod
    def load(cls, group: h5py.Group, sites: Sequence[Site]) -> OneElectronState:
        """Read what `save` wrote, bit for bit.

        Raises
        ------
        InputError
            If the group holds something else.
        """
        if group.attrs.get("format") != _FORMAT:
            raise InputError(f"{group.name}: holds no state of one electron")
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
