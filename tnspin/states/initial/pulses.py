"""Electron pulses entering a chain of localized spins: confined electrons and a wave packet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tnspin.errors import InputError
from tnspin.states.initial.check import finite, integer
from tnspin.states.initial.mixture import Mixture
from tnspin.states.initial.slater import SlaterProduct, SlaterState
from tnspin.states.initial.spins import (
    Direction,
    coherent,
    direction_angles,
    localized_spin_vectors,
)
from tnspin.states.initial.thermal import heated

__all__ = ["confined_electrons", "wave_packet"]


def confined_electrons(
    model: Any,
    n_electrons: int,
    well: int = 10,
    well_depth: float = 10.0,
    polarization: Direction = "z",
    localized_spins: str | Sequence[Direction] = "down",
    temperature: float = 0.0,
    field: float = 0.0,
) -> SlaterState | Mixture:
    """Electrons held in a well at the left end, ready to be released (PRX Sec. III, PRA Eq. 22).

    The ground state before t = 0, when fields much stronger than anything else polarize the
    electrons and the localized spins: a Slater determinant of the lowest orbitals of hopping
    plus well, times a product of localized spins.

    Parameters
    ----------
    model
        A chain with electrons (`KondoHeisenbergChain`).
    n_electrons
        Number of electrons.
    well
        Number of sites of the well, from the left end.
    well_depth
        Depth of the well in the model's energy unit; its sites are lower by this much.
    polarization
        Spin of all electrons: a name of `DIRECTIONS`, ``[theta, phi]`` in radians, or "none"
        for the lowest ``n_electrons / 2`` orbitals doubly occupied.
    localized_spins
        A direction for all localized spins, or a list with one entry per group.
    temperature, field
        Temperature of the localized spins, and the field along their direction that acts on them
        until t = 0, both in the model's energy unit (PRA Eq. 12; see `heated`).  At 0 they are
        fully polarized.

    Raises
    ------
    InputError
        If the model has no electrons or the well has no room for so many.
    """
    _require_electrons(model)
    length = model.length
    well = integer("state.well", well, 1, length)
    n_electrons = integer("state.n_electrons", n_electrons, 0)
    paired = isinstance(polarization, str) and polarization == "none"
    room = well * (2 if paired else 1)
    if n_electrons > room:
        kind = "unpolarized" if paired else "polarized"
        raise InputError(
            f"state.n_electrons: {n_electrons} {kind} electrons do not fit in a well of "
            f"{well} sites (at most {room})"
        )
    if paired and n_electrons % 2:
        raise InputError(
            f"state.n_electrons: unpolarized electrons come in pairs, got {n_electrons}"
        )
    # At t < 0 hopping and well are all that shapes the orbitals: the fields are uniform.
    one_body = -float(model.hopping) * (np.eye(length, k=1) + np.eye(length, k=-1))
    one_body[range(well), range(well)] = -finite("state.well_depth", well_depth)
    orbitals = np.linalg.eigh(one_body)[1].T
    if paired:
        lowest = np.repeat(orbitals[: n_electrons // 2], 2, axis=0)
        spinors = np.tile(np.eye(2), (n_electrons // 2, 1))
    else:
        lowest = orbitals[:n_electrons]
        spinors = np.tile(_spinor(polarization), (n_electrons, 1))
    cold = SlaterProduct(
        model.local_sites,
        np.einsum("aj,as->ajs", lowest, spinors),
        localized_spin_vectors(model, localized_spins),
    )
    return heated(model, cold, temperature, field, localized_spins)


def wave_packet(
    model: Any,
    center: float,
    momentum: float = np.pi / 2,
    width: float = 0.2,
    polarization: Direction = "z",
    localized_spins: str | Sequence[Direction] = "down",
    temperature: float = 0.0,
    field: float = 0.0,
) -> SlaterState | Mixture:
    """One electron in a Gaussian packet, ``exp(i k x - dk^2 (x - x0)^2 / 4)`` (PRA Eq. 11).

    Parameters
    ----------
    model
        A chain with electrons (`KondoHeisenbergChain`).
    center
        ``x0``, a 0-based site; need not be an integer.
    momentum
        ``k`` per site; pi/2 moves right at the fastest group velocity and spreads least.
    width
        ``dk``, the width in momentum; the packet is about ``2 / dk`` sites wide.
    polarization
        Spin of the electron: a name of `DIRECTIONS`, ``[theta, phi]`` in radians, or "none" for
        the unpolarized mixture of "z" and "-z" in equal parts (PRA Eq. 10).
    localized_spins
        A direction for all localized spins, or a list with one entry per group.
    temperature, field
        Temperature of the localized spins, and the field along their direction that acts on them
        until t = 0, both in the model's energy unit (PRA Eq. 12; see `heated`).  At 0 they are
        fully polarized.

    Raises
    ------
    InputError
        If the model has no electrons or the packet lies outside the chain.
    """
    _require_electrons(model)
    center = finite("state.center", center)
    if not 0 <= center <= model.length - 1:
        raise InputError(
            f"state.center: site {center} is outside the chain (0..{model.length - 1})"
        )
    if not finite("state.width", width) > 0:
        raise InputError(f"state.width: must be positive, got {width}")
    x = np.arange(model.length)
    momentum = finite("state.momentum", momentum)
    packet = np.exp(1j * momentum * x - width**2 * (x - center) ** 2 / 4)
    norm = np.linalg.norm(packet)
    if not norm > 0:
        raise InputError(f"state.width: {width} leaves no site within the packet at {center}")
    packet /= norm
    spins = localized_spin_vectors(model, localized_spins)

    def polarized(direction: Direction) -> SlaterProduct:
        orbital = np.einsum("j,s->js", packet, _spinor(direction))
        return SlaterProduct(model.local_sites, orbital[None], spins)

    mixed = isinstance(polarization, str) and polarization == "none"
    cold: SlaterProduct | Mixture
    if mixed:
        cold = Mixture((polarized("z"), polarized("-z")), (0.5, 0.5))
    else:
        cold = polarized(polarization)
    return heated(model, cold, temperature, field, localized_spins)


def _spinor(polarization: Direction) -> np.ndarray:
    angles = direction_angles(polarization, "state.polarization", also=("none",))
    return coherent(0.5, *angles)


def _require_electrons(model: Any) -> None:
    if not hasattr(model, "hopping"):
        raise InputError(f"state.kind: model {model.kind!r} has no electrons")
