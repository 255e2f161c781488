"""Density matrices of two groups of spins, against the full vector."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_valves import VALVES, make, spins_rdm

from tnspin.errors import InputError
from tnspin.observables.groups import spins
from tnspin.states.ensemble import Ensemble


def group_state(members, *parts, **limits):
    """Of a mixture with these weights, or shares of one."""
    total = sum(weight for weight, _ in members)
    mixture = Ensemble([one for _, one in members], [weight / total for weight, _ in members])
    return spins.group_state(mixture, *parts, **limits)


ALL = pytest.mark.parametrize("name", list(VALVES))


def entropy(rho):
    p = np.linalg.eigvalsh(rho)
    p = p[p > 1e-15]
    return -np.sum(p * np.log(p))


def log_negativity(rho, d_a, d_b):
    flipped = rho.reshape(d_a, d_b, d_a, d_b).transpose(2, 1, 0, 3).reshape(rho.shape)
    return np.log(np.abs(np.linalg.eigvalsh(flipped)).sum())


def sizes(members, *parts):
    sites = members[0][1].sites
    return [int(np.prod([sites[i].spin_dim for i in part])) for part in parts]


def check_measures(group, members, part_a, part_b, tolerance=1e-10):
    rho = spins_rdm(members, [*part_a, *part_b])
    d_a, d_b = sizes(members, part_a, part_b)
    tensor = rho.reshape(d_a, d_b, d_a, d_b)
    expected = [rho, np.einsum("ajbj->ab", tensor), np.einsum("iaib->ab", tensor)]
    np.testing.assert_allclose(group.entropies(), list(map(entropy, expected)), atol=tolerance)
    assert group.log_negativity() == pytest.approx(log_negativity(rho, d_a, d_b), abs=tolerance)
    assert group.purity() == pytest.approx(np.vdot(rho, rho).real, abs=tolerance)
    assert group.trace == pytest.approx(1.0, abs=1e-12)


@ALL
def test_few_spins_are_exact_in_their_product_basis(name):
    members, part_a, part_b = make(name)
    group = group_state(members, part_a, part_b)
    assert not group.compressed and group.discarded == 0.0
    assert list(group.dims) == sizes(members, part_a, part_b)
    rho = spins_rdm(members, [*part_a, *part_b])
    np.testing.assert_allclose(group.to_dense(), rho, atol=1e-12)


def test_spins_come_in_the_order_given():
    members, part_a, part_b = make("spins")
    a, b = part_b[::-1], (part_a[2], part_a[0])
    np.testing.assert_allclose(
        group_state(members, a, b).to_dense(), spins_rdm(members, [*a, *b]), atol=1e-12
    )


def test_groups_may_lie_inside_each_other():
    members, *_ = make("spins")
    a, b = (1, 5, 8), (3, 7)
    np.testing.assert_allclose(
        group_state(members, a, b).to_dense(), spins_rdm(members, [*a, *b]), atol=1e-12
    )


@pytest.mark.parametrize("dense", [10, 0])
def test_the_second_group_may_be_empty(dense):
    members, part_a, _ = make("kondo")
    group = group_state(members, part_a, (), cutoff=0.0, dense=dense)
    assert group.dims[1] == 1
    rho = spins_rdm(members, part_a)
    np.testing.assert_allclose(group.entropies(), [entropy(rho), entropy(rho), 0], atol=1e-10)


def test_charges_are_those_of_the_spins():
    members, part_a, part_b = make("larger spins")
    charges = group_state(members, part_a, part_b).charges
    assert charges[0].tolist() == [3, 1, 1, -1, -1, -3]
    assert charges[1].tolist() == [m + n for m in (3, 1, -1, -3) for n in (2, 0, -2)]
    members, part_a, part_b = make("number only")
    assert not any(map(np.any, group_state(members, part_a, part_b).charges))


@ALL
@pytest.mark.parametrize("mirrored", [False, True])
def test_compressed_groups_have_the_same_measures(name, mirrored):
    members, part_a, part_b = make(name, seed=3)
    if mirrored:
        part_a, part_b = part_b, part_a
    group = group_state(members, part_a, part_b, cutoff=0.0, dense=0)
    assert group.compressed and group.discarded < 1e-12
    check_measures(group, members, part_a, part_b)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), name=st.sampled_from(["kondo", "two electrons", "thermal"]))
def test_compressed_groups_of_any_state(seed, name):
    members, part_a, part_b = make(name, seed=seed, dim=2)
    group = group_state(members, part_a, part_b, cutoff=0.0, dense=0)
    check_measures(group, members, part_a, part_b)


def test_compressed_bases_are_no_larger_than_the_rank():
    """A small bond bounds what a group shares with the rest."""
    members, *_ = make("spins", dim=1)
    part_a, part_b = (0, 1, 2, 3, 4), (7, 8, 9, 10, 11)
    group = group_state(members, part_a, part_b, cutoff=1e-14, dense=0)
    rank = sum(int(state.bonds[5].dims.sum()) for _, state in members)
    assert group.dims[0] <= rank < 2**5
    check_measures(group, members, part_a, part_b)


@pytest.mark.parametrize("cutoff", [1e-1, 1e-2, 1e-3])
def test_no_more_is_lost_than_allowed(cutoff):
    members, part_a, part_b = make("spins", seed=5)
    exact = group_state(members, part_a, part_b)
    group = group_state(members, part_a, part_b, cutoff=cutoff, dense=0)
    assert 0 < group.discarded <= 2 * cutoff
    # A projection that loses d moves the normalized matrix by at most 2 sqrt(d) in trace norm.
    distance = 2 * np.sqrt(group.discarded)
    assert abs(group.purity() - exact.purity()) <= 2 * distance
    assert group.trace == pytest.approx(1.0, abs=1e-12)


def test_what_is_lost_shrinks_with_the_cutoff():
    members, part_a, part_b = make("spins", seed=5)
    exact = group_state(members, part_a, part_b)
    errors = []
    for cutoff in (1e-2, 1e-4, 1e-6, 1e-8):
        group = group_state(members, part_a, part_b, cutoff=cutoff, dense=0)
        errors.append(abs(group.log_negativity() - exact.log_negativity()))
        assert errors[-1] <= 4 * np.sqrt(cutoff)
    assert errors[-1] < 1e-4 * errors[0]


def test_blocks_stay_within_their_limit():
    members, part_a, part_b = make("spins", seed=5)
    free = group_state(members, part_a, part_b, cutoff=0.0, dense=0)
    group = group_state(members, part_a, part_b, cutoff=0.0, dense=0, largest=20)
    for blocks in (group.blocks, group.partial_transpose()):
        assert max(map(len, blocks.values())) <= 20 < max(map(len, free.blocks.values()))
    assert free.discarded < 1e-12 < group.discarded < 1
    assert abs(group.purity() - free.purity()) <= 4 * np.sqrt(group.discarded)


def test_bad_groups_are_refused():
    members, part_a, part_b = make("spins")
    with pytest.raises(InputError, match="distinct"):
        group_state(members, part_a, part_a)
    with pytest.raises(InputError, match="outside"):
        group_state(members, part_a, (20,))
    with pytest.raises(InputError, match="inside each other"):
        group_state(members, (0, 5), (3,), dense=0)
    other = make("larger spins")[0]
    with pytest.raises(InputError, match="different chains"):
        group_state([*members, *other], part_a, part_b)


def test_weights_need_not_be_normalized():
    members, part_a, part_b = make("kondo")
    twice = [(2 * weight, state) for weight, state in members]
    np.testing.assert_allclose(
        group_state(twice, part_a, part_b).to_dense(),
        group_state(members, part_a, part_b).to_dense(),
        atol=1e-14,
    )
