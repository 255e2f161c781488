"""Small systems with their terms written out, for the tests of the engine."""

from __future__ import annotations

import numpy as np

from tnspin.mps import MPS
from tnspin.operators.sites import electron, kondo, spin

METHOD_NAMES = ("svd", "gram", "range", "auto")


def xxz(length, s=0.5, J=1.0, Jz=0.7, field=0.3):
    """(kinds, sites, terms) of an XXZ chain in a field that grows along it."""
    items = [(field * (i + 1) / length, "Sz", i) for i in range(length)]
    for i in range(length - 1):
        items += [(J / 2, "Sp", i, "Sm", i + 1), (J / 2, "Sm", i, "Sp", i + 1)]
        items.append((Jz, "Sz", i, "Sz", i + 1))
    return [("spin", s)] * length, (spin(s),) * length, items


def kondo_chain(length, localized, J_sd=0.8, J=0.3):
    """Hopping electrons, coupled to spins 1/2 at ``localized``, which are coupled to each other."""
    kinds = [("kondo", 0.5) if i in localized else ("electron",) for i in range(length)]
    sites = tuple(kondo(0.5) if i in localized else electron() for i in range(length))
    items = []
    for i in range(length - 1):
        for s in ("up", "dn"):
            items += [
                (-1.0, f"cdag_{s}", i, f"c_{s}", i + 1),
                (-1.0, f"cdag_{s}", i + 1, f"c_{s}", i),
            ]
    for i in localized:
        for axis in "xyz":
            items.append((-J_sd, f"s{axis}", i, f"S{axis}", i))
            if i + 1 in localized:
                items.append((-J, f"S{axis}", i, f"S{axis}", i + 1))
    return kinds, sites, items


def basis_state(sites, states, names):
    return MPS.product(sites, [np.eye(s.dim)[k] for s, k in zip(sites, states, strict=True)], names)


def last(snapshots):
    *_, final = snapshots
    return final


def same_bits(a, b):
    """Whether two states are the same numbers, not just the same state."""
    for x, y in zip((*a.bonds, *a.tensors), (*b.bonds, *b.tensors), strict=True):
        assert all(p.tobytes() == q.tobytes() for p, q in zip(x, y, strict=True))


def truncation_bound(ledger, length):
    """Largest possible error of the vector: each update moves it by the root of its weight.

    The sum of the roots is at most the root of (number of updates times the sum of weights).
    """
    updates = ledger.layers * (length // 2)
    return np.sqrt(updates * ledger.discarded.sum())
