"""Physical units and the units of a run, in which hbar = k_B = 1 and energies are in one scale."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from typing import Any

from tnspin.errors import InputError, nearest

_FEMTOSECOND = 1e-15


def _constants() -> Any:
    """CODATA's constants: importing them takes longer than all else that listing presets needs."""
    from scipy import constants

    return constants


@dataclass(frozen=True)
class EnergyScale:
    """Conversion between the units of a run and physical ones.

    Attributes
    ----------
    ev
        The energy unit of the run (for instance the hopping gamma), in electronvolts.

    Examples
    --------
    >>> round(EnergyScale(1.0).time_fs(1.0), 4)  # hbar / eV
    0.6582
    """

    ev: float = 1.0

    def __post_init__(self) -> None:
        if not self.ev > 0:
            raise InputError(f"ev = {self.ev!r}: must be above 0")

    @property
    def _joules(self) -> float:
        return self.ev * float(_constants().electron_volt)

    def time_fs(self, time: float) -> float:
        """Femtoseconds of a time in hbar/energy unit."""
        hbar: float = _constants().hbar
        return time * hbar / self._joules / _FEMTOSECOND

    def time(self, femtoseconds: float) -> float:
        """Time in hbar/energy unit of a time in femtoseconds."""
        return femtoseconds / self.time_fs(1.0)

    def energy_ev(self, energy: float) -> float:
        """Electronvolts of an energy in the unit of the run."""
        return energy * self.ev

    def energy(self, electronvolts: float) -> float:
        """Energy in the unit of the run of an energy in electronvolts."""
        return electronvolts / self.ev

    def temperature(self, kelvin: float) -> float:
        """k_B T in the unit of the run."""
        boltzmann: float = _constants().k
        return boltzmann * kelvin / self._joules

    def kelvin(self, temperature: float) -> float:
        """Kelvin of a k_B T in the unit of the run."""
        return temperature / self.temperature(1.0)

    def field(self, tesla: float, g: float = 2.0) -> float:
        """g mu_B B in the unit of the run: the field in a Zeeman term -field . S, S in hbar."""
        magneton: float = _constants().value("Bohr magneton")
        return g * magneton * tesla / self._joules

    def tesla(self, field: float, g: float = 2.0) -> float:
        """Tesla of a Zeeman field in the unit of the run."""
        return field / self.field(1.0, g)


#: Unit -> (its size, what it is a multiple of) by quantity.
_ENERGIES = {"eV": (1.0, "eV"), "meV": (1e-3, "eV"), "µeV": (1e-6, "eV"), "ueV": (1e-6, "eV")}
_UNITS: dict[str, dict[str, tuple[float, str]]] = {
    "time": {"as": (1e-3, "fs"), "fs": (1.0, "fs"), "ps": (1e3, "fs"), "ns": (1e6, "fs")},
    "temperature": {"K": (1.0, "K"), "mK": (1e-3, "K"), **_ENERGIES},
    "energy": _ENERGIES,
}


def converted(key: str, text: str, quantity: str, scale: EnergyScale) -> float:
    """Return the number, in the units of a run, that a text such as "70 fs" or "100 K" stands for.

    Parameters
    ----------
    key
        Dotted key of the configuration, for messages.
    text
        A number and a unit.
    quantity
        "time", "temperature" or "energy".
    scale
        The energy unit of the run.

    Raises
    ------
    InputError
        If it is not a finite number with a unit of that quantity.
    """
    units = _UNITS[quantity]
    found = re.fullmatch(r"\s*([-+]?[\d.]+(?:[eE][-+]?\d+)?)\s*([A-Za-zµ]+)\s*", text)
    try:
        number = float(found[1]) if found else float("nan")
    except ValueError:
        number = float("nan")
    if found is None or not isfinite(number):
        raise InputError(f"{key} = {text!r}: must be a number, or a number with a unit in a text")
    if found[2] not in units:
        allowed = ", ".join(units)
        raise InputError(
            f"{key} = {text!r}: unknown unit of {quantity} {found[2]!r}; allowed: {allowed}"
            f"{nearest(found[2], units)}"
        )
    size, base = units[found[2]]
    to_run: dict[str, Callable[[float], float]] = {
        "fs": scale.time, "K": scale.temperature, "eV": scale.energy,
    }  # fmt: skip
    return to_run[base](number * size)
