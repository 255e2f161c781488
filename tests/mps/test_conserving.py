"""Random Hamiltonians with charges on chains of any sites."""

from __future__ import annotations

import numpy as np
import pytest
from dense import (
    dense_rdm,
    full_vector,
    model_of,
    random_state,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import Reference
from scipy.linalg import expm
from small_chains import (
    METHOD_NAMES,
    truncation_bound,
)
from solving import tebd as evolve

from tnspin.operators.sites import boson, electron, kondo, spin

ELECTRONS = ("electron", "kondo")
#: Operators on neighbours that conserve every charge, and the sites that have both.
PAIRS = [
    ("Sp", "Sm", ("spin", "kondo")),
    ("cdag_up", "c_up", ELECTRONS),
    ("cdag_dn", "c_dn", ELECTRONS),
    ("sp", "sm", ELECTRONS),
    ("bdag", "b", ("boson",)),
]


@st.composite
def conserving_systems(draw):
    """A chain of any sites and random Hermitian nearest-neighbour terms that conserve N, Sz, Nb."""
    kinds = draw(st.lists(st.sampled_from(
        [("spin", 0.5), ("spin", 1.0), ("electron",), ("kondo", 0.5), ("boson", 3)]),
        min_size=3, max_size=5))  # fmt: skip
    while np.prod([{"spin": 3, "electron": 4, "kondo": 8, "boson": 3}[k[0]] for k in kinds]) > 300:
        kinds.pop()
    number = st.floats(-1, 1).map(lambda x: round(x, 3))
    items = []
    for i, kind in enumerate(kinds):
        diagonal = {"spin": "Sz", "electron": "n_up", "kondo": "sz", "boson": "n"}[kind[0]]
        items.append((draw(number), diagonal, i))
        if kind[0] == "kondo":
            c = draw(number)
            items += [(c, "sp", i, "Sm", i), (c, "Sp", i, "sm", i)]
    for i in range(len(kinds) - 1):
        for up, down, has in PAIRS:
            if kinds[i][0] in has and kinds[i + 1][0] in has:
                c = complex(draw(number), draw(number))
                # (a b)^H = b^H a^H: the order matters for fermions.
                items += [(c, up, i, down, i + 1), (c.conjugate(), up, i + 1, down, i)]
    makers = {"spin": spin, "electron": electron, "kondo": kondo, "boson": boson}
    sites = tuple(makers[k[0]](*k[1:]) for k in kinds)
    return kinds, sites, items


@settings(max_examples=15, deadline=None)
@given(conserving_systems(), st.integers(0, 2**32), st.sampled_from(METHOD_NAMES))
def test_norm_charges_and_energy_of_any_conserving_sum(system, seed, method):
    kinds, sites, items = system
    model = model_of(sites, items)
    names = model.hamiltonian.conserved()
    h = Reference(kinds).matrix(items)
    assert np.abs(h - h.conj().T).max() < 1e-14
    scale = np.linalg.norm(h, 2)
    psi = random_state(sites, names, np.random.default_rng(seed), dim=3)
    psi.canonicalize()
    start = full_vector(psi)
    charges = psi.total_charge
    energy = np.vdot(start, h @ start).real
    dims = [site.dim for site in sites]
    for snapshot in evolve(model, psi, [0.0, 0.4, 0.8], dt=0.05, order=4, bond_dim=500,
                           cutoff=1e-13, method=method, threads=1):  # fmt: skip
        state = snapshot.state
        vector = full_vector(state)
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-11)
        assert state.total_charge == charges
        for name, value in charges.items():
            mean = sum(np.trace(r @ np.diag(s.charge(name))).real
                       for r, s in zip(state.site_rdms(), sites, strict=True))  # fmt: skip
            assert mean == pytest.approx(value, abs=1e-10)
        assert np.abs(state.rdm([1, 0]) - dense_rdm(vector, dims, [1, 0])).max() < 1e-11
        error = 1e-5 + truncation_bound(snapshot.ledger, len(sites))
        assert abs(np.vdot(vector, h @ vector).real - energy) <= 2 * scale * error
        wanted = expm(-1j * snapshot.time * h) @ start
        assert np.linalg.norm(vector - wanted) < error
