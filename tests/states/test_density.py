"""Density matrices in charge sectors against dense partial traces in the full space."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from dense import all_states, dense_rdm, trace_leading
from hypothesis import given, settings
from hypothesis import strategies as st

from tnspin.errors import InputError
from tnspin.observables.groups.spins import group_state
from tnspin.operators.basis import ChargeBasis
from tnspin.operators.sites import electron, kondo, spin
from tnspin.states.density import DensityState
from tnspin.states.ensemble import Ensemble
from tnspin.states.vector import VectorState

CHAIN = (electron(), kondo(), spin(1), kondo())
DIMS = [site.dim for site in CHAIN]


def random_vector(charges, seed):
    basis = ChargeBasis(CHAIN, charges)
    rng = np.random.default_rng(seed)
    vector = rng.normal(size=basis.dim) + 1j * rng.normal(size=basis.dim)
    return VectorState(CHAIN, vector / np.linalg.norm(vector), basis)


def expanded(state):
    """Amplitudes of a vector in the full space, in Kronecker order."""
    return state.amplitudes(all_states(CHAIN))


def mixture(seed=0, names=("N", "2Sz")):
    """Three states, two of them in one sector."""
    totals = [{"N": 1, "2Sz": 1}, {"N": 1, "2Sz": -1}, {"N": 1, "2Sz": 1}]
    states = [random_vector({n: t[n] for n in names}, seed + k) for k, t in enumerate(totals)]
    return Ensemble(states, (0.5, 0.3, 0.2))


def reference(ensemble, sites):
    """Reduced density matrix as the weighted sum of those of full vectors."""
    return sum(w * dense_rdm(expanded(s), DIMS, sites) for w, s in ensemble.members)


@pytest.mark.parametrize("names", [("N", "2Sz"), ("N",), ()])
def test_reductions_are_partial_traces(names):
    ensemble = mixture(3, names)
    rho = DensityState.from_state(ensemble)
    assert rho.charge_names == names
    for sites in ([0], [1], [2, 1], [3, 0], [0, 1, 2, 3], [3, 1]):
        assert np.allclose(rho.rdm(sites), reference(ensemble, sites), atol=1e-14)
    kept = trace_leading(reference(ensemble, [3, 1]), [8, 8], [2, 2])
    assert np.allclose(rho.rdm([3, 1], keep=[2, 2]), kept, atol=1e-14)
    assert all(
        np.allclose(rho.site_rdms()[k], reference(ensemble, [k]), atol=1e-14) for k in range(4)
    )
    assert np.allclose(rho.bond_rdms()[1], reference(ensemble, [1, 2]), atol=1e-14)


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(4)), st.integers(1, 3), st.integers(0, 99))
def test_any_sites_in_any_order(order, count, seed):
    ensemble = mixture(seed)
    rho = DensityState.from_state(ensemble)
    sites = list(order[:count])
    assert np.allclose(rho.rdm(sites), reference(ensemble, sites), atol=1e-13)


def test_sectors_make_blocks_and_fewer_charges_the_same_matrix():
    rho = DensityState.from_state(mixture())
    assert [basis.charges["2Sz"] for basis in rho.bases] == [-1, 1]
    assert rho.total_charge == {"N": 1}
    assert rho.matrix.shape == (rho.dim, rho.dim)
    wider = rho.with_charges(["N"])
    assert wider.dim > rho.dim and wider.charge_names == ("N",)
    assert wider.purity == pytest.approx(rho.purity, abs=1e-14)
    assert np.allclose(wider.rdm([3, 2]), rho.rdm([3, 2]), atol=1e-15)
    assert np.allclose(
        DensityState.from_state(mixture(), ["N"]).elements, wider.elements, atol=1e-15
    )


def test_spectrum_of_a_mixture():
    rho = DensityState.from_state(mixture())
    first, other = mixture().states[0].vector, mixture().states[2].vector
    # Two vectors of one sector with weights 0.5 and 0.2, and one apart.
    overlap = abs(np.vdot(first, other)) ** 2
    pair = 0.35 + np.array([-1, 1]) * np.sqrt(0.15**2 + 0.1 * overlap)
    assert np.allclose(rho.eigenvalues()[-3:], np.sort([0.3, *pair]), atol=1e-14)
    assert rho.purity == pytest.approx(np.sum(np.array([0.3, *pair]) ** 2), abs=1e-14)
    assert rho.trace == pytest.approx(1.0, abs=1e-14) and rho.norm == pytest.approx(1.0)


def test_entropies_of_left_parts():
    ensemble = mixture()
    values = DensityState.from_state(ensemble).entropies()
    for bond in range(3):
        weights = np.linalg.eigvalsh(reference(ensemble, list(range(bond + 1))))
        weights = weights[weights > 1e-15]
        assert values[bond] == pytest.approx(-np.sum(weights * np.log(weights)), abs=1e-11)


def test_a_pure_state_keeps_its_numbers():
    state = random_vector({"N": 2, "2Sz": 0}, 5)
    rho = DensityState.from_state(state)
    assert rho.purity == pytest.approx(1.0)
    assert np.allclose(rho.matrix, np.outer(state.vector, state.vector.conj()))
    assert np.allclose(rho.entropies(), state.entropies(), atol=1e-12)
    assert np.allclose(DensityState(CHAIN, rho.matrix, state.basis).rdm([1]), state.rdm([1]))


def test_groups_of_spins_are_those_of_the_ensemble():
    ensemble = mixture()
    one = group_state(DensityState.from_state(ensemble), [1], [3])
    other = group_state(ensemble, [1], [3])
    assert np.allclose(one.to_dense(), other.to_dense(), atol=1e-14)


def test_files(tmp_path):
    rho = DensityState.from_state(mixture())
    with h5py.File(tmp_path / "rho.h5", "w") as file:
        rho.save(file.create_group("state"))
        again = DensityState.load(file["state"], CHAIN)
        assert again.elements.tobytes() == rho.elements.tobytes()
        assert [b.charges for b in again.bases] == [b.charges for b in rho.bases]
        with pytest.raises(InputError, match="another chain"):
            DensityState.load(file["state"], CHAIN[:2])
        with pytest.raises(InputError, match="no density matrix"):
            DensityState.load(file, CHAIN)


def test_refusals():
    rho = DensityState.from_state(mixture())
    with pytest.raises(InputError, match="twice"):
        rho.rdm([1, 1])
    with pytest.raises(InputError, match="outside"):
        rho.rdm([4])
    with pytest.raises(InputError, match="keep"):
        rho.rdm([1], keep=[3])
    with pytest.raises(InputError, match="Schmidt"):
        rho.schmidt(0)
    with pytest.raises(InputError, match="no definite"):
        rho.with_charges(["Nb"])
    with pytest.raises(InputError, match="shapes"):
        DensityState(CHAIN, np.eye(3))
    with pytest.raises(InputError, match="trace"):
        DensityState(CHAIN[:1], np.zeros((4, 4)))
    with pytest.raises(InputError, match="different sectors"):
        DensityState.from_blocks(CHAIN, [rho.bases[0]] * 2, [rho.blocks[0]] * 2)
    with pytest.raises(InputError, match="made of a state vector"):
        DensityState.from_state(object())
