"""Two spins 1/2 with exchange and Dzyaloshinskii-Moriya coupling in a field (QLLG Eq. 10)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, cast

from tnspin.models.base import Model
from tnspin.models.heisenberg import HeisenbergChain
from tnspin.operators.operator_sum import OperatorSum
from tnspin.operators.sites import Site, spin
from tnspin.schema.register import register
from tnspin.schema.types import Vector

# hbar gamma_g B0 in units of mu_B B0, in which J and D are given.
_G_FACTORS = {"printed": 1.0, "physical": 2.0}


@register
@dataclass(frozen=True)
class SpinDimer(Model):
    r"""Two spins 1/2, both localized, in units of the Zeeman splitting.

    .. math::
        H = -b \cdot (S_1 + S_2) + \frac{4}{g} [J S_1 \cdot S_2 + D \cdot (S_1 \times S_2)]

    with spin matrices; energies in units of hbar gamma_g B0, times in 1/(gamma_g B0), and
    hbar gamma_g = g mu_B. Antiferromagnetic for J > 0.

    Parameters
    ----------
    J : float
        Exchange in units of mu_B B0.
    dmi : vector or float
        D in units of mu_B B0; one number is a vector along z.
    field : vector
        b = B / B0.
    g_convention : {"printed", "physical"}
        g = 1 as printed, or g = 2. The classical equation of the paper (QLLG Eq. 1) is the mean
        field of the latter: its spins have the moment mu_B, which is that of g = 2.
    """

    kind = "spin_dimer"

    J: float = 1.0
    dmi: Vector | float = (0.0, 0.0, 0.0)
    field: Vector = (1.0, 0.0, 0.0)
    g_convention: Literal["printed", "physical"] = "printed"

    def check(self) -> None:
        """Store D as a vector."""
        if not isinstance(self.dmi, tuple):
            object.__setattr__(self, "dmi", (0.0, 0.0, float(self.dmi)))

    @property
    def local_sites(self) -> tuple[Site, ...]:
        """Two spins 1/2."""
        return (spin(0.5),) * 2

    @cached_property
    def hamiltonian(self) -> OperatorSum:
        """H as an operator sum."""
        return self._chain(_G_FACTORS[self.g_convention]).hamiltonian

    @cached_property
    def classical_hamiltonian(self) -> OperatorSum:
        """The sum whose classical energy makes the field b - J n of QLLG Eq. 1, for either g."""
        return self._chain(_G_FACTORS["physical"]).hamiltonian

    def _chain(self, g: float) -> HeisenbergChain:
        x, y, z = (4.0 * part / g for part in cast(Vector, self.dmi))
        return HeisenbergChain(2, J=4.0 * self.J / g, dmi=(x, y, z), field=self.field)
