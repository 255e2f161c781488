"""Profiles along the chain, entropies of cuts, totals, currents and torques, the audit of a run.

Spins of electrons are ``c^dag sigma c`` without 1/2; those of localized spins are divided by S, so
that both have length at most 1 per particle.
"""

from __future__ import annotations

from functools import partial, singledispatch

import numpy as np

from tnspin.mps.expectation import mpo_expectation
from tnspin.mps.state import MPS
from tnspin.observables.base import (
    observable,
    pure_cuts,
    tensors,
    with_both,
    with_current,
    with_electrons,
    with_spins,
)
from tnspin.observables.snapshot import Snapshot
from tnspin.operators import local as operators
from tnspin.operators.state import State
from tnspin.states.classical import ClassicalState
from tnspin.states.hybrid import HybridState

_RATE = "energy unit/hbar"
_of_electrons = partial(observable, needs=("sites",), applies=with_electrons)
_of_cuts = partial(observable, units="nat", needs=("cuts",), default=pure_cuts)
_truncation = partial(observable, needs=("ledger",), default=tensors)
_current = partial(observable, units=_RATE, needs=("currents",), applies=with_current)


# ---------------------------------------------------------------------- profiles


@observable("localized spin <S>/S", "localized", "axis", applies=with_spins)
def spin(snapshot: Snapshot) -> np.ndarray:
    """``<S>/S`` of each localized spin, (localized, 3)."""
    return _spin(snapshot.state, snapshot)


@observable("length of the localized spin |<S>|/S", "localized", applies=with_spins)
def spin_length(snapshot: Snapshot) -> np.ndarray:
    """``|<S>|/S`` of each localized spin, (localized,); below 1 it is entangled."""
    return np.linalg.norm(spin(snapshot), axis=1)


@_of_electrons("electrons per site <n>", "site")
def electron_density(snapshot: Snapshot) -> np.ndarray:
    """``<n>`` on each site, (site,); 0 where a site holds no electrons."""
    return np.array(
        [
            operators.expectation(rho, site.op("n")) if site.has_fermions else 0.0
            for site, rho in zip(snapshot.model.local_sites, snapshot.site_rdms, strict=True)
        ]
    )


@_of_electrons("electron spin <c^dag sigma c>", "site", "axis", units="hbar/2")
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


# ---------------------------------------------------------------------- cuts


@_of_cuts("entropy of the cut, of mixtures its mean", "bond", units="nat")
def entropy(snapshot: Snapshot) -> np.ndarray:
    """Von Neumann entropy of every cut, (bond,); of a mixture, the weighted mean of its members."""
    return snapshot.state.entropies()


@_truncation("bond dimension", "bond")
def bond_dim(snapshot: Snapshot) -> np.ndarray:
    """Number of Schmidt values kept on each bond, (bond,)."""
    return snapshot.state.bond_dims()


@_truncation("discarded weight summed since t = 0", "bond")
def discarded_weight(snapshot: Snapshot) -> np.ndarray:
    """Discarded weight of each bond summed since t = 0, (bond,)."""
    if snapshot.ledger is None:
        return np.zeros(snapshot.model.length - 1)
    return snapshot.ledger.discarded.copy()


@_truncation("norm squared lost since t = 0, before renormalization")
def norm_lost(snapshot: Snapshot) -> float:
    """Share of the norm squared that truncation has taken since t = 0, had it not been restored."""
    return 0.0 if snapshot.ledger is None else snapshot.ledger.norm_lost


# ---------------------------------------------------------------------- totals and the audit


@observable("energy", units="energy unit", needs=("energy",))
def energy(snapshot: Snapshot) -> float:
    """``<H(t)>`` of the normalized state."""
    return _energy(snapshot.state, snapshot)


@observable("norm of the state")
def norm(snapshot: Snapshot) -> float:
    """Norm of the state as it is stored."""
    return snapshot.state.norm


@_of_electrons("number of electrons")
def particle_number(snapshot: Snapshot) -> float:
    """Number of electrons."""
    return float(electron_density(snapshot).sum())


@observable("z component of the total spin", units="hbar")
def total_sz(snapshot: Snapshot) -> float:
    """z component of all spins together, electrons and localized, in units of hbar."""
    doubled = localized_spin_total(snapshot)[2]
    if with_electrons(snapshot.model):
        doubled += electron_spin_total(snapshot)[2]
    return float(doubled / 2)


@_of_electrons("total electron spin", "axis", units="hbar/2")
def electron_spin_total(snapshot: Snapshot) -> np.ndarray:
    """Total ``c^dag sigma c``, (3,), in units of hbar/2 (PRX Fig. 6)."""
    return electron_spin(snapshot).sum(axis=0)


@observable("total localized spin", "axis", units="hbar/2", applies=with_spins)
def localized_spin_total(snapshot: Snapshot) -> np.ndarray:
    """Total localized spin, (3,), in units of hbar/2 so that it adds to the electrons'."""
    return 2 * snapshot.model.localized_spin * spin(snapshot).sum(axis=0)


@_of_electrons("electron spin per electron", "axis")
def electron_polarization(snapshot: Snapshot) -> np.ndarray:
    """Spin per electron ``s_e/N_e``, (3,), at most 1 in length; 0 without electrons."""
    number = particle_number(snapshot)
    total = electron_spin_total(snapshot)
    return total / number if number > 1e-12 else np.zeros(3)


# ---------------------------------------------------------------------- currents and torques


@_current("electrons per time to the right", "bond")
def charge_current(snapshot: Snapshot) -> np.ndarray:
    """Electrons per time through each bond, (bond,), positive to the right.

    ``d<n_i>/dt = I_{i-1} - I_i`` with bond i between sites i and i + 1.
    """
    return snapshot.model.hopping * _currents(snapshot.state, snapshot)[:, 0]


@_current("c^dag sigma c per time to the right", "bond", "axis")
def spin_current(snapshot: Snapshot) -> np.ndarray:
    """``c^dag sigma c`` per time that electrons carry through each bond, (bond, 3).

    ``d<s_i>/dt = I_{i-1} - I_i`` plus what exchange and fields on site i add.
    """
    return snapshot.model.hopping * _currents(snapshot.state, snapshot)[:, 1:]


@observable(
    "torque of the electrons on <S>/S",
    "localized",
    "axis",
    units=_RATE,
    needs=("sites",),
    applies=with_both,
)
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


@_of_cuts("entropy of the left half, of mixtures its mean", units="nat")
def half_chain_entropy(snapshot: Snapshot) -> float:
    """Von Neumann entropy of the first (L + 1) // 2 sites (PRX Eq. 12); mixtures as `entropy`."""
    return snapshot.state.entropy((snapshot.model.length + 1) // 2 - 1)


# ---------------------------------------------------------------------- inside


@singledispatch
def _spin(state: State, snapshot: Snapshot) -> np.ndarray:
    model = snapshot.model
    values = [
        operators.expectations(snapshot.site_rdms[k], operators.local_spin(model.local_sites[k]))
        for k in model.localized_sites
    ]
    return np.array(values).reshape(-1, 3) / model.localized_spin


@_spin.register
def _(state: ClassicalState, snapshot: Snapshot) -> np.ndarray:
    return state.mean


@_spin.register
def _(state: HybridState, snapshot: Snapshot) -> np.ndarray:
    return state.directions


@singledispatch
def _energy(state: State, snapshot: Snapshot) -> float:
    """Energy from density matrices: of neighbours, or of each set of sites that terms share."""
    terms = operators.hamiltonian_bonds(snapshot.model)
    if terms is not None:
        return sum(
            operators.expectation(rho, terms.matrix(bond, snapshot.time))
            for bond, rho in enumerate(snapshot.bond_rdms)
        )
    total = 0.0
    for sites, matrix in operators.supports(snapshot.model, snapshot.time):
        total += operators.expectation(state.rdm(sites), matrix)
    return total


@_energy.register
def _(state: MPS, snapshot: Snapshot) -> float:
    if operators.hamiltonian_bonds(snapshot.model) is not None:
        return _energy.dispatch(State)(state, snapshot)
    value = mpo_expectation(snapshot.model, state.charge_names)
    return value(state, snapshot.time).real


@_energy.register(ClassicalState)
@_energy.register(HybridState)
def _(state: ClassicalState | HybridState, snapshot: Snapshot) -> float:
    return state.energy(snapshot.model, snapshot.time)


@singledispatch
def _currents(state: State, snapshot: Snapshot) -> np.ndarray:
    """Charge and spin currents of each bond per hopping, (bond, 4)."""
    sites = snapshot.model.local_sites
    return np.array(
        [
            operators.expectations(rho, operators.hopping_current(sites[k], sites[k + 1]))
            for k, rho in enumerate(snapshot.bond_rdms)
        ]
    )


@_currents.register
def _(state: HybridState, snapshot: Snapshot) -> np.ndarray:
    return state.currents()
