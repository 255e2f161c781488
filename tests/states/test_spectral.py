"""Density matrices by their eigenvectors, and the subspaces that they stay in."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from quantum_llg_reference import random_density

import tnspin as ts
from tnspin.errors import InputError
from tnspin.models import HeisenbergChain
from tnspin.operators.basis import ChargeBasis
from tnspin.operators.sites import spin
from tnspin.operators.sparse import to_sparse
from tnspin.solvers.quantum_llg.invariant import reachable, split
from tnspin.states.density import DensityState
from tnspin.states.ensemble import Ensemble
from tnspin.states.initial import build
from tnspin.states.spectral import SpectralState
from tnspin.states.vector import VectorState


def orthogonal(rng, size):
    return np.linalg.qr(rng.normal(size=(size, size)) + 1j * rng.normal(size=(size, size)))[0]


def levels(rng, values):
    """Random density matrix with given eigenvalues."""
    turn = orthogonal(rng, len(values))
    return (turn * np.asarray(values)) @ turn.conj().T


@pytest.mark.parametrize(
    ("values", "rank"),
    [
        ([1, 0, 0, 0, 0, 0, 0, 0], 1),
        ([0.3, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1], 1),
        ([0.4, 0.3, 0.1, 0.1, 0.1, 0, 0, 0], 5),
        (np.arange(1, 9) / 36, 7),
        ([0.125] * 8, 0),
    ],
)
def test_only_eigenvectors_beside_the_commonest_eigenvalue_are_kept(values, rank):
    rng = np.random.default_rng(2)
    rho = DensityState((spin(),) * 3, levels(rng, values))
    state = SpectralState.from_state(rho)
    assert state.rank == rank and state.realizations == 1
    np.testing.assert_allclose(state.density.matrix, rho.matrix, atol=1e-14)
    np.testing.assert_allclose(state.eigenvalues(), np.sort(values), atol=1e-14)
    assert state.trace == pytest.approx(1) and state.norm == pytest.approx(1)
    assert state.purity == pytest.approx(np.square(values).sum())
    for sites in ([1], [0, 2], [2, 1]):
        np.testing.assert_allclose(state.rdm(sites), rho.rdm(sites), atol=1e-14)
    np.testing.assert_allclose(state.entropies(), rho.entropies(), atol=1e-12)
    found = ts.log_negativity(state, [0], [1, 2])
    assert found == pytest.approx(ts.log_negativity(rho, [0], [1, 2]), abs=1e-12)


def test_of_long_chains_only_vectors_are_kept():
    chain = HeisenbergChain(12, field=(0.3, 0.0, 0.0))
    rng = np.random.default_rng(1)
    vector = VectorState(chain.local_sites, rng.normal(size=4096) + 1j * rng.normal(size=4096))
    state = SpectralState.from_state(vector)
    assert not state._has_matrix
    for found, wanted in zip(state.site_rdms(), vector.site_rdms(), strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-14)
    for found, wanted in zip(state.bond_rdms(), vector.bond_rdms(), strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-14)
    np.testing.assert_allclose(state.rdm([7, 3]), vector.rdm([7, 3]), atol=1e-14)
    np.testing.assert_allclose(state.entropies(), vector.entropies(), atol=1e-12)
    assert state.purity == pytest.approx(1)
    values = state.eigenvalues()
    assert values[-1] == pytest.approx(1) and np.abs(values[:-1]).max() < 1e-14


def test_few_vectors_and_the_matrix_say_the_same(monkeypatch):
    rng = np.random.default_rng(5)
    sites, rho = (spin(1.0), spin(), spin(), spin(1.0)), random_density(rng, 36, 3)
    found = []
    for share in (0.0, 1.0):
        state = SpectralState.from_state(DensityState(sites, rho))
        state.few = share
        numbers = [*state.site_rdms(), *state.bond_rdms(), state.rdm([3, 1]), state.entropies()]
        found.append([*numbers, state.purity, state.eigenvalues(), state.trace])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-13)


def test_mixtures_of_sectors_and_states_in_a_sector():
    werner = build("werner", HeisenbergChain(2), bell="phi-", p=0.7)
    whole = SpectralState.from_state(werner.to_vector())
    assert whole.rank == 1 and whole.background == pytest.approx(0.075)
    chain = HeisenbergChain(4)
    basis = ChargeBasis(chain.local_sites, {"2Sz": 0})
    pair = [
        build("product", chain, directions=d).to_vector(basis) for d in (["z", "-z"], ["-z", "z"])
    ]
    state = SpectralState.from_state(Ensemble(tuple(pair), (0.7, 0.3)))
    assert state.basis.charges == {"2Sz": 0} and state.rank == 2 and state.background == 0
    assert state.charge_names == ("2Sz",) and state.total_charge == {"2Sz": 0}


def test_refusals():
    with pytest.raises(InputError, match="negative"):
        SpectralState.from_state(DensityState((spin(),), np.diag([1.2, -0.2])))
    state = SpectralState.from_state(VectorState((spin(),) * 2, [1, 0, 0, 0]))
    with pytest.raises(InputError, match="Schmidt"):
        state.schmidt(0)
    with pytest.raises(InputError, match="bond dimensions"):
        state.bond_dims()


def test_files_keep_every_bit(tmp_path):
    chain = HeisenbergChain(3, field=(0.1, 0.0, 0.4))
    rho = DensityState(chain.local_sites, random_density(np.random.default_rng(0), 8, 3))
    first, last = ts.evolve(chain, rho, [0.0, 0.5], solver="quantum_llg")
    for state in (first.state, last.state):
        with h5py.File(tmp_path / "state.h5", "w") as file:
            state.save(file.create_group("state"))
            loaded = SpectralState.load(file["state"], chain.local_sites)
            with pytest.raises(InputError, match="another chain"):
                SpectralState.load(file["state"], chain.local_sites[:2])
        assert loaded.background == state.background and len(loaded.blocks) == len(state.blocks)
        np.testing.assert_array_equal(loaded.density.matrix, state.density.matrix)


# ---------------------------------------------------------------------- invariant subspaces


def test_a_vector_reaches_its_symmetry_sector_and_no_more():
    dimer = HeisenbergChain(2, field=(0.7, 0.0, 0.0))
    h = to_sparse(dimer.hamiltonian).toarray()
    plus = np.array([[0], [1], [1], [0]]) / 2**0.5
    inside = reachable([h], plus)
    assert inside.shape == (4, 2)  # psi+ and phi+; phi- and the singlet are out of reach
    np.testing.assert_allclose(np.abs(inside.T @ [0, 1, -1, 0]), 0, atol=1e-15)
    ring = HeisenbergChain(4, periodic=True)
    basis = ChargeBasis(ring.local_sites)
    neel = build("product", ring, directions=["z", "-z"]).to_vector(basis).vector[:, None]
    inside = reachable([to_sparse(ring.hamiltonian)], neel)
    assert inside.shape[1] == 3  # total spins 0, 1 and 2 of two sublattices of spin 1
    everything = reachable([orthogonal(np.random.default_rng(1), 6)], np.eye(6)[:, :1])
    np.testing.assert_array_equal(everything, np.eye(6))


@pytest.mark.parametrize("dims", [(1, 2, 3), (2, 2, 4), (6,), (1, 1, 1, 3)])
def test_blocks_are_found_whatever_the_basis(dims):
    rng = np.random.default_rng(sum(dims))
    size = sum(dims)
    turn = orthogonal(rng, size)
    operators = []
    for _ in range(3):
        one, start = np.zeros((size, size), complex), 0
        for d in dims:
            a = rng.normal(size=(d, d)) + 1j * rng.normal(size=(d, d))
            one[start : start + d, start : start + d] = a + a.conj().T
            start += d
        operators.append(turn @ one @ turn.conj().T)
    parts = split(operators)
    assert sorted(part.shape[1] for part in parts) == sorted(dims)
    whole = np.concatenate(parts, axis=1)
    np.testing.assert_allclose(whole.conj().T @ whole, np.eye(size), atol=1e-13)
    for one in operators:
        for part in parts:
            left = one @ part - part @ (part.conj().T @ one @ part)
            assert np.abs(left).max() < 1e-11


def test_equal_blocks_are_told_apart_as_well():
    rng = np.random.default_rng(7)
    turn = orthogonal(rng, 9)
    operators = []
    for _ in range(2):
        a = rng.normal(size=(3, 3)) + 1j * rng.normal(size=(3, 3))
        operators.append(turn @ np.kron(np.eye(3), a + a.conj().T) @ turn.conj().T)
    assert sorted(part.shape[1] for part in split(operators)) == [3, 3, 3]
