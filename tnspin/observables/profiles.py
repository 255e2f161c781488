"""Profiles along the chain, totals, currents and torques, and the audit of a run.

Spins of electrons are ``c^dag sigma c`` without 1/2; those of localized spins are divided by S, so
that both have length at most 1 per particle.
"""

from __future__ import annotations

import numpy as np

from tnspin.mps.expectation import mpo_expectation
from tnspin.mps.state import MPS
from tnspin.observables.base import with_electrons
from tnspin.observables.snapshot import Snapshot
from tnspin.operators import local as operators
from tnspin.states.classical import ClassicalState
from tnspin.states.hybrid import HybridState

# ---------------------------------------------------------------------- profiles


def spin(snapshot: Snapshot) -> np.ndarray:
    """``<S>/S`` of each localized spin, (localized, 3)."""
    if isinstance(snapshot.state, ClassicalState):
        return snapshot.state.mean
    if isinstance(snapshot.state, HybridState):
        return snapshot.state.directions
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
    if with_electrons(snapshot.model, ""):
        doubled += electron_spin_total(snapshot)[2]
    return float(doubled / 2)


def energy(snapshot: Snapshot) -> float:
    """``<H(t)>`` of the normalized state."""
    model, time = snapshot.model, snapshot.time
    if isinstance(snapshot.state, ClassicalState | HybridState):
        return snapshot.state.energy(model, time)
    terms = operators.hamiltonian_bonds(model)
    if terms is not None:
        return sum(
            operators.expectation(rho, terms.matrix(bond, time))
            for bond, rho in enumerate(snapshot.bond_rdms)
        )
    if isinstance(snapshot.state, MPS):
        value = mpo_expectation(model, snapshot.state.charge_names)
        return value(snapshot.state, time).real
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
    if isinstance(snapshot.state, HybridState):
        return model.hopping * snapshot.state.currents()
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
