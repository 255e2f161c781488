"""Operators on localized spins of matrix product states against dense matrices."""

from __future__ import annotations

import numpy as np
import pytest
from dense import full_vector
from small_states import make

from tnspin.errors import InputError
from tnspin.mps.algebra import joined
from tnspin.operators.spin_mpo import SpinOperator


def spin_mpo(matrix, where, sites, code):
    operator = SpinOperator.from_matrix(matrix, where, sites, "2Sz" in code.names)
    return operator.on_chain(sites, code)


def on_spins(vector, sites, where, matrix):
    """The operator applied to a full vector by moving the spins to the front."""
    shape, axes = [], []
    for site in sites:
        axes.append(len(shape) + 1)
        shape += [site.dim // site.spin_dim, site.spin_dim]
    chosen = [axes[k] for k in where]
    rest = [k for k in range(len(shape)) if k not in chosen]
    tensor = vector.reshape(shape).transpose(chosen + rest)
    moved = (matrix @ tensor.reshape(len(matrix), -1)).reshape(tensor.shape)
    return moved.transpose(np.argsort(chosen + rest)).ravel()


def charges_of(sites, where):
    total = np.zeros(1, dtype=int)
    for k in where:
        d = sites[k].spin_dim
        total = np.add.outer(total, d - 1 - 2 * np.arange(d)).ravel()
    return total


CASES = [
    ("kondo", [1, 2]),
    ("kondo", [2]),
    ("spins", [1, 2, 5]),
    ("spins, dense", [0, 3]),
    ("mixed spins", [1, 2, 4]),
    ("bosons and spins", [1, 4]),
]


@pytest.mark.parametrize(("name", "where"), CASES)
@pytest.mark.parametrize("change", [0, 2, -2])
def test_against_the_full_vector(name, where, change):
    psi = make(name)
    psi.canonicalize()
    size = int(np.prod([psi.sites[k].spin_dim for k in where]))
    rng = np.random.default_rng(8)
    matrix = rng.normal(size=(size, size)) + 1j * rng.normal(size=(size, size))
    if "2Sz" in psi.charge_names:
        q = charges_of(psi.sites, where)
        matrix = np.where(q[:, None] - q[None, :] == change, matrix, 0)
    wanted = on_spins(full_vector(psi), psi.sites, where, matrix)
    after, norm, discarded = psi.apply(spin_mpo(matrix, where, psi.sites, psi.code))
    assert norm == pytest.approx(np.linalg.norm(wanted), rel=1e-12)
    assert np.abs(norm * full_vector(after) - wanted).max() < 1e-12 * max(1.0, norm)
    assert discarded < 1e-20
    assert after.canonical


def test_rank_is_that_of_the_operator():
    """A product of one-site operators needs no bond, a sum of two products two states."""
    psi = make("spins")
    z, one = np.diag([1.0, -1.0]), np.eye(2)
    ws, _ = spin_mpo(np.kron(z, z), [1, 4], psi.sites, psi.code)
    assert [w.shape[:2] for w in ws] == [(1, 1)] * 7
    ws, _ = spin_mpo(np.kron(z, z) + np.kron(one, one), [1, 4], psi.sites, psi.code)
    assert [w.shape[1] for w in ws] == [1, 2, 2, 2, 1, 1, 1]


def test_joined_operators_are_their_product():
    psi = make("spins")
    psi.canonicalize()
    rng = np.random.default_rng(1)
    places = [(0, 1), (4, 6), (1, 2)]
    parts = []
    for where in places:
        q = charges_of(psi.sites, where)
        matrix = np.where(q[:, None] == q[None, :], rng.normal(size=(4, 4)), 0)
        parts.append(matrix)
    operators = [spin_mpo(m, w, psi.sites, psi.code) for m, w in zip(parts, places, strict=True)]
    together = joined(operators, places)
    assert len(together) == 2
    wanted, state, norm = full_vector(psi), psi, 1.0
    for matrix, where in zip(parts, places, strict=True):
        wanted = on_spins(wanted, psi.sites, where, matrix)
    for operator in together:
        state, factor, _ = state.apply(operator)
        norm *= factor
    assert np.abs(norm * full_vector(state) - wanted).max() < 1e-12


def test_compression():
    psi = make("spins", dim=8)
    psi.canonicalize()
    matrix = np.diag(np.exp(-np.arange(8) / 5))
    exact, _, _ = psi.apply(spin_mpo(matrix, [2, 3, 4], psi.sites, psi.code))
    small, _, discarded = psi.apply(spin_mpo(matrix, [2, 3, 4], psi.sites, psi.code), bond_dim=5)
    assert small.bond_dims().max() <= 5
    assert 1 - abs(exact.overlap(small)) ** 2 == pytest.approx(discarded, rel=0.5)


def test_fewer_charges():
    psi = make("kondo")
    psi.canonicalize()
    less = psi.with_charges(("N",))
    assert less.charge_names == ("N",)
    assert np.abs(full_vector(less) - full_vector(psi)).max() < 1e-12
    assert psi.with_charges(psi.charge_names) is psi


def test_refused():
    psi = make("spins")
    flip = np.array([[0, 1], [1, 0]])
    with pytest.raises(InputError, match=r"it changes 2Sz by \[-2, 2\]"):
        spin_mpo(flip, [1], psi.sites, psi.code)
    for matrix, where in ((flip, [1, 2]), (np.eye(4), [2, 1]), (np.eye(4), [1, 1])):
        with pytest.raises(InputError, match="does not fit the spins"):
            spin_mpo(matrix, where, psi.sites, psi.code)
