r"""The generalized Landau-Lifshitz equation of open Heisenberg chains, as printed (OHM Eqs. 12-14).

For each spin, with M = <sigma> and m = M/|M|,

.. math::
    \dot M = -M \times B_{eff} - \frac{1}{|M|} M \times (M \times D)
             - \Gamma (M_x/2, M_y/2, M_z + 1),
    \qquad B_{eff} = B + V m, \quad D = \alpha B_{eff} + \tfrac12 g,

where V stands for V_a/2 on the spins at both ends.  With alpha = 0 this is what the paper gives as
the mean field of its Eq. 9; D = alpha B_eff is the choice of its Fig. 2.

It is not the product-state reduction of Eq. 9, which `Hartree` is.  There each neighbour,
with M', gives :math:`+\tfrac12 g_z (M_z M'_x, M_z M'_y, -M_x M'_x - M_y M'_y)`: the opposite sign,
twice the size in the middle of a chain, and no normalization; the exchange field is that of the
neighbours' M' rather than of a unit vector along the spin's own; and spins relax towards
-1/(2 n_b + 1) instead of -1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnspin.baths.open_heisenberg import OpenHeisenbergBath
from tnspin.errors import InputError
from tnspin.models.open_heisenberg import OpenHeisenbergChain
from tnspin.states.mean_field import SiteProduct

Reals = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class GeneralizedLandauLifshitz:
    """Right-hand side of OHM Eqs. 12-14 for every spin of a chain.

    Parameters
    ----------
    model : OpenHeisenbergChain
        V and B.
    bath : OpenHeisenbergBath or None
        Gamma of the z axis and g_{a,-} - g_{a,+} of each axis.
    damping : float
        alpha: D has alpha B_eff added.

    Raises
    ------
    InputError
        For other models or baths, or on-site rates of the x and y axes, which are not printed.
    """

    model: Any
    bath: Any = None
    damping: float = 0.0

    def __post_init__(self) -> None:
        key = "solver.variant = 'printed'"
        if not isinstance(self.model, OpenHeisenbergChain):
            raise InputError(
                f"{key}: takes model.kind = 'open_heisenberg', not {self.model.kind!r}; "
                "'hartree' takes any spins"
            )
        if self.bath is not None and not isinstance(self.bath, OpenHeisenbergBath):
            raise InputError(
                f"{key}: takes bath.kind = 'open_heisenberg', not {self.bath.kind!r}; "
                "'hartree' takes any bath"
            )
        if self.bath is not None and self.bath.rates[:2].any():
            raise InputError(f"{key}: takes bath.gamma along z only; 'hartree' takes all axes")

    def __call__(self, t: float, x: Reals) -> Reals:
        """Derivative of M, (3 N,)."""
        moments = x.reshape(-1, 3)
        length = np.linalg.norm(moments, axis=1, keepdims=True)
        unit = np.divide(moments, length, out=np.zeros_like(moments), where=length > 0)
        shares = np.ones((len(moments), 1))
        shares[[0, -1]] = 0.5
        field = np.asarray(self.model.field) + shares * np.asarray(self.model.V) * unit
        aligning = self.damping * field
        rate = -np.cross(moments, field)
        if self.bath is not None:
            gains, losses = self.bath.neighbour_rates.T
            aligning = aligning + (losses - gains) / 2
            total = self.bath.rates[2].sum()
            rate -= total * np.array([0.5, 0.5, 1.0]) * moments
            rate[:, 2] -= total
        return (rate - np.cross(unit, np.cross(moments, aligning))).ravel()

    def components(self, state: SiteProduct) -> Reals:
        """M of every spin, (3 N,)."""
        return state.vectors.ravel()

    def state(self, x: Reals) -> SiteProduct:
        """The product state with these M."""
        return SiteProduct.of_vectors(self.model.local_sites, x.reshape(-1, 3))
