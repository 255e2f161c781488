"""Open chain of spins 1/2 with an anisotropic exchange in a field (OHM Eq. 3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tnspin.models.base import Model, Sites
from tnspin.operators.operator_sum import OperatorSum
from tnspin.operators.sites import Site
from tnspin.operators.sites import spin as spin_site
from tnspin.schema.register import register
from tnspin.schema.types import Vector


@register
@dataclass(frozen=True)
class OpenHeisenbergChain(Model):
    r"""Spins 1/2 with one coupling for each axis; every site is "localized".

    .. math::
        H = B \cdot \sum_j S_j + \sum_a \sum_{j=1}^{N-1} V_a S^a_j S^a_{j+1}

    (OHM Eq. 3, gyromagnetic ratio 1) with spin matrices S = sigma/2.  The field enters with the
    sign of the paper: spins precess by dS/dt = B x S and are lowest in energy against B.

    Parameters
    ----------
    sites : int
        Length of the chain, at least 2.
    V : vector
        V_x, V_y, V_z; antiferromagnetic above 0.
    field : vector
        B, entering as +B.S.
    """

    kind = "open_heisenberg"
    shows_pairs = True

    sites: Sites = 3
    V: Vector = (0.5, 0.1, 0.1)
    field: Vector = (0.25, 0.25, -0.5)

    @cached_property
    def local_sites(self) -> tuple[Site, ...]:
        """The chain: one spin per site."""
        return (spin_site(0.5),) * self.sites

    @cached_property
    def hamiltonian(self) -> OperatorSum:
        """H as an operator sum."""
        items = (*self._exchange(), *self._zeeman())
        return OperatorSum.of(self.local_sites, items)

    def _exchange(self) -> Iterator[tuple[Any, ...]]:
        x, y, z = self.V
        # Term by term conserving 2Sz where the coupling does.
        same, other = (x + y) / 4, (x - y) / 4
        for j in range(self.sites - 1):
            yield same, "Sp", j, "Sm", j + 1
            yield same, "Sm", j, "Sp", j + 1
            yield other, "Sp", j, "Sp", j + 1
            yield other, "Sm", j, "Sm", j + 1
            yield z, "Sz", j, "Sz", j + 1

    def _zeeman(self) -> Iterator[tuple[Any, ...]]:
        for j in range(self.sites):
            for axis, strength in zip("xyz", self.field, strict=True):
                yield strength, f"S{axis}", j
