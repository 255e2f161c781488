"""H on one-electron amplitudes against dense matrices of the same sector."""

from __future__ import annotations

import numpy as np
import pytest
from one_electron_chains import evolved, starts, valve
from solving import exact

from tnspin.errors import InputError
from tnspin.models import KondoHeisenbergChain
from tnspin.operators.operator_sum import OperatorSum
from tnspin.operators.sites import electron, kondo
from tnspin.operators.sparse import to_sparse
from tnspin.states.one_electron.configurations import Configurations
from tnspin.states.one_electron.hamiltonian import OneElectronHamiltonian
from tnspin.states.one_electron.state import OneElectronState


def test_full_space_propagation_of_a_small_valve():
    """The closed evolution of a valve to 1e-12, against the exponential of the full matrix."""
    model = valve()
    vector, one = starts(model)
    for snapshot in exact(model, one, [0.0, 3.0, 10.0]):
        expected = evolved(model, vector, snapshot.time)
        for a, b in zip(expected.bond_rdms(), snapshot.state.bond_rdms(), strict=True):
            np.testing.assert_allclose(b, a, atol=1e-12)


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_do_not_change_the_numbers(threads):
    model = KondoHeisenbergChain(sites=24, localized=[range(4, 10), range(14, 20)])
    _, one = starts(model)
    results = [
        OneElectronHamiltonian(model.hamiltonian, one.configurations, threads=n).propagate(
            one.amplitudes, 5.0
        )
        for n in (2, threads)
    ]
    np.testing.assert_array_equal(*results)


def test_bounds_contain_the_spectrum():
    model = valve(electron_field=(0.0, 0.0, 0.4), well=2, well_depth=1.5)
    vector, one = starts(model)
    energies = np.linalg.eigvalsh(to_sparse(model.hamiltonian, vector.basis).toarray())
    low, high = OneElectronHamiltonian(model.hamiltonian, one.configurations).bounds
    assert low <= energies[0] and energies[-1] <= high


def test_backwards_undoes_forwards():
    model = valve()
    _, one = starts(model)
    hamiltonian = OneElectronHamiltonian(model.hamiltonian, one.configurations)
    there = hamiltonian.propagate(one.amplitudes, 40.0)
    np.testing.assert_allclose(hamiltonian.propagate(there, -40.0), one.amplitudes, atol=1e-11)


def test_damping_is_the_exponential_of_a_non_hermitian_matrix():
    """Decay of a group under ``exp(-i (H - i D) t)``."""
    model = valve()
    vector, one = starts(model)
    rng = np.random.default_rng(4)
    root = np.diag(rng.normal(size=4)) + 0.2 * np.kron([[0, 1], [1, 0]], [[0, 1], [1, 0]])
    matrix = 0.05 * root @ root.T
    matrix[0, 3] = matrix[3, 0] = 0.0  # keeps 2Sz
    hamiltonian = OneElectronHamiltonian(model.hamiltonian, one.configurations, [((6, 7), matrix)])
    moved = OneElectronState(one.configurations, hamiltonian.propagate(one.amplitudes, 5.0))
    damping = to_sparse(_on_spins(model, (6, 7), matrix), vector.basis).toarray()
    expected = evolved(model, vector, 5.0, damping)
    assert moved.norm == pytest.approx(expected.norm, abs=1e-12)
    for a, b in zip(expected.site_rdms(), moved.site_rdms(), strict=True):
        np.testing.assert_allclose(b, a, atol=1e-12)


def _on_spins(model, sites, matrix):
    """A matrix on two localized spins as a sum of products of spin operators."""
    names = ("Id", "Sx", "Sy", "Sz")
    local = [kondo().op(name)[:2, :2] for name in names]
    norms = [np.trace(m @ m).real for m in local]
    os = OperatorSum(model.local_sites)
    for i, a in enumerate(names):
        for j, b in enumerate(names):
            value = np.trace(np.kron(local[i], local[j]) @ matrix) / norms[i] / norms[j]
            os += complex(value), a, sites[0], b, sites[1]
    return os


def test_hopping_along_any_distance_and_spin_orbit_along_none():
    """Second neighbours are one more band; hopping that flips the spin is refused."""
    sites = (kondo(), electron(), electron(), electron())
    os = OperatorSum(sites)
    for k, reach in ((0, 1), (1, 1), (2, 1), (0, 2), (1, 2)):
        for s in ("up", "dn"):
            os = os.plus_hc(-1.0 / reach, f"cdag_{s}", k, f"c_{s}", k + reach)
    configurations = Configurations(sites, {"N": 1, "2Sz": 2})
    start = np.zeros((configurations.dim, 4), dtype=complex)
    start[0, 0] = 1
    moved = OneElectronHamiltonian(os, configurations).propagate(start, 2.0)
    one_body = -(np.eye(4, k=1) + np.eye(4, k=2) / 2)
    one_body = one_body + one_body.T
    energies, modes = np.linalg.eigh(one_body)
    expected = modes @ (np.exp(-2j * energies) * modes[0])
    # The string on the sites between is that of an empty chain.
    expected_density = np.abs(expected) ** 2
    one_body[1, 3] = one_body[3, 1] = -0.5
    np.testing.assert_allclose(np.abs(moved[0]) ** 2, expected_density, atol=1e-12)
    os = os.plus_hc(0.1, "cdag_up", 0, "c_dn", 1)
    with pytest.raises(InputError, match="2Sz"):
        OneElectronHamiltonian(os, configurations)
    with pytest.raises(InputError, match="spins"):
        OneElectronHamiltonian(os, Configurations(sites, {"N": 1}))


def test_time_dependent_hamiltonians_are_refused():
    model = valve()
    _, one = starts(model)
    os = model.hamiltonian
    os += lambda t: np.cos(t), "Sz", 3
    with pytest.raises(InputError, match="time-dependent"):
        OneElectronHamiltonian(os, one.configurations)
