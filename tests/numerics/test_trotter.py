"""Trotter schedules: data first, then orders by slopes on random matrices."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from tnspin.errors import InputError
from tnspin.numerics.trotter import layers_of_run, schedule

EVERY = [(order, driven) for order in (1, 2, 4) for driven in (False, True)]


@pytest.mark.parametrize(("order", "driven"), EVERY)
def test_fractions_of_each_parity_sum_to_one(order, driven):
    layers = schedule(order, driven)
    for parity in (0, 1):
        assert sum(la.fraction for la in layers if la.parity == parity) == pytest.approx(
            1, abs=1e-15
        )
    assert {la.parity for la in layers} == {0, 1}
    assert all(0 <= la.moment <= 1 for la in layers)


@pytest.mark.parametrize(("order", "driven"), [(2, False), (2, True), (4, False), (4, True)])
def test_even_orders_are_symmetric_in_time(order, driven):
    layers = schedule(order, driven)
    for a, b in zip(layers, reversed(layers), strict=True):
        assert a.parity == b.parity
        assert a.fraction == pytest.approx(b.fraction, abs=1e-16)
        assert a.moment == pytest.approx(1 - b.moment, abs=1e-15)


def test_parities_alternate_without_time_dependence():
    for order, count in ((1, 2), (2, 3), (4, 11)):
        layers = schedule(order)
        assert len(layers) == count
        assert all(a.parity != b.parity for a, b in pairwise(layers))


def test_static_fourth_order_has_the_published_fractions():
    """Barthel and Zhang (2020), Eqs. (30a), (32)."""
    fractions = [layer.fraction for layer in schedule(4)[:6]]
    assert fractions == pytest.approx(
        [0.0958485027, 0.4265246613, -0.0781111589, -0.1203952695, 0.4822626562, 0.3877412163],
        abs=2e-10,
    )


@pytest.mark.parametrize("order", [0, 3, 5, -2, 2.5, "4_opt", None])
def test_other_orders_are_refused(order):
    with pytest.raises(InputError, match=r"solver\.order: .* choose 1, 2 or 4"):
        schedule(order)


@pytest.mark.parametrize(("order", "count"), [(1, 2 * 7), (2, 2 * 7 + 1), (4, 10 * 7 + 1)])
def test_neighbouring_layers_of_equal_parity_are_merged(order, count):
    run = layers_of_run(order, 3.0, 0.2, 7)
    assert len(run) == count
    assert all(a.parity != b.parity for a, b in pairwise(run))
    for parity in (0, 1):
        assert sum(la.span for la in run if la.parity == parity) == pytest.approx(1.4, abs=1e-14)


@pytest.mark.parametrize(("order", "count"), [(1, 2), (2, 3), (4, 15)])
def test_driven_layers_keep_their_own_times(order, count):
    run = layers_of_run(order, 3.0, 0.2, 7, time_dependent=True)
    assert len(run) == count * 7
    one = schedule(order, True)
    for k, layer in enumerate(run):
        step, place = divmod(k, count)
        assert layer.parity == one[place].parity
        assert layer.span == pytest.approx(0.2 * one[place].fraction, abs=1e-16)
        assert layer.time == pytest.approx(3.0 + 0.2 * (step + one[place].moment), abs=1e-14)


def hermitian(rng, n=6):
    a = rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n))
    return (a + a.conj().T) / np.linalg.norm(a)


def slope(steps, errors):
    return np.polyfit(np.log(steps), np.log(errors), 1)[0]


@pytest.mark.parametrize(("order", "within"), [(1, 0.1), (2, 0.1), (4, 0.2)])
@pytest.mark.parametrize("seed", range(5))
def test_order_on_constant_matrices(order, within, seed):
    rng = np.random.default_rng(seed)
    parts = hermitian(rng), hermitian(rng)
    exact = expm(-2j * (parts[0] + parts[1]))
    counts = np.array([8, 12, 16, 24])
    errors = []
    for count in counts:
        u = np.eye(6)
        for layer in layers_of_run(order, 0.0, 2 / count, count):
            u = expm(-1j * layer.span * parts[layer.parity]) @ u
        errors.append(np.linalg.norm(u - exact, 2))
    assert min(errors) > 1e-10
    assert slope(2 / counts, errors) == pytest.approx(order, abs=within)


def driven_parts(rng):
    constant = hermitian(rng), hermitian(rng)
    moving = hermitian(rng), hermitian(rng)
    return lambda parity, t: (
        constant[parity] + np.sin(3 * t + 0.4 + parity) * moving[parity] + t**2 * moving[1 - parity]
    )


@pytest.mark.parametrize(("order", "within"), [(1, 0.1), (2, 0.1), (4, 0.2)])
@pytest.mark.parametrize("seed", range(3))
def test_order_on_matrices_that_depend_on_time(order, within, seed):
    part = driven_parts(np.random.default_rng(seed))
    start, span = 0.3, 1.0
    solution = solve_ivp(
        lambda t, u: (-1j * (part(0, t) + part(1, t)) @ u.reshape(6, 6)).ravel(),
        (start, start + span), np.eye(6, dtype=complex).ravel(), "DOP853", rtol=1e-13, atol=1e-14,
    )  # fmt: skip
    exact = solution.y[:, -1].reshape(6, 6)
    counts = np.array([8, 12, 16, 24])
    errors = []
    for count in counts:
        u = np.eye(6)
        for layer in layers_of_run(order, start, span / count, count, time_dependent=True):
            u = expm(-1j * layer.span * part(layer.parity, layer.time)) @ u
        errors.append(np.linalg.norm(u - exact, 2))
    assert min(errors) > 1e-9
    assert slope(span / counts, errors) == pytest.approx(order, abs=within)
