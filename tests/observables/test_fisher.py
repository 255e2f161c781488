"""Quantum Fisher information against its definition, closed forms and bounds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tnspin.errors import InputError
from tnspin.observables.fisher import fisher_bound, fisher_information
from tnspin.observables.groups.state import GroupState
from tnspin.observables.magnons import GroupCounts

K = (np.pi / 6, np.pi / 2, 0.0)


def random_rho(dim, rank, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(dim, rank)) + 1j * rng.normal(size=(dim, rank))
    rho = x @ x.conj().T
    return rho / np.trace(rho).real


def generator(dims, positions, weights):
    """sum_j weight_j S^z_j / S as a dense matrix."""
    total = 0
    for j, d in enumerate(dims):
        s = (d - 1) / 2
        factors = [np.eye(n) for n in dims]
        factors[j] = np.diag([(s - m) / s for m in range(d)])
        matrix = np.eye(1)
        for factor in factors:
            matrix = np.kron(matrix, factor)
        total = total + weights[j] * matrix
    return total


def sld_information(rho, a):
    """Tr rho L^2 with the symmetric logarithmic derivative L from its linear equation."""
    n = len(rho)
    rhs = 2j * (rho @ a - a @ rho)
    system = np.kron(rho, np.eye(n)) + np.kron(np.eye(n), rho.T)
    lyapunov = np.linalg.lstsq(system, rhs.ravel(), rcond=None)[0].reshape(n, n)
    return np.trace(rho @ lyapunov @ lyapunov).real


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([(2, 2), (2, 3, 2)]), st.sampled_from([2, 12]))
def test_definition_by_the_symmetric_logarithmic_derivative(seed, dims, rank):
    size = int(np.prod(dims))
    rho = random_rho(size, min(rank, size), seed)
    positions = [3, 4, 9][: len(dims)]
    state = GroupState.from_dense(rho, (dims[0], size // dims[0]))
    found = fisher_information(state, dims, positions, K)
    bound = fisher_bound(*GroupCounts(state, dims).zz(), positions, K)
    for k, value in zip(K, found, strict=True):
        parts = [np.cos(k * np.array(positions)), np.sin(k * np.array(positions))]
        expected = sum(sld_information(rho, generator(dims, positions, w)) for w in parts)
        assert value == pytest.approx(expected / len(dims), abs=1e-8)
    assert np.all(found <= bound + 1e-10)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([(2, 2, 2), (3, 2)]))
def test_pure_states_reach_the_bound_and_it_is_four_variances(seed, dims):
    size = int(np.prod(dims))
    rho = random_rho(size, 1, seed)
    positions = [1, 2, 5][: len(dims)]
    state = GroupState.from_dense(rho, (dims[0], size // dims[0]))
    bound = fisher_bound(*GroupCounts(state, dims).zz(), positions, K)
    assert fisher_information(state, dims, positions, K) == pytest.approx(bound, abs=1e-9)
    for k, value in zip(K, bound, strict=True):
        a = generator(dims, positions, np.exp(1j * k * np.array(positions)))
        mean = np.trace(rho @ a)
        variance = np.trace(rho @ a @ a.conj().T).real - abs(mean) ** 2
        assert value == pytest.approx(4 * variance / len(dims), abs=1e-9)


def test_blocks_do_not_change_it():
    """A mixture over sectors of total 2Sz, given in blocks and as one matrix."""
    rng = np.random.default_rng(1)
    charges = np.array([2, 0, 0, -2])
    total = np.add.outer(charges, charges).ravel()
    rho = np.zeros((16, 16), complex)
    for q in np.unique(total):
        rows = np.flatnonzero(total == q)
        x = rng.normal(size=(len(rows), 2)) + 1j * rng.normal(size=(len(rows), 2))
        rho[np.ix_(rows, rows)] = x @ x.conj().T
    positions = [90, 91, 120, 121]
    forms = [GroupState.from_dense(rho, (4, 4), c) for c in (None, (charges, charges))]
    found = [fisher_information(one, (2,) * 4, positions, K) for one in forms]
    assert found[0] == pytest.approx(found[1], abs=1e-10)


def test_closed_forms():
    n = 4
    ghz = np.zeros(2**n)
    ghz[[0, -1]] = 2**-0.5
    state = GroupState.from_dense(np.outer(ghz, ghz), (4, 4))
    # All spins in phase at k = 0: 4 N, the largest possible.
    assert fisher_information(state, (2,) * n, range(n), [0.0]) == pytest.approx([4 * n])
    # Dephased, it is classical: the bound stays, the information is gone.
    mixed = GroupState.from_dense(np.diag(ghz**2), (4, 4))
    assert fisher_information(mixed, (2,) * n, range(n), [0.0]) == pytest.approx([0.0], abs=1e-12)
    bound = fisher_bound(*GroupCounts(mixed, (2,) * n).zz(), range(n), [0.0])
    assert bound == pytest.approx([4 * n])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_separable_states_have_at_most_four(seed):
    rng = np.random.default_rng(seed)
    rho = 0
    for weight in rng.dirichlet(np.ones(3)):
        factors = [random_rho(2, 1, rng) for _ in range(3)]
        rho = rho + weight * np.kron(np.kron(factors[0], factors[1]), factors[2])
    state = GroupState.from_dense(rho, (2, 4))
    assert np.all(fisher_information(state, (2, 2, 2), [0, 1, 2], K) <= 4 + 1e-10)


def test_compressed_groups_are_refused():
    state = GroupState.from_dense(np.eye(4), (2, 2), compressed=True)
    with pytest.raises(InputError, match="compressed"):
        fisher_information(state, (2, 2), [0, 1], K)
