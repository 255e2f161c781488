"""Localized spins in thermal equilibrium before t = 0, with or without electrons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, sin
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from tnspin.errors import InputError
from tnspin.models.purified import Purified
from tnspin.schema.register import register
from tnspin.schema.types import Energy, Positive, Quantity
from tnspin.states.initial.base import InitialState
from tnspin.states.initial.gibbs_group import GibbsGroup, own_hamiltonian
from tnspin.states.initial.mixture import Mixture
from tnspin.states.initial.slater import CUTOFF, SlaterProduct, SlaterState
from tnspin.states.initial.spins import Spins, coherent, group_angles, localized_spin_vectors

if TYPE_CHECKING:
    from tnspin.mps.state import MPS

#: Components of a field direction below this are rounding of sines and cosines.
_ROUNDING = 1e-15


@dataclass(frozen=True, eq=False, repr=False)
class ThermalState(SlaterState):
    """Slater determinant of electrons times the purified Gibbs state of every group of spins.

    Attributes
    ----------
    sites, orbitals
        As for `SlaterState`, on the sites of `models.Purified`.
    groups
        Gibbs states that cover all localized spins.
    directions
        Index of the basis state along the field of each group, None if that is none.
    """

    groups: tuple[GibbsGroup, ...]
    directions: tuple[int | None, ...]

    @property
    def purified(self) -> bool:
        """True: every localized spin has an ancilla."""
        return True

    def reference(self, localized: Sequence[int]) -> tuple[int, ...] | None:
        """Basis state (0: up) along the field of the group of each spin, in the order given.

        None if a field is not along +z or -z.  At T > 0 it is the state from which magnons are
        counted, not the one in which the spins are.
        """
        states = {
            site: index
            for group, index in zip(self.groups, self.directions, strict=True)
            for site in group.sites
            if index is not None
        }
        return tuple(states[k] for k in localized) if all(k in states for k in localized) else None

    def _spin_charges(self, name: str) -> set[int]:
        # Everything but electrons and the groups is in its first state.
        rest = sum(int(site.charge(name)[0]) for site in self.sites if site.spin_dim == 1)
        exact = name != "2Sz" or all(group.conserves_sz for group in self.groups)
        return {rest} if exact else {rest - 2, rest, rest + 2}

    def _spin_amplitudes(self, states: np.ndarray) -> np.ndarray:
        amplitudes = np.ones(len(states), dtype=complex)
        for group in self.groups:
            amplitudes *= group.amplitudes(states[:, list(group.sites)])
        return amplitudes

    def _without_electrons(self, names: tuple[str, ...]) -> MPS:
        from tnspin.states.initial.embed import embed

        parts = [(group.sites, group.to_mps(names)) for group in self.groups]
        mps = embed(self.sites, parts, names)
        mps.canonicalize(cutoff=CUTOFF)
        return mps

    def _spin_vectors(self) -> list[tuple[tuple[int, ...], np.ndarray]]:
        return [(group.sites, group.vector) for group in self.groups]


def heated(
    model: Any,
    cold: SlaterProduct | Mixture,
    temperature: float,
    field: float,
    localized_spins: Spins,
) -> SlaterState | Mixture:
    """Give the localized spins of a state a temperature (PRA Eq. 12).

    Parameters
    ----------
    model
        The model of the state.
    cold
        The state at zero temperature, the spins fully polarized.
    temperature
        T of the localized spins; 0 leaves the state as it is, whatever the field.
    field
        Strength of the field that acts on each group along its direction until t = 0, in the
        Gibbs state of ``H_group - field n.S`` with S as in H.  Without it up and down
        are degenerate, and the spins have no magnetization.
    localized_spins
        The direction n of every group.

    Raises
    ------
    InputError
        If groups are coupled, or there are no spins to heat.
    """
    if temperature == 0:
        return cold
    if not model.localized_sites:
        raise InputError("state.temperature: the model has no localized spins")
    angles = group_angles(model, localized_spins)
    groups = tuple(
        _group(model, sites, pair, field, temperature)
        for sites, pair in zip(model.groups, angles, strict=True)
    )
    directions = tuple(_basis_state(model.localized_spin, *pair) for pair in angles)
    sites = Purified(model).local_sites
    if isinstance(cold, SlaterProduct):
        return ThermalState(sites, cold.orbitals, groups, directions)
    members = tuple(
        ThermalState(sites, one.orbitals, groups, directions)
        for one in cold.members
        if isinstance(one, SlaterProduct)
    )
    return Mixture(members, cold.weights)


def _group(
    model: Any, sites: Sequence[int], angles: tuple[float, float], field: float, temperature: float
) -> GibbsGroup:
    theta, phi = angles
    axis = np.array([sin(theta) * cos(phi), sin(theta) * sin(phi), cos(theta)])
    axis[np.abs(axis) < _ROUNDING] = 0.0
    hamiltonian = own_hamiltonian(model, sites, (model.localized_scale * field * axis).tolist())
    return GibbsGroup(tuple(sorted(sites)), hamiltonian, temperature)


@register
@dataclass(frozen=True)
class Gibbs(InitialState):
    """Localized spins in thermal equilibrium, no electrons (PRA Eq. 12).

    Parameters
    ----------
    temperature
        T, above 0, in the model's energy unit.
    field
        Strength of an additional field until t = 0, entering as -field n.S with S as it stands
        in H.
    localized_spins
        Its direction n, or a list with one per group.
    """

    kind = "gibbs"

    temperature: Annotated[Positive, Quantity("temperature")]
    field: Energy = 0.0
    localized_spins: Spins = "up"

    def build(self, model: Any) -> SlaterState | Mixture:
        """Gibbs state of a spin chain, or of one with electrons that is left empty of them."""
        vectors = localized_spin_vectors(model, self.localized_spins)
        cold = SlaterProduct(model.local_sites, np.zeros((0, model.length, 2)), vectors)
        return heated(model, cold, self.temperature, self.field, self.localized_spins)


def gibbs(model: Any, *keys: Any, **more: Any) -> SlaterState | Mixture:
    """Gibbs state of the localized spins of a model; the keys are those of `Gibbs`."""
    return Gibbs(*keys, **more).build(model)


def _basis_state(size: float, theta: float, phi: float) -> int | None:
    """Index of the basis state along a direction, None if it is not along z."""
    occupied = np.flatnonzero(coherent(size, theta, phi))
    return int(occupied[0]) if occupied.size == 1 else None
