"""Locally purified density matrices under Trotter steps: positive whatever is truncated.

A step is a palindrome of H and of jump operators as channels on their own sites, at order 4 with
a, b such that weak dissipation costs no more than its square (McLachlan, BIT 35, 258 (1995);
Laskar and Robutel, Celest. Mech. 80, 39 (2001))::

    order 2:            channels(dt/2)  H(dt)    channels(dt/2)
    order 4:  H(a dt)   channels(dt/2)  H(b dt)  channels(dt/2)  H(a dt)

H is itself split into Trotter layers of neighbours and, around them, unitaries for each coupling
beyond; every factor is a completely positive map.  A channel appends its Kraus index to the
ancilla of one site, which is then compressed together with those of its neighbours
(`mps.purified.ancillas`): the ledger says what that and the truncation of bonds have cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from tnspin.schema import register
from tnspin.schema.types import Count, Fraction, Order
from tnspin.solvers.tebd import TrotterSolver


@register
@dataclass(frozen=True)
class Purification(TrotterSolver):
    """The density matrix in locally purified form: positive, whatever is truncated.

    The error of order 4 over a fixed time falls as ``r dt**4 + r**2 dt**2`` where the jumps have
    rates of size r: H goes back in time, the channels never do.

    Parameters
    ----------
    kraus_dim
        Largest number of states of the ancilla of a site.
    kraus_cutoff
        Weight (trace distance) that the compression of an ancilla may drop.
    kraus_sites
        Neighbours whose ancillas are compressed together; 1: each alone.
    """

    kind = "purification"
    represents: ClassVar[str] = "purified"
    accepts: ClassVar[tuple[str, ...]] = ("bath",)
    context: ClassVar[tuple[str, ...]] = ("ledger", "jumps")
    kernels: ClassVar[tuple[str, ...]] = ("tebd",)
    referee: ClassVar[str] = "master_equation"
    loops: ClassVar[str] = "yes"

    order: Order = 4
    bond_dim: Count = 200
    cutoff: Fraction = 1e-10
    kraus_dim: Count = 32
    kraus_cutoff: Fraction = 1e-9
    kraus_sites: Count = 3

    @classmethod
    def motion(cls) -> type[Any]:
        """Class of the evolution."""
        from tnspin.solvers.purification.evolve import PurifiedMotion

        return PurifiedMotion
