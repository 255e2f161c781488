"""Coefficients that depend on time: closed form, slopes, continuing."""

from __future__ import annotations

import numpy as np
import pytest
from dense import (
    full_vector,
    model_of,
)
from reference import Reference
from scipy.integrate import solve_ivp
from scipy.linalg import expm
from small_chains import (
    basis_state,
    last,
    same_bits,
    xxz,
)
from solving import tebd as evolve

from tnspin.operators.sites import spin


def driven_pair(amplitude=0.8, frequency=1.7, splitting=1.2):
    """Two uncoupled spins in rotating fields: each is Rabi's two-level problem."""
    sites = (spin(0.5),) * 2
    items = []
    for i in range(2):
        items += [
            (splitting, "Sz", i),
            (lambda t: amplitude * np.cos(frequency * t), "Sx", i),
            (lambda t: amplitude * np.sin(frequency * t), "Sy", i),
        ]
    return model_of(sites, items), (amplitude, frequency, splitting)


def rabi(t, amplitude, frequency, splitting):
    """Evolution in the lab frame: a rotation about z after one in the rotating frame."""
    sx, sz = np.array([[0, 1], [1, 0]]), np.diag([1, -1])
    rotating = ((splitting - frequency) * sz + amplitude * sx) / 2
    return expm(-0.5j * frequency * t * sz) @ expm(-1j * t * rotating)


@pytest.mark.parametrize(("order", "within"), [(2, 0.1), (4, 0.2)])
def test_rabi_problem_in_closed_form_converges_at_its_order(order, within):
    model, parameters = driven_pair()
    psi = basis_state(model.local_sites, [0, 0], ())
    stop = 3.0
    u = rabi(stop, *parameters)
    wanted = np.kron(u[:, 0], u[:, 0])
    # Flip probability by Rabi's formula.
    amplitude, frequency, splitting = parameters
    omega = np.hypot(amplitude, splitting - frequency)
    assert abs(u[1, 0]) ** 2 == pytest.approx((amplitude / omega * np.sin(omega * stop / 2)) ** 2)
    steps, errors = np.array([0.3, 0.2, 0.15, 0.1, 0.075]), []
    for dt in steps:
        final = last(evolve(model, psi, [0.0, stop], dt=dt, order=order, cutoff=1e-20,
                            method="svd", threads=1))  # fmt: skip
        errors.append(np.linalg.norm(full_vector(final.state) - wanted))
    assert min(errors) > 1e-9
    assert np.polyfit(np.log(steps), np.log(errors), 1)[0] == pytest.approx(order, abs=within)


def driven_chain(length=5):
    """An exchange-coupled chain whose coupling and field are driven at once."""
    kinds, sites, items = xxz(length)
    for i in range(length - 1):
        items.append((lambda t: 0.6 * np.sin(2 * t), "Sz", i, "Sz", i + 1))
        items.append((lambda t: 0.4 * t**2, "Sp", i, "Sm", i + 1))
        items.append((lambda t: 0.4 * t**2, "Sm", i, "Sp", i + 1))
    items.append((lambda t: np.exp(-(((t - 0.5) / 0.4) ** 2)), "Sx", 2))
    return kinds, sites, items


@pytest.mark.parametrize(("order", "within"), [(1, 0.1), (2, 0.1), (4, 0.2)])
def test_driven_chain_converges_at_its_order(order, within):
    kinds, sites, items = driven_chain()
    reference = Reference(kinds)
    psi = basis_state(sites, [0, 1, 0, 1, 1], ())
    solution = solve_ivp(lambda t, v: -1j * reference.matrix(items, t) @ v, (0.2, 1.2),
                         full_vector(psi), "DOP853", rtol=1e-12, atol=1e-13)  # fmt: skip
    wanted = solution.y[:, -1]
    steps, errors = 1 / np.array([8, 12, 16, 24]), []
    for dt in steps:
        final = last(evolve(model_of(sites, items), psi, [0.2, 1.2], dt=dt, order=order,
                            cutoff=1e-20, method="svd", threads=1))  # fmt: skip
        errors.append(np.linalg.norm(full_vector(final.state) - wanted))
    assert min(errors) > 1e-9
    assert np.polyfit(np.log(steps), np.log(errors), 1)[0] == pytest.approx(order, abs=within)


def test_static_bonds_of_a_driven_chain_and_continuing_it():
    """The gate of a driven bond is never taken from the cache; continuing keeps the numbers."""
    sites = (spin(0.5),) * 4
    items = [*xxz(4)[2], (lambda t: np.sin(3 * t), "Sz", 0)]
    model = model_of(sites, items)
    psi = basis_state(sites, [0, 1, 1, 0], ("2Sz",))
    whole = list(evolve(model, psi, [0.0, 0.5, 1.0], threads=1, bond_dim=3))
    rest = list(evolve(model, whole[1].state, [0.5, 1.0], threads=1, bond_dim=3,
                       ledger=whole[1].ledger))  # fmt: skip
    same_bits(whole[2].state, rest[1].state)
