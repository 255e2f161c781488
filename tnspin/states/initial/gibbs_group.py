r"""Gibbs states of groups of localized spins, purified by one ancilla per spin.

The vector over ancillas and spins

.. math:: |\psi\rangle = \sum_{ma} (\sqrt\rho)_{ma} |m\rangle |a\rangle_\mathrm{ancilla}

gives ``rho = exp(-H/T) / Z`` when the ancillas are traced out.  Small groups are diagonalized;
larger ones are cooled from infinite temperature, where every spin forms a Bell pair with its
ancilla, by ``exp(-H/2T)`` in Trotter steps of the engine.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from tnspin.errors import InputError
from tnspin.operators.operator_sum import OperatorSum, Term
from tnspin.operators.sites import Site, purified, spin

if TYPE_CHECKING:
    from tnspin.mps.state import MPS

#: Discarded weight of the whole cooling above which a warning is due.
_LOST = 1e-6


@dataclass(frozen=True, eq=False)
class GibbsGroup:
    """Thermal state of one group of localized spins.

    Attributes
    ----------
    sites
        Sites of the spins in the chain, ascending.
    hamiltonian
        H of these spins alone, on one spin site each.
    temperature
        T, above 0.
    largest, largest_mps
        Largest number of states of a group that is diagonalized: for exact amplitudes, and for a
        matrix product state, which larger groups reach by cooling.
    """

    sites: tuple[int, ...]
    hamiltonian: OperatorSum
    temperature: float
    largest: int = 2**10
    largest_mps: int = 2**8
    # Members of a mixture share the group.
    _found: dict[tuple[str, ...], MPS] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def chain(self) -> tuple[Site, ...]:
        """One site of ancilla and spin for each spin."""
        return tuple(purified(site) for site in self.hamiltonian.sites)

    @cached_property
    def conserves_sz(self) -> bool:
        """Whether the purified state is an eigenstate of ``2Sz`` (it is then 0)."""
        return "2Sz" in self.hamiltonian.conserved()

    @property
    def states(self) -> int:
        """Number of states of the spins."""
        return int(np.prod([float(site.dim) for site in self.hamiltonian.sites]))

    @cached_property
    def vector(self) -> np.ndarray:
        """Purified state, ancilla before spin at each site, first site slowest, by diagonalization.

        Raises
        ------
        InputError
            If the group is too large.
        """
        if self.states > self.largest:
            raise InputError(
                f"state.temperature: exact amplitudes take groups of at most {self.largest} "
                f"states, this one has {self.states}; use solver.kind = 'tebd'"
            )
        from tnspin.operators.sparse import to_sparse

        energies, modes = np.linalg.eigh(to_sparse(self.hamiltonian).toarray())
        amplitudes = np.exp(-(energies - energies[0]) / (2 * self.temperature))
        root = (modes * (amplitudes / np.linalg.norm(amplitudes))) @ modes.conj().T
        if self.conserves_sz:
            # Degenerate modes may mix sectors by round-off, which would hide the charge.
            charge = self._charges()
            root = np.where(charge[:, None] == charge[None, :], root, 0.0)
        dims = [site.dim for site in self.hamiltonian.sites]
        count = len(dims)
        # Axes (spins, ancillas) become (ancilla, spin) site by site.
        order = [axis for k in range(count) for axis in (count + k, k)]
        return np.ascontiguousarray(root.reshape(dims + dims).transpose(order)).ravel()

    def amplitudes(self, states: np.ndarray) -> np.ndarray:
        """(n,) amplitudes of (n, spins) local states of `chain`."""
        dims = [site.dim for site in self.chain]
        return self.vector[np.ravel_multi_index(tuple(states.T), dims)]

    def to_mps(self, names: tuple[str, ...] = ()) -> MPS:
        """Purified state as a matrix product state of `chain`, with blocks of the named charges."""
        if names not in self._found:
            self._found[names] = self._to_mps(names)
        return self._found[names]

    def _to_mps(self, names: tuple[str, ...]) -> MPS:
        from tnspin.mps.state import MPS

        if len(self.sites) == 1:
            return MPS.product(self.chain, [self.vector], names)
        if self.states > self.largest_mps:
            return cooled(OperatorSum(self.chain, self.hamiltonian.terms), self.temperature, names)
        import quimb.tensor as qtn

        dims = [site.dim for site in self.chain]
        psi = qtn.MatrixProductState.from_dense(self.vector, dims=dims, cutoff=0.0)
        return MPS.from_quimb(psi, self.chain, names)

    def _charges(self) -> np.ndarray:
        total = np.zeros(1, dtype=np.int64)
        for site in self.hamiltonian.sites:
            total = np.add.outer(total, site.charge("2Sz")).ravel()
        return total


def cooled(
    hamiltonian: OperatorSum,
    temperature: float,
    names: tuple[str, ...] = (),
    *,
    step: float = 0.35,
    cutoff: float = 1e-12,
    bond_dim: int = 400,
) -> MPS:
    """Purified Gibbs state by evolution in imaginary time.

    The error of fourth-order Trotter steps and of truncation is below 1e-6 in density matrices of
    neighbours; if the bonds needed are larger than allowed, a warning says what was lost.

    Parameters
    ----------
    hamiltonian
        On purified spin sites, nearest neighbours only.
    temperature
        T, above 0.
    names
        Charges for the blocks, conserved by the Hamiltonian.
    step
        Largest product of Trotter step and width of a bond's spectrum.  The error of density
        matrices falls with its fourth power, 2e-5 at 1.0 in the worst case measured against
        diagonalization.
    cutoff, bond_dim
        Truncation; this cutoff adds an error of 2e-7.

    Raises
    ------
    InputError
        If a term reaches beyond neighbours.
    """
    from tnspin.mps.state import MPS
    from tnspin.mps.tebd import Tebd
    from tnspin.operators.bonds import bonds

    terms = bonds(hamiltonian)
    shifted, width = [], 0.0
    for bond in range(terms.length - 1):
        matrix = terms.matrix(bond)
        energies = np.linalg.eigvalsh(matrix)
        shifted.append(-1j * (matrix - energies[0] * np.eye(len(matrix))))
        width = max(width, float(np.ptp(energies)))
    pairs = [np.eye(site.spin_dim).ravel() for site in hamiltonian.sites]
    start = MPS.product(hamiltonian.sites, pairs, names)
    span = 1 / (2 * temperature)
    steps = max(1, ceil(span * width / step))
    engine = Tebd(
        start, lambda bond, t: shifted[bond], [False] * len(shifted), order=4,
        bond_dim=bond_dim, cutoff=cutoff,
    )  # fmt: skip
    try:
        for k in range(steps):
            # Gates that are not unitary spoil the canonical form: restored after every step.
            for _ in engine.advance(k * span / steps, span / steps, 1):
                pass
    finally:
        engine.close()
    lost = engine.ledger.norm_lost
    if lost > _LOST:
        warnings.warn(
            f"state.temperature: cooling {len(pairs)} spins lost {lost:.1e} of the norm squared; "
            "a higher temperature needs fewer bond states",
            RuntimeWarning,
            stacklevel=2,
        )
    return engine.state


def own_hamiltonian(
    model: Any, group: Sequence[int], field: Sequence[float] = (0.0, 0.0, 0.0)
) -> OperatorSum:
    """Hamiltonian of one group of localized spins alone, in a field.

    Parameters
    ----------
    model
        Its terms that act on nothing but these spins are taken, at t = 0.
    group
        Sites of the spins.
    field
        Enters as -field . S with spin matrices S.

    Returns
    -------
    OperatorSum
        On one spin site per spin, in ascending order of the sites.

    Raises
    ------
    InputError
        If a term couples these spins directly to other localized spins.
    """
    place = {site: k for k, site in enumerate(sorted(group))}
    chain = tuple(spin((model.local_sites[site].spin_dim - 1) / 2) for site in place)
    others = set(model.localized_sites) - set(place)
    terms = []
    for term in model.hamiltonian.terms:
        where = {site for _, site in term.factors}
        named = all(name in chain[0].operators for name, _ in term.factors)
        if not where & set(place) or not where <= set(place) | others or not named:
            continue
        if where & others:
            raise InputError(
                f"state.temperature: the spins of sites {sorted(where)} are coupled, but belong to "
                "different groups; thermal states take each group alone"
            )
        factors = tuple((name, place[site]) for name, site in term.factors)
        terms.append(Term(_at_zero(term.coeff), factors))
    for axis, strength in zip("xyz", field, strict=True):
        if strength != 0:
            terms += [Term(-complex(strength), ((f"S{axis}", k),)) for k in place.values()]
    return OperatorSum(chain, tuple(terms))


def _at_zero(coeff: complex | Callable[[float], complex]) -> complex:
    return complex(coeff(0.0)) if callable(coeff) else complex(coeff)
