"""What a bath is: its spectral density, temperature and coupling, as read from ``[bath]``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tnspin.baths.base import Bath
from tnspin.errors import InputError, nearest
from tnspin.operators.jump_operator import JumpOperator
from tnspin.schema import register
from tnspin.schema.types import Energy, Temperature

__all__ = ["CUTOFFS", "UniversalLindblad", "check_choice", "check_number", "spectral_density"]

Reals = NDArray[np.float64]

COUPLINGS = ("sum", "components")
SIGNS = ("kms", "printed")
METHODS = ("exact", "chebyshev", "time_integral", "taylor")
# A transition at the cutoff itself counts as inside, whatever round-off says of its energy.
_EDGE = 1e-9


def _hard(ratio: Reals) -> Reals:
    return (np.abs(ratio) <= 1.0 + _EDGE).astype(np.float64)


def _exponential(ratio: Reals) -> Reals:
    return np.exp(-np.abs(ratio))


def _drude(ratio: Reals) -> Reals:
    return 1.0 / (1.0 + ratio**2)


#: Cutoff functions of w / omega_max by name.
CUTOFFS: dict[str, Callable[[Reals], Reals]] = {
    "hard": _hard,
    "exponential": _exponential,
    "drude": _drude,
}


@register
@dataclass(frozen=True)
class UniversalLindblad(Bath):
    """One ohmic bath per localized spin, weakly coupled (``[bath] kind = "universal_lindblad"``).

    Parameters
    ----------
    temperature : float
        T of the bath, at least 0, in energy units.
    gamma : float
        Reorganization energy, the strength of the coupling.
    omega_max : float
        Cutoff frequency: the bath exchanges no energy above it.
    coupling : {"sum", "components"}
        What couples to the bath of spin i.  ``sum``: the one operator Sx + Sy + Sz (one jump);
        ``components``: each component, with a bath of its own (three jumps).
    sign : {"kms", "printed"}
        ``kms``: detailed balance at temperature T; ``printed``: the sign of the printed series,
        which is detailed balance at -T.
    cutoff : {"hard", "exponential", "drude"}
        Form of the cutoff; the papers have ``hard``.
    window : int
        Jump operators are computed from the spins at most this many couplings away; 0 takes the
        whole group if it has at most 1296 states, and otherwise as many spins as that allows.
    common : bool
        One bath for all spins, which couples to the sum of their operators, instead of one each.
    method : {"exact", "chebyshev", "time_integral", "taylor"}
        How jump operators are found: from eigenvectors, or as `baths.methods` says.
        ``time_integral`` without a ``window`` makes them matrix product operators where a group
        of spins has more than 1296 states (`baths.heisenberg`).
    edge : float
        Width over which ``chebyshev`` and ``time_integral`` round off a hard cutoff.
    tolerance : float
        Relative error of jump operators as matrix product operators.

    Raises
    ------
    InputError
        If a field is out of range; the message starts with ``bath.<field>``.
    """

    kind: ClassVar[str] = "universal_lindblad"

    temperature: Temperature
    gamma: Energy = 0.01
    omega_max: Energy = 3.0
    coupling: str = "sum"
    sign: str = "kms"
    cutoff: str = "hard"
    window: int = 0
    common: bool = False
    method: str = "exact"
    edge: float = 0.05
    tolerance: float = 1e-6

    def jump_operators(self, model: Any) -> list[JumpOperator]:
        """Jump operators of every localized spin, see `tnspin.baths.jumps`."""
        from tnspin.baths.jumps import jump_operators

        return jump_operators(model, self)

    def __post_init__(self) -> None:
        """Check every field."""
        check_number("temperature", self.temperature)
        check_number("gamma", self.gamma)
        check_number("omega_max", self.omega_max, positive=True)
        check_number("edge", self.edge, positive=True)
        check_number("tolerance", self.tolerance, positive=True)
        if not self.tolerance <= 0.1:
            raise InputError(f"bath.tolerance: {self.tolerance!r} is not a number up to 0.1")
        choices = {
            "coupling": COUPLINGS, "sign": SIGNS, "cutoff": tuple(CUTOFFS), "method": METHODS,
        }  # fmt: skip
        for name, allowed in choices.items():
            check_choice(name, getattr(self, name), allowed)
        if not isinstance(self.common, bool):
            raise InputError(f"bath.common: {self.common!r} is not true or false")
        whole = isinstance(self.window, int | np.integer) and not isinstance(self.window, bool)
        if not whole or self.window < 0:
            raise InputError(f"bath.window: {self.window!r} is not an integer of at least 0")

    def rate(self, omega: ArrayLike, *, cutoff: str = "") -> Reals:
        """``2 pi j(w)`` for an energy w given to the spins, with the chosen sign.

        ``cutoff`` replaces that of the bath; "none" leaves it out.
        """
        w = np.asarray(omega, dtype=np.float64)
        return (
            2.0
            * np.pi
            * spectral_density(
                -w if self.sign == "printed" else w,
                self.temperature,
                gamma=self.gamma,
                omega_max=self.omega_max,
                cutoff=cutoff or self.cutoff,
            )
        )


def spectral_density(
    omega: ArrayLike,
    temperature: float,
    *,
    gamma: Energy = 0.01,
    omega_max: Energy = 3.0,
    cutoff: str = "hard",
) -> Reals:
    r"""Ohmic spectral density times the Bose function (PRA Eq. 20, FATE Eq. 5), any shape.

    .. math:: j(w) = \frac{\Gamma}{\omega_m} \frac{w}{e^{w/T} - 1}\, \theta(w/\omega_m)

    with ``j(0) = Gamma T / omega_m`` and, at T = 0, ``-Gamma w / omega_m`` for w < 0 and nothing
    else.  Energies are computed from ``exp(-|w|/T)`` so that no temperature overflows.  ``cutoff``
    is one of `CUTOFFS`, or "none".
    """
    w = np.asarray(omega, dtype=np.float64)
    size = np.abs(w)
    # So far below T the limit w -> 0 is exact, and no division by zero is left.
    small = size <= 1e-16 * temperature
    if temperature > 0:
        with np.errstate(over="ignore"):
            ratio = np.where(small, 1.0, size / temperature)
        given = np.where(w > 0, np.exp(-ratio), 1.0)
        bose = np.where(small, temperature, given * size / -np.expm1(-ratio))
    else:
        bose = np.where(w < 0, size, 0.0)
    density = gamma / omega_max * bose
    return density if cutoff == "none" else density * CUTOFFS[cutoff](w / omega_max)


def check_number(name: str, value: Any, positive: bool = False) -> None:
    """Refuse what is not a finite number of at least 0, or above 0."""
    real = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if not real or not np.isfinite(value) or value < 0 or (positive and value == 0):
        wanted = "positive number" if positive else "number of at least 0"
        raise InputError(f"bath.{name}: {value!r} is not a {wanted}")


def check_choice(name: str, value: Any, allowed: tuple[str, ...]) -> None:
    """Refuse what is not one of the allowed names."""
    if value not in allowed:
        options = ", ".join(allowed)
        raise InputError(f"bath.{name}: {value!r} is not one of {options}{nearest(value, allowed)}")
