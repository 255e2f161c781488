"""Physical units and the units of a run, in which hbar = k_B = 1 and energies are in one scale."""

from __future__ import annotations

from dataclasses import dataclass

from scipy import constants

from tnspin.errors import InputError

__all__ = ["EnergyScale"]

_EV = constants.electron_volt
_FEMTOSECOND = 1e-15


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

    def time_fs(self, time: float) -> float:
        """Femtoseconds of a time in hbar/energy unit."""
        return time * constants.hbar / (self.ev * _EV) / _FEMTOSECOND

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
        return constants.k * kelvin / (self.ev * _EV)

    def kelvin(self, temperature: float) -> float:
        """Kelvin of a k_B T in the unit of the run."""
        return temperature / self.temperature(1.0)

    def field(self, tesla: float, g: float = 2.0) -> float:
        """g mu_B B in the unit of the run: the field in a Zeeman term -field . S, S in hbar."""
        return g * constants.value("Bohr magneton") * tesla / (self.ev * _EV)

    def tesla(self, field: float, g: float = 2.0) -> float:
        """Tesla of a Zeeman field in the unit of the run."""
        return field / self.field(1.0, g)
