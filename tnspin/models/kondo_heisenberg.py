"""Kondo-Heisenberg chain: electrons hopping along a wire past groups of localized spins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, cast

from tnspin.models.base import Model, Sites, Spin
from tnspin.operators.operator_sum import OperatorSum
from tnspin.operators.sites import Site, doubled_spin, electron, kondo
from tnspin.schema.checks import require
from tnspin.schema.register import register
from tnspin.schema.types import Natural, Vector

Groups = tuple[tuple[int, ...], ...]
PerGroup = float | tuple[float, ...]
_Item = tuple[Any, ...]


@register
@dataclass(frozen=True)
class KondoHeisenbergChain(Model):
    r"""Tight-binding electrons exchange-coupled to Heisenberg-coupled localized spins.

    .. math::
        H = -\gamma \sum_{i\sigma} (c^+_{i\sigma} c_{i+1\sigma} + h.c.)
            - \sum_g J_{sd}^g \sum_{i \in g} s_i \cdot S_i
            - \sum_g \sum_{i,i+1 \in g} [J_z^g S^z_i S^z_{i+1}
                                         + J^g (S^x_i S^x_{i+1} + S^y_i S^y_{i+1})]
            - V \sum_{i < w} n_i - B_e \cdot \sum_i s_i - \sum_g B_g \cdot \sum_{i \in g} S_i

    (Phys. Rev. X 11, 021062, Eqs. 1-3, with any number of groups g.)

    Parameters
    ----------
    sites : int
        Length of the chain.
    localized : sequence of int, or sequence of such sequences
        0-based sites that carry a localized spin; a list of lists makes one group each.
    hopping : float
        gamma, the energy unit of the published runs.
    J : float or one per group
        Exchange in plane between neighbouring localized sites of the same group.
    Jz : float or one per group
        Exchange along z between them, J if not given.
    J_sd : float or one per group
        Exchange between electrons and localized spins.
    convention : {"pauli", "mixed", "spin"}
        What S and s stand for in H when the localized spins are spin-1/2: Pauli matrices and
        c+ sigma c as printed (``pauli``), Pauli matrices and c+ sigma c / 2 (``mixed``), or both
        halved (``spin``). Localized spins above 1/2 always enter as spin matrices; the convention
        then sets only s.
    spin : float
        S of the localized spins.
    well : int
        Number of leftmost sites whose energy is lowered.
    well_depth : float
        Energy by which they are lowered.
    electron_field : vector
        Field on the electron spin of every site, entering as -B.s.
    localized_field : vector or one per group
        Field on the localized spins, entering as -B.S.
    """

    kind = "kondo_heisenberg"

    sites: Sites
    localized: tuple[int, ...] | Groups
    hopping: float = 1.0
    J: PerGroup = 0.1
    Jz: PerGroup | None = None
    J_sd: PerGroup = 0.5
    convention: Literal["pauli", "mixed", "spin"] = "pauli"
    spin: Spin = 0.5
    well: Natural = 0
    well_depth: float = 0.0
    electron_field: Vector = (0.0, 0.0, 0.0)
    localized_field: Vector | tuple[Vector, ...] = (0.0, 0.0, 0.0)

    def check(self) -> None:
        """Refuse sites outside the chain or named twice, and lists that do not fit the groups."""
        sites = self.localized_sites
        inside = all(0 <= k < self.sites for k in sites)
        allowed = f"sites of the chain (0..{self.sites - 1}), each named once"
        require(
            inside and len(set(sites)) == len(sites), "model.localized", self.localized, allowed
        )
        for name in ("J", "Jz", "J_sd", "localized_field"):
            self._per_group(name)
        require(self.well <= self.sites, "model.well", self.well, f"at most the {self.sites} sites")

    @cached_property
    def groups(self) -> Groups:
        """Localized sites of each ferromagnet."""
        if any(isinstance(part, tuple) for part in self.localized):
            return cast(Groups, self.localized)
        return (cast(tuple[int, ...], self.localized),)

    @cached_property
    def localized_sites(self) -> tuple[int, ...]:
        """All localized sites, in the order given."""
        return tuple(site for group in self.groups for site in group)

    @cached_property
    def local_sites(self) -> tuple[Site, ...]:
        """The chain: electron levels, and electron x spin at the localized sites."""
        localized = set(self.localized_sites)
        return tuple(kondo(self.spin) if k in localized else electron() for k in range(self.sites))

    @cached_property
    def localized_scale(self) -> float:
        """Factor from spin matrices to the S that stands in H."""
        return 2.0 if doubled_spin(self.spin) == 1 and self.convention != "spin" else 1.0

    @property
    def electron_scale(self) -> float:
        """Factor from c+ sigma c to the s that stands in H."""
        return 1.0 if self.convention == "pauli" else 0.5

    @cached_property
    def hamiltonian(self) -> OperatorSum:
        """H as an operator sum."""
        parts = (self._hopping, self._on_site, self._exchange_with_electrons, self._exchange)
        return OperatorSum.of(self.local_sites, (item for part in parts for item in part()))

    def _per_group(self, name: str) -> Sequence[Any]:
        """Values of a key for every group: one number or vector for all, or a list of them."""
        value, count = getattr(self, name), len(self.groups)
        first = value[0] if name == "localized_field" and value else value
        if not isinstance(first, tuple):
            return (value,) * count
        allowed = f"one value, or one for each of the {count} groups of model.localized"
        require(len(value) == count, f"model.{name}", value, allowed)
        return cast(tuple[Any, ...], value)

    def _hopping(self) -> Iterator[_Item]:
        for i in range(self.sites - 1):
            for s in ("up", "dn"):
                yield -self.hopping, f"cdag_{s}", i, f"c_{s}", i + 1
                yield -self.hopping, f"cdag_{s}", i + 1, f"c_{s}", i

    def _on_site(self) -> Iterator[_Item]:
        for i in range(self.well):
            yield -self.well_depth, "n", i
        for axis, field in zip("xyz", self.electron_field, strict=True):
            for i in range(self.sites):
                yield -self.electron_scale * field, f"s{axis}", i
        vectors = self._per_group("localized_field")
        for group, vector in zip(self.groups, vectors, strict=True):
            for axis, field in zip("xyz", vector, strict=True):
                for i in group:
                    yield -self.localized_scale * field, f"S{axis}", i

    def _exchange_with_electrons(self) -> Iterator[_Item]:
        scale = self.electron_scale * self.localized_scale
        for group, coupling in zip(self.groups, self._per_group("J_sd"), strict=True):
            for i in group:
                # sigma.S = sp Sm + sm Sp + sz Sz, the form in which every term conserves 2Sz.
                for s, local in (("sp", "Sm"), ("sm", "Sp"), ("sz", "Sz")):
                    yield -scale * coupling, s, i, local, i

    def _exchange(self) -> Iterator[_Item]:
        scale = self.localized_scale**2
        plane, along = self._per_group("J"), self._per_group("J" if self.Jz is None else "Jz")
        for group, j, jz in zip(self.groups, plane, along, strict=True):
            for i in sorted(group):
                if i + 1 in group:
                    yield -scale * j / 2, "Sp", i, "Sm", i + 1
                    yield -scale * j / 2, "Sm", i, "Sp", i + 1
                    yield -scale * jz, "Sz", i, "Sz", i + 1
