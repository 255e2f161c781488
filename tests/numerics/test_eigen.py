"""The small Hermitian eigensolver against numpy on every kind of spectrum."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tnspin.numerics import eigen

EPS = np.finfo(float).eps


def unitary(rng, n):
    return np.linalg.qr(rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n)))[0]


def with_spectrum(rng, values):
    u = unitary(rng, len(values))
    full = (u * values) @ u.conj().T
    return (full + full.conj().T) / 2


def spectra(rng, n):
    """Eigenvalues of the kinds met in a truncation, and some worse."""
    half = np.arange(n) < max(1, n // 2)
    return {
        "generic": rng.normal(size=n),
        "positive": rng.uniform(0, 1, size=n),
        "graded": np.logspace(0, -30, n),
        "rank-deficient": np.where(half, rng.uniform(0.1, 1, size=n), 0.0),
        "degenerate": np.where(half, 1.0, -1.0),
        "identity": np.ones(n),
        "nearly degenerate": 1 + 1e-15 * rng.normal(size=n),
        "pairs": np.repeat(rng.normal(size=n), 2)[:n],
        "tiny": 1e-200 * rng.normal(size=n),
        "large": 1e150 * rng.normal(size=n),
        "zero": np.zeros(n),
    }


def check(full):
    n = len(full)
    g, w = np.tril(full).astype(complex), np.full(n, np.nan)
    g[np.triu_indices(n, 1)] = np.nan  # only the lower triangle counts
    eigen.eigh(n, g.ravel(), w)
    scale = np.abs(np.linalg.eigvalsh(full)).max()
    bound = 20 * EPS * n
    assert np.all(np.diff(w) >= 0)
    assert np.abs(w - np.linalg.eigvalsh(full)).max() <= bound * scale
    assert np.abs(g @ g.conj().T - np.eye(n)).max() <= bound
    assert np.abs(g @ full @ g.conj().T - np.diag(w)).max() <= bound * scale


@pytest.mark.parametrize("n", range(1, 131))
def test_every_size(n):
    rng = np.random.default_rng(n)
    check(with_spectrum(rng, rng.normal(size=n)))


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 12, 25, 26, 39, 40, 41, 64, 130])
@pytest.mark.parametrize("kind", list(spectra(np.random.default_rng(0), 3)))
def test_spectra(n, kind):
    rng = np.random.default_rng(1000 + n)
    check(with_spectrum(rng, spectra(rng, n)[kind]))


@pytest.mark.parametrize("n", [2, 5, 12, 40, 41, 90])
def test_special_matrices(n):
    """Diagonal, already tridiagonal, graded either way, block-diagonal, rank one, Wilkinson."""
    rng = np.random.default_rng(n)
    wilkinson = np.diag(np.abs(np.arange(n) - (n - 1) / 2)).astype(complex)
    wilkinson += np.eye(n, k=1) + np.eye(n, k=-1)
    x = rng.normal(size=n) + 1j * rng.normal(size=n)
    grade = np.logspace(0, -16, n)
    dense = with_spectrum(rng, rng.normal(size=n))
    blocks = dense.copy()
    blocks[n // 2 :, : n // 2] = blocks[: n // 2, n // 2 :] = 0
    for full in (
        np.diag(rng.normal(size=n)).astype(complex),
        wilkinson,
        np.outer(x, x.conj()),
        grade[:, None] * dense * grade,
        grade[::-1, None] * dense * grade[::-1],
        blocks,
    ):
        check(full)


@pytest.mark.parametrize("n", [6, 30, 60])
def test_gram_matrix_keeps_small_weights(n):
    """Squared singular values over 14 decades come out to round-off of the largest."""
    rng = np.random.default_rng(n)
    s = np.logspace(0, -7, n)
    theta = (unitary(rng, n) * s) @ unitary(rng, n)
    full = theta @ theta.conj().T
    g, w = full.copy(), np.empty(n)
    eigen.eigh(n, g.ravel(), w)
    assert np.abs(np.sort(w)[::-1] - s**2).max() < 20 * EPS * n


def test_ql_gives_up_on_no_convergence_and_falls_back(monkeypatch):
    """Without iterations QL must say so; its caller has divide and conquer."""
    d, e = np.array([1.0, 2.0, 3.0]), np.array([1.0, 1.0, 0.0])
    rows = np.eye(3).ravel()
    assert eigen._implicit_ql.py_func(3, d.copy(), e.copy(), rows.copy())
    monkeypatch.setattr(eigen, "_MAX_ITERATIONS", 0)
    assert not eigen._implicit_ql.py_func(3, d, e, rows)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_spectrum(data):
    n = data.draw(st.integers(1, 45))
    values = data.draw(
        st.lists(
            st.one_of(st.sampled_from([0.0, 1.0, -1.0]), st.floats(-1, 1), st.floats(-1e-8, 1e-8)),
            min_size=n,
            max_size=n,
        )
    )
    check(with_spectrum(np.random.default_rng(data.draw(st.integers(0, 2**32))), np.array(values)))
