"""Estimates of errors on series whose errors are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tnspin.runs.certify.estimate import (
    difference,
    extrapolate,
    geometric,
    holds_until,
    observed_order,
    richardson,
)

TRUE = np.linspace(0.0, 1.0, 5)
SHAPE = np.linspace(0.1, 1.0, 5)  # errors that grow with time


@given(
    order=st.sampled_from([2, 4]),
    long=st.floats(1.2, 3.0),
    short=st.floats(0.3, 0.8),
    size=st.floats(1e-6, 1e-1),
)
def test_richardson_finds_the_error_of_any_steps(
    order: int, long: float, short: float, size: float
) -> None:
    steps = (0.1 * long, 0.1, 0.1 * short)
    runs = [TRUE + size * SHAPE * (step / 0.1) ** order for step in steps]
    coarse, fine = difference(runs[1], runs[0]), difference(runs[1], runs[2])
    np.testing.assert_allclose(observed_order(coarse, fine, steps, order), order, atol=0.02)
    found = richardson(coarse, fine, steps, order)
    np.testing.assert_allclose(found, size * SHAPE, rtol=0.02)


def test_a_lower_order_than_that_of_the_method_is_noticed() -> None:
    steps = (0.2, 0.1, 0.05)
    runs = [TRUE + 1e-3 * SHAPE * (step / 0.1) for step in steps]  # first order
    coarse, fine = difference(runs[1], runs[0]), difference(runs[1], runs[2])
    np.testing.assert_allclose(observed_order(coarse, fine, steps, 4), 1.0)
    np.testing.assert_allclose(richardson(coarse, fine, steps, 4), 1e-3 * SHAPE)
    without = richardson(None, fine, (None, 0.1, 0.05), 2)
    np.testing.assert_allclose(without, 1e-3 * SHAPE)  # one order less is assumed


@given(ratio=st.floats(1.6, 50.0))
def test_a_geometric_series_is_summed(ratio: float) -> None:
    runs = [TRUE + 1e-3 * SHAPE * factor for factor in (ratio, 1.0, 1 / ratio)]
    coarse, fine = difference(runs[1], runs[0]), difference(runs[1], runs[2])
    np.testing.assert_allclose(geometric(coarse, fine, np.inf), 1e-3 * SHAPE, rtol=1e-6)


def test_errors_that_do_not_fall_count_three_times() -> None:
    step = 1e-3 * SHAPE
    np.testing.assert_allclose(geometric(0.5 * step, step, np.inf), 3 * step)
    np.testing.assert_allclose(geometric(None, step, np.inf), 3 * step)
    np.testing.assert_allclose(geometric(100 * step, step, 10.0), step / 0.9)  # never too good


def test_differences_are_running_maxima_and_never_lose_what_is_not_a_number() -> None:
    one, other = np.zeros((4, 2)), np.array([[0.0, 0.1], [0.3, 0.0], [0.1, 0.1], [np.nan, 0.0]])
    np.testing.assert_array_equal(difference(one, other), [0.1, 0.3, 0.3, np.inf])
    assert difference(one, other[:2]).shape == (2,)
    assert difference(np.zeros((3, 0)), np.zeros((3, 0))).tolist() == [0.0, 0.0, 0.0]


def test_extrapolation_is_exact_for_lines_and_its_bar_covers_parabolas() -> None:
    weights = np.array([[4.0], [2.0], [1.0]]) * np.array([1e-3, 1e-2, 1e-1])
    line = 0.5 + 3 * weights
    found = extrapolate(weights, line[..., None])
    assert found.justified.all()
    np.testing.assert_allclose(found.values[..., 0], 0.5)
    np.testing.assert_allclose(found.error, 0.0, atol=1e-12)
    bent = 0.5 + 3 * weights + 5 * weights**2
    found = extrapolate(weights, bent[..., None])
    assert found.justified.all()
    off = np.abs(found.values[..., 0] - 0.5)
    assert np.all(off <= found.error[..., 0] * (1 + 1e-9))


@pytest.mark.parametrize(
    "values",
    [
        [0.1, 0.3, 0.2],  # not monotone
        [1.0, 0.1, 0.08],  # far from linear
        [0.2, 0.2, 0.2],  # nothing happens
    ],
)
def test_extrapolation_refuses_what_is_not_linear(values: list[float]) -> None:
    weights = np.array([[4e-3], [2e-3], [1e-3]])
    found = extrapolate(weights, np.array(values)[:, None])
    assert not found.justified.any()
    assert found.values[0] == values[2] and found.error[0] == 0.0


def test_extrapolation_refuses_weights_that_do_not_fall() -> None:
    values = np.array([[0.3], [0.2], [0.1]])
    for weights in ([1e-3, 2e-3, 3e-3], [0.0, 0.0, 0.0], [2e-3, 1e-3, 0.0]):
        assert not extrapolate(np.array(weights)[:, None], values).justified.any()


def test_until_when_it_holds() -> None:
    times, errors = np.arange(4.0), np.array([0.0, 1e-3, 2e-3, 2e-3])
    assert holds_until(times, errors, 2e-3) == 3.0
    assert holds_until(times, errors, 1e-3) == 1.0
    assert holds_until(times, errors + 1.0, 1e-3) is None
    assert holds_until(times, np.array([0.0, np.nan, 0.0, 0.0]), 1e-3) == 0.0
