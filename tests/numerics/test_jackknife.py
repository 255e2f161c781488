"""Jackknife errors against what is known of means and of functions of means."""

from __future__ import annotations

import numpy as np
import pytest

from tnspin.errors import InputError
from tnspin.numerics.jackknife import jackknife_bias, jackknife_error, leave_one_out
from tnspin.observables.entanglement import log_negativity


def test_error_of_a_mean_is_that_of_the_mean():
    data = np.random.default_rng(3).normal(size=(7, 4))
    error = jackknife_error(list(leave_one_out(list(data))))
    assert np.allclose(error, data.std(axis=0, ddof=1) / np.sqrt(7), rtol=1e-12)


def test_leaves_out_each_part_in_turn():
    parts = [np.array([1.0 + 1j]), np.array([2.0]), np.array([6.0])]
    assert [complex(x[0]) for x in leave_one_out(parts)] == [4.0, 3.5 + 0.5j, 1.5 + 0.5j]


def test_error_of_a_curved_function_covers_the_spread_of_many_samples():
    """The square of a mean: over many samples the error is the spread of the results."""
    rng = np.random.default_rng(5)
    results, errors = [], []
    for _ in range(400):
        parts = list(rng.normal(2.0, 1.0, size=(20, 1)))
        results.append(np.mean(parts) ** 2)
        errors.append(jackknife_error([x[0] ** 2 for x in leave_one_out(parts)]))
    # The spread of 400 results is known to 4 %.
    assert np.mean(errors) == pytest.approx(np.std(results), rel=0.12)


def test_bias_of_a_mean_is_zero_and_that_of_its_square_the_variance():
    rng = np.random.default_rng(7)
    parts = list(rng.normal(2.0, 1.0, size=(20, 3)))
    mean, without = np.mean(parts, axis=0), list(leave_one_out(parts))
    assert np.abs(jackknife_bias(without, mean)).max() < 1e-13
    squares = jackknife_bias([x**2 for x in without], mean**2)
    # The mean of 20 numbers squared is too large by a twentieth of their variance.
    assert np.allclose(squares, np.var(parts, axis=0, ddof=1) / 20, rtol=1e-9)


def test_negativity_of_a_small_sample_is_too_large_by_more_than_its_spread():
    """Random pure states of two spins 5/2; their mean, the maximally mixed state, has none."""
    rng = np.random.default_rng(11)
    values, spreads, biases = [], [], []
    for _ in range(20):
        vectors = rng.normal(size=(20, 2, 36)) + 1j * rng.normal(size=(20, 2, 36))
        vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
        parts = list(np.einsum("nka,nkb->nab", vectors, vectors.conj()) / 2)
        without = [log_negativity(rho, (6, 6), [0]) for rho in leave_one_out(parts)]
        values.append(log_negativity(np.mean(parts, axis=0), (6, 6), [0]))
        spreads.append(jackknife_error(without))
        biases.append(jackknife_bias(without, values[-1]))
    assert np.mean(values) > 2 * np.mean(spreads)
    assert np.all(np.array(biases) > 0)
    assert np.all(values <= 2 * np.hypot(spreads, biases))


def test_one_part_has_no_error():
    with pytest.raises(InputError, match="at least 2"):
        jackknife_error([[1.0]])
