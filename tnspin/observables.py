"""Observables by name: functions of a snapshot, with what a result file says about them.

Adding one is one function and one entry of `OBSERVABLES`.  Spins of electrons are
``c^dag sigma c`` without 1/2; those of localized spins are divided by S, so that both have
length at most 1 per particle.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tnspin import entanglement, operators
from tnspin.snapshot import Snapshot

__all__ = ["OBSERVABLES", "Observable"]


@dataclass(frozen=True)
class Observable:
    """One variable of a result.

    Attributes
    ----------
    name
        Name in the result file and in ``record.observables``.
    dims
        Names of its dimensions, time first.
    units, long_name
        For the result file and the axes of figures.
    function
        Snapshot -> number or array with the dimensions after time.
    applies
        ``(model, form) -> bool`` with form "mps" or "vector": whether it makes sense for a run.
    """

    name: str
    dims: tuple[str, ...]
    units: str
    long_name: str
    function: Callable[[Snapshot], Any]
    applies: Callable[[Any, str], bool]


# ---------------------------------------------------------------------- what applies where


def _always(model: Any, form: str) -> bool:
    return True


def _truncated(model: Any, form: str) -> bool:
    return form != "vector"


def _with_electrons(model: Any, form: str) -> bool:
    return any(site.has_fermions for site in model.local_sites)


def _with_spins(model: Any, form: str) -> bool:
    return len(model.localized_sites) > 0


def _with_both(model: Any, form: str) -> bool:
    return _with_electrons(model, form) and _with_spins(model, form)


def _with_current(model: Any, form: str) -> bool:
    return hasattr(model, "hopping") and _with_electrons(model, form)


def _with_edges(model: Any, form: str) -> bool:
    return len(model.localized_sites) > 1


def _with_qubits(model: Any, form: str) -> bool:
    return _with_spins(model, form) and model.localized_spin == 0.5


# ---------------------------------------------------------------------- profiles


def spin(snapshot: Snapshot) -> np.ndarray:
    """``<S>/S`` of each localized spin, (localized, 3)."""
    model = snapshot.model
    values = [
        operators.expectations(snapshot.site_rdms[k], operators.local_spin(model.local_sites[k]))
        for k in model.localized_sites
    ]
    return np.array(values).reshape(-1, 3) / model.localized_spin


def spin_length(snapshot: Snapshot) -> np.ndarray:
    """``|<S>|/S`` of each localized spin, (localized,); below 1 it is entangled."""
    return np.linalg.norm(spin(snapshot), axis=1)


def electron_density(snapshot: Snapshot) -> np.ndarray:
    """``<n>`` on each site, (site,); 0 where a site holds no electrons."""
    return np.array(
        [
            operators.expectation(rho, site.op("n")) if site.has_fermions else 0.0
            for site, rho in zip(snapshot.model.local_sites, snapshot.site_rdms, strict=True)
        ]
    )


def electron_spin(snapshot: Snapshot) -> np.ndarray:
    """``<c^dag sigma c>`` on each site, (site, 3)."""
    return np.array(
        [
            operators.expectations(rho, operators.electron_spin(site))
            if site.has_fermions
            else np.zeros(3)
            for site, rho in zip(snapshot.model.local_sites, snapshot.site_rdms, strict=True)
        ]
    )


# ---------------------------------------------------------------------- totals and the audit


def particle_number(snapshot: Snapshot) -> float:
    """Number of electrons."""
    return float(electron_density(snapshot).sum())


def electron_spin_total(snapshot: Snapshot) -> np.ndarray:
    """Total ``c^dag sigma c``, (3,), in units of hbar/2 (PRX Fig. 6)."""
    return electron_spin(snapshot).sum(axis=0)


def localized_spin_total(snapshot: Snapshot) -> np.ndarray:
    """Total localized spin, (3,), in units of hbar/2 so that it adds to the electrons'."""
    return 2 * snapshot.model.localized_spin * spin(snapshot).sum(axis=0)


def electron_polarization(snapshot: Snapshot) -> np.ndarray:
    """Spin per electron ``s_e/N_e``, (3,), at most 1 in length; 0 without electrons."""
    number = particle_number(snapshot)
    total = electron_spin_total(snapshot)
    return total / number if number > 1e-12 else np.zeros(3)


def total_sz(snapshot: Snapshot) -> float:
    """z component of all spins together, electrons and localized, in units of hbar."""
    doubled = localized_spin_total(snapshot)[2]
    if _with_electrons(snapshot.model, ""):
        doubled += electron_spin_total(snapshot)[2]
    return float(doubled / 2)


def energy(snapshot: Snapshot) -> float:
    """``<H(t)>`` of the normalized state."""
    model, time = snapshot.model, snapshot.time
    terms = operators.hamiltonian_bonds(model)
    if terms is not None:
        return sum(
            operators.expectation(rho, terms.matrix(bond, time))
            for bond, rho in enumerate(snapshot.bond_rdms)
        )
    # Longer range: one density matrix per set of sites that some terms share.
    total = 0.0
    for sites, matrix in operators.supports(model, time):
        rho = snapshot.state.rdm(sites) if sites else np.ones((1, 1))
        total += operators.expectation(rho, matrix)
    return total


def norm(snapshot: Snapshot) -> float:
    """Norm of the state as it is stored."""
    return snapshot.state.norm


def discarded_weight(snapshot: Snapshot) -> np.ndarray:
    """Discarded weight of each bond summed since t = 0, (bond,)."""
    if snapshot.ledger is None:
        return np.zeros(snapshot.model.length - 1)
    return snapshot.ledger.discarded.copy()


def norm_lost(snapshot: Snapshot) -> float:
    """Share of the norm squared that truncation has taken since t = 0, had it not been restored."""
    return 0.0 if snapshot.ledger is None else snapshot.ledger.norm_lost


def bond_dim(snapshot: Snapshot) -> np.ndarray:
    """Number of Schmidt values kept on each bond, (bond,)."""
    return snapshot.state.bond_dims()


# ---------------------------------------------------------------------- currents and torques


def _hopping_currents(snapshot: Snapshot) -> np.ndarray:
    """Charge and spin currents of each bond, (bond, 4)."""
    model = snapshot.model
    sites = model.local_sites
    return model.hopping * np.array(
        [
            operators.expectations(rho, operators.hopping_current(sites[k], sites[k + 1]))
            for k, rho in enumerate(snapshot.bond_rdms)
        ]
    )


def charge_current(snapshot: Snapshot) -> np.ndarray:
    """Electrons per time through each bond, (bond,), positive to the right.

    ``d<n_i>/dt = I_{i-1} - I_i`` with bond i between sites i and i + 1.
    """
    return _hopping_currents(snapshot)[:, 0]


def spin_current(snapshot: Snapshot) -> np.ndarray:
    """``c^dag sigma c`` per time that electrons carry through each bond, (bond, 3).

    ``d<s_i>/dt = I_{i-1} - I_i`` plus what exchange and fields on site i add.
    """
    return _hopping_currents(snapshot)[:, 1:]


def torque(snapshot: Snapshot) -> np.ndarray:
    """``d<S>/dt / S`` of each localized spin by the electrons on its site, (localized, 3).

    The spin-transfer torque: the exchange between localized spins and the fields add the rest
    of the motion of ``spin``.
    """
    model = snapshot.model
    values = [
        operators.expectations(snapshot.site_rdms[k], operator)
        for k, operator in zip(
            model.localized_sites, operators.torque(model, snapshot.time), strict=True
        )
    ]
    return np.array(values).reshape(-1, 3)


# ---------------------------------------------------------------------- entanglement


def entropy(snapshot: Snapshot) -> np.ndarray:
    """Von Neumann entropy of every cut, (bond,)."""
    return snapshot.state.entropies()


def half_chain_entropy(snapshot: Snapshot) -> float:
    """Von Neumann entropy of the first (L + 1) // 2 sites (PRX Eq. 12)."""
    bond = (snapshot.model.length + 1) // 2 - 1
    return entanglement.schmidt_entropy(snapshot.state.schmidt(bond))


def meyer_wallach(snapshot: Snapshot) -> float:
    """Global entanglement of localized spins 1/2 and electrons (PRX Eq. 13).

    Electrons are identical: each has the one-body spin density matrix of all divided by their
    number, ``(1 + s_e.sigma / N_e) / 2``.
    """
    purities = (1 + spin_length(snapshot) ** 2) / 2
    total, count = purities.sum(), float(purities.size)
    if _with_electrons(snapshot.model, ""):
        number = particle_number(snapshot)
        polarization = electron_polarization(snapshot)
        total += number * (1 + polarization @ polarization) / 2
        count += number
    return float(2 * (1 - total / count))


def mutual_information(snapshot: Snapshot) -> float:
    """Mutual information of the first and the last localized spin (PRX Eq. 14)."""
    model = snapshot.model
    edges = [min(model.localized_sites), max(model.localized_sites)]
    dims = [operators.spin_dim(model.local_sites[k]) for k in edges]
    rho = snapshot.state.rdm(edges, keep=dims)
    return entanglement.mutual_information(rho, dims, [0])


_RATE = "energy unit/hbar"

_ALL = (
    Observable(
        "spin", ("time", "localized", "axis"), "1", "localized spin <S>/S", spin, _with_spins
    ),
    Observable(
        "spin_length", ("time", "localized"), "1", "length of the localized spin |<S>|/S",
        spin_length, _with_spins,
    ),
    Observable(
        "electron_density", ("time", "site"), "1", "electrons per site <n>",
        electron_density, _with_electrons,
    ),
    Observable(
        "electron_spin", ("time", "site", "axis"), "hbar/2", "electron spin <c^dag sigma c>",
        electron_spin, _with_electrons,
    ),
    Observable("entropy", ("time", "bond"), "nat", "entropy of the cut", entropy, _always),
    Observable("bond_dim", ("time", "bond"), "1", "bond dimension", bond_dim, _truncated),
    Observable(
        "discarded_weight", ("time", "bond"), "1", "discarded weight summed since t = 0",
        discarded_weight, _truncated,
    ),
    Observable(
        "norm_lost", ("time",), "1", "norm squared lost since t = 0, before renormalization",
        norm_lost, _truncated,
    ),
    Observable("energy", ("time",), "energy unit", "energy", energy, _always),
    Observable("norm", ("time",), "1", "norm of the state", norm, _always),
    Observable(
        "particle_number", ("time",), "1", "number of electrons", particle_number, _with_electrons
    ),
    Observable("total_sz", ("time",), "hbar", "z component of the total spin", total_sz, _always),
    Observable(
        "electron_spin_total", ("time", "axis"), "hbar/2", "total electron spin",
        electron_spin_total, _with_electrons,
    ),
    Observable(
        "localized_spin_total", ("time", "axis"), "hbar/2", "total localized spin",
        localized_spin_total, _with_spins,
    ),
    Observable(
        "electron_polarization", ("time", "axis"), "1", "electron spin per electron",
        electron_polarization, _with_electrons,
    ),
    Observable(
        "charge_current", ("time", "bond"), _RATE, "electrons per time to the right",
        charge_current, _with_current,
    ),
    Observable(
        "spin_current", ("time", "bond", "axis"), _RATE, "c^dag sigma c per time to the right",
        spin_current, _with_current,
    ),
    Observable(
        "torque", ("time", "localized", "axis"), _RATE, "torque of the electrons on <S>/S",
        torque, _with_both,
    ),
    Observable(
        "half_chain_entropy", ("time",), "nat", "entropy of the left half",
        half_chain_entropy, _always,
    ),
    Observable(
        "meyer_wallach", ("time",), "1", "Meyer-Wallach global entanglement",
        meyer_wallach, _with_qubits,
    ),
    Observable(
        "mutual_information", ("time",), "nat", "mutual information of the edge spins",
        mutual_information, _with_edges,
    ),
)  # fmt: skip

#: Every observable by the name it has in a result file.
OBSERVABLES: dict[str, Observable] = {one.name: one for one in _ALL}
