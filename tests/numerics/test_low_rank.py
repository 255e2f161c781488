"""Spectra of positive matrices of low rank."""

from __future__ import annotations

import numpy as np
import pytest

from tnspin.numerics.low_rank import compact


def positive(size, rank, seed=0, scale=1.0):
    """A random positive matrix whose eigenvalues fall over twelve decades, with its root."""
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(size, rank)) + 1j * rng.normal(size=(size, rank))
    root = root * np.logspace(0, -6, rank)
    rho = root @ root.conj().T
    return rho * (scale / np.trace(rho).real)


@pytest.mark.parametrize("scale", [1.0, 1e6, 1e-6])
@pytest.mark.parametrize("rank", [1, 7, 60])
def test_eigenvalues_stay(rank, scale):
    rho = positive(200, rank, scale=scale)
    found = compact(rho, scale)
    assert len(found) <= 2 * rank
    expected = np.sort(np.linalg.eigvalsh(rho))[-rank:]
    values = np.sort(np.linalg.eigvalsh(found))[-rank:]
    np.testing.assert_allclose(values, expected[-len(values) :], rtol=0, atol=1e-14 * scale)
    assert values.sum() == pytest.approx(scale, rel=1e-12)


def test_small_and_full_matrices_are_left_alone():
    for rho in (positive(20, 2), np.eye(200) / 200):
        assert compact(rho) is rho


def test_nothing_at_all():
    assert compact(np.zeros((200, 200), complex)).size == 0
