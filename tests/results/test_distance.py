"""Distance of two trajectories."""

from __future__ import annotations

import numpy as np
import pytest

import tnspin as ts
from tnspin.errors import InputError
from tnspin.results.result import Result, Variable


def circle(times, phase=0.0):
    """(T, 2, 3) unit vectors that turn."""
    angle = times[:, None] + np.array([phase, 2 * phase])
    return np.stack([np.cos(angle), np.sin(angle), np.zeros_like(angle)], axis=-1)


def result(times, values, name="spin"):
    variables = {
        "time": Variable(("time",), times),
        name: Variable(("time", "localized", "axis"), values),
    }
    return Result(variables, {})


def test_vectors_apart_by_an_angle():
    times = np.linspace(0, 2, 11)
    found = ts.distance(result(times, circle(times)), result(times, circle(times, 0.3)))
    np.testing.assert_allclose(found.each, np.tile(2 * np.sin([0.15, 0.3]), (11, 1)))
    np.testing.assert_allclose(found.largest, 2 * np.sin(0.3))
    assert found.maximum == pytest.approx(2 * np.sin(0.3))
    assert found.rms == pytest.approx(np.sqrt(2 * (np.sin(0.15) ** 2 + np.sin(0.3) ** 2)))
    np.testing.assert_array_equal(found.time, times)


def test_other_times_are_interpolated_where_both_are_known():
    errors = []
    for count in (11, 21, 41):
        first, second = np.linspace(0, 3, 14), np.linspace(0, 2, count)
        found = ts.distance(result(first, circle(first)), result(second, circle(second)))
        assert found.time[-1] <= 2
        errors.append(found.maximum)
    slopes = np.diff(np.log2(errors))
    assert np.all(slopes < -2.7), slopes  # cubic splines


def test_arrays_and_variables_of_other_names():
    times = np.linspace(0, 1, 6)
    found = ts.distance(circle(times), circle(times, 0.1), times=times)
    other = ts.distance(circle(times), result(times, circle(times, 0.1), "n"), other="n",
                        times=times)  # fmt: skip
    np.testing.assert_array_equal(found.each, other.each)


@pytest.mark.parametrize(
    ("second", "options", "match"),
    [
        (np.zeros((6, 3, 3)), {}, "do not fit"),
        (np.zeros((6, 2, 3)), {"other_times": np.arange(6) + 10.0}, "in common"),
        (np.zeros((6, 2, 3)), {"times": np.arange(5)}, "times given"),
        (result(np.arange(6.0), np.zeros((6, 2, 3))), {"other": "n"}, "no 'n'"),
    ],
)
def test_what_cannot_be_compared(second, options, match):
    with pytest.raises(InputError, match=match):
        ts.distance(circle(np.arange(6.0)), second, **options)
