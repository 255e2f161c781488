r"""The reaction coordinate: a bath as one oscillator in the model, and a residual bath on it.

.. math::
    H \to H + \lambda \sum_i (S^x_i + S^y_i + S^z_i)(b + b^+) + \Omega\, b^+ b

(FATE Eq. 6).  For the ohmic density with a hard cutoff, w Gamma / omega_m, the map gives
:math:`\Omega^2 = \int w^3 J / \int w J = \tfrac35 \omega_m^2` and
:math:`\lambda^2 = \int w J / (2\pi\Omega) = \sqrt{5/3}\, \Gamma\omega_m / 6\pi`.  The frequency
printed, :math:`\sqrt{5/3}\,\omega_m`, contradicts lambda and Eq. 7; ``frequency="printed"`` keeps
it for comparison.

The residual bath couples to b + b^+ and does not depend on Gamma.  It is treated by the universal
Lindblad equation in the eigenbasis of the larger H, with rate :math:`2\pi J'` (Eq. 7).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from math import pi, sqrt
from typing import Annotated, Literal

import numpy as np
from numpy.typing import ArrayLike

from tnspin.baths.base import Bath
from tnspin.baths.jumps import in_eigenbasis
from tnspin.baths.ohmic import Cutoff, Strength, spectral_density
from tnspin.errors import InputError
from tnspin.models import Model
from tnspin.models.purified import Extended
from tnspin.numerics.arrays import Reals
from tnspin.operators.basis import ChargeBasis
from tnspin.operators.jump_operator import JumpOperator
from tnspin.operators.operator_sum import OperatorSum
from tnspin.operators.sites import Site, boson
from tnspin.operators.sparse import to_sparse
from tnspin.schema.register import register
from tnspin.schema.types import Range, Temperature
from tnspin.states.ensemble import Ensemble
from tnspin.states.vector import VectorState

# Largest space whose H is diagonalized for the jump operator.
_MOST_STATES = 2048
# Probability of a level of the oscillator that is left out.
_EMPTY = 1e-14


@register
@dataclass(frozen=True)
class ReactionCoordinate(Bath):
    """One bath for all spins, as an oscillator (``[bath] kind = "reaction_coordinate"``).

    Parameters
    ----------
    temperature : float
        T of the residual bath, and of the oscillator at the start.
    gamma : float
        Reorganization energy of the bath that is mapped.
    omega_max : float
        Cutoff frequency of the bath that is mapped.
    coupling : {"sum", "x", "y", "z"}
        Which component of the spins couples: Sx + Sy + Sz, or one of them.
    levels : int
        Levels of the oscillator, at least 2.
    sign : {"kms", "printed"}
        Detailed balance at temperature T (``kms``) or, as printed, at -T (``printed``).
    frequency : {"corrected", "printed"}
        Frequency of the oscillator, as the mapping gives it or as printed.
    """

    kind = "reaction_coordinate"
    extends_model = True

    temperature: Temperature
    gamma: Strength = 0.1
    omega_max: Cutoff = 3.0
    coupling: Literal["sum", "x", "y", "z"] = "sum"
    levels: Annotated[int, Range(least=2)] = 15
    sign: Literal["kms", "printed"] = "kms"
    frequency: Literal["corrected", "printed"] = "corrected"

    @property
    def strength(self) -> float:
        """Lambda, coupling of the spins to the oscillator."""
        return sqrt(sqrt(5 / 3) * self.gamma * self.omega_max / (6 * pi))

    @property
    def omega(self) -> float:
        """Frequency Omega of the oscillator."""
        ratio = 3 / 5 if self.frequency == "corrected" else 5 / 3
        return sqrt(ratio) * self.omega_max

    def rate(self, omega: ArrayLike) -> Reals:
        """``2 pi J'(w)`` for an energy w given to the larger system, with the chosen sign."""
        w = np.asarray(omega, dtype=np.float64)
        w = -w if self.sign == "printed" else w
        return 2 * pi * residual_density(w, self.temperature, omega_max=self.omega_max)

    def populations(self) -> Reals:
        """Probability of each level of the oscillator at temperature T, (levels,)."""
        if self.temperature == 0:
            return np.eye(self.levels)[0]
        weights = np.exp(-np.arange(self.levels) * self.omega / self.temperature)
        return weights / weights.sum()

    def extended(self, model: Model) -> WithCoordinate:
        """Return the model with the oscillator as its last site."""
        return WithCoordinate(model, self)

    def extended_state(self, model: WithCoordinate, state: VectorState | Ensemble) -> Ensemble:
        """Return the state of the spins with the oscillator in its thermal state."""
        return model.with_oscillator(state)

    def jump_operators(self, model: Model) -> list[JumpOperator]:
        """Return the one jump operator of the residual bath.

        Raises
        ------
        InputError
            If the larger system cannot be diagonalized.
        """
        basis = ChargeBasis(model.local_sites)
        if basis.dim > _MOST_STATES:
            raise InputError(
                f"bath.levels: spins and oscillator have {basis.dim} states; at most"
                f" {_MOST_STATES} can be diagonalized"
            )
        position = OperatorSum.of(model.local_sites, [(1.0, "x", model.length - 1)])
        matrix = in_eigenbasis(
            to_sparse(model.hamiltonian).toarray(), to_sparse(position).toarray(), self.rate
        )
        if not matrix.any():
            return []
        # 2Sz, if conserved at all, is not changed by b + b^+.
        charge = 0 if "2Sz" in model.hamiltonian.conserved() else None
        return [JumpOperator(tuple(range(model.length)), matrix, charge, "b + b^+")]


def residual_density(omega: ArrayLike, temperature: float, *, omega_max: float = 3.0) -> Reals:
    r"""Density of the residual bath times the Bose function (FATE Eq. 7), any shape.

    .. math::
        J'(w) = \frac{2\pi\sqrt{5/3}\; w\, \omega_m^2\, n(w)}
                     {3\,[\pi^2 w^2 + 4 (w \operatorname{artanh}(w/\omega_m) - \omega_m)^2]}

    and 0 beyond the cutoff, where the denominator diverges.
    """
    w = np.asarray(omega, dtype=np.float64)
    ohmic = spectral_density(w, temperature, gamma=1.0, omega_max=1.0, cutoff="none")
    inside = np.abs(w) < omega_max
    ratio = np.where(inside, w / omega_max, 0.0)
    bend = w * np.arctanh(ratio) - omega_max
    density = 2 * pi * sqrt(5 / 3) * ohmic * omega_max**2 / 3 / (pi**2 * w**2 + 4 * bend**2)
    return np.where(inside, density, 0.0)


@dataclass(frozen=True)
class WithCoordinate(Extended):
    """A model of spins with the oscillator of a `ReactionCoordinate` as its last site.

    Parameters
    ----------
    model
        Any model of localized spins.
    bath : ReactionCoordinate
        Frequency, coupling and number of levels.
    """

    kind = "with_coordinate"

    bath: ReactionCoordinate

    @cached_property
    def local_sites(self) -> tuple[Site, ...]:
        """The chain and the oscillator, all of which jump operators act on."""
        oscillator = boson(self.bath.levels)
        return (*self.model.local_sites, replace(oscillator, spin_dim=oscillator.dim))

    @cached_property
    def hamiltonian(self) -> OperatorSum:
        """H with oscillator and coupling."""
        last = self.length - 1
        axes = "xyz" if self.bath.coupling == "sum" else self.bath.coupling
        strength = self.bath.strength * self.localized_scale
        coupling = [(strength, f"S{a}", k, "x", last) for k in self.localized_sites for a in axes]
        added = OperatorSum.of(self.local_sites, [(self.bath.omega, "n", last), *coupling])
        return OperatorSum(self.local_sites, self.model.hamiltonian.terms) + added

    def with_oscillator(self, state: VectorState | Ensemble) -> Ensemble:
        """A state of the spins times the thermal state of the oscillator, as a mixture."""
        given = state.members if isinstance(state, Ensemble) else ((1.0, state),)
        states, weights = [], []
        for share, one in given:
            charges = one.basis.charges if one.basis.charge_names else None
            basis = ChargeBasis(self.local_sites, charges)
            for level, weight in enumerate(self.bath.populations()):
                if weight > _EMPTY:
                    # The oscillator is the fastest index of every sector.
                    vector = np.kron(one.vector, np.eye(self.bath.levels)[level])
                    states.append(VectorState(self.local_sites, vector, basis))
                    weights.append(float(share * weight))
        return Ensemble(tuple(states), tuple(weights))
