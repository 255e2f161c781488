"""Measures of pairs of spins: closed forms of Bell, Werner, GHZ and W states, and bounds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quantum_llg_reference import random_density

import tnspin as ts
from tnspin.errors import InputError
from tnspin.models import HeisenbergChain, KondoHeisenbergChain
from tnspin.observables import entanglement
from tnspin.operators.sites import spin
from tnspin.states.initial import build
from tnspin.states.vector import VectorState

BELL = {
    "psi+": (np.array([0, 1, 1, 0]) / 2**0.5, (1, 1, -1)),
    "psi-": (np.array([0, 1, -1, 0]) / 2**0.5, (-1, -1, -1)),
    "phi+": (np.array([1, 0, 0, 1]) / 2**0.5, (1, -1, 1)),
    "phi-": (np.array([1, 0, 0, -1]) / 2**0.5, (-1, 1, 1)),
}
PAULI = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])


@pytest.mark.parametrize("name", BELL)
def test_bell_states(name):
    vector, diagonal = BELL[name]
    np.testing.assert_allclose(ts.correlation_matrix(vector, 0, 1), np.diag(diagonal), atol=1e-15)
    assert ts.bell_nonlocality(vector, 0, 1) == pytest.approx(1)
    assert ts.concurrence(vector, 0, 1) == pytest.approx(1)


@pytest.mark.parametrize("p", [0.0, 0.3, 0.5, 0.70, 0.72, 0.9, 1.0])
def test_werner_states_are_nonlocal_above_the_root_of_one_half(p):
    vector, diagonal = BELL["psi-"]
    rho = (1 - p) / 4 * np.eye(4) + p * np.outer(vector, vector)
    np.testing.assert_allclose(ts.correlation_matrix(rho, 0, 1), p * np.diag(diagonal), atol=1e-15)
    wanted = np.sqrt(max(2 * p**2 - 1, 0))
    assert ts.bell_nonlocality(rho, 0, 1) == pytest.approx(wanted, abs=1e-12)
    assert ts.concurrence(rho, 0, 1) == pytest.approx(max((3 * p - 1) / 2, 0), abs=1e-12)


@pytest.mark.parametrize("n", [3, 4, 6])
def test_pairs_of_ghz_and_w_states(n):
    ghz, w = np.zeros(2**n), np.zeros(2**n)
    ghz[[0, -1]] = 2**-0.5
    w[2 ** np.arange(n)] = n**-0.5
    for i, j in ((0, 1), (n - 1, 0)):
        np.testing.assert_allclose(ts.correlation_matrix(ghz, i, j), np.diag([0, 0, 1]), atol=1e-14)
        assert ts.bell_nonlocality(ghz, i, j) == pytest.approx(0, abs=1e-7)
        assert ts.concurrence(ghz, i, j) == pytest.approx(0, abs=1e-7)
        wanted = np.diag([2 / n, 2 / n, 1 - 4 / n])
        np.testing.assert_allclose(ts.correlation_matrix(w, i, j), wanted, atol=1e-14)
        assert ts.concurrence(w, i, j) == pytest.approx(2 / n)
        squares = np.sort(np.diag(wanted) ** 2)[1:].sum()
        nonlocal_ = np.sqrt(max(squares - 1, 0))
        assert ts.bell_nonlocality(w, i, j) == pytest.approx(nonlocal_, abs=1e-7)


def unitary(rng):
    return np.linalg.qr(rng.normal(size=(2, 2)) + 1j * rng.normal(size=(2, 2)))[0]


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**31), rank=st.integers(1, 4))
def test_local_rotations_change_nothing_and_the_bounds_hold(seed, rank):
    rng = np.random.default_rng(seed)
    rho = random_density(rng, 4, rank)
    turn = np.kron(unitary(rng), unitary(rng))
    turned = turn @ rho @ turn.conj().T
    bell, concurrence = entanglement.bell_nonlocality(rho), entanglement.concurrence(rho)
    assert entanglement.bell_nonlocality(turned) == pytest.approx(bell, abs=1e-6)
    assert 0 <= bell <= concurrence + 1e-7 <= 1 + 2e-7  # Verstraete and Wolf, PRL 89, 170401
    if rank == 1:
        assert bell == pytest.approx(concurrence, abs=1e-6)
    wanted = [[np.trace(rho @ np.kron(a, b)).real for b in PAULI] for a in PAULI]
    np.testing.assert_allclose(entanglement.correlation_matrix(rho), wanted, atol=1e-14)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_nothing_is_nonlocal_without_entanglement(seed):
    rng = np.random.default_rng(seed)
    parts = [np.kron(random_density(rng, 2), random_density(rng, 2)) for _ in range(4)]
    rho = np.average(parts, axis=0, weights=rng.uniform(size=4))
    assert entanglement.bell_nonlocality(rho) == 0
    assert entanglement.concurrence(rho) == pytest.approx(0, abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), dim=st.integers(2, 6))
def test_the_trace_distance_is_a_metric(seed, dim):
    rng = np.random.default_rng(seed)
    a, b, c = (random_density(rng, dim) for _ in range(3))
    ab, bc, ac = (entanglement.trace_distance(*pair) for pair in ((a, b), (b, c), (a, c)))
    assert 0 <= ac <= ab + bc + 1e-14 and ab <= 1
    assert entanglement.trace_distance(a, a) == 0
    up, down = np.diag([1.0, 0.0]), np.diag([0.0, 1.0])
    assert entanglement.trace_distance(up, down) == 1


def test_correlations_of_larger_spins_and_of_any_kind_of_state():
    rng = np.random.default_rng(4)
    sites = (spin(1.0), spin(0.5), spin(1.5))
    vector = rng.normal(size=24) + 1j * rng.normal(size=24)
    state = VectorState(sites, vector)
    rho = np.outer(state.vector, state.vector.conj()) / state.norm**2
    first = [np.kron(sites[0].op(f"S{a}"), np.eye(8)) for a in "xyz"]
    last = [np.kron(np.eye(6), sites[2].op(f"S{a}")) / 1.5 for a in "xyz"]
    wanted = np.array([[np.trace(rho @ a @ b).real for b in last] for a in first])
    np.testing.assert_allclose(ts.correlation_matrix(state, 0, 2), wanted, atol=1e-13)
    np.testing.assert_allclose(ts.correlation_matrix(state, 2, 0), wanted.T, atol=1e-13)
    means = [[np.trace(rho @ one).real for one in each] for each in (first, last)]
    found = ts.correlation_matrix(state, 0, 2, connected=True)
    np.testing.assert_allclose(found, wanted - np.outer(*means), atol=1e-13)


def test_spins_beside_electrons_and_matrix_products():
    wire = KondoHeisenbergChain(sites=4, localized=[1, 3], J_sd=0.5, J=0.1, Jz=0.1)
    state = build("product", wire, directions=["x", "-z"])
    wanted = np.zeros((3, 3))
    wanted[0, 2] = -1
    for one in (state.to_vector(), state.to_mps()):
        np.testing.assert_allclose(ts.correlation_matrix(one, 1, 3), wanted, atol=1e-12)
        assert ts.concurrence(one, 1, 3) == pytest.approx(0, abs=1e-6)
    chain = HeisenbergChain(6, J=1.0)
    ground = build("ground", chain)
    mps, vector = ground.to_mps(), ground.to_vector()
    for i, j in ((0, 1), (2, 5)):
        np.testing.assert_allclose(
            ts.correlation_matrix(mps, i, j), ts.correlation_matrix(vector, i, j), atol=1e-5
        )
        assert ts.concurrence(mps, i, j) == pytest.approx(ts.concurrence(vector, i, j), abs=1e-4)


def test_refusals():
    state = build("product", HeisenbergChain(3, spin=1.0)).to_vector()
    with pytest.raises(InputError, match="two spins 1/2"):
        ts.concurrence(state, 0, 1)
    with pytest.raises(InputError, match="twice"):
        ts.correlation_matrix(state, 1, 1)
    with pytest.raises(InputError, match="outside"):
        ts.bell_nonlocality(np.eye(4)[0], 0, 2)
    with pytest.raises(InputError, match="does not match"):
        entanglement.correlation_matrix(np.eye(3))
