"""Observables by name: functions of a snapshot, with what a result file says about them.

Adding one is one function and one entry of `OBSERVABLES`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tnspin.errors import InputError, nearest
from tnspin.observables import base, mixed, pairs, profiles, quantum
from tnspin.observables.base import Observable
from tnspin.observables.snapshot import Options

__all__ = ["OBSERVABLES", "Observable", "chosen"]

_RATE = "energy unit/hbar"

_ALL = (
    Observable(
        "spin", ("time", "localized", "axis"), "1", "localized spin <S>/S",
        profiles.spin, base.with_spins,
    ),
    Observable(
        "spin_length", ("time", "localized"), "1", "length of the localized spin |<S>|/S",
        profiles.spin_length, base.with_spins,
    ),
    Observable(
        "electron_density", ("time", "site"), "1", "electrons per site <n>",
        profiles.electron_density, base.with_electrons,
    ),
    Observable(
        "electron_spin", ("time", "site", "axis"), "hbar/2", "electron spin <c^dag sigma c>",
        profiles.electron_spin, base.with_electrons,
    ),
    Observable(
        "entropy", ("time", "bond"), "nat", "entropy of the cut, of mixtures its mean",
        quantum.entropy, base.always, base.with_cuts,
    ),
    Observable(
        "bond_dim", ("time", "bond"), "1", "bond dimension",
        profiles.bond_dim, base.truncated, base.matrix_products,
    ),
    Observable(
        "discarded_weight", ("time", "bond"), "1", "discarded weight summed since t = 0",
        profiles.discarded_weight, base.truncated, base.matrix_products,
    ),
    Observable(
        "norm_lost", ("time",), "1", "norm squared lost since t = 0, before renormalization",
        profiles.norm_lost, base.truncated, base.matrix_products,
    ),
    Observable("energy", ("time",), "energy unit", "energy", profiles.energy, base.always),
    Observable("norm", ("time",), "1", "norm of the state", profiles.norm, base.always),
    Observable(
        "particle_number", ("time",), "1", "number of electrons",
        profiles.particle_number, base.with_electrons,
    ),
    Observable(
        "total_sz", ("time",), "hbar", "z component of the total spin",
        profiles.total_sz, base.always,
    ),
    Observable(
        "electron_spin_total", ("time", "axis"), "hbar/2", "total electron spin",
        profiles.electron_spin_total, base.with_electrons,
    ),
    Observable(
        "localized_spin_total", ("time", "axis"), "hbar/2", "total localized spin",
        profiles.localized_spin_total, base.with_spins,
    ),
    Observable(
        "electron_polarization", ("time", "axis"), "1", "electron spin per electron",
        profiles.electron_polarization, base.with_electrons,
    ),
    Observable(
        "charge_current", ("time", "bond"), _RATE, "electrons per time to the right",
        profiles.charge_current, base.with_current,
    ),
    Observable(
        "spin_current", ("time", "bond", "axis"), _RATE, "c^dag sigma c per time to the right",
        profiles.spin_current, base.with_current,
    ),
    Observable(
        "torque", ("time", "localized", "axis"), _RATE, "torque of the electrons on <S>/S",
        profiles.torque, base.with_both,
    ),
    Observable(
        "half_chain_entropy", ("time",), "nat", "entropy of the left half, of mixtures its mean",
        quantum.half_chain_entropy, base.always, base.with_cuts,
    ),
    Observable(
        "meyer_wallach", ("time",), "1", "Meyer-Wallach global entanglement",
        quantum.meyer_wallach, base.with_qubits,
    ),
    Observable(
        "log_negativity", ("time",), "nat",
        "logarithmic negativity of the two groups of localized spins "
        "(halves of a short chain, or edge spins)",
        quantum.log_negativity, base.with_edges,
    ),
    Observable(
        "mutual_information", ("time",), "nat",
        "mutual information of the two groups of localized spins "
        "(halves of a short chain, or edge spins)",
        quantum.mutual_information, base.with_edges,
    ),
    Observable(
        "group_entropy", ("time", "part"), "nat", "entropy of the groups of localized spins",
        quantum.group_entropy, base.with_two_groups,
    ),
    Observable(
        "group_discarded", ("time",), "1", "weight lost by compressing the groups",
        quantum.group_discarded, base.with_two_groups,
    ),
    Observable(
        "magnon_probability", ("time", "magnons"), "1", "probability of m flipped localized spins",
        quantum.magnon_probability, base.with_edges, base.with_two_groups, needs_reference=True,
    ),
    Observable(
        "w_probability", ("time",), "1", "probability of the W state of one flipped spin",
        quantum.w_probability, base.with_edges, base.with_two_groups, needs_reference=True,
    ),
    Observable(
        "quantum_fisher_information", ("time", "wavevector"), "1",
        "four variances of the Fourier components of S^z/S per spin (upper bound if mixed)",
        quantum.quantum_fisher_information, base.with_edges, base.with_two_groups,
    ),
    Observable(
        "quantum_fisher_information_mixed", ("time", "wavevector"), "1",
        "quantum Fisher information of the mixed state per spin",
        quantum.quantum_fisher_information_mixed, base.few_spins, base.with_two_groups,
    ),
    Observable(
        "neel_overlap", ("time",), "1", "probability of the two Neel states",
        quantum.neel_overlap, base.short_spin_chain,
    ),
    Observable(
        "correlation_matrix", ("time", "pair", "axis", "other_axis"), "1",
        "two-point correlations <S^a_i S^b_j>/S^2", pairs.correlation_matrix,
        base.with_edges, base.pairs_in_view,
    ),
    Observable(
        "concurrence", ("time", "pair"), "1", "concurrence of two localized spins",
        pairs.concurrence, base.with_qubit_pairs, base.pairs_in_view,
    ),
    Observable(
        "bell_nonlocality", ("time", "pair"), "1", "Bell nonlocality of two localized spins",
        pairs.bell_nonlocality, base.with_qubit_pairs, base.pairs_in_view,
    ),
    Observable(
        "eigenvalue", ("time", "level"), "1", "eigenvalues of the density matrix",
        pairs.eigenvalue, base.isospectral,
    ),
    Observable(
        "purity", ("time",), "1", "purity of the density matrix", quantum.purity, base.density
    ),
    Observable(
        "operator_entropy", ("time", "bond"), "nat",
        "operator-space entropy of the density matrix, which decides its bond dimension",
        quantum.entropy, base.density_matrix_products,
    ),
    Observable(
        "trace_error", ("time",), "1", "deviation of the trace from 1",
        quantum.trace_error, base.density_matrix_products,
    ),
    Observable(
        "hermiticity_error", ("time",), "1", "anti-Hermitian part of the density matrix, relative",
        quantum.hermiticity_error, base.density_matrix_products,
    ),
    Observable(
        "smallest_eigenvalue", ("time",), "1",
        "smallest eigenvalue of the density matrices of neighbours",
        quantum.smallest_eigenvalue, base.density_matrix_products,
    ),
    Observable(
        "kraus_dim", ("time", "site"), "1", "dimension of the ancilla of each site",
        mixed.kraus_dim, base.purified,
    ),
    Observable(
        "kraus_discarded", ("time", "site"), "1",
        "weight dropped from the ancilla of each site since t = 0",
        mixed.kraus_discarded, base.purified,
    ),
    Observable(
        "transposed_moment", ("time", "order"), "1",
        "moments of the partial transpose of one half of the localized spins",
        mixed.transposed_moment, base.mixed_with_edges, base.never,
    ),
    Observable(
        "p3_ppt", ("time",), "1", "p2^2 - p3 of the partial transpose; above 0 it is entangled",
        mixed.p3_ppt, base.mixed_with_edges, base.never,
    ),
    Observable(
        "renyi_negativity", ("time",), "nat",
        "Renyi negativity of order 3 of the halves, ln Tr rho^3 - ln Tr (rho^T)^3",
        mixed.renyi_negativity, base.long_mixed_chain, base.never,
    ),
    Observable(
        "block_log_negativity", ("time",), "nat",
        "logarithmic negativity of the halves of the central block",
        mixed.block_log_negativity, base.long_mixed_chain,
    ),
    Observable(
        "block_smallest_eigenvalue", ("time",), "1",
        "smallest eigenvalue of the density matrix of the central block",
        mixed.block_smallest_eigenvalue, base.long_mixed_chain,
    ),
)  # fmt: skip

#: Every observable by the name it has in a result file.
OBSERVABLES: dict[str, Observable] = {one.name: one for one in _ALL}


#: Those of classical spins and of product states, which have no correlations.
_CLASSICAL = ("spin", "spin_length", "energy", "norm", "total_sz", "localized_spin_total")


#: Those of electrons among classical spins.
_HYBRID = (
    "spin", "spin_length", "electron_density", "electron_spin", "energy", "norm",
    "particle_number", "total_sz", "electron_spin_total", "localized_spin_total",
    "electron_polarization", "charge_current", "spin_current", "torque",
)  # fmt: skip


def chosen(
    names: Sequence[str], model: Any, form: str, options: Options | None = None
) -> tuple[str, ...]:
    """Names of what a run records: those given, or else all that make sense by default.

    Parameters
    ----------
    names
        ``record.observables``; empty for the default.
    model, form
        As for `Observable.applies`.
    options
        Those of the run.

    Raises
    ------
    InputError
        If there is no such observable, or it does not apply to the run.
    """
    reference = options is not None and options.reference is not None
    possible = {
        name: one
        for name, one in OBSERVABLES.items()
        if one.applies(model, form) and (reference or not one.needs_reference)
    }
    if form in ("classical", "mean_field"):
        possible = {name: possible[name] for name in _CLASSICAL}
    if form == "hybrid":
        possible = {name: possible[name] for name in _HYBRID if name in possible}
    for name in names:
        if name not in possible:
            problem = "does not apply to this run" if name in OBSERVABLES else "no such observable"
            raise InputError(
                f"record.observables = {name!r}: {problem}; allowed: {', '.join(possible)}"
                f"{nearest(name, possible)}"
            )
    return tuple(names) or tuple(n for n, one in possible.items() if one.default(model, form))
