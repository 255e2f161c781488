"""Kondo-Heisenberg chain: electrons hopping along a wire past groups of localized spins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, ClassVar

from tnspin.errors import InputError
from tnspin.operators.operator_sum import OperatorSum
from tnspin.operators.sites import Site, doubled_spin, electron, kondo
from tnspin.schema import register
from tnspin.schema import values as check

CONVENTIONS = ("pauli", "mixed", "spin")
Vector = tuple[float, float, float]
_Item = tuple[Any, ...]


@register("model")
@dataclass(frozen=True)
class KondoHeisenbergChain:
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
    J, Jz, J_sd : float or one per group
        Exchange between neighbouring localized sites of the same group, in plane
        and along z (``Jz=None`` means ``Jz = J``), and electron-spin exchange.
    convention : {"pauli", "mixed", "spin"}
        What S and s stand for in H when the localized spins are spin-1/2.
        ``pauli``: Pauli matrices and c+ sigma c (as printed); ``mixed``: Pauli
        matrices and c+ sigma c / 2; ``spin``: both halved. Localized spins above
        1/2 always enter as spin matrices; the convention then sets only s.
    spin : float
        S of the localized spins.
    well, well_depth : int, float
        The leftmost ``well`` sites are lowered by ``well_depth``.
    electron_field : vector
        Field on the electron spin of every site, entering as -B.s.
    localized_field : vector or one per group
        Field on the localized spins, entering as -B.S.

    Raises
    ------
    InputError
        If a field is out of range; the message starts with ``model.<field>``.
    """

    kind: ClassVar[str] = "kondo_heisenberg"

    sites: int
    localized: Sequence[int] | Sequence[Sequence[int]]
    hopping: float = 1.0
    J: float | Sequence[float] = 0.1
    Jz: float | Sequence[float] | None = None
    J_sd: float | Sequence[float] = 0.5
    convention: str = "pauli"
    spin: float = 0.5
    well: int = 0
    well_depth: float = 0.0
    electron_field: Sequence[float] = (0.0, 0.0, 0.0)
    localized_field: Sequence[float] | Sequence[Sequence[float]] = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        """Check every field and store lists as tuples."""
        for item in fields(self):
            object.__setattr__(self, item.name, check.frozen(_plain(getattr(self, item.name))))
        check.integer("sites", self.sites, 2)
        groups = len(_groups(self.localized, self.sites))
        check.number("hopping", self.hopping)
        for name in ("J", "J_sd") if self.Jz is None else ("J", "Jz", "J_sd"):
            check.per_group(name, getattr(self, name), groups)
        check.choice("convention", self.convention, CONVENTIONS)
        try:
            doubled_spin(self.spin)
        except InputError as error:
            raise InputError(f"model.{error}") from None
        if check.integer("well", self.well, 0) > self.sites:
            raise InputError(f"model.well: {self.well} sites do not fit in a chain of {self.sites}")
        check.number("well_depth", self.well_depth)
        check.vector("electron_field", self.electron_field)
        check.vector_per_group("localized_field", self.localized_field, groups)

    @property
    def length(self) -> int:
        """Number of sites."""
        return self.sites

    @property
    def localized_spin(self) -> float:
        """S of the localized spins."""
        return float(self.spin)

    @cached_property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """Localized sites of each ferromagnet."""
        return _groups(self.localized, self.sites)

    @property
    def localized_sites(self) -> tuple[int, ...]:
        """All localized sites, in the order given."""
        return tuple(site for group in self.groups for site in group)

    @cached_property
    def local_sites(self) -> tuple[Site, ...]:
        """The chain: electron levels, and electron x spin at the localized sites."""
        localized = set(self.localized_sites)
        return tuple(kondo(self.spin) if k in localized else electron() for k in range(self.sites))

    @property
    def localized_scale(self) -> float:
        """Factor from spin matrices to the S that stands in H."""
        return (
            2.0 if doubled_spin(self.spin) == 1 and self.convention in ("pauli", "mixed") else 1.0
        )

    @property
    def electron_scale(self) -> float:
        """Factor from c+ sigma c to the s that stands in H."""
        return 1.0 if self.convention == "pauli" else 0.5

    @cached_property
    def hamiltonian(self) -> OperatorSum:
        """H as an operator sum."""
        parts = (
            self._hopping(),
            self._on_site(),
            self._exchange_with_electrons(),
            self._exchange(),
        )
        return OperatorSum.of(self.local_sites, (item for part in parts for item in part))

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
        fields_ = check.vector_per_group("localized_field", self.localized_field, len(self.groups))
        for group, vector in zip(self.groups, fields_, strict=True):
            for axis, field in zip("xyz", vector, strict=True):
                for i in group:
                    yield -self.localized_scale * field, f"S{axis}", i

    def _exchange_with_electrons(self) -> Iterator[_Item]:
        scale = self.electron_scale * self.localized_scale
        couplings = check.per_group("J_sd", self.J_sd, len(self.groups))
        for group, coupling in zip(self.groups, couplings, strict=True):
            for i in group:
                # sigma.S = sp Sm + sm Sp + sz Sz, the form in which every term conserves 2Sz.
                for s, local in (("sp", "Sm"), ("sm", "Sp"), ("sz", "Sz")):
                    yield -scale * coupling, s, i, local, i

    def _exchange(self) -> Iterator[_Item]:
        plane = check.per_group("J", self.J, len(self.groups))
        along = plane if self.Jz is None else check.per_group("Jz", self.Jz, len(self.groups))
        scale = self.localized_scale**2
        for group, j, jz in zip(self.groups, plane, along, strict=True):
            for i in sorted(group):
                if i + 1 in group:
                    yield -scale * j / 2, "Sp", i, "Sm", i + 1
                    yield -scale * j / 2, "Sm", i, "Sp", i + 1
                    yield -scale * jz, "Sz", i, "Sz", i + 1


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, range) else value


def _groups(localized: Any, length: int) -> tuple[tuple[int, ...], ...]:
    """Split ``localized`` into groups and check every site."""
    if not check.is_list(localized):
        raise InputError(f"model.localized: {localized!r} is not a list of sites or of such lists")
    nested = [check.is_list(part) for part in localized]
    if any(nested) and not all(nested):
        raise InputError("model.localized: mixes sites and lists of sites")
    groups = tuple(tuple(part) for part in localized) if any(nested) else (tuple(localized),)
    seen: set[int] = set()
    for site in (site for group in groups for site in group):
        if isinstance(site, bool) or not isinstance(site, int):
            raise InputError(f"model.localized: {site!r} is not an integer site")
        if not 0 <= site < length:
            raise InputError(f"model.localized: site {site} is outside the chain (0..{length - 1})")
        if site in seen:
            raise InputError(f"model.localized: site {site} is named twice")
        seen.add(site)
    return groups
