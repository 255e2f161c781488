"""Electron pulses entering a chain of localized spins: confined electrons and a wave packet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tnspin.errors import InputError
from tnspin.schema.register import register
from tnspin.schema.types import Count, Energy, Natural, Positive, Temperature
from tnspin.states.initial.base import InitialState
from tnspin.states.initial.mixture import Mixture
from tnspin.states.initial.slater import SlaterProduct, SlaterState
from tnspin.states.initial.spins import (
    Direction,
    Spins,
    coherent,
    direction_angles,
    localized_spin_vectors,
)
from tnspin.states.initial.thermal import heated


@register
@dataclass(frozen=True)
class ConfinedElectrons(InitialState):
    """Electrons held in a well at the left end, ready to be released (PRX Sec. III, PRA Eq. 22).

    The ground state before t = 0, when fields much stronger than anything else polarize the
    electrons and the localized spins: a Slater determinant of the lowest orbitals of hopping
    plus well, times a product of localized spins.

    Parameters
    ----------
    n_electrons
        Number of electrons.
    well
        Number of sites of the well, from the left end.
    well_depth
        Depth of the well in the model's energy unit; its sites are lower by this much.
    polarization
        Spin of all electrons: "up", "down", "x", "-x", ..., ``[theta, phi]`` in radians, or "none"
        for the lowest ``n_electrons / 2`` orbitals doubly occupied.
    localized_spins
        A direction for all localized spins, or a list with one entry per group.
    temperature
        Temperature of the localized spins in the model's energy unit (PRA Eq. 12); at 0 they are
        fully polarized.
    field
        Field along the direction of the localized spins that acts on them until t = 0, in the
        model's energy unit; without effect at temperature 0.
    """

    kind = "confined_electrons"

    n_electrons: Natural
    well: Count = 10
    well_depth: float = 10.0
    polarization: Direction = "z"
    localized_spins: Spins = "down"
    temperature: Temperature = 0.0
    field: Energy = 0.0

    def check(self) -> None:
        """Refuse more electrons than the well holds, and unknown directions."""
        paired = self.polarization == "none"
        room, name = (2 * self.well, "unpolarized") if paired else (self.well, "polarized")
        if self.n_electrons > room:
            raise InputError(
                f"state.n_electrons = {self.n_electrons}: so many {name} electrons do not fit in a "
                f"well of {self.well} sites, at most {room} do"
            )
        if paired and self.n_electrons % 2:
            raise InputError(
                f"state.n_electrons = {self.n_electrons}: unpolarized electrons come in pairs"
            )
        _check_directions(self.polarization, self.localized_spins)

    def build(self, model: Any) -> SlaterState | Mixture:
        """Electrons in the well of a chain with electrons (`KondoHeisenbergChain`)."""
        _require_electrons(model)
        length, well, count = model.length, self.well, self.n_electrons
        if well > length:
            raise InputError(f"state.well = {well}: must be 1 to {length}, the sites of the chain")
        # At t < 0 hopping and well are all that shapes the orbitals: the fields are uniform.
        one_body = -float(model.hopping) * (np.eye(length, k=1) + np.eye(length, k=-1))
        one_body[range(well), range(well)] = -self.well_depth
        orbitals = np.linalg.eigh(one_body)[1].T
        if self.polarization == "none":
            lowest = np.repeat(orbitals[: count // 2], 2, axis=0)
            spinors = np.tile(np.eye(2), (count // 2, 1))
        else:
            lowest, spinors = orbitals[:count], np.tile(_spinor(self.polarization), (count, 1))
        cold = SlaterProduct(
            model.local_sites,
            np.einsum("aj,as->ajs", lowest, spinors),
            localized_spin_vectors(model, self.localized_spins),
        )
        return heated(model, cold, self.temperature, self.field, self.localized_spins)


def confined_electrons(model: Any, *keys: Any, **more: Any) -> Any:
    """Electrons in a well of a model; the keys are those of `ConfinedElectrons`."""
    return ConfinedElectrons(*keys, **more).build(model)


@register
@dataclass(frozen=True)
class WavePacket(InitialState):
    """One electron in a Gaussian packet, ``exp(i k x - dk^2 (x - x0)^2 / 4)`` (PRA Eq. 11).

    Parameters
    ----------
    center
        ``x0``, a 0-based site; need not be an integer.
    momentum
        ``k`` per site; pi/2 moves right at the fastest group velocity and spreads least.
    width
        ``dk``, the width in momentum; the packet is about ``2 / dk`` sites wide.
    polarization
        Spin of the electron: "up", "down", "x", "-x", ..., ``[theta, phi]`` in radians, or "none"
        for the unpolarized mixture of "z" and "-z" in equal parts (PRA Eq. 10).
    localized_spins
        A direction for all localized spins, or a list with one entry per group.
    temperature
        Temperature of the localized spins in the model's energy unit (PRA Eq. 12); at 0 they are
        fully polarized.
    field
        Field along the direction of the localized spins that acts on them until t = 0, in the
        model's energy unit; without effect at temperature 0.
    """

    kind = "wave_packet"

    center: float
    momentum: float = np.pi / 2
    width: Positive = 0.2
    polarization: Direction = "z"
    localized_spins: Spins = "down"
    temperature: Temperature = 0.0
    field: Energy = 0.0

    def check(self) -> None:
        """Refuse unknown directions."""
        _check_directions(self.polarization, self.localized_spins)

    def build(self, model: Any) -> SlaterState | Mixture:
        """Packet on a chain with electrons (`KondoHeisenbergChain`)."""
        _require_electrons(model)
        last = model.length - 1
        if not 0 <= self.center <= last:
            raise InputError(f"state.center = {self.center}: is outside the chain (0..{last})")
        x = np.arange(model.length)
        packet = np.exp(1j * self.momentum * x - self.width**2 * (x - self.center) ** 2 / 4)
        norm = np.linalg.norm(packet)
        if not norm > 0:
            raise InputError(
                f"state.width = {self.width}: leaves no site within the packet at {self.center}"
            )
        packet /= norm
        spins = localized_spin_vectors(model, self.localized_spins)

        def polarized(direction: Direction) -> SlaterProduct:
            orbital = np.einsum("j,s->js", packet, _spinor(direction))
            return SlaterProduct(model.local_sites, orbital[None], spins)

        cold: SlaterProduct | Mixture
        if self.polarization == "none":
            cold = Mixture((polarized("z"), polarized("-z")), (0.5, 0.5))
        else:
            cold = polarized(self.polarization)
        return heated(model, cold, self.temperature, self.field, self.localized_spins)


def wave_packet(model: Any, *keys: Any, **more: Any) -> Any:
    """Wave packet of one electron on a model; the keys are those of `WavePacket`."""
    return WavePacket(*keys, **more).build(model)


def _check_directions(polarization: Direction, localized_spins: Spins) -> None:
    if polarization != "none":
        _spinor(polarization)
    for one in [localized_spins] if isinstance(localized_spins, str) else localized_spins:
        direction_angles(one, "state.localized_spins")


def _spinor(polarization: Direction) -> np.ndarray:
    angles = direction_angles(polarization, "state.polarization", also=("none",))
    return coherent(0.5, *angles)


def _require_electrons(model: Any) -> None:
    if getattr(model, "hopping", None) is None:
        raise InputError(f"state.kind: model {model.kind!r} has no electrons")
