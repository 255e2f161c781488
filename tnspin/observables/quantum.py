"""Entanglement of localized spins, their magnons and their correlations."""

from __future__ import annotations

from functools import partial

import numpy as np

from tnspin.errors import InputError
from tnspin.observables import fisher, magnons, measures
from tnspin.observables.base import (
    few_spins,
    observable,
    pairs_in_view,
    short_spin_chain,
    with_edges,
    with_electrons,
    with_qubit_pairs,
    with_qubits,
    with_two_groups,
)
from tnspin.observables.profiles import electron_polarization, particle_number, spin_length
from tnspin.observables.snapshot import Snapshot

_of_spins = partial(observable, needs=("groups",), applies=with_edges)
_of_groups = partial(observable, needs=("groups",), parts="parts", applies=with_two_groups)
_of_qubits = partial(observable, needs=("groups",), applies=with_qubit_pairs, default=pairs_in_view)
_magnons = partial(
    observable, needs=("groups", "reference"), applies=with_edges, default=with_two_groups
)
_PARTS = "the two groups of localized spins (halves of a short chain, or edge spins)"


@observable("Meyer-Wallach global entanglement", needs=("groups",), applies=with_qubits)
def meyer_wallach(snapshot: Snapshot) -> float:
    """Global entanglement of localized spins 1/2 and electrons (PRX Eq. 13).

    Electrons are identical: each has the one-body spin density matrix of all divided by their
    number, ``(1 + s_e.sigma / N_e) / 2``.
    """
    purities = (1 + spin_length(snapshot) ** 2) / 2
    total, count = purities.sum(), float(purities.size)
    if with_electrons(snapshot.model):
        number = particle_number(snapshot)
        polarization = electron_polarization(snapshot)
        total += number * (1 + polarization @ polarization) / 2
        count += number
    return float(2 * (1 - total / count))


# ---------------------------------------------------------------------- between two groups


@_of_spins(f"logarithmic negativity of {_PARTS}", units="nat", parts="parts")
def log_negativity(snapshot: Snapshot) -> float:
    """Logarithmic negativity of the two parts (PRA Eq. 2; see `Snapshot.parts`)."""
    return snapshot.group_state.log_negativity()


@_of_spins(f"mutual information of {_PARTS}", units="nat", parts="parts")
def mutual_information(snapshot: Snapshot) -> float:
    """Mutual information of the two parts (PRA Eq. 5, PRX Eq. 14)."""
    return snapshot.group_state.mutual_information()


@_of_groups("entropy of the groups of localized spins", "part", units="nat")
def group_entropy(snapshot: Snapshot) -> np.ndarray:
    """Von Neumann entropy of both groups together, of the first and of the second, (part,)."""
    return np.array(snapshot.group_state.entropies())


@_of_groups("weight lost by compressing the groups")
def group_discarded(snapshot: Snapshot) -> float:
    """Weight lost by compressing the groups to their Schmidt spaces; 0 for few spins."""
    return snapshot.group_state.discarded


# ---------------------------------------------------------------------- magnons


@_magnons("probability of m flipped localized spins", "magnons")
def magnon_probability(snapshot: Snapshot) -> np.ndarray:
    """Probability that m localized spins have left their initial state, (magnons,) (PRA Eq. 25)."""
    return _counts(snapshot).magnons(_reference(snapshot))


@_magnons("probability of the W state of one flipped spin")
def w_probability(snapshot: Snapshot) -> float:
    """Probability of the W state, one spin flip shared equally by all localized spins."""
    return _counts(snapshot).w(_reference(snapshot))


# ---------------------------------------------------------------------- correlations


@_of_spins(
    "four variances of the Fourier components of S^z/S per spin (upper bound if mixed)",
    "wavevector",
    default=with_two_groups,
)
def quantum_fisher_information(snapshot: Snapshot) -> np.ndarray:
    """PRA Eq. 29 as printed, (wavevector,): of mixed states an upper bound, not a witness."""
    positions, wavevectors = snapshot.model.localized_sites, snapshot.options.wavevectors
    return fisher.fisher_bound(*_counts(snapshot).zz(), positions, wavevectors)


@observable(
    "quantum Fisher information of the mixed state per spin",
    "wavevector",
    needs=("groups",),
    applies=few_spins,
    default=with_two_groups,
)
def quantum_fisher_information_mixed(snapshot: Snapshot) -> np.ndarray:
    """Quantum Fisher information of the mixed state of all localized spins, (wavevector,)."""
    positions, wavevectors = snapshot.model.localized_sites, snapshot.options.wavevectors
    state = snapshot.localized_state
    return fisher.fisher_information(state, _dims(snapshot), positions, wavevectors)


@observable("probability of the two Neel states", needs=("groups",), applies=short_spin_chain)
def neel_overlap(snapshot: Snapshot) -> float:
    """``Tr rho P`` with P on up-down-up-down... and its reverse (FATE Fig. 3)."""
    dims = _dims(snapshot)
    first = np.ravel_multi_index([(d - 1) * (k % 2) for k, d in enumerate(dims)], dims)
    probability = snapshot.localized_state.diagonal().ravel()
    # Turning all spins over reverses the order of the basis.
    return float(probability[first] + probability[-1 - first])


@_of_spins(
    "two-point correlations <S^a_i S^b_j>/S^2", "pair", "axis", "other_axis", default=pairs_in_view
)
def correlation_matrix(snapshot: Snapshot) -> np.ndarray:
    """``<S^a_i S^b_j> / S^2`` of every pair, (pair, axis, other_axis); T_kl of QLLG for S = 1/2."""
    state = snapshot.state
    return np.array([measures.correlation_matrix(state, i, j) for i, j in snapshot.pairs])


@_of_qubits("concurrence of two localized spins", "pair")
def concurrence(snapshot: Snapshot) -> np.ndarray:
    """Wootters concurrence of every pair, (pair,)."""
    return np.array([measures.concurrence(snapshot.state, i, j) for i, j in snapshot.pairs])


@_of_qubits("Bell nonlocality of two localized spins", "pair")
def bell_nonlocality(snapshot: Snapshot) -> np.ndarray:
    """Bell nonlocality of every pair, (pair,)."""
    return np.array([measures.bell_nonlocality(snapshot.state, i, j) for i, j in snapshot.pairs])


# ---------------------------------------------------------------------- inside


def _dims(snapshot: Snapshot) -> list[int]:
    return [snapshot.model.local_sites[k].spin_dim for k in snapshot.model.localized_sites]


def _counts(snapshot: Snapshot) -> magnons.SpinCounts:
    """Counts of flipped spins, by the (cached) density matrix where they are few."""
    if few_spins(snapshot.model):
        return magnons.GroupCounts(snapshot.localized_state, _dims(snapshot))
    return magnons.counts(snapshot.state, snapshot.model.localized_sites)


def _reference(snapshot: Snapshot) -> tuple[int, ...]:
    reference = snapshot.options.reference
    if reference is None:
        raise InputError(
            "record.observables: magnons are counted from localized spins that start along +z or "
            "-z (Options.reference), and these do not"
        )
    return reference
