"""Lattices: which sites are neighbours.  Site ``width x + y`` lies in column x and row y."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, ClassVar

from tnspin.schema.register import Registry, register
from tnspin.schema.table import Table
from tnspin.schema.types import Count, Range


class Lattice(Table):
    """Base of all lattices; a lattice of one's own needs ``length`` and `bonds`.

    Attributes
    ----------
    length
        Number of columns.
    width
        Number of rows.
    """

    section = "lattice"

    length: int
    width: int

    @property
    def sites(self) -> int:
        """Number of sites."""
        return self.length * self.width

    @abstractmethod
    def bonds(self) -> Iterator[tuple[int, int]]:
        """Yield the two sites of every bond, each bond once."""


#: Lattices by the ``kind`` of the TOML.
LATTICES = Registry("lattice", str(__package__))


class _Line(Lattice):
    """A lattice of one row."""

    width = 1


@register
@dataclass(frozen=True)
class Chain(_Line):
    """Open chain.

    Parameters
    ----------
    length : int
        Number of sites.
    """

    kind = "chain"

    length: Count

    def bonds(self) -> Iterator[tuple[int, int]]:
        """Yield every site and the next one."""
        return pairwise(range(self.length))


@register
@dataclass(frozen=True)
class Ring(_Line):
    """Chain whose last site is a neighbour of the first.

    Parameters
    ----------
    length : int
        Number of sites, at least 3.
    """

    kind = "ring"

    length: Annotated[int, Range(least=3)]

    def bonds(self) -> Iterator[tuple[int, int]]:
        """Yield every site and the next one, the last and the first at the end."""
        yield from pairwise([*range(self.length), 0])


@register
@dataclass(frozen=True)
class Zigzag(_Line):
    """Chain with bonds to nearest and next-nearest neighbours: a ladder of triangles.

    Parameters
    ----------
    length : int
        Number of sites.
    """

    kind = "zigzag"

    length: Count

    def bonds(self) -> Iterator[tuple[int, int]]:
        """Yield every site with the next one and the one after that."""
        for i in range(self.length):
            yield from ((i, j) for j in (i + 1, i + 2) if j < self.length)


@register
@dataclass(frozen=True)
class Square(Lattice):
    """Rectangle of the square lattice, open on all sides.

    Parameters
    ----------
    length : int
        Number of columns.
    width : int
        Number of rows.
    """

    kind = "square"
    #: Whether the last row is a neighbour of the first.
    closed: ClassVar[bool] = False

    length: Count
    width: Count

    def bonds(self) -> Iterator[tuple[int, int]]:
        """Yield the bonds of every site within its column, and to the next column."""
        for site in range(self.sites):
            x, y = divmod(site, self.width)
            if y + 1 < self.width:
                yield site, site + 1
            elif self.closed:
                yield site, site - y
            if x + 1 < self.length:
                yield site, site + self.width


@register
@dataclass(frozen=True)
class Ladder(Square):
    """Two chains with rungs between them.

    Parameters
    ----------
    length : int
        Number of rungs.
    width : int
        Number of legs, 2.
    """

    kind = "ladder"

    width: Annotated[int, Range(least=2, most=2)] = 2


@register
@dataclass(frozen=True)
class Cylinder(Square):
    """Square lattice whose last row is a neighbour of the first.

    Parameters
    ----------
    length : int
        Number of columns.
    width : int
        Number of rows around the cylinder, at least 3.
    """

    kind = "cylinder"
    closed = True

    width: Annotated[int, Range(least=3)]
