"""The action of exponentials against dense ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import expm

from tnspin.numerics.krylov import exponential


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 40),
    strength=st.floats(0, 40),
    angle=st.sampled_from([1, -1, 1j, -1j, np.exp(0.3j)]),
    hermitian=st.booleans(),
    digits=st.integers(3, 12),
    seed=st.integers(0, 999),
)
def test_error_stays_below_the_tolerance(n, strength, angle, hermitian, digits, seed):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n))
    matrix = matrix + matrix.conj().T if hermitian else matrix
    matrix /= np.linalg.norm(matrix, 2)
    vector = 3.0 * (rng.normal(size=n) + 1j * rng.normal(size=n))
    wanted = expm(strength * angle * matrix) @ vector
    tolerance = 10.0**-digits
    found = exponential(matrix.__matmul__, vector, strength * angle, tolerance=tolerance,
                        hermitian=hermitian)  # fmt: skip
    # What grows carries the errors of early shares with it.
    scale = np.linalg.norm(expm(strength * angle * matrix), 2) * np.linalg.norm(vector)
    assert np.linalg.norm(found - wanted) < 10 * tolerance * scale + 1e-11 * scale


def test_large_steps_are_cut():
    """300 times the Krylov space's reach."""
    values = np.linspace(-1, 1, 400)
    vector = np.ones(400)
    found = exponential(lambda x: values * x, vector, -900j, tolerance=1e-9)
    assert np.linalg.norm(found - np.exp(-900j * values)) < 1e-6 * 20


def test_eigenvectors_end_the_space_at_once():
    calls = []

    def apply(x):
        calls.append(1)
        return 2.5 * x

    found = exponential(apply, np.ones(50), -0.3j, tolerance=1e-14)
    assert len(calls) == 1
    assert found == pytest.approx(np.exp(-0.75j) * np.ones(50), abs=1e-13)
    zero = exponential(lambda x: 0 * x, np.ones(7), 1.0, tolerance=1e-12, hermitian=False)
    assert zero == pytest.approx(np.ones(7), abs=1e-14)
