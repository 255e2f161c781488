"""Mean fields: product states of spins under a Hamiltonian and a bath.

`Hartree` is the reduction of any master equation to product states, `GeneralizedLandauLifshitz`
the printed equation of open Heisenberg chains, `SiteProduct` the state that both evolve.
"""

from __future__ import annotations

from tnspin.mean_field.hartree import Hartree
from tnspin.mean_field.printed import GeneralizedLandauLifshitz
from tnspin.mean_field.state import SiteProduct

__all__ = ["GeneralizedLandauLifshitz", "Hartree", "SiteProduct"]
