"""Pairs of sites as one, and back."""

from __future__ import annotations

import numpy as np
import pytest
from small_chains import basis_state
from solving import tebd as evolve

from tnspin.models import HeisenbergChain
from tnspin.mps.fuse import fuse, pairs_of, take_apart


def entangled(length, names=("2Sz",), spin=0.5):
    model = HeisenbergChain(length, spin=spin, Jz=0.6)
    start = basis_state(model.local_sites, [k % 2 for k in range(length)], names)
    return list(evolve(model, start, [0.0, 1.5], cutoff=1e-14, threads=1))[-1].state


def vector(state):
    return state.rdm(range(state.length))


@pytest.mark.parametrize("length", [2, 3, 6, 7])
@pytest.mark.parametrize("names", [("2Sz",), ()])
def test_there_and_back(length, names):
    state = entangled(length, names)
    pairs = fuse(state)
    assert [site.dim for site in pairs.sites] == [2 ** len(g) for g in pairs_of(length)]
    assert np.abs(vector(pairs) - vector(state)).max() < 1e-12
    assert pairs.total_charge == state.total_charge
    back, lost = take_apart(pairs, state.sites)
    assert back.canonical and not lost.any()
    assert np.abs(vector(back) - vector(state)).max() < 1e-12
    np.testing.assert_allclose(back.entropies(), state.entropies(), atol=1e-10)


def test_the_fused_chain_is_canonical():
    """It measures by the Schmidt values it took over."""
    pairs = fuse(entangled(6))
    assert pairs.canonical
    again = pairs.copy()
    again.canonicalize()
    np.testing.assert_allclose(pairs.entropies(), again.entropies(), atol=1e-10)
    for one, two in zip(pairs.site_rdms(), again.site_rdms(), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-12)


def test_truncation_is_the_best_there_is():
    """Only the bonds inside pairs are cut, by what the discarded Schmidt values say."""
    state = entangled(6, spin=1)
    schmidt = state.schmidt(2)
    small, lost = take_apart(fuse(state), state.sites, bond_dim=4)
    assert small.canonical and np.flatnonzero(lost).tolist() == [0, 2, 4][1:2]
    assert lost[2] == pytest.approx((schmidt[4:] ** 2).sum(), rel=1e-6)
    assert small.bond_dims().tolist()[2] == 4
    assert 1 - abs(small.overlap(state)) ** 2 == pytest.approx(lost[2], rel=1e-6)
    assert small.divided**2 == pytest.approx(1 - lost[2], rel=1e-6)
