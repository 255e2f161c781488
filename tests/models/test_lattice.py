"""Lattices against lists of bonds written by hand."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tnspin.errors import InputError
from tnspin.models.lattice import (
    LATTICES,
    Chain,
    Cylinder,
    Ladder,
    Lattice,
    Ring,
    Square,
    Zigzag,
)
from tnspin.schema.table import as_table


@pytest.mark.parametrize(
    ("lattice", "bonds"),
    [
        (Chain(4), [(0, 1), (1, 2), (2, 3)]),
        (Chain(1), []),
        (Ring(4), [(0, 1), (1, 2), (2, 3), (3, 0)]),
        (Zigzag(4), [(0, 1), (0, 2), (1, 2), (1, 3), (2, 3)]),
        (Ladder(3), [(0, 1), (0, 2), (1, 3), (2, 3), (2, 4), (3, 5), (4, 5)]),
        (Square(2, 3), [(0, 1), (0, 3), (1, 2), (1, 4), (2, 5), (3, 4), (4, 5)]),
        (
            Cylinder(2, 3),
            [(0, 1), (0, 3), (1, 2), (1, 4), (2, 0), (2, 5), (3, 4), (4, 5), (5, 3)],
        ),
    ],
)
def test_bonds(lattice, bonds):
    found = list(lattice.bonds())
    assert sorted(found) == sorted(bonds)
    assert len({frozenset(bond) for bond in found}) == len(found)
    assert {k for bond in found for k in bond} <= set(range(lattice.sites))
    assert lattice.sites == lattice.length * lattice.width
    assert LATTICES[lattice.kind] is type(lattice)
    assert LATTICES.build(as_table(lattice)) == lattice


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"kind": "rnig", "length": 3}, "lattice.kind = 'rnig'.*did you mean 'ring'"),
        ({"kind": "ring", "length": 2}, "lattice.length = 2: must be 3 or more"),
        ({"kind": "ring", "width": 2}, "lattice.width = 2: no such key"),
        ({"kind": "square", "length": 2}, "lattice.width: missing"),
        ({"kind": "cylinder", "length": 2, "width": 2}, "lattice.width = 2: must be 3 or more"),
        ({"kind": "ladder", "length": 2, "width": 3}, "lattice.width = 3: must be 2"),
    ],
)
def test_refusals_name_the_key(table, message):
    with pytest.raises(InputError, match=message):
        LATTICES.build(table)


def test_a_lattice_of_ones_own():
    @dataclass(frozen=True)
    class Star(Lattice):
        kind = "star"

        length: int
        width = 1

        def bonds(self):
            return ((0, k) for k in range(1, self.length))

    assert list(Star(4).bonds()) == [(0, 1), (0, 2), (0, 3)] and Star(4).sites == 4
