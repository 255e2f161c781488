"""States of one electron against state vectors of the same chain."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from one_electron_chains import GROUPS, evolved, starts, valve

from tnspin.errors import InputError
from tnspin.states.one_electron import densities
from tnspin.states.one_electron.configurations import Configurations
from tnspin.states.one_electron.hamiltonian import OneElectronHamiltonian
from tnspin.states.one_electron.state import OneElectronState

CASES = [
    ({}, "z", ("N", "2Sz")),
    ({}, "x", ("N", "2Sz")),
    ({"spin": 1.0}, "-z", ("N", "2Sz")),
    ({"electron_field": (0.3, 0.2, -0.1)}, "z", ("N",)),
]


def both(changes, polarization, charges, time=4.0):
    model = valve(**changes)
    vector, one = starts(model, polarization, charges)
    hamiltonian = OneElectronHamiltonian(model.hamiltonian, one.configurations)
    moved = OneElectronState(one.configurations, hamiltonian.propagate(one.amplitudes, time))
    return evolved(model, vector, time), moved


@pytest.mark.parametrize("case", CASES)
def test_everything_measured_agrees_with_the_state_vector(case):
    expected, found = both(*case)
    assert found.norm == pytest.approx(1, abs=1e-13)
    assert found.total_charge == expected.total_charge
    for name in ("site_rdms", "bond_rdms"):
        for a, b in zip(getattr(expected, name)(), getattr(found, name)(), strict=True):
            np.testing.assert_allclose(b, a, atol=1e-12)
    np.testing.assert_allclose(found.entropies(), expected.entropies(), atol=1e-12)
    for sites in ([7, 2, 4], [0], [6, 3]):
        np.testing.assert_allclose(found.rdm(sites), expected.rdm(sites), atol=1e-12)
    sites = [4, 3, 7]
    keep = [found.sites[k].spin_dim for k in sites]
    np.testing.assert_allclose(found.rdm(sites, keep), expected.rdm(sites, keep), atol=1e-12)


def test_bond_dims_count_schmidt_values():
    expected, found = both(*CASES[0])
    np.testing.assert_array_equal(found.bond_dims(), expected.bond_dims())


def test_magnons_are_the_diagonal_of_the_density_matrix():
    _, found = both(*CASES[0])
    sites = [k for group in GROUPS for k in group]
    rho = found.rdm(sites, [2] * 4)
    start = np.array([0, 0, 1, 1])
    states = np.indices((2,) * 4).reshape(4, -1).T
    flips = (states != start).sum(axis=1)
    expected = np.bincount(flips, weights=np.diagonal(rho).real)
    np.testing.assert_allclose(
        densities.magnon_probability(found, sites, start), expected, atol=1e-14
    )
    w = np.zeros(16)
    w[[0b1011, 0b0111, 0b0001, 0b0010]] = 0.5
    assert densities.w_probability(found, sites, start) == pytest.approx(
        (w @ rho @ w).real, abs=1e-14
    )
    order = [2, 0, 3, 1]  # any order of the sites
    shuffled = densities.w_probability(found, [sites[k] for k in order], start[order])
    assert shuffled == pytest.approx((w @ rho @ w).real, abs=1e-14)


def test_correlations_are_those_of_pairs():
    _, found = both(*CASES[0])
    sites = [k for group in GROUPS for k in group]
    matrix, mean = densities.zz_correlations(found, sites)
    z = np.diag([1.0, -1.0])
    for i, a in enumerate(sites):
        assert mean[i] == pytest.approx(np.trace(found.rdm([a], [2]) @ z).real, abs=1e-13)
        for j, b in enumerate(sites):
            pair = np.trace(found.rdm([a, b], [2, 2]) @ np.kron(z, z)).real if i != j else 1.0
            assert matrix[i, j] == pytest.approx(pair, abs=1e-13)


@pytest.mark.parametrize("polarization", ["z", "x"])
def test_operators_on_spins(polarization):
    """Raising one spin of a pair moves the state to another sector, as on the dense matrix."""
    vector, one = both({}, polarization, ("N", "2Sz"))
    raising = np.array([[0.0, 1.0], [0.0, 0.0]])
    matrix = np.kron(np.diag([0.3, 0.7]), raising)
    result = one.apply(matrix, [6, 7], charge=2)
    if "2Sz" in one.total_charge:
        assert result.total_charge["2Sz"] == one.total_charge["2Sz"] + 2
    rho = vector.rdm([6, 7], [2, 2])
    weight = np.trace(matrix @ rho @ matrix.conj().T).real
    assert result.norm**2 == pytest.approx(weight, abs=1e-13)
    expected = matrix @ rho @ matrix.conj().T / weight
    np.testing.assert_allclose(result.rdm([6, 7], [2, 2]), expected, atol=1e-12)


def test_indefinite_operators_need_a_state_without_2sz():
    _, one = starts(valve())
    with pytest.raises(InputError, match="2Sz"):
        one.apply(np.array([[0, 1], [1, 0]]), [3], charge=None)


def test_saved_and_loaded_bit_for_bit(tmp_path):
    _, found = both(*CASES[0])
    with h5py.File(tmp_path / "state.h5", "w") as file:
        found.save(file.create_group("state"))
        again = OneElectronState.load(file["state"], found.sites)
        assert again.total_charge == found.total_charge
        np.testing.assert_array_equal(again.amplitudes, found.amplitudes)
        file["state"].attrs["format"] = "other"
        with pytest.raises(InputError, match="holds no state"):
            OneElectronState.load(file["state"], found.sites)


def test_refusals():
    model = valve()
    with pytest.raises(InputError, match="one electron"):
        Configurations(model.local_sites, {"N": 2})
    _, one = starts(model)
    with pytest.raises(InputError, match="shape"):
        OneElectronState(one.configurations, np.zeros((3, 3)))
    with pytest.raises(InputError, match="distinct"):
        one.rdm([2, 2])
    with pytest.raises(InputError, match="keep"):
        one.rdm([3], [4])
    with pytest.raises(InputError, match="no localized spin"):
        densities.magnon_probability(one, [0], [0])
    with pytest.raises(InputError, match="one vector"):
        OneElectronState.from_groups(model.local_sites, np.ones((9, 2)), [])
    with pytest.raises(InputError, match="eigenstate"):
        starts_with_x(model)


def starts_with_x(model):
    orbital = np.zeros((9, 2))
    orbital[0] = 1
    up = np.array([1.0, 0.0])
    return OneElectronState.from_groups(
        model.local_sites, orbital, [((k,), up) for k in model.localized_sites], ["2Sz"]
    )


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 8), st.integers(0, 2**32 - 1))
def test_density_matrices_of_random_states(site, seed):
    """Trace 1, positive, and reductions of larger sets of sites."""
    _, one = starts(valve())
    rng = np.random.default_rng(seed)
    shape = one.amplitudes.shape
    state = OneElectronState(
        one.configurations, rng.normal(size=shape) + 1j * rng.normal(size=shape)
    )
    rho = state.rdm([site])
    assert np.trace(rho) == pytest.approx(1, abs=1e-13)
    assert np.linalg.eigvalsh(rho).min() > -1e-13
    pair = state.rdm([site, (site + 1) % 9])
    dim = len(rho)
    reduced = np.einsum("ambm->ab", pair.reshape(dim, -1, dim, len(pair) // dim))
    np.testing.assert_allclose(reduced, rho, atol=1e-13)
