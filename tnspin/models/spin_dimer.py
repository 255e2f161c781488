"""Two spins 1/2 with exchange and Dzyaloshinskii-Moriya coupling in a field (QLLG Eq. 10)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import ClassVar, Literal

from tnspin.models.heisenberg import HeisenbergChain
from tnspin.operators.operator_sum import OperatorSum
from tnspin.operators.sites import Site, spin
from tnspin.schema import register
from tnspin.schema import values as check

# hbar gamma_g B0 in units of mu_B B0, in which J and D are given.
_G_FACTORS = {"printed": 1.0, "physical": 2.0}


@register("model")
@dataclass(frozen=True)
class SpinDimer:
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

    Raises
    ------
    InputError
        If a field is out of range; the message starts with ``model.<field>``.
    """

    kind: ClassVar[str] = "spin_dimer"

    J: float = 1.0
    dmi: Sequence[float] | float = (0.0, 0.0, 0.0)
    field: Sequence[float] = (1.0, 0.0, 0.0)
    g_convention: Literal["printed", "physical"] = "printed"

    def __post_init__(self) -> None:
        """Check every field and store lists as tuples."""
        if not check.is_list(self.dmi):
            object.__setattr__(self, "dmi", (0.0, 0.0, check.number("dmi", self.dmi)))
        for item in fields(self):
            object.__setattr__(self, item.name, check.frozen(getattr(self, item.name)))
        check.number("J", self.J)
        check.vector("dmi", self.dmi)
        check.vector("field", self.field)
        check.choice("g_convention", self.g_convention, tuple(_G_FACTORS))

    @property
    def length(self) -> int:
        """Number of sites."""
        return 2

    @property
    def localized_spin(self) -> float:
        """S of both."""
        return 0.5

    @property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """One group: both spins."""
        return ((0, 1),)

    @property
    def localized_sites(self) -> tuple[int, ...]:
        """Both sites."""
        return (0, 1)

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
        dmi = check.vector("dmi", self.dmi)
        x, y, z = (4.0 * part / g for part in dmi)
        return HeisenbergChain(2, J=4.0 * self.J / g, dmi=(x, y, z), field=self.field)
