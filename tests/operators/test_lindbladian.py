"""Lindbladians as operator sums against superoperators in the full space."""

from __future__ import annotations

import numpy as np
import pytest
from open_systems import MINUS, PLUS, SPINS, Lindblad, Z, flips, mixing

from tnspin.baths import JumpOperator
from tnspin.errors import InputError
from tnspin.models import HeisenbergChain, KondoHeisenbergChain
from tnspin.operators import sites
from tnspin.operators.bonds import bonds
from tnspin.operators.lindbladian import lindbladian, split_product
from tnspin.operators.mpo import mpo_tensors
from tnspin.operators.operator_sum import OperatorSum
from tnspin.operators.sparse import to_sparse


def by_site(generator, dims):
    """A superoperator on all kets x all bras, sorted site by site."""
    count = len(dims)
    order = [axis for k in range(count) for axis in (k, count + k)]
    axes = [*order, *(2 * count + axis for axis in order)]
    return np.asarray(generator).reshape([*dims] * 4).transpose(axes).reshape(generator.shape)


def three(rate=0.2):
    """A jump on three sites, one on two that are not neighbours, two on the same site."""
    matrix = np.kron(np.kron(PLUS, Z), MINUS) + 0.5 * np.kron(np.kron(MINUS, PLUS), np.eye(2))
    return [
        JumpOperator((0, 1, 2), rate * matrix, 0, "three"),
        JumpOperator((0, 2), np.sqrt(rate) * np.kron(PLUS, MINUS), 0, "far"),
        JumpOperator((1,), np.sqrt(rate) * Z, 0, "Z 1"),
        JumpOperator((1,), np.sqrt(rate) * MINUS, -2, "S- 1"),
    ]


@pytest.mark.parametrize("jumps", [flips(), mixing(), three(), []], ids=["f", "m", "3", "none"])
def test_against_the_superoperator(jumps):
    generator = lindbladian(SPINS.hamiltonian, jumps)
    expected = by_site(Lindblad(SPINS, jumps).generator, [2, 2, 2])
    assert np.abs(to_sparse(generator).toarray() - expected).max() < 1e-14
    definite = all(jump.charge is not None for jump in jumps)
    assert generator.conserved() == (("2Sz",) if definite else ())


@pytest.mark.parametrize("jumps", [flips(), three()], ids=["f", "3"])
def test_as_a_matrix_product_operator(jumps):
    generator = lindbladian(SPINS.hamiltonian, jumps)
    tensors, charges = mpo_tensors(generator)
    # "Not begun", "done", H (six words), and at most 16 operators for each set of sites.
    assert tensors[0].shape[1] <= 2 + 6 + 16 * len({jump.sites for jump in jumps})
    total = np.ones((1, 1, 1))
    for w in tensors:
        total = np.einsum("xoi,xypq->yopiq", total, w)
        total = total.reshape(total.shape[0], total.shape[1] * total.shape[2], -1)
    expected = by_site(Lindblad(SPINS, jumps).generator, [2, 2, 2])
    assert np.abs(total[0] - expected).max() < 1e-13
    assert charges[1].shape == (tensors[0].shape[1], 1)


def test_every_bond_keeps_the_trace():
    model = HeisenbergChain(sites=4, spin=1, J=0.7, field=(0.1, 0.2, 0.3), dmi=(0, 0, 0.4))
    rng = np.random.default_rng(0)
    jumps = [
        JumpOperator((k, k + 1), rng.normal(size=(9, 9)) + 1j * rng.normal(size=(9, 9)), None, "r")
        for k in range(3)
    ]
    terms = bonds(lindbladian(model.hamiltonian, jumps))
    one = np.kron(np.eye(3).ravel(), np.eye(3).ravel())
    for bond in range(3):
        assert np.abs(one @ terms.matrix(bond)).max() < 1e-12


def test_driven_terms():
    chain = (sites.spin(0.5),) * 2
    os = OperatorSum.of(chain, [(np.cos, "Sx", 0, "Sy", 1), (lambda t: t, "Sz", 1)])
    terms = bonds(lindbladian(os))
    x, y, z = (chain[0].op(f"S{axis}") for axis in "xyz")
    h = np.cos(0.4) * np.kron(x, y) + 0.4 * np.kron(np.eye(2), z)
    expected = -1j * (np.kron(h, np.eye(4)) - np.kron(np.eye(4), h.T))
    assert np.abs(terms.matrix(0, 0.4) - by_site(expected, [2, 2])).max() < 1e-15


def test_doubled_sites():
    for site in (sites.spin(0.5), sites.spin(1), sites.boson(3)):
        two, d = sites.doubled(site), site.dim
        rho = np.random.default_rng(1).normal(size=(d, d))
        for name, matrix in site.operators.items():
            assert np.allclose(two.op(name) @ rho.ravel(), (matrix @ rho).ravel())
            if name != "Id":
                assert np.allclose(two.op(f"{name}'") @ rho.ravel(), (rho @ matrix).ravel())
        for name in site.charges:
            q = site.charge(name)
            assert np.array_equal(two.charge(name), np.subtract.outer(q, q).ravel())
        assert not two.has_fermions and sites.doubled(site) is two
    with pytest.raises(InputError, match="no electrons"):
        sites.doubled(sites.kondo())


def test_products_have_definite_charges():
    chain = [sites.spin(0.5), sites.spin(1), sites.spin(0.5)]
    rng = np.random.default_rng(2)
    matrix = rng.normal(size=(12, 12)) + 1j * rng.normal(size=(12, 12))
    products = split_product(matrix, chain)
    total = sum(np.kron(np.kron(a, b), c) for a, b, c in products)
    assert np.abs(total - matrix).max() < 1e-13
    for product in products:
        for k in (0, 2):
            q = chain[k].charge("2Sz")
            out, into = np.nonzero(product[k])
            assert len(set((q[out] - q[into]).tolist())) == 1
    assert len(products) == 4 * 4
    pair = split_product(matrix[:6, :6], chain[:2])
    assert np.abs(sum(np.kron(a, b) for a, b in pair) - matrix[:6, :6]).max() < 1e-13
    assert len(pair) == 4
    assert split_product(np.zeros((4, 4)), [chain[0]] * 2) == []


def test_refusals():
    four = JumpOperator((0, 1, 2, 3), np.eye(16), 0, "long")
    with pytest.raises(InputError, match="at most 3 sites"):
        lindbladian(HeisenbergChain(4).hamiltonian, [four])
    with pytest.raises(InputError, match="outside the chain"):
        lindbladian(SPINS.hamiltonian, [JumpOperator((3,), Z, 0, "off")])
    with pytest.raises(InputError, match="shape"):
        lindbladian(SPINS.hamiltonian, [JumpOperator((0, 1), Z, 0, "small")])
    with pytest.raises(InputError, match="no electrons"):
        lindbladian(KondoHeisenbergChain(sites=3, localized=[1]).hamiltonian)
