"""Heisenberg chain of spins S, open or periodic, with the usual additions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import cos
from typing import Any

from tnspin.models.base import Model, Sites, Spin
from tnspin.models.lattice import Chain, Lattice, Ring
from tnspin.operators.operator_sum import OperatorSum
from tnspin.operators.sites import Site
from tnspin.operators.sites import spin as spin_site
from tnspin.schema.checks import require
from tnspin.schema.register import register
from tnspin.schema.types import Vector

_Item = tuple[Any, ...]


@dataclass(frozen=True)
class Cosine:
    """A coefficient ``amplitude cos(frequency t)``, compared by its numbers."""

    amplitude: float
    frequency: float

    def __call__(self, t: float) -> complex:
        """Return the value at time ``t``."""
        return complex(self.amplitude * cos(self.frequency * t))


@register
@dataclass(frozen=True)
class HeisenbergChain(Model):
    r"""Spins S with nearest-neighbour exchange; every site is "localized".

    .. math::
        H = \sum_i [J (S^x_i S^x_{i+1} + S^y_i S^y_{i+1}) + J_z S^z_i S^z_{i+1}
            + D \cdot (S_i \times S_{i+1})] - B \cdot \sum_i S_i - K \sum_i (S^z_i)^2
            - A \cdot \sum_i S_i \cos(\omega t)
            - b S^z_0 + d \sum_{i<j} (S_i \cdot S_j - 3 S^z_i S^z_j) / r_{ij}^3

    with spin matrices. Antiferromagnetic for J > 0.

    Parameters
    ----------
    sites : int
        Length of the chain, at least 2 (3 if periodic).
    spin : float
        S of every site: 0.5, 1, 1.5, ...
    J : float
        Exchange in plane.
    Jz : float
        Exchange along z, J if not given.
    field : vector
        B, entering as -B.S.
    periodic : bool
        Whether the last site is coupled to the first.
    dmi : vector
        D, the Dzyaloshinskii-Moriya vector of every bond.
    anisotropy : float
        K, easy axis along z for K > 0.
    impurity_field : float
        b, field along z on site 0 only.
    dipole : float
        d, dipole-dipole coupling of nearest neighbours; the interatomic axis is z, so it conserves
        Sz, and r_ij counts sites, the shorter way round if periodic.
    drive : vector
        A, amplitude of an oscillating field that enters as -A.S cos(omega t).
    drive_frequency : float
        omega, angular frequency of the oscillating field.
    """

    kind = "heisenberg"

    sites: Sites
    spin: Spin = 0.5
    J: float = 1.0
    Jz: float | None = None
    field: Vector = (0.0, 0.0, 0.0)
    periodic: bool = False
    dmi: Vector = (0.0, 0.0, 0.0)
    anisotropy: float = 0.0
    impurity_field: float = 0.0
    dipole: float = 0.0
    drive: Vector = (0.0, 0.0, 0.0)
    drive_frequency: float = 0.0

    def check(self) -> None:
        """Refuse a ring of two sites."""
        require(
            self.sites > 2 or not self.periodic, "model.sites", self.sites, "3 or more if periodic"
        )

    @cached_property
    def local_sites(self) -> tuple[Site, ...]:
        """The chain: one spin per site."""
        return (spin_site(self.spin),) * self.sites

    @cached_property
    def hamiltonian(self) -> OperatorSum:
        """H as an operator sum."""
        parts = (self._exchange(), self._dmi(), self._on_site(), self._dipole())
        return OperatorSum.of(self.local_sites, (item for part in parts for item in part))

    @property
    def _lattice(self) -> Lattice:
        return Ring(self.sites) if self.periodic else Chain(self.sites)

    def _exchange(self) -> Iterator[_Item]:
        along = self.J if self.Jz is None else self.Jz
        for i, j in self._lattice.bonds():
            yield from _xxz(self.J, along, i, j)

    def _dmi(self) -> Iterator[_Item]:
        x, y, z = self.dmi
        if not any(self.dmi):
            return
        for i, j in self._lattice.bonds():
            # Dz (Sx Sy - Sy Sx) = (i Dz / 2)(S+ S- - S- S+), term by term conserving 2Sz.
            yield 0.5j * z, "Sp", i, "Sm", j
            yield -0.5j * z, "Sm", i, "Sp", j
            for strength, a, b in ((x, "Sy", "Sz"), (y, "Sz", "Sx")):
                yield strength, a, i, b, j
                yield -strength, b, i, a, j

    def _on_site(self) -> Iterator[_Item]:
        for axis, strength in zip(("Sx", "Sy", "Sz"), self.field, strict=True):
            if strength:
                for i in range(self.sites):
                    yield -strength, axis, i
        for axis, strength in zip(("Sx", "Sy", "Sz"), self.drive, strict=True):
            if strength:
                wave = Cosine(-float(strength), float(self.drive_frequency))
                for i in range(self.sites):
                    yield wave, axis, i
        if self.anisotropy:
            for i in range(self.sites):
                yield -self.anisotropy, "Sz", i, "Sz", i
        yield -self.impurity_field, "Sz", 0

    def _dipole(self) -> Iterator[_Item]:
        if not self.dipole:
            return  # every pair of a long chain, for nothing
        for i in range(self.sites):
            for j in range(i + 1, self.sites):
                distance = min(j - i, self.sites - j + i) if self.periodic else j - i
                strength = self.dipole / distance**3
                yield from _xxz(strength, -2.0 * strength, i, j)


def _xxz(plane: float, along: float, i: int, j: int) -> Iterator[_Item]:
    yield plane / 2, "Sp", i, "Sm", j
    yield plane / 2, "Sm", i, "Sp", j
    yield along, "Sz", i, "Sz", j
