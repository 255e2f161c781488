"""State vectors in a sector against plain partial traces of the expanded full-space vector."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from tnspin.errors import InputError
from tnspin.operators.basis import ChargeBasis
from tnspin.operators.sites import electron, kondo, spin
from tnspin.states.vector import VectorState

CHAIN = (electron(), kondo(0.5), spin(1), kondo(0.5), electron())
DIMS = [s.dim for s in CHAIN]
SECTORS = [None, {"N": 3}, {"N": 2, "2Sz": 0}, {"2Sz": 1}]


def random_state(charges, seed=0):
    basis = ChargeBasis(CHAIN, charges)
    rng = np.random.default_rng(seed)
    vector = rng.normal(size=basis.dim) + 1j * rng.normal(size=basis.dim)
    return VectorState(CHAIN, vector / np.linalg.norm(vector), basis)


def expanded(state):
    """Full-space tensor of a sector vector, one axis per site."""
    full = np.zeros(DIMS, dtype=complex)
    full[tuple(state.basis.states.T)] = state.vector
    return full


def traced(state, sites):
    """Density matrix of some sites, factors in the order given."""
    full = expanded(state)
    rest = [k for k in range(len(CHAIN)) if k not in sites]
    matrix = full.transpose([*sites, *rest]).reshape(int(np.prod([DIMS[k] for k in sites])), -1)
    return matrix @ matrix.conj().T


@pytest.mark.parametrize("charges", SECTORS)
@pytest.mark.parametrize(
    "sites", [[0], [4], [1, 2], [2, 1], [0, 4], [3, 0], [4, 1, 2], [0, 1, 2], [2, 0, 3]]
)
def test_rdm(charges, sites):
    state = random_state(charges)
    assert np.abs(state.rdm(sites) - traced(state, sites)).max() < 1e-14


@pytest.mark.parametrize("charges", SECTORS)
def test_all_sites_and_bonds(charges):
    state = random_state(charges)
    for k, rho in enumerate(state.site_rdms()):
        assert np.abs(rho - traced(state, [k])).max() < 1e-14
    for k, rho in enumerate(state.bond_rdms()):
        assert np.abs(rho - traced(state, [k, k + 1])).max() < 1e-14


@pytest.mark.parametrize("charges", SECTORS)
@pytest.mark.parametrize("sites", [[1], [1, 3], [3, 1]])
def test_rdm_keeps_a_factor_of_a_site(charges, sites):
    state = random_state(charges)
    wanted = traced(state, sites)
    shape = [4, 2] * len(sites)
    wanted = wanted.reshape(shape + shape)
    if len(sites) == 1:
        wanted = np.einsum("asat->st", wanted)
    else:
        wanted = np.einsum("asbtaubv->stuv", wanted).reshape(4, 4)
    assert np.abs(state.rdm(sites, keep=[2] * len(sites)) - wanted).max() < 1e-14


@pytest.mark.parametrize("charges", SECTORS)
@pytest.mark.parametrize("bond", range(4))
def test_schmidt_values_and_entropy(charges, bond):
    state = random_state(charges)
    left = int(np.prod(DIMS[: bond + 1]))
    values = np.linalg.svd(expanded(state).reshape(left, -1), compute_uv=False)
    found = state.schmidt(bond)
    count = min(len(found), len(values))
    assert np.abs(found[:count] - values[:count]).max() < 1e-13
    assert max(values[count:], default=0.0) < 1e-13
    weights = values[values > 1e-14] ** 2
    assert state.entropies()[bond] == pytest.approx(-np.sum(weights * np.log(weights)), abs=1e-12)
    assert state.bond_dims()[bond] == np.sum(values > 1e-12)
    joined = np.concatenate(list(state.schmidt_by_charge(bond).values()))
    assert np.sum(joined**2) == pytest.approx(1.0, abs=1e-13)


def test_norm_enters_only_the_norm():
    state = random_state({"N": 3})
    double = VectorState(CHAIN, 2 * state.vector, state.basis)
    assert double.norm == pytest.approx(2.0)
    assert np.abs(double.rdm([0, 3]) - state.rdm([0, 3])).max() < 1e-15
    assert np.allclose(double.schmidt(2), state.schmidt(2), atol=1e-15)


def test_product_overlap_and_amplitudes():
    rng = np.random.default_rng(3)
    locals_ = [rng.normal(size=d) for d in DIMS]
    full = VectorState.product(CHAIN, locals_)
    wanted = locals_[0]
    for local in locals_[1:]:
        wanted = np.kron(wanted, local)
    assert np.abs(full.vector - wanted).max() < 1e-14
    state = random_state({"N": 2, "2Sz": 0})
    again = state.amplitudes(np.array(state.basis.states)[::-1])
    assert np.array_equal(again, state.vector[::-1])
    assert state.amplitudes(np.zeros((1, 5), dtype=int)) == 0
    assert state.overlap(state) == pytest.approx(1.0)
    with pytest.raises(InputError, match="different bases"):
        state.overlap(full)


def test_published_sector_stays_small():
    chain = (*(electron(),) * 35, *(kondo(0.5),) * 5, *(electron(),) * 35)
    basis = ChargeBasis(chain, {"N": 1, "2Sz": -4})
    vector = np.random.default_rng(1).normal(size=450)
    state = VectorState(chain, vector, basis)
    spins = state.rdm([35, 36, 37, 38, 39], keep=[2] * 5)
    assert spins.shape == (32, 32)
    assert np.trace(spins) == pytest.approx(1.0)
    density = [np.trace(r @ s.op("n")).real for r, s in zip(state.site_rdms(), chain, strict=True)]
    assert sum(density) == pytest.approx(1.0)


def test_round_trip(tmp_path):
    with h5py.File(tmp_path / "state.h5", "w") as file:
        for name, charges in enumerate(SECTORS):
            state = random_state(charges)
            state.save(file.create_group(str(name)))
            back = VectorState.load(file[str(name)], CHAIN)
            assert np.array_equal(back.vector, state.vector)
            assert back.total_charge == (charges or {})
        with pytest.raises(InputError, match="another chain"):
            VectorState.load(file["0"], CHAIN[:-1])
        with pytest.raises(InputError, match="no state vector"):
            VectorState.load(file.create_group("empty"), CHAIN)


def test_refusals():
    state = random_state({"N": 3})
    with pytest.raises(InputError, match="outside the chain"):
        state.rdm([5])
    with pytest.raises(InputError, match="twice"):
        state.rdm([1, 1])
    with pytest.raises(InputError, match="no factor"):
        state.rdm([1], keep=[3])
    with pytest.raises(InputError, match="bond: 4"):
        state.schmidt(4)
    with pytest.raises(InputError, match="amplitudes"):
        VectorState(CHAIN, [1.0, 2.0])
