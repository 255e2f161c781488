"""Ohmic baths: their keys and their spectral density."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import ArrayLike

from tnspin.baths.base import Bath
from tnspin.numerics.arrays import Reals
from tnspin.schema.types import Natural, Positive, Quantity, Range, Temperature

Strength = Annotated[float, Range(least=0), Quantity("energy")]
Cutoff = Annotated[float, Range(above=0), Quantity("energy")]
# A transition at the cutoff itself counts as inside, whatever round-off says of its energy.
_EDGE = 1e-9


#: Cutoff functions of w / omega_max by name.
CUTOFFS: dict[str, Callable[[Reals], Reals]] = {
    "hard": lambda ratio: (np.abs(ratio) <= 1.0 + _EDGE).astype(np.float64),
    "exponential": lambda ratio: np.exp(-np.abs(ratio)),
    "drude": lambda ratio: 1.0 / (1.0 + ratio**2),
}


@dataclass(frozen=True)
class OhmicBath(Bath):
    """Base of baths with an ohmic spectral density and a cutoff.

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
        How jump operators are found: from eigenvectors (``exact``), or by series and
        integrals (`tnspin.baths.methods`).
        ``time_integral`` without a ``window`` makes them matrix product operators where a group
        of spins has more than 1296 states (`baths.heisenberg_picture`).
    edge : float
        Width over which ``chebyshev`` and ``time_integral`` round off a hard cutoff.
    tolerance : float
        Relative error of jump operators as matrix product operators.
    """

    temperature: Temperature
    gamma: Strength = 0.01
    omega_max: Cutoff = 3.0
    coupling: Literal["sum", "components"] = "sum"
    sign: Literal["kms", "printed"] = "kms"
    cutoff: Literal["hard", "exponential", "drude"] = "hard"
    window: Natural = 0
    common: bool = False
    method: Literal["exact", "chebyshev", "time_integral", "taylor"] = "exact"
    edge: Positive = 0.05
    tolerance: Annotated[float, Range(above=0, most=0.1)] = 1e-6

    def rate(self, omega: ArrayLike, *, cutoff: str = "") -> Reals:
        """``2 pi j(w)`` for an energy w given to the spins, with the chosen sign.

        ``cutoff`` replaces that of the bath; "none" leaves it out.
        """
        w = np.asarray(omega, dtype=np.float64) * (-1.0 if self.sign == "printed" else 1.0)
        density = spectral_density(
            w, self.temperature, gamma=self.gamma, omega_max=self.omega_max,
            cutoff=cutoff or self.cutoff,
        )  # fmt: skip
        return 2.0 * np.pi * density


def spectral_density(
    omega: ArrayLike,
    temperature: float,
    *,
    gamma: float = 0.01,
    omega_max: float = 3.0,
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
