"""States of two groups of spins against their dense density matrices."""

from __future__ import annotations

from math import log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tnspin.errors import InputError
from tnspin.observables import entanglement
from tnspin.observables.groups.state import GroupState

TOL = 1e-11


def charged(rng, a, b, rank=None):
    """A random density matrix without elements between different charges."""
    total = np.add.outer(a, b).ravel()
    x = rng.normal(size=(total.size, rank or total.size))
    x = x + 1j * rng.normal(size=x.shape)
    # Each column is a vector of one sector only.
    sector = rng.choice(np.unique(total), size=x.shape[1])
    x[total[:, None] != sector[None, :]] = 0
    rho = x @ x.conj().T
    return rho / np.trace(rho)


def check_against_dense(state, rho):
    dims = state.dims
    assert np.abs(state.to_dense() - rho).max() < TOL
    assert state.trace == pytest.approx(1, abs=TOL)
    assert state.purity() == pytest.approx(entanglement.purity(rho), abs=TOL)
    assert state.log_negativity() == pytest.approx(
        entanglement.log_negativity(rho, dims, [0]), abs=1e-10
    )
    assert state.mutual_information() == pytest.approx(
        entanglement.mutual_information(rho, dims, [0]), abs=1e-10
    )
    parts = [entanglement.partial_trace(rho, dims, [k]) for k in (0, 1)]
    expected = [entanglement.von_neumann(matrix) for matrix in (rho, *parts)]
    assert state.entropies() == pytest.approx(expected, abs=1e-10)
    for k in (0, 1):
        assert np.abs(state.reduced(k) - parts[k]).max() < TOL
    assert np.abs(state.diagonal().ravel() - np.diag(rho).real).max() < TOL


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(-2, 2), min_size=1, max_size=5),
    st.lists(st.integers(-2, 2), min_size=1, max_size=5),
    st.integers(0, 2**32 - 1),
    st.sampled_from([1, 2, None]),
)
def test_any_charges_in_any_order(a, b, seed, rank):
    rho = charged(np.random.default_rng(seed), np.array(a), np.array(b), rank)
    check_against_dense(GroupState.from_dense(rho, (len(a), len(b)), (a, b)), rho)


def test_blocks_follow_the_documented_order():
    a, b = np.array([1, -1, 1]), np.array([0, 2, -2, 0])
    rho = charged(np.random.default_rng(0), a, b)
    state = GroupState.from_dense(rho, (3, 4), (a, b))
    for q, block in state.blocks.items():
        rows = [4 * i + j for i, j in np.argwhere(np.add.outer(a, b) == q)]
        assert np.array_equal(block, rho[np.ix_(rows, rows)] / np.trace(rho).real)
    rest = {q: block for q, block in state.blocks.items() if np.any(block)}
    assert GroupState((a, b), rest).log_negativity() == pytest.approx(state.log_negativity())


def test_charges_in_any_order():
    a, b = np.array([1, -1, 1]), np.array([0, 2, -2, 0])
    rho = charged(np.random.default_rng(2), a, b)
    order_a, order_b = np.array([2, 0, 1]), np.array([3, 1, 0, 2])
    where = (4 * order_a[:, None] + order_b).ravel()
    turned = rho[np.ix_(where, where)]
    state = GroupState.from_dense(turned, (3, 4), (a[order_a], b[order_b]))
    check_against_dense(state, turned)
    straight = GroupState.from_dense(rho, (3, 4), (a, b))
    assert state.log_negativity() == pytest.approx(straight.log_negativity(), abs=1e-12)


@pytest.mark.parametrize("rank", [1, 40, 150, 200])
def test_spectra_of_large_blocks_of_any_rank(rank):
    """Blocks of low rank are factorized before they are diagonalized."""
    rng = np.random.default_rng(rank)
    x = rng.normal(size=(200, rank)) + 1j * rng.normal(size=(200, rank))
    rho = (x * 10.0 ** rng.uniform(-7, 0, rank)) @ x.conj().T
    state = GroupState.from_dense(rho, (20, 10))
    expected = entanglement.von_neumann(rho / np.trace(rho).real)
    assert state.entropies()[0] == pytest.approx(expected, abs=1e-11)
    assert state.spectrum.sum() == pytest.approx(1, abs=1e-12)
    assert state.spectrum.size == (rank if rank < 100 else 200)


@pytest.mark.parametrize("conserved", [True, False])
def test_bell_werner_and_product(conserved):
    charges = ([1, -1], [1, -1]) if conserved else None
    singlet = np.array([0, 1, -1, 0]) / np.sqrt(2)
    bell = np.outer(singlet, singlet)
    state = GroupState.from_dense(bell, (2, 2), charges)
    assert state.log_negativity() == pytest.approx(log(2), abs=TOL)
    assert state.mutual_information() == pytest.approx(2 * log(2), abs=TOL)
    assert state.entropies() == pytest.approx((0, log(2), log(2)), abs=TOL)
    for p in (0.2, 1 / 3, 0.7):
        werner = GroupState.from_dense(p * bell + (1 - p) * np.eye(4) / 4, (2, 2), charges)
        expected = max(0.0, log((1 + 3 * p) / 2))
        assert werner.log_negativity() == pytest.approx(expected, abs=TOL)
    mixed = GroupState.from_dense(np.eye(4), (2, 2), charges)
    assert mixed.log_negativity() == pytest.approx(0, abs=TOL)
    assert mixed.purity() == pytest.approx(1 / 4, abs=TOL)
    average = GroupState.average([state, mixed], [0.7, 0.3])
    werner = 0.7 * bell + 0.3 * np.eye(4) / 4
    assert np.abs(average.to_dense() - werner).max() < TOL


def test_averages_over_different_sectors():
    rng = np.random.default_rng(3)
    a, b = np.array([2, 0, 0, -2]), np.array([1, -1])
    whole = [GroupState.from_dense(charged(rng, a, b), (4, 2), (a, b)) for _ in range(2)]
    parts = [
        GroupState((a, b), {q: block for q, block in one.blocks.items() if keep(q)}, 1e-3 * k)
        for k, (one, keep) in enumerate(
            zip(whole, (lambda q: q < 3, lambda q: q > -3), strict=True)
        )
    ]
    average = GroupState.average(parts, [2.0, 1.0])
    expected = (2 * parts[0].to_dense() + parts[1].to_dense()) / 3
    assert np.abs(average.to_dense() - expected).max() < TOL
    assert average.discarded == pytest.approx(1e-3 / 3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: GroupState.from_dense(np.eye(4), (2, 3)), "dims"),
        (lambda: GroupState.from_dense(np.ones((4, 4)), (2, 2), ([1, -1], [1, -1])), "between two"),
        (lambda: GroupState((np.array([0, 1]), np.array([0])), {1: np.eye(2)}), "blocks"),
        (lambda: GroupState.average([], []), "weights"),
        (
            lambda: GroupState.average(
                [GroupState.from_dense(np.eye(2), dims) for dims in ((2, 1), (1, 2))], [0.5, 0.5]
            ),
            "different bases",
        ),
    ],
)  # fmt: skip
def test_refusals(call, message):
    with pytest.raises(InputError, match=message):
        call()
