"""Entanglement of cuts and between groups of localized spins, their magnons and correlations."""

from __future__ import annotations

import numpy as np

from tnspin.errors import InputError
from tnspin.observables import fisher, magnons
from tnspin.observables.base import few_spins, with_electrons
from tnspin.observables.profiles import electron_polarization, particle_number, spin_length
from tnspin.observables.snapshot import Snapshot


def entropy(snapshot: Snapshot) -> np.ndarray:
    """Von Neumann entropy of every cut, (bond,); of a mixture, the weighted mean of its members."""
    return snapshot.state.entropies()


def half_chain_entropy(snapshot: Snapshot) -> float:
    """Von Neumann entropy of the first (L + 1) // 2 sites (PRX Eq. 12); mixtures as `entropy`."""
    bond = (snapshot.model.length + 1) // 2 - 1
    return snapshot.state.entropy(bond)


def meyer_wallach(snapshot: Snapshot) -> float:
    """Global entanglement of localized spins 1/2 and electrons (PRX Eq. 13).

    Electrons are identical: each has the one-body spin density matrix of all divided by their
    number, ``(1 + s_e.sigma / N_e) / 2``.
    """
    purities = (1 + spin_length(snapshot) ** 2) / 2
    total, count = purities.sum(), float(purities.size)
    if with_electrons(snapshot.model, ""):
        number = particle_number(snapshot)
        polarization = electron_polarization(snapshot)
        total += number * (1 + polarization @ polarization) / 2
        count += number
    return float(2 * (1 - total / count))


# ---------------------------------------------------------------------- between two groups


def log_negativity(snapshot: Snapshot) -> float:
    """Logarithmic negativity of the two parts (PRA Eq. 2; see `Snapshot.parts`)."""
    return snapshot.group_state.log_negativity()


def mutual_information(snapshot: Snapshot) -> float:
    """Mutual information of the two parts (PRA Eq. 5, PRX Eq. 14)."""
    return snapshot.group_state.mutual_information()


def group_entropy(snapshot: Snapshot) -> np.ndarray:
    """Von Neumann entropy of both groups together, of the first and of the second, (part,)."""
    return np.array(snapshot.group_state.entropies())


def group_discarded(snapshot: Snapshot) -> float:
    """Weight lost by compressing the groups to their Schmidt spaces; 0 for few spins."""
    return snapshot.group_state.discarded


def purity(snapshot: Snapshot) -> float:
    """``Tr rho^2`` of a density matrix of the whole chain."""
    return snapshot.state.purity


# ---------------------------------------------------------------------- density matrices


def trace_error(snapshot: Snapshot) -> float:
    """``|Tr rho - 1|``: what truncation has changed of the trace."""
    return abs(float(snapshot.state.norm) ** 2 - 1.0)


def hermiticity_error(snapshot: Snapshot) -> float:
    """``|rho - rho^+| / |rho|`` in the Hilbert-Schmidt norm; 0 for kinds that are Hermitian."""
    return snapshot.state.hermiticity_error


def smallest_eigenvalue(snapshot: Snapshot) -> float:
    """Smallest eigenvalue of the density matrices of neighbours; below 0 it is an error."""
    return min(float(np.linalg.eigvalsh(rho)[0]) for rho in snapshot.bond_rdms)


# ---------------------------------------------------------------------- magnons


def magnon_probability(snapshot: Snapshot) -> np.ndarray:
    """Probability that m localized spins have left their initial state, (magnons,) (PRA Eq. 25)."""
    model, reference = snapshot.model, _reference(snapshot)
    if few_spins(model, ""):
        return magnons.group_magnon_probability(
            snapshot.localized_state, _dims(snapshot), reference
        )
    return magnons.magnon_probability(snapshot.state, model.localized_sites, reference)


def w_probability(snapshot: Snapshot) -> float:
    """Probability of the W state, one spin flip shared equally by all localized spins."""
    model, reference = snapshot.model, _reference(snapshot)
    if few_spins(model, ""):
        return magnons.group_w_probability(snapshot.localized_state, _dims(snapshot), reference)
    return magnons.w_probability(snapshot.state, model.localized_sites, reference)


def neel_overlap(snapshot: Snapshot) -> float:
    """``Tr rho P`` with P on up-down-up-down... and its reverse (FATE Fig. 3)."""
    dims = _dims(snapshot)
    first = np.ravel_multi_index([(d - 1) * (k % 2) for k, d in enumerate(dims)], dims)
    probability = snapshot.localized_state.diagonal().ravel()
    # Turning all spins over reverses the order of the basis.
    return float(probability[first] + probability[-1 - first])


# ---------------------------------------------------------------------- Fisher information


def quantum_fisher_information(snapshot: Snapshot) -> np.ndarray:
    """PRA Eq. 29 as printed, (wavevector,): of mixed states an upper bound, not a witness."""
    model = snapshot.model
    if few_spins(model, ""):
        moments = magnons.group_zz_correlations(snapshot.localized_state, _dims(snapshot))
    else:
        moments = magnons.zz_correlations(snapshot.state, model.localized_sites)
    return fisher.fisher_bound(*moments, model.localized_sites, snapshot.options.wavevectors)


def quantum_fisher_information_mixed(snapshot: Snapshot) -> np.ndarray:
    """Quantum Fisher information of the mixed state of all localized spins, (wavevector,)."""
    return fisher.fisher_information(
        snapshot.localized_state,
        _dims(snapshot),
        snapshot.model.localized_sites,
        snapshot.options.wavevectors,
    )


# ---------------------------------------------------------------------- inside


def _dims(snapshot: Snapshot) -> list[int]:
    return [snapshot.model.local_sites[k].spin_dim for k in snapshot.model.localized_sites]


def _reference(snapshot: Snapshot) -> tuple[int, ...]:
    reference = snapshot.options.reference
    if reference is None:
        raise InputError(
            "record.observables: magnons are counted from localized spins that start along +z or "
            "-z (Options.reference), and these do not"
        )
    return reference
