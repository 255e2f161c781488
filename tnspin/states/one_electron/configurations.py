"""Spin configurations of one electron and the localized spins, without the electron's position."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tnspin.errors import InputError
from tnspin.numerics.arrays import Ints
from tnspin.operators.basis import ChargeBasis
from tnspin.operators.sites import Site, make_site

#: Position of the electron's spin among the factors.
ELECTRON = 0


@dataclass(frozen=True, eq=False)
class Table:
    """Configurations sorted by the states of a few factors, for one charge of these.

    Attributes
    ----------
    codes
        (n,) states of the chosen factors, Kronecker order.
    index
        (n, m) configuration with those states, one column per state of all other factors.
    rest
        Total of each conserved charge of the other factors.
    """

    codes: Ints
    index: Ints
    rest: tuple[int, ...]


class Configurations:
    """Product basis of the electron's spin and the localized spins in a charge sector.

    Parameters
    ----------
    sites
        The chain, length L.
    charges
        Total of each conserved charge; "N" must be 1 (and may be left out).

    Attributes
    ----------
    factors
        The electron's spin, then of each site that has one its ancilla (purified sites) and its
        localized spin.
    basis
        Basis of the factors: ``dim`` configurations, electron spin slowest.

    Raises
    ------
    InputError
        If no site holds electrons or N is not 1.
    """

    def __init__(self, sites: Sequence[Site], charges: Mapping[str, int]) -> None:
        self.sites = tuple(sites)
        self.charges = dict(charges)
        if self.charges.get("N", 1) != 1:
            raise InputError(f"charges: N = {self.charges['N']}, this state holds one electron")
        electronic = [site for site in self.sites if site.has_fermions]
        if not electronic:
            raise InputError("sites: none of them holds electrons")
        self.factors: list[Site] = [_electron_spin(electronic[0])]
        self._rest: dict[int, tuple[int, ...]] = {}
        self._spin: dict[int, int] = {}
        for k, site in enumerate(self.sites):
            parts = _rest_factors(site)
            start = len(self.factors)
            self._rest[k] = tuple(range(start, start + len(parts)))
            if parts:
                self._spin[k] = start + len(parts) - 1
            self.factors.extend(parts)
        fixed = {name: total for name, total in self.charges.items() if name != "N"}
        self.basis = ChargeBasis(self.factors, fixed)
        self.table = lru_cache(maxsize=512)(self._table)

    def __reduce__(self) -> tuple[object, ...]:
        # Caches cannot be pickled; states travel to worker processes.
        return Configurations, (self.sites, self.charges)

    @property
    def dim(self) -> int:
        """Number of configurations."""
        return self.basis.dim

    @property
    def length(self) -> int:
        """Number of sites of the chain."""
        return len(self.sites)

    def rest(self, site: int) -> tuple[int, ...]:
        """Factors of a site other than the electron: ancilla and localized spin, or none."""
        return self._rest[site]

    def spin(self, site: int) -> int:
        """Factor that is the localized spin of a site.

        Raises
        ------
        InputError
            If there is no such spin.
        """
        if site not in self._spin:
            raise InputError(f"sites: {site} has no localized spin")
        return self._spin[site]

    def dims(self, factors: Sequence[int]) -> tuple[int, ...]:
        """Dimension of each of some factors."""
        return tuple(self.factors[f].dim for f in factors)

    def _table(self, chosen: tuple[int, ...]) -> list[Table]:
        """Configurations by the states of ``chosen`` (ascending factors), charge by charge.

        States with one charge combine with every state of the rest that has the remaining
        charge, so the configurations form full rectangles.
        """
        basis = self.basis
        dims = self.dims(chosen)
        states = np.indices(dims).reshape(len(dims), -1).T if chosen else np.zeros((1, 0), int)
        charge = np.zeros((len(states), len(basis.charges)), dtype=np.int64)
        for column, f in enumerate(chosen):
            charge += basis.local_charges(self.factors[f])[states[:, column]]
        others = [f for f in range(len(self.factors)) if f not in chosen]
        tables = []
        for total in np.unique(charge, axis=0):
            codes = np.flatnonzero((charge == total).all(axis=1))
            left_over = {
                name: value - int(part)
                for (name, value), part in zip(basis.charges.items(), total, strict=True)
            }
            outside = self._outside(others, left_over)
            if len(outside) == 0:
                continue
            joint = np.empty((len(codes), len(outside), len(self.factors)), dtype=np.uint8)
            joint[:, :, list(chosen)] = states[codes][:, None, :]
            joint[:, :, others] = outside[None, :, :]
            index = basis.index(joint.reshape(-1, len(self.factors)))
            index = index.reshape(len(codes), len(outside))
            tables.append(Table(codes, index, tuple(left_over.values())))
        return tables

    def _outside(self, others: list[int], charges: dict[str, int]) -> NDArray[np.uint8]:
        if not others:
            return np.zeros((0 if any(charges.values()) else 1, 0), dtype=np.uint8)
        basis = ChargeBasis([self.factors[f] for f in others], charges, allow_empty=True)
        return basis.states if basis.dim else np.zeros((0, len(others)), dtype=np.uint8)


def _levels(site: Site) -> int:
    """Electron levels of a site: 4, or 1 if it holds none."""
    return 4 if site.has_fermions else 1


def _electron_spin(site: Site) -> Site:
    """Factor with the states up and down of the electron."""
    inner = site.dim // 4
    charges = {}
    for name in site.charges:
        table = site.charge(name).reshape(4, inner)[:, 0]
        charges[name] = tuple((table[1:3] - table[0]).tolist())
    return make_site("electron spin", ("up", "dn"), charges, {})


def _rest_factors(site: Site) -> list[Site]:
    """Ancilla (if any) and localized spin of a site, with charges that add up to the site's."""
    inner, spin = site.dim // _levels(site), site.spin_dim
    if inner == 1:
        return []
    front, back = {}, {}
    for name in site.charges:
        table = site.charge(name)[:inner].reshape(-1, spin)
        # The spin's own 2Sz is 2m; what remains is the ancilla's.
        own = spin - 1 - 2 * np.arange(spin) if name == "2Sz" else table[0] - table[0, 0]
        rest = table[:, 0] - own[0]
        if np.any(table != rest[:, None] + own[None, :]):
            raise InputError(f"charges: {name!r} of a {site.name} site does not split")
        front[name], back[name] = tuple(rest.tolist()), tuple(own.tolist())
    factors = [make_site("spin", tuple(map(str, range(spin))), back, {})]
    if inner > spin:
        ancilla = make_site("ancilla", tuple(map(str, range(inner // spin))), front, {})
        factors.insert(0, ancilla)
    elif any(any(values) for values in front.values()):
        raise InputError(f"charges: those of an empty {site.name} site are not those of its spin")
    return factors
