"""Density matrices of constant spectrum that go on under another Hamiltonian, or with noise."""

from __future__ import annotations

import numpy as np
import pytest
from quantum_llg_reference import ll_rate, llg_rate, trajectory

import tnspin as ts
from tnspin.models import SpinDimer
from tnspin.operators.sparse import to_sparse
from tnspin.states.density import DensityState
from tnspin.states.initial import build

RATES = {"quantum_llg": llg_rate, "quantum_ll": ll_rate}


@pytest.mark.parametrize("state", ["bell", "werner", "mixed"])
@pytest.mark.parametrize("solver", ["quantum_llg", "quantum_ll"])
def test_a_state_continues_under_another_hamiltonian(state, solver):
    """Which may lead out of the subspaces in which the first one left it."""
    dimer = SpinDimer(field=(0, 0, 1))
    if state == "mixed":
        start = DensityState(dimer.local_sites, np.diag([0.4, 0.3, 0.2, 0.1]))
    else:
        start = build(state, dimer, bell="psi+").to_vector()
    (_, first) = ts.evolve(dimer, start, [0.0, 0.7], solver=solver)
    assert first.state.blocks[0].inside is not None
    other = SpinDimer(field=(1, 0.3, 0), dmi=(0.4, 0, 0.2))
    snapshots = ts.evolve(other, first.state, [0.0, 0.5, 1.5], solver=solver)
    found = [snapshot.state.density.matrix for snapshot in snapshots]
    h = to_sparse(other.hamiltonian).toarray()
    wanted = trajectory(first.state.density.matrix, h, 0.5, [0.0, 0.5, 1.5], RATES[solver])
    np.testing.assert_allclose(found, wanted, atol=1e-10)


def test_noise_begins_where_a_run_without_it_has_ended():
    dimer = SpinDimer()
    start = build("werner", dimer, bell="psi+").to_vector()
    (_, quiet) = ts.evolve(dimer, start, [0.0, 0.5], solver="quantum_llg")
    same = DensityState(dimer.local_sites, quiet.state.density.matrix)
    options = {"temperature": 0.2, "realizations": 3, "seed": 7, "solver": "quantum_llg"}
    one, other = (
        [s.state.density.matrix for s in ts.evolve(dimer, state, [0.5, 1.0], **options)]
        for state in (quiet.state, same)
    )
    np.testing.assert_allclose(one, other, atol=1e-12)
