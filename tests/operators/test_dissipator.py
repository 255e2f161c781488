"""Operators on many sites as matrix product operators: algebra, sums, dissipators, TDVP."""

from __future__ import annotations

import numpy as np
import pytest
from open_systems import Lindblad, embedded

from tnspin.baths import JumpOperator, UniversalLindblad, jump_operators
from tnspin.errors import InputError
from tnspin.models import HeisenbergChain, KondoHeisenbergChain
from tnspin.operators.dissipator import decay, dissipator
from tnspin.operators.sites import spin
from tnspin.operators.spin_mpo import SpinOperator

RING = HeisenbergChain(4, field=(0, 0, 0.8), periodic=True)
BATHS = [
    UniversalLindblad(1.0, coupling="components"),
    UniversalLindblad(1.0, coupling="sum"),
    UniversalLindblad(1.0, omega_max=6.0, coupling="components"),
]


def by_site(generator, dims):
    """A superoperator on all kets x all bras, sorted site by site."""
    count = len(dims)
    order = [axis for k in range(count) for axis in (k, count + k)]
    axes = [*order, *(2 * count + axis for axis in order)]
    return np.asarray(generator).reshape([*dims] * 4).transpose(axes).reshape(generator.shape)


def dense(tensors):
    """Matrix of a matrix product operator."""
    total = np.ones((1, 1, 1))
    for w in tensors:
        total = np.einsum("xoi,xypq->yopiq", total, w, optimize=True)
        total = total.reshape(w.shape[1], total.shape[1] * w.shape[2], -1)
    return total[0]


def whole(automaton):
    """Matrix of a sum."""
    return dense(automaton.tensors)


def random_operator(rng, sites, where, definite):
    """An operator on spins of a chain that changes 2Sz by 2 if definite."""
    dims = [sites[k].spin_dim for k in where]
    q = np.zeros(1, dtype=int)
    for k in where:
        q = np.add.outer(q, sites[k].charge("2Sz")[: sites[k].spin_dim]).ravel()
    shape = (int(np.prod(dims)),) * 2
    matrix = rng.normal(size=shape) + 1j * rng.normal(size=shape)
    if definite:
        matrix[np.subtract.outer(q, q) != 2] = 0.0
    return matrix


@pytest.mark.parametrize("definite", [True, False])
def test_algebra(definite):
    rng = np.random.default_rng(3)
    sites, where = [spin(0.5), spin(1.0), spin(0.5), spin(0.5)], (0, 1, 3)
    a, b = (random_operator(rng, sites, where, definite) for _ in range(2))
    one, two = (SpinOperator.from_matrix(m, where, sites, definite) for m in (a, b))
    assert one.definite is definite
    for operator, expected in (
        (one, a), (one.adjoint, a.conj().T), (one + two, a + b), (one @ two, a @ b),
        (one.adjoint @ two, a.conj().T @ b), (one + two.adjoint, a + b.conj().T),
        ((one + one + two).compressed(1e-13)[0], 2 * a + b),
        (one.squared(1e-13), a.conj().T @ a), (2j * one, 2j * a),
    ):  # fmt: skip
        assert np.abs(operator.matrix - expected).max() < 1e-12
        assert operator.norm == pytest.approx(np.linalg.norm(expected) / np.sqrt(len(a)))
    assert max((one + one).compressed(1e-13)[0].bond_dims) <= max(one.bond_dims)


def test_compression_knows_its_error():
    chain = HeisenbergChain(6)
    jump = jump_operators(chain, UniversalLindblad(1.0, omega_max=20.0, coupling="components"))[6]
    one = jump.on(chain.local_sites)
    for tolerance in (1e-2, 1e-4, 1e-6):
        short, error = one.compressed(tolerance)
        true = np.linalg.norm(short.matrix - one.matrix) / np.linalg.norm(one.matrix)
        assert 0.5 * true <= error <= 2 * true <= 5 * tolerance
        assert sum(short.bond_dims) < sum(one.bond_dims)


def test_identities_at_the_ends_are_trimmed():
    rng = np.random.default_rng(5)
    sites = [spin(0.5)] * 5
    inner = random_operator(rng, sites, (2, 3), True)
    wide = np.kron(np.kron(np.eye(4), inner), np.eye(2))
    small = 1e-7 * random_operator(rng, sites, range(5), True)
    operator = SpinOperator.from_matrix(wide + small, range(5), sites, True)
    assert operator.trimmed(1e-9)[0].sites == (0, 1, 2, 3, 4)
    short, error = operator.trimmed(1e-5)
    assert short.sites == (2, 3)
    lost = np.linalg.norm(np.kron(np.kron(np.eye(4), short.matrix), np.eye(2)) - operator.matrix)
    assert error == pytest.approx(lost / np.linalg.norm(operator.matrix))
    assert np.abs(short.matrix - inner).max() < 1e-5


@pytest.mark.parametrize("bath", BATHS)
def test_dissipator_and_decay(bath):
    jumps = jump_operators(RING, bath)
    expected = by_site(Lindblad(RING, jumps).generator, [2] * 4)
    closed = by_site(Lindblad(RING, []).generator, [2] * 4)
    found = whole(dissipator(RING.local_sites, jumps, 1e-10))
    assert np.abs(found + closed - expected).max() < 1e-10
    squares = sum(jump.matrix.conj().T @ jump.matrix for jump in jumps)
    found = whole(decay(RING.local_sites, jumps, 1e-10))
    assert np.abs(found + 0.5j * squares).max() < 1e-10


def test_on_other_sites_and_with_electrons():
    rng = np.random.default_rng(6)
    valve = KondoHeisenbergChain(sites=3, localized=[[0], [2]], J_sd=0.8)
    matrix = random_operator(rng, valve.local_sites, (0, 2), True)
    jump = JumpOperator((0, 2), matrix, 2, "far")
    square = embedded(valve, JumpOperator((0, 2), matrix.conj().T @ matrix, 0, ""))
    found = decay(valve.local_sites, [jump], 1e-12)
    assert np.abs(whole(found) + 0.5j * square).max() < 1e-11


def test_a_long_sum_costs_no_more_than_its_range():
    """Weak terms all along a chain keep their accuracy and a small bond dimension."""
    rng = np.random.default_rng(7)
    sites = [spin(0.5)] * 9
    matrix = random_operator(rng, sites, (0, 1, 2), True)
    jumps = [JumpOperator((k, k + 1, k + 2), 1e-4 * matrix, 2, "") for k in range(7)]
    found = decay(sites, jumps, 1e-10)
    one = matrix.conj().T @ matrix
    expected = sum(np.kron(np.kron(np.eye(2**k), one), np.eye(2 ** (6 - k))) for k in range(7))
    assert np.linalg.norm(whole(found) / (-0.5e-8j) - expected) < 1e-9 * np.linalg.norm(expected)
    # Two beginnings of one site (4 operators but the identity), and of two.
    assert max(found.bond_dims) <= 2 + 2 * 3
    rough = decay(sites, jumps, 0.3)
    true = np.linalg.norm(whole(rough) / (-0.5e-8j) - expected) / np.sqrt(2**9)
    assert max(rough.bond_dims) < max(found.bond_dims)
    assert 0.3 * true < rough.error / 0.5e-8 < 3 * true


def test_refusals():
    sites = [spin(0.5)] * 3
    with pytest.raises(InputError, match="shape"):
        SpinOperator.from_matrix(np.eye(4), (0, 1, 2), sites, True)
    with pytest.raises(InputError, match="definite amount"):
        mixed = np.kron([[0, 1], [1, 0]], np.eye(2))
        SpinOperator.from_matrix(mixed, (0, 2), sites, True)
    one = SpinOperator.from_matrix(np.eye(4), (0, 2), sites, True)
    with pytest.raises(InputError, match="same sites"):
        one + one.moved((0, 1))
    none = (np.zeros(1, int),) * 14
    many = SpinOperator(
        tuple(range(13)), one.tensors[:1] * 13, none, one.local_charges[:1] * 13, True
    )
    with pytest.raises(InputError, match="too large"):
        assert many.matrix is None
