r"""Baths of localized spins: spectral densities and universal-Lindblad jump operators.

Every localized spin couples to a bosonic bath of its own.  The universal Lindblad equation
(Nathan and Rudner, Phys. Rev. B 102, 115109) has, for each coupling operator X, one jump operator

.. math::
    L_{mn} = \sqrt{2\pi j(E_m - E_n)}\, X_{mn},
    \qquad \dot\rho = -i[H, \rho] + \sum L\rho L^+ - \tfrac12\{L^+L, \rho\},

in the eigenbasis of the Hamiltonian of the localized spins alone (m final, n initial), group by
group: electrons pass quickly and are not part of what the bath sees (PRA Eqs. 17-20).  The
Lamb shift is left out, as in both papers.

``j(w)`` is the rate at which the bath gives the energy w to the spins.  Detailed balance,
``j(w) = exp(-w/T) j(-w)``, makes the Gibbs state at +T stationary to lowest order in the
coupling.  The power series printed in PRA Eq. 18 and FATE Eq. 4 has the opposite sign of i, which
gives j(-w) and the Gibbs state at -T; ``sign="printed"`` keeps it for comparison.

`base` has the base class of baths and `ohmic` the keys of ohmic ones, `groups` what the localized
spins do on their own, `jumps` puts both together, by eigenvectors or by the series and integrals of
`methods`.  `reaction_coordinate` takes one oscillator of a strongly coupled bath into the model
instead.  `open_heisenberg` has the local dissipators of a bath that neighbouring spins share.
"""

from tnspin.baths.base import Bath
from tnspin.baths.groups import group_hamiltonian, spin_groups
from tnspin.baths.jumps import UniversalLindblad, jump_operators
from tnspin.baths.ohmic import CUTOFFS, spectral_density
from tnspin.baths.open_heisenberg import OpenHeisenbergBath
from tnspin.baths.reaction_coordinate import ReactionCoordinate, WithCoordinate, residual_density
from tnspin.models import Model
from tnspin.operators.jump_operator import JumpOperator
from tnspin.schema import Registry

__all__ = [
    "BATHS",
    "CUTOFFS",
    "Bath",
    "JumpOperator",
    "OpenHeisenbergBath",
    "ReactionCoordinate",
    "UniversalLindblad",
    "WithCoordinate",
    "group_hamiltonian",
    "jump_operators",
    "jumps_of",
    "residual_density",
    "spectral_density",
    "spin_groups",
]

#: Kind -> class of bath.
BATHS = Registry("bath", __name__)


def jumps_of(model: Model, bath: Bath | None) -> list[JumpOperator]:
    """Return the jump operators of a bath of any kind, none without one."""
    return [] if bath is None else list(bath.jump_operators(model))
