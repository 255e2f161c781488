"""Ancillas compressed together: the density matrix, its weight and its charges stay."""

from __future__ import annotations

import numpy as np
import pytest
from open_systems import MINUS, PLUS, Z

from tnspin.mps import MPS
from tnspin.mps.purified.ancillas import Truncation
from tnspin.mps.purified.channels import channel_mpo, lindblad_channel
from tnspin.mps.purified.state import PurifiedMPS
from tnspin.operators.sites import spin

SITES = (spin(0.5), spin(1), spin(0.5), spin(0.5), spin(0.5))
TINY = Truncation(1e-13, 64)
BONDS = Truncation(1e-14, 1000)


def mixed(names):
    """A pure product after two rounds of channels on two sites, and one on all."""
    vectors = [np.eye(site.dim)[k % 2] for k, site in enumerate(SITES)]
    state = PurifiedMPS.from_state(MPS.product(SITES, vectors, names), SITES, names)
    hop = np.kron(PLUS, MINUS) + 0.3 * np.kron(MINUS, PLUS) + 0.2 * np.kron(Z, Z)
    for where in ((0, 2), (2, 3), (3, 4)):
        channel = lindblad_channel(SITES, where, (2, 2), [hop, np.kron(MINUS, Z)], 0.3, names)
        state.apply_all([channel_mpo(channel, SITES, names)])
        state.purification.canonicalize(1e-14)
        state.compress_kraus(1e-14, 64)
    state.apply_local([lindblad_channel(SITES, (k,), (2,), [MINUS], 0.2, names) for k in (3, 4)])
    return state


def density(state):
    return state.rdm(range(state.length))


@pytest.mark.parametrize("names", [(), ("2Sz",)])
@pytest.mark.parametrize("sites", [range(0, 3), range(1, 4), range(2, 5), range(4, 5)])
def test_the_density_matrix_stays(names, sites):
    state = mixed(names)
    before, rho = state.kraus_dims(), density(state)
    lost, shares = state.compress_ancillas(sites, TINY, BONDS)
    after = state.kraus_dims()
    assert lost <= 1e-13 and all(share <= 1e-14 for share in shares.values())
    # Weight that a bond loses is the square of what the matrix elements may miss.
    assert np.abs(density(state) - rho).max() < 1e-12 + 2 * np.sqrt(sum(shares.values()))
    assert state.norm == pytest.approx(1) and state.charge_names == names
    others = [k for k in range(5) if k not in sites]
    assert np.array_equal(before[others], after[others])
    assert np.prod(after) <= np.prod(before)


@pytest.mark.parametrize("names", [(), ("2Sz",)])
def test_what_is_dropped_bounds_the_trace_distance(names):
    state = mixed(names)
    rho, dims = density(state), state.kraus_dims()
    for cutoff in (1e-2, 3e-2):
        one = state.copy()
        lost, _ = one.compress_ancillas(range(1, 4), Truncation(cutoff, 64), BONDS)
        one.purification.ensure_canonical()
        gap = density(one) * (1 - lost) - rho
        assert 0 < lost <= cutoff and one.kraus_dims().prod() < dims.prod()
        # A positive part of rho has gone, of that trace, and nothing else.
        assert np.abs(np.linalg.eigvalsh(gap)).sum() == pytest.approx(lost, rel=1e-4)
        assert np.linalg.eigvalsh(gap).max() < 1e-7


def test_together_they_are_fewer_than_alone():
    """Three spins have eight eigenvalues, and so need eight ancilla states."""
    sites = SITES[2:]
    vectors = [np.eye(2)[k] for k in (0, 1, 0)]
    state = PurifiedMPS.from_state(MPS.product(sites, vectors, ()), sites)
    jumps = [np.kron(PLUS, MINUS) + 0.5 * np.kron(Z, PLUS), np.kron(MINUS, Z)]
    for where in ((0, 1), (1, 2), (0, 1)):
        channel = lindblad_channel(sites, where, (2, 2), jumps, 0.5)
        state.apply_all([channel_mpo(channel, sites)])
        state.purification.canonicalize(1e-14)
        state.compress_kraus(1e-13, 64)
    rho = density(state)
    assert state.kraus_dims().prod() > 12
    state.compress_ancillas(range(3), TINY, BONDS)
    assert state.kraus_dims().prod() <= 12
    assert np.abs(density(state) - rho).max() < 1e-7


def test_a_largest_dimension_is_kept():
    state = mixed(())
    lost, _ = state.compress_ancillas(range(1, 4), Truncation(1e-13, 2), BONDS)
    assert lost > 1e-6 and state.kraus_dims()[1:4].max() <= 2


def test_stretches_that_do_not_fit_get_shorter():
    state = mixed(("2Sz",))
    rho = density(state)
    before = state.kraus_dims()
    state.compress_ancillas(range(1, 4), TINY, BONDS, largest=1)
    assert np.array_equal(state.kraus_dims()[[0, 1, 3, 4]], before[[0, 1, 3, 4]])
    assert np.abs(density(state) - rho).max() < 1e-12
