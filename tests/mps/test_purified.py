"""Locally purified states and channels against dense density matrices."""

from __future__ import annotations

from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from dense import dense_rdm, full_vector, model_of, random_state
from open_systems import MINUS, PLUS, Lindblad, Z

from tnspin.baths import JumpOperator
from tnspin.errors import InputError
from tnspin.models import HeisenbergChain
from tnspin.mps.purified.channels import channel_mpo, lindblad_channel, unitary_channel
from tnspin.mps.purified.state import PurifiedMPS
from tnspin.observables.groups.spins import group_state
from tnspin.operators.sites import kondo, spin
from tnspin.operators.sparse import to_sparse
from tnspin.states.ensemble import Ensemble
from tnspin.states.initial.thermal import gibbs

SITES = (spin(0.5), spin(1), spin(0.5), spin(0.5))
NAMES = [(), ("2Sz",)]
TOL = 1e-13


def density(state):
    """(D, D) density matrix, the Kraus indices summed over."""
    dims = [n for k, s in zip(state.kraus_dims(), state.sites, strict=True) for n in (k, s.dim)]
    return dense_rdm(full_vector(state.purification), dims, range(1, len(dims), 2))


def mixture(names, rng):
    """Two random states in different sectors, purified, and their density matrix."""
    members = []
    for states in ([0, 1, 0, 1], [0, 1, 0, 0]):
        members.append(random_state(SITES, names, rng, states=states))
        members[-1].canonicalize()
    vectors = [full_vector(one) for one in members]
    rho = sum(w * np.outer(v, v.conj()) for w, v in zip((0.7, 0.3), vectors, strict=True))
    return PurifiedMPS.from_state(Ensemble(tuple(members), (0.7, 0.3))), rho


def evolved(rho, jumps, time):
    """exp(t D) rho without any Hamiltonian."""
    model = model_of(SITES, [(0.0, "Sz", 0)])
    return Lindblad(model, jumps).evolve(rho, time)


@pytest.mark.parametrize("names", NAMES)
def test_a_mixture_is_its_density_matrix(names):
    state, rho = mixture(names, np.random.default_rng(0))
    assert np.abs(density(state) - rho).max() < TOL
    assert state.norm == pytest.approx(1) and state.charge_names == names
    assert state.kraus_dims().tolist() == [2, 1, 1, 1]
    fewer = PurifiedMPS.from_state(state, names=())
    assert np.abs(density(fewer) - rho).max() < TOL
    tensor = rho.reshape([2, 3, 2, 2] * 2)
    wanted = np.einsum("abcdebgd->cage", tensor).reshape(4, 4)
    assert np.abs(state.rdm([2, 0]) - wanted).max() < TOL
    for k, (one, d) in enumerate(zip(state.site_rdms(), (2, 3, 2, 2), strict=True)):
        before, after = int(np.prod([2, 3, 2, 2][:k])), int(np.prod([2, 3, 2, 2][k + 1 :]))
        wanted = np.einsum("xaxb->ab", _pooled(rho, before, d, after))
        assert np.abs(one - wanted).max() < TOL


def _pooled(rho, before, d, after):
    """rho with everything but the middle factor in one index."""
    tensor = rho.reshape(before, d, after, before, d, after).transpose(0, 2, 1, 3, 5, 4)
    return tensor.reshape(before * after, d, before * after, d)


@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize("where", [(0, 2), (2, 3), (0, 3)])
def test_a_channel_on_any_two_sites(names, where):
    state, rho = mixture(names, np.random.default_rng(1))
    matrices = [np.kron(MINUS, Z), 0.5 * np.kron(PLUS, MINUS), 0.3 * np.kron(Z, Z)]
    channel = lindblad_channel(SITES, where, (2, 2), matrices, 0.4, names)
    closure = np.einsum("aij,aik->jk", channel.operators.conj(), channel.operators)
    assert np.abs(closure - np.eye(4)).max() < TOL
    state.apply_all([channel_mpo(channel, SITES, names)])
    wanted = evolved(rho, [JumpOperator(where, m, None, "") for m in matrices], 0.4)
    assert np.abs(density(state) - wanted).max() < TOL
    state.purification.canonicalize(1e-20)
    assert state.compress_kraus(0.0, 1000).max() < TOL
    assert np.abs(density(state) - wanted).max() < TOL


@pytest.mark.parametrize("names", NAMES)
def test_channels_on_single_sites_keep_the_canonical_form(names):
    state, rho = mixture(names, np.random.default_rng(2))
    matrices = [MINUS, 0.3 * Z]
    jumps = [JumpOperator((k,), m, None, "") for k in (0, 2) for m in matrices]
    state.apply_local([lindblad_channel(SITES, (k,), (2,), matrices, 0.4, names) for k in (0, 2)])
    assert state.purification.canonical
    wanted = evolved(rho, jumps, 0.4)
    assert np.abs(density(state) - wanted).max() < TOL
    copy = state.purification.copy()
    copy.canonicalize()
    for k in range(3):
        assert np.abs(copy.schmidt(k) - state.purification.schmidt(k)).max() < TOL


@pytest.mark.parametrize("names", NAMES)
def test_what_compressing_drops_is_the_trace_distance_at_most(names):
    state, rho = mixture(names, np.random.default_rng(3))
    matrices = [MINUS, 0.3 * Z]
    jumps = [JumpOperator((k,), m, None, "") for k in (0, 2, 3) for m in matrices]
    state.apply_local(
        [lindblad_channel(SITES, (k,), (2,), matrices, 0.4, names) for k in (0, 2, 3)]
    )
    state.purification.canonicalize()
    lost = state.compress_kraus(1e-2, 100)
    assert 0 < lost.max() <= 1e-2 and not state.purification.canonical
    difference = evolved(rho, jumps, 0.4) - density(state)
    distance = np.abs(np.linalg.eigvalsh(difference)).sum()
    assert 0 < distance <= 2 * lost.sum()
    assert np.linalg.eigvalsh(density(state)).min() > -TOL
    assert state.compress_kraus(0.0, 1).max() > 1e-2 and state.kraus_dims().max() == 1


def test_a_unitary_between_distant_sites():
    state, rho = mixture(("2Sz",), np.random.default_rng(4))
    up, down = spin(0.5).op("Sp"), spin(1).op("Sm")
    hamiltonian = np.kron(up, down) + np.kron(up, down).conj().T
    channel = unitary_channel(SITES, (0, 1), hamiltonian, 0.7, ("2Sz",))
    state.apply_all([channel_mpo(channel, SITES, ("2Sz",))])
    unitary = np.kron(channel.operators[0], np.eye(4))
    assert np.abs(density(state) - unitary @ rho @ unitary.conj().T).max() < TOL


@pytest.mark.parametrize("field", [(0.0, 0.0, 0.3), (0.3, 0.0, 0.0)])
def test_gibbs_states_come_with_their_ancillas(field):
    chain = HeisenbergChain(sites=4, spin=0.5, J=1.0, Jz=0.6, field=field)
    thermal = gibbs(chain, temperature=0.7)
    state = PurifiedMPS.from_state(thermal.to_mps(thermal.conserved()), chain.local_sites)
    energies, modes = np.linalg.eigh(to_sparse(chain.hamiltonian).toarray())
    p = np.exp(-(energies - energies[0]) / 0.7)
    rho = (modes * (p / p.sum())) @ modes.conj().T
    assert np.abs(density(state) - rho).max() < 1e-12
    assert np.abs(state.rdm(range(4)) - rho).max() < 1e-12
    groups = group_state(state, [2, 0], [1, 3])
    wanted = rho.reshape([2] * 8).transpose(2, 0, 1, 3, 6, 4, 5, 7).reshape(16, 16)
    assert np.abs(groups.to_dense() - wanted).max() < 1e-12


def test_spins_of_electron_sites_are_their_trailing_factor():
    sites = (kondo(0.5), kondo(0.5))
    names = ("N", "2Sz")
    psi = random_state(sites, names, np.random.default_rng(5), states=[2, 4])
    psi.canonicalize()
    vector = full_vector(psi)
    state = PurifiedMPS.from_state(psi)
    channel = lindblad_channel(sites, (1,), (2,), [MINUS], 0.5, names)
    state.apply_local([channel])
    kraus = [np.kron(np.eye(8 * 4), k) for k in channel.operators]
    wanted = sum(np.outer(k @ vector, (k @ vector).conj()) for k in kraus)
    assert np.abs(density(state) - wanted).max() < TOL


def test_files_hold_every_bit(tmp_path):
    state, _ = mixture(("2Sz",), np.random.default_rng(6))
    state.apply_local([lindblad_channel(SITES, (2,), (2,), [MINUS], 0.4, ("2Sz",))])
    with h5py.File(tmp_path / "state.h5", "w") as file:
        state.save(file)
    with h5py.File(tmp_path / "state.h5") as file:
        again = PurifiedMPS.load(file, SITES)
        with pytest.raises(InputError, match="another chain"):
            PurifiedMPS.load(file, SITES[:3])
    assert again.charge_names == ("2Sz",)
    assert np.array_equal(density(again), density(state))
    assert all(map(np.array_equal, again.kraus, state.kraus))


def test_what_is_refused():
    with pytest.raises(InputError, match="no definite"):
        lindblad_channel(SITES, (0,), (2,), [MINUS + Z], 0.1, ("2Sz",))
    with pytest.raises(InputError, match=r"bath\.window"):
        lindblad_channel((spin(0.5),) * 6, range(6), (2,) * 6, [np.eye(64)], 0.1)
    state, _ = mixture((), np.random.default_rng(7))
    with pytest.raises(InputError, match="no blocks of '2Sz'"):
        PurifiedMPS.from_state(state, names=("2Sz",))
    with pytest.raises(InputError, match="no matrix product state"):
        PurifiedMPS.from_state(SimpleNamespace(sites=SITES))
    with pytest.raises(InputError, match="no Schmidt values"):
        state.schmidt(0)
