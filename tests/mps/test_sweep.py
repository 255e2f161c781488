"""Environments and effective Hamiltonians: Hermitian, and all with the energy of the state."""

from __future__ import annotations

import numpy as np
import pytest

from tnspin.models import HeisenbergChain, KondoHeisenbergChain
from tnspin.mps.blocks import reachable
from tnspin.mps.dmrg import starting_state
from tnspin.mps.dmrg_environments import Chain, ChargedMpo, EffectiveHamiltonian, enlarge, truncate
from tnspin.numerics.krylov import lowest
from tnspin.operators.charges import ChargeCode
from tnspin.operators.mpo import mpo_tensors
from tnspin.operators.sparse import to_sparse

CASES = [
    (HeisenbergChain(6, periodic=True, dmi=(0, 0, 0.4)), {"2Sz": 0}),
    (HeisenbergChain(6, spin=0.5, dmi=(0.3, 0.1, 0.4), field=(0.2, 0, 0)), {}),
    (KondoHeisenbergChain(4, [1, 2]), {"N": 3, "2Sz": 1}),
    (KondoHeisenbergChain(4, [0, 3], electron_field=(0.5, 0, 0)), {"N": 2}),
]


def prepare(model, charges):
    """A random state between the environments of H, and <H> by sparse matrices."""
    os = model.hamiltonian
    tensors, bond_charges = mpo_tensors(os, charge_names=tuple(charges))
    code = ChargeCode.for_sites(tuple(charges), os.sites)
    keys = [code.site_keys(site) for site in os.sites]
    allowed = reachable(keys, int(code.encode(np.array(list(charges.values()), dtype=np.int64))))
    dtype = np.dtype(complex)
    state = starting_state(os, code, allowed, np.random.default_rng(1), dtype)
    vector = state.to_quimb().to_dense().ravel()
    energy = np.vdot(vector, to_sparse(os) @ vector).real
    operator = ChargedMpo(tensors, [code.encode(c) for c in bond_charges], keys, dtype)
    return Chain(state, operator, allowed), vector, energy


@pytest.mark.parametrize(("model", "charges"), CASES)
def test_every_effective_hamiltonian_gives_the_energy(model, charges):
    chain, _, energy = prepare(model, charges)
    operator, last = chain.operator, chain.length - 2
    rng = np.random.default_rng(0)
    for i in [*range(last), *range(last, -1, -1)]:
        window = chain.window(i)
        h, v = window.hamiltonian, window.vector
        assert np.vdot(v, v).real == pytest.approx(1, abs=1e-12)
        assert np.vdot(v, h.apply(v)).real == pytest.approx(energy, abs=1e-11)
        a, b = rng.normal(size=(2, h.size)) + 1j * rng.normal(size=(2, h.size))
        assert np.vdot(a, h.apply(b)) == pytest.approx(np.vdot(h.apply(a), b), abs=1e-9)
        chain.move(i, window, v, rightwards=i < last and chain.site <= i)
        # The center on its one site.
        one = _one_site(chain, operator)
        center = one.join({k: m if chain.rightwards else m.T for k, m in chain.center.items()})
        assert np.vdot(center, one.apply(center)).real == pytest.approx(energy, abs=1e-11)


def _one_site(chain, operator):
    i = chain.site
    if chain.rightwards:
        right = enlarge(chain.right[i + 1], operator.from_right[i], chain.allowed[i])
        return EffectiveHamiltonian(chain.left[i], right, operator.dtype)
    left = enlarge(chain.left[i], operator.from_left[i], chain.allowed[i + 1])
    return EffectiveHamiltonian(left, chain.right[i + 1], operator.dtype)


@pytest.mark.parametrize(("model", "charges"), CASES)
def test_moving_there_and_back_changes_nothing(model, charges):
    chain, vector, _ = prepare(model, charges)
    last = chain.length - 2
    for i, rightwards in [(i, True) for i in range(last)] + [
        (i, False) for i in range(last, -1, -1)
    ]:
        window = chain.window(i)
        assert chain.move(i, window, window.vector, rightwards=rightwards) < 1e-25
    assert np.abs(chain.to_mps().to_quimb().to_dense().ravel() - vector).max() < 1e-12


def test_reachable_sectors_of_a_small_chain():
    spins = [np.array([1, -1])] * 3
    assert reachable(spins, 1) == [{0}, {1, -1}, {0, 2}, {1}]
    assert reachable(spins, 2) == [set(), set(), set(), set()]


def test_truncation_keeps_the_largest_weights_of_all_sectors():
    theta = {0: np.diag([0.8, 0.1]), 2: np.array([[np.sqrt(1 - 0.65)]])}
    kept, lost = truncate(theta, None, bond_dim=2)
    assert {key: u.shape[1] for key, u in kept.items()} == {0: 1, 2: 1}
    assert lost == pytest.approx(0.01)
    assert truncate(theta, None, cutoff=0.02)[1] == pytest.approx(0.01)
    assert truncate(theta, None, cutoff=0.005)[1] == 0
    # Equal weights do not exceed the limit.
    even = {0: np.eye(2) / 2, 1: np.eye(2) / 2}
    assert sum(u.shape[1] for u in truncate(even, None, bond_dim=3)[0].values()) == 3


def test_lanczos_against_diagonalization():
    rng = np.random.default_rng(2)
    h = rng.normal(size=(60, 60)) + 1j * rng.normal(size=(60, 60))
    h = h + h.conj().T
    energy, vector = lowest(h.__matmul__, rng.normal(size=60) + 0j, tolerance=1e-10, steps=60)
    assert energy == pytest.approx(np.linalg.eigvalsh(h)[0], abs=1e-10)
    assert np.linalg.norm(h @ vector - energy * vector) < 1e-9
    # An invariant subspace ends it.
    basis = np.linalg.eigh(h)[1]
    assert lowest(h.__matmul__, basis[:, 5], tolerance=0.0, steps=9)[0] == pytest.approx(
        np.linalg.eigvalsh(h)[5]
    )
