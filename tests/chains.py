"""Random chains and operator sums for property tests."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from reference import site_dim

from tnspin.operators import sites

KINDS = [("spin", 0.5), ("spin", 1.0), ("electron",), ("kondo", 0.5), ("boson", 3)]
NAMES = {
    "spin": ["Sx", "Sy", "Sz", "Sp", "Sm", "Id"],
    "electron": [
        "Id",
        "c_up",
        "cdag_up",
        "c_dn",
        "cdag_dn",
        "n",
        "n_up",
        "n_dn",
        "sx",
        "sy",
        "sz",
        "sp",
        "sm",
    ],
    "boson": ["b", "bdag", "n", "x", "Id"],
}
NAMES["kondo"] = NAMES["electron"] + NAMES["spin"][:-1]


def make(kind):
    """The package's site of a kind."""
    return getattr(sites, kind[0])(*kind[1:])


@st.composite
def chains(draw, max_sites=4, max_dim=260):
    """Kinds of a chain of at least two sites whose space is small."""
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=2, max_size=max_sites))
    while len(kinds) > 2 and np.prod([site_dim(k) for k in kinds]) > max_dim:
        kinds.pop()
    return tuple(kinds)


@st.composite
def items(draw, kinds, max_terms=6, max_factors=4):
    """Terms (coeff, name, site, ...) with any operators on any sites, in any order."""
    result = []
    for _ in range(draw(st.integers(1, max_terms))):
        part = st.floats(-2, 2).map(lambda x: round(x, 3))
        coeff = complex(draw(part), draw(part))
        factors = []
        for _ in range(draw(st.integers(0, max_factors))):
            where = draw(st.integers(0, len(kinds) - 1))
            factors += [draw(st.sampled_from(NAMES[kinds[where][0]])), where]
        result.append((coeff, *factors))
    return result
