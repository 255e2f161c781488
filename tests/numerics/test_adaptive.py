"""Adaptive steps: their error, and that nothing of them is left behind."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
import scipy.linalg

from tnspin.errors import RunError
from tnspin.numerics import adaptive as module
from tnspin.numerics.adaptive import dormand_prince


@pytest.mark.parametrize("tolerance", [1e-5, 1e-8, 1e-11])
def test_linear_motion_is_an_exponential(tolerance: float) -> None:
    generator = np.random.default_rng(1).normal(size=(6, 6))
    generator = 1j * (generator + generator.T)
    start = np.ones(6, dtype=complex)
    *_, (end, x) = dormand_prince(
        lambda _, y: generator @ y, start, 0.5, 2.5, rtol=tolerance, atol=tolerance
    )
    assert end == 2.5
    wanted = scipy.linalg.expm(2.0 * generator) @ start
    # Errors of steps add up, and each is below the tolerance relative to components around 1.
    assert np.abs(x - wanted).max() < 100 * tolerance


def test_no_time_is_one_step_without_motion() -> None:
    start = np.ones(2)
    found = list(dormand_prince(lambda _, y: -y, start, 1.0, 1.0, rtol=1e-6, atol=1e-6))
    assert [t for t, _ in found] == [1.0]
    np.testing.assert_array_equal(found[0][1], start)


@pytest.mark.parametrize("finished", [True, False])
def test_nothing_outlives_the_steps(monkeypatch: pytest.MonkeyPatch, finished: bool) -> None:
    """Without a garbage collection: a run of large matrices would keep twenty copies of each."""
    made: list[weakref.ref[object]] = []
    original = module.DOP853

    def remembered(*arguments: object, **options: object) -> object:
        solver = original(*arguments, **options)
        made.append(weakref.ref(solver))
        return solver

    monkeypatch.setattr(module, "DOP853", remembered)
    gc.disable()
    try:
        steps = dormand_prince(lambda _, y: 1j * y, np.ones(3, complex), 0, 9, rtol=1e-9, atol=1e-9)
        if finished:
            assert len(list(steps)) > 1
        else:
            next(steps)
        del steps
        assert made[0]() is None
    finally:
        gc.enable()


def test_motion_that_ends_is_an_error() -> None:
    with np.errstate(all="ignore"), pytest.raises(RunError, match=r"at time 1: .*step size"):
        list(dormand_prince(lambda t, y: y**2, np.ones(1), 0.0, 2.0, rtol=1e-8, atol=1e-8))
