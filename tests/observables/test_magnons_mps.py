"""Flips and correlations of spins, against the density matrix of the full vector."""

from __future__ import annotations

import numpy as np
import pytest
from small_valves import VALVES, make, spins_rdm

from tnspin.errors import InputError
from tnspin.mps import MPS
from tnspin.observables.magnons import counts
from tnspin.operators.sites import spin
from tnspin.states.ensemble import Ensemble

ALL = pytest.mark.parametrize("name", list(VALVES))


def setup(name, seed=1):
    """A mixture, all spins in no order, a reference at either end, and their density matrix."""
    members, part_a, part_b = make(name, seed=seed)
    sites = [*part_b, *part_a]
    dims = [members[0][1].sites[i].spin_dim for i in sites]
    reference = [0 if i in part_a else d - 1 for i, d in zip(sites, dims, strict=True)]
    weights, states = zip(*members, strict=True)
    mixture = Ensemble(states, weights)
    return mixture, sites, dims, reference, spins_rdm(members, sites)


@ALL
def test_magnon_probability(name):
    members, sites, dims, reference, rho = setup(name)
    expected = np.zeros(len(sites) + 1)
    for index, p in zip(np.ndindex(*dims), np.diag(rho).real, strict=True):
        expected[sum(k != r for k, r in zip(index, reference, strict=True))] += p
    found = counts(members, sites).magnons(reference)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert found.sum() == pytest.approx(1.0, abs=1e-12)


@ALL
def test_w_probability(name):
    members, sites, dims, reference, rho = setup(name)
    vector = np.zeros(dims)
    for k, (d, r) in enumerate(zip(dims, reference, strict=True)):
        index = list(reference)
        index[k] = 1 if r == 0 else d - 2
        vector[tuple(index)] = len(dims) ** -0.5
    expected = vector.ravel() @ rho @ vector.ravel()
    assert counts(members, sites).w(reference) == pytest.approx(expected.real, abs=1e-12)
    assert expected.real > 1e-6


@ALL
def test_zz_correlations(name):
    members, sites, dims, _, rho = setup(name)
    p = np.diag(rho).real.reshape(dims)
    values = np.array(
        [
            np.broadcast_to(
                np.linspace(1, -1, d).reshape([-1 if m == k else 1 for m in range(len(dims))]), dims
            ).ravel()
            for k, d in enumerate(dims)
        ]
    )
    pairs, mean = counts(members, sites).zz()
    np.testing.assert_allclose(mean, values @ p.ravel(), atol=1e-12)
    np.testing.assert_allclose(pairs, (values * p.ravel()) @ values.T, atol=1e-12)


def test_a_w_state_of_many_spins():
    """Forty spins: exact values without any 2^40."""
    n = 40
    state = _w_state(n)
    sites, reference = range(n), [0] * n
    assert counts(state, sites).w(reference) == pytest.approx(1.0, abs=1e-12)
    expected = np.zeros(n + 1)
    expected[1] = 1.0
    np.testing.assert_allclose(counts(state, sites).magnons(reference), expected, atol=1e-12)
    pairs, mean = counts(state, sites).zz()
    np.testing.assert_allclose(mean, 1 - 2 / n, atol=1e-12)
    np.testing.assert_allclose(pairs[np.triu_indices(n, 1)], 1 - 4 / n, atol=1e-12)


def _w_state(n):
    """Equal superposition of one spin down among n: two states per bond, none or one so far."""
    sites = (spin(0.5),) * n
    up, _ = np.eye(2)
    product = MPS.product(sites, [up] * n, ["2Sz"])
    stride = int(product.site_keys[0][0])
    blocks, dims = [], [{0: 1}]
    for i in range(1, n):
        dims.append({i * stride: 1, (i - 2) * stride: 1})
    dims.append({(n - 2) * stride: 1})
    one = np.ones((1, 1))
    for i in range(n):
        site = {(key, 0): one for key in dims[i] if key + stride in dims[i + 1]}
        site[i * stride, 1] = one
        blocks.append(site)
    state = MPS.from_blocks(sites, product.code, dims, blocks)
    state.canonicalize()
    return state


def test_bad_references_are_refused():
    members, sites, dims, reference, _ = setup("larger spins")
    counted = counts(members, sites)
    for function in (counted.magnons, counted.w):
        with pytest.raises(InputError, match="reference"):
            function(reference[1:])
        with pytest.raises(InputError, match="reference"):
            function(dims)
    with pytest.raises(InputError, match="distinct"):
        counts(members, [sites[0]] * len(sites))
    with pytest.raises(InputError, match="neither"):
        counts(members, sites).w([1] * len(sites))


def test_no_spins():
    members, *_ = setup("kondo")
    assert counts(members, []).magnons([]).tolist() == [1.0]
    assert counts(members, []).zz()[0].shape == (0, 0)
