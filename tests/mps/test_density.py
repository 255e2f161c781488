"""Density matrices as matrix product states against dense ones."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from small_chains import basis_state, same_bits

from tnspin.errors import InputError
from tnspin.models import HeisenbergChain, Purified
from tnspin.mps import MPS
from tnspin.mps.density import DensityMPS
from tnspin.observables.groups.spins import group_state
from tnspin.observables.measures import entropy, log_negativity
from tnspin.operators.sites import boson, spin
from tnspin.states.density import DensityState
from tnspin.states.ensemble import Ensemble
from tnspin.states.initial import build

SITES = (spin(0.5), boson(3), spin(1), spin(0.5))
NAMES = ("2Sz", "Nb")


def random_mps(sites=SITES, names=NAMES, seed=0, start=(0, 1, 1, 1)):
    """A random state of definite charges: a sum of random products of its sector."""
    rng = np.random.default_rng(seed)
    dims = [site.dim for site in sites]
    states = np.array(np.unravel_index(np.arange(np.prod(dims)), dims)).T
    vector = rng.normal(size=len(states)) + 1j * rng.normal(size=len(states))
    for name in names:
        charge = sum(site.charge(name)[states[:, k]] for k, site in enumerate(sites))
        wanted = sum(site.charge(name)[s] for site, s in zip(sites, start, strict=True))
        vector[charge != wanted] = 0.0
    import quimb.tensor as qtn

    vector /= np.linalg.norm(vector)
    psi = qtn.MatrixProductState.from_dense(vector, dims=dims, cutoff=0.0)
    return MPS.from_quimb(psi, sites, names), np.outer(vector, vector.conj())


def mixture(names=NAMES):
    """Two random states of different charges, and their dense density matrix."""
    one, rho = random_mps(names=names)
    other, sigma = random_mps(names=names, seed=1, start=(1, 2, 0, 1))
    return Ensemble((one, other), (0.3, 0.7)), 0.3 * rho + 0.7 * sigma


def reduced(rho, sites, chosen, keep=None):
    """Partial trace with numpy alone."""
    dims = [site.dim for site in sites]
    count = len(dims)
    tensor = rho.reshape(dims * 2)
    rest = [k for k in range(count) if k not in chosen]
    order = [*chosen, *rest]
    tensor = tensor.transpose([*order, *(count + k for k in order)])
    inner, outer = (int(np.prod([dims[k] for k in part])) for part in (chosen, rest))
    small = np.einsum("arbr->ab", tensor.reshape(inner, outer, inner, outer))
    if keep is None:
        return small
    shape = [n for k, s in zip(chosen, keep, strict=True) for n in (dims[k] // s, s)]
    tensor = small.reshape(shape * 2)
    for position in reversed(range(len(chosen))):
        tensor = np.trace(tensor, axis1=2 * position, axis2=2 * position + tensor.ndim // 2)
    return tensor.reshape(int(np.prod(keep)), -1)


@pytest.mark.parametrize("names", [NAMES, ("2Sz",), ()], ids=str)
def test_reductions_of_a_mixture(names):
    ensemble, rho = mixture(names)
    state = DensityMPS.from_state(ensemble)
    assert state.charge_names == names and state.trace == pytest.approx(1, abs=1e-12)
    assert state.purity == pytest.approx(np.trace(rho @ rho).real, abs=1e-12)
    assert state.hermiticity_error < 1e-7
    for chosen in ([0], [1, 2], [2, 0], [3, 0, 1], [0, 1, 2, 3], [2, 3, 1, 0], []):
        found = state.rdm(chosen)
        assert np.abs(found - reduced(rho, SITES, chosen)).max() < 1e-12
    found = state.rdm([2, 1, 0], keep=[3, 1, 2])
    assert np.abs(found - reduced(rho, SITES, [2, 1, 0], [3, 1, 2])).max() < 1e-12
    for k, one in enumerate(state.site_rdms()):
        assert np.abs(one - reduced(rho, SITES, [k])).max() < 1e-12
    for k, two in enumerate(state.bond_rdms()):
        assert np.abs(two - reduced(rho, SITES, [k, k + 1])).max() < 1e-12


def test_bond_dimension_and_operator_space_entropy_of_a_pure_state():
    psi, _ = random_mps()
    state = DensityMPS.from_state(psi)
    assert state.purity == pytest.approx(1, abs=1e-12)
    assert np.array_equal(state.bond_dims(), psi.bond_dims() ** 2)
    assert np.allclose(state.entropies(), 2 * psi.entropies(), atol=1e-12)
    assert entropy(state, 1) == pytest.approx(2 * psi.entropies()[1])


def test_compression_of_pairs():
    """The discarded weight bounds the change of the matrix in the Hilbert-Schmidt norm."""
    psi, rho = random_mps(names=())
    for cutoff in (1e-6, 1e-3, 1e-2):
        state = DensityMPS.from_state(psi, cutoff=cutoff)
        change = np.linalg.norm(state.rdm([0, 1, 2, 3]) * state.trace - rho)
        assert 0 < change < np.sqrt(3 * cutoff)
        assert state.hermiticity_error < 1e-7
    mixed, rho = mixture(())
    state = DensityMPS.from_state(mixed, cutoff=1e-4)
    # Where Schmidt values are equal in pairs, the sum of two states may lose one of a pair.
    assert np.linalg.norm(state.rdm([0, 1, 2, 3]) * state.trace - rho) < np.sqrt(6e-4)
    assert state.hermiticity_error < 2 * np.sqrt(6e-4) / np.linalg.norm(rho)
    small = DensityMPS.from_state(psi, bond_dim=5)
    assert small.bond_dims().max() <= 5


def test_ancillas_are_traced_out():
    model = HeisenbergChain(sites=5, J=1.0, Jz=0.6, field=(0, 0, 0.3))
    pure = build("gibbs", model, temperature=0.7).to_mps(("2Sz",))
    state = DensityMPS.from_state(pure, model.local_sites, cutoff=0.0)
    assert pure.sites == Purified(model).local_sites and state.sites == model.local_sites
    for chosen in ([0], [1, 3], [4, 0, 2]):
        expected = pure.rdm(chosen, keep=[2] * len(chosen))
        assert np.abs(state.rdm(chosen) - expected).max() < 1e-10
    assert state.trace == pytest.approx(1, abs=1e-10)


def test_products_and_negativity():
    matrices = [np.diag([0.9, 0.1]), np.eye(2) / 2, np.array([[0.5, 0.2j], [-0.2j, 0.5]])]
    sites = (spin(0.5),) * 3
    state = DensityMPS.product(sites, matrices)
    assert state.trace == pytest.approx(1)
    for k, matrix in enumerate(matrices):
        assert np.allclose(state.rdm([k]), matrix, atol=1e-14)
    assert log_negativity(state, [0], [2]) == pytest.approx(0, abs=1e-12)
    with pytest.raises(InputError, match="eigenstate"):
        DensityMPS.product(sites, matrices, ("2Sz",))
    singlet = np.array([0, 1, -1, 0]) / np.sqrt(2)
    import quimb.tensor as qtn

    psi = MPS.from_quimb(
        qtn.MatrixProductState.from_dense(singlet, dims=[2, 2]), sites[:2], ("2Sz",)
    )
    assert log_negativity(DensityMPS.from_state(psi), [0], [1]) == pytest.approx(np.log(2))


def test_groups_agree_with_dense_matrices():
    sites = (spin(0.5),) * 6
    psi, rho = random_mps(sites, ("2Sz",), 3, (0, 1, 0, 1, 0, 1))
    for parts in (([0, 1], [4, 5]), ([5], [2, 0])):
        found = group_state(DensityMPS.from_state(psi), *parts)
        expected = group_state(DensityState(sites, rho), *parts)
        assert found.log_negativity() == pytest.approx(expected.log_negativity(), abs=1e-10)
        assert found.mutual_information() == pytest.approx(expected.mutual_information(), abs=1e-9)


def test_fewer_charges():
    ensemble, rho = mixture()
    state = DensityMPS.from_state(DensityMPS.from_state(ensemble), names=())
    assert state.charge_names == () and state.trace == pytest.approx(1, abs=1e-12)
    assert np.abs(state.rdm([0, 1, 2, 3]) - rho).max() < 1e-12


def test_hermiticity_error():
    """A matrix that is not Hermitian: |+><0| has the error sqrt(2 - 2 Re Tr rho^2)."""
    rho = np.array([[1.0, 1.0], [0.0, 0.0]])
    state = DensityMPS.product((spin(0.5),) * 2, [rho, np.diag([1.0, 0.0])])
    assert state.hermiticity_error == pytest.approx(1.0, abs=1e-12)
    assert np.allclose(state.rdm([0]), [[1, 0.5], [0.5, 0]])


def test_files(tmp_path):
    state = DensityMPS.from_state(mixture()[0])
    with h5py.File(tmp_path / "rho.h5", "w") as file:
        state.save(file.create_group("state"))
        again = DensityMPS.load(file["state"], SITES)
        assert again.log_norm == state.log_norm
        same_bits(again.mps, state.mps)
        with pytest.raises(InputError, match="another chain"):
            DensityMPS.load(file["state"], SITES[1:])
        with pytest.raises(InputError, match="holds no density matrix"):
            DensityMPS.load(file["state/mps"], SITES)


def test_refusals():
    state = DensityMPS.from_state(mixture()[0])
    for sites in ([0, 0], [4], [-1]):
        with pytest.raises(InputError, match="sites"):
            state.rdm(sites)
    with pytest.raises(InputError, match="keep"):
        state.rdm([1], keep=[2])
    with pytest.raises(InputError, match="Schmidt"):
        state.schmidt(0)
    with pytest.raises(InputError, match="trace"):
        DensityMPS.product((spin(0.5),), [np.array([[0, 1.0], [0, 0]])])
    with pytest.raises(InputError, match="doubled"):
        DensityMPS(SITES, random_mps()[0])
    with pytest.raises(InputError, match="purified"):
        DensityMPS.from_state(random_mps()[0], SITES[1:])
    with pytest.raises(InputError, match="DensityState"):
        DensityMPS.from_state(DensityState((spin(0.5),), np.eye(2)))
    chain = basis_state((spin(0.5),) * 20, [0, 1] * 10, ("2Sz",))
    with pytest.raises(InputError, match="too large"):
        DensityMPS.from_state(chain).rdm(range(20))
