"""Group states of one electron among spins: dense, compressed, mixed."""

from __future__ import annotations

import numpy as np
import pytest
from one_electron_chains import GROUPS, starts, valve

from tnspin.models import KondoHeisenbergChain
from tnspin.observables.entanglement import log_negativity, mutual_information
from tnspin.observables.groups.one_electron import group_state
from tnspin.states.one_electron.hamiltonian import OneElectronHamiltonian
from tnspin.states.one_electron.state import OneElectronState


def mixture(model, time, polarizations=("z", "-z"), charges=("N", "2Sz")):
    members = []
    for polarization in polarizations:
        _, one = starts(model, polarization, charges)
        hamiltonian = OneElectronHamiltonian(model.hamiltonian, one.configurations)
        moved = hamiltonian.propagate(one.amplitudes, time)
        members.append((1 / len(polarizations), OneElectronState(one.configurations, moved)))
    return members


@pytest.mark.parametrize("polarizations", [("z", "-z"), ("x",), ("-z",)])
@pytest.mark.parametrize("dense", [10, 0])
def test_against_the_density_matrix(polarizations, dense):
    members = mixture(valve(), 7.0, polarizations)
    sites = [k for group in GROUPS for k in group]
    rho = sum(w * state.rdm(sites, [2] * 4) for w, state in members)
    found = group_state(members, *GROUPS, dense=dense, cutoff=1e-15)
    if dense:
        np.testing.assert_allclose(found.to_dense(), rho, atol=1e-14)
        assert found.discarded == 0.0 and not found.compressed
    expected = log_negativity(rho, (4, 4), (0,)), mutual_information(rho, (4, 4), (0,))
    assert expected[0] > 0.02
    assert (found.log_negativity(), found.mutual_information()) == pytest.approx(
        expected, abs=1e-12
    )


def test_blocks_follow_2sz():
    members = mixture(valve(), 7.0)
    found = group_state(members, *GROUPS)
    assert sorted(found.blocks) == [-4, -2, 0, 2, 4]
    # One electron changes the 2Sz of four spins that start with none by at most 2.
    assert all(np.abs(found.blocks[q]).max() == 0 for q in (-4, 4))


def test_one_spin_on_each_side_is_never_entangled():
    """A theorem for one unpolarized electron; correlated the two spins are all the same."""
    model = KondoHeisenbergChain(sites=20, localized=[[6], [12]])
    informed = 0.0
    for time in np.linspace(1.0, 12.0, 6):
        found = group_state(mixture(model, time), [6], [12])
        assert found.log_negativity() < 1e-13
        informed = max(informed, found.mutual_information())
    assert informed > 0.01


@pytest.mark.parametrize("cutoff", [1e-3, 1e-6])
def test_compression_loses_at_most_the_cutoff(cutoff):
    model = KondoHeisenbergChain(sites=14, localized=[range(3, 6), range(8, 11)])
    members = mixture(model, 8.0)
    exact = group_state(members, range(3, 6), range(8, 11))
    found = group_state(members, range(3, 6), range(8, 11), dense=0, cutoff=cutoff)
    assert found.compressed and 0 < found.discarded <= 2 * cutoff
    assert min(found.dims) < 8
    assert found.log_negativity() == pytest.approx(exact.log_negativity(), abs=5 * np.sqrt(cutoff))
    assert sum(np.trace(block).real for block in found.blocks.values()) == pytest.approx(1)


def test_blocks_stay_within_their_limit():
    model = KondoHeisenbergChain(sites=14, localized=[range(3, 6), range(8, 11)])
    members = mixture(model, 8.0)
    groups = range(3, 6), range(8, 11)
    free = group_state(members, *groups, dense=0, cutoff=1e-12)
    found = group_state(members, *groups, dense=0, cutoff=1e-12, largest=8)
    for blocks in (found.blocks, found.partial_transpose()):
        assert max(map(len, blocks.values())) <= 8
    assert max(map(len, free.blocks.values())) > 8
    assert free.discarded <= 2e-12 < found.discarded < 0.1
    assert found.log_negativity() == pytest.approx(
        free.log_negativity(), abs=5 * np.sqrt(found.discarded)
    )
